#include <algorithm>

#include "inference/rows.h"
#include "inference/tensor_json.h"
#include "inference/wire.h"
#include "maru/base/text.h"
#include "maru/data/dataset.h"
#include "maru/model/open_inference.h"

// MLflow's scoring protocol, which is SageMaker's container contract too: /invocations and /ping.
namespace maru::api::inference {
namespace {

using base::Code;
using model::TensorSpec;
using model::TensorValue;

constexpr const char* kForms[] = {"dataframe_split", "dataframe_records", "instances", "inputs"};
constexpr const char* kOneForm =
    "The input must be a JSON dictionary with exactly one of the input fields "
    "{'dataframe_split', 'dataframe_records', 'instances', 'inputs'}.";

Response scoring_error(const base::Error& error, const Request&, const Context&) {
  const bool theirs = base::http_status(error.code) == 400;
  Json body = Json::object({{"error_code", theirs ? std::string("BAD_REQUEST")
                                                  : std::string(base::code_name(error.code))},
                            {"message", error.message}});
  if (!error.hint.empty()) body.set("hint", error.hint);
  return json_exactly(body.dump(), base::http_status(error.code));
}

// "csv" or "json". Only a charset may stand beside the type, and only UTF-8.
base::Result<std::string> content_kind(const Request& request) {
  const auto parts = base::split(request.headers.get("Content-Type"), ';');
  const std::string type =
      parts.empty() ? std::string() : base::to_lower_ascii(base::trim(parts.front()));
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string parameter = base::to_lower_ascii(base::trim(parts[i]));
    if (parameter.empty()) continue;
    if (!parameter.starts_with("charset="))
      return base::fail(Code::kInvalidArgument,
                        "Unrecognized content type parameters: " + parameter + ".");
    if (parameter != "charset=utf-8")
      return base::fail(Code::kInvalidArgument,
                        "The scoring server only supports UTF-8 character encoding.");
  }
  if (type == "text/csv") return "csv";
  if (type == "application/json") return "json";
  return base::fail(Code::kInvalidArgument,
                    "This predictor only supports the following content types: text/csv, "
                    "application/json. Got '" +
                        base::replace_invalid_utf8(type.substr(0, 100)) + "'.");
}

// `?endpoint=` names it; a server with one endpoint needs no name.
base::Result<std::string> scoring_endpoint(const Services& s, const Request& request) {
  const std::string named(request.query_param("endpoint"));
  if (!named.empty()) return named;
  const auto endpoints = s.server->list();
  if (endpoints.size() == 1) return endpoints.front().config.name;
  return base::fail(Code::kInvalidArgument,
                    "which endpoint is not said and there are " + std::to_string(endpoints.size()),
                    "call /invocations?endpoint=NAME");
}

base::Status check_forms(const Json& body) {
  std::size_t given = 0;
  for (const char* form : kForms) given += body.has(form) ? 1 : 0;
  if (!body.is_object() || given != 1) {
    std::vector<std::string> fields;
    for (const auto& [name, value] : body.members()) fields.push_back("'" + name + "'");
    return base::fail(
        Code::kInvalidArgument,
        kOneForm + (" Received dictionary with input fields: [" + base::join(fields, ", ") + "]."));
  }
  if (body.has("dataframe_split") && !body["dataframe_split"].is_object())
    return base::fail(Code::kInvalidArgument,
                      std::string("Dataframe split format must be a dictionary. Got ") +
                          (body["dataframe_split"].is_array() ? "list" : "a value"));
  if (body.has("dataframe_records") && !body["dataframe_records"].is_array())
    return base::fail(Code::kInvalidArgument,
                      std::string("Dataframe records format must be a list of records. Got ") +
                          (body["dataframe_records"].is_object() ? "dictionary" : "a value"));
  if (body.has("signature_name"))
    return base::fail(Code::kInvalidArgument,
                      "'signature_name' parameter is currently not supported");
  return {};
}

base::Result<Json> rows_of_forms(const model::Signature& signature, const Json& body) {
  if (body.has("dataframe_split")) return rows_of_split(body["dataframe_split"]);
  if (body.has("dataframe_records")) return body["dataframe_records"];
  if (body.has("instances")) return plain_rows(signature, body["instances"]);
  if (body["inputs"].is_object()) return rows_of_columns(body["inputs"]);
  return plain_rows(signature, body["inputs"]);
}

// Columns of a data frame for a model of tensors: by name, or side by side when it takes one matrix.
base::Result<std::vector<TensorValue>> tensors_of_frame(const std::vector<TensorSpec>& specs,
                                                        const Json& rows) {
  const bool matrix =
      specs.size() == 1 && specs.front().shape.size() == 2 && specs.front().shape.back() != 1;
  if (!matrix) return tensors_of_rows(specs, rows);
  Json cells = Json::array();
  for (const Json& row : rows.items()) {
    Json one = Json::array();
    for (const auto& [name, value] : row.members()) one.push(value);
    cells.push(std::move(one));
  }
  return tensors_of_columns(specs, cells);
}

base::Result<std::vector<TensorValue>> tensors_of_forms(const std::vector<TensorSpec>& specs,
                                                        const Json& body) {
  if (body.has("instances")) return tensors_of_rows(specs, body["instances"]);
  if (body.has("inputs")) return tensors_of_columns(specs, body["inputs"]);
  if (body.has("dataframe_records")) return tensors_of_frame(specs, body["dataframe_records"]);
  TRY_ASSIGN(const Json rows, rows_of_split(body["dataframe_split"]));
  return tensors_of_frame(specs, rows);
}

// The columns of a data frame: records, as MLflow writes them.
bool is_frame(const std::vector<TensorValue>& outputs) {
  return std::all_of(outputs.begin(), outputs.end(), [&](const TensorValue& output) {
    return output.shape.size() == 1 && output.shape == outputs.front().shape;
  });
}

base::Result<std::string> predictions_json(const std::vector<TensorValue>& outputs) {
  std::string body = R"({"predictions":)";
  if (outputs.size() == 1 || is_frame(outputs)) {
    if (outputs.size() == 1)
      append_nested(body, outputs.front());
    else
      TRY(append_rows(body, outputs));
    return body + "}";
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    body += i == 0 ? '{' : ',';
    base::append_json_string(body, outputs[i].name);
    body += ':';
    append_nested(body, outputs[i]);
  }
  return body + "}}";
}

// One number a row, or one list of them.
std::string predictions_json(const model::Predictions& predictions) {
  std::string body = R"({"predictions":[)";
  for (std::size_t row = 0; row < predictions.rows; ++row) {
    if (row > 0) body += ',';
    if (predictions.width > 1) body += '[';
    for (std::size_t k = 0; k < predictions.width; ++k) {
      if (k > 0) body += ',';
      base::append_json_number(body, predictions.score(row, k));
    }
    if (predictions.width > 1) body += ']';
  }
  return body + "]}";
}

Response answered(std::string body, const serve::Answer& answer) {
  Response response = json_exactly(std::move(body));
  mark_answer(response, answer);
  return response;
}

base::Result<Response> answer_tensors(const Services& s, const serve::CallOptions& options,
                                      const std::string& endpoint, std::vector<TensorValue> tensors,
                                      const Json& params = {}) {
  model::InferRequest call;
  if (!params.is_null()) call.parameters = Json::object({{"params", params}});
  call.inputs = std::move(tensors);
  return infer_response(
      s, endpoint, options, std::move(call),
      [](const model::InferRequest&, const InferenceAnswer& done) -> base::Result<Response> {
        TRY_ASSIGN(std::string body, predictions_json(done.outputs));
        return answered(std::move(body), done.answer);
      });
}

base::Result<Response> score_csv(const Services& s, const Request& request,
                                 const serve::CallOptions& options, const std::string& endpoint) {
  TRY_ASSIGN(const data::Table table, data::read_delimited_text(request.body));
  TRY_ASSIGN(const Described described, describe(s, endpoint, 0, true));
  if (described.answer.bundle->tensors() != nullptr) {
    TRY_ASSIGN(auto tensors,
               tensors_of_frame(described.inputs, rows_of_table(described.inputs, table)));
    return answer_tensors(s, options, endpoint, std::move(tensors));
  }
  model::Predictions predictions;
  TRY_ASSIGN(const auto answer,
             s.server->predict(
                 endpoint, options,
                 [&](const model::Signature& signature, model::InputBatch& batch) {
                   return model::fill_from_table(signature, table, batch);
                 },
                 predictions));
  return answered(predictions_json(predictions), answer);
}

base::Result<Response> invocations(const Services& s, const Request& request, Context& context) {
  const auto kind = content_kind(request);
  if (!kind) return Response::text(kind.error().message, 415);
  TRY_ASSIGN(const std::string endpoint, scoring_endpoint(s, request));
  const serve::CallOptions options = call_options(request, context);
  if (*kind == "csv") return score_csv(s, request, options, endpoint);
  auto body = body_json(request);
  if (!body)
    return base::fail(Code::kInvalidArgument,
                      "Invalid input. Ensure that input is a valid "
                      "JSON formatted string. " +
                          body.error().message);
  TRY(check_forms(*body));
  TRY_ASSIGN(const Described described, describe(s, endpoint, 0, true));
  if (described.answer.bundle->tensors() != nullptr) {
    const Json& params = (*body)["params"];
    if (!params.is_null() && !params.is_object())
      return base::fail(Code::kInvalidArgument, "params must be a JSON dictionary");
    TRY_ASSIGN(auto tensors, tensors_of_forms(described.inputs, *body));
    return answer_tensors(s, options, endpoint, std::move(tensors), params);
  }
  TRY_ASSIGN(const Json rows, rows_of_forms(described.answer.bundle->signature(), *body));
  model::Predictions predictions;
  TRY_ASSIGN(const auto answer,
             s.server->predict(
                 endpoint, options,
                 [&](const model::Signature& signature, model::InputBatch& batch) {
                   return model::fill_from_rows(signature, rows, batch);
                 },
                 predictions));
  return answered(predictions_json(predictions), answer);
}

}  // namespace

void add_scoring_routes(Router& router, const Services& s) {
  http::RouteOptions scoring{Permission::kPredict, RunOn::kServe};
  scoring.error_format = scoring_error;
  router.add(Method::kPost, "/invocations", scoring, [s](const Request& request, Context& context) {
    return invocations(s, request, context);
  });
  router.add(Method::kGet, "/ping", {Permission::kPublic, RunOn::kInline},
             [s](const Request&, Context&) -> base::Result<Response> {
               return json_exactly("\n", s.ready() ? 200 : 503);
             });
}

}  // namespace maru::api::inference
