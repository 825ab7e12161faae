#include "maru/http/router.h"

#include <array>
#include <future>
#include <map>
#include <optional>

#include "maru/base/check.h"
#include "maru/base/log.h"
#include "maru/http/trace.h"
#include "run_handler.h"

namespace maru::http {
namespace {

constexpr std::size_t kMethods = 7;

struct Route {
  RouteOptions options;
  Handler handler;
};

struct Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> param;  // the next segment, whatever it is
  std::unique_ptr<Node> rest;   // all that is left
  // Names of the parameters differ by method ("{id}" and "{name}" may share a place).
  std::array<std::optional<Route>, kMethods> routes;
  std::array<std::vector<std::string>, kMethods> names;

  bool any() const {
    for (const auto& route : routes) {
      if (route) return true;
    }
    return false;
  }
};

// "a/b/c" -> "a", rest "b/c".
std::string_view take_segment(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return segment;
}

std::size_t slot(Method method) { return static_cast<std::size_t>(method); }

// HEAD is GET without the body, unless a route of its own exists.
const std::optional<Route>* route_for(const Node& node, Method method, std::size_t& index) {
  index = slot(method);
  if (node.routes[index]) return &node.routes[index];
  if (method == Method::kHead && node.routes[slot(Method::kGet)]) {
    index = slot(Method::kGet);
    return &node.routes[index];
  }
  return nullptr;
}

struct Walk {
  Method method;
  std::vector<std::string_view> values;
  const Node* found = nullptr;
  const Node* other_method = nullptr;

  bool accept(const Node& node) {
    std::size_t index = 0;
    if (route_for(node, method, index) != nullptr) {
      found = &node;
      return true;
    }
    if (other_method == nullptr && node.any()) other_method = &node;
    return false;
  }

  bool go(const Node& node, std::string_view left, bool more) {
    if (!more && accept(node)) return true;
    if (more) {
      std::string_view after = left;
      const bool deeper = left.find('/') != std::string_view::npos;
      const std::string_view segment = take_segment(after);
      const auto literal = node.literals.find(segment);
      if (literal != node.literals.end() && go(*literal->second, after, deeper)) return true;
      if (node.param && !segment.empty()) {
        values.push_back(segment);
        if (go(*node.param, after, deeper)) return true;
        values.pop_back();
      }
    }
    if (node.rest && more) {
      values.push_back(left);
      if (accept(*node.rest)) return true;
      values.pop_back();
    }
    return false;
  }
};

}  // namespace

struct Router::Impl {
  Node root;
  std::vector<RouteInfo> infos;
  std::vector<std::pair<std::string, ErrorFormat>> formats;
};

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;

void Router::add(Method method, std::string_view pattern, RouteOptions options, Handler handler) {
  MARU_CHECK(!pattern.empty() && pattern[0] == '/' && handler);
  std::vector<std::string> names;
  Node* node = &impl_->root;
  std::string_view left = pattern.substr(1);
  for (bool more = true; more;) {
    more = left.find('/') != std::string_view::npos;
    const std::string_view segment = take_segment(left);
    const bool braces = segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
    std::string_view name = braces ? segment.substr(1, segment.size() - 2) : segment;
    std::unique_ptr<Node>* next = nullptr;
    if (braces && name.ends_with("...")) {
      MARU_CHECK(!more);  // nothing can follow the rest
      name.remove_suffix(3);
      next = &node->rest;
    } else if (braces) {
      next = &node->param;
    } else {
      next = &node->literals.try_emplace(std::string(segment)).first->second;
    }
    if (braces) names.emplace_back(name);
    if (!*next) *next = std::make_unique<Node>();
    node = next->get();
  }
  MARU_CHECK(!node->routes[slot(method)]);  // the same route twice
  impl_->infos.push_back({method, std::string(pattern), options.permission});
  node->routes[slot(method)] = Route{std::move(options), std::move(handler)};
  node->names[slot(method)] = std::move(names);
}

void Router::set_fallback_format(std::string_view prefix, ErrorFormat format) {
  impl_->formats.emplace_back(std::string(prefix), std::move(format));
}

std::vector<RouteInfo> Router::routes() const { return impl_->infos; }

