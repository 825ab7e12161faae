#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "delimited.h"

namespace maru::data {

// Splits text into rows of cells. Doubled quotes are undone in place, so cells point into the text.
class RowReader {
 public:
  RowReader(char* begin, char* end, char delimiter, bool quotes)
      : at_(begin), end_(end), delimiter_(delimiter), quotes_(quotes) {}

  bool done() const { return at_ == end_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }  // bytes
  std::size_t line() const { return row_line_; }  // where the row read last starts, from 1
  bool open_quote() const { return open_quote_; }
  std::size_t row_bytes() const { return row_bytes_; }

  void next(std::vector<std::string_view>& cells) {
    cells.clear();
    row_line_ = line_;
    const char* start = at_;
    for (;;) {
      cells.push_back(cell());
      if (at_ == end_) break;
      const char c = *at_++;
      if (c == delimiter_) {
        if (at_ == end_) {  // the file ends right after a delimiter
          cells.emplace_back();
          break;
        }
        continue;
      }
      if (c == '\r' && at_ != end_ && *at_ == '\n') ++at_;
      ++line_;
      break;
    }
    row_bytes_ = static_cast<std::size_t>(at_ - start);
  }

 private:
  bool stops(char c) const { return c == delimiter_ || c == '\n' || c == '\r'; }

  std::string_view cell() {
    if (quotes_ && at_ != end_ && *at_ == '"') return quoted_cell();
    char* start = at_;
    while (at_ != end_ && !stops(*at_)) ++at_;
    return {start, static_cast<std::size_t>(at_ - start)};
  }

  std::string_view quoted_cell() {
    char* start = ++at_;
    char* to = start;
    for (;;) {
      if (at_ == end_) {
        open_quote_ = true;
        break;
      }
      const char c = *at_++;
      if (c == '"') {
        if (at_ == end_ || *at_ != '"') break;
        ++at_;
      }
      if (c == '\n') ++line_;
      *to++ = c;
    }
    while (at_ != end_ && !stops(*at_))
      *to++ = *at_++;  // text after the closing quote belongs to the cell
    return {start, static_cast<std::size_t>(to - start)};
  }

  char* at_;
  char* end_;
  char delimiter_;
  bool quotes_;
  std::size_t line_ = 1, row_line_ = 1, row_bytes_ = 0;
  bool open_quote_ = false;
};

inline bool blank_row(const std::vector<std::string_view>& cells) {
  return cells.size() == 1 && is_blank(cells[0]);
}

}  // namespace maru::data
