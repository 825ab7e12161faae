#include "maru/stats/drift.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "culprits.h"
#include "distribution.h"
#include "maru/base/number_text.h"
#include "maru/base/pool.h"
#include "maru/base/text.h"
#include "numbers.h"
#include "questions.h"

namespace maru::stats {
namespace {

using base::Json;
using data::ColumnType;

// Below these a difference is too small to matter however sure it is: with a million rows every p-value is small.
constexpr double kKsVisible = 0.02;
constexpr double kCramerVisible = 0.02;
constexpr double kMissingVisible = 0.005;
constexpr double kWordsVisible = 0.001;
constexpr double kFreshVisible = 0.005;
constexpr double kMeanVisible = 0.05;    // deviations of the reference
constexpr double kSpreadVisible = 0.05;  // relative change of the mean distance from the median
constexpr double kLeastFresh = 5;        // rows
constexpr double kExactPart = 200;       // rows of a part up to which its test is exact
constexpr std::size_t kNamedValues = 10;
// Tests that can name one column: KS, centre, spread, shares, missing; or shares, new values, lengths, missing, words. The level of a test is alpha / columns / this.
constexpr double kTests = 5;
constexpr double kMostlyNumbers = 0.5;  // share of a text column's cells that are numbers
constexpr std::size_t kManyCells = 500'000;

struct Evidence {
  const char* measure;
  double value, visible, chance, chunks, p;
  double limit() const { return std::max({visible, chance, chunks}); }
};

// Normal deviations that chance exceeds with probability `level`, two-sided.
double normal_quantile(double level) {
  double low = 0, high = 40;
  for (int i = 0; i < 60; ++i) {
    const double mid = (low + high) / 2;
    (normal_p(mid) > level ? low : high) = mid;
  }
  return high;
}

// Two-sided exact test of two shares, by the smaller tail doubled; only where the parts are few, else 0.
double hypergeometric_p(double part_old, double n, double part_new, double m) {
  const double part = part_old + part_new;
  if (part > kExactPart) return 0;
  const auto chance = [&](double k) {  // of k of the part on the new side
    return std::exp(std::lgamma(m + 1) - std::lgamma(k + 1) - std::lgamma(m - k + 1) +
                    std::lgamma(n + 1) - std::lgamma(part - k + 1) - std::lgamma(n - part + k + 1) -
                    std::lgamma(n + m + 1) + std::lgamma(part + 1) + std::lgamma(n + m - part + 1));
  };
  double below = 0, above = 0;
  for (double k = std::max(0.0, part - n); k <= std::min(part, m); ++k) {
    if (k <= part_new) below += chance(k);
    if (k >= part_new) above += chance(k);
  }
  return std::min(1.0, 2 * std::min(below, above));
}

double chi_square_quantile(double level, double degrees) {
  double low = 0, high = degrees + 40 * std::sqrt(2 * degrees) + 100;
  for (int i = 0; i < 60; ++i) {
    const double mid = (low + high) / 2;
    (chi_square_p(mid, degrees) > level ? low : high) = mid;
  }
  return high;
}

// The largest excess speaks; every one that exceeds its limit counts. The test must agree with the limit: a limit is drawn from the
// deviations of both sides, which a few outlying rows can make too small.
void judge(ColumnDrift& column, const Evidence& e, double level, std::string said = {}) {
  if (!(std::fabs(e.value) > e.limit()) || e.p >= level) return;
  const double excess = std::fabs(e.value) / e.limit();
  if (column.drift && excess <= column.why["excess"].as_double()) return;
  column.drift = true;
  column.why = Json::object({{"measure", e.measure},
                             {"value", e.value},
                             {"limit", e.limit()},
                             {"visible", e.visible},
                             {"chance", e.chance},
                             {"chunks", e.chunks},
                             {"p", e.p},
                             {"excess", excess}});
  if (said.empty())
    said = std::string(e.measure) + " " + base::format_significant(e.value, 3) + ", limit " +
           base::format_significant(e.limit(), 3) + " at p " + base::format_significant(e.p, 3);
  column.reason = std::move(said);
}

Json value_list(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const auto& value : values)
    if (out.size() < kNamedValues) out.push(value);
  return out;
}

void judge_shares(ColumnDrift& out, const CategoryTest& test, double n, double m, double level,
                  const std::string& what = "shares") {
  if (test.pooled_dof < 1) return;
  const double excess = chi_square_quantile(level, test.pooled_dof) / (n + m);
  judge(out,
        {"shares", test.pooled_v, kCramerVisible,
         std::sqrt(std::max(0.0, excess - test.pooled_dof / (n + m - 1))), 0, test.pooled_p},
        level,
        what + " moved: Cramér's V " + base::format_significant(test.pooled_v, 3) + ", limit " +
            base::format_significant(kCramerVisible, 3) + " at p " +
            base::format_significant(test.pooled_p, 3));
}

ColumnDrift number_drift(const Side& before, const Side& after, double level) {
  ColumnDrift out;
  const Sample &a = before.sample, &b = after.sample;
  const double n = a.count, m = b.count;
  const NumberMeasures measures = number_measures(a, b);
  const ChunkNoise noise = learn_noise(a, m);
  out.measures = measures.to_json();
  out.measures.set("js", measures.deciles.js_divergence_base2);
  out.questions = number_questions(before, after, measures, noise);
  out.picture = number_picture(a, b);
  const double z = normal_quantile(level);
  judge(out,
        {"ks", measures.ks, kKsVisible, std::sqrt(-std::log(level / 2) / 2 * (1 / n + 1 / m)), 0,
         measures.ks_p},
        level);
  if (a.std > 0) {
    const double se = std::sqrt(a.std * a.std / n + b.std * b.std / m) / a.std;
    judge(
        out,
        {"mean shift", measures.mean_shift_std, kMeanVisible, z * se, noise.mean, measures.welch_p},
        level);
  } else if (b.std > 0 || a.mean != b.mean) {
    out.drift = true;
    out.reason = "was always " + base::format_significant(a.mean, 6) + ", is no longer constant";
  }
  if (a.mean_away > 0 && b.mean_away > 0 && !before.coarse && !after.coarse) {
    const double se =
        std::sqrt(a.std_away * a.std_away / n + b.std_away * b.std_away / m) / a.mean_away;
    judge(out,
          {"spread", b.mean_away / a.mean_away - 1, kSpreadVisible, z * se, noise.spread,
           measures.brown_forsythe_p},
          level);
  }
  if (!before.counts.values.empty() && !after.counts.values.empty() && !before.coarse)
    judge_shares(out, compare_counts(before.counts, after.counts), n, m, level,
                 before.type == ColumnType::kTimestamp ? "hours of the day" : "shares");
  out.score = std::max(measures.ks, std::min(1.0, std::fabs(measures.mean_shift_std) / 2));
  return out;
}

ColumnDrift category_drift(const Counts& a, const Counts& b, double level) {
  ColumnDrift out;
  const CategoryTest test = compare_counts(a, b);
  out.measures = test.measures.to_json();
  out.measures.set("js", test.measures.js_divergence_base2)
      .set("new_values", value_list(test.fresh))
      .set("new_values_share", test.fresh_share)
      .set("vanished_values", value_list(test.vanished));
  out.questions = category_questions(a, b, test);
  out.picture = category_picture(a, b);
  out.score = std::max(test.measures.linf, test.pooled_v);
  if (a.identifies()) return out;
  judge_shares(out, test, a.total, b.total, level);
  const double commonest = test.fresh.empty() ? 0 : b.share(test.fresh.front()) * b.total;
  if (test.fresh_share > kFreshVisible && commonest >= kLeastFresh && test.fresh_p < level) {
    const std::vector<std::string> named(
        test.fresh.begin(), test.fresh.begin() + static_cast<std::ptrdiff_t>(
                                                     std::min<std::size_t>(3, test.fresh.size())));
    judge(out, {"new values", test.fresh_share, kFreshVisible, 0, 0, test.fresh_p}, level,
          "new values " + base::join(named, ", ") + " in " +
              base::format_significant(test.fresh_share * 100, 3) + " % of rows");
    out.score = std::max(out.score, test.fresh_share);
  }
  return out;
}

// Of ids and free text only the form can be compared: how long they are.
void judge_lengths(ColumnDrift& out, const Sample& a, const Sample& b, double level) {
  if (a.count < 2 || b.count < 2) return;
  const NumberMeasures m = number_measures(a, b);
  out.measures.set("length_ks", m.ks);
  judge(out,
        {"length", m.ks, kKsVisible,
         std::sqrt(-std::log(level / 2) / 2 * (1 / a.count + 1 / b.count)), 0, m.ks_p},
        level,
        "lengths moved: from " + base::format_significant(a.mean, 3) + " to " +
            base::format_significant(b.mean, 3) + " bytes on average");
  if (out.drift) out.score = std::max(out.score, m.ks);
}

// A share of rows that changed: missing cells, or words among numbers.
void judge_part(ColumnDrift& column, const char* measure, const std::string& said, double part_old,
                double rows_old, double part_new, double rows_new, double visible, double level) {
  const double before = part_old / rows_old, after = part_new / rows_new, delta = after - before;
  const double pooled = (part_old + part_new) / (rows_old + rows_new);
  const double se = std::sqrt(pooled * (1 - pooled) * (1 / rows_old + 1 / rows_new));
  if (se <= 0) return;
  const bool before_this = column.drift;
  judge(column,
        {measure, delta, visible, normal_quantile(level) * se, 0,
         std::max(normal_p(delta / se), hypergeometric_p(part_old, rows_old, part_new, rows_new))},
        level,
        said + " went from " + base::format_significant(before * 100, 3) + " % to " +
            base::format_significant(after * 100, 3) + " %");
  if (column.drift && !before_this) column.score = std::max(column.score, std::fabs(delta));
}

ColumnDrift verdict(double score, std::string reason) {
  ColumnDrift out;
  out.drift = true;
  out.score = score;
  out.measures = Json::object();
  out.questions = Json::object();
  out.reason = std::move(reason);
  return out;
}

ColumnDrift compare(Side before, Side after, const DriftOptions& options, double columns) {
  const double level = options.alpha / std::max(1.0, columns) / kTests;
  ColumnDrift out;
  out.measures = Json::object();
  out.questions = Json::object();
  const double needed = static_cast<double>(options.min_rows);
  if (before.rows < needed || after.rows < needed) {
    out.reason = "too few rows for a verdict";
    return out;
  }
  if (before.numeric != after.numeric && before.present() > 0 && after.present() > 0)
    return verdict(1, "was " + std::string(data::type_name(before.type)) + ", is " +
                          std::string(data::type_name(after.type)));
  if (before.numeric && before.coarse != after.coarse) {
    Side& exact = before.coarse ? after : before;
    exact.sample = coarsened(exact.sample, (before.coarse ? before : after).sample);
  }
  if (before.present() >= 2 && after.present() >= 2) {
    if (before.numeric && before.sample.count >= 2 && after.sample.count >= 2)
      out = number_drift(before, after, level);
    else if (!before.numeric && before.counts.complete && after.counts.complete)
      out = category_drift(before.counts, after.counts, level);
    if (!before.numeric) judge_lengths(out, before.lengths, after.lengths, level);
  }
  out.measures.set("missing_old", before.missing / before.rows)
      .set("missing_new", after.missing / after.rows)
      .set("missing_delta", after.missing / after.rows - before.missing / before.rows);
  judge_part(out, "missing", "missing", before.missing, before.rows, after.missing, after.rows,
             kMissingVisible, level);
  if (before.unparsable > 0 || after.unparsable > 0)
    judge_part(out, "words",
               "cells that are no number (" +
                   base::join((after.words.empty() ? before : after).words, ", ") + ")",
               before.unparsable, before.rows, after.unparsable, after.rows, kWordsVisible, level);
  return out;
}

// A number column that became text because of a few words is still compared as numbers.
std::pair<Side, Side> sides_of(const data::Column& before, const data::Column& after) {
  const bool old_text = before.type == ColumnType::kText,
             new_text = after.type == ColumnType::kText;
  const auto plain = [](ColumnType type) {
    return type == ColumnType::kInteger || type == ColumnType::kFloat;
  };
  if ((old_text && plain(after.type)) || (new_text && plain(before.type))) {
    Side read = number_side_of(old_text ? before : after);
    if (read.present() > 0 && read.sample.count >= kMostlyNumbers * read.present()) {
      read.type = old_text ? after.type : before.type;
      return old_text ? std::pair(std::move(read), side_of(after))
                      : std::pair(side_of(before), std::move(read));
    }
  }
  return {side_of(before), side_of(after)};
}

void rank(DriftReport& report) {
  for (const ColumnDrift& column : report.columns) report.drift = report.drift || column.drift;
  std::stable_sort(report.columns.begin(), report.columns.end(),
                   [](const ColumnDrift& a, const ColumnDrift& b) {
                     return a.drift != b.drift ? a.drift : a.score > b.score;
                   });
}

// body(i) for every column; on several threads where there is much to do.
template <class Body>
void each_column(std::size_t columns, std::size_t cells, std::size_t threads, const Body& body) {
  if (cells < kManyCells || threads < 2) {
    for (std::size_t i = 0; i < columns; ++i) body(i);
    return;
  }
  base::Pool pool({"drift", threads - 1, columns + 1});
  pool.parallel_for(columns, body);
}

}  // namespace

