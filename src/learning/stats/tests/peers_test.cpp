#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "distribution.h"
#include "golden_cases.h"
#include "maru/stats/drift.h"
#include "maru/stats/measures.h"

namespace maru::stats {
namespace {

std::vector<base::Json> lines_of(const std::string& file) {
  std::vector<base::Json> out;
  const auto text = base::read_file(shared_folder() + "/golden/peers/" + file);
  if (!text) {
    MESSAGE("skipped: no answers of a peer in ", file);
    return out;
  }
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) out.push_back(*base::parse_json(line));
  return out;
}

const ColumnDrift* find(const DriftReport& report, const std::string& name) {
  for (const ColumnDrift& column : report.columns)
    if (column.name == name) return &column;
  return nullptr;
}

double van_der_corput(int i, int base) {
  double out = 0, place = 1.0 / base;
  for (; i > 0; i /= base, place /= base) out += place * (i % base);
  return out;
}

}  // namespace

TEST_CASE("the Evidently mode says what Evidently says, number for number") {
  int compared = 0, texts = 0;
  for (const base::Json& line : lines_of("evidently.jsonl")) {
    const std::string name = line["case"].as_string();
    CAPTURE(name);
    const DriftReport report =
        compare_as_evidently(read_typed(GoldenCases::get().file(name, "reference")),
                             read_typed(GoldenCases::get().file(name, "current")));
    for (const auto& [column, score] : line["scores"].members()) {
      CAPTURE(column);
      const ColumnDrift* said = find(report, column);
      REQUIRE(said != nullptr);
      const std::string method = score.at(0).as_string();
      if (method.find("text content") != std::string::npos) {
        ++texts;
        continue;
      }
      CHECK_MESSAGE(said->measures["method"].as_string() == method, said->reason);
      const double want = score.at(2).as_double(), got = said->measures["value"].as_double();
      CHECK_MESSAGE(std::fabs(got - want) <= 1e-9 + 1e-8 * std::fabs(want), got, " not ", want);
      CHECK(said->measures["threshold"].as_double() == score.at(1).as_double());
      bool flagged = false;
      for (const auto& item : line["flagged"].items())
        flagged = flagged || item.as_string() == column;
      CHECK(said->drift == flagged);
      ++compared;
    }
  }
  MESSAGE("compared ", compared, " columns, left out ", texts, " of free text");
  CHECK((compared > 350 || compared == 0));
}

TEST_CASE("the TFDV mode gives TFDV's distances") {
  int categories = 0;
  std::vector<double> gaps;
  for (const base::Json& line : lines_of("tfdv.jsonl")) {
    const std::string name = line["case"].as_string();
    CAPTURE(name);
    const DriftReport report =
        compare_as_tfdv(read_typed(GoldenCases::get().file(name, "reference")),
                        read_typed(GoldenCases::get().file(name, "current")));
    for (const auto& [column, distances] : line["distances"].members()) {
      CAPTURE(column);
      const ColumnDrift* said = find(report, column);
      REQUIRE(said != nullptr);
      const double want = distances.at(0).at(0).as_double();
      const double got = said->measures["value"].as_double();
      const data::Table raw = GoldenCases::get().raw(name, "reference");
      // Of ids it compares which thousand of the equally frequent values it happened to keep.
      if (Counts::of(*raw.find(column)).distinct > 1000 && distances.at(0).at(1).as_int() == 1)
        continue;
      if (distances.at(0).at(1).as_int() == 1) {
        CHECK_MESSAGE(std::fabs(got - want) <= 1e-9, said->reason, ", not ", want);
        ++categories;
      } else {
        gaps.push_back(std::fabs(got - want));
      }
    }
  }
  if (gaps.empty()) return;
  std::sort(gaps.begin(), gaps.end());
  // TFDV reads its histograms off a sketch with an error of 1 % of the rows.
  CHECK(gaps[gaps.size() / 2] < 0.001);
  CHECK(gaps[gaps.size() * 95 / 100] < 0.01);
  CHECK(categories > 150);
}

TEST_CASE("the reference numbers of a known sequence, in every tool's convention") {
  const auto check = [](double got, double want) {
    CHECK(std::fabs(got - want) <= 6e-6 * std::fabs(want));
  };
  const int n = 5000, m = 4000;
  std::vector<double> x, y, p(5, 0), q(5, 0);
  for (int i = 1; i <= n; ++i) {
    x.push_back(-std::log(1 - van_der_corput(i, 2)));
    ++p[static_cast<std::size_t>(5 * std::pow(van_der_corput(i, 2), 1.5))];
  }
  for (int i = 1; i <= m; ++i) {
    y.push_back(-1.2 * std::log(1 - van_der_corput(i, 3)));
    ++q[static_cast<std::size_t>(5 * std::pow(van_der_corput(i, 3), 1.2))];
  }
  const NumberMeasures numbers = number_measures(Sample::of(x), Sample::of(y));
  check(numbers.wasserstein, 0.19769950);
  check(numbers.wasserstein_normed, 0.19947044);
  check(numbers.energy, 0.13412276);
  check(numbers.ks, 0.06725);
  check(ks_exact_p(numbers.ks, n, m), 3.52282e-09);
  const BinMeasures shares = bin_measures(p, q);
  check(shares.psi, 0.03438982);
  check(shares.js_distance_nat, 0.06548699);  // Evidently
  check(shares.hellinger, 0.06552578);
  check(shares.chi2, 75.63487);
  check(shares.chi2_p, 1.46259e-15);
  check(shares.linf, 0.08065);
  check(shares.js_distance_base2, 0.07865789);    // NannyML
  check(shares.js_divergence_base2, 0.00618706);  // TFDV
  check(shares.normalized_abs_difference, 0.07388889);
}

}  // namespace maru::stats
