#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "maru/base/rng.h"
#include "maru/base/text.h"
#include "maru/tune/tune.h"

namespace maru::tune {
namespace {

using base::Code;
using base::fail;

// The first row of the newest `share` of rows [0, end), moved so that equal times stay on one side; the earlier cut when both are as near.
std::size_t cut_by_time(const std::vector<double>& times, std::size_t end, double share) {
  if (share <= 0) return end;
  const auto wanted =
      static_cast<std::size_t>(std::llround(static_cast<double>(end) * (1 - share)));
  std::size_t before = std::min(wanted, end), after = before;
  while (before > 0 && before < end && times[before] == times[before - 1]) --before;
  while (after > 0 && after < end && times[after] == times[after - 1]) ++after;
  if (before == 0 || before == end) return after;
  if (after == end) return before;
  return wanted - before <= after - wanted ? before : after;
}

base::Result<Split> split_by_time(const data::Table& table, const SplitSpec& spec) {
  const data::Column* column = table.find(spec.time_column);
  if (column == nullptr) {
    std::vector<std::string> known;
    for (const data::Column& c : table.columns) known.push_back(c.name);
    return fail(Code::kInvalidArgument, "there is no column to split by: " + spec.time_column,
                base::did_you_mean(spec.time_column, known));
  }
  if (column->type == data::ColumnType::kText || column->type == data::ColumnType::kBool)
    return fail(Code::kInvalidArgument,
                "the column to split by is not a time or a number: " + spec.time_column,
                "cast it in `sql`, or remove `split.by`");
  // Rows without a time count as the oldest: they may be learned from, never tested on.
  std::vector<std::uint32_t> order(table.rows());
  std::iota(order.begin(), order.end(), 0u);
  std::vector<double> time(table.rows());
  for (std::size_t r = 0; r < time.size(); ++r)
    time[r] = column->is_valid(r) ? column->number(r) : -INFINITY;
  std::stable_sort(order.begin(), order.end(),
                   [&time](std::uint32_t a, std::uint32_t b) { return time[a] < time[b]; });
  std::vector<double> sorted;
  for (std::uint32_t r : order) sorted.push_back(time[r]);
  const std::size_t test = cut_by_time(sorted, order.size(), spec.test_share),
                    valid = cut_by_time(sorted, test, spec.valid_share);
  const auto at = [&order](std::size_t i) {
    return order.begin() + static_cast<std::ptrdiff_t>(i);
  };
  Split out;
  out.train.assign(at(0), at(valid));
  out.valid.assign(at(valid), at(test));
  out.test.assign(at(test), order.end());
  if (out.train.empty() || (spec.valid_share > 0 && out.valid.empty()) ||
      (spec.test_share > 0 && out.test.empty()))
    return fail(Code::kFailedPrecondition,
                "too few different times to split by: " + spec.time_column,
                "remove `split.by` to split at random");
  return out;
}

// Deals the rows of one class (or all of them) to the three parts.
void deal(std::vector<std::uint32_t> rows, const SplitSpec& spec, base::Rng& rng, Split& out) {
  for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
  const auto share_of = [](std::size_t count, double share) {
    // Training always keeps a row; a part gets its first row when the share is at least half of one.
    return std::min(count - std::min<std::size_t>(count, 1),
                    static_cast<std::size_t>(std::llround(static_cast<double>(count) * share)));
  };
  const std::size_t test = share_of(rows.size(), spec.test_share);
  const std::size_t valid = share_of(rows.size() - test, spec.valid_share);
  for (std::size_t i = 0; i < rows.size(); ++i)
    (i < test ? out.test : i < test + valid ? out.valid : out.train).push_back(rows[i]);
}

constexpr std::size_t kTimeFolds = 3;
constexpr std::size_t kMostFoldRows =
    400'000;                           // above, one window has rows enough and costs enough
constexpr double kLeastHistory = 0.4;  // of the rows, to learn the oldest window's model from

Fold first_fold(std::size_t train, std::size_t all) {
  Fold out;
  out.train.resize(train);
  std::iota(out.train.begin(), out.train.end(), 0u);
  out.valid.resize(all - train);
  std::iota(out.valid.begin(), out.valid.end(), static_cast<std::uint32_t>(train));
  return out;
}

void add_windows(const std::vector<double>& times, std::size_t valid, std::vector<Fold>& out) {
  const auto least = static_cast<std::size_t>(kLeastHistory * static_cast<double>(times.size()));
  std::size_t end = times.size() - valid;
  while (out.size() < kTimeFolds) {
    if (end < least + valid) return;
    const double share = static_cast<double>(valid) / static_cast<double>(end);
    const std::size_t cut = cut_by_time(times, end, share);
    if (cut < least || cut == 0 || cut >= end) return;
    Fold fold = first_fold(cut, end);
    out.push_back(std::move(fold));
    end = cut;
  }
}

// Disjoint parts of the training rows, each as long as valid and with its shares of the classes.
void add_parts(const std::vector<double>& labels, bool classes, std::size_t train,
               const SplitSpec& spec, std::vector<Fold>& out) {
  const std::size_t all = labels.size(), valid = all - train;
  const std::size_t wanted = all < 5'000 ? 5 : all < 15'000 ? 3 : 1;
  const std::size_t parts = std::min(wanted - 1, valid == 0 ? 0 : train / valid);
  if (parts == 0) return;
  std::map<double, std::vector<std::uint32_t>> groups;
  for (std::size_t p = 0; p < train; ++p)
    groups[classes ? labels[p] : 0.0].push_back(static_cast<std::uint32_t>(p));
  base::Rng rng(spec.seed + 1);
  std::vector<std::uint8_t> part_of(all, 255);
  std::size_t dealt =
      0;  // goes on from class to class, so that rare classes do not all fall into the first part
  const double share = static_cast<double>(valid * parts) / static_cast<double>(train);
  for (auto& [label, rows] : groups) {
    for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
    const auto most =
        static_cast<std::size_t>(std::llround(share * static_cast<double>(rows.size())));
    for (std::size_t i = 0; i < std::min(most, rows.size()); ++i)
      part_of[rows[i]] = static_cast<std::uint8_t>(dealt++ % parts);
  }
  for (std::size_t k = 0; k < parts; ++k) {
    Fold fold;
    for (std::uint32_t p = 0; p < all; ++p)
      (part_of[p] == k ? fold.valid : fold.train).push_back(p);
    if (!fold.valid.empty()) out.push_back(std::move(fold));
  }
}

}  // namespace

std::vector<Fold> make_folds(const data::Table& table, const std::vector<double>& labels,
                             bool classes, const SplitSpec& spec, const Split& split) {
  const std::size_t train = split.train.size(), all = train + split.valid.size();
  std::vector<Fold> out{first_fold(train, all)};
  if (split.valid.empty() || all > kMostFoldRows) return out;
  std::vector<std::uint32_t> rows = split.train;
  rows.insert(rows.end(), split.valid.begin(), split.valid.end());
  std::vector<double> values;
  values.reserve(all);
  const data::Column* time = spec.time_column.empty() ? nullptr : table.find(spec.time_column);
  for (const std::uint32_t r : rows)
    values.push_back(time == nullptr ? labels[r] : time->is_valid(r) ? time->number(r) : -INFINITY);
  if (time != nullptr)
    add_windows(values, split.valid.size(), out);
  else
    add_parts(values, classes, train, spec, out);
  return out;
}

base::Result<Split> split_rows(const data::Table& table, const std::vector<double>& labels,
                               bool classes, const SplitSpec& spec) {
  if (labels.size() != table.rows())
    return fail(Code::kInvalidArgument,
                "labels and rows differ in number: " + std::to_string(labels.size()) + " and " +
                    std::to_string(table.rows()));
  const bool shares_ok =
      spec.test_share >= 0 && spec.valid_share >= 0 && spec.test_share < 1 && spec.valid_share < 1;
  if (!shares_ok)
    return fail(Code::kInvalidArgument, "a share of rows lies between 0 and 1: test " +
                                            base::format_double(spec.test_share) + ", valid " +
                                            base::format_double(spec.valid_share));
  if (table.rows() < 10)
    return fail(Code::kFailedPrecondition,
                "too few rows to split into train, valid and test: " + std::to_string(table.rows()),
                "10 are the least");
  if (!spec.time_column.empty()) return split_by_time(table, spec);
  std::map<double, std::vector<std::uint32_t>> groups;
  for (std::size_t r = 0; r < labels.size(); ++r)
    groups[classes ? labels[r] : 0.0].push_back(static_cast<std::uint32_t>(r));
  base::Rng rng(spec.seed);
  Split out;
  for (auto& [label, rows] : groups) deal(std::move(rows), spec, rng, out);
  for (std::vector<std::uint32_t>* part : {&out.train, &out.valid, &out.test})
    std::sort(part->begin(), part->end());
  if ((spec.valid_share > 0 && out.valid.empty()) || (spec.test_share > 0 && out.test.empty()))
    return fail(Code::kFailedPrecondition,
                "too few rows a class to split: " + std::to_string(table.rows()) + " rows in " +
                    std::to_string(groups.size()) + " classes",
                "group rare classes, or collect more rows");
  return out;
}

}  // namespace maru::tune
