#include <doctest/doctest.h>

#include <cmath>

#include "golden_cases.h"
#include "maru/base/rng.h"
#include "maru/stats/drift.h"

namespace maru::stats {
namespace {

using data::Column;
using data::ColumnType;

constexpr std::size_t kRows = 6000;
constexpr std::int64_t kHourUs = 3'600'000'000;

Column numbers(const std::string& name, std::vector<double> values) {
  Column out;
  out.name = name;
  out.type = ColumnType::kFloat;
  out.reals = std::move(values);
  return out;
}
Column wholes(const std::string& name, ColumnType type, std::vector<std::int64_t> values) {
  Column out;
  out.name = name;
  out.type = type;
  out.integers = std::move(values);
  return out;
}
Column texts(const std::string& name, const std::vector<std::string>& values) {
  Column out;
  out.name = name;
  out.type = ColumnType::kText;
  for (const std::string& value : values) {
    if (value.empty()) {
      out.codes.push_back(-1);
      continue;
    }
    std::size_t at = 0;
    while (at < out.dictionary.size() && out.dictionary[at] != value) ++at;
    if (at == out.dictionary.size()) out.dictionary.push_back(value);
    out.codes.push_back(static_cast<std::int32_t>(at));
  }
  return out;
}
std::vector<std::string> strings_of(const Column& column) {
  std::vector<std::string> out;
  for (std::size_t r = 0; r < column.rows(); ++r) out.push_back(column.display(r));
  return out;
}

// Sales of shops: amounts that depend on the city, times of day, names, a status that goes with the city.
data::Table sales(std::uint64_t seed) {
  base::Rng rng(seed);
  const std::vector<std::string> cities = {"Seoul", "Busan", "Daegu", "Incheon"};
  const std::vector<std::string> statuses = {"paid", "open", "late"};
  const std::vector<std::string> streets = {"Sejong", "Teheran", "Gangnam", "Haeundae Beach",
                                            "Jong"};
  std::vector<double> amount, weight, length;
  std::vector<std::int64_t> time, hour, code;
  std::vector<std::string> city, status, source, address;
  for (std::size_t r = 0; r < kRows; ++r) {
    const double u = rng.uniform();
    const std::size_t c = u < 0.45 ? 0 : u < 0.75 ? 1 : u < 0.9 ? 2 : 3;
    city.push_back(cities[c]);
    source.push_back(rng.uniform() < 0.7 ? "web" : rng.uniform() < 0.5 ? "app" : "till");
    amount.push_back(
        std::round(100 * std::exp(rng.normal() * 0.6 + 2 + 0.3 * static_cast<double>(c))) / 100);
    weight.push_back(5 + rng.normal());
    length.push_back(40 + 10 * rng.normal());
    const double s = rng.uniform() + 0.15 * static_cast<double>(c);
    status.push_back(statuses[s < 0.6 ? 0 : s < 0.85 ? 1 : 2]);
    code.push_back(c == 0 ? (rng.uniform() < 0.9 ? 1 : 2) : (rng.uniform() < 0.2 ? 1 : 2));
    const auto at = static_cast<std::int64_t>(std::fmod(24 + 13 + 3 * rng.normal(), 24));
    hour.push_back(at);
    time.push_back(1'700'000'000'000'000 / (24 * kHourUs) * (24 * kHourUs) +
                   static_cast<std::int64_t>(rng.below(90)) * 24 * kHourUs + at * kHourUs +
                   static_cast<std::int64_t>(rng.below(3600)) * 1'000'000);
    address.push_back(streets[rng.below(5)] + " street " + std::to_string(rng.below(40)) +
                      ", second floor on the left");
  }
  data::Table out;
  out.columns = {texts("city", city),
                 texts("source", source),
                 numbers("amount", amount),
                 numbers("weight", weight),
                 numbers("length", length),
                 texts("status", status),
                 wholes("code", ColumnType::kInteger, code),
                 wholes("hour", ColumnType::kInteger, hour),
                 wholes("time", ColumnType::kTimestamp, time),
                 texts("address", address)};
  return out;
}

Column& column(data::Table& table, const std::string& name) {
  return table.columns[static_cast<std::size_t>(table.index_of(name))];
}

// The first culprit of the comparison with an untouched table.
base::Json first_culprit(const data::Table& changed) {
  const DriftReport report = compare_tables(sales(1), changed);
  REQUIRE_MESSAGE(report.drift, "nothing found");
  REQUIRE_MESSAGE(report.culprits.size() > 0, report.columns.front().name, ": ",
                  report.columns.front().reason);
  return report.culprits.at(0);
}

void expect(const base::Json& culprit, const std::string& name, const std::string& kind,
            const std::string& slice) {
  INFO(culprit.dump());
  CHECK(culprit["column"].as_string() == name);
  CHECK(culprit["kind"].as_string() == kind);
  CHECK(culprit["slice"].as_string() == slice);
  CHECK(culprit["share"].as_double() > 0.5);
  CHECK(culprit["share"].as_double() <= 1);
}

}  // namespace

TEST_CASE("no culprit is named where nothing changed") {
  for (std::uint64_t seed = 2; seed < 12; ++seed) {
    const DriftReport report = compare_tables(sales(1), sales(seed));
    CHECK_FALSE(report.drift);
    CHECK(report.culprits.size() == 0);
  }
}

TEST_CASE("a constant factor is named, with its slice and its unit") {
  data::Table changed = sales(2);
  for (double& v : column(changed, "weight").reals) v *= 1000;
  base::Json culprit = first_culprit(changed);
  expect(culprit, "weight", "scale", "");
  CHECK(culprit["factor"].as_double() == doctest::Approx(1000).epsilon(0.02));
  CHECK(culprit["meaning"].as_string().find("grams") != std::string::npos);

  changed = sales(3);
  for (std::size_t r = 0; r < kRows; ++r)
    if (column(changed, "city").text(r) == "Daegu") column(changed, "amount").reals[r] /= 100;
  culprit = first_culprit(changed);
  expect(culprit, "amount", "scale", "city: Daegu");
  CHECK(culprit["factor"].as_double() == doctest::Approx(0.01).epsilon(0.1));
}

TEST_CASE("a shift, a mirror, a stretch and lost precision are told apart") {
  data::Table changed = sales(2);
  for (double& v : column(changed, "length").reals) v += 5;
  base::Json culprit = first_culprit(changed);
  expect(culprit, "length", "shift", "");
  CHECK(culprit["shift"].as_double() == doctest::Approx(5).epsilon(0.1));
  changed = sales(3);
  for (double& v : column(changed, "amount").reals) v = -v;
  expect(first_culprit(changed), "amount", "mirrored", "");
  changed = sales(4);
  for (double& v : column(changed, "length").reals) v = 40 + 2 * (v - 40);
  culprit = first_culprit(changed);
  expect(culprit, "length", "stretched", "");
  CHECK(culprit["factor"].as_double() == doctest::Approx(2).epsilon(0.1));
  changed = sales(5);
  for (double& v : column(changed, "weight").reals) v = std::round(v);
  culprit = first_culprit(changed);
  expect(culprit, "weight", "rounded", "");
  CHECK(culprit["factor"].as_double() == doctest::Approx(1));
}

TEST_CASE("missing cells are blamed on the source they come from") {
  data::Table changed = sales(2);
  Column& amount = column(changed, "amount");
  amount.valid.assign(kRows, 1);
  base::Rng rng(9);
  for (std::size_t r = 0; r < kRows; ++r)
    if (column(changed, "source").text(r) == "till" && rng.uniform() < 0.7) amount.valid[r] = 0;
  const base::Json culprit = first_culprit(changed);
  expect(culprit, "amount", "missing", "source: till");
  CHECK(culprit["after"].as_double() == doctest::Approx(0.7).epsilon(0.1));
}

TEST_CASE("a default value that spread is named, with its source") {
  data::Table changed = sales(2);
  base::Rng rng(9);
  for (std::size_t r = 0; r < kRows; ++r)
    if (column(changed, "source").text(r) == "app" && rng.uniform() < 0.5)
      column(changed, "length").reals[r] = -999;
  const base::Json culprit = first_culprit(changed);
  expect(culprit, "length", "spike", "source: app");
  CHECK(culprit["value"].as_double() == -999);
}

TEST_CASE("renamed and recoded categories come with their mapping") {
  data::Table changed = sales(2);
  std::vector<std::string> values = strings_of(column(changed, "city"));
  for (std::string& v : values)
    v = v == "Seoul" ? "SEL" : v == "Busan" ? "PUS" : v == "Daegu" ? "TAE" : v;
  column(changed, "city") = texts("city", values);
  base::Json culprit = first_culprit(changed);
  expect(culprit, "city", "renamed", "");
  REQUIRE(culprit["mapping"].size() == 3);
  for (const auto& pair : culprit["mapping"].items()) {
    const std::string from = pair["old"].as_string(), to = pair["new"].as_string();
    CHECK(((from == "Seoul" && to == "SEL") || (from == "Busan" && to == "PUS") ||
           (from == "Daegu" && to == "TAE")));
  }
  changed = sales(3);
  for (std::int64_t& v : column(changed, "code").integers) v = 3 - v;
  culprit = first_culprit(changed);
  // Half of the rows have either code, so the shares did not move: the company they keep tells.
  expect(culprit, "code", "recoded", "");
  CHECK(culprit["mapping"].size() == 2);
}

TEST_CASE("another time zone is told by the hours, of all rows or of one source") {
  data::Table changed = sales(2);
  for (std::int64_t& v : column(changed, "hour").integers) v = (v + 9) % 24;
  base::Json culprit = first_culprit(changed);
  expect(culprit, "hour", "timezone", "");
  CHECK(culprit["hours"].as_double() == 9);
  changed = sales(3);
  for (std::size_t r = 0; r < kRows; ++r)
    if (column(changed, "source").text(r) != "web")
      column(changed, "time").integers[r] -= 5 * kHourUs;
  // The two sources that are not the web came five hours early: each alone explains half, so take one away.
  for (std::size_t r = 0; r < kRows; ++r)
    if (column(changed, "source").text(r) == "app")
      column(changed, "time").integers[r] += 5 * kHourUs;
  culprit = first_culprit(changed);
  expect(culprit, "time", "timezone", "source: till");
  CHECK(culprit["hours"].as_double() == -5);
}

TEST_CASE("text that is cut off is named with its length") {
  data::Table changed = sales(2);
  std::vector<std::string> values = strings_of(column(changed, "address"));
  for (std::string& v : values) v = v.substr(0, 20);
  column(changed, "address") = texts("address", values);
  const base::Json culprit = first_culprit(changed);
  expect(culprit, "address", "truncated", "");
  CHECK(culprit["length"].as_int() == 20);
}

TEST_CASE("columns that were swapped are named together") {
  data::Table changed = sales(2);
  std::swap(column(changed, "weight").reals, column(changed, "length").reals);
  const base::Json culprit = first_culprit(changed);
  expect(culprit, "weight", "swapped", "");
  CHECK(culprit["other"].as_string() == "length");
}

TEST_CASE("words among numbers are quoted") {
  data::Table changed = sales(2);
  std::vector<std::string> values = strings_of(column(changed, "amount"));
  for (std::size_t r = 0; r < kRows; r += 30) values[r] = "n/a";
  column(changed, "amount") = texts("amount", values);
  const base::Json culprit = first_culprit(changed);
  expect(culprit, "amount", "words", "");
  CHECK(culprit["explanation"].as_string().find("n/a") != std::string::npos);
}

TEST_CASE("what changed in one group without a simple law is still laid at its door") {
  data::Table changed = sales(2);
  base::Rng rng(4);
  std::vector<std::string> values = strings_of(column(changed, "status"));
  for (std::size_t r = 0; r < kRows; ++r)
    if (column(changed, "city").text(r) == "Busan" && rng.uniform() < 0.6) values[r] = "late";
  column(changed, "status") = texts("status", values);
  expect(first_culprit(changed), "status", "moved", "city: Busan");
}

TEST_CASE("culprits are ranked by what they explain") {
  data::Table changed = sales(2);
  for (double& v : column(changed, "weight").reals) v *= 1000;
  for (std::size_t r = 0; r < kRows; ++r)
    if (column(changed, "city").text(r) == "Daegu") column(changed, "amount").reals[r] *= 3;
  const DriftReport report = compare_tables(sales(1), changed);
  REQUIRE(report.culprits.size() >= 2);
  for (std::size_t i = 1; i < report.culprits.size(); ++i)
    if (report.culprits.at(i)["kind"].as_string() != "relation")
      CHECK(report.culprits.at(i - 1)["share"].as_double() >=
            report.culprits.at(i)["share"].as_double());
}

}  // namespace maru::stats
