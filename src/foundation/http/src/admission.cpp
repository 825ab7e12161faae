#include "admission.h"

#include "maru/base/id.h"

namespace maru::http {
namespace {

bool plain_id(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
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
  exchange.context.principal = {"anonymous", base::Role::kNone};
  request.trace = read_trace(request.headers, *core.options.clock);
  if (request.headers.get("X-Maru-Timing") == "1") request.times = std::make_shared<CallTimes>();
  if (!core.authenticate) return check_permission(options, exchange.context);
  auto who = core.authenticate(exchange.request);
  if (who) {
    exchange.context.principal = std::move(*who);
    return check_permission(options, exchange.context);
  }
  if (options.permission == Permission::kPublic) return {};
  return tl::unexpected<base::Error>(std::move(who).error());
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
