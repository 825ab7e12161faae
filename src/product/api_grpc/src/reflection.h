#pragma once
#include "maru/http/rpc.h"

namespace maru::api_grpc {

// grpc.reflection.v1.ServerReflection and its v1alpha twin: which services there are, and the files that describe them.
void add_reflection(http::RpcRouter& router);

}  // namespace maru::api_grpc
