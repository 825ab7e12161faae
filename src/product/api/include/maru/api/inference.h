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
// Where a handler that ends with infer_response() should run: on the I/O thread also when the model's calls wait in a queue of their own.
http::RunOn place_of_reading(const Services& services, std::string_view name,
                             std::string_view version);
// Whether a body may ask for explanations, whatever its protocol; such a call does not run on the I/O thread.
bool may_explain(std::string_view body);
// Runs the model and replaces outputs by their best classes where those were asked for. With the parameter `explain`, tensors of the explanation follow.
// Takes the inputs out of `call`. Its parameters `timeout` (microseconds) and `priority` are those of the Open Inference Protocol's schedule policy.
base::Result<InferenceAnswer> infer(const Services& services, const std::string& name,
                                    serve::CallOptions options, model::InferRequest& call);
// Makes a protocol's answer; on whatever thread the model's answer came.
using WriteInference =
    std::function<base::Result<http::Response>(const model::InferRequest&, const InferenceAnswer&)>;
// infer() as the end of a handler: a model that answers at once does so; of any other the answer comes later, and no thread waits for it. What `options` points to
// must live as long as the request.
base::Result<http::Response> infer_response(const Services& services, const std::string& name,
                                            serve::CallOptions options, model::InferRequest call,
                                            WriteInference write);

}  // namespace maru::api
