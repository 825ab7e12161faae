#include "maru/model/postprocess.h"

#include <cmath>

#include "graphs.h"
#include "maru/model/explain.h"

using namespace maru;
using namespace graphs;
using model::Postprocess;
using model::Task;

namespace {

base::Json json(const char* text) {
  auto out = base::parse_json(text);
  REQUIRE(out);
  return *out;
}

Postprocess declared(const char* text) {
  auto out = Postprocess::from_json(json(text));
  REQUIRE_MESSAGE(out, (out ? "" : out.error().text()));
  return *out;
}

// Both engines give what apply() says, to the bit in the native one.
void check_graph(Model m, const char* text) {
  const Postprocess post = declared(text);
  const auto batch = batch_of(m, m.rows);
  auto wanted = predict(*native(m), batch), reference = predict(*onnxruntime(m), batch);
  model::Explanation before, after;
  REQUIRE(native(m)->explain(batch, before));
  post.apply(wanted);
  post.apply(reference);
  REQUIRE(post.append(m.graph, m.signature));
  const auto got = predict(*native(m), batch), other = predict(*onnxruntime(m), batch);
  CHECK(got.scores == wanted.scores);
  for (std::size_t i = 0; i < other.scores.size(); ++i)
    CHECK(other.scores[i] == doctest::Approx(reference.scores[i]).epsilon(1e-12));
  REQUIRE(native(m)->explain(batch, after));  // of the raw score, which stays
  CHECK(after.contributions == before.contributions);
}

}  // namespace

TEST_CASE("post-processing in the graph is what was declared, in both engines") {
  const Model regression = tree_model(200, 30, 5, Task::kRegression);
  check_graph(regression, R"({"unit": {"name": "seconds", "multiply": 60, "offset": 5}})");
  check_graph(regression, R"({"clamp": {"min": -0.1, "max": 0.2}})");
  check_graph(regression, R"({"clamp": {"min": 0}})");
  check_graph(regression,
              R"({"unit": {"name": "cm", "multiply": 100}, "clamp": {"max": 50}, "round": 1})");
  const Model binary = tree_model(200, 30, 5), line = linear_model(200);
  check_graph(binary, R"({"calibration": {"slope": 1.7, "intercept": -0.4}})");
  check_graph(
      line,
      R"({"calibration": {"slope": 0.5, "intercept": 1}, "clamp": {"min": 0.01, "max": 0.99}, "round": 3})");
}

TEST_CASE("a rounded half goes to the even neighbour") {
  const Postprocess whole = declared(R"({"round": 0})");
  CHECK(whole.apply(0.5) == 0);
  CHECK(whole.apply(1.5) == 2);
  CHECK(whole.apply(-2.5) == -2);
  CHECK(declared(R"({"round": 2})").apply(1.005) == doctest::Approx(1.0).epsilon(1e-12));
}

TEST_CASE("threshold and names become the signature's; the label's own classes are kept") {
  Model m = tree_model(60, 5, 3);
  m.signature.threshold = 0.4;
  REQUIRE(declared(R"({"names": {"class 1": "late"}, "round": 1})").append(m.graph, m.signature));
  CHECK(m.signature.classes == std::vector<std::string>{"class 0", "late"});
  CHECK(m.signature.classes_of_label() == std::vector<std::string>{"class 0", "class 1"});
  CHECK(m.signature.threshold == 0.4);
  const auto again = model::Signature::from_json(m.signature.to_json());
  REQUIRE(again);
  CHECK(again->label_values == m.signature.label_values);
  CHECK(again->postprocess.dump() == m.signature.postprocess.dump());
  CHECK(model::prediction_json(*again, predict(*native(m), batch_of(m, m.rows.slice(0, 1))),
                               0)["prediction"]
            .is_string());

  Model chosen = tree_model(60, 5, 3);
  REQUIRE(declared(R"({"threshold": 0.2, "calibration": {"slope": 2, "intercept": 1}})")
              .append(chosen.graph, chosen.signature));
  CHECK(chosen.signature.threshold == 0.2);
  Model moved = tree_model(60, 5, 3);  // what training chose moves with the scores
  REQUIRE(declared(R"({"calibration": {"slope": 1, "intercept": 1}})")
              .append(moved.graph, moved.signature));
  CHECK(moved.signature.threshold == doctest::Approx(1 / (1 + std::exp(-1.0))));
}

