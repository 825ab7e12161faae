#pragma once
#include "maru/api/api.h"
#include "maru/http/rpc.h"

namespace maru::api_grpc {

// ModelInfer and ModelStreamInfer, to those who may use the route of the same name.
void add_infer_methods(http::RpcRouter& router, const http::RouteOptions& like,
                       const api::Services& services);

}  // namespace maru::api_grpc
