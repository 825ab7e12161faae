#include "graphs.h"
#include "maru/base/json.h"

using namespace graphs;

namespace {

model::Signature signature() {
  model::Signature s;
  s.task = model::Task::kBinary;
  s.inputs = {{"age", model::InputKind::kNumber, true, {}},
              {"visits", model::InputKind::kInteger, false, {}},
              {"member", model::InputKind::kBoolean, false, {}},
              {"city", model::InputKind::kText, false, {}},
              {"signup", model::InputKind::kTimestamp, false, {}}};
  s.classes = {"no", "yes"};
  s.ignored = {"id"};
  return s;
}

model::InputBatch fill(const std::string& body) {
  model::InputBatch out;
  const auto done = model::fill_from_text(signature(), body, "instances", out);
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
  return out;
}
std::string refuse(const std::string& body) {
  model::InputBatch out;
  const auto done = model::fill_from_text(signature(), body, "instances", out);
  REQUIRE_MESSAGE(!done, body);
  CHECK(done.error().code == base::Code::kInvalidArgument);
  return done.error().message + "; " + done.error().hint;
}

}  // namespace

TEST_CASE("rows from text: every kind, missing keys, null, order, escapes") {
  const auto b = fill(R"({"id": "r1", "instances": [
    {"age": 30.5, "visits": 3, "member": true, "city": "서울", "signup": "1969-12-31T23:59:59Z"},
    {"signup": 1704103200000000, "city": "a \"b\"\nc", "age": null, "id": 17},
    {"age": 1e3, "visits": null, "member": null, "city": null, "signup": null}]})");
  CHECK(b.rows == 3);
  CHECK(b.columns[0].numbers[0] == 30.5);
  CHECK(std::isnan(b.columns[0].numbers[1]));
  CHECK(b.columns[0].numbers[2] == 1000);
  CHECK(b.columns[1].numbers[0] == 3);
  CHECK(std::isnan(b.columns[1].numbers[1]));
  CHECK(b.columns[2].numbers[0] == 1);
  CHECK(std::isnan(b.columns[2].numbers[2]));
  CHECK(b.columns[3].texts == std::vector<std::string>{"서울", "a \"b\"\nc", ""});
  CHECK(b.columns[4].times ==
        std::vector<std::int64_t>{-1'000'000, 1'704'103'200'000'000, model::kMissingTime});
}

TEST_CASE(
    "what clients really send: numbers as text, codes as numbers, booleans as words, the last of "
    "two keys") {
  const auto b = fill(
      R"({"instances": [{"age": " 12.5 ", "visits": "7", "member": "False", "city": 94103}, {"age": "", "city": true},
                          {"age": 1, "age": 2, "visits": 3.0}]})");
  CHECK(b.columns[0].numbers[0] == 12.5);
  CHECK(b.columns[1].numbers[0] == 7);
  CHECK(b.columns[2].numbers[0] == 0);
  CHECK(b.columns[3].texts[0] == "94103");
  CHECK(std::isnan(b.columns[0].numbers[1]));
  CHECK(b.columns[3].texts[1] == "true");
  CHECK(b.columns[0].numbers[2] == 2);
  CHECK(b.columns[1].numbers[2] == 3);
}

