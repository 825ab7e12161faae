#include "tensors.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>

using namespace maru;
using api_grpc::Named;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using model::Datatype;

namespace {

ModelInferRequest request(const std::string& datatype, std::initializer_list<std::int64_t> shape) {
  ModelInferRequest out;
  out.set_model_name("m");
  auto& input = *out.add_inputs();
  input.set_name("x");
  input.set_datatype(datatype);
  for (const std::int64_t extent : shape) input.add_shape(extent);
  return out;
}

base::Result<model::InferRequest> read(ModelInferRequest from) {
  model::InferRequest out;
  TRY(api_grpc::read_request(from, out));
  return out;
}

base::Code code(const ModelInferRequest& from) {
  const auto got = read(from);
  REQUIRE_FALSE(got);
  return got.error().code;
}

model::TensorValue tensor(Datatype type, std::string bytes, std::int64_t count) {
  model::TensorValue out;
  out.name = "y";
  out.type = type;
  out.shape = {count};
  out.bytes = std::move(bytes);
  return out;
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  std::string out;
  for (const T value : values) out.append(reinterpret_cast<const char*>(&value), sizeof value);
  return out;
}

ModelInferResponse written(model::TensorValue value, bool raw = false) {
  model::InferRequest call;
  call.binary_outputs = raw;
  api::InferenceAnswer done;
  done.answer.version = 7;
  done.answer.id = "made";
  done.outputs.push_back(std::move(value));
  ModelInferResponse out;
  api_grpc::write_response(request("FP32", {1}), call, done, out);
  return out;
}

}  // namespace

TEST_CASE("typed contents of every datatype become the bytes of the tensor") {
  const auto bytes = [](const char* datatype, auto fill) {
    ModelInferRequest from = request(datatype, {2});
    fill(*from.mutable_inputs(0)->mutable_contents());
    const auto got = read(from);
    REQUIRE(got);
    CHECK_FALSE(got->binary_outputs);
    CHECK(got->inputs[0].elements() == 2);
    return got->inputs[0].bytes;
  };
  const auto ints = [](auto& c) { c.add_int_contents(-1), c.add_int_contents(100); };
  const auto uints = [](auto& c) { c.add_uint_contents(1), c.add_uint_contents(200); };
  CHECK(bytes("INT8", ints) == bytes_of<std::int8_t>({-1, 100}));
  CHECK(bytes("INT16", ints) == bytes_of<std::int16_t>({-1, 100}));
  CHECK(bytes("INT32", ints) == bytes_of<std::int32_t>({-1, 100}));
  CHECK(bytes("UINT8", uints) == bytes_of<std::uint8_t>({1, 200}));
  CHECK(bytes("UINT16", uints) == bytes_of<std::uint16_t>({1, 200}));
  CHECK(bytes("UINT32", uints) == bytes_of<std::uint32_t>({1, 200}));
  CHECK(bytes("BOOL", [](auto& c) { c.add_bool_contents(true), c.add_bool_contents(false); }) ==
        bytes_of<std::uint8_t>({1, 0}));
  CHECK(bytes("INT64", [](auto& c) {
          c.add_int64_contents(INT64_MIN), c.add_int64_contents(INT64_MAX);
        }) == bytes_of<std::int64_t>({INT64_MIN, INT64_MAX}));
  CHECK(bytes("UINT64", [](auto& c) {
          c.add_uint64_contents(0), c.add_uint64_contents(UINT64_MAX);
        }) == bytes_of<std::uint64_t>({0, UINT64_MAX}));
  CHECK(bytes("FP32", [](auto& c) { c.add_fp32_contents(1.5F), c.add_fp32_contents(-2); }) ==
        bytes_of<float>({1.5F, -2}));
  CHECK(bytes("FP64", [](auto& c) { c.add_fp64_contents(1.5), c.add_fp64_contents(-2); }) ==
        bytes_of<double>({1.5, -2}));
  ModelInferRequest texts = request("BYTES", {2});
  texts.mutable_inputs(0)->mutable_contents()->add_bytes_contents("서울");
  texts.mutable_inputs(0)->mutable_contents()->add_bytes_contents(std::string("\0", 1));
  CHECK(read(texts)->inputs[0].texts == std::vector<std::string>{"서울", std::string("\0", 1)});
}

