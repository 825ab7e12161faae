#include "slices.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

namespace maru::stats {
namespace {

using data::Column;
using data::ColumnType;

constexpr std::size_t kMaxSliceValues = 80;
constexpr std::size_t kMaxWholeValues = 24;  // of a column of whole numbers
constexpr double kMinSliceRows = 20;
constexpr std::size_t kMostRows = 20'000;  // a side
constexpr double kExplained = 0.5;         // of the change is gone without the group

bool whole(ColumnType type) { return type == ColumnType::kInteger || type == ColumnType::kBool; }

// False when the column has too many values, or is of another kind than before.
bool group_rows(const Column& before, const Column& after,
                const std::vector<std::uint32_t>& old_rows,
                const std::vector<std::uint32_t>& new_rows, Grouping& out) {
  if (before.type != after.type || (before.type != ColumnType::kText && !whole(before.type)))
    return false;
  const std::size_t most = before.type == ColumnType::kText ? kMaxSliceValues : kMaxWholeValues;
  std::map<std::string, int> places;
  const auto place = [&](const std::string& name) {
    const auto [at, fresh] = places.emplace(name, static_cast<int>(places.size()));
    if (fresh) out.names.push_back(name);
    return at->second;
  };
  const auto number_rows = [&](const Column& column, const std::vector<std::uint32_t>& rows,
                               std::vector<int>& groups) {
    std::vector<int> by_code(column.dictionary.size(), -2);
    std::unordered_map<std::int64_t, int> by_value;
    for (const std::uint32_t r : rows) {
      int group = -1;
      if (column.type == ColumnType::kText) {
        if (column.codes[r] >= 0) {
          int& known = by_code[static_cast<std::size_t>(column.codes[r])];
          if (known == -2) known = place(column.display(r));
          group = known;
        }
      } else if (column.is_valid(r)) {
        const auto [at, fresh] = by_value.emplace(column.integers[r], 0);
        if (fresh) at->second = place(column.display(r));
        group = at->second;
      }
      if (places.size() > most) return false;
      groups.push_back(group);
    }
    return true;
  };
  out.column = before.name;
  return number_rows(before, old_rows, out.before) && number_rows(after, new_rows, out.after) &&
         out.names.size() > 1;
}

// Tries every group of every grouping but the column's own: `inside` and `without` measure the change there.
template <class Inside, class Without>
GroupFound best_of(const Slices& slices, const std::string& column, double all,
                   const Inside& inside, const Without& without) {
  GroupFound best;
  if (all <= 0) return best;
  for (const Grouping& grouping : slices.groupings()) {
    if (grouping.column == column) continue;
    std::vector<double> n(grouping.names.size(), 0), m(grouping.names.size(), 0);
    for (const int g : grouping.before)
      if (g >= 0) ++n[static_cast<std::size_t>(g)];
    for (const int g : grouping.after)
      if (g >= 0) ++m[static_cast<std::size_t>(g)];
    for (std::size_t g = 0; g < n.size(); ++g) {
      if (n[g] < kMinSliceRows || m[g] < kMinSliceRows) continue;
      const int group = static_cast<int>(g);
      const double explained = 1 - without(grouping, group) / all;
      if (explained < kExplained) continue;
      const double score = explained * inside(grouping, group);
      if (score > best.score * (1 + 1e-9))
        best = {&grouping, group, std::min(1.0, explained), score, 0, 0};
    }
  }
  return best;
}

struct Share {
  double before = 0, after = 0;
  double change() const { return std::fabs(after - before); }
};

template <class Chosen>
Share share_of(const Grouping& grouping, const std::vector<std::uint8_t>& before,
               const std::vector<std::uint8_t>& after, const Chosen& chosen) {
  const auto side = [&](const std::vector<int>& groups, const std::vector<std::uint8_t>& flags) {
    double rows = 0, flagged = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (!chosen(groups[i])) continue;
      ++rows;
      flagged += flags[i];
    }
    return rows > 0 ? flagged / rows : 0;
  };
  return {side(grouping.before, before), side(grouping.after, after)};
}

// Numbers of both sides in ascending order with the place of their row.
struct Item {
  double value;
  std::uint32_t place;
  bool after;
};

template <class Chosen>
double moved(const std::vector<Item>& items, const Grouping& grouping, double deviation,
             const Chosen& chosen) {
  const auto is_chosen = [&](const Item& item) {
    return chosen((item.after ? grouping.after : grouping.before)[item.place]);
  };
  double n = 0, m = 0;
  for (const Item& item : items)
    if (is_chosen(item)) ++(item.after ? m : n);
  if (n == 0 || m == 0) return 0;
  double f = 0, g = 0, last = 0, total = 0;
  for (const Item& item : items) {
    if (!is_chosen(item)) continue;
    if (f + g > 0) total += std::fabs(f / n - g / m) * (item.value - last);
    ++(item.after ? g : f);
    last = item.value;
  }
  return total / deviation;
}

template <class Chosen>
double varied(const Grouping& grouping, const std::vector<int>& before,
              const std::vector<int>& after, std::size_t codes, const Chosen& chosen) {
  std::vector<double> p(codes, 0), q(codes, 0);
  double n = 0, m = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i] >= 0 && chosen(grouping.before[i])) {
      ++p[static_cast<std::size_t>(before[i])];
      ++n;
    }
  for (std::size_t i = 0; i < after.size(); ++i)
    if (after[i] >= 0 && chosen(grouping.after[i])) {
      ++q[static_cast<std::size_t>(after[i])];
      ++m;
    }
  if (n == 0 || m == 0) return 0;
  double out = 0;
  for (std::size_t c = 0; c < codes; ++c) out += std::fabs(p[c] / n - q[c] / m) / 2;
  return out;
}

