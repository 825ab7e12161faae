#include <map>

#include "maru/base/check.h"
#include "maru/http/rpc.h"

namespace maru::http {
namespace {

// "/package.Service/Method" -> "/package.Service/".
std::string_view service_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return path.substr(0, slash == std::string_view::npos ? 0 : slash + 1);
}

}  // namespace

struct RpcRouter::Impl {
  std::map<std::string, RpcMethod, std::less<>> methods;

  void add(RpcMethod method) {
    const std::string_view path = method.path;
    MARU_CHECK(path.size() > 3 && path.front() == '/' && service_of(path).size() > 2);
    MARU_CHECK(!method.options.stream_body);
    const bool fresh = methods.try_emplace(method.path, method).second;
    MARU_CHECK(fresh);
  }
};

RpcRouter::RpcRouter() : impl_(std::make_unique<Impl>()) {}
RpcRouter::~RpcRouter() = default;

void RpcRouter::add_unary(std::string_view path, RouteOptions options, Handler handler) {
  MARU_CHECK(handler);
  impl_->add({std::string(path), std::move(options), std::move(handler), {}});
}

void RpcRouter::add_stream(std::string_view path, RouteOptions options, RpcStreamMaker maker) {
  MARU_CHECK(maker);
  impl_->add({std::string(path), std::move(options), {}, std::move(maker)});
}

const RpcMethod* RpcRouter::find(std::string_view path) const {
  const auto at = impl_->methods.find(path);
  return at == impl_->methods.end() ? nullptr : &at->second;
}

bool RpcRouter::knows_service(std::string_view path) const {
  const std::string_view service = service_of(path);
  const auto at = impl_->methods.lower_bound(service);
  return !service.empty() && at != impl_->methods.end() && at->first.starts_with(service);
}

std::vector<RouteInfo> RpcRouter::routes() const {
  std::vector<RouteInfo> out;
  for (const auto& [path, method] : impl_->methods)
    out.push_back({Method::kPost, path, method.options.permission});
  return out;
}

}  // namespace maru::http