DriftReport compare_tables(const data::Table& reference, const data::Table& current,
                           const DriftOptions& options) {
  DriftReport report;
  report.rows_old = reference.rows();
  report.rows_new = current.rows();
  report.columns.resize(reference.columns.size());
  const auto columns = static_cast<double>(reference.columns.size());
  // The classifier is one more task beside the columns, and the longest: it comes first.
  each_column(reference.columns.size() + 1,
              reference.columns.size() * (reference.rows() + current.rows()), options.threads,
              [&](std::size_t task) {
                if (task == 0) {
                  if (options.classifier_rows > 0)
                    report.together = compare_together(reference, current, options);
                  return;
                }
                const std::size_t i = task - 1;
                const data::Column& before = reference.columns[i];
                const data::Column* after = current.find(before.name);
                ColumnDrift& column = report.columns[i];
                if (after == nullptr) {
                  column = verdict(1, "column is gone");
                } else {
                  auto [old_side, new_side] = sides_of(before, *after);
                  column = compare(std::move(old_side), std::move(new_side), options, columns);
                }
                column.name = before.name;
              });
  for (const data::Column& column : current.columns) {
    if (reference.find(column.name) != nullptr) continue;
    report.columns.push_back(verdict(1, "column is new"));
    report.columns.back().name = column.name;
  }
  rank(report);
  const Json relations = find_broken_relations(reference, current, report, options);
  report.culprits = find_culprits(reference, current, report, relations);
  for (const Json& relation : relations.items()) report.culprits.push(relation);
  report.drift = report.drift || relations.size() > 0;
  report.drift = report.drift || report.together["drift"].as_bool();
  return report;
}

