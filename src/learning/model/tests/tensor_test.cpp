#include "maru/model/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "graphs.h"

using namespace maru;
using model::Datatype;
using model::InputKind;
using model::TensorValue;

namespace {

template <class Number>
TensorValue tensor(const char* name, Datatype type, std::vector<std::int64_t> shape,
                   const std::vector<Number>& values) {
  TensorValue out;
  out.name = name;
  out.type = type;
  out.shape = std::move(shape);
  out.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number));
  return out;
}

TensorValue texts(const char* name, std::vector<std::string> values) {
  TensorValue out;
  out.name = name;
  out.type = Datatype::kBytes;
  out.shape = {static_cast<std::int64_t>(values.size())};
  out.texts = std::move(values);
  return out;
}

model::Signature signature() {
  model::Signature out;
  out.inputs = {{"age", InputKind::kNumber, true, {}},
                {"visits", InputKind::kInteger, false, {}},
                {"member", InputKind::kBoolean, false, {}},
                {"city", InputKind::kText, false, {}},
                {"signup", InputKind::kTimestamp, false, {}}};
  out.classes = {"no", "yes"};
  out.ignored = {"id"};
  return out;
}

std::string error(const std::vector<TensorValue>& tensors) {
  model::InputBatch batch;
  const base::Status status = model::fill_from_tensors(signature(), tensors, batch);
  return status ? std::string() : status.error().text();
}

