#include "maru/model/open_inference.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

using namespace maru;
using model::Datatype;
using model::InferRequest;
using model::TensorValue;

namespace {

base::Result<InferRequest> parse(const std::string& json, const std::string& binary = {}) {
  InferRequest out;
  const base::Status status = model::parse_infer_request(json + binary, json.size(), out);
  if (!status) return tl::unexpected<base::Error>(status.error());
  return out;
}

std::string error(const std::string& json, const std::string& binary = {}) {
  const auto result = parse(json, binary);
  return result ? std::string() : result.error().text();
}

// One input with the given members.
std::string one(const std::string& members) {
  return R"({"inputs":[{"name":"x",)" + members + "}]}";
}

template <class Number>
std::vector<Number> numbers(const TensorValue& tensor) {
  std::vector<Number> out(tensor.bytes.size() / sizeof(Number));
  std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

std::string json_of(const std::string& members, bool nan_tokens = false) {
  const auto request = parse(one(members));
  REQUIRE(request);
  std::string out;
  model::append_json_elements(out, request->inputs[0], nan_tokens);
  return out;
}

}  // namespace

TEST_CASE("a request with everything") {
  const auto request =
      parse(R"({"id":"a\u00e9","parameters":{"binary_data_output":true,"priority":1},
    "inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[[1,2.5],[-3e2,4]]},
              {"data":["서울","x\"y"],"datatype":"BYTES","name":"b","shape":[2]},
              {"name":"c","shape":[1,1],"datatype":"INT64","data":[9007199254740993],"extra":{"a":[1,{}]}}],
    "outputs":[{"name":"y","parameters":{"binary_data":false,"classification":3}},{"name":"z"}],"other":[1,[2]]})");
  REQUIRE(request);
  CHECK(request->id == "aé");
  CHECK(request->binary_outputs);
  CHECK(request->parameters["priority"].as_int() == 1);
  REQUIRE(request->inputs.size() == 3);
  CHECK(numbers<float>(request->inputs[0]) == std::vector<float>{1, 2.5F, -300, 4});
  CHECK(request->inputs[0].shape == std::vector<std::int64_t>{2, 2});
  CHECK(request->inputs[1].texts == std::vector<std::string>{"서울", "x\"y"});
  CHECK(numbers<std::int64_t>(request->inputs[2]) == std::vector<std::int64_t>{9007199254740993});
  REQUIRE(request->outputs.size() == 2);
  CHECK(request->outputs[0].binary == false);
  CHECK(request->outputs[0].classes == 3);
  CHECK_FALSE(request->outputs[1].binary.has_value());
}

TEST_CASE("data may come before what they are") {
  const auto request = parse(one(R"("data":[[1],[2]],"shape":[2,1],"datatype":"UINT8")"));
  REQUIRE(request);
  CHECK(numbers<std::uint8_t>(request->inputs[0]) == std::vector<std::uint8_t>{1, 2});
}

TEST_CASE("every datatype reads its range and refuses what is beyond") {
  CHECK(json_of(R"("shape":[2],"datatype":"INT8","data":[-128,127])") == "-128,127");
  CHECK(json_of(R"("shape":[2],"datatype":"UINT16","data":[0,65535])") == "0,65535");
  CHECK(json_of(R"("shape":[1],"datatype":"UINT32","data":[4294967295])") == "4294967295");
  CHECK(json_of(R"("shape":[1],"datatype":"UINT64","data":[18446744073709551615])") ==
        "18446744073709551615");
  CHECK(json_of(R"("shape":[1],"datatype":"INT64","data":[-9223372036854775808])") ==
        "-9223372036854775808");
  CHECK(json_of(R"("shape":[4],"datatype":"BOOL","data":[true,false,1,0])") ==
        "true,false,true,false");
  CHECK(json_of(R"("shape":[1],"datatype":"INT32","data":[3.0])") == "3");
  CHECK(json_of(R"("shape":[1],"datatype":"FP32","data":[0.1])") == "0.1");
  CHECK(json_of(R"("shape":[0],"datatype":"FP32","data":[])").empty());
  for (const char* bad :
       {R"("INT8","data":[128])", R"("UINT8","data":[-1])", R"("INT32","data":[1.5])",
        R"("UINT64","data":[-1])", R"("BOOL","data":[2])", R"("INT32","data":["1"])",
        R"("BYTES","data":[1])", R"("INT64","data":[null])", R"("FP64","data":["one"])",
        R"("FP64","data":[true])", R"("FP64","data":[{}])"})
    CHECK(error(one(R"("shape":[1],"datatype":)" + std::string(bad))).find("element 0") !=
          std::string::npos);
}

TEST_CASE("what is not a number is read and written as asked") {
  const std::string members =
      R"("shape":[6],"datatype":"FP64","data":[NaN,Infinity,-Infinity,null,"NaN",1])";
  CHECK(json_of(members) == "null,null,null,null,null,1");
  CHECK(json_of(members, true) == "NaN,Infinity,-Infinity,NaN,NaN,1");
  const auto text = parse(one(R"("shape":[1],"datatype":"BYTES","data":["NaN \" Infinity"])"));
  REQUIRE(text);
  CHECK(text->inputs[0].texts.front() == "NaN \" Infinity");
}

