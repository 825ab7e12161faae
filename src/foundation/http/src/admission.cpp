#include "admission.h"

#include "maru/base/config.h"
#include "maru/base/id.h"
#include "maru/base/text.h"

namespace maru::http {
namespace {

constexpr std::int64_t kLongestTimeoutUs = 86'400'000'000;

bool plain_id(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}

base::Status read_timeout(Exchange& exchange) {
  const std::string_view text = base::trim(exchange.request.headers.get(kTimeoutHeader));
  if (text.empty()) return {};
  const bool seconds = text.find_first_not_of("0123456789.") == std::string_view::npos;
  const auto timeout_us =
      base::parse_duration_us(seconds ? std::string(text) + "s" : std::string(text));
  if (!timeout_us || *timeout_us <= 0 || *timeout_us > kLongestTimeoutUs)
    return base::fail(base::Code::kInvalidArgument,
                      std::string(kTimeoutHeader) + " is not a timeout up to a day: " +
                          base::replace_invalid_utf8(std::string(text.substr(0, 40))),
                      "250ms or 2s; a number alone is seconds");
  exchange.context.deadline_ns = exchange.request.received_ns + *timeout_us * 1000;
  return {};
}

}  // namespace

std::shared_ptr<Exchange> open_exchange(ServerCore& core, Method method, Headers&& headers,
                                        const std::string& peer, bool tls) {
  auto out = std::make_shared<Exchange>();
  ++core.requests;
  Request& request = out->request;
  request.method = method;
  request.headers = std::move(headers);
  request.peer = peer;
  request.tls = tls;
  request.received_ns = core.now_ns();
  out->head_only = method == Method::kHead;
  out->context.clock = core.options.clock;
  const std::string_view id = request.headers.get("X-Request-Id");
  out->context.trace_id = plain_id(id) ? std::string(id) : base::new_id(*core.options.clock);
  const std::string_view packing = request.headers.get("Accept-Encoding");
  request.trace = read_trace(request.headers, *core.options.clock);
  if (request.headers.get("X-Maru-Timing") == "1")
    request.times = std::make_shared<base::StageTimes>();
  out->gzip_wanted = !packing.empty() && accepts_gzip(packing);
  return out;
}

base::Status check_names(const ServerCore& core, const Request& request, std::string_view host) {
  if (!core.hosts.host_allowed(host))
    return base::fail(base::Code::kPermissionDenied,
                      "this server does not answer to the name " + std::string(host),
                      "add it to http.allowed-hosts");
  const std::string_view origin = request.headers.get("Origin");
  if (!core.hosts.origin_allowed(origin, host))
    return base::fail(base::Code::kPermissionDenied,
                      "requests of pages from another origin are refused: " + std::string(origin),
                      "add its host to http.allowed-hosts");
  return {};
}

base::Status check_caller(const ServerCore& core, const RouteOptions& options, Exchange& exchange) {
  TRY(read_timeout(exchange));
  exchange.context.principal = {"anonymous", base::Role::kNone};
  if (!core.authenticate) return check_permission(options, exchange.context);
  auto who = core.authenticate(exchange.request);
  if (who) {
    exchange.context.principal = std::move(*who);
    return check_permission(options, exchange.context);
  }
  if (options.permission == Permission::kPublic) return {};
  return tl::unexpected<base::Error>(std::move(who).error());
}

Response run_waited(Exchange& exchange) {
  if (exchange.ready) return std::move(*exchange.ready);
  if (const base::Status alive = exchange.context.alive(); !alive)
    return format_error(exchange.options, alive.error(), exchange.request, exchange.context);
  return run_handler(*exchange.options, *exchange.handler, exchange.request, exchange.context);
}

RunOn place_of(const RouteOptions& options, const Request& request) {
  const RunOn wanted = options.place ? options.place(request) : options.run_on;
  if (wanted != RunOn::kInline) return wanted;
  // A handler that waits for a body must not wait on the thread that brings it.
  if (options.stream_body) return RunOn::kBlocking;
  return request.body.size() <= options.inline_body_bytes ? RunOn::kInline : RunOn::kServe;
}

base::Pool& pool_of(const ServerCore& core, RunOn where) {
  switch (where) {
    case RunOn::kServe:
      return *core.options.serve_pool;
    case RunOn::kWaiting:
      return core.options.waiting_pool ? *core.options.waiting_pool : *core.options.blocking_pool;
    case RunOn::kWork:
      return *core.options.work_pool;
    default:
      return *core.options.blocking_pool;
  }
}

}  // namespace maru::http
