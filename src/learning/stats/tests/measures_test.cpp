#include "maru/stats/measures.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "distribution.h"
#include "golden_cases.h"
#include "numbers.h"
#include "text_numbers.h"

namespace maru::stats {
namespace {

constexpr double kStatistic = 1e-9, kLoose = 1e-7, kP = 1e-6;

double golden_number(const base::Json& value) {
  return value.is_string() ? std::strtod(value.as_string().c_str(), nullptr) : value.as_double();
}

// Relative, with a floor for what is zero but for rounding.
void check_near(const std::string& name, double got, const base::Json& wanted, double tolerance) {
  const double want = golden_number(wanted);
  if (std::isnan(want) && std::isnan(got)) return;
  const double gap = std::fabs(got - want);
  CHECK_MESSAGE(gap <= tolerance * std::max(std::fabs(want), 1e-6), name, ": ", got, ", golden ",
                want, ", off by ", gap / std::max(std::fabs(want), 1e-300));
}

void check_p(const std::string& name, double got, const base::Json& wanted) {
  const double want = golden_number(wanted);
  if (want < 1e-250) {
    CHECK_MESSAGE(got < 1e-249, name, ": ", got);
    return;
  }
  CHECK_MESSAGE(std::fabs(got - want) <= kP * want, name, ": ", got, ", golden ", want, ", off by ",
                std::fabs(got - want) / want);
}

void check_bins(const BinMeasures& got, const base::Json& want) {
  CHECK(static_cast<std::int64_t>(got.bins) == want["bins"].as_int());
  check_near("psi", got.psi, want["psi"], kStatistic);
  check_near("kl_ref_cur", got.kl_old_new, want["kl_ref_cur"], kStatistic);
  check_near("kl_cur_ref", got.kl_new_old, want["kl_cur_ref"], kStatistic);
  // The golden divergence is a sum of terms near 1 that cancel: it carries 1e-15 of rounding itself, its root more.
  const auto rounding = [](double distance) {
    return 1e-15 / std::max(1e-12, distance * distance);
  };
  const double js = golden_number(want["js_distance_base2"]);
  const double tolerance = kStatistic + rounding(js);
  check_near("js_divergence_base2", got.js_divergence_base2, want["js_divergence_base2"],
             tolerance);
  check_near("js_distance_base2", got.js_distance_base2, want["js_distance_base2"], tolerance);
  check_near("js_distance_nat", got.js_distance_nat, want["js_distance_nat"], tolerance);
  check_near("hellinger", got.hellinger, want["hellinger"], kStatistic);
  check_near("total_variation", got.total_variation, want["total_variation"], kStatistic);
  check_near("linf", got.linf, want["linf"], kStatistic);
  if (!want.has("chi2")) return;
  check_near("chi2", got.chi2, want["chi2"], kStatistic);
  CHECK(got.chi2_dof == want["chi2_dof"].as_int());
  check_p("chi2_p", got.chi2_p, want["chi2_p"]);
  check_near("cramers_v", got.cramers_v, want["cramers_v"], kStatistic);
  check_near("g_test", got.g_test, want["g_test"], kStatistic);
  check_p("g_test_p", got.g_test_p, want["g_test_p"]);
}

void check_numbers(const Sample& a, const Sample& b, const base::Json& want) {
  const NumberMeasures got = number_measures(a, b);
  check_near("mean_ref", a.mean, want["mean_ref"], kStatistic);
  check_near("mean_cur", b.mean, want["mean_cur"], kStatistic);
  check_near("std_ref", a.std, want["std_ref"], kStatistic);
  check_near("std_cur", b.std, want["std_cur"], kStatistic);
  check_near("skew_ref", a.skewness, want["skew_ref"], kStatistic);
  check_near("skew_cur", b.skewness, want["skew_cur"], kStatistic);
  check_near("mean_shift", got.mean_shift_std, want["mean_shift_in_ref_std"], kStatistic);
  check_near("std_ratio", got.std_ratio, want["std_ratio"], kStatistic);
  check_near("ks", got.ks, want["ks"], kStatistic);
  check_p("ks_p_asymp", got.ks_p, want["ks_p_asymp"]);
  if (std::max(a.count, b.count) <= 10'000)
    check_p("ks_p_auto",
            ks_exact_p(got.ks, static_cast<std::uint64_t>(a.count),
                       static_cast<std::uint64_t>(b.count)),
            want["ks_p_auto"]);
  check_near("wasserstein", got.wasserstein, want["wasserstein"], kStatistic);
  check_near("wasserstein_normed", got.wasserstein_normed, want["wasserstein_by_ref_std"],
             kStatistic);
  check_near("energy", got.energy, want["energy"], kLoose);
  check_near("mann_whitney_U", got.mann_whitney_u, want["mann_whitney_U"], kStatistic);
  check_p("mann_whitney_p", got.mann_whitney_p, want["mann_whitney_p"]);
  check_near("mann_whitney_auc", got.mann_whitney_auc, want["mann_whitney_auc"], kStatistic);
  check_near("anderson", got.anderson, want["anderson"], kLoose);
  check_p("anderson_p", got.anderson_p, want["anderson_p"]);
  // The golden statistic is the difference of two numbers near 10^4, its p is 1 - cdf: both carry that rounding.
  check_near("cramer_von_mises", got.cramer_von_mises, want["cramer_von_mises"],
             kStatistic + 1e-11 / std::fabs(golden_number(want["cramer_von_mises"])));
  if (golden_number(want["cramer_von_mises_p"]) > 1e-8)
    check_p("cramer_von_mises_p", got.cramer_von_mises_p, want["cramer_von_mises_p"]);
  check_near("welch_t", got.welch_t, want["welch_t"], kStatistic);
  check_p("welch_p", got.welch_p, want["welch_p"]);
  check_near("brown_forsythe", got.brown_forsythe, want["brown_forsythe"], kStatistic);
  check_p("brown_forsythe_p", got.brown_forsythe_p, want["brown_forsythe_p"]);
  check_near("loglik_ref", got.loglik_old, want["histogram_loglik_ref"], kStatistic);
  check_near("loglik_cur", got.loglik_new, want["histogram_loglik_cur"], kStatistic);
  check_near("loglik_drop", got.loglik_old - got.loglik_new, want["histogram_loglik_drop"], kLoose);
  const base::Json& bins = want["on_decile_bins"];
  REQUIRE(got.edges.size() == bins["edges"].size());
  for (std::size_t i = 0; i < got.edges.size(); ++i)
    CHECK(got.edges[i] == doctest::Approx(golden_number(bins["edges"].at(i))).epsilon(1e-12));
  for (std::size_t i = 0; i < got.old_counts.size(); ++i) {
    CHECK(got.old_counts[i] == bins["ref_counts"].at(i).as_double());
    CHECK(got.new_counts[i] == bins["cur_counts"].at(i).as_double());
  }
  check_bins(got.deciles, bins);
}

}  // namespace

TEST_CASE("every distance and test equals the golden number under its named convention") {
  int numeric = 0, categorical = 0;
  for (const std::string& name : GoldenCases::get().names()) {
    const base::Json golden = GoldenCases::expected(name);
    const data::Table before = GoldenCases::get().raw(name, "reference"),
                      after = GoldenCases::get().raw(name, "current");
    for (const auto& [column, want] : golden["columns"].members()) {
      CAPTURE(name);
      CAPTURE(column);
      const data::Column &a = *before.find(column), &b = *after.find(column);
      const TextNumbers x = numbers_in_text(a), y = numbers_in_text(b);
      CHECK(x.present == want["non_missing_ref"].as_double());
      CHECK(y.present == want["non_missing_cur"].as_double());
      const double n = static_cast<double>(a.rows()), m = static_cast<double>(b.rows());
      check_p("missing p",
              bin_measures({n - x.present, x.present}, {m - y.present, y.present}).chi2_p,
              want["missing"]["chi2_p"]);
      if (want.has("numeric")) {
        CHECK(y.unparsable == want["unparsable_cur"].as_double());
        check_numbers(Sample::of(x.values), Sample::of(y.values), want["numeric"]);
        ++numeric;
      }
      if (want.has("categorical")) {
        const CategoryTest test = compare_counts(Counts::of(a), Counts::of(b));
        const base::Json& wanted = want["categorical"];
        CHECK(static_cast<std::int64_t>(test.fresh.size()) == wanted["new_values_count"].as_int());
        CHECK(static_cast<std::int64_t>(test.vanished.size()) ==
              wanted["vanished_values_count"].as_int());
        check_near("new mass", test.fresh_share, wanted["new_values_mass"], kStatistic);
        check_bins(test.measures, wanted);
        ++categorical;
      }
    }
  }
  if (GoldenCases::get().names().empty()) return;
  CHECK(numeric >= 150);
  CHECK(categorical >= 150);
}

}  // namespace maru::stats
