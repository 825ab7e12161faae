#pragma once
#include <string>

#include "maru/api/inference.h"
#include "rpc/inference.pb.h"

// Messages of the Open Inference Protocol to the request that every protocol shares, and back.
namespace maru::api_grpc {

// Takes the raw contents out of `from`. kInvalidArgument names the input.
base::Status read_request(inference::ModelInferRequest& from, model::InferRequest& to);

// Raw contents when the request had them, when it asked for them (`binary_data_output`), or when a datatype has no other form.
void write_response(const inference::ModelInferRequest& request, const model::InferRequest& call,
                    const api::InferenceAnswer& done, inference::ModelInferResponse& out);

// The model's name and version of a serialized request when they come first, as they usually do; without reading the rest.
struct Named {
  std::string_view model, version;
};
bool peek_names(std::string_view message, Named& out);

}  // namespace maru::api_grpc
