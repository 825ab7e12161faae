#include "maru/stats/drift.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "distribution.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "numbers.h"

namespace maru::stats {
namespace {

using base::Json;
using data::ColumnType;

// Below these a difference is too small to matter however sure it is: with a million rows every p-value is small.
constexpr double kKsFloor = 0.02;
constexpr double kCramerFloor = 0.02;
constexpr double kMissingFloor = 0.005;
constexpr double kMeanFloorStd = 0.05;
constexpr double kSpreadFloor = 0.05;  // relative change of the mean absolute deviation
constexpr std::size_t kNamedValues = 10;

struct Evidence {
  std::string name;
  double p = 1, effect = 0, floor = 0;
};

double missing_p(double share_old, double n, double share_new, double m) {
  const double pooled = (share_old * n + share_new * m) / (n + m);
  const double variance = pooled * (1 - pooled) * (1 / n + 1 / m);
  return variance <= 0 ? 1 : normal_p((share_new - share_old) / std::sqrt(variance));
}

Json question(Json before, Json after, double value, double limit) {
  const double size = std::fabs(value);
  const char* verdict = size > 2 * limit ? "bad" : size > limit ? "warn" : "ok";
  return Json::object({{"old", std::move(before)},
                       {"new", std::move(after)},
                       {"value", value},
                       {"limit", limit},
                       {"verdict", verdict}});
}

// The five questions of old versus new; each limit is what sampling alone would exceed about once in a thousand, but at least a visible size.
Json number_questions(const Distribution& a, const Distribution& b) {
  const double noise = std::sqrt(1 / a.count + 1 / b.count);
  const double spread = a.std > 0 ? a.std : 1;
  const double likelihood_old = a.mean_log_likelihood(a), likelihood_new = a.mean_log_likelihood(b);
  return Json::object(
      {{"centre", question(a.mean, b.mean, (b.mean - a.mean) / spread, std::max(0.1, 3.3 * noise))},
       {"mode", question(a.mode, b.mode, (b.mode - a.mode) / spread, std::max(0.25, 5 * noise))},
       {"symmetry",
        question(a.symmetry, b.symmetry, b.symmetry - a.symmetry, std::max(0.1, 5 * noise))},
       {"skewness",
        question(a.skewness, b.skewness, b.skewness - a.skewness, std::max(0.5, 10 * noise))},
       {"likelihood", question(likelihood_old, likelihood_new, likelihood_new - likelihood_old,
                               std::max(0.1, 5 * noise))}});
}

Json number_measures(const Distribution& a, const Distribution& b, double ks) {
  return Json::object({{"ks", ks},
                       {"ks_p", kolmogorov_p(ks, a.count, b.count)},
                       {"psi", psi_of(a, b)},
                       {"js", jensen_shannon(a, b)},
                       {"wasserstein_normed", a.std > 0 ? wasserstein_of(a, b) / a.std : 0.0},
                       {"mean_shift_std", a.std > 0 ? (b.mean - a.mean) / a.std : 0.0}});
}

ColumnDrift number_drift(const Distribution& a, const Distribution& b, double alpha) {
  ColumnDrift out;
  const double ks = ks_of(a, b);
  out.measures = number_measures(a, b, ks);
  out.questions = number_questions(a, b);
  std::vector<Evidence> evidence;
  evidence.push_back({"ks", kolmogorov_p(ks, a.count, b.count), ks, kKsFloor});
  const double se = std::sqrt(a.std * a.std / a.count + b.std * b.std / b.count);
  if (se > 0)
    evidence.push_back({"mean shift", normal_p((b.mean - a.mean) / se),
                        std::fabs(b.mean - a.mean) / std::max(a.std, 1e-300), kMeanFloorStd});
  if (a.spread_std > 0 && b.spread_std > 0) {
    const double spread_se =
        std::sqrt(a.spread_std * a.spread_std / a.count + b.spread_std * b.spread_std / b.count);
    evidence.push_back({"spread", normal_p((b.spread - a.spread) / spread_se),
                        std::fabs(b.spread - a.spread) / std::max(a.spread, 1e-300), kSpreadFloor});
  }
  for (const auto& item : evidence) {
    if (item.p >= alpha || item.effect < item.floor) continue;
    if (!out.drift)
      out.reason = item.name + " " + base::format_significant(item.effect, 3) + ", limit " +
                   base::format_significant(item.floor, 3) + " at p " +
                   base::format_significant(item.p, 3);
    out.drift = true;
  }
  out.score =
      std::max(ks, std::min(1.0, std::fabs(out.measures["mean_shift_std"].as_double()) / 2));
  return out;
}

Json value_list(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const auto& value : values) {
    if (out.size() < kNamedValues) out.push(value);
  }
  return out;
}

ColumnDrift category_drift(const Counts& a, const Counts& b, double alpha) {
  ColumnDrift out;
  const CategoryTest test = compare_counts(a, b);
  out.measures = Json::object({{"chi2", test.chi2},
                               {"chi2_p", test.p},
                               {"cramers_v", test.cramers_v},
                               {"psi", test.psi},
                               {"js", test.js},
                               {"linf", test.linf},
                               {"new_values", value_list(test.fresh)},
                               {"vanished_values", value_list(test.vanished)}});
  const double noise = std::sqrt(1 / std::max(1.0, a.total) + 1 / std::max(1.0, b.total));
  Json mode = question(a.mode(), b.mode(), a.mode() == b.mode() ? 0.0 : test.linf,
                       std::max(0.02, 3.3 * noise));
  out.questions = Json::object(
      {{"centre", question(a.mode_share(), b.share(a.mode()), b.share(a.mode()) - a.mode_share(),
                           std::max(0.05, 3.3 * noise))},
       {"mode", std::move(mode)},
       {"symmetry", question(a.evenness(), b.evenness(), b.evenness() - a.evenness(),
                             std::max(0.05, 5 * noise))},
       {"skewness",
        question(static_cast<double>(a.values.size()), static_cast<double>(b.values.size()),
                 test.fresh_share, std::max(0.01, 3.3 * noise))},
       {"likelihood",
        question(test.likelihood_old, test.likelihood_new,
                 test.likelihood_new - test.likelihood_old, std::max(0.1, 5 * noise))}});
  out.score = std::max(test.linf, test.cramers_v);
  const bool shifted = test.p < alpha && test.cramers_v >= kCramerFloor;
  const bool strange =
      test.fresh_share > kMissingFloor && test.fresh_share * b.total >= 5 && test.fresh_p < alpha;
  out.drift = shifted || strange;
  if (strange) {
    std::vector<std::string> named(
        test.fresh.begin(), test.fresh.begin() + static_cast<std::ptrdiff_t>(
                                                     std::min<std::size_t>(3, test.fresh.size())));
    out.reason = "new values " + base::join(named, ", ") + " in " +
                 base::format_significant(test.fresh_share * 100, 3) + " % of rows";
    out.score = std::max(out.score, test.fresh_share);
  } else if (shifted) {
    out.reason = "shares moved: Cramér's V " + base::format_significant(test.cramers_v, 3) +
                 ", limit " + base::format_significant(kCramerFloor, 3) + " at p " +
                 base::format_significant(test.p, 3);
  }
  return out;
}

void judge_missing(ColumnDrift& column, double missing_old, double rows_old, double missing_new,
                   double rows_new, double alpha) {
  const double before = missing_old / rows_old, after = missing_new / rows_new,
               delta = after - before;
  column.measures.set("missing_old", before).set("missing_new", after).set("missing_delta", delta);
  if (missing_p(before, rows_old, after, rows_new) >= alpha || std::fabs(delta) < kMissingFloor)
    return;
  column.drift = true;
  column.score = std::max(column.score, std::fabs(delta));
  if (column.reason.empty() || std::fabs(delta) > 0.05)
    column.reason = "missing went from " + base::format_significant(before * 100, 3) + " % to " +
                    base::format_significant(after * 100, 3) + " %";
}

bool numeric(ColumnType type) { return type != ColumnType::kText && type != ColumnType::kBool; }

// Text where numbers were, or the other way round: no distance is needed.
ColumnDrift type_drift(ColumnType before, ColumnType after) {
  ColumnDrift out;
  out.drift = true;
  out.score = 1;
  out.measures = Json::object();
  out.questions = Json::object();
  out.reason =
      "was " + std::string(data::type_name(before)) + ", is " + std::string(data::type_name(after));
  return out;
}

// A side of the comparison: rows, or what a profile kept of them.
struct Side {
  ColumnType type = ColumnType::kFloat;
  double rows = 0, missing = 0;
  Distribution numbers;
  Counts counts;
};

Side side_of(const data::Column& column) {
  Side out;
  out.type = column.type;
  out.rows = static_cast<double>(column.rows());
  if (numeric(column.type)) {
    out.numbers = Distribution::of(column);
    out.missing = out.rows - out.numbers.count;
  } else {
    out.counts = Counts::of(column);
    out.missing = out.rows - out.counts.total;
  }
  return out;
}

Side side_of(const ColumnProfile& profile) {
  Side out;
  out.type = profile.type;
  out.rows = static_cast<double>(profile.count);
  out.missing = static_cast<double>(profile.missing);
  if (numeric(profile.type))
    out.numbers = Distribution::of(profile);
  else
    out.counts = Counts::of(profile);
  return out;
}

ColumnDrift compare(const Side& before, const Side& after, double alpha, std::size_t min_rows) {
  ColumnDrift out;
  out.measures = Json::object();
  out.questions = Json::object();
  const double needed = static_cast<double>(min_rows);
  if (before.rows < needed || after.rows < needed) {
    out.reason = "too few rows for a verdict";
    return out;
  }
  const double present_old = before.rows - before.missing, present_new = after.rows - after.missing;
  if (numeric(before.type) != numeric(after.type) && present_old > 0 && present_new > 0)
    return type_drift(before.type, after.type);
  if (present_old >= 2 && present_new >= 2) {
    if (numeric(before.type))
      out = number_drift(before.numbers, after.numbers, alpha);
    else if (before.counts.complete && after.counts.complete)
      out = category_drift(before.counts, after.counts, alpha);
  }
  judge_missing(out, before.missing, before.rows, after.missing, after.rows, alpha);
  return out;
}

template <class Reference>
DriftReport compare_all(const std::vector<Reference>& reference, std::uint64_t rows_old,
                        const data::Table& current, const DriftOptions& options) {
  DriftReport report;
  report.rows_old = rows_old;
  report.rows_new = current.rows();
  report.culprits = Json::array();
  const double alpha = options.alpha / std::max<double>(1, static_cast<double>(reference.size()));
  for (const auto& before : reference) {
    const data::Column* after = current.find(before.name);
    ColumnDrift column;
    if (after == nullptr) {
      column.drift = true;
      column.score = 1;
      column.measures = Json::object();
      column.questions = Json::object();
      column.reason = "column is gone";
    } else {
      column = compare(side_of(before), side_of(*after), alpha, options.min_rows);
    }
    column.name = before.name;
    report.drift = report.drift || column.drift;
    report.columns.push_back(std::move(column));
  }
  std::stable_sort(report.columns.begin(), report.columns.end(),
                   [](const ColumnDrift& a, const ColumnDrift& b) {
                     return a.drift != b.drift ? a.drift : a.score > b.score;
                   });
  return report;
}

}  // namespace

DriftReport compare_tables(const data::Table& reference, const data::Table& current,
                           const DriftOptions& options) {
  DriftReport report = compare_all(reference.columns, reference.rows(), current, options);
  report.culprits = find_culprits(reference, current, report);
  const Json relations = find_broken_relations(reference, current, report, options);
  for (const Json& relation : relations.items()) report.culprits.push(relation);
  report.drift = report.drift || relations.size() > 0;
  return report;
}

DriftReport compare_with_profile(const Profile& reference, const data::Table& current,
                                 const DriftOptions& options) {
  return compare_all(reference.columns, reference.rows, current, options);
}

Json DriftReport::to_json() const {
  Json list = Json::array();
  for (const auto& column : columns) {
    list.push(Json::object({{"name", column.name},
                            {"drift", column.drift},
                            {"score", column.score},
                            {"reason", column.reason},
                            {"measures", column.measures},
                            {"questions", column.questions}}));
  }
  return Json::object({{"drift", drift},
                       {"rows_old", static_cast<std::int64_t>(rows_old)},
                       {"rows_new", static_cast<std::int64_t>(rows_new)},
                       {"columns", list},
                       {"culprits", culprits}});
}

}  // namespace maru::stats