namespace {

// Column by column; `Current` has find(), which gives what side_of() takes.
template <class Current>
DriftReport against(const Profile& reference, const Current& current, std::uint64_t rows,
                    const DriftOptions& options) {
  DriftReport report;
  report.rows_old = reference.rows;
  report.rows_new = rows;
  report.culprits = Json::array();
  for (const ColumnProfile& before : reference.columns) {
    const auto* after = current.find(before.name);
    ColumnDrift column = after == nullptr ? verdict(1, "column is gone")
                                          : compare(side_of(before), side_of(*after), options,
                                                    static_cast<double>(reference.columns.size()));
    column.name = before.name;
    report.columns.push_back(std::move(column));
  }
  rank(report);
  return report;
}

}  // namespace

DriftReport compare_with_profile(const Profile& reference, const data::Table& current,
                                 const DriftOptions& options) {
  return against(reference, current, current.rows(), options);
}

DriftReport compare_profiles(const Profile& reference, const Profile& current,
                             const DriftOptions& options) {
  return against(reference, current, current.rows, options);
}

Json DriftReport::to_json() const {
  Json list = Json::array();
  for (const auto& column : columns) {
    list.push(Json::object({{"name", column.name},
                            {"drift", column.drift},
                            {"score", column.score},
                            {"reason", column.reason},
                            {"why", column.why},
                            {"measures", column.measures},
                            {"questions", column.questions},
                            {"picture", column.picture}}));
  }
  return Json::object({{"drift", drift},
                       {"rule", rule},
                       {"rows_old", static_cast<std::int64_t>(rows_old)},
                       {"rows_new", static_cast<std::int64_t>(rows_new)},
                       {"columns", list},
                       {"culprits", culprits},
                       {"together", together}});
}

DriftReport DriftReport::from_json(const Json& json) {
  DriftReport out;
  out.drift = json["drift"].as_bool();
  if (json["rule"].is_string()) out.rule = json["rule"].as_string();
  out.rows_old = static_cast<std::uint64_t>(json["rows_old"].as_int());
  out.rows_new = static_cast<std::uint64_t>(json["rows_new"].as_int());
  out.culprits = json["culprits"];
  out.together = json["together"];
  for (const Json& item : json["columns"].items()) {
    ColumnDrift column;
    column.name = item["name"].as_string();
    column.drift = item["drift"].as_bool();
    column.score = item["score"].as_double();
    column.reason = item["reason"].as_string();
    column.why = item["why"];
    column.measures = item["measures"];
    column.questions = item["questions"];
    column.picture = item["picture"];
    out.columns.push_back(std::move(column));
  }
  return out;
}

}  // namespace maru::stats
