#pragma once
#include "maru/api/api.h"
#include "maru/http/rpc.h"

namespace maru::api_grpc {

// Adds inference.GRPCInferenceService, grpc.health.v1.Health and server reflection (v1 and v1alpha). Methods that have a route in `routes` answer what the
// route answers, to whom the route does; only ModelInfer and ModelStreamInfer have a way of their own, to the same api::infer(). `routes` must be complete,
// and it and what `services` points to must outlive the router.
void add_services(http::RpcRouter& router, const http::Router& routes,
                  const api::Services& services);

}  // namespace maru::api_grpc
