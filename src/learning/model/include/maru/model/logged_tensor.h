#pragma once
#include <string>
#include <string_view>

#include "maru/model/tensor.h"

namespace maru::model {

// A tensor as text that gives back the same bits: {"datatype": "FP32", "shape": [1, 2], "data": [1, 2]}, flat and row-major. With "b64" instead of "data", the
// elements in their binary form, where JSON cannot hold them: NaN, infinities, -0, FP16 and BF16, and texts that are not UTF-8.
std::string logged_tensor(const TensorValue& tensor);
std::size_t logged_tensor_bytes(const TensorValue& tensor);  // about as long as that text, or less
base::Result<TensorValue> parse_logged_tensor(std::string name, std::string_view text);

}  // namespace maru::model
