#pragma once
#include <functional>

#include "maru/http/rpc.h"

namespace maru::api_grpc {

// grpc.health.v1.Health. `ready` answers for the server ("") and for each service that `router` has when it is asked.
void add_health(http::RpcRouter& router, std::function<bool()> ready);

}  // namespace maru::api_grpc
