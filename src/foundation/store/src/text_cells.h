#pragma once
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "maru/store/database.h"

namespace maru::store {

// A row whose cells are all texts, as servers send them. The views belong to whoever fills it.
class TextCells final : public Cursor {
 public:
  struct Cell {
    const char* begin = nullptr;  // null: NULL
    std::size_t size = 0;
  };
  std::vector<Cell> cells;

  bool null(int i) const override { return at(i).begin == nullptr; }
  bool is_text(int i) const override { return !null(i); }
  std::int64_t integer(int i) const override { return number<std::int64_t>(text(i)); }
  double real(int i) const override { return number<double>(text(i)); }
  std::string_view text(int i) const override {
    return null(i) ? std::string_view() : std::string_view(at(i).begin, at(i).size);
  }
  std::string_view bytes(int i) const override { return text(i); }

 private:
  const Cell& at(int i) const { return cells[static_cast<std::size_t>(i)]; }
  template <class T>
  static T number(std::string_view text) {
    T out{};
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
  }
};

// "a.b" as `"a"."b"` with the quote of that database.
inline std::string quote_parts(std::string_view name, char quote) {
  std::string out(1, quote);
  for (const char c : name) {
    if (c == '.') {
      out += {quote, '.', quote};
      continue;
    }
    if (c == quote) out += quote;
    out += c;
  }
  return out + quote;
}

}  // namespace maru::store
