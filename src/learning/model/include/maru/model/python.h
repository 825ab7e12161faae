#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "maru/base/clock.h"
#include "maru/base/result.h"
#include "maru/model/model.h"

namespace maru::model {

// How models that only Python can run are run: each in child processes of its own, never in this one, for a pickle is code.
struct PythonOptions {
  std::string interpreter =
      "python3";  // of an environment with mlflow and what the models need; looked up on PATH; "off": such models are refused
  std::size_t processes = 1;  // for each model; each holds the model once
  std::uint64_t memory_limit_bytes =
      4ull << 30;  // for each process; one that needs more is ended and started again
  std::int64_t call_timeout_ms = 60'000;  // a process that takes longer is ended and started again
  std::int64_t start_timeout_ms = 120'000;  // to import and load
  base::Clock* clock = &base::system_clock();
};

// Whether a folder holds an MLflow model that has no model.onnx: one of the flavour python_function.
bool is_python_model(const std::string& folder);

// An MLflow model of any flavour that mlflow.pyfunc loads, as a bundle of tensors. Returns once every process has loaded it, or says what went wrong with the last
// lines of output. Its columns are inputs of shape [-1]; texts, times and what has no tensor type are BYTES; a model without a signature takes `input` FP64 [-1, -1].
// TensorModel::run() waits for a process. What mlflow refuses is kInvalidArgument; a process that ended, or more callers than may wait, kUnavailable; one that took too
// long kDeadlineExceeded: in both cases it is started again by itself. Processes see no MARU_ variable and nothing secret of this process's environment; what they print is dropped but for the last lines.
base::Result<std::shared_ptr<const Bundle>> load_python_bundle(const std::string& folder,
                                                               const PythonOptions& options);

// The folder as what it is: load_python_bundle for a Python model, else Bundle::load.
base::Result<std::shared_ptr<const Bundle>> load_model(const std::string& folder,
                                                       const PythonOptions& options);

}  // namespace maru::model
