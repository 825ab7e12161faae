#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cell_shape.h"
#include "maru/data/cell_stream.h"
#include "sketch.h"
#include "value_table.h"

namespace maru::stats {

inline constexpr std::size_t kExtremes = 5;

// A row as it is known while several threads read: block and row within it. Ordered as the rows are.
constexpr std::uint64_t row_mark(std::size_t block, std::size_t row) {
  return static_cast<std::uint64_t>(block) << 24 | row;
}

struct Extreme {
  double value = 0;
  std::uint64_t row = 0;
};

// The first and last number of a block and whether it goes only up or only down.
struct Stretch {
  double first = 0, last = 0;
  bool rises = true, falls = true;
};

// Everything that one pass learns of one column. While at most ValueTable's limit of values was met, they are all there with their counts and nothing is approximate; then the
// values go into sketches. Merging two gives what one pass over both had given (exactly, or within the sketches' bounds). One thread at a time.
class ColumnSums {
 public:
  ColumnSums(data::ColumnType type, bool raw, std::size_t exact_limit, bool nan_is_missing);
  // `hashes`: of each row, mixed with this column's cell; `patterns`: changed where the cell is missing.
  void add(const data::CellColumn& cells, std::size_t rows, std::size_t block,
           std::uint64_t* hashes, std::uint64_t* patterns, std::uint64_t salt);
  void merge(const ColumnSums& other);

  data::ColumnType type;
  bool raw;
  std::uint64_t rows = 0, missing = 0, nan = 0, infinite = 0, negative_infinite = 0;
  ValueTable values;
  bool spilled = false;
  // Since it was spilled:
  DistinctSketch distinct;
  QuantileSketch quantiles;
  MomentSums moments;
  std::uint64_t zeros = 0, negatives = 0;
  long double sum = 0;
  std::array<std::uint64_t, 7> shapes{};  // cells by Shape
  std::int64_t integer_min = INT64_MAX, integer_max = INT64_MIN;
  std::vector<Extreme> low, high;  // at most kExtremes, outermost first
  std::uint64_t length_min = UINT64_MAX, length_max = 0, length_sum = 0, bytes_sum = 0;
  double length_squares = 0;
  std::uint64_t edge_spaces = 0;
  std::uint64_t whole_days = 0;        // times at midnight
  std::uint64_t odd_row = UINT64_MAX;  // the first cell that is no number
  std::string odd_text;
  std::map<std::size_t, Stretch> stretches;
  bool may_rise = true, may_fall = true;

 private:
  void add_texts(const data::CellColumn& cells, std::size_t block, std::uint64_t* hashes,
                 std::uint64_t* patterns, std::uint64_t salt, std::size_t n);
  template <class T>
  void add_numbers(const T* from, const data::CellColumn& cells, std::size_t block,
                   std::uint64_t* hashes, std::uint64_t* patterns, std::uint64_t salt,
                   std::size_t n);
  void spill();
  void add_counts(const ColumnSums& other);
  void absorb(const ColumnSums& other);
  void sketch_text(std::string_view cell, std::uint64_t hash, std::uint64_t row,
                   std::uint64_t count);
  void sketch_number(const CellValue& value, std::uint64_t row, std::uint64_t count);
  void settle();  // the buffered numbers go into moments and quantiles
  void look_for_order(double value, Stretch& stretch, bool& any);
  void close_stretch(std::size_t block, const Stretch& stretch, bool any);

  std::size_t exact_limit_;
  bool nan_is_missing_;
  std::vector<double> buffer_;
  std::vector<std::pair<double, std::uint64_t>> weighted_;
};

// Code points of UTF-8.
std::uint64_t characters(std::string_view text);
void keep_extreme(std::vector<Extreme>& kept, Extreme value, bool low);

}  // namespace maru::stats