TEST_CASE("a wrong value is named by row and column, with what was expected and what came") {
  CHECK(refuse(R"({"instances": [{"age": 1}, {"age": "old"}]})") ==
        "row 1, column `age`: expected a number, got \"old\"; ");
  CHECK(refuse(R"({"instances": [{"age": 1, "visits": 1.5}]})") ==
        "row 0, column `visits`: expected an integer, got 1.5; ");
  CHECK(
      refuse(R"({"instances": [{"age": 1, "member": 2}]})").find("expected true or false, got 2") !=
      std::string::npos);
  CHECK(refuse(R"({"instances": [{"age": 1, "signup": "yesterday"}]})").find("expected a time") !=
        std::string::npos);
  CHECK(refuse(R"({"instances": [{"age": [1]}]})").find("got [1]") != std::string::npos);
  CHECK(refuse(R"({"instances": [{"age": 1, "city": {"a": 1}}]})")
            .find("column `city`: expected text") != std::string::npos);
  CHECK(refuse(R"({"instances": [{"visits": 1}]})") ==
        "row 0: column `age` is not there; send null when the value is missing");
  CHECK(refuse(R"({"instances": [{"age": 1, "vists": 2}]})")
            .find("unknown column `vists`; did you mean `visits`?") != std::string::npos);
  CHECK(refuse(R"({"instances": [[1, 2]]})")
            .find("row 0: expected an object of columns, got [1,2]") != std::string::npos);
  CHECK(refuse(R"({"instances": {"age": 1}})").find("expected a list of rows") !=
        std::string::npos);
  CHECK(refuse(R"({"rows": []})").find("the body has no `instances`") != std::string::npos);
  for (const char* broken :
       {"", "{", "null", "[]", R"({"instances": [{"age": 1}]} x)",
        R"({"instances": [{"age": NaN}]})", R"({"instances": [{"age": 01}]})",
        R"({"instances": [{"age": 1,}]})", "{\"instances\": [{\"city\": \"\xff\", \"age\": 1}]}",
        R"({"instances": [{"age": 1e999}]})",
        R"({"instances": [{"age": 1, "visits": 033732036854775808000580900000000}]})",
        R"({"age": 007, "instances": [{"age": 1}]})"})
    refuse(broken);
}

TEST_CASE("a batch is reusable: a smaller body leaves nothing of a larger one") {
  model::InputBatch batch;
  REQUIRE(model::fill_from_text(
      signature(),
      R"({"instances": [{"age": 1, "city": "Busan"}, {"age": 2, "city": "Jeju"}, {"age": 3}]})",
      "instances", batch));
  REQUIRE(
      model::fill_from_text(signature(), R"({"instances": [{"age": null}]})", "instances", batch));
  CHECK(batch.rows == 1);
  CHECK(batch.columns[3].texts == std::vector<std::string>{""});
  CHECK(std::isnan(batch.columns[0].numbers[0]));
  REQUIRE(model::fill_from_text(signature(), R"({"instances": []})", "instances", batch));
  CHECK(batch.rows == 0);
}

TEST_CASE("tables fill by name and convert what a reader may have typed differently") {
  Table rows = table(4);
  rows.columns[3].name = "city";
  Column code = column("visits", ColumnType::kText);
  for (const char* v : {"1", "2", "", "4"}) put_text(code, v);
  rows.columns[1] = code;
  model::InputBatch batch;
  REQUIRE(model::fill_from_table(signature(), rows, batch));
  CHECK(batch.columns[1].numbers[3] == 4);
  CHECK(std::isnan(batch.columns[1].numbers[2]));
  rows.columns[1].dictionary[0] = "one";
  const auto refused = model::fill_from_table(signature(), rows, batch);
  REQUIRE(!refused);
  CHECK(refused.error().message == "row 0, column `visits`: expected an integer, got \"one\"");
}

TEST_CASE("answers for people") {
  model::Signature s = signature();
  model::Predictions p;
  p.rows = 2;
  p.scores = {0.5, 0.25};
  CHECK(model::prediction_json(s, p, 0).dump() == R"({"prediction":"yes","probability":0.5})");
  s.task = p.task = model::Task::kMulticlass;
  s.classes = {"a", "b \"q\"", "c"};
  p.rows = 1;
  p.width = 3;
  p.scores = {0.25, 0.5, 0.25};
  CHECK(model::prediction_json(s, p, 0).dump() ==
        R"({"prediction":"b \"q\"","probabilities":{"a":0.25,"b \"q\"":0.5,"c":0.25}})");
  std::string text;
  model::append_prediction_json(text, s, p, 0);
  CHECK(text == model::prediction_json(s, p, 0).dump());
  s.task = p.task = model::Task::kRegression;
  p.width = 1;
  text.clear();
  model::append_prediction_json(text, s, p, 0);
  CHECK(text == "0.25");
}

