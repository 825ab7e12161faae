#include "inference/wire.h"

#include <charconv>

namespace maru::api::inference {

Response json_exactly(std::string text, int status) {
  Response response = Response::json_text(std::move(text), status);
  response.headers.set("Content-Type", "application/json");
  return response;
}

Response plain_error(const base::Error& error, const Request&, const Context&) {
  const std::string text =
      error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
  return json_exactly(Json::object({{"error", text}}).dump(), base::http_status(error.code));
}

http::RouteOptions plain(Permission permission, RunOn run_on) {
  http::RouteOptions options{permission, run_on};
  options.error_format = plain_error;
  return options;
}

base::Result<int> parse_version(std::string_view text) {
  if (text.empty()) return 0;
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < 1)
    return base::fail(base::Code::kInvalidArgument,
                      "version is not a number from 1 up: " + std::string(text.substr(0, 100)));
  return version;
}

void mark_answer(Response& response, const serve::Answer& answer) {
  response.headers.set("X-Prediction-Id", answer.id);
  if (answer.version == serve::kFallbackVersion) response.headers.set("X-Maru-Fallback", "true");
}

base::Result<Described> describe(const Services& services, std::string_view name, int version,
                                 bool fallback) {
  serve::CallOptions options;
  options.fallback = fallback;
  options.version = version;
  Described out;
  auto chosen = services.server->choose(name, options);
  if (!chosen) return tl::unexpected<base::Error>(unknown_model(std::move(chosen.error()), name));
  out.answer = std::move(*chosen);
  const model::Bundle& bundle = *out.answer.bundle;
  const model::TensorModel* tensors = bundle.tensors();
  out.inputs = tensors != nullptr ? tensors->inputs() : model::input_tensors(bundle.signature());
  out.outputs = tensors != nullptr ? tensors->outputs() : model::output_tensors(bundle.signature());
  return out;
}

std::string_view platform_of(const model::Bundle& bundle) {
  if (bundle.tensors() == nullptr) return "maru";
  return bundle.tensors()->waits() ? "python" : "onnxruntime_onnx";
}

base::Error unknown_model(base::Error error, std::string_view name) {
  if (error.code == base::Code::kNotFound)
    error.message =
        "Request for unknown model: '" + std::string(name) + "' is not found: " + error.message;
  return error;
}

}  // namespace maru::api::inference