Grouping everything(const Slices& slices) {
  Grouping out;
  out.before.assign(slices.old_rows().size(), 0);
  out.after.assign(slices.new_rows().size(), 0);
  return out;
}

constexpr auto kAll = [](int) { return true; };

}  // namespace

std::vector<std::uint32_t> drawn_rows(std::size_t rows, std::size_t most) {
  std::vector<std::uint32_t> out;
  const double share =
      static_cast<double>(most) / static_cast<double>(std::max<std::size_t>(1, rows));
  for (std::size_t r = 0; r < rows; ++r) {
    std::uint64_t z = r + 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    if (share >= 1 || static_cast<double>(z >> 11) * 0x1p-53 < share)
      out.push_back(static_cast<std::uint32_t>(r));
  }
  return out;
}

Slices::Slices(const data::Table& before, const data::Table& after)
    : old_rows_(drawn_rows(before.rows(), kMostRows)),
      new_rows_(drawn_rows(after.rows(), kMostRows)) {
  for (const Column& column : before.columns) {
    const Column* now = after.find(column.name);
    Grouping grouping;
    if (now != nullptr && group_rows(column, *now, old_rows_, new_rows_, grouping))
      groupings_.push_back(std::move(grouping));
  }
}

const Grouping* Slices::find(const std::string& column) const {
  for (const Grouping& grouping : groupings_)
    if (grouping.column == column) return &grouping;
  return nullptr;
}

std::string GroupFound::where() const {
  return grouping->column + ": " + grouping->names[static_cast<std::size_t>(group)];
}

GroupFound find_flagged(const Slices& slices, const std::string& column,
                        const std::vector<std::uint8_t>& before,
                        const std::vector<std::uint8_t>& after) {
  const double all = share_of(everything(slices), before, after, kAll).change();
  GroupFound best = best_of(
      slices, column, all,
      [&](const Grouping& g, int group) {
        return share_of(g, before, after, [group](int other) { return other == group; }).change();
      },
      [&](const Grouping& g, int group) {
        return share_of(g, before, after, [group](int other) { return other != group; }).change();
      });
  if (best.grouping != nullptr) {
    const int group = best.group;
    const Share inside =
        share_of(*best.grouping, before, after, [group](int other) { return other == group; });
    best.before = inside.before;
    best.after = inside.after;
  }
  return best;
}

GroupFound find_moved(const Slices& slices, const std::string& column,
                      const std::vector<double>& before, const std::vector<double>& after) {
  std::vector<Item> items;
  double n = 0, mean = 0, squares = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!std::isfinite(before[i])) continue;
    items.push_back({before[i], static_cast<std::uint32_t>(i), false});
    const double delta = before[i] - mean;
    mean += delta / ++n;
    squares += delta * (before[i] - mean);
  }
  for (std::size_t i = 0; i < after.size(); ++i)
    if (std::isfinite(after[i])) items.push_back({after[i], static_cast<std::uint32_t>(i), true});
  std::sort(items.begin(), items.end(),
            [](const Item& a, const Item& b) { return a.value < b.value; });
  const double deviation = n > 0 && squares > 0 ? std::sqrt(squares / n) : 1;
  const double all = moved(items, everything(slices), deviation, kAll);
  return best_of(
      slices, column, all,
      [&](const Grouping& g, int group) {
        return moved(items, g, deviation, [group](int other) { return other == group; });
      },
      [&](const Grouping& g, int group) {
        return moved(items, g, deviation, [group](int other) { return other != group; });
      });
}

GroupFound find_recoded(const Slices& slices, const std::string& column,
                        const std::vector<int>& before, const std::vector<int>& after,
                        std::size_t codes) {
  const double all = varied(everything(slices), before, after, codes, kAll);
  return best_of(
      slices, column, all,
      [&](const Grouping& g, int group) {
        return varied(g, before, after, codes, [group](int other) { return other == group; });
      },
      [&](const Grouping& g, int group) {
        return varied(g, before, after, codes, [group](int other) { return other != group; });
      });
}

}  // namespace maru::stats