TEST_CASE("typed contents that do not fit are refused") {
  const auto one = [](const char* datatype, std::int32_t value) {
    ModelInferRequest from = request(datatype, {1});
    from.mutable_inputs(0)->mutable_contents()->add_int_contents(value);
    return from;
  };
  CHECK(read(one("INT8", 127)));
  CHECK(read(one("INT8", -128)));
  CHECK(code(one("INT8", 128)) == base::Code::kInvalidArgument);
  CHECK(code(one("INT8", -129)) == base::Code::kInvalidArgument);
  CHECK(code(one("INT16", 32'768)) == base::Code::kInvalidArgument);
  CHECK(code(one("INT64", 1)) == base::Code::kInvalidArgument);  // another field
  CHECK(code(one("UINT8", 1)) == base::Code::kInvalidArgument);
  CHECK(code(one("FP16", 1)) == base::Code::kInvalidArgument);
  CHECK(code(one("BF16", 1)) == base::Code::kInvalidArgument);
  CHECK(code(one("INT128", 1)) == base::Code::kInvalidArgument);
  ModelInferRequest two_fields = one("INT32", 1);
  two_fields.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  CHECK(code(two_fields) == base::Code::kInvalidArgument);
  CHECK(code(request("FP32", {1})) == base::Code::kInvalidArgument);  // nothing for one
  CHECK(read(request("FP32", {0, 4})));                               // nothing for none
  CHECK(code(request("FP32", {-1})) == base::Code::kInvalidArgument);
  CHECK(code(request("FP32", {INT64_MAX, INT64_MAX})) == base::Code::kTooLarge);
}

TEST_CASE("raw contents: for every input or for none, and exactly as long as the shape says") {
  ModelInferRequest from = request("FP16", {2});
  from.add_raw_input_contents("abcd");
  const auto got = read(from);
  REQUIRE(got);
  CHECK(got->inputs[0].bytes == "abcd");
  CHECK(got->binary_outputs);
  from.set_raw_input_contents(0, "abc");
  CHECK(code(from) == base::Code::kInvalidArgument);
  from.set_raw_input_contents(0, "abcd");
  from.add_raw_input_contents("abcd");
  CHECK(code(from) == base::Code::kInvalidArgument);
  ModelInferRequest both = request("INT32", {1});
  both.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  both.add_raw_input_contents("abcd");
  CHECK(code(both) == base::Code::kInvalidArgument);
  ModelInferRequest texts = request("BYTES", {1});
  texts.add_raw_input_contents(std::string("\3\0\0\0abc", 7));
  CHECK(read(texts)->inputs[0].texts == std::vector<std::string>{"abc"});
  texts.set_raw_input_contents(0, std::string("\4\0\0\0abc", 7));
  CHECK(code(texts) == base::Code::kInvalidArgument);
  ModelInferRequest empty = request("FP32", {0});
  empty.add_raw_input_contents("");
  CHECK(read(empty));
}

TEST_CASE("parameters, outputs and classes") {
  ModelInferRequest from = request("FP32", {0});
  from.set_id("call");
  auto& parameters = *from.mutable_parameters();
  parameters["a"].set_bool_param(true);
  parameters["b"].set_int64_param(-3);
  parameters["c"].set_string_param("d");
  parameters["e"].set_double_param(0.5);
  parameters["f"].set_uint64_param(UINT64_MAX);
  parameters["binary_data_output"].set_bool_param(true);
  auto& output = *from.add_outputs();
  output.set_name("y");
  (*output.mutable_parameters())["classification"].set_int64_param(3);
  const auto got = read(from);
  REQUIRE(got);
  CHECK(got->id == "call");
  CHECK(got->parameters["a"].as_bool());
  CHECK(got->parameters["b"].as_int() == -3);
  CHECK(got->parameters["c"].as_string() == "d");
  CHECK(got->parameters["e"].as_double() == 0.5);
  CHECK(got->parameters["f"].is_uint());
  CHECK(got->binary_outputs);
  CHECK(got->outputs.at(0).classes == 3);
  (*from.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(-1);
  CHECK(code(from) == base::Code::kInvalidArgument);
  from.mutable_outputs(0)->clear_parameters();
  from.add_outputs()->set_name("y");
  CHECK(code(from) == base::Code::kInvalidArgument);
  from.mutable_outputs(1)->set_name("");
  CHECK(code(from) == base::Code::kInvalidArgument);
  (*from.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  CHECK(code(from) == base::Code::kUnimplemented);
}

TEST_CASE(
    "answers: typed in the field of their datatype, raw when asked or when there is no field") {
  const ModelInferResponse reals = written(tensor(Datatype::kFp64, bytes_of<double>({1.5, 2}), 2));
  CHECK(reals.model_name() == "m");
  CHECK(reals.model_version() == "7");
  CHECK(reals.id() == "made");
  CHECK(reals.parameters_size() == 0);
  model::InferRequest named;
  named.id = "call";
  api::InferenceAnswer done;
  done.answer.id = "made";
  ModelInferResponse echoed;
  api_grpc::write_response(request("FP32", {1}), named, done, echoed);
  CHECK(echoed.id() == "call");
  CHECK(echoed.parameters().at("prediction_id").string_param() == "made");
  CHECK(reals.outputs(0).datatype() == "FP64");
  CHECK(reals.outputs(0).shape(0) == 2);
  CHECK(reals.outputs(0).contents().fp64_contents(0) == 1.5);
  CHECK(reals.raw_output_contents_size() == 0);
  const auto ints = written(tensor(Datatype::kInt8, bytes_of<std::int8_t>({-5, 6}), 2));
  CHECK(ints.outputs(0).contents().int_contents(0) == -5);
  const auto words = written(tensor(Datatype::kUint16, bytes_of<std::uint16_t>({65'535}), 1));
  CHECK(words.outputs(0).contents().uint_contents(0) == 65'535);
  const auto flags = written(tensor(Datatype::kBool, bytes_of<std::uint8_t>({1, 0}), 2));
  CHECK(flags.outputs(0).contents().bool_contents(0));
  const auto raw = written(tensor(Datatype::kFp64, bytes_of<double>({1.5}), 1), true);
  CHECK(raw.raw_output_contents(0) == bytes_of<double>({1.5}));
  CHECK_FALSE(raw.outputs(0).has_contents());
  const auto half = written(tensor(Datatype::kFp16, "ab", 1));
  CHECK(half.raw_output_contents(0) == "ab");
  model::TensorValue texts = tensor(Datatype::kBytes, "", 1);
  texts.texts = {"abc"};
  CHECK(written(texts).outputs(0).contents().bytes_contents(0) == "abc");
  CHECK(written(texts, true).raw_output_contents(0) == std::string("\3\0\0\0abc", 7));
}

TEST_CASE("the names at the front of a request are read without the rest") {
  const auto peek = [](const ModelInferRequest& from) {
    Named out;
    const std::string bytes = from.SerializeAsString();
    const bool seen = api_grpc::peek_names(bytes, out);
    return std::pair(seen, std::string(out.model) + "|" + std::string(out.version));
  };
  ModelInferRequest from = request("FP32", {1});
  CHECK(peek(from) == std::pair(true, std::string("m|")));
  from.set_model_version("12");
  CHECK(peek(from) == std::pair(true, std::string("m|12")));
  from.set_model_name(std::string(300, 'n'));
  CHECK(peek(from) == std::pair(true, std::string(300, 'n') + "|12"));
  from.set_model_name(std::string(20'000, 'n'));
  CHECK_FALSE(peek(from).first);
  Named out;
  for (const std::string& bad : {std::string(), std::string("\x0a"), std::string("\x0a\x05m"),
                                 std::string("\x0a\x80"), std::string("\x12\x01v")})
    CHECK_FALSE(api_grpc::peek_names(bad, out));
}
