#include "row_sums.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "cell_shape.h"
#include "column_sums.h"
#include "maru/data/cell_text.h"
#include "value_table.h"

namespace maru::stats {
namespace {

constexpr std::size_t kSampleCells = 700'000;
constexpr std::size_t kSampleRows = 65'536;
constexpr std::size_t kFewestRows = 1000;
constexpr std::size_t kPatterns = 256;

bool is_missing(const data::CellColumn& column, std::size_t row, bool nan_is_missing) {
  if (column.texts != nullptr) return data::is_blank(column.texts[row]);
  if (!column.is_valid(row)) return true;
  return nan_is_missing && column.reals != nullptr && std::isnan(column.reals[row]);
}

}  // namespace

void RepeatedRows::add(const std::uint64_t* hashes, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    if ((hashes[i] & mask()) == 0) add_one(hashes[i], 1);
  }
}

void RepeatedRows::add_one(std::uint64_t hash, std::uint32_t count) {
  if (hashes_.empty()) {
    hashes_.assign(1024, 0);
    counts_.assign(1024, 0);
  }
  std::size_t at = mix64(hash) & (hashes_.size() - 1);
  while (counts_[at] != 0 && hashes_[at] != hash) at = (at + 1) & (hashes_.size() - 1);
  if (counts_[at] == 0) {
    hashes_[at] = hash;
    ++size_;
  }
  counts_[at] += count;
  if (size_ > kHeld)
    narrow();
  else if (size_ * 3 > hashes_.size() * 2)
    grow();
}

void RepeatedRows::grow() {
  std::vector<std::uint64_t> hashes(hashes_.size() * 2, 0);
  std::vector<std::uint32_t> counts(hashes_.size() * 2, 0);
  hashes.swap(hashes_);
  counts.swap(counts_);
  size_ = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (counts[i] != 0 && (hashes[i] & mask()) == 0) add_one(hashes[i], counts[i]);
  }
}

void RepeatedRows::narrow() {
  while (size_ > kHeld / 2) {
    ++shift_;
    const std::vector<std::uint64_t> hashes = std::move(hashes_);
    const std::vector<std::uint32_t> counts = std::move(counts_);
    hashes_.assign(hashes.size(), 0);
    counts_.assign(counts.size(), 0);
    size_ = 0;
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      if (counts[i] == 0 || (hashes[i] & mask()) != 0) continue;
      std::size_t at = mix64(hashes[i]) & (hashes_.size() - 1);
      while (counts_[at] != 0) at = (at + 1) & (hashes_.size() - 1);
      hashes_[at] = hashes[i];
      counts_[at] = counts[i];
      ++size_;
    }
  }
}

void RepeatedRows::merge(const RepeatedRows& other) {
  if (other.shift_ > shift_) {
    shift_ = other.shift_;
    if (!hashes_.empty()) {
      std::vector<std::uint64_t> hashes;
      std::vector<std::uint32_t> counts;
      hashes.swap(hashes_);
      counts.swap(counts_);
      size_ = 0;
      for (std::size_t i = 0; i < hashes.size(); ++i) {
        if (counts[i] != 0 && (hashes[i] & mask()) == 0) add_one(hashes[i], counts[i]);
      }
    }
  }
  for (std::size_t i = 0; i < other.hashes_.size(); ++i) {
    if (other.counts_[i] != 0 && (other.hashes_[i] & mask()) == 0)
      add_one(other.hashes_[i], other.counts_[i]);
  }
}

std::uint64_t RepeatedRows::repeats() const {
  std::uint64_t out = 0;
  for (const auto count : counts_) out += count > 1 ? count - 1 : 0;
  return out << shift_;
}

// The held ones are a sample of shares 2^-shift of the repeated kinds: the error of a count of rare things.
double RepeatedRows::relative_error() const {
  if (shift_ == 0) return 0;
  double kinds = 0;
  for (const auto count : counts_) kinds += count > 1 ? 1 : 0;
  return kinds == 0 ? 1 : std::sqrt((1 - std::ldexp(1.0, -shift_)) / kinds);
}

RowSample::RowSample(std::vector<data::StreamColumn> kinds) : kinds_(std::move(kinds)) {
  columns.resize(kinds_.size());
  most_ =
      std::clamp(kSampleCells / std::max<std::size_t>(1, kinds_.size()), kFewestRows, kSampleRows);
}

