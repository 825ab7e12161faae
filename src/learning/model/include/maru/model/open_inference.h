#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/model/tensor.h"

namespace maru::model {

// A call of the Open Inference Protocol, version 2, whatever it came in as.
struct WantedOutput {
  std::string name;
  std::optional<bool> binary;  // overrides InferRequest::binary_outputs
  std::int64_t classes = 0;    // > 0: the best classes as texts "value:index[:label]"
};
struct InferRequest {
  std::string id;
  base::Json parameters;  // of the request, an object or null
  std::vector<TensorValue> inputs;
  std::vector<WantedOutput> outputs;  // none: all
  bool binary_outputs = false;
};

// Reads a request: `body` begins with `json_bytes` of JSON, and the tensors of the binary data extension follow it in the order of the inputs. JSON data may be
// nested or flat; NaN, Infinity and -Infinity (bare or as text) and null (missing: NaN, or an empty text) are read. Errors name the input.
base::Status parse_infer_request(std::string_view body, std::size_t json_bytes, InferRequest& out);

// The checks of a request that came in another form, one input at a time: `tensor` has its name, type and shape.
base::Status fill_raw(std::string_view bytes, TensorValue& tensor);  // its elements in binary form
base::Status check_elements(const TensorValue& tensor);  // has as many as its shape says
base::Status check_outputs(const std::vector<WantedOutput>& outputs);

// The same JSON with bare NaN, Infinity and -Infinity as texts, which Json::as_double reads.
std::string quote_number_tokens(std::string_view json);

// The elements of a BYTES tensor in binary form (4 bytes of length, little endian, then the bytes, each); nullopt when they do not fit exactly.
std::optional<std::vector<std::string>> parse_binary_texts(std::string_view bytes,
                                                           std::size_t elements);

// JSON values in row-major order without brackets: [1,2] is "1,2". NaN and infinities are null, or their bare tokens. FP16 and BF16 are written as numbers.
void append_json_elements(std::string& out, const TensorValue& tensor, bool nan_tokens);
void append_json_element(std::string& out, const TensorValue& tensor, std::size_t at,
                         bool nan_tokens);
void append_binary_elements(std::string& out, const TensorValue& tensor);

// The `count` largest values of each row as texts, "value:index" or "value:index:label" when `labels` has one for the index: shape [rows, count].
base::Result<TensorValue> classification(const TensorValue& tensor, std::int64_t count,
                                         const std::vector<std::string>& labels);

}  // namespace maru::model