TEST_CASE("wrong declarations are refused, by name") {
  for (const char* text :
       {R"({"clip": {}})", R"({"clamp": {"min": 2, "max": 1}})",
        R"({"clamp": {"min": 1, "max": 1}})", R"({"clamp": {"least": 1}})", R"({"clamp": 3})",
        R"({"round": 1.5})", R"({"round": -1})", R"({"round": 13})", R"({"unit": {"multiply": 2}})",
        R"({"unit": {"name": "m", "multiply": 0}})", R"({"threshold": 1.5})",
        R"({"threshold": "half"})", R"({"calibration": "isotonicc"})",
        R"({"calibration": {"slope": -1}})", R"({"names": {"a": "x", "b": "x"}})", R"([1])"}) {
    const auto out = Postprocess::from_json(json(text));
    CHECK_MESSAGE(!out, text);
    if (!out) CHECK(out.error().code == base::Code::kInvalidArgument);
  }
  const std::vector<std::string> classes = {"no", "yes"};
  CHECK(declared("{}").check(Task::kBinary, classes));
  CHECK_FALSE(declared(R"({"unit": "m"})").check(Task::kBinary, classes));
  CHECK_FALSE(declared(R"({"threshold": 0.5})").check(Task::kRegression, {}));
  CHECK_FALSE(declared(R"({"calibration": "platt"})").check(Task::kMulticlass, {"a", "b", "c"}));
  CHECK_FALSE(declared(R"({"round": 2})").check(Task::kMulticlass, {"a", "b", "c"}));
  CHECK_FALSE(declared(R"({"clamp": {"min": 2}})").check(Task::kBinary, classes));
  CHECK_FALSE(declared(R"({"names": {"maybe": "x"}})").check(Task::kBinary, classes));
  CHECK_FALSE(declared(R"({"names": {"yes": "no"}})").check(Task::kBinary, classes));
  CHECK(declared(R"({"names": {"yes": "no", "no": "yes"}})").check(Task::kBinary, classes));
}

TEST_CASE("Platt scaling finds the line that made the labels") {
  base::Rng rng(5);
  model::Predictions answers;
  std::vector<double> labels;
  for (int r = 0; r < 40'000; ++r) {
    const double x = 2 * rng.normal();
    labels.push_back(rng.uniform() < 1 / (1 + std::exp(-(0.6 * x - 0.8))) ? 1 : 0);
    answers.scores.push_back(1 / (1 + std::exp(-x)));
  }
  answers.rows = answers.scores.size();
  Postprocess post = declared(R"({"calibration": "platt"})");
  REQUIRE(post.fit(labels, answers));
  CHECK(post.slope == doctest::Approx(0.6).epsilon(0.05));
  CHECK(post.intercept == doctest::Approx(-0.8).epsilon(0.05));
  CHECK_FALSE(declared(R"({"calibration": "platt"})")
                  .fit(std::vector<double>(labels.size(), 1.0), answers));
  for (double& label : labels) label = 1 - label;
  CHECK_FALSE(declared(R"({"calibration": "platt"})").fit(labels, answers));
}

TEST_CASE("a unit is taken back before an answer is judged by the label") {
  model::Signature signature;
  signature.task = Task::kRegression;
  signature.postprocess = json(R"({"unit": {"name": "seconds", "multiply": 60, "offset": 1}})");
  model::Predictions answers;
  answers.scores = {61, 121};
  model::to_label_unit(signature, answers);
  CHECK(answers.scores == std::vector<double>{1, 2});
}
