#include "value_table.h"

#include <algorithm>

namespace maru::stats {

void ValueTable::put(std::size_t at, std::uint64_t key, std::string_view text, bool is_text,
                     std::uint64_t row, std::uint64_t count) {
  Entry& slot = slots_[at];
  slot.key = key;
  slot.count = count;
  slot.first_row = row;
  slot.text = 0;
  slot.length = 0;
  if (is_text) {
    slot.text = static_cast<std::uint32_t>(texts_.size() + 1);
    slot.length = static_cast<std::uint32_t>(std::min(text.size(), kShownBytes));
    texts_.append(text.substr(0, kShownBytes));
  }
  if (++size_ * 4 > slots_.size() * 3) rebuild(slots_.size() * 2, 0);
}

// Takes `less` from every count and lays what is left into a table of so many slots.
void ValueTable::rebuild(std::size_t slots, std::uint64_t less) {
  std::vector<Entry> before(slots);
  before.swap(slots_);
  std::string texts;
  texts.swap(texts_);
  size_ = 0;
  for (Entry& entry : before) {
    if (entry.count <= less) continue;
    entry.count -= less;
    std::size_t at = place(entry.key);
    while (slots_[at].count != 0) at = (at + 1) & (slots_.size() - 1);
    if (entry.text != 0) {
      const std::size_t from = entry.text - 1;
      entry.text = static_cast<std::uint32_t>(texts_.size() + 1);
      texts_.append(texts, from, entry.length);
    }
    slots_[at] = entry;
    ++size_;
  }
}

void ValueTable::purge() {
  std::vector<std::uint64_t> counts;
  counts.reserve(size_);
  for (const Entry& entry : slots_) {
    if (entry.count != 0) counts.push_back(entry.count);
  }
  const auto middle = counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2);
  std::nth_element(counts.begin(), middle, counts.end());
  error_ += *middle;
  rebuild(slots_.size(), *middle);
}

void ValueTable::set_limit(std::size_t limit) {
  limit_ = limit;
  while (size_ > limit_) purge();
  std::size_t slots = kStart;
  while (slots * 3 < limit_ * 4) slots *= 2;
  if (slots < slots_.size()) rebuild(slots, 0);
}

bool ValueTable::fits(const ValueTable& other) const {
  if (texts_.size() + other.texts_.size() > kMaxTextBytes) return false;
  std::size_t fresh = 0;
  for (const Entry& entry : other.slots_) {
    if (entry.count == 0) continue;
    std::size_t at = place(entry.key);
    while (slots_[at].count != 0 && slots_[at].key != entry.key)
      at = (at + 1) & (slots_.size() - 1);
    fresh += slots_[at].count == 0 ? 1 : 0;
  }
  return size_ + fresh <= limit_;
}

void ValueTable::merge(const ValueTable& other) {
  for (const Entry& entry : other.slots_) {
    if (entry.count == 0) continue;
    add_purging(entry.key, other.text(entry), entry.text != 0, entry.first_row, entry.count);
  }
  error_ += other.error_;
}

std::vector<ValueTable::Entry> ValueTable::entries() const {
  std::vector<Entry> out;
  out.reserve(size_);
  for (const Entry& entry : slots_) {
    if (entry.count != 0) out.push_back(entry);
  }
  return out;
}

}  // namespace maru::stats
