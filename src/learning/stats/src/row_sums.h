#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "maru/data/cell_stream.h"

namespace maru::stats {

// Rows that occurred before, by their 64-bit hashes. Exact until kHeld different rows are held; then only those of every 2^shift-th hash are, all copies of a row
// together, so that the estimate stays unbiased. Mergeable.
class RepeatedRows {
 public:
  static constexpr std::size_t kHeld = 1u << 18;
  void add(const std::uint64_t* hashes, std::size_t n);
  void merge(const RepeatedRows& other);
  std::uint64_t repeats() const;  // rows beyond the first of their kind
  bool exact() const { return shift_ == 0; }
  double relative_error() const;  // standard error of repeats()

 private:
  void add_one(std::uint64_t hash, std::uint32_t count);
  void narrow();
  void grow();
  std::uint64_t mask() const { return (std::uint64_t{1} << shift_) - 1; }
  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint32_t> counts_;
  std::size_t size_ = 0;
  int shift_ = 0;
};

// A random sample of rows, the same whoever reads which block: a row is in it when the hash of its place is low enough. All rows while they are few.
class RowSample {
 public:
  explicit RowSample(std::vector<data::StreamColumn> columns);
  void add(const data::CellBlock& block, bool raw);
  void merge(RowSample&& other);
  void trim();  // to what one sample may hold; after the last merge

  struct Column {
    std::vector<double> numbers;      // NaN: missing or no number
    std::vector<std::uint32_t> keys;  // tells values apart; 0: missing
  };
  std::vector<Column> columns;
  std::vector<std::uint64_t> rows;  // marks
  std::vector<std::uint64_t> order;
  bool all() const { return shift_ == 0; }

 private:
  void narrow();
  std::vector<data::StreamColumn> kinds_;
  std::size_t most_ = 0;
  int shift_ = 0;
};

// Which columns are missing together.
struct MissingPattern {
  std::uint64_t rows = 0;
  std::vector<std::uint32_t> columns;
};
class MissingMap {
 public:
  void add(const data::CellBlock& block, const std::uint64_t* patterns, bool raw,
           bool nan_is_missing);
  void merge(const MissingMap& other);
  std::uint64_t rows_with_missing = 0, others = 0;  // others: rows of patterns that did not fit
  std::map<std::uint64_t, MissingPattern> patterns;
};

}  // namespace maru::stats
