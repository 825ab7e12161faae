#include <cmath>

#include "maru/base/text.h"
#include "maru/model/model.h"
#include "routes.h"

// Open Inference Protocol v2 (JSON tensors) and MLflow scoring (`/invocations`).
namespace maru::api {
namespace {

using model::InputKind;

constexpr std::size_t kMaxRank = 8;

Response oip_error(const base::Error& error, const Request&, const Context&) {
  return Response::json(
      Json::object({{"error", error.hint.empty() ? error.message
                                                 : error.message + " (" + error.hint + ")"}}),
      base::http_status(error.code));
}

Response mlflow_error(const base::Error& error, const Request&, const Context&) {
  return Response::json(Json::object({{"error_code", std::string(base::code_name(error.code))},
                                      {"message", error.message},
                                      {"hint", error.hint}}),
                        base::http_status(error.code));
}

std::string datatype_of(InputKind kind) {
  switch (kind) {
    case InputKind::kText:
      return "BYTES";
    case InputKind::kTimestamp:
      return "INT64";
    case InputKind::kBoolean:
      return "BOOL";
    case InputKind::kInteger:
      return "INT64";
    case InputKind::kNumber:
      break;
  }
  return "FP64";
}

// Data may be nested or flat; only the leaves count, the shape says how many.
void flatten(const Json& data, std::vector<const Json*>& out) {
  for (const auto& item : data.items()) {
    if (item.is_array())
      flatten(item, out);
    else
      out.push_back(&item);
  }
}

base::Result<std::size_t> rows_of_shape(const Json& tensor) {
  const std::string name = tensor["name"].as_string();
  const Json& shape = tensor["shape"];
  if (!shape.is_array() || shape.size() == 0 || shape.size() > kMaxRank) {
    return base::fail(base::Code::kInvalidArgument,
                      "input `" + name + "` has no shape of 1 to 8 dimensions");
  }
  std::uint64_t elements = 1;
  for (const auto& extent : shape.items()) {
    if (!extent.is_int() || extent.as_int() < 0)
      return base::fail(base::Code::kInvalidArgument,
                        "input `" + name + "` has a negative or non-integer dimension");
    if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(extent.as_int()), &elements) ||
        elements > INT32_MAX) {
      return base::fail(base::Code::kTooLarge,
                        "input `" + name + "` has more than 2^31-1 elements");
    }
  }
  const auto rows = static_cast<std::uint64_t>(shape.at(0).as_int());
  if (elements != rows)
    return base::fail(base::Code::kInvalidArgument,
                      "input `" + name + "` must have one value a row: shape [rows] or [rows, 1]");
  return static_cast<std::size_t>(rows);
}

// Tensors become rows of JSON, so that one place alone knows how values are checked.
base::Result<Json> rows_of_tensors(const Json& body) {
  const Json& inputs = body["inputs"];
  if (!inputs.is_array() || inputs.size() == 0)
    return base::fail(base::Code::kInvalidArgument, "request has no `inputs`",
                      R"(send {"inputs": [{"name", "shape", "datatype", "data"}]})");
  std::size_t rows = 0;
  Json::Array out;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Json& tensor = inputs.at(i);
    TRY_ASSIGN(const std::size_t tensor_rows, rows_of_shape(tensor));
    std::vector<const Json*> values;
    flatten(tensor["data"], values);
    const std::string name = tensor["name"].as_string();
    if (values.size() != tensor_rows) {
      return base::fail(base::Code::kInvalidArgument,
                        "input `" + name + "` has " + std::to_string(values.size()) +
                            " values for a shape of " + std::to_string(tensor_rows));
    }
    if (i == 0) {
      rows = tensor_rows;
      out.assign(rows, Json::object());
    }
    if (tensor_rows != rows)
      return base::fail(base::Code::kInvalidArgument,
                        "input `" + name + "` has " + std::to_string(tensor_rows) +
                            " rows, the first input has " + std::to_string(rows));
    for (std::size_t row = 0; row < rows; ++row) out[row].set(name, *values[row]);
  }
  return Json(std::move(out));
}

Json tensor(const std::string& name, const std::string& datatype, std::size_t rows,
            std::size_t width, Json data) {
  Json shape = Json::array();
  shape.push(count(rows));
  shape.push(count(width));
  return Json::object(
      {{"name", name}, {"datatype", datatype}, {"shape", shape}, {"data", std::move(data)}});
}

