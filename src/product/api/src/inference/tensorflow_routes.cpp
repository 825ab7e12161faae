#include <algorithm>
#include <cmath>
#include <set>

#include "inference/explained.h"
#include "inference/rows.h"
#include "inference/tensor_json.h"
#include "inference/wire.h"
#include "maru/base/text.h"
#include "maru/model/open_inference.h"

// TF-Serving's REST API and KServe's protocol v1, which share their paths: /v1/models/NAME[/versions/N|/labels/L][:verb].
namespace maru::api::inference {
namespace {

using base::Code;
using model::Datatype;
using model::TensorSpec;
using model::TensorValue;

// Who is called: the last segment is "NAME:verb", or the name stands before /versions/3:verb or /labels/stable:verb.
struct Called {
  std::string name, selector, verb;
};

Called called(const Request& request) {
  Called out;
  std::string last(request.param("target"));
  const std::size_t colon = last.rfind(':');
  if (colon != std::string::npos) {
    out.verb = base::to_lower_ascii(last.substr(colon + 1));
    last.resize(colon);
  }
  out.name = std::string(request.param("model"));
  (out.name.empty() ? out.name : out.selector) = last;
  return out;
}

// JSON in which NaN and the infinities may stand bare, as TF-Serving reads and writes them.
base::Result<Json> tolerant_json(const Request& request) {
  if (request.body.find("NaN") == std::string::npos &&
      request.body.find("Infinity") == std::string::npos)
    return body_json(request);
  Request copy = request;
  copy.body = model::quote_number_tokens(request.body);
  return body_json(copy);
}

using Write = std::function<base::Result<Response>(const InferenceAnswer&)>;

// Runs rows or columns on whatever kind of model the name means.
class Call {
 public:
  Call(const Services& services, const Request& request, const Context& context, Called target)
      : services_(services), target_(std::move(target)), options_(call_options(request, context)) {}

  base::Status open() {
    TRY_ASSIGN(options_.version, resolve_version(services_, target_.name, target_.selector));
    TRY_ASSIGN(described_, describe(services_, target_.name, options_.version, true));
    return {};
  }
  const Described& described() const { return described_; }
  bool foreign() const { return described_.answer.bundle->tensors() != nullptr; }
  const model::Signature& signature() const { return described_.answer.bundle->signature(); }

  base::Result<Response> rows(const Json& rows, Write write_answer) {
    if (foreign()) {
      TRY_ASSIGN(auto tensors, tensors_of_rows(described_.inputs, rows));
      return run(std::move(tensors), std::move(write_answer));
    }
    TRY_ASSIGN(const Json plain, plain_rows(signature(), rows));
    model::Predictions predictions;
    InferenceAnswer out;
    const serve::WriteAnswer write = [&out](const serve::Answer& answer,
                                            const model::Predictions& numbers) {
      out.outputs = model::answer_tensors(answer.bundle->signature(), numbers);
    };
    serve::CallOptions options = options_;
    options.write = &write;
    TRY_ASSIGN(out.answer, services_.server->predict(
                               target_.name, options,
                               [&](const model::Signature& expected, model::InputBatch& batch) {
                                 return model::fill_from_rows(expected, plain, batch);
                               },
                               predictions));
    return write_answer(out);
  }

  base::Result<Explained> explain(const Json& rows) {
    TRY_ASSIGN(const Json plain,
               foreign() ? base::Result<Json>(rows) : plain_rows(signature(), rows));
    return explain_rows(services_, target_.name, options_,
                        [&](const model::Signature& expected, model::InputBatch& batch) {
                          return model::fill_from_rows(expected, plain, batch);
                        });
  }

  base::Result<Response> columns(const Json& inputs, Write write_answer) {
    if (!foreign() && inputs.is_object()) {
      TRY_ASSIGN(const Json by_row, rows_of_columns(inputs));
      return rows(by_row, std::move(write_answer));
    }
    if (!foreign()) return rows(inputs, std::move(write_answer));
    TRY_ASSIGN(auto tensors, tensors_of_columns(described_.inputs, inputs));
    return run(std::move(tensors), std::move(write_answer));
  }

 private:
  base::Result<Response> run(std::vector<TensorValue> tensors, Write write_answer) {
    model::InferRequest call;
    call.inputs = std::move(tensors);
    return infer_response(
        services_, target_.name, options_, std::move(call),
        [write = std::move(write_answer)](const model::InferRequest&, const InferenceAnswer& done) {
          return write(done);
        });
  }

