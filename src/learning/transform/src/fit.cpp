#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "calendar.h"
#include "layout.h"
#include "maru/base/text.h"
#include "maru/transform/features.h"
#include "words.h"

namespace maru::transform {
namespace {

using base::Code;
using base::fail;
using data::Column;
using data::ColumnType;

constexpr double kIdShare = 0.9;     // distinct share of the values from which text is an id
constexpr double kWordShare = 0.5;   // distinct share from which text is looked at by its words
constexpr std::size_t kIdRows = 20;  // fewer values prove nothing
constexpr std::size_t kOneHotColumns = 128;
constexpr std::size_t kOneHotTotal = 512;  // 0/1 columns of all text columns together

void drop(FeatureColumn& out, std::string reason) {
  out.encoding = Encoding::kDropped;
  out.reason = std::move(reason);
}

std::string percent(double share) {
  return std::to_string(static_cast<int>(std::lround(share * 100))) + " %";
}

// ---- numbers --------------------------------------------------------------------------------------

void fit_number(const Column& column, const FitOptions& options, FeatureColumn& out) {
  std::vector<double> finite;
  std::size_t missing = 0;
  const std::size_t rows = column.rows();
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (std::size_t r = 0; r < rows; ++r) {
    const double value = column.number(r);
    if (std::isnan(value)) {
      ++missing;
      continue;
    }
    low = std::min(low, value);
    high = std::max(high, value);
    if (std::isfinite(value)) finite.push_back(value);
  }
  if (missing == rows) return drop(out, "every value is missing");
  if (low == high && missing == 0) return drop(out, "constant");
  out.encoding = options.target == Target::kTrees ? Encoding::kNumber : Encoding::kScaled;
  out.reason = column.type == ColumnType::kBool ? "true or false" : "a number";
  if (options.target == Target::kTrees) return;
  out.missing_indicator = missing > 0;
  if (finite.empty()) return;
  std::vector<double> sorted = finite;
  const std::size_t middle = sorted.size() / 2;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(middle),
                   sorted.end());
  out.fill = sorted[middle];
  const auto count = static_cast<double>(finite.size());
  const double mean = std::accumulate(finite.begin(), finite.end(), 0.0) / count;
  double squares = 0;
  for (const double value : finite) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / count);
  if (std::isfinite(mean)) out.center = mean;
  if (std::isfinite(deviation) && deviation > 0) out.scale = deviation;
}

// ---- text -----------------------------------------------------------------------------------------

struct Category {
  std::string value;
  std::uint64_t count = 0;
  double sum = 0;  // of the target
};
struct Categories {
  std::vector<Category> kept;  // most frequent first, ties by bytes
  Category rare, missing;
  std::size_t distinct = 0, present = 0;
};

Categories count_categories(const Column& column, const std::vector<double>& target,
                            std::size_t max_vocabulary, std::uint64_t min_count) {
  std::vector<Category> by_code(column.dictionary.size());
  Categories out;
  for (std::size_t r = 0; r < column.codes.size(); ++r) {
    const auto code = column.codes[r];
    const bool present = column.is_valid(r) && code >= 0 &&
                         !column.dictionary[static_cast<std::size_t>(code)].empty();
    Category& category = present ? by_code[static_cast<std::size_t>(code)] : out.missing;
    ++category.count;
    category.sum += target[r];
  }
  for (std::size_t i = 0; i < by_code.size(); ++i) {
    if (by_code[i].count == 0) continue;
    by_code[i].value = column.dictionary[i];
    ++out.distinct;
    out.present += by_code[i].count;
    out.kept.push_back(std::move(by_code[i]));
  }
  std::sort(out.kept.begin(), out.kept.end(), [](const Category& a, const Category& b) {
    return a.count != b.count ? a.count > b.count : a.value < b.value;
  });
  std::size_t keep = std::min(out.kept.size(), max_vocabulary);
  while (keep > 0 && out.kept[keep - 1].count < min_count) --keep;
  for (std::size_t i = keep; i < out.kept.size(); ++i) {
    out.rare.count += out.kept[i].count;
    out.rare.sum += out.kept[i].sum;
  }
  out.kept.resize(keep);
  return out;
}