Json output_tensors(const model::Signature& signature, const model::Predictions& predictions) {
  Json scores = Json::array(), labels = Json::array(), out = Json::array();
  for (const double score : predictions.scores) scores.push(score);
  out.push(tensor("scores", "FP64", predictions.rows, predictions.width, std::move(scores)));
  if (signature.task == model::Task::kRegression) return out;
  for (std::size_t row = 0; row < predictions.rows; ++row)
    labels.push(signature.classes[model::predicted_class(signature, predictions, row)]);
  out.push(tensor("prediction", "BYTES", predictions.rows, 1, std::move(labels)));
  return out;
}

base::Result<int> version_param(const Request& request) {
  const std::string text(request.param("version"));
  if (text.empty()) return 0;
  char* end = nullptr;
  const long version = std::strtol(text.c_str(), &end, 10);
  if (*end != '\0' || version < 1)
    return base::fail(base::Code::kInvalidArgument, "version is not a positive number: " + text);
  return static_cast<int>(version);
}

base::Result<serve::Answer> run_rows(const Services& s, const Request& request,
                                     const Context& context, std::string_view name, int version,
                                     const Json& rows, model::Predictions& out) {
  serve::CallOptions options;
  options.version = version;
  options.principal = context.principal.name;
  options.received_ns = request.received_ns;
  options.sticky_key = std::string(request.headers.get("X-Route-Key"));
  return s.server->predict(
      name, options,
      [&](const model::Signature& signature, model::InputBatch& batch) {
        return model::fill_from_rows(signature, rows, batch);
      },
      out);
}

base::Result<Response> infer(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const Json rows, rows_of_tensors(body));
  TRY_ASSIGN(const int version, version_param(request));
  model::Predictions predictions;
  TRY_ASSIGN(const auto chosen,
             run_rows(s, request, context, request.param("model"), version, rows, predictions));
  const std::string id = body["id"].as_string_or(chosen.id);
  Response response = Response::json(
      Json::object({{"model_name", std::string(request.param("model"))},
                    {"model_version", std::to_string(chosen.version)},
                    {"id", id},
                    {"outputs", output_tensors(chosen.bundle->signature(), predictions)}}));
  // The protocol's stock client compares the content type to the letter.
  response.headers.set("Content-Type", "application/json");
  return response;
}

base::Result<Response> model_metadata(const Services& s, const Request& request) {
  TRY_ASSIGN(const int version, version_param(request));
  serve::CallOptions options;
  options.version = version;
  TRY_ASSIGN(const auto chosen, s.server->choose(request.param("model"), options));
  const auto& signature = chosen.bundle->signature();
  const auto port = [](const std::string& name, const std::string& datatype, std::int64_t width) {
    Json shape = Json::array();
    shape.push(-1);
    shape.push(width);
    return Json::object({{"name", name}, {"datatype", datatype}, {"shape", shape}});
  };
  Json inputs = Json::array(), outputs = Json::array(), versions = Json::array();
  for (const auto& input : signature.inputs)
    inputs.push(port(input.name, datatype_of(input.kind), 1));
  const auto width = signature.task == model::Task::kMulticlass
                         ? static_cast<std::int64_t>(signature.classes.size())
                         : 1;
  outputs.push(port("scores", "FP64", width));
  if (signature.task != model::Task::kRegression) outputs.push(port("prediction", "BYTES", 1));
  versions.push(std::to_string(chosen.version));
  return answer(Json::object({{"name", std::string(request.param("model"))},
                              {"versions", versions},
                              {"platform", "maru"},
                              {"inputs", inputs},
                              {"outputs", outputs}}));
}

// The columns/data, records and instances forms as rows.
base::Result<Json> rows_of_scoring(const Json& body) {
  if (body.has("dataframe_records")) return body["dataframe_records"];
  if (body.has("instances")) return body["instances"];
  if (body.has("dataframe_split")) {
    const Json& split = body["dataframe_split"];
    Json rows = Json::array();
    for (const auto& cells : split["data"].items()) {
      if (cells.size() != split["columns"].size())
        return base::fail(base::Code::kInvalidArgument,
                          "dataframe_split: a row has " + std::to_string(cells.size()) +
                              " cells for " + std::to_string(split["columns"].size()) + " columns");
      Json row = Json::object();
      for (std::size_t i = 0; i < cells.size(); ++i)
        row.set(split["columns"].at(i).as_string(), cells.at(i));
      rows.push(std::move(row));
    }
    return rows;
  }
  if (body.has("inputs")) {
    if (body["inputs"].is_array()) return body["inputs"];
    Json::Array rows;
    for (const auto& [name, values] : body["inputs"].members()) {
      if (rows.empty()) rows.assign(values.size(), Json::object());
      if (values.size() != rows.size())
        return base::fail(base::Code::kInvalidArgument,
                          "inputs: column `" + name + "` has another length than the first");
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const Json& value = values.at(i);
        rows[i].set(name, value.is_array() && value.size() == 1 ? value.at(0) : value);
      }
    }
    return Json(std::move(rows));
  }
  return base::fail(base::Code::kInvalidArgument, "request names none of the scoring forms",
                    "send dataframe_split, dataframe_records, instances or inputs");
}