Router::Match Router::match(Method method, std::string_view path) const {
  Match out;
  if (path.empty() || path[0] != '/') return out;
  Walk walk{method, {}, nullptr, nullptr};
  if (walk.go(impl_->root, path.substr(1), true)) {
    std::size_t index = 0;
    const auto& route = *route_for(*walk.found, method, index);
    out.options = &route->options;
    out.handler = &route->handler;
    const auto& names = walk.found->names[index];
    for (std::size_t i = 0; i < names.size(); ++i)
      out.params.emplace_back(names[i], std::string(walk.values[i]));
    return out;
  }
  if (walk.other_method != nullptr) {
    out.method_mismatch = true;
    for (std::size_t i = 0; i < kMethods; ++i) {
      if (!walk.other_method->routes[i]) continue;
      if (!out.allow.empty()) out.allow += ", ";
      out.allow += method_name(static_cast<Method>(i));
      if (i == slot(Method::kGet)) out.allow += ", HEAD";
    }
  }
  return out;
}

Response Router::not_found(const Request& request, const base::Context& context,
                           bool method_mismatch, std::string_view allow) const {
  base::Error error{base::Code::kNotFound, "no such path: " + request.path,
                    "see /api/v1/openapi.json", nullptr};
  if (method_mismatch) {
    error = {base::Code::kUnimplemented,
             "this path does not take the method " + std::string(method_name(request.method)),
             "use one of: " + std::string(allow), nullptr};
  }
  Response out = refused(error, request, context);
  if (method_mismatch) {
    out.status = 405;
    out.headers.set("Allow", allow);
  }
  return out;
}

Response Router::refused(const base::Error& error, const Request& request,
                         const base::Context& context) const {
  const ErrorFormat* format = nullptr;
  std::size_t longest = 0;
  for (const auto& [prefix, candidate] : impl_->formats) {
    if (!request.target.starts_with(prefix) && !request.path.starts_with(prefix)) continue;
    if (prefix.size() < longest) continue;
    longest = prefix.size();
    format = &candidate;
  }
  return format != nullptr && *format ? (*format)(error, request, context)
                                      : error_response(error, context.trace_id);
}

Response Router::handle(Request& request, base::Context& context) const {
  Match found = match(request.method, request.path);
  if (found.options == nullptr)
    return not_found(request, context, found.method_mismatch, found.allow);
  request.path_params = std::move(found.params);
  if (const base::Status status = check_permission(*found.options, context); !status) {
    return format_error(found.options, status.error(), request, context);
  }
  Response response = run_handler(*found.options, *found.handler, request, context);
  if (!response.later) return response;
  std::promise<base::Result<Response>> answer;
  auto ready = answer.get_future();
  response.later([&answer](base::Result<Response> late) { answer.set_value(std::move(late)); });
  return response_of(found.options, ready.get(), request, context);
}

base::Result<Response> call_handler(const Handler& handler, const Request& request,
                                    base::Context& context) {
  try {
    return handler(request, context);
  } catch (const std::exception& thrown) {
    base::log_error("a handler threw",
                    {{"path", request.path},
                     {"what", thrown.what()},
                     {"request_id", context.trace_id},
                     {"trace_id", request.trace ? request.trace->trace_id : ""}});
  }
  return base::fail(base::Code::kInternal, "an unexpected failure inside the server",
                    "look for the request id in the log");
}

Response run_handler(const RouteOptions& options, const Handler& handler, const Request& request,
                     base::Context& context) {
  return response_of(&options, call_handler(handler, request, context), request, context);
}

Response response_of(const RouteOptions* options, base::Result<Response> result,
                     const Request& request, const base::Context& context) {
  if (result) return std::move(*result);
  return format_error(options, result.error(), request, context);
}

Response format_error(const RouteOptions* options, const base::Error& error, const Request& request,
                      const base::Context& context) {
  if (options == nullptr || !options->error_format) return error_response(error, context.trace_id);
  Response out = options->error_format(error, request, context);
  const bool later = out.status == 503 || out.status == 429 || out.status == 504;
  if (later && !out.headers.has("Retry-After")) out.headers.add("Retry-After", "1");
  return out;
}

base::Status check_permission(const RouteOptions& options, const base::Context& context) {
  if (allows(context.principal.role, options.permission)) return {};
  return base::fail(base::Code::kPermissionDenied, "not allowed for " + context.principal.name,
                    "ask for a token with a stronger role");
}

bool allows(base::Role role, Permission permission) {
  switch (permission) {
    case Permission::kPublic:
      return true;
    case Permission::kRead:
    case Permission::kPredict:
      return role >= base::Role::kViewer;
    case Permission::kWrite:
      return role >= base::Role::kEditor;
    case Permission::kOperate:
      return role >= base::Role::kOperator;
    case Permission::kAdmin:
      return role >= base::Role::kAdmin;
  }
  return false;
}

}  // namespace maru::http