// Ranks by (sum + smoothing * prior) / (count + smoothing); rare values are one category among them.
void rank_categories(const Categories& categories, double prior, double smoothing,
                     FeatureColumn& out) {
  struct Ranked {
    double mean;
    bool rare;
    std::string value;
  };
  const auto smooth = [&](const Category& c) {
    const double weight = static_cast<double>(c.count) + smoothing;
    return weight > 0 ? (c.sum + smoothing * prior) / weight : prior;
  };
  std::vector<Ranked> ranked{{smooth(categories.rare), true, {}}};
  for (const Category& c : categories.kept) ranked.push_back({smooth(c), false, c.value});
  if (categories.missing.count > 0) ranked.push_back({smooth(categories.missing), false, {}});
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    if (a.mean != b.mean) return a.mean < b.mean;
    return a.rare != b.rare ? a.rare : a.value < b.value;
  });
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    if (ranked[i].rare)
      out.rare_code = static_cast<double>(i);
    else
      out.vocabulary.push_back(std::move(ranked[i].value));
  }
}

void fit_text(const Column& column, const std::vector<double>& target, double prior,
              const FitOptions& options, std::size_t one_hot_limit, FeatureColumn& out) {
  const bool trees = options.target == Target::kTrees;
  const std::size_t limit =
      trees ? options.max_vocabulary : std::min(options.max_vocabulary, one_hot_limit);
  const Categories categories = count_categories(column, target, limit, options.min_count);
  if (categories.present == 0) return drop(out, "every value is missing");
  if (categories.distinct == 1 && categories.missing.count == 0) return drop(out, "constant");
  const double share =
      static_cast<double>(categories.distinct) / static_cast<double>(categories.present);
  if (categories.present >= kIdRows && share >= kWordShare &&
      fit_words(column, target, prior, options, out))
    return;
  if (categories.present >= kIdRows && share >= kIdShare)
    return drop(out, "an id: " + percent(share) + " distinct");
  if (categories.kept.empty() && categories.missing.count == 0)
    return drop(out, "no value comes " + std::to_string(options.min_count) + " times");
  out.encoding = trees ? Encoding::kOrdinal : Encoding::kOneHot;
  out.missing_indicator = categories.missing.count > 0;
  out.reason = std::to_string(categories.distinct) + " values, " +
               std::to_string(categories.kept.size()) + " kept";
  if (trees) return rank_categories(categories, prior, options.smoothing, out);
  for (const Category& c : categories.kept) out.vocabulary.push_back(c.value);
}

// ---- timestamps -----------------------------------------------------------------------------------

bool span_allows(const std::string& part, std::int64_t span_us) {
  const std::int64_t days = span_us / kDayUs;
  if (part == "day") return days >= 150;
  if (part == "month" || part == "day_of_year") return days >= 330;
  if (part == "year" || part == "elapsed_days") return days >= 540;
  return true;
}