// `?endpoint=` names it; a server with one endpoint needs no name.
base::Result<std::string> scoring_endpoint(const Services& s, const Request& request) {
  const std::string named(request.query_param("endpoint"));
  if (!named.empty()) return named;
  const auto endpoints = s.server->list();
  if (endpoints.size() == 1) return endpoints.front().config.name;
  return base::fail(base::Code::kInvalidArgument,
                    "which endpoint is not said and there are " + std::to_string(endpoints.size()),
                    "call /invocations?endpoint=NAME");
}

base::Result<Response> invocations(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const std::string endpoint, scoring_endpoint(s, request));
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const Json rows, rows_of_scoring(body));
  model::Predictions predictions;
  TRY_ASSIGN(const auto chosen, run_rows(s, request, context, endpoint, 0, rows, predictions));
  Json out = Json::array();
  for (std::size_t row = 0; row < predictions.rows; ++row) {
    if (predictions.width == 1) {
      out.push(predictions.score(row));
      continue;
    }
    Json scores = Json::array();
    for (std::size_t k = 0; k < predictions.width; ++k) scores.push(predictions.score(row, k));
    out.push(std::move(scores));
  }
  return answer(Json::object({{"predictions", out}}));
}

http::RouteOptions oip(Permission permission, RunOn run_on) {
  http::RouteOptions options{permission, run_on};
  options.error_format = oip_error;
  return options;
}

}  // namespace

void add_inference_routes(Router& router, const Services& s) {
  const auto live = [](const Request&, Context&) -> base::Result<Response> {
    return answer(Json::object({{"live", true}}));
  };
  router.add(
      Method::kGet, "/v2", oip(Permission::kPublic, RunOn::kInline),
      [s](const Request&, Context&) -> base::Result<Response> {
        return answer(Json::object(
            {{"name", "maru"}, {"version", s.version["version"]}, {"extensions", Json::array()}}));
      });
  router.add(Method::kGet, "/v2/health/live", oip(Permission::kPublic, RunOn::kInline), live);
  router.add(Method::kGet, "/v2/health/ready", oip(Permission::kPublic, RunOn::kInline),
             [s](const Request&, Context&) -> base::Result<Response> {
               const bool ready = s.ready();
               return answer(Json::object({{"ready", ready}}), ready ? 200 : 503);
             });
  const auto ready = [s](const Request& request, Context&) -> base::Result<Response> {
    serve::CallOptions options;
    TRY_ASSIGN(options.version, version_param(request));
    const bool loaded = s.server->choose(request.param("model"), options).has_value();
    return answer(Json::object({{"name", std::string(request.param("model"))}, {"ready", loaded}}),
                  loaded ? 200 : 503);
  };
  for (const char* pattern : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    const std::string path(pattern);
    router.add(Method::kGet, path, oip(Permission::kRead, RunOn::kServe),
               [s](const Request& request, Context&) { return model_metadata(s, request); });
    router.add(Method::kGet, path + "/ready", oip(Permission::kRead, RunOn::kServe), ready);
    router.add(
        Method::kPost, path + "/infer", oip(Permission::kPredict, RunOn::kServe),
        [s](const Request& request, Context& context) { return infer(s, request, context); });
  }
  router.set_fallback_format("/v2/", oip_error);
  http::RouteOptions scoring{Permission::kPredict, RunOn::kServe};
  scoring.error_format = mlflow_error;
  router.add(Method::kPost, "/invocations", scoring, [s](const Request& request, Context& context) {
    return invocations(s, request, context);
  });
  router.add(
      Method::kGet, "/ping", {Permission::kPublic, RunOn::kInline},
      [](const Request&, Context&) -> base::Result<Response> { return Response::text("\n"); });
}

}  // namespace maru::api
