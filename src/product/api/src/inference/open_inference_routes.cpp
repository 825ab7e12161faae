#include <algorithm>
#include <charconv>

#include "inference/wire.h"
#include "maru/api/inference.h"
#include "maru/base/text.h"

// The Open Inference Protocol, version 2, with the binary tensor data and classification extensions.
namespace maru::api::inference {
namespace {

using base::Code;
using model::Datatype;
using model::InferRequest;
using model::TensorSpec;
using model::TensorValue;

constexpr const char* kJsonLength = "Inference-Header-Content-Length";
constexpr const char* kExtensions[] = {"binary_tensor_data",  "classification",
                                       "model_configuration", "model_repository",
                                       "parameters",          "statistics"};

// The bytes of JSON that the body begins with: all of it without the header.
base::Result<std::size_t> json_length(const Request& request) {
  const std::string_view text = base::trim(request.headers.get(kJsonLength));
  if (!request.headers.has(kJsonLength)) return request.body.size();
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length > request.body.size())
    return base::fail(Code::kInvalidArgument,
                      std::string(kJsonLength) + " must be a number from 0 to the body's " +
                          std::to_string(request.body.size()) +
                          " bytes: " + base::replace_invalid_utf8(std::string(text.substr(0, 40))));
  return length;
}

// A body that is one tensor and nothing else.
base::Result<InferRequest> raw_request(const Services& s, std::string_view name, int version,
                                       const std::string& body) {
  TRY_ASSIGN(const Described described, describe(s, name, version));
  if (described.inputs.size() != 1)
    return base::fail(Code::kInvalidArgument,
                      "a raw body fits a model with one input; this one has " +
                          std::to_string(described.inputs.size()));
  const TensorSpec& spec = described.inputs.front();
  InferRequest out;
  out.binary_outputs = true;
  TensorValue& tensor = out.inputs.emplace_back();
  tensor.name = spec.name;
  tensor.type = spec.type;
  if (spec.type == Datatype::kBytes) {
    tensor.shape.assign(std::max<std::size_t>(1, spec.shape.size()), 1);
    tensor.texts.push_back(body);
    return out;
  }
  std::int64_t fixed = 1, open = 0;
  for (const std::int64_t extent : spec.shape) {
    open += extent < 0 ? 1 : 0;
    fixed *= std::max<std::int64_t>(1, extent);
  }
  const std::size_t unit = model::datatype_size(spec.type) * static_cast<std::size_t>(fixed);
  if (open > 1)
    return base::fail(Code::kInvalidArgument,
                      "a raw body fits a model with one variable dimension at most");
  if (unit == 0 || body.size() % unit != 0 || (open == 0 && body.size() != unit))
    return base::fail(Code::kInvalidArgument, "a raw body of " + std::to_string(body.size()) +
                                                  " bytes does not fit input `" + spec.name + "`");
  for (const std::int64_t extent : spec.shape)
    tensor.shape.push_back(extent < 0 ? static_cast<std::int64_t>(body.size() / unit) : extent);
  tensor.bytes = body;
  return out;
}

void append_tensor(std::string& json, std::string& binary, const TensorValue& tensor,
                   bool as_binary, bool nan_tokens) {
  json += R"({"name":)";
  base::append_json_string(json, tensor.name);
  json += R"(,"datatype":")";
  json += model::datatype_name(tensor.type);
  json += R"(","shape":[)";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i > 0) json += ',';
    json += std::to_string(tensor.shape[i]);
  }
  json += ']';
  if (as_binary) {
    const std::size_t before = binary.size();
    model::append_binary_elements(binary, tensor);
    json += R"(,"parameters":{"binary_data_size":)" + std::to_string(binary.size() - before) + "}";
  } else {
    json += R"(,"data":[)";
    model::append_json_elements(json, tensor, nan_tokens);
    json += ']';
  }
  json += '}';
}

Response write_answer(const std::string& name, const InferRequest& call,
                      const InferenceAnswer& done) {
  const auto& [answer, outputs] = done;
  const bool nan_tokens = call.parameters["nan_tokens"].as_bool();
  std::string json = R"({"model_name":)", binary;
  base::append_json_string(json, name);
  json += R"(,"model_version":")" + std::to_string(answer.version) + R"(","id":)";
  base::append_json_string(json, call.id.empty() ? answer.id : call.id);
  json += R"(,"outputs":[)";
  bool any = false;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (i > 0) json += ',';
    const bool as_binary = i < call.outputs.size()
                               ? call.outputs[i].binary.value_or(call.binary_outputs)
                               : call.binary_outputs;
    any = any || as_binary;
    append_tensor(json, binary, outputs[i], as_binary, nan_tokens);
  }
  json += "]}";
  const std::size_t length = json.size();
  Response response = json_exactly(any ? json + binary : std::move(json));
  if (any) {
    response.headers.set("Content-Type", "application/octet-stream");
    response.headers.set(kJsonLength, std::to_string(length));
  }
  mark_answer(response, answer);
  return response;
}

