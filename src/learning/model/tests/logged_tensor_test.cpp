#include "maru/model/logged_tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace maru;
using namespace maru::model;

namespace {
template <class T>
TensorValue tensor_of(Datatype type, std::vector<T> values) {
  TensorValue out;
  out.name = "x";
  out.type = type;
  out.shape = {1, static_cast<std::int64_t>(values.size())};
  out.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return out;
}

void same(const TensorValue& tensor) {
  const std::string text = logged_tensor(tensor);
  CAPTURE(text);
  const auto back = parse_logged_tensor("x", text);
  REQUIRE_MESSAGE(back, (back ? "" : back.error().text()));
  CHECK(back->name == tensor.name);
  CHECK(back->type == tensor.type);
  CHECK(back->shape == tensor.shape);
  CHECK(back->bytes == tensor.bytes);
  CHECK(back->texts == tensor.texts);
  CHECK(logged_tensor_bytes(tensor) <= text.size() + 60);
}
}  // namespace

TEST_CASE("a logged tensor gives back the same bits") {
  using L = std::numeric_limits<std::int64_t>;
  same(tensor_of<float>(Datatype::kFp32, {0.1f, -0.0f, 1e-40f, 3.4028235e38f}));
  same(tensor_of<float>(Datatype::kFp32, {std::nanf(""), -std::numeric_limits<float>::infinity()}));
  same(tensor_of<double>(Datatype::kFp64, {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308}));
  same(tensor_of<std::int64_t>(Datatype::kInt64, {L::min(), L::max(), (1ll << 53) + 1}));
  same(tensor_of<std::uint64_t>(Datatype::kUint64, {0, ~0ull}));
  same(tensor_of<std::int8_t>(Datatype::kInt8, {-128, 127}));
  same(tensor_of<std::uint8_t>(Datatype::kBool, {0, 1}));
  same(tensor_of<std::uint16_t>(Datatype::kFp16, {0x3c00, 0x7e01}));
  same(tensor_of<double>(Datatype::kFp64, {}));
  TensorValue texts;
  texts.name = "x";
  texts.type = Datatype::kBytes;
  texts.shape = {3};
  texts.texts = {"", "서울 \"x\"", std::string("a\0b", 3)};
  same(texts);
  texts.texts[1] = "\xff\xfe";
  same(texts);
}

TEST_CASE("what is no logged tensor is refused") {
  for (const char* text : {"", "{}", R"({"datatype":"FP32","shape":[2],"data":[1]})",
                           R"({"datatype":"FP99","shape":[1],"data":[1]})",
                           R"({"datatype":"FP32","shape":[1],"b64":"!"})",
                           R"({"datatype":"FP32","shape":[1],"b64":"AAA="})",
                           R"({"datatype":"FP32","shape":[-1],"data":[]})",
                           R"({"datatype":"INT8","shape":[1],"data":["x"]})"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_logged_tensor("x", text));
  }
}
