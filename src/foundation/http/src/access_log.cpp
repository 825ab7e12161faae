#include "access_log.h"

#include "maru/base/json.h"
#include "maru/base/line_log.h"

namespace maru::http {
namespace {

constexpr std::size_t kMaxPath = 512, kMaxAgent = 200;

void text_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  base::append_json_string(out, value);
}

void number_field(std::string& out, std::string_view name, std::int64_t value) {
  out.append(",\"").append(name).append("\":").append(std::to_string(value));
}

}  // namespace

void log_access(const ServerCore& core, const AccessLine& line) {
  base::LineLog* log = core.options.access_log;
  if (log == nullptr) return;
  const Exchange& exchange = line.exchange;
  const Request& request = exchange.request;
  std::string out = "{\"time\":\"" + base::format_time_us(core.options.clock->now_us()) + "\"";
  text_field(out, "method", method_name(request.method));
  text_field(out, "path", std::string_view(request.path).substr(0, kMaxPath));
  text_field(out, "protocol", line.protocol);
  number_field(out, "status", line.status);
  if (!request.body_stream)
    number_field(out, "bytes_in", static_cast<std::int64_t>(request.body.size()));
  if (line.bytes >= 0) number_field(out, "bytes_out", line.bytes);
  number_field(out, "duration_us", (core.now_ns() - request.received_ns) / 1000);
  text_field(out, "principal", exchange.context.principal.name);
  text_field(out, "peer", request.peer);
  text_field(out, "request_id", exchange.context.trace_id);
  if (request.trace) {
    text_field(out, "trace_id", request.trace->trace_id);
    text_field(out, "span_id", request.trace->span_id);
    text_field(out, "parent_id", request.trace->parent_id);
  }
  if (const std::string_view agent = request.headers.get("User-Agent"); !agent.empty())
    text_field(out, "user_agent", agent.substr(0, kMaxAgent));
  if (line.cut) out += ",\"cut_off\":true";
  out += '}';
  log->write(out);
}

}  // namespace maru::http
