#include <algorithm>
#include <cmath>
#include <set>

#include "distribution.h"

namespace maru::stats {
namespace {

using base::Json;
using data::Column;
using data::ColumnType;

constexpr std::size_t kMaxSliceValues = 30;
constexpr std::size_t kMinSliceRows = 20;
constexpr double kConcentration = 3;  // how many times stronger inside the slice than outside
constexpr std::size_t kMaxCulprits = 10;

struct Group {
  double count = 0, sum = 0, missing = 0, rows = 0;
  double mean() const { return count > 0 ? sum / count : 0; }
  double missing_share() const { return rows > 0 ? missing / rows : 0; }
};

std::vector<Group> groups_of(const Column& slice, const Column& value,
                             const std::vector<std::string>& names) {
  std::vector<int> place(slice.dictionary.size(), -1);
  for (std::size_t i = 0; i < slice.dictionary.size(); ++i) {
    const auto at = std::find(names.begin(), names.end(), slice.dictionary[i]);
    if (at != names.end()) place[i] = static_cast<int>(at - names.begin());
  }
  std::vector<Group> out(names.size());
  for (std::size_t row = 0; row < slice.rows(); ++row) {
    const std::int32_t code = slice.codes[row];
    const int at = code < 0 ? -1 : place[static_cast<std::size_t>(code)];
    if (at < 0) continue;
    Group& group = out[static_cast<std::size_t>(at)];
    ++group.rows;
    const double number =
        value.type == ColumnType::kText ? (value.codes[row] < 0 ? NAN : 0) : value.number(row);
    if (std::isnan(number)) {
      ++group.missing;
    } else {
      ++group.count;
      group.sum += number;
    }
  }
  return out;
}

std::string fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void add(Json& out, const std::string& column, const std::string& slice, const char* kind,
         const std::string& explanation, double share) {
  out.push(Json::object({{"column", column},
                         {"slice", slice},
                         {"kind", kind},
                         {"explanation", explanation},
                         {"share", share}}));
}

// One group whose values moved by a factor, or went missing, while the others stayed.
void search_slices(const data::Table& before, const data::Table& after, const std::string& name,
                   Json& out) {
  const Column *value_old = before.find(name), *value_new = after.find(name);
  for (const auto& slice : before.columns) {
    if (slice.type != ColumnType::kText || slice.name == name || slice.dictionary.size() < 2 ||
        slice.dictionary.size() > kMaxSliceValues)
      continue;
    const Column* slice_new = after.find(slice.name);
    if (slice_new == nullptr || slice_new->type != ColumnType::kText) continue;
    const auto old_groups = groups_of(slice, *value_old, slice.dictionary),
               new_groups = groups_of(*slice_new, *value_new, slice.dictionary);
    std::vector<double> factors, jumps;
    for (std::size_t i = 0; i < old_groups.size(); ++i) {
      const bool enough =
          old_groups[i].rows >= kMinSliceRows && new_groups[i].rows >= kMinSliceRows;
      const bool numbers = enough && value_old->type != ColumnType::kText &&
                           old_groups[i].mean() != 0 && new_groups[i].count > 0;
      factors.push_back(numbers
                            ? std::fabs(std::log(std::max(
                                  1e-12, std::fabs(new_groups[i].mean() / old_groups[i].mean()))))
                            : 0);
      jumps.push_back(
          enough ? std::fabs(new_groups[i].missing_share() - old_groups[i].missing_share()) : 0);
    }
    const auto report = [&](const std::vector<double>& sizes, double least, bool factor) {
      const auto top =
          static_cast<std::size_t>(std::max_element(sizes.begin(), sizes.end()) - sizes.begin());
      double second = 0;
      for (std::size_t i = 0; i < sizes.size(); ++i)
        second = i == top ? second : std::max(second, sizes[i]);
      if (sizes[top] < least || sizes[top] < kConcentration * second) return;
      const std::string where = slice.name + ": " + slice.dictionary[top];
      const double share = sizes[top] / (sizes[top] + second);
      if (factor) {
        const double ratio = new_groups[top].mean() / old_groups[top].mean();
        add(out, name, where, "scale",
            name + " is " + fixed(ratio, 2) + " times what it was where " + where +
                ", and unchanged elsewhere",
            share);
      } else {
        add(out, name, where, "missing",
            name + " went missing in " + fixed(new_groups[top].missing_share() * 100, 1) +
                " % of rows where " + where + ", and not elsewhere",
            share);
      }
    };
    report(factors, 0.05, true);
    report(jumps, 0.05, false);
  }
}

// Vanished values and new ones of the same share are the same thing under a new name.
void search_renames(const Column& before, const Column& after, Json& out) {
  if (before.type != ColumnType::kText || after.type != ColumnType::kText) return;
  const Counts a = Counts::of(before), b = Counts::of(after);
  const CategoryTest test = compare_counts(a, b);
  std::set<std::string> used;
  for (const auto& gone : test.vanished) {
    std::string best;
    double best_gap = 0.25;
    for (const auto& fresh : test.fresh) {
      if (used.count(fresh) != 0) continue;
      const double gap = std::fabs(b.share(fresh) / a.share(gone) - 1);
      if (gap < best_gap) {
        best = fresh;
        best_gap = gap;
      }
    }
    if (best.empty() || a.share(gone) < 0.005) continue;
    used.insert(best);
    add(out, before.name, before.name + ": " + best, "renamed",
        "\"" + gone + "\" looks renamed to \"" + best +
            "\": the one vanished, the other appeared with the same share",
        a.share(gone));
  }
}

}  // namespace

Json find_culprits(const data::Table& reference, const data::Table& current,
                   const DriftReport& report) {
  Json out = Json::array();
  for (const auto& column : report.columns) {
    if (!column.drift || out.size() >= kMaxCulprits) continue;
    const Column *before = reference.find(column.name), *after = current.find(column.name);
    if (before == nullptr || after == nullptr) continue;
    search_renames(*before, *after, out);
    if (before->type == after->type) search_slices(reference, current, column.name, out);
  }
  Json::Array& items = out.items();
  std::stable_sort(items.begin(), items.end(), [](const Json& a, const Json& b) {
    return a["share"].as_double() > b["share"].as_double();
  });
  if (items.size() > kMaxCulprits) items.resize(kMaxCulprits);
  return out;
}

}  // namespace maru::stats
