#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "maru/base/hash.h"
#include "maru/data/table.h"

namespace maru::data {

// Fills a text column: distinct values get codes in order of first appearance. Open addressing over the dictionary.
class TextEncoder {
 public:
  explicit TextEncoder(Column& column) : column_(column), slots_(64, 0) {}

  void add(std::string_view value) { column_.codes.push_back(code_of(value)); }
  void add_missing() { column_.codes.push_back(-1); }

  std::int32_t code_of(std::string_view value) {
    if (last_ >= 0 && column_.dictionary[static_cast<std::size_t>(last_)] == value) return last_;
    const std::uint64_t hash = hash_of(value);
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at] != 0) {
      const auto code = static_cast<std::size_t>(slots_[at] - 1);
      if (hashes_[code] == hash && column_.dictionary[code] == value)
        return last_ = static_cast<std::int32_t>(code);
      at = (at + 1) & (slots_.size() - 1);
    }
    column_.dictionary.emplace_back(value);
    hashes_.push_back(hash);
    slots_[at] = static_cast<std::uint32_t>(hashes_.size());
    if (hashes_.size() * 2 > slots_.size()) grow();
    return last_ = static_cast<std::int32_t>(hashes_.size() - 1);
  }

 private:
  // Codes do not depend on it, so short words take a cheaper one.
  static std::uint64_t hash_of(std::string_view value) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15u;
    const std::size_t size = value.size();
    if (size > 16) return base::hash64(value);
    std::uint64_t a = size, b = 0;
    if (size >= 8) {
      std::memcpy(&a, value.data(), 8);
      std::memcpy(&b, value.data() + size - 8, 8);
    } else {
      for (const char c : value) b = b << 8 | static_cast<unsigned char>(c);
    }
    std::uint64_t out = (a * kOdd) ^ (b + size) * 0xc2b2ae3d27d4eb4fu;
    out ^= out >> 29;
    out *= kOdd;
    return out ^ out >> 32;
  }
  void grow() {
    slots_.assign(slots_.size() * 4, 0);
    for (std::size_t code = 0; code < hashes_.size(); ++code) {
      std::size_t at = hashes_[code] & (slots_.size() - 1);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = static_cast<std::uint32_t>(code + 1);
    }
  }

  Column& column_;
  std::vector<std::uint32_t> slots_;  // code + 1; 0 is empty
  std::vector<std::uint64_t> hashes_;
  std::int32_t last_ = -1;
};

}  // namespace maru::data