base::Result<Response> infer_route(const Services& s, const Request& request, Context& context) {
  const std::string name(request.param("model"));
  serve::CallOptions options = call_options(request, context);
  TRY_ASSIGN(options.version, resolve_version(s, name, std::string(request.param("version"))));
  TRY_ASSIGN(const std::size_t length, json_length(request));
  InferRequest call;
  if (length == 0 && request.headers.has(kJsonLength)) {
    TRY_ASSIGN(call, raw_request(s, name, options.version, request.body));
  } else {
    TRY(model::parse_infer_request(request.body, length, call));
  }
  return infer_response(s, name, std::move(options), std::move(call),
                        [name](const InferRequest& asked, const InferenceAnswer& done) {
                          return base::Result<Response>(write_answer(name, asked, done));
                        });
}

base::Result<Response> model_metadata(const Services& s, const Request& request) {
  const std::string name(request.param("model"));
  TRY_ASSIGN(const int version, resolve_version(s, name, std::string(request.param("version"))));
  TRY_ASSIGN(const Described described, describe(s, name, version));
  Json versions = Json::array();
  versions.push(std::to_string(described.answer.version));
  return json_exactly(Json::object({{"name", name},
                                    {"versions", versions},
                                    {"platform", platform_of(*described.answer.bundle)},
                                    {"inputs", model::specs_json(described.inputs)},
                                    {"outputs", model::specs_json(described.outputs)}})
                          .dump());
}

base::Result<Response> model_ready(const Services& s, const Request& request) {
  const std::string name(request.param("model"));
  serve::CallOptions options;
  TRY_ASSIGN(options.version, resolve_version(s, name, std::string(request.param("version"))));
  auto chosen = s.server->choose(name, options);
  if (!chosen && chosen.error().code == Code::kNotFound)
    return tl::unexpected<base::Error>(unknown_model(std::move(chosen.error()), name));
  return json_exactly(Json::object({{"name", name}, {"ready", chosen.has_value()}}).dump(),
                      chosen ? 200 : 503);
}

Json server_metadata(const Services& s) {
  Json extensions = Json::array();
  for (const char* extension : kExtensions) extensions.push(extension);
  return Json::object(
      {{"name", "maru"}, {"version", s.version["version"]}, {"extensions", std::move(extensions)}});
}

base::Result<Response> model_names(const Services& s) {
  TRY_ASSIGN(const auto models, s.tracking->registry().list_models("default"));
  std::vector<std::string> names;
  for (const auto& status : s.server->list()) names.push_back(status.config.name);
  for (const auto& registered : models)
    if (std::find(names.begin(), names.end(), registered.name) == names.end())
      names.push_back(registered.name);
  return json_exactly(Json::object({{"models", text_array(names)}}).dump());
}

}  // namespace

void add_open_inference_routes(Router& router, const Services& s) {
  for (const char* path : {"/v2", "/v2/"})
    router.add(Method::kGet, path, plain(Permission::kPublic, RunOn::kInline),
               [s](const Request&, Context&) -> base::Result<Response> {
                 return json_exactly(server_metadata(s).dump());
               });
  // The specification names the key "live" for both; KServe's client reads "ready".
  router.add(Method::kGet, "/v2/health/live", plain(Permission::kPublic, RunOn::kInline),
             [](const Request&, Context&) -> base::Result<Response> {
               return json_exactly(R"({"live":true})");
             });
  router.add(Method::kGet, "/v2/health/ready", plain(Permission::kPublic, RunOn::kInline),
             [s](const Request&, Context&) -> base::Result<Response> {
               const bool ready = s.ready();
               return json_exactly(Json::object({{"live", true}, {"ready", ready}}).dump(),
                                   ready ? 200 : 503);
             });
  router.add(Method::kGet, "/v2/models", plain(Permission::kRead, RunOn::kBlocking),
             [s](const Request&, Context&) { return model_names(s); });
  for (const char* pattern : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    const std::string path(pattern);
    router.add(Method::kGet, path, plain(Permission::kRead, RunOn::kServe),
               [s](const Request& request, Context&) { return model_metadata(s, request); });
    router.add(Method::kGet, path + "/ready", plain(Permission::kRead, RunOn::kServe),
               [s](const Request& request, Context&) { return model_ready(s, request); });
    http::RouteOptions quick = plain(Permission::kPredict, RunOn::kInline);
    quick.place = [s](const Request& request) {
      return may_explain(request.body)
                 ? RunOn::kServe
                 : place_of_reading(s, request.param("model"), request.param("version"));
    };
    router.add(
        Method::kPost, path + "/infer", quick,
        [s](const Request& request, Context& context) { return infer_route(s, request, context); });
  }
  router.set_fallback_format("/v2/", plain_error);
}

}  // namespace maru::api::inference