TEST_CASE("binary tensors follow the JSON") {
  const std::string floats("\0\0\x80\x3f\0\0\0\x40", 8);  // 1, 2
  const std::string texts("\x03\0\0\0abc\0\0\0\0", 11);
  const auto request = parse(
      R"({"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}},
                    {"name":"b","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}},
                    {"name":"c","shape":[0],"datatype":"FP16","parameters":{"binary_data_size":0}}]})",
      floats + texts);
  REQUIRE(request);
  CHECK(numbers<float>(request->inputs[0]) == std::vector<float>{1, 2});
  CHECK(request->inputs[1].texts == std::vector<std::string>{"abc", ""});
  std::string back;
  for (const TensorValue& tensor : request->inputs) model::append_binary_elements(back, tensor);
  CHECK(back == floats + texts);
}

TEST_CASE("binary tensors of a wrong size are refused") {
  const auto sized = [](const char* type, const char* size) {
    return one(R"("shape":[2],"datatype":")" + std::string(type) +
               R"(","parameters":{"binary_data_size":)" + size + "}");
  };
  CHECK(error(sized("FP32", "4"), "1234").find("4 bytes for 2 values") != std::string::npos);
  CHECK(error(sized("FP32", "8"), "1234").find("4 bytes of the body are left") !=
        std::string::npos);
  CHECK(error(sized("FP32", "8"), "123456789").find("1 bytes more") != std::string::npos);
  CHECK(error(sized("FP32", "-8")).find("binary_data_size") != std::string::npos);
  CHECK_FALSE(error(sized("FP32", "18446744073709551617")).empty());
  CHECK(error(sized("BYTES", "9"), std::string("\xff\xff\xff\xff", 4) + "abcde")
            .find("not 2 texts") != std::string::npos);
  CHECK_FALSE(model::parse_binary_texts("", 1));
  CHECK_FALSE(model::parse_binary_texts(std::string(4, '\0'), INT64_MAX));
  InferRequest request;
  CHECK_FALSE(model::parse_infer_request("{}", 3, request));
}

TEST_CASE("a request that is wrong says what is wrong") {
  CHECK(error("").find("empty") != std::string::npos);
  CHECK(error("[1]").find("JSON object") != std::string::npos);
  CHECK(error("{").find("not valid JSON") != std::string::npos);
  CHECK(error("{}").find("no `inputs`") != std::string::npos);
  CHECK(error(R"({"inputs":{}})").find("must be a list") != std::string::npos);
  CHECK(error(R"({"inputs":[1]})").find("list of objects") != std::string::npos);
  CHECK(error(R"({"inputs":[{}]})").find("no `name`") != std::string::npos);
  CHECK(error(one(R"("shape":[1],"data":[1])")).find("no `datatype`") != std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","data":[1])")).find("no `shape`") != std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","shape":[1])")).find("no `data`") != std::string::npos);
  CHECK(error(one(R"("datatype":"FP33","shape":[1],"data":[1])")).find("FP32") !=
        std::string::npos);
  CHECK(error(one(R"("datatype":"FP16","shape":[1],"data":[1])")).find("binary data extension") !=
        std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","shape":[2],"data":[1])"))
            .find("Shape does not match true shape of 'data' field") != std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","shape":[-1],"data":[1])")).find("negative dimension") !=
        std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","shape":[4294967296,4294967296],"data":[1])"))
            .find("more than 2^31-1") != std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","shape":[99999999999999999999],"data":[1])"))
            .find("64-bit integers") != std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","shape":[1],"data":[1])") + " {}").find("more behind") !=
        std::string::npos);
  CHECK(error(one(R"("datatype":"FP32","shape":[1],"data":)" + std::string(50, '[') + "1" +
                  std::string(50, ']')))
            .find("nested deeper") != std::string::npos);
  CHECK(error(R"({"outputs":[{"name":"y"},{"name":"y"}]})").find("twice") != std::string::npos);
  std::string many = R"({"outputs":[)";  // compared each with each they would take minutes
  for (int i = 0; i < 200'000; ++i) many += R"({"name":")" + std::to_string(i) + R"("},)";
  CHECK(error(many + R"({"name":"y"}]})").find("no `inputs`") != std::string::npos);
  CHECK(error(many + R"({"name":"0"}]})").find("output `0`") != std::string::npos);
  CHECK_FALSE(error(std::string(100'000, '[')).empty());
}

TEST_CASE("classification names the best classes of each row") {
  TensorValue scores;
  scores.name = "p";
  scores.type = Datatype::kFp32;
  scores.shape = {2, 3};
  const float values[] = {0.1F, 0.7F, 0.2F, 0.5F, 0.5F, NAN};
  scores.bytes.assign(reinterpret_cast<const char*>(values), sizeof values);
  const auto top = model::classification(scores, 2, {"cat", "dog"});
  REQUIRE(top);
  CHECK(top->shape == std::vector<std::int64_t>{2, 2});
  CHECK(top->texts == std::vector<std::string>{"0.700000:1:dog", "0.200000:2", "0.500000:0:cat",
                                               "0.500000:1:dog"});
  CHECK(model::classification(scores, 9, {})->shape == std::vector<std::int64_t>{2, 3});
}