TEST_CASE("a signature survives JSON and refuses nonsense") {
  const model::Signature s = signature();
  const auto back = model::Signature::from_json(s.to_json());
  REQUIRE(back);
  CHECK(back->to_json().dump() == s.to_json().dump());
  auto twice = s;
  twice.inputs.push_back(s.inputs[0]);
  CHECK(!model::Signature::from_json(twice.to_json()));
  auto classless = s;
  classless.classes.pop_back();
  CHECK(!model::Signature::from_json(classless.to_json()));
}

// What a request of one row says about it, and what a batch does, are the same: values to the bit, and which rows are bad.
TEST_CASE("a row of a batch is good or bad as a request's row is") {
  const char* kCells[] = {"1.5",  "7",          " 3 ",  "abc", "",     "1e400",     "NaN",
                          "true", "2013-01-31", "0x10", "1,5", "-0.0", "1900-02-29"};
  data::Table texts;
  std::vector<std::string> bodies;
  const auto s = signature();
  for (const auto& input : s.inputs)
    texts.columns.push_back(column(input.name.c_str(), ColumnType::kText));
  for (const auto& input : s.inputs) {
    for (const char* cell : kCells) {
      base::Json row = base::Json::object();
      for (std::size_t i = 0; i < s.inputs.size(); ++i) {
        const bool here = s.inputs[i].name == input.name;
        put_text(texts.columns[i], here ? cell : "");
        row.set(s.inputs[i].name, here ? base::Json(cell) : base::Json());
      }
      bodies.push_back(base::Json::object({{"instances", base::Json::array({row})}}).dump());
    }
  }
  model::InputBatch all, one;
  std::vector<model::RowFault> faults;
  REQUIRE(model::fill_rows(s, texts, 0, bodies.size(), all, faults));
  std::size_t next = 0, bad = 0;
  for (std::size_t r = 0; r < bodies.size(); ++r) {
    const auto filled = model::fill_from_text(s, bodies[r], "instances", one);
    const bool fault = next < faults.size() && faults[next].row == r;
    CHECK_MESSAGE(filled.has_value() == !fault, bodies[r]);
    if (fault) {
      ++bad;
      if (!filled) CHECK(filled.error().message == "row 0, " + faults[next].reason);
      ++next;
      continue;
    }
    for (std::size_t i = 0; i < s.inputs.size(); ++i) {
      const auto &a = all.columns[i], &b = one.columns[i];
      if (!b.texts.empty()) CHECK(a.texts[r] == b.texts[0]);
      if (!b.times.empty()) CHECK(a.times[r] == b.times[0]);
      if (!b.numbers.empty())
        CHECK((a.numbers[r] == b.numbers[0] ||
               (a.numbers[r] != a.numbers[r] && b.numbers[0] != b.numbers[0])));
    }
  }
  CHECK(next == faults.size());
  CHECK(bad > 20);
}

TEST_CASE("typed columns of a batch are held to the model's kinds") {
  data::Table rows;
  Column age = column("age", ColumnType::kFloat), visits = column("visits", ColumnType::kFloat),
         member = column("member", ColumnType::kInteger);
  age.reals = {1.5, std::numeric_limits<double>::infinity(), kNan, 4};
  visits.reals = {2, 2, 2.5, 2};
  member.integers = {1, 0, 1, 2};
  rows.columns = {age, visits, member};
  model::InputBatch batch;
  std::vector<model::RowFault> faults;
  REQUIRE(model::fill_rows(signature(), rows, 0, 4, batch, faults));
  REQUIRE(faults.size() == 3);
  CHECK(faults[0].row == 1);
  CHECK(faults[1].row == 2);
  CHECK(faults[2].row == 3);
  CHECK(batch.columns[0].numbers[0] == 1.5);
  rows.columns.erase(rows.columns.begin());
  const auto lacking = model::fill_rows(signature(), rows, 0, 4, batch, faults);
  REQUIRE_FALSE(lacking);
  CHECK(lacking.error().code == base::Code::kInvalidArgument);
}