bool has(const std::string& text, const char* part) {
  if (text.find(part) == std::string::npos) MESSAGE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("tensors become the rows of a model of columns") {
  model::InputBatch batch;
  REQUIRE(model::fill_from_tensors(
      signature(),
      {texts("city", {"서울", ""}), tensor<float>("age", Datatype::kFp32, {2, 1}, {1.5F, NAN}),
       tensor<std::int16_t>("visits", Datatype::kInt16, {2}, {-3, 4}),
       tensor<std::uint8_t>("member", Datatype::kBool, {2}, {1, 0}),
       tensor<std::int64_t>("signup", Datatype::kInt64, {2}, {7, model::kMissingTime}),
       texts("id", {"a", "b"})},
      batch));
  CHECK(batch.rows == 2);
  CHECK(batch.columns[0].numbers[0] == 1.5);
  CHECK(std::isnan(batch.columns[0].numbers[1]));
  CHECK(batch.columns[1].numbers == std::vector<double>{-3, 4});
  CHECK(batch.columns[2].numbers == std::vector<double>{1, 0});
  CHECK(batch.columns[3].texts == std::vector<std::string>{"서울", ""});
  CHECK(batch.columns[4].times == std::vector<std::int64_t>{7, model::kMissingTime});
}

TEST_CASE("numbers and times may come as texts") {
  model::InputBatch batch;
  REQUIRE(model::fill_from_tensors(
      signature(), {texts("age", {"2.5", ""}), texts("signup", {"1970-01-01T00:00:01Z", ""})},
      batch));
  CHECK(batch.columns[0].numbers[0] == 2.5);
  CHECK(std::isnan(batch.columns[0].numbers[1]));
  CHECK(batch.columns[4].times[0] == 1'000'000);
  CHECK(batch.columns[4].times[1] == model::kMissingTime);
}

TEST_CASE("one matrix fits a model of numbers") {
  model::Signature numeric;
  numeric.inputs = {{"a", InputKind::kNumber, true, {}}, {"b", InputKind::kInteger, true, {}}};
  model::InputBatch batch;
  REQUIRE(model::fill_from_tensors(
      numeric, {tensor<double>("input", Datatype::kFp64, {2, 2}, {1, 2, 3, 4})}, batch));
  CHECK(batch.columns[0].numbers == std::vector<double>{1, 3});
  CHECK(batch.columns[1].numbers == std::vector<double>{2, 4});
  const auto wrong = model::fill_from_tensors(
      numeric, {tensor<double>("input", Datatype::kFp64, {1, 3}, {1, 2, 3})}, batch);
  REQUIRE_FALSE(wrong);
  CHECK(has(wrong.error().text(), "[rows, 2]"));
}

TEST_CASE("tensors that do not fit are refused by name") {
  const auto age = tensor<double>("age", Datatype::kFp64, {1}, {1});
  CHECK(has(error({}), "no inputs"));
  CHECK(has(error({texts("city", {"x"})}), "`age` is not there"));
  CHECK(has(error({age, age}), "comes twice"));
  CHECK(has(error({age, texts("town", {"x"})}), "unknown input `town`"));
  CHECK(has(error({age, texts("city", {"x", "y"})}), "2 rows, the first input has 1"));
  CHECK(has(error({tensor<double>("age", Datatype::kFp64, {1, 2}, {1, 2})}), "one value a row"));
  CHECK(has(error({age, tensor<double>("city", Datatype::kFp64, {1}, {1})}), "wants a text"));
  CHECK(has(error({age, tensor<double>("visits", Datatype::kFp64, {1}, {1.5})}), "integer"));
  CHECK(has(error({age, tensor<double>("signup", Datatype::kFp64, {1}, {1})}), "microseconds"));
  CHECK(has(error({tensor<double>("age", Datatype::kFp64, {1}, {INFINITY})}), "Infinity"));
  CHECK(has(error({texts("age", {"old"})}), "expected a number"));
}

TEST_CASE("every element type is read as a number") {
  const auto value = [](const TensorValue& t) { return model::element_as_double(t, 0); };
  CHECK(value(tensor<std::uint16_t>("x", Datatype::kFp16, {1}, {0x3C00})) == 1);
  CHECK(value(tensor<std::uint16_t>("x", Datatype::kFp16, {1}, {0xC248})) == -3.140625);
  CHECK(value(tensor<std::uint16_t>("x", Datatype::kFp16, {1}, {0x0001})) == std::ldexp(1, -24));
  CHECK(std::isinf(value(tensor<std::uint16_t>("x", Datatype::kFp16, {1}, {0x7C00}))));
  CHECK(std::isnan(value(tensor<std::uint16_t>("x", Datatype::kFp16, {1}, {0x7E00}))));
  CHECK(value(tensor<std::uint16_t>("x", Datatype::kBf16, {1}, {0x4049})) == 3.140625);
  CHECK(value(tensor<std::uint64_t>("x", Datatype::kUint64, {1}, {1ull << 63})) ==
        std::ldexp(1, 63));
  CHECK(value(tensor<std::int8_t>("x", Datatype::kInt8, {1}, {-5})) == -5);
  for (const auto& name : {"FP16", "BOOL", "BYTES", "UINT64"})
    CHECK(model::datatype_name(*model::parse_datatype(name)) == name);
  CHECK_FALSE(model::parse_datatype("fp32"));
}

TEST_CASE("answers as tensors") {
  model::Predictions predictions;
  predictions.rows = 2;
  predictions.scores = {0.25, 0.75};
  const auto out = model::answer_tensors(signature(), predictions);
  REQUIRE(out.size() == 2);
  CHECK(out[0].shape == std::vector<std::int64_t>{2, 1});
  CHECK(model::element_as_double(out[0], 1) == 0.75);
  CHECK(out[1].texts == std::vector<std::string>{"no", "yes"});
  CHECK(model::output_tensors(signature())[1].name == "prediction");
}

namespace {

// sum = a + b (float [N,2]), upper: the texts as they are
std::string onnx() {
  transform::Graph graph;
  graph.inputs = {{"a", transform::TensorType::kFloat, {-1, 2}},
                  {"b", transform::TensorType::kFloat, {-1, 2}},
                  {"t", transform::TensorType::kString, {-1}}};
  graph.outputs = {{"sum", transform::TensorType::kFloat, {-1, 2}},
                   {"same", transform::TensorType::kString, {-1}}};
  graph.add("Add", {"a", "b"}, {"sum"});
  graph.add("Identity", {"t"}, {"same"});
  return *model::write_onnx(graph, base::Json::object());
}

}  // namespace

TEST_CASE("an ONNX model from elsewhere answers with tensors") {
  const auto loaded = model::load_tensor_model(onnx());
  REQUIRE(loaded);
  const model::TensorModel& m = **loaded;
  REQUIRE(m.inputs().size() == 3);
  CHECK(m.inputs()[0].type == Datatype::kFp32);
  CHECK(m.inputs()[0].shape == std::vector<std::int64_t>{-1, 2});
  std::vector<TensorValue> out;
  const auto a = tensor<float>("a", Datatype::kFp32, {2, 2}, {1, 2, 3, 4});
  const auto b = tensor<float>("b", Datatype::kFp32, {2, 2}, {10, 20, 30, 40});
  REQUIRE(m.run({b, texts("t", {std::string("x\0y", 3)}), a}, {}, out));
  REQUIRE(out.size() == 2);
  CHECK(model::element_as_double(out[0], 3) == 44);
  CHECK(out[1].texts == std::vector<std::string>{std::string("x\0y", 3)});
  REQUIRE(m.run({a, b, texts("t", {""})}, {"same"}, out));
  CHECK(out.size() == 1);
  CHECK(out[0].name == "same");
  const auto refused = [&](const std::vector<TensorValue>& tensors,
                           const std::vector<std::string>& wanted = {}) {
    const base::Status status = m.run(tensors, wanted, out);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == base::Code::kInvalidArgument);
    return status.error().text();
  };
  CHECK(has(refused({a, b}), "`t` is not there"));
  CHECK(has(refused({a, b, texts("t", {}), texts("u", {})}), "unknown input `u`"));
  CHECK(has(refused({a, b, texts("t", {""})}, {"sun"}), "unknown output `sun`"));
  CHECK(has(refused({tensor<double>("a", Datatype::kFp64, {1, 2}, {1, 2})}), "wants FP32"));
  CHECK(has(refused({tensor<float>("a", Datatype::kFp32, {1, 3}, {1, 2, 3})}), "[-1, 2]"));
  // Rows that differ are found by the graph itself, and are the caller's fault all the same.
  CHECK(has(refused({a, tensor<float>("b", Datatype::kFp32, {3, 2}, {1, 2, 3, 4, 5, 6}),
                     texts("t", {""})}),
            "could not be run on these tensors"));
}

TEST_CASE("bytes that are no model are refused") {
  CHECK(model::load_tensor_model("").error().code == base::Code::kDataLoss);
  CHECK(model::load_tensor_model("hello").error().code == base::Code::kDataLoss);
  std::string cut = onnx();
  cut.resize(cut.size() / 2);
  CHECK_FALSE(model::load_tensor_model(cut));
  // An initializer whose data lie in another file: field 5 of the graph (field 7 of the model), data_location (14) = EXTERNAL.
  const std::string tensor("\x70\x01", 2), graph = "\x2a\x02" + tensor;
  const auto outside =
      model::load_tensor_model("\x3a" + std::string(1, static_cast<char>(graph.size())) + graph);
  REQUIRE_FALSE(outside);
  CHECK(has(outside.error().text(), "weights in other files"));
}