  const Services& services_;
  const Called target_;
  serve::CallOptions options_;
  Described described_;
};

Response answered(std::string body, const serve::Answer& answer) {
  Response response = json_exactly(std::move(body));
  mark_answer(response, answer);
  return response;
}

std::string outputs_by_column(const std::vector<TensorValue>& outputs) {
  std::string body = R"({"outputs":)";
  if (outputs.size() == 1) {
    append_nested(body, outputs.front());
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

base::Status check_signature_name(const Json& body) {
  const Json& name = body["signature_name"];
  if (name.is_null() || name.as_string().empty() || name.as_string() == "serving_default")
    return {};
  return base::fail(Code::kInvalidArgument,
                    "Serving signature key \"" + name.as_string() + "\" not found.",
                    "models have one signature: serving_default");
}

base::Result<Response> predict(Call& call, const Json& body) {
  if (body.has("instances") == body.has("inputs"))
    return base::fail(Code::kInvalidArgument,
                      "JSON request must have exactly one of `instances` (rows) and `inputs` "
                      "(columns)");
  if (body.has("instances")) {
    return call.rows(body["instances"], [](const InferenceAnswer& done) -> base::Result<Response> {
      std::string text = R"({"predictions":)";
      TRY(append_rows(text, done.outputs));
      return answered(text + "}", done.answer);
    });
  }
  return call.columns(body["inputs"], [](const InferenceAnswer& done) -> base::Result<Response> {
    return answered(outputs_by_column(done.outputs), done.answer);
  });
}

// `examples` with the features of `context` added to each.
base::Result<Json> example_rows(const Json& body) {
  const Json& examples = body["examples"];
  if (!examples.is_array() || examples.size() == 0)
    return base::fail(Code::kInvalidArgument, "JSON request must have a list of `examples`");
  Json rows = Json::array();
  for (const Json& example : examples.items()) {
    Json row = body["context"].is_object() ? body["context"] : Json::object();
    for (const auto& [name, value] : example.members())
      row.set(name, value.is_array() && value.size() == 1 ? value.at(0) : value);
    rows.push(std::move(row));
  }
  return rows;
}

// Labels with their scores, one list a row.
std::string classes_json(const model::Signature& signature, const TensorValue& scores) {
  const std::size_t rows =
      scores.shape.empty() ? 1 : static_cast<std::size_t>(scores.shape.front());
  const std::size_t width = rows == 0 ? 0 : scores.elements() / rows;
  const bool binary = signature.classes.size() == 2 && width == 1;
  std::string body = R"({"results":[)";
  for (std::size_t row = 0; row < rows; ++row) {
    body += row == 0 ? "[" : ",[";
    const std::size_t labels = binary ? 2 : width;
    for (std::size_t k = 0; k < labels; ++k) {
      const double score = model::element_as_double(scores, binary ? row : row * width + k);
      body += k == 0 ? "[" : ",[";
      base::append_json_string(
          body, k < signature.classes.size() ? signature.classes[k] : std::to_string(k));
      body += ',';
      base::append_json_number(body, binary && k == 0 ? 1 - score : score);
      body += ']';
    }
    body += ']';
  }
  return body + "]}";
}

const TensorValue* first_numbers(const std::vector<TensorValue>& outputs, std::size_t least_rank) {
  for (const TensorValue& output : outputs)
    if (output.type != Datatype::kBytes && output.shape.size() >= least_rank) return &output;
  return nullptr;
}

base::Result<Response> classify(Call& call, const Json& body) {
  TRY_ASSIGN(const Json rows, example_rows(body));
  if (!call.foreign() && call.signature().task == model::Task::kRegression)
    return base::fail(Code::kInvalidArgument, "the model has no classes", "call :regress");
  return call.rows(rows, [](const InferenceAnswer& done) -> base::Result<Response> {
    const TensorValue* scores = first_numbers(done.outputs, 2);
    if (scores == nullptr)
      return base::fail(Code::kInvalidArgument, "the model gives no scores by class");
    return answered(classes_json(done.answer.bundle->signature(), *scores), done.answer);
  });
}

base::Result<Response> regress(Call& call, const Json& body) {
  TRY_ASSIGN(const Json rows, example_rows(body));
  if (!call.foreign() && call.signature().task != model::Task::kRegression)
    return base::fail(Code::kInvalidArgument, "the model answers with classes", "call :classify");
  return call.rows(rows,
                   [expected = rows.size()](const InferenceAnswer& done) -> base::Result<Response> {
                     const TensorValue* values = first_numbers(done.outputs, 0);
                     if (values == nullptr || values->elements() != expected)
                       return base::fail(Code::kInvalidArgument,
                                         "the model gives no single number for each row");
                     std::string text = R"({"results":[)";
                     model::append_json_elements(text, *values, true);
                     return answered(text + "]}", done.answer);
                   });
}

// KServe's verb: predictions, and what each column added to them.
base::Result<Response> explain(Call& call, const Json& body) {
  if (!body["instances"].is_array())
    return base::fail(Code::kInvalidArgument, "JSON request must have `instances` (rows)");
  TRY_ASSIGN(const Explained explained, call.explain(body["instances"]));
  std::string text = R"({"predictions":)";
  TRY(append_rows(
      text, model::answer_tensors(explained.answer.bundle->signature(), explained.predictions)));
  text += R"(,"explanations":)" + explanations_json(explained).dump() + "}";
  return answered(std::move(text), explained.answer);
}

base::Result<Response> run_verb(const Services& s, const Request& request, const Context& context) {
  const Called target = called(request);
  static const std::set<std::string> kVerbs = {"predict", "classify", "regress", "explain"};
  if (kVerbs.count(target.verb) == 0)
    return base::fail(Code::kNotFound, "Malformed request: POST " + request.path + ": unknown verb",
                      "predict, classify, regress or explain");
  TRY_ASSIGN(const Json body, tolerant_json(request));
  TRY(check_signature_name(body));
  Call call(s, request, context, target);
  TRY(call.open());
  if (target.verb == "predict") return predict(call, body);
  if (target.verb == "explain") return explain(call, body);
  return target.verb == "classify" ? classify(call, body) : regress(call, body);
}

Json version_status(int version, bool ready, const std::string& message) {
  return Json::object({{"version", std::to_string(version)},
                       {"state", ready ? "AVAILABLE" : "START"},
                       {"status", Json::object({{"error_code", ready ? "OK" : "UNAVAILABLE"},
                                                {"error_message", message}})}});
}

// The union of TF-Serving's status and KServe's: each client reads its own keys.
base::Result<Response> model_status(const Services& s, const Request& request) {
  const Called target = called(request);
  TRY_ASSIGN(const int version, resolve_version(s, target.name, target.selector));
  serve::CallOptions options;
  options.version = version;
  auto chosen = s.server->choose(target.name, options);
  if (!chosen && chosen.error().code == Code::kNotFound)
    return tl::unexpected<base::Error>(unknown_model(std::move(chosen.error()), target.name));
  const bool ready = chosen.has_value();
  Json statuses = Json::array({version_status(ready ? chosen->version : version, ready,
                                              ready ? "" : chosen.error().message)});
  return json_exactly(
      Json::object(
          {{"name", target.name}, {"ready", ready}, {"model_version_status", std::move(statuses)}})
          .dump(),
      ready ? 200 : 503);
}

const char* tensorflow_type(Datatype type) {
  static constexpr const char* kTypes[] = {
      "DT_BOOL",  "DT_UINT8", "DT_UINT16", "DT_UINT32",   "DT_UINT64", "DT_INT8",   "DT_INT16",
      "DT_INT32", "DT_INT64", "DT_HALF",   "DT_BFLOAT16", "DT_FLOAT",  "DT_DOUBLE", "DT_STRING"};
  return kTypes[static_cast<std::size_t>(type)];
}

Json signature_json(const std::vector<TensorSpec>& specs) {
  Json out = Json::object();
  for (const TensorSpec& spec : specs) {
    Json dims = Json::array();
    for (const std::int64_t extent : spec.shape)
      dims.push(Json::object({{"size", std::to_string(extent)}, {"name", ""}}));
    out.set(spec.name, Json::object({{"dtype", tensorflow_type(spec.type)},
                                     {"tensor_shape", Json::object({{"dim", std::move(dims)},
                                                                    {"unknown_rank", false}})},
                                     {"name", spec.name}}));
  }
  return out;
}

base::Result<Response> metadata(const Services& s, const Request& request) {
  const std::string name(request.param("model"));
  TRY_ASSIGN(const int version, resolve_version(s, name, std::string(request.param("selector"))));
  TRY_ASSIGN(const Described described, describe(s, name, version));
  const Json definition = Json::object({{"inputs", signature_json(described.inputs)},
                                        {"outputs", signature_json(described.outputs)},
                                        {"method_name", "tensorflow/serving/predict"}});
  return json_exactly(
      Json::object(
          {{"model_spec", Json::object({{"name", name},
                                        {"signature_name", ""},
                                        {"version", std::to_string(described.answer.version)}})},
           {"metadata",
            Json::object({{"signature_def",
                           Json::object({{"signature_def",
                                          Json::object({{"serving_default", definition}})}})}})}})
          .dump());
}

// KServe's list, and the one that OpenAI's clients read, in one object.
base::Result<Response> model_names(const Services& s) {
  Json names = Json::array(), data = Json::array();
  for (const auto& status : s.server->list()) {
    names.push(status.config.name);
    data.push(
        Json::object({{"id", status.config.name}, {"object", "model"}, {"owned_by", "maru"}}));
  }
  return json_exactly(
      Json::object({{"models", std::move(names)}, {"object", "list"}, {"data", std::move(data)}})
          .dump());
}

}  // namespace

void add_tensorflow_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/v1/models", plain(Permission::kRead, RunOn::kServe),
             [s](const Request&, Context&) { return model_names(s); });
  for (const char* path : {"/v1/models/{target}", "/v1/models/{model}/versions/{target}",
                           "/v1/models/{model}/labels/{target}"}) {
    router.add(
        Method::kPost, path, plain(Permission::kPredict, RunOn::kServe),
        [s](const Request& request, Context& context) { return run_verb(s, request, context); });
    router.add(Method::kGet, path, plain(Permission::kRead, RunOn::kServe),
               [s](const Request& request, Context&) { return model_status(s, request); });
  }
  for (const char* path :
       {"/v1/models/{model}/metadata", "/v1/models/{model}/versions/{selector}/metadata",
        "/v1/models/{model}/labels/{selector}/metadata"})
    router.add(Method::kGet, path, plain(Permission::kRead, RunOn::kServe),
               [s](const Request& request, Context&) { return metadata(s, request); });
  router.set_fallback_format("/v1/models", plain_error);
}

}  // namespace maru::api::inference
