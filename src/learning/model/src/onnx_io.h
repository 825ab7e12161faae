#pragma once
#include <string_view>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/transform/graph.h"

namespace maru::model {

inline constexpr std::size_t kMaxOnnxBytes = 1u << 30;
inline constexpr int kMaxNodes = 1'000'000;
inline constexpr std::size_t kMaxElements = 200'000'000;  // of one tensor or attribute

// ONNX bytes of anybody -> the neutral graph. Refuses what Maru never writes and what could hurt: external data, subgraphs, functions, sparse or
// quantised tensors, sizes that do not fit their data, names used twice, values used before they are made. kDataLoss or kUnimplemented.
base::Result<transform::Graph> read_onnx(std::string_view bytes, base::Json* metadata = nullptr);

// Whether ONNX bytes of anybody may be given to ONNX Runtime: no weights in other files (a path out of a stranger's model), no impossible shapes, no deep nesting.
base::Status check_foreign_onnx(std::string_view bytes);

// Names made once, used after they are made, outputs made at all.
base::Status check_graph(const transform::Graph& graph);

}  // namespace maru::model
