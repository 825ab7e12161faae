// A body of the Open Inference Protocol: whatever is accepted has as many values as its shapes say, fits a model's columns or is refused, and is written back.
#include <algorithm>

#include "driver.h"
#include "maru/base/check.h"
#include "maru/model/open_inference.h"

namespace {

using namespace maru::model;

Signature signature() {
  Signature s;
  s.inputs = {{"age", InputKind::kNumber, false, {}},
              {"member", InputKind::kBoolean, false, {}},
              {"city", InputKind::kText, false, {}},
              {"signup", InputKind::kTimestamp, false, {}}};
  return s;
}

}  // namespace

// The first two bytes say how many bytes at the end are binary.
void fuzz_one(std::string_view input) {
  static const Signature kSignature = signature();
  if (input.size() < 2) return;
  const std::size_t binary = static_cast<unsigned char>(input[0]);
  const std::string_view body = input.substr(2);
  const std::size_t json = body.size() - std::min(binary, body.size());
  InferRequest request;
  if (!parse_infer_request(body, json, request)) return;
  MARU_CHECK(!request.inputs.empty());
  std::string text, bytes;
  for (const TensorValue& tensor : request.inputs) {
    const auto count = element_count(tensor.name, tensor.shape);
    MARU_CHECK(count.has_value() && *count == tensor.elements());
    append_json_elements(text, tensor, false);
    append_binary_elements(bytes, tensor);
    (void)classification(tensor, 2, {"a"});
  }
  InputBatch batch;
  if (fill_from_tensors(kSignature, request.inputs, batch)) {
    MARU_CHECK(batch.columns.size() == kSignature.inputs.size());
    MARU_CHECK(batch.columns[0].numbers.size() == batch.rows);
    MARU_CHECK(batch.columns[2].texts.size() == batch.rows);
  }
}

std::vector<std::string> fuzz_seeds() {
  const std::string none(2, '\0'), eight("\x08\0", 2);
  return {
      none +
          R"({"id":"1","inputs":[{"name":"age","shape":[2,1],"datatype":"FP32","data":[[1.5],[NaN]]}],"outputs":[{"name":"y","parameters":{"classification":2}}]})",
      none +
          R"({"inputs":[{"data":["서울","x"],"name":"city","shape":[2],"datatype":"BYTES"},{"name":"member","shape":[2],"datatype":"BOOL","data":[true,0]}]})",
      none +
          R"({"inputs":[{"name":"signup","shape":[1],"datatype":"INT64","data":[-9223372036854775808]}],"parameters":{"binary_data_output":true}})",
      eight +
          R"({"inputs":[{"name":"city","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":8}}]})" +
          std::string("\x04\0\0\0abcd", 8)};
}
