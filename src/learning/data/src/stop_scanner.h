#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace maru::data {

// Finds the next delimiter or line end of a text, 64 bytes at a time. The text must be followed by 64 readable bytes.
class StopScanner {
 public:
  StopScanner(const char* text, std::size_t size, char delimiter)
      : text_(text), size_(size), delimiter_(delimiter) {}

  // The first stop at or behind `from`; the size when there is none.
  std::size_t next(std::size_t from) {
    for (;;) {
      const std::size_t window = from & ~std::size_t{63};
      if (window >= size_) return size_;
      if (window != window_) {
        window_ = window;
        mask_ = stops(text_ + window);
      }
      const std::uint64_t left = mask_ & (~std::uint64_t{0} << (from & 63));
      if (left != 0) {
        const std::size_t at = window + static_cast<std::size_t>(__builtin_ctzll(left));
        return at < size_ ? at : size_;
      }
      from = window + 64;
    }
  }

 private:
#if defined(__SSE2__)
  std::uint64_t stops(const char* at) const {
    const __m128i delimiter = _mm_set1_epi8(delimiter_), feed = _mm_set1_epi8('\n'),
                  carriage = _mm_set1_epi8('\r');
    std::uint64_t out = 0;
    for (int i = 0; i < 4; ++i) {
      const __m128i piece = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
      const __m128i hit =
          _mm_or_si128(_mm_cmpeq_epi8(piece, delimiter),
                       _mm_or_si128(_mm_cmpeq_epi8(piece, feed), _mm_cmpeq_epi8(piece, carriage)));
      out |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(hit)))
             << (16 * i);
    }
    return out;
  }
#else
  std::uint64_t stops(const char* at) const {
    std::uint64_t out = 0;
    for (int i = 0; i < 64; ++i) {
      const char c = at[i];
      out |= static_cast<std::uint64_t>(c == delimiter_ || c == '\n' || c == '\r') << i;
    }
    return out;
  }
#endif

  const char* text_;
  std::size_t size_;
  char delimiter_;
  std::size_t window_ = ~std::size_t{0};
  std::uint64_t mask_ = 0;
};

}  // namespace maru::data
