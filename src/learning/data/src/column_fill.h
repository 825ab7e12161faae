#pragma once
#include <optional>
#include <string_view>

#include "cell_kinds.h"
#include "maru/data/table.h"
#include "text_encoder.h"

namespace maru::data {

// Turns the texts of one column into values of the type that was assumed for it, and finds out what its cells allow. One thread at a time.
class ColumnFill {
 public:
  // `kinds` outlives this and goes on from column to column. A fixed type takes any cell as text.
  ColumnFill(std::string name, ColumnType type, CellKinds& kinds, bool fixed);

  // Cells of a text file: blank is missing.
  void add(const std::string_view* cells, std::size_t rows);
  void add_missing(std::size_t rows);
  // One value of JSON: a bare word (number, true, false), or a text that may be "" or "12". Of a fixed type: text.
  void add_word(std::string_view word);
  void add_quoted(std::string_view text);

  bool fits() const { return fits_; }  // every cell parsed as the type
  std::size_t rows() const { return rows_; }
  Column take();  // ends it

 private:
  template <class Value, class Parse>
  void numbers(std::vector<Value>& values, const std::string_view* cells, std::size_t rows,
               Parse parse);
  void one(std::string_view cell);
  void missing_one();
  bool store(std::string_view cell);

  Column column_;
  CellKinds& kinds_;
  std::optional<TextEncoder> encoder_;
  std::size_t rows_ = 0;
  bool fixed_, fits_ = true;
};

}  // namespace maru::data
