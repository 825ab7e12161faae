#include "shadow_book.h"

#include <algorithm>
#include <cmath>

namespace maru::serve {

using base::Json;

void ShadowBook::add(int version, std::vector<ShadowRow>&& rows) {
  const std::lock_guard lock(mutex_);
  if (version_ != version) {
    version_ = version;
    rows_.clear();
    next_ = 0;
  }
  for (ShadowRow& row : rows) {
    if (rows_.size() < kShadowKept)
      rows_.push_back(std::move(row));
    else
      rows_[next_] = std::move(row);
    next_ = (next_ + 1) % kShadowKept;
  }
}

Json ShadowBook::report(int version) const {
  std::vector<ShadowRow> rows;
  {
    const std::lock_guard lock(mutex_);
    if (version_ != version || rows_.empty()) return {};
    rows = rows_;
  }
  const auto difference = [](const ShadowRow& row) { return row.shadow - row.answered; };
  std::sort(rows.begin(), rows.end(), [&](const ShadowRow& a, const ShadowRow& b) {
    return std::abs(difference(a)) > std::abs(difference(b));
  });
  double sum = 0;
  std::int64_t same = 0;
  for (const ShadowRow& row : rows) {
    sum += difference(row);
    same += row.same_class;
  }
  // Around zero, and as wide as the largest; the same for both sides.
  const double reach = std::max(std::abs(difference(rows.front())), 1e-12);
  std::vector<std::int64_t> counts(kShadowBins, 0);
  for (const ShadowRow& row : rows) {
    const double place = (difference(row) + reach) / (2 * reach) * kShadowBins;
    ++counts[std::min(kShadowBins - 1, static_cast<std::size_t>(std::max(0.0, place)))];
  }
  Json bins = Json::array(), worst = Json::array();
  for (const std::int64_t n : counts) bins.push(n);
  for (std::size_t i = 0; i < std::min(kShadowWorst, rows.size()); ++i)
    worst.push(Json::object({{"id", rows[i].id},
                             {"answered", rows[i].answered},
                             {"shadow", rows[i].shadow},
                             {"difference", difference(rows[i])}}));
  const auto total = static_cast<double>(rows.size());
  return Json::object(
      {{"rows", static_cast<std::int64_t>(rows.size())},
       {"same_class", static_cast<double>(same) / total},
       {"mean", sum / total},
       {"median", std::abs(difference(rows[rows.size() / 2]))},
       {"bins", Json::object({{"from", -reach}, {"to", reach}, {"counts", std::move(bins)}})},
       {"worst", std::move(worst)}});
}

}  // namespace maru::serve
