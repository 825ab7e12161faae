#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "maru/base/rng.h"
#include "maru/stats/drift.h"
#include "maru/stats/profile.h"
#include "maru/stats/schema.h"

namespace maru::stats {
namespace {

data::Column numbers(const std::string& name, std::vector<double> values) {
  data::Column out;
  out.name = name;
  out.type = data::ColumnType::kFloat;
  for (const double value : values) out.valid.push_back(std::isnan(value) ? 0 : 1);
  out.reals = std::move(values);
  return out;
}

data::Column texts(const std::string& name, const std::vector<std::string>& values) {
  data::Column out;
  out.name = name;
  out.type = data::ColumnType::kText;
  for (const auto& value : values) {
    const auto at = std::find(out.dictionary.begin(), out.dictionary.end(), value);
    out.codes.push_back(value.empty() ? -1
                                      : static_cast<std::int32_t>(at - out.dictionary.begin()));
    out.valid.push_back(value.empty() ? 0 : 1);
    if (!value.empty() && at == out.dictionary.end()) out.dictionary.push_back(value);
  }
  return out;
}

data::Table colours(int rows, const std::string& odd) {
  std::vector<std::string> words;
  for (int i = 0; i < rows; ++i)
    words.push_back(i % 50 == 7 && !odd.empty() ? odd : i % 2 == 0 ? "red" : "blue");
  data::Table out;
  out.columns.push_back(texts("colour", words));
  return out;
}

const Anomaly* find(const std::vector<Anomaly>& list, const std::string& kind) {
  for (const auto& item : list) {
    if (item.kind == kind) return &item;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a stored profile whose quantile has no number for a name is refused") {
  const auto json = base::parse_json(
      R"({"rows":1,"columns":[{"name":"a","type":"float","quantiles":{"half":1}}]})");
  REQUIRE(json);
  const auto read = Profile::from_json(*json);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == base::Code::kInvalidArgument);
}

TEST_CASE("moments and quantiles of a small column are those computed by hand") {
  const ColumnProfile p = profile_column(numbers("x", {1, 2, 2, 3, 10, std::nan("")}));
  CHECK(p.count == 6);
  CHECK(p.missing == 1);
  CHECK(p.distinct == 4);
  CHECK(p.mean == doctest::Approx(3.6));
  CHECK(p.std == doctest::Approx(std::sqrt(10.64)));
  CHECK(p.mode == "2.0");
}

TEST_CASE("data that follows its own schema has no anomaly") {
  const data::Table table = colours(500, "");
  const Profile profile = profile_table(table);
  CHECK(validate(table, profile, infer_schema(profile)).empty());
}

TEST_CASE("a value that was never seen is named with rows and a fix") {
  const data::Table before = colours(500, "");
  const Schema schema = infer_schema(profile_table(before));
  const data::Table after = colours(500, "green");
  const auto found = validate(after, profile_table(after), schema);
  const Anomaly* anomaly = find(found, "enum_type_unexpected_string_values");
  REQUIRE(anomaly != nullptr);
  CHECK(anomaly->severity == Severity::kError);
  CHECK(anomaly->rows == 10);
  CHECK(anomaly->examples.front() == 7);
  CHECK(anomaly->message.find("\"green\"") != std::string::npos);
  CHECK_FALSE(anomaly->fix.empty());
}

TEST_CASE("a missing column is an error that names the likely new name") {
  const Schema schema = infer_schema(profile_table(colours(500, "")));
  data::Table renamed = colours(500, "");
  renamed.columns[0].name = "color";
  const auto found = validate(renamed, profile_table(renamed), schema);
  const Anomaly* anomaly = find(found, "feature_type_not_present");
  REQUIRE(anomaly != nullptr);
  CHECK(anomaly->fix.find("`color`") != std::string::npos);
  CHECK(has_errors(found));
}

TEST_CASE("a schema survives JSON, and an unknown key is named") {
  const Schema schema = infer_schema(profile_table(colours(500, "")));
  const auto again = Schema::from_json(schema.to_json());
  REQUIRE(again.has_value());
  CHECK(again->to_json() == schema.to_json());
  base::Json wrong = schema.to_json();
  wrong.set("rows_mn", 1);
  const auto refused = Schema::from_json(wrong);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().hint.find("rows_min") != std::string::npos);
}

TEST_CASE("a copy of the label is a leak, an honest feature is not") {
  base::Rng rng(7);
  std::vector<double> label, copy, honest;
  for (int i = 0; i < 2000; ++i) {
    label.push_back(rng.uniform() < 0.3 ? 1 : 0);
    copy.push_back(label.back() * 5 + rng.uniform() * 0.1);
    honest.push_back(label.back() + rng.normal() * 2);
  }
  data::Table table;
  table.columns.push_back(numbers("copy", copy));
  table.columns.push_back(numbers("honest", honest));
  const auto leaks = find_leaks(table, numbers("y", label), {"copy", "honest"}, {});
  REQUIRE(leaks.size() == 1);
  CHECK(leaks[0].column == "copy");
  CHECK(leaks[0].score > 0.99);
  CHECK(find_leaks(table, numbers("y", label), {"copy", "honest"}, {"copy"}).empty());
}

TEST_CASE("the parts of a sum are leaks together, and columns beside them are not") {
  base::Rng rng(8);
  std::vector<double> casual, registered, total, nearly, weather, doubled;
  for (int i = 0; i < 3000; ++i) {
    weather.push_back(rng.normal());
    casual.push_back(std::floor(40 * rng.uniform() + 8 * weather.back()));
    registered.push_back(std::floor(100 * rng.uniform() - 4 * weather.back()));
    doubled.push_back(2 * weather.back());
    total.push_back(casual.back() + registered.back());
    nearly.push_back(total.back() + 12 * rng.normal());
  }
  data::Table table;
  table.columns = {numbers("weather", weather), numbers("casual", casual),
                   numbers("doubled", doubled), numbers("registered", registered)};
  const std::vector<std::string> names = {"weather", "casual", "doubled", "registered"};
  const auto leaks = find_leaks(table, numbers("y", total), names, {});
  REQUIRE(leaks.size() == 2);
  CHECK(leaks[0].column == "casual");
  CHECK(leaks[1].column == "registered");
  CHECK(leaks[0].reason.find("1 * casual + 1 * registered") != std::string::npos);
  CHECK(find_leaks(table, numbers("y", total), names, {"casual"}).empty());
  CHECK(find_leaks(table, numbers("y", nearly), names, {}).empty());
}

TEST_CASE("the same distribution does not drift however many rows, a shifted one does") {
  base::Rng rng(11);
  const auto normal = [&](int rows, double mean) {
    std::vector<double> values;
    for (int i = 0; i < rows; ++i) values.push_back(mean + rng.normal());
    data::Table out;
    out.columns.push_back(numbers("x", values));
    return out;
  };
  const data::Table reference = normal(200'000, 0);
  CHECK_FALSE(compare_tables(reference, normal(200'000, 0)).drift);
  CHECK_FALSE(compare_tables(reference, normal(200'000, 0.01)).drift);
  const DriftReport moved = compare_tables(reference, normal(5'000, 0.3));
  CHECK(moved.drift);
  CHECK(moved.columns[0].questions["centre"]["verdict"].as_string() != "ok");
  const Profile profile = profile_table(reference);
  CHECK_FALSE(compare_with_profile(profile, normal(5'000, 0)).drift);
  CHECK(compare_with_profile(profile, normal(5'000, 0.3)).drift);
}

}  // namespace maru::stats
