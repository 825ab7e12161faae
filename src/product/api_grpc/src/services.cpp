#include "maru/api_grpc/services.h"

#include <google/protobuf/stubs/logging.h>

#include "control.h"
#include "health.h"
#include "infer.h"
#include "maru/base/check.h"
#include "reflection.h"

namespace maru::api_grpc {

void add_services(http::RpcRouter& router, const http::Router& routes,
                  const api::Services& services) {
  // What cannot be read is the caller's news, not a line on standard error.
  google::protobuf::SetLogHandler(nullptr);
  const http::Router::Match infer = routes.match(http::Method::kPost, "/v2/models/m/infer");
  MARU_CHECK(infer.options != nullptr);
  add_infer_methods(router, *infer.options, services);
  add_control_methods(router, routes);
  add_health(router, services.ready);
  add_reflection(router);
}

}  // namespace maru::api_grpc