void fit_time(const Column& column, const FitOptions& options, FeatureColumn& out) {
  std::vector<std::int64_t> times;
  for (std::size_t r = 0; r < column.integers.size(); ++r)
    if (column.is_valid(r) && column.integers[r] != INT64_MIN) times.push_back(column.integers[r]);
  if (times.empty()) return drop(out, "every value is missing");
  const auto [low, high] = std::minmax_element(times.begin(), times.end());
  // Unsigned: the span of absurd dates may not fit.
  const auto span = static_cast<std::int64_t>(std::min<std::uint64_t>(
      static_cast<std::uint64_t>(*high) - static_cast<std::uint64_t>(*low), INT64_MAX));
  const bool whole_hours =
      std::all_of(times.begin(), times.end(), [](std::int64_t t) { return t % kHourUs == 0; });
  for (const std::string& part : calendar_parts()) {
    if (!span_allows(part, span) || (part == "minute_of_day" && whole_hours)) continue;
    double sum = 0, squares = 0;
    bool varies = false;
    const std::int64_t first = calendar_part(times.front(), part);
    for (const std::int64_t t : times) {
      const std::int64_t value = calendar_part(t, part);
      varies = varies || value != first;
      const auto offset = static_cast<double>(value - first);
      sum += offset;
      squares += offset * offset;
    }
    if (!varies) continue;
    out.parts.push_back(part);
    if (options.target != Target::kLinear) continue;
    const auto count = static_cast<double>(times.size());
    const double mean = sum / count, variance = squares / count - mean * mean;
    out.part_center.push_back(static_cast<double>(first) + mean);
    out.part_scale.push_back(variance > 0 ? std::sqrt(variance) : 1.0);
  }
  out.missing_indicator = times.size() < column.rows();
  if (out.parts.empty())
    return drop(out, "the times have nothing that comes round again (" +
                         std::to_string(span / kDayUs) + " days)");
  out.encoding = Encoding::kCalendar;
  out.reason = "a time: " + base::join(out.parts, ", ");
}

base::Status check_request(const data::Table& table, const std::vector<std::string>& features,
                           const std::vector<double>& target) {
  if (table.rows() == 0)
    return fail(Code::kFailedPrecondition, "there are no rows to fit features on");
  if (target.size() != table.rows())
    return fail(Code::kInvalidArgument,
                "targets do not fit the rows: " + std::to_string(target.size()) + " for " +
                    std::to_string(table.rows()));
  std::vector<std::string> known;
  for (const Column& column : table.columns) known.push_back(column.name);
  std::map<std::string, std::string> seen;  // graph input -> column
  for (const std::string& name : features) {
    if (table.find(name) == nullptr)
      return fail(Code::kInvalidArgument, "there is no column `" + name + "`",
                  base::did_you_mean(name, known));
    const auto [at, fresh] = seen.emplace(graph_input_name(name), name);
    if (!fresh)
      return fail(Code::kInvalidArgument,
                  "columns `" + at->second + "` and `" + name + "` have one name in the model",
                  "rename one");
  }
  return {};
}

}  // namespace

std::string graph_input_name(const std::string& column) {
  return column == "features" || column == "scores" || column == "label" ? "column_" + column
                                                                         : column;
}

base::Result<FeaturePlan> fit_features(const data::Table& table,
                                       const std::vector<std::string>& features,
                                       const std::vector<double>& target_values,
                                       const FitOptions& options) {
  TRY(check_request(table, features, target_values));
  double prior = 0;
  for (const double value : target_values) prior += value;
  prior /= static_cast<double>(target_values.size());
  std::size_t texts = 0;
  for (const std::string& name : features)
    texts += table.find(name)->type == ColumnType::kText ? 1 : 0;
  const std::size_t one_hot_limit = std::min(
      kOneHotColumns, std::max<std::size_t>(8, kOneHotTotal / std::max<std::size_t>(1, texts)));

  FeaturePlan plan;
  std::vector<std::string> reasons;
  for (const std::string& name : features) {
    const Column& column = *table.find(name);
    FeatureColumn out;
    out.name = name;
    out.type = column.type;
    if (column.type == ColumnType::kText)
      fit_text(column, target_values, prior, options, one_hot_limit, out);
    else if (column.type == ColumnType::kTimestamp)
      fit_time(column, options, out);
    else
      fit_number(column, options, out);
    if (out.encoding == Encoding::kDropped) reasons.push_back("`" + name + "`: " + out.reason);
    plan.columns.push_back(std::move(out));
  }
  if (reasons.size() == plan.columns.size()) {
    const std::size_t all = reasons.size();
    if (all > 10) reasons.resize(10);
    std::string list = base::join(reasons, "; ");
    if (all > 10) list += "; and " + std::to_string(all - 10) + " more";
    return fail(Code::kFailedPrecondition,
                "no usable feature is left" + (list.empty() ? std::string() : ": " + list),
                "give columns that vary and repeat");
  }
  plan.feature_names = names_of(plan);
  return plan;
}

}  // namespace maru::transform
