#pragma once
#include <cstdint>
#include <vector>

#include "maru/model/tensor.h"

// Calls of a model of tensors side by side: the first extent of every tensor counts rows.
namespace maru::serve {

std::int64_t rows_of(
    const std::vector<model::TensorValue>& tensors);  // 0: not the same in all, or none
// Whether the two differ in nothing but their rows: names, order, types and all other extents.
bool same_but_rows(const std::vector<model::TensorValue>& a,
                   const std::vector<model::TensorValue>& b);
std::vector<model::TensorValue> join_rows(
    const std::vector<const std::vector<model::TensorValue>*>& parts);
// Each part's rows of the outputs; empty when an output has not the sum of `rows`.
std::vector<std::vector<model::TensorValue>> split_rows(
    const std::vector<model::TensorValue>& outputs, const std::vector<std::int64_t>& rows);

}  // namespace maru::serve
