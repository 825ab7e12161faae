#include "maru/api/replay.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "endpoint_guide.h"
#include "maru/model/logged_tensor.h"
#include "maru/model/tensor.h"

using namespace maru;
using namespace maru::api;

namespace {

// Sums its numbers, times a factor; adds the length of each text. A row whose first number is 13 cannot be answered.
class SumModel final : public model::Bundle, public model::Evaluator {
 public:
  SumModel(std::vector<model::Input> inputs, double factor) : factor_(factor) {
    signature_.task = model::Task::kRegression;
    signature_.inputs = std::move(inputs);
  }
  const model::Signature& signature() const override { return signature_; }
  const base::Json& metadata() const override { return metadata_; }
  const data::Table& sample() const override { return sample_; }
  const model::Evaluator& evaluator() const override { return *this; }
  std::uint64_t file_bytes() const override { return 0; }
  std::uint64_t memory_bytes() const override { return 0; }
  base::Status predict(const model::InputBatch& batch, model::Predictions& out) const override {
    out.task = signature_.task;
    out.rows = batch.rows;
    out.scores.assign(batch.rows, 0);
    for (std::size_t row = 0; row < batch.rows; ++row) {
      for (const model::InputColumn& column : batch.columns) {
        const double number = column.numbers.empty() ? 0 : column.numbers[row];
        out.scores[row] += std::isnan(number) ? 0 : number * factor_;
        if (!column.texts.empty()) out.scores[row] += static_cast<double>(column.texts[row].size());
      }
    }
    return {};
  }
  std::string_view engine() const override { return "test"; }
  std::string reason() const override { return ""; }

 private:
  model::Signature signature_;
  base::Json metadata_ = base::Json::object();
  data::Table sample_;
  double factor_;
};

// Doubles its one tensor.
class TwiceModel final : public model::Bundle, public model::Evaluator, public model::TensorModel {
 public:
  const model::Signature& signature() const override { return signature_; }
  const base::Json& metadata() const override { return metadata_; }
  const data::Table& sample() const override { return sample_; }
  const model::Evaluator& evaluator() const override { return *this; }
  const model::TensorModel* tensors() const override { return this; }
  std::uint64_t file_bytes() const override { return 0; }
  std::uint64_t memory_bytes() const override { return 0; }
  base::Status predict(const model::InputBatch&, model::Predictions&) const override {
    return base::fail(base::Code::kUnimplemented, "takes tensors");
  }
  std::string_view engine() const override { return "test"; }
  std::string reason() const override { return ""; }
  const std::vector<model::TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<model::TensorSpec>& outputs() const override { return inputs_; }
  base::Status run(const std::vector<model::TensorValue>& in, const std::vector<std::string>&,
                   std::vector<model::TensorValue>& out) const override {
    if (in.empty()) return base::fail(base::Code::kInvalidArgument, "input x is missing");
    out = in;
    auto* values = reinterpret_cast<double*>(out[0].bytes.data());
    for (std::size_t i = 0; i < out[0].elements(); ++i) values[i] *= 2;
    out[0].name = "y";
    return {};
  }

 private:
  model::Signature signature_;
  base::Json metadata_ = base::Json::object();
  data::Table sample_;
  std::vector<model::TensorSpec> inputs_{{"x", model::Datatype::kFp64, {-1, 2}}};
};

data::Column texts(std::string name, const std::vector<std::string>& values) {
  data::Column out;
  out.name = std::move(name);
  out.type = data::ColumnType::kText;
  for (const std::string& value : values) {
    out.codes.push_back(static_cast<std::int32_t>(out.dictionary.size()));
    out.dictionary.push_back(value);
  }
  return out;
}
data::Column reals(std::string name, std::vector<double> values) {
  data::Column out;
  out.name = std::move(name);
  for (const double value : values) out.valid.push_back(value == value);
  out.reals = std::move(values);
  return out;
}
data::Column integers(std::string name, std::vector<std::int64_t> values) {
  data::Column out;
  out.name = std::move(name);
  out.type = data::ColumnType::kInteger;
  out.integers = std::move(values);
  return out;
}

const std::vector<model::Input> kTwo = {{"a", model::InputKind::kNumber, true, {}},
                                        {"id", model::InputKind::kText, true, {}}};

// Two rows as the log holds them: an input that is called like a fixed column stands as "input.id".
data::Table logged() {
  data::Table out;
  out.columns = {texts("id", {"p", "q"}),       integers("time", {5, 6}),
                 integers("version", {1, 2}),   reals("score", {3, 12}),
                 texts("prediction", {"", ""}), reals("a", {2, 10}),
                 texts("input.id", {"x", "xy"})};
  return out;
}

}  // namespace

