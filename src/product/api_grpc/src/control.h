#pragma once
#include "maru/http/rpc.h"

namespace maru::api_grpc {

// The methods of GRPCInferenceService that an HTTP route answers: health, metadata, configuration, statistics, repository.
void add_control_methods(http::RpcRouter& router, const http::Router& routes);

}  // namespace maru::api_grpc
