#pragma once
#include <string>
#include <vector>

#include "maru/api/inference.h"
#include "maru/model/tensor.h"
#include "routes.h"

// What the inference protocols share: the Open Inference Protocol (/v2), TF-Serving and KServe v1 (/v1/models), MLflow scoring (/invocations).
namespace maru::api::inference {

void add_open_inference_routes(Router& router, const Services& services);
void add_repository_routes(Router& router, const Services& services);
void add_tensorflow_routes(Router& router, const Services& services);
void add_scoring_routes(Router& router, const Services& services);

// {"error": "..."}: of every protocol but MLflow's.
Response plain_error(const base::Error& error, const Request& request, const Context& context);
http::RouteOptions plain(Permission permission, RunOn run_on);

// Stock clients compare the content type to the letter: no charset.
Response json_exactly(std::string text, int status = 200);

using api::call_options;
// "3" -> 3; "" -> 0. kInvalidArgument when it is no number from 1 up.
base::Result<int> parse_version(std::string_view text);

// The model that answers for a name now, loaded when need be, and what it takes and gives.
struct Described {
  serve::Answer answer;
  std::vector<model::TensorSpec> inputs, outputs;
};
// `fallback`: for an endpoint without a model, its fallback will do.
base::Result<Described> describe(const Services& services, std::string_view name, int version,
                                 bool fallback = false);

// X-Prediction-Id, and X-Maru-Fallback where no model gave the answer.
void mark_answer(Response& response, const serve::Answer& answer);

// As the protocol's other servers name it: "maru", "onnxruntime_onnx", "python".
std::string_view platform_of(const model::Bundle& bundle);

// "no such model" in the words that clients of Triton look for.
base::Error unknown_model(base::Error error, std::string_view name);

}  // namespace maru::api::inference
