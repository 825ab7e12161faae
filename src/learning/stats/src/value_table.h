#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sketch.h"

namespace maru::stats {

__extension__ using Wide = unsigned __int128;
__extension__ using SignedWide = __int128;

// A hash of short texts, two multiplications for up to 16 bytes (after Wang Yi's wyhash).
inline std::uint64_t text_hash(std::string_view text) {
  const auto fold = [](std::uint64_t a, std::uint64_t b) {
    const auto wide = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(wide) ^ static_cast<std::uint64_t>(wide >> 64);
  };
  const auto word = [](const char* at) {
    std::uint64_t out = 0;
    std::memcpy(&out, at, 8);
    return out;
  };
  const auto half = [](const char* at) {
    std::uint32_t out = 0;
    std::memcpy(&out, at, 4);
    return static_cast<std::uint64_t>(out);
  };
  constexpr std::uint64_t kA = 0xA0761D6478BD642Full, kB = 0xE7037ED1A0B428DBull,
                          kC = 0x8EBC6AF09C88C6E3ull;
  const char* p = text.data();
  std::size_t n = text.size();
  std::uint64_t a = 0, b = 0, seed = kC;
  if (n <= 16) {
    if (n >= 8) {
      a = word(p);
      b = word(p + n - 8);
    } else if (n >= 4) {
      a = half(p);
      b = half(p + n - 4);
    } else if (n > 0) {
      a = static_cast<std::uint64_t>(static_cast<unsigned char>(p[0])) << 16 |
          static_cast<std::uint64_t>(static_cast<unsigned char>(p[n / 2])) << 8 |
          static_cast<unsigned char>(p[n - 1]);
    }
  } else {
    for (; n > 16; n -= 16, p += 16) seed = fold(word(p) ^ kA, word(p + 8) ^ seed);
    a = word(p + n - 16);
    b = word(p + n - 8);
  }
  return fold(kB ^ text.size(), fold(a ^ kA, b ^ seed));
}

// How often each value of a stream occurred, and where it was first met. Exact until `limit` values are held; from then on the commonest are kept (Misra,
// Gries, "Finding repeated elements", 1982, purging by the median as Apache DataSketches does): a kept count is low by at most error(), and no value that occurred
// more often is lost. Values are told apart by 64-bit keys: numbers by their bits, texts by a hash (two of 32,768 texts share one with chance 3e-11).
class ValueTable {
 public:
  struct Entry {
    std::uint64_t key = 0, count = 0;
    std::uint64_t first_row = 0;
    std::uint32_t text = 0;  // offset + 1 into the texts; 0: a number
    std::uint32_t length = 0;
  };

  ValueTable() : slots_(kStart) {}
  // Returns false when the value is new and the table was full: the caller decides between flush and purge.
  bool add(std::uint64_t key, std::string_view text, bool is_text, std::uint64_t row,
           std::uint64_t count = 1) {
    std::size_t at = place(key);
    for (;;) {
      Entry& slot = slots_[at];
      if (slot.count == 0) break;
      if (slot.key == key) {
        slot.count += count;
        if (row < slot.first_row) slot.first_row = row;
        return true;
      }
      at = (at + 1) & (slots_.size() - 1);
    }
    if (size_ >= limit_ || texts_.size() > kMaxTextBytes) return false;
    put(at, key, text, is_text, row, count);
    return true;
  }
  // As add(), making room where there is none.
  void add_purging(std::uint64_t key, std::string_view text, bool is_text, std::uint64_t row,
                   std::uint64_t count = 1) {
    while (!add(key, text, is_text, row, count)) {
      purge();
    }
  }
  bool fits(const ValueTable& other) const;  // merging it loses nothing
  void merge(const ValueTable& other);
  void set_limit(std::size_t limit);  // purges down to it
  std::size_t size() const { return size_; }
  std::uint64_t error() const { return error_; }
  std::string_view text(const Entry& entry) const {
    return entry.text == 0 ? std::string_view()
                           : std::string_view(texts_).substr(entry.text - 1, entry.length);
  }
  std::vector<Entry> entries() const;  // in no order

 private:
  static constexpr std::size_t kStart = 256;
  static constexpr std::size_t kMaxTextBytes = 16u << 20;  // of all kept texts
  static constexpr std::size_t kShownBytes = 4096;         // longer texts are cut
  std::size_t place(std::uint64_t key) const { return mix64(key) & (slots_.size() - 1); }
  void put(std::size_t at, std::uint64_t key, std::string_view text, bool is_text,
           std::uint64_t row, std::uint64_t count);
  void purge();
  void rebuild(std::size_t slots, std::uint64_t less);

  std::vector<Entry> slots_;
  std::string texts_;
  std::size_t size_ = 0, limit_ = 32'768;
  std::uint64_t error_ = 0;
};

}  // namespace maru::stats
