#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/model/tensor.h"

namespace maru::model {

// Rows of named columns through a model of tensors, for batch prediction: what /invocations makes of a data frame. A column is the input of its name (of shape [N]
// or [N, 1]); a model whose only input is a matrix [N, k] takes all k columns side by side, in their order.

struct AnswerColumn {
  std::string name;
  data::ColumnType type = data::ColumnType::kFloat;
};

// The columns that feed the model, in the order of its inputs, out of those there are. kInvalidArgument when one lacks or their number is wrong,
// kUnimplemented for inputs of other shapes.
base::Result<std::vector<std::string>> columns_of_inputs(const std::vector<TensorSpec>& inputs,
                                                         const std::vector<std::string>& there);
// The columns of an answer: one an output, or NAME_0, NAME_1, ... for a matrix. kUnimplemented for outputs without a known number of values a row.
base::Result<std::vector<AnswerColumn>> columns_of_outputs(const std::vector<TensorSpec>& outputs);

// Rows [from, from + count): as fill_rows. `columns` are those of columns_of_inputs.
base::Status fill_tensors(const std::vector<TensorSpec>& inputs,
                          const std::vector<std::string>& columns, const data::Table& table,
                          std::size_t from, std::size_t count, std::vector<TensorValue>& out,
                          std::vector<RowFault>& faults);
// Appends an answer of `count` rows to its columns. A number of 32 bits gets the digits that its JSON has.
base::Status append_answer(const std::vector<TensorValue>& answer, std::size_t count,
                           std::vector<data::Column>& columns);

}  // namespace maru::model
