#include "maru/base/id.h"

#include <array>
#include <cstdint>
#include <mutex>

#include "maru/base/rng.h"

namespace maru::base {
namespace {

// RFC 9562 §6.2 method 2: within one millisecond the 74 random bits are a counter that grows by a random step, so ids keep their order.
struct Sequence {
  std::mutex mutex;
  std::uint64_t last_ms = 0;
  std::uint16_t high = 0;  // 12 bits, rand_a
  std::uint64_t low = 0;   // 62 bits, rand_b
  std::array<std::uint8_t, 512> bytes{};
  std::size_t used = 512;

  // Calls to the operating system are made 32 ids at a time.
  std::uint64_t random() {
    if (used + 8 > bytes.size()) {
      secure_random(bytes);
      used = 0;
    }
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = (value << 8) | bytes[used++];
    return value;
  }
};

Sequence& sequence() {
  static Sequence instance;
  return instance;
}

constexpr std::uint64_t kLowMask = (std::uint64_t{1} << 62) - 1;

void put_hex(char* out, std::uint64_t value) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (int i = 15; i >= 0; --i) {
    out[i] = kDigits[value & 15];
    value >>= 4;
  }
}

}  // namespace

std::string new_id(const Clock& clock) {
  const auto ms = static_cast<std::uint64_t>(clock.now_ms());
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  {
    Sequence& seq = sequence();
    const std::lock_guard lock(seq.mutex);
    if (ms > seq.last_ms) {
      seq.last_ms = ms;
      seq.high = static_cast<std::uint16_t>(seq.random() & 0xfff);
      seq.low = seq.random() & kLowMask;
    } else {
      seq.low += 1 + (seq.random() & 0xffff'ffff);
      if (seq.low > kLowMask) {
        seq.low &= kLowMask;
        seq.high = static_cast<std::uint16_t>(seq.high + 1);
        if (seq.high > 0xfff) {
          seq.high = 0;
          ++seq.last_ms;
        }
      }
    }
    first = (seq.last_ms << 16) | 0x7000 | seq.high;
    second = (std::uint64_t{2} << 62) | seq.low;
  }
  std::string out(32, '0');
  put_hex(out.data(), first);
  put_hex(out.data() + 16, second);
  return out;
}

bool is_id(std::string_view text) {
  if (text.size() != 32) return false;
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

}  // namespace maru::base
