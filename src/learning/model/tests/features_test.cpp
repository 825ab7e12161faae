#include <map>

#include "calendar_reference.h"
#include "graphs.h"

using namespace graphs;

namespace {

std::size_t feature(const transform::FeaturePlan& plan, const std::string& name) {
  const auto at = std::find(plan.feature_names.begin(), plan.feature_names.end(), name);
  REQUIRE_MESSAGE(at != plan.feature_names.end(), name);
  return static_cast<std::size_t>(at - plan.feature_names.begin());
}

model::FeatureMatrix run(const transform::FeaturePlan& plan, const Table& fit_rows,
                         const Table& rows) {
  const auto graph = transform::emit_features(plan);
  REQUIRE(graph);
  const auto out = model::run_features(*graph, signature_of(plan, fit_rows), rows);
  REQUIRE_MESSAGE(out, (out ? "" : out.error().text()));
  return *out;
}

}  // namespace

TEST_CASE(
    "tree features: numbers as they are, ranks of text, calendar parts; holes are NaN or have a "
    "rank") {
  const Table rows = table(5000);
  const auto plan = plan_of(rows, transform::Target::kTrees);
  const auto matrix = run(plan, rows, rows);
  CHECK(matrix.rows == 5000);
  CHECK(matrix.names == plan.feature_names);
  CHECK(matrix.columns == plan.feature_names.size());
  const auto at = [&](std::size_t r, const std::string& name) {
    return matrix.values[r * matrix.columns + feature(plan, name)];
  };
  std::map<std::string, std::size_t> rank;
  const auto& city = plan.columns[3];
  for (std::size_t k = 0; k < city.vocabulary.size(); ++k)
    rank[city.vocabulary[k]] = k + (static_cast<double>(k) >= city.rare_code ? 1 : 0);
  std::size_t wrong = 0;
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    wrong += same(at(r, "age"), rows.columns[0].number(r)) ? 0 : 1;
    wrong += same(at(r, "visits"), rows.columns[1].number(r)) ? 0 : 1;
    wrong += same(at(r, "member"), rows.columns[2].number(r)) ? 0 : 1;
    wrong +=
        at(r, "city") == static_cast<double>(rank.at(std::string(rows.columns[3].text(r)))) ? 0 : 1;
    for (const char* part : {"year", "month", "day", "weekday", "hour", "minute_of_day",
                             "day_of_year", "elapsed_days"}) {
      const double want =
          rows.columns[5].is_valid(r)
              ? static_cast<double>(reference_part(rows.columns[5].integers[r], part))
              : kNan;
      wrong += same(at(r, std::string("signup ") + part), want) ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE(
    "linear features: imputed, standardised and flagged; one 0/1 column a value, one for the rest, "
    "one for missing") {
  const Table rows = table(2000);
  const auto plan = plan_of(rows, transform::Target::kLinear);
  const auto matrix = run(plan, rows, rows);
  const auto at = [&](std::size_t r, const std::string& name) {
    return matrix.values[r * matrix.columns + feature(plan, name)];
  };
  const auto& age = plan.columns[0];
  std::size_t wrong = 0;
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    const double raw = rows.columns[0].number(r);
    const double want = ((std::isnan(raw) ? age.fill : raw) - age.center) / age.scale;
    wrong += at(r, "age") == want ? 0 : 1;
    wrong += at(r, "age is missing") == (std::isnan(raw) ? 1 : 0) ? 0 : 1;
    const auto city = rows.columns[3].text(r);
    wrong += at(r, "city = Jeju") == (city == "Jeju" ? 1 : 0) ? 0 : 1;
    wrong += at(r, "city is missing") == (city.empty() ? 1 : 0) ? 0 : 1;
    wrong += at(r, "city is other") == 0 ? 0 : 1;
    const bool known = rows.columns[5].is_valid(r);
    const auto hour = reference_part(rows.columns[5].integers[r], "hour");
    wrong += at(r, "signup hour = 13") == (known && hour == 13 ? 1 : 0) ? 0 : 1;
    wrong += at(r, "signup is missing") == (known ? 0 : 1) ? 0 : 1;
  }
  CHECK(wrong == 0);
  double sum = 0;
  for (const double v : matrix.values) sum += std::isfinite(v) ? 0 : 1;
  CHECK(sum == 0);
}

TEST_CASE(
    "unseen text is other, infinity is clipped, and the extremes of time do not break the "
    "calendar") {
  const Table fit_rows = table(500);
  Table rows = table(3);
  rows.columns[3].dictionary = {"Atlantis", "", "Jeju"};
  rows.columns[3].codes = {0, 1, 2};
  rows.columns[3].valid.clear();
  rows.columns[0].reals = {std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity(), 1e300};
  rows.columns[0].valid.clear();
  rows.columns[5].integers = {INT64_MIN + 1, INT64_MAX, INT64_MIN};
  rows.columns[5].valid.clear();
  const auto linear = plan_of(fit_rows, transform::Target::kLinear);
  const auto matrix = run(linear, fit_rows, rows);
  CHECK(matrix.values[feature(linear, "city is other")] == 1);
  CHECK(matrix.values[matrix.columns + feature(linear, "city is missing")] == 1);
  CHECK(matrix.values[feature(linear, "age")] == 100);
  CHECK(matrix.values[matrix.columns + feature(linear, "age")] == -100);
  CHECK(matrix.values[2 * matrix.columns + feature(linear, "signup is missing")] == 1);
  const auto trees = plan_of(fit_rows, transform::Target::kTrees);
  const auto ranks = run(trees, fit_rows, rows);
  CHECK(ranks.values[feature(trees, "city")] == trees.columns[3].rare_code);
  CHECK(ranks.values[feature(trees, "age")] == std::numeric_limits<double>::infinity());
  // What pandas makes of a missing text.
  rows.columns[3].dictionary = {"nan", "", "None"};
  for (const auto& plan : {linear, trees}) {
    const auto missing = run(plan, fit_rows, rows);
    for (std::size_t c = 0; c < missing.columns; ++c) {
      if (missing.names[c].rfind("city", 0) != 0) continue;
      CHECK(missing.values[c] == missing.values[missing.columns + c]);
      CHECK(missing.values[2 * missing.columns + c] == missing.values[missing.columns + c]);
    }
  }
}

TEST_CASE("a column that is not there is named; no rows give no features") {
  const Table rows = table(100);
  const auto plan = plan_of(rows, transform::Target::kTrees);
  const auto graph = transform::emit_features(plan);
  REQUIRE(graph);
  const auto missing = model::run_features(
      *graph, signature_of(plan, rows), rows.select({"age", "visits", "member", "city", "signup"}));
  REQUIRE(!missing);
  CHECK(missing.error().message.find("`plan`") != std::string::npos);
  const auto none = model::run_features(*graph, signature_of(plan, rows), rows.slice(0, 0));
  REQUIRE(none);
  CHECK(none->rows == 0);
  CHECK(none->values.empty());
}

TEST_CASE("words of a text: the native plan and ONNX Runtime count the same, whatever the text") {
  Table rows;
  rows.columns.push_back(column("message", ColumnType::kText));
  std::vector<double> target;
  for (std::size_t r = 0; r < 400; ++r) {
    put_text(rows.columns[0],
             (r % 3 == 0 ? "WIN a free prize " : "see you, 서울! ") + std::to_string(r));
    target.push_back(r % 3 == 0 ? 1 : 0);
  }
  for (const auto kind : {transform::Target::kTrees, transform::Target::kLinear}) {
    transform::FitOptions options;
    options.target = kind;
    const auto plan = transform::fit_features(rows, {"message"}, target, options);
    REQUIRE(plan);
    const auto graph = transform::emit_features(*plan);
    REQUIRE(graph);
    const model::Signature signature = signature_of(*plan, rows);
    const auto native = model::compile_native(*graph, signature);
    REQUIRE_MESSAGE(native, (native ? "" : native.error().text()));
    const auto ort =
        model::load_onnxruntime(*model::write_onnx(*graph, base::Json::object()), signature);
    REQUIRE_MESSAGE(ort, (ort ? "" : ort.error().text()));
    model::InputBatch batch;
    batch.reset(signature, 8);
    batch.columns[0].texts = {"",
                              "   ",
                              "WIN WIN win free,",
                              "see  you,  서울!",
                              "a\tfree\nprize free",
                              std::string("free\0 free", 10),
                              "unknown words here",
                              std::string(5000, 'x') + " prize"};
    model::Predictions a, b;
    REQUIRE((*native)->predict(batch, a));
    REQUIRE((*ort)->predict(batch, b));
    CHECK(a.width == plan->feature_names.size());
    CHECK(a.scores == b.scores);
    const std::size_t win = feature(*plan, "message has win");
    CHECK(a.scores[2 * a.width + win] == 1);
    CHECK(a.scores[0 * a.width + win] == 0);
    // One row alone gives the same, also when it has no word at all.
    for (std::size_t r = 0; r < 8; ++r) {
      model::InputBatch one;
      one.reset(signature, 1);
      one.columns[0].texts[0] = batch.columns[0].texts[r];
      REQUIRE((*ort)->predict(one, b));
      CHECK(std::equal(b.scores.begin(), b.scores.end(),
                       a.scores.begin() + static_cast<std::ptrdiff_t>(r * a.width)));
    }
  }
}
