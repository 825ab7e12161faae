#pragma once
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/model/tensor.h"

// Tensors as the nested lists that TF-Serving, KServe v1 and MLflow send: the shape is in the nesting, the type is the model's.
namespace maru::api::inference {

// {"b64": "..."} stands for bytes. Every list of a level has one length; kInvalidArgument names the input.
base::Result<model::TensorValue> tensor_of_json(const model::TensorSpec& spec,
                                                const base::Json& nested);

// One list a level; `row` < 0: the whole tensor, else that entry of the first dimension. Bytes go as base64 for outputs named *_bytes. NaN and infinities are bare tokens.
void append_nested(std::string& out, const model::TensorValue& tensor, std::int64_t row = -1);

// The outputs as a list of rows: bare values of one output, objects of several. kInvalidArgument when one has no value for each row.
base::Status append_rows(std::string& out, const std::vector<model::TensorValue>& outputs);

// Rows (objects by input, or bare values when there is one input) as one tensor an input.
base::Result<std::vector<model::TensorValue>> tensors_of_rows(
    const std::vector<model::TensorSpec>& specs, const base::Json& rows);
// {input: tensor}, or the bare tensor when there is one input.
base::Result<std::vector<model::TensorValue>> tensors_of_columns(
    const std::vector<model::TensorSpec>& specs, const base::Json& inputs);

}  // namespace maru::api::inference
