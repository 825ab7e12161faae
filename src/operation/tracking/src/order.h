#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "maru/tracking/filter.h"

namespace maru::tracking {

// Where a value stands whatever the direction: numbers and text, then NaN, then what is missing.
inline int order_rank(const Cell& cell) {
  if (std::holds_alternative<std::monostate>(cell)) return 2;
  const double* number = std::get_if<double>(&cell);
  return number != nullptr && std::isnan(*number) ? 1 : 0;
}

// Sorts by the terms in turn; equal items keep their order. `value(item, term)` gives what a term looks at.
template <class Item, class ValueOf>
void sort_by(std::vector<Item>& items, const std::vector<OrderTerm>& terms, const ValueOf& value) {
  std::stable_sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    for (const auto& term : terms) {
      const Cell left = value(a, term), right = value(b, term);
      const int left_rank = order_rank(left), right_rank = order_rank(right);
      if (left_rank != right_rank) return left_rank < right_rank;
      if (left_rank != 0 || left == right) continue;
      return term.descending ? right < left : left < right;
    }
    return false;
  });
}

// Cuts `items` to one page; whether more follow.
template <class Item>
bool take_page(std::vector<Item>& items, std::size_t offset, std::size_t limit) {
  const bool more = items.size() > offset && items.size() - offset > limit;
  if (more) items.resize(offset + limit);
  items.erase(items.begin(),
              items.begin() + static_cast<std::ptrdiff_t>(std::min(offset, items.size())));
  return more;
}

}  // namespace maru::tracking