TEST_CASE(
    "replay of the version that answered gives the same bits; of another one the differences, the "
    "largest first") {
  const auto same = replay(SumModel(kTwo, 1), logged());
  REQUIRE(same);
  CHECK(replay_json(*same, 0)["same_bits"].as_int() == 2);
  CHECK(replay_json(*same, 0)["different"].as_int() == 0);
  const auto other = replay(SumModel(kTwo, 1.5), logged());
  REQUIRE(other);
  const base::Json report = replay_json(*other, 1e-9);
  CHECK(report["rows"].as_int() == 2);
  CHECK(report["different"].as_int() == 2);
  CHECK(report["largest_difference"].as_double() == 5);
  CHECK(report["mean_difference"].as_double() == 3);
  CHECK(report["differences"].at(0)["id"].as_string() == "q");
  CHECK(report["differences"].at(0)["now"]["score"].as_double() == 17);
  CHECK(report["logged_by"].size() == 2);
  CHECK(report["inputs"]["missing"].size() == 0);
  // The tolerance is of the value's size, above 1: 1 of 3, 5 of 12.
  CHECK(replay_json(*other, 0.4)["different"].as_int() == 1);
  CHECK(replay_json(*other, 0.5)["different"].as_int() == 0);
}

TEST_CASE(
    "replay tells what the version wants and the log lacks, has too much, and has as another "
    "type") {
  const auto report = replay(SumModel({{"a", model::InputKind::kText, true, {}},
                                       {"new", model::InputKind::kNumber, true, {}}},
                                      1),
                             logged());
  REQUIRE(report);
  CHECK(report->missing == std::vector<std::string>{"new"});
  CHECK(report->unused == std::vector<std::string>{"id"});
  CHECK(report->retyped == std::vector<std::string>{"a"});
  CHECK(report->rows[0].now["score"].as_double() == 0);
  CHECK(replay(SumModel(kTwo, 1), data::Table())->rows.empty());
}

TEST_CASE("replay of tensors compares the outputs, and a call that fails now is told") {
  model::TensorValue x;
  x.name = "x";
  x.shape = {1, 2};
  const double values[2] = {0.1, -4};
  x.bytes.assign(reinterpret_cast<const char*>(values), sizeof values);
  model::TensorValue y = x;
  auto* doubled = reinterpret_cast<double*>(y.bytes.data());
  doubled[0] *= 2;
  doubled[1] = -7.5;
  data::Table table;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  table.columns = {texts("id", {"p", "q"}),
                   integers("time", {5, 6}),
                   integers("version", {1, 1}),
                   reals("score", {nan, nan}),
                   texts("prediction", {"{\"y\":" + model::logged_tensor(y) + "}",
                                        "{\"y\":" + model::logged_tensor(y) + "}"}),
                   texts("x", {model::logged_tensor(x), "no tensor"})};
  const auto got = replay(TwiceModel(), table);
  REQUIRE(got);
  CHECK(got->rows[0].difference == doctest::Approx(0.5));
  CHECK_FALSE(got->rows[0].same_bits);
  CHECK_FALSE(got->rows[1].error.empty());
  const base::Json report = replay_json(*got, 1e-9);
  CHECK(report["different"].as_int() == 2);
  CHECK(report["failed"].as_int() == 1);
  CHECK(report["differences"].at(0)["id"].as_string() ==
        "q");  // what cannot be compared stands first
  CHECK(replay(SumModel(kTwo, 1), table).error().code == base::Code::kFailedPrecondition);
  CHECK(replay(TwiceModel(), logged()).error().code == base::Code::kFailedPrecondition);
}

TEST_CASE("names that could end a string stay inside it, in every language") {
  const SumModel model({{"it's \"odd\"\n)json\"", model::InputKind::kText, true, "a'b\"c\\"},
                        {"n", model::InputKind::kNumber, false, 2.5}},
                       1);
  EndpointFacts facts;
  facts.name = "a b'c";
  facts.base_url = "http://h:1";
  facts.version = 3;
  facts.bundle = &model;
  const base::Json row = example_row(facts);
  CHECK(row.members().size() == 2);
  const base::Json examples = endpoint_examples(facts);
  for (const base::Json& example : examples.items()) {
    CAPTURE(example["language"].as_string());
    CHECK(example["code"].as_string().find("http://h:1/api/v1/endpoints/a%20b%27c/predict") !=
          std::string::npos);
  }
  CHECK(examples.at(0)["code"].as_string().find("it'\\''s") != std::string::npos);
  CHECK(examples.at(3)["code"].as_string().find("R\"json(") != std::string::npos);
  const base::Json document = endpoint_openapi(facts);
  const base::Json& schema = document["components"]["schemas"]["Row"];
  CHECK(schema["required"].size() == 1);
  CHECK(schema["properties"].members().size() == 2);
  CHECK(document["paths"].has("/api/v1/endpoints/a%20b%27c/predict"));
  CHECK(document["components"]["schemas"]["Prediction"]["type"].is_array());
  // With features looked up by key a call brings the key, and may leave out what is looked up.
  facts.keys.columns = {integers("customer", {7})};
  facts.looked_up = {"it's \"odd\"\n)json\""};
  CHECK(example_row(facts).dump() == R"({"customer":7,"n":2.5})");
  const base::Json wide = endpoint_openapi(facts)["components"]["schemas"]["Row"];
  CHECK(wide["required"].dump() == R"(["customer"])");
  CHECK(wide["properties"].members().size() == 3);
}
