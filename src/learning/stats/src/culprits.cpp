#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "distribution.h"

namespace maru::stats {
namespace {

using base::Json;
using data::Column;
using data::ColumnType;

constexpr std::size_t kMaxSliceValues = 80;
constexpr std::size_t kMaxWholeValues = 24;  // of a column of whole numbers
constexpr std::size_t kMinSliceRows = 20;
constexpr std::size_t kMostRows = 50'000;
constexpr double kExplained = 0.5;  // of the column's shift is gone without the slice
constexpr std::size_t kMaxCulprits = 10;

// A column cut into groups: the group of every row, -1 where it has none.
struct Groups {
  std::vector<std::string> names;
  std::vector<int> before, after;
};

bool whole(ColumnType type) { return type == ColumnType::kInteger || type == ColumnType::kBool; }

// False when the column has too many values, or other ones than before.
bool group_rows(const Column& before, const Column& after, Groups& out) {
  if (before.type != after.type || (before.type != ColumnType::kText && !whole(before.type)))
    return false;
  const std::size_t most = before.type == ColumnType::kText ? kMaxSliceValues : kMaxWholeValues;
  std::map<std::string, int> places;
  const auto number_rows = [&](const Column& column, std::vector<int>& groups) {
    groups.assign(column.rows(), -1);
    for (std::size_t r = 0; r < column.rows(); ++r) {
      if (!column.is_valid(r) || (column.type == ColumnType::kText && column.codes[r] < 0))
        continue;
      const auto [at, fresh] = places.emplace(column.display(r), static_cast<int>(places.size()));
      if (fresh) out.names.push_back(at->first);
      if (places.size() > most) return false;
      groups[r] = at->second;
    }
    return true;
  };
  return number_rows(before, out.before) && number_rows(after, out.after) && out.names.size() > 1;
}

// The values of both sides in ascending order, with their groups; and how often a group has none.
struct Values {
  struct Item {
    double value;
    int group;
    bool after;
  };
  std::vector<Item> items;
  std::vector<double> rows_before, rows_after, missing_before, missing_after;  // by group
  double std = 1;
};

Values values_of(const Column& before, const Column& after, const Groups& groups) {
  Values out;
  for (std::vector<double>* counts :
       {&out.rows_before, &out.rows_after, &out.missing_before, &out.missing_after})
    counts->assign(groups.names.size() + 1, 0.0);
  double n = 0, mean = 0, squares = 0;
  const auto take = [&](const Column& column, const std::vector<int>& group, bool later) {
    const std::size_t stride = column.rows() / kMostRows + 1;
    for (std::size_t r = 0; r < column.rows(); r += stride) {
      const std::size_t at =
          group[r] < 0 ? groups.names.size() : static_cast<std::size_t>(group[r]);
      ++(later ? out.rows_after : out.rows_before)[at];
      const bool missing = column.type == ColumnType::kText
                               ? column.codes[r] < 0 || !column.is_valid(r)
                               : std::isnan(column.number(r));
      if (missing) {
        ++(later ? out.missing_after : out.missing_before)[at];
        continue;
      }
      if (column.type == ColumnType::kText) continue;
      const double value = column.number(r);
      out.items.push_back({value, static_cast<int>(at), later});
      if (later) continue;
      ++n;
      const double delta = value - mean;
      mean += delta / n;
      squares += delta * (value - mean);
    }
  };
  take(before, groups.before, false);
  take(after, groups.after, true);
  if (n > 0 && squares > 0) out.std = std::sqrt(squares / n);
  std::sort(out.items.begin(), out.items.end(),
            [](const Values::Item& a, const Values::Item& b) { return a.value < b.value; });
  return out;
}

// Wasserstein's distance between the two sides of the chosen rows, in deviations of the reference.
template <class Chosen>
double moved(const Values& values, const Chosen& chosen) {
  double n = 0, m = 0;
  for (const Values::Item& item : values.items)
    if (chosen(item.group)) ++(item.after ? m : n);
  if (n == 0 || m == 0) return 0;
  double f = 0, g = 0, last = 0, total = 0;
  for (const Values::Item& item : values.items) {
    if (!chosen(item.group)) continue;
    if (f + g > 0) total += std::fabs(f / n - g / m) * (item.value - last);
    ++(item.after ? g : f);
    last = item.value;
  }
  return total / values.std;
}

template <class Chosen>
double went_missing(const Values& values, const Chosen& chosen) {
  double n = 0, m = 0, before = 0, after = 0;
  for (std::size_t g = 0; g < values.rows_before.size(); ++g) {
    if (!chosen(static_cast<int>(g))) continue;
    n += values.rows_before[g];
    m += values.rows_after[g];
    before += values.missing_before[g];
    after += values.missing_after[g];
  }
  return n == 0 || m == 0 ? 0 : std::fabs(after / m - before / n);
}

struct Slice {
  std::string column, value;
  double score = 0, explained = 0, share_before = 0, share_after = 0, mean_before = 0,
         mean_after = 0;
};

// The group without which most of the shift is gone; ranked by that times how far the group itself moved.
template <class Measure>
void best_group(const Values& values, const Groups& groups, const std::string& column,
                const Measure& measure, Slice& best) {
  const double all = measure(values, [](int) { return true; });
  if (all <= 0) return;
  for (std::size_t g = 0; g < groups.names.size(); ++g) {
    if (values.rows_before[g] < kMinSliceRows || values.rows_after[g] < kMinSliceRows) continue;
    const int group = static_cast<int>(g);
    const double without = measure(values, [group](int other) { return other != group; });
    const double explained = 1 - without / all;
    if (explained < kExplained) continue;
    const double score = explained * measure(values, [group](int other) { return other == group; });
    if (score <= best.score) continue;
    best = {column, groups.names[g], score, explained};
    best.share_before = values.missing_before[g] / values.rows_before[g];
    best.share_after = values.missing_after[g] / values.rows_after[g];
    double n = 0, m = 0;
    for (const Values::Item& item : values.items) {
      if (item.group != group) continue;
      ++(item.after ? m : n);
      (item.after ? best.mean_after : best.mean_before) += item.value;
    }
    best.mean_before /= std::max(1.0, n);
    best.mean_after /= std::max(1.0, m);
  }
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

// One group whose values moved, or went missing, while the others stayed.
void search_slices(const data::Table& before, const data::Table& after, const std::string& name,
                   Json& out) {
  const Column &value_old = *before.find(name), &value_new = *after.find(name);
  Slice shifted, emptied;
  for (const Column& slice : before.columns) {
    const Column* slice_new = after.find(slice.name);
    Groups groups;
    if (slice.name == name || slice_new == nullptr || !group_rows(slice, *slice_new, groups))
      continue;
    const Values values = values_of(value_old, value_new, groups);
    best_group(
        values, groups, slice.name,
        [](const Values& v, const auto& chosen) { return moved(v, chosen); }, shifted);
    best_group(
        values, groups, slice.name,
        [](const Values& v, const auto& chosen) { return went_missing(v, chosen); }, emptied);
  }
  if (shifted.score > 0.05) {
    const std::string where = shifted.column + ": " + shifted.value;
    const double ratio = shifted.mean_before != 0 ? shifted.mean_after / shifted.mean_before : 1;
    add(out, name, where, "scale",
        name + " is " + fixed(ratio, 2) + " times what it was where " + where +
            "; without these rows " + fixed(shifted.explained * 100, 0) + " % of its shift is gone",
        std::min(1.0, shifted.explained));
  }
  if (emptied.score > 0.01) {
    const std::string where = emptied.column + ": " + emptied.value;
    add(out, name, where, "missing",
        name + " went from " + fixed(emptied.share_before * 100, 1) + " % missing to " +
            fixed(emptied.share_after * 100, 1) + " % where " + where + "; without these rows " +
            fixed(emptied.explained * 100, 0) + " % of that is gone",
        std::min(1.0, emptied.explained));
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
