#include "maru/api/inference.h"

#include "inference/explained.h"
#include "inference/wire.h"
#include "maru/http/trace.h"

namespace maru::api {

serve::CallOptions call_options(const Request& request, const Context& context) {
  serve::CallOptions out;
  out.principal = context.principal.name;
  out.received_ns = request.received_ns;
  out.request = &request.headers;
  if (request.trace) out.trace_id = request.trace->trace_id;
  out.times = request.times.get();
  out.header = [](const void* headers, std::string_view name) {
    return static_cast<const http::Headers*>(headers)->get(name);
  };
  return out;
}

base::Result<int> resolve_version(const Services& services, const std::string& name,
                                  const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789") == std::string::npos)
    return inference::parse_version(text);
  const auto status = services.server->status(name);
  const std::string model = status ? status->config.model : name;
  return services.tracking->registry().resolve("default", model, text);
}

http::RunOn place_of_call(const Services& s, std::string_view name, std::string_view version) {
  const auto number = inference::parse_version(version);
  if (!number) return RunOn::kServe;
  switch (s.server->pace(name, *number)) {
    case serve::Pace::kAtOnce:
      return RunOn::kInline;
    case serve::Pace::kWaits:
      return RunOn::kWaiting;
    default:
      return RunOn::kServe;
  }
}

base::Result<InferenceAnswer> infer(const Services& s, const std::string& name,
                                    const serve::CallOptions& options,
                                    const model::InferRequest& call) {
  InferenceAnswer out;
  std::vector<std::string> names;
  for (const auto& output : call.outputs) names.push_back(output.name);
  auto answer = call.parameters["explain"].as_bool()
                    ? inference::explain_tensors(s, name, options, call, out.outputs)
                    : s.server->infer(name, options, call.inputs, names, out.outputs);
  if (!answer)
    return tl::unexpected<base::Error>(inference::unknown_model(std::move(answer.error()), name));
  out.answer = std::move(*answer);
  for (std::size_t i = 0; i < call.outputs.size(); ++i) {
    if (call.outputs[i].classes <= 0) continue;
    TRY_ASSIGN(out.outputs[i], model::classification(out.outputs[i], call.outputs[i].classes,
                                                     out.answer.bundle->signature().classes));
  }
  return out;
}

}  // namespace maru::api
