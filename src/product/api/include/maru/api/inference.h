#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "maru/api/api.h"
#include "maru/model/open_inference.h"

// A call of the Open Inference Protocol whatever it came in as; HTTP's routes and gRPC's methods are thin around this.
namespace maru::api {

struct InferenceAnswer {
  serve::Answer answer;
  std::vector<model::TensorValue> outputs;  // in the order of the request's, or all
};

// Who calls, when the call came, and its headers for sticky keys and rules. `request` must outlive the call.
serve::CallOptions call_options(const http::Request& request, const base::Context& context);
// A version by number, or by an alias of the model ("champion"), which is looked up in the registry; 0 when the text is empty.
base::Result<int> resolve_version(const Services& services, const std::string& name,
                                  const std::string& text);
// Where infer() of a model should run: on the I/O thread when it neither waits nor works for long.
http::RunOn place_of_call(const Services& services, std::string_view name,
                          std::string_view version);
// Whether a body may ask for explanations, whatever its protocol; such a call does not run on the I/O thread.
bool may_explain(std::string_view body);
// Runs the model and replaces outputs by their best classes where those were asked for. With the parameter `explain`, tensors of the explanation follow.
base::Result<InferenceAnswer> infer(const Services& services, const std::string& name,
                                    const serve::CallOptions& options,
                                    const model::InferRequest& call);

}  // namespace maru::api
