#pragma once
#include <cstdint>
#include <vector>

#include "maru/base/result.h"
#include "maru/model/model.h"
#include "maru/transform/graph.h"

namespace maru::model {

// Where each graph input is found in an InputBatch.
struct Binding {
  struct Source {
    std::size_t column = 0;
    transform::TensorType type = transform::TensorType::kDouble;
  };
  std::vector<Source> inputs;  // in the order of graph.inputs
  std::int64_t width = 1;      // K of the first output
};

// Checks every input ([N,1], the type that its kind needs, known to the signature) and the first output (double or float [N,K]).
base::Result<Binding> bind_inputs(const std::vector<transform::Port>& inputs,
                                  const transform::Port& output, const Signature& signature);

// Rows, columns and their lengths agree with the signature.
base::Status check_batch(const Signature& signature, const InputBatch& batch);

}  // namespace maru::model