void RowSample::add(const data::CellBlock& block, bool raw) {
  static thread_local std::vector<std::uint32_t> chosen;
  chosen.clear();
  const std::uint64_t mask = (std::uint64_t{1} << shift_) - 1;
  for (std::size_t row = 0; row < block.rows; ++row) {
    const std::uint64_t mark = row_mark(block.number, row);
    const std::uint64_t hash = mix64(mark + 0x51ED270B7F4A7C15ull);
    if ((hash & mask) != 0) continue;
    chosen.push_back(static_cast<std::uint32_t>(row));
    rows.push_back(mark);
    order.push_back(hash);
  }
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const data::CellColumn& from = block.columns[c];
    Column& to = columns[c];
    for (const std::uint32_t row : chosen) {
      double number = std::numeric_limits<double>::quiet_NaN();
      std::uint64_t key = 0;
      if (!is_missing(from, row, false)) {
        if (from.texts != nullptr) {
          key = text_hash(from.texts[row]) | 1;
          if (raw) {
            const CellValue value = shape_of(from.texts[row]);
            if (value.shape != Shape::kOther) number = value.real;
          }
        } else if (from.reals != nullptr) {
          number = from.reals[row];
          if (!std::isnan(number)) key = mix64(std::bit_cast<std::uint64_t>(number)) | 1;
        } else {
          number = static_cast<double>(from.integers[row]);
          key = mix64(static_cast<std::uint64_t>(from.integers[row])) | 1;
        }
      }
      to.numbers.push_back(std::isfinite(number) ? number
                                                 : std::numeric_limits<double>::quiet_NaN());
      to.keys.push_back(key == 0 ? 0 : static_cast<std::uint32_t>(key >> 32) | 1u);
    }
  }
  while (rows.size() > most_) narrow();
}

void RowSample::narrow() {
  ++shift_;
  const std::uint64_t mask = (std::uint64_t{1} << shift_) - 1;
  std::vector<std::uint32_t> kept;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if ((order[i] & mask) == 0) kept.push_back(static_cast<std::uint32_t>(i));
  }
  for (auto& column : columns) {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      column.numbers[i] = column.numbers[kept[i]];
      column.keys[i] = column.keys[kept[i]];
    }
    column.numbers.resize(kept.size());
    column.keys.resize(kept.size());
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    rows[i] = rows[kept[i]];
    order[i] = order[kept[i]];
  }
  rows.resize(kept.size());
  order.resize(kept.size());
}

void RowSample::merge(RowSample&& other) {
  while (shift_ < other.shift_) narrow();
  while (other.shift_ < shift_) other.narrow();
  rows.insert(rows.end(), other.rows.begin(), other.rows.end());
  order.insert(order.end(), other.order.begin(), other.order.end());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    auto& from = other.columns[c];
    columns[c].numbers.insert(columns[c].numbers.end(), from.numbers.begin(), from.numbers.end());
    columns[c].keys.insert(columns[c].keys.end(), from.keys.begin(), from.keys.end());
    from = {};
  }
}

void RowSample::trim() {
  while (rows.size() > most_) narrow();
  // In the order of the rows, so that what is computed of it does not depend on who read which block.
  std::vector<std::uint32_t> by_row(rows.size());
  for (std::size_t i = 0; i < by_row.size(); ++i) by_row[i] = static_cast<std::uint32_t>(i);
  std::sort(by_row.begin(), by_row.end(),
            [this](std::uint32_t a, std::uint32_t b) { return rows[a] < rows[b]; });
  const auto arrange = [&by_row](auto& values) {
    auto sorted = values;
    for (std::size_t i = 0; i < by_row.size(); ++i) sorted[i] = values[by_row[i]];
    values = std::move(sorted);
  };
  for (auto& column : columns) {
    arrange(column.numbers);
    arrange(column.keys);
  }
  arrange(rows);
  arrange(order);
}

void MissingMap::add(const data::CellBlock& block, const std::uint64_t* marks, bool,
                     bool nan_is_missing) {
  for (std::size_t row = 0; row < block.rows; ++row) {
    if (marks[row] == 0) continue;
    ++rows_with_missing;
    auto found = patterns.find(marks[row]);
    if (found == patterns.end()) {
      if (patterns.size() >= kPatterns) {
        ++others;
        continue;
      }
      MissingPattern pattern;
      for (std::size_t c = 0; c < block.columns.size(); ++c) {
        if (is_missing(block.columns[c], row, nan_is_missing))
          pattern.columns.push_back(static_cast<std::uint32_t>(c));
      }
      found = patterns.emplace(marks[row], std::move(pattern)).first;
    }
    ++found->second.rows;
  }
}

void MissingMap::merge(const MissingMap& other) {
  rows_with_missing += other.rows_with_missing;
  others += other.others;
  for (const auto& [mark, pattern] : other.patterns) {
    auto found = patterns.find(mark);
    if (found != patterns.end())
      found->second.rows += pattern.rows;
    else if (patterns.size() < kPatterns)
      patterns.emplace(mark, pattern);
    else
      others += pattern.rows;
  }
}

}  // namespace maru::stats
