// The answer of a model's Python process: whatever is accepted has as many values as its shapes say.
#include <algorithm>

#include "driver.h"
#include "maru/base/check.h"
#include "python/frames.h"

// The first two bytes say how many bytes are the list, the others are the body.
void fuzz_one(std::string_view input) {
  using namespace maru;
  if (input.size() < 2) return;
  const std::size_t list =
      static_cast<unsigned char>(input[0]) * 256u + static_cast<unsigned char>(input[1]);
  const std::string_view rest = input.substr(2);
  const auto parsed = base::parse_json(rest.substr(0, list));
  if (!parsed) return;
  const auto tensors = model::unpack_tensors(*parsed, rest.substr(std::min(list, rest.size())));
  if (!tensors) return;
  for (const model::TensorValue& tensor : *tensors) {
    const auto count = model::element_count(tensor.name, tensor.shape);
    MARU_CHECK(count.has_value() && *count == tensor.elements());
  }
}

std::vector<std::string> fuzz_seeds() {
  const auto seed = [](const std::string& list, const std::string& body) {
    return std::string(1, static_cast<char>(list.size() / 256)) +
           std::string(1, static_cast<char>(list.size() % 256)) + list + body;
  };
  return {
      seed(R"([{"name":"a","datatype":"FP64","shape":[2],"bytes":16}])", std::string(16, '\1')),
      seed(
          R"([{"name":"a","datatype":"BYTES","shape":[1,2],"bytes":12},{"name":"b","datatype":"BOOL","shape":[],"bytes":1}])",
          std::string("\2\0\0\0xy\2\0\0\0zw\1", 13)),
      seed(R"([{"name":"n","datatype":"INT8","shape":[0,5],"bytes":0}])", "")};
}
