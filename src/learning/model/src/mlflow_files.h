#pragma once
#include <string>
#include <utility>
#include <vector>

#include "maru/base/json.h"
#include "maru/model/model.h"
#include "maru/model/tensor.h"

namespace maru::model {

// What makes a folder with model.onnx an MLflow model: MLmodel, conda.yaml, python_env.yaml, requirements.txt, as (name, text).
// The signature names tensors [-1, 1]: mlflow.pyfunc then shapes and casts the columns of a DataFrame itself (whole numbers and booleans to float64).
std::vector<std::pair<std::string, std::string>> mlflow_files(const Signature& signature,
                                                              std::size_t width,
                                                              const std::string& model_sha256,
                                                              std::size_t model_bytes);

// The same for a model from elsewhere, with its own tensors.
std::vector<std::pair<std::string, std::string>> mlflow_files(const TensorModel& model,
                                                              const std::string& model_sha256,
                                                              std::size_t model_bytes);

}  // namespace maru::model
