#include "maru/api/inference.h"

#include "inference/explained.h"
#include "inference/wire.h"
#include "maru/http/trace.h"

namespace maru::api {
namespace {

constexpr std::int64_t kMostSchedule = 86'400'000'000;  // microseconds of a day
constexpr const char* kPriorityHeader = "X-Request-Priority";

}  // namespace

serve::CallOptions call_options(const Request& request, const Context& context) {
  serve::CallOptions out;
  out.principal = context.principal.name;
  out.received_ns = request.received_ns;
  out.request = &request.headers;
  if (request.trace) out.trace_id = request.trace->trace_id;
  out.times = request.times.get();
  out.deadline_ns = context.deadline_ns;
  out.cancel = &context.cancel;
  const std::string_view priority = request.headers.get(kPriorityHeader);
  if (priority.size() == 1 && priority >= "1" && priority <= "9") out.priority = priority[0] - '0';
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

http::RunOn place_of_reading(const Services& s, std::string_view name, std::string_view version) {
  const auto number = inference::parse_version(version);
  return number && s.server->pace(name, *number) != serve::Pace::kLoads ? RunOn::kInline
                                                                        : RunOn::kServe;
}

namespace {

// The protocol's extension "schedule_policy".
base::Status read_schedule(const model::InferRequest& call, serve::CallOptions& options) {
  for (const char* name : {"timeout", "priority"}) {
    const Json& value = call.parameters[name];
    if (value.is_null()) continue;
    if (!value.is_int() || value.as_int() < 0 || value.as_int() > kMostSchedule)
      return base::fail(base::Code::kInvalidArgument,
                        std::string("parameter `") + name +
                            "` is not a whole number from 0 up: " + value.dump().substr(0, 40));
  }
  if (call.parameters.has("priority"))
    options.priority =
        static_cast<int>(std::min<std::int64_t>(call.parameters["priority"].as_int(), 9));
  const std::int64_t timeout_us = call.parameters["timeout"].as_int();
  if (timeout_us == 0) return {};
  const std::int64_t deadline_ns = options.received_ns + timeout_us * 1000;
  if (options.deadline_ns == 0 || deadline_ns < options.deadline_ns)
    options.deadline_ns = deadline_ns;
  return {};
}

// What MLflow calls params, of the model's own predict().
const Json* params_of(const model::InferRequest& call) {
  const Json& params = call.parameters["params"];
  return params.is_object() ? &params : nullptr;
}

std::vector<std::string> wanted_outputs(const model::InferRequest& call) {
  std::vector<std::string> out;
  for (const auto& output : call.outputs) out.push_back(output.name);
  return out;
}

base::Result<InferenceAnswer> finish(const std::string& name, const model::InferRequest& call,
                                     base::Result<serve::Answer> answer,
                                     std::vector<model::TensorValue>&& outputs) {
  if (!answer)
    return tl::unexpected<base::Error>(inference::unknown_model(std::move(answer.error()), name));
  InferenceAnswer out{std::move(*answer), std::move(outputs)};
  for (std::size_t i = 0; i < call.outputs.size(); ++i) {
    if (call.outputs[i].classes <= 0) continue;
    TRY_ASSIGN(out.outputs[i], model::classification(out.outputs[i], call.outputs[i].classes,
                                                     out.answer.bundle->signature().classes));
  }
  return out;
}

}  // namespace

base::Result<InferenceAnswer> infer(const Services& s, const std::string& name,
                                    serve::CallOptions options, model::InferRequest& call) {
  TRY(read_schedule(call, options));
  options.params = params_of(call);
  std::vector<model::TensorValue> outputs;
  auto answer =
      call.parameters["explain"].as_bool()
          ? inference::explain_tensors(s, name, options, call, outputs)
          : s.server->infer(name, options, std::move(call.inputs), wanted_outputs(call), outputs);
  return finish(name, call, std::move(answer), std::move(outputs));
}

base::Result<Response> infer_response(const Services& s, const std::string& name,
                                      serve::CallOptions options, model::InferRequest call,
                                      WriteInference write) {
  if (call.parameters["explain"].as_bool() ||
      s.server->pace(name, options.version) == serve::Pace::kAtOnce) {
    TRY_ASSIGN(const InferenceAnswer done, infer(s, name, std::move(options), call));
    return write(call, done);
  }
  TRY(read_schedule(call, options));
  struct Waiting {
    std::string name;
    serve::CallOptions options;
    model::InferRequest call;
    WriteInference write;
    std::function<void(base::Result<Response>)> answer;
  };
  auto kept = std::make_shared<Waiting>(
      Waiting{name, std::move(options), std::move(call), std::move(write), {}});
  kept->options.params = params_of(kept->call);
  Response out;
  out.later = [server = s.server, kept](std::function<void(base::Result<Response>)> answer) {
    kept->answer = std::move(answer);
    server->infer_later(
        kept->name, kept->options, std::move(kept->call.inputs), wanted_outputs(kept->call),
        [kept](base::Result<serve::Answer> told, std::vector<model::TensorValue>&& outputs) {
          const auto done = finish(kept->name, kept->call, std::move(told), std::move(outputs));
          const auto respond = std::move(kept->answer);
          respond(done ? kept->write(kept->call, *done)
                       : tl::unexpected<base::Error>(done.error()));
        });
  };
  return out;
}

}  // namespace maru::api
