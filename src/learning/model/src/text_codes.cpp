#include "text_codes.h"

#include <cstring>

#include "maru/base/hash.h"

namespace maru::model {

TextCodes::TextCodes(const std::vector<std::string>& keys, const std::vector<double>& values,
                     double fallback)
    : fallback_(fallback) {
  std::size_t size = 4;
  while (size < keys.size() * 2) size *= 2;
  slots_.resize(size);
  mask_ = size - 1;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::uint64_t hash = base::hash64(keys[i]);
    std::uint64_t at = hash & mask_;
    while (slots_[at].used &&
           std::string_view(pool_).substr(slots_[at].from, slots_[at].size) != keys[i])
      at = (at + 1) & mask_;
    if (!slots_[at].used) {
      slots_[at] = {hash, static_cast<std::uint32_t>(pool_.size()),
                    static_cast<std::uint32_t>(keys[i].size()), 0, true};
      pool_ += keys[i];
    }
    slots_[at].value = values[i];
  }
}

double TextCodes::find(std::string_view text) const {
  const std::uint64_t hash = base::hash64(text);
  for (std::uint64_t at = hash & mask_; slots_[at].used; at = (at + 1) & mask_) {
    const Slot& slot = slots_[at];
    if (slot.hash == hash && slot.size == text.size() &&
        std::memcmp(pool_.data() + slot.from, text.data(), text.size()) == 0)
      return slot.value;
  }
  return fallback_;
}

std::size_t TextCodes::bytes() const { return slots_.capacity() * sizeof(Slot) + pool_.capacity(); }

}  // namespace maru::model
