#include "column_sums.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "maru/data/cell_text.h"

namespace maru::stats {
namespace {

using data::ColumnType;

constexpr std::size_t kFrequentLimit =
    8192;  // values kept once a column does not fit exactly: a count is then low by at most n / 4096
constexpr std::size_t kBuffered = 4096;
constexpr std::uint64_t kMissingCell = 0x9E3779B97F4A7C15ull;

void mix_row(std::uint64_t& row, std::uint64_t cell) {
  row = (row ^ cell) * 0xFF51AFD7ED558CCDull + (row >> 29);
}

bool blank(std::string_view cell) {
  if (cell.empty()) return true;
  return (cell[0] == ' ' || cell[0] == '\t') && data::is_blank(cell);
}

std::uint64_t number_key(double value) {
  return std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value);
}

}  // namespace

std::uint64_t characters(std::string_view text) {
  std::uint64_t out = 0;
  for (const char c : text) out += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return out;
}

void keep_extreme(std::vector<Extreme>& kept, Extreme value, bool low) {
  const auto before = [low](const Extreme& a, const Extreme& b) {
    return a.value != b.value ? (low ? a.value < b.value : a.value > b.value) : a.row < b.row;
  };
  if (kept.size() == kExtremes && !before(value, kept.back())) return;
  kept.insert(std::upper_bound(kept.begin(), kept.end(), value, before), value);
  if (kept.size() > kExtremes) kept.pop_back();
}

ColumnSums::ColumnSums(ColumnType column_type, bool from_text, std::size_t exact_limit,
                       bool nan_is_missing)
    : type(column_type),
      raw(from_text),
      exact_limit_(exact_limit),
      nan_is_missing_(nan_is_missing) {
  values.set_limit(exact_limit);
}

void ColumnSums::add(const data::CellColumn& cells, std::size_t n, std::size_t block,
                     std::uint64_t* hashes, std::uint64_t* patterns, std::uint64_t salt) {
  rows += n;
  if (cells.texts != nullptr)
    add_texts(cells, block, hashes, patterns, salt, n);
  else if (cells.reals != nullptr)
    add_numbers(cells.reals, cells, block, hashes, patterns, salt, n);
  else
    add_numbers(cells.integers, cells, block, hashes, patterns, salt, n);
  if (spilled) settle();
}

void ColumnSums::add_texts(const data::CellColumn& cells, std::size_t block, std::uint64_t* hashes,
                           std::uint64_t* patterns, std::uint64_t salt, std::size_t n) {
  Stretch stretch;
  bool any = false;
  for (std::size_t row = 0; row < n; ++row) {
    const std::string_view cell = cells.texts[row];
    if (blank(cell)) {
      ++missing;
      mix_row(hashes[row], kMissingCell);
      patterns[row] ^= salt;
      continue;
    }
    const std::uint64_t hash = text_hash(cell);
    mix_row(hashes[row], hash);
    if (raw && (may_rise || may_fall)) {
      const CellValue value = shape_of(cell);
      if (value.shape == Shape::kOther)
        may_rise = may_fall = false;
      else
        look_for_order(value.real, stretch, any);
    }
    const std::uint64_t mark = row_mark(block, row);
    if (!spilled) {
      if (values.add(hash, cell, true, mark)) continue;
      spill();
    }
    values.add_purging(hash, cell, true, mark);
    sketch_text(cell, hash, mark, 1);
  }
  if (raw) close_stretch(block, stretch, any);
}

template <class T>
void ColumnSums::add_numbers(const T* from, const data::CellColumn& cells, std::size_t block,
                             std::uint64_t* hashes, std::uint64_t* patterns, std::uint64_t salt,
                             std::size_t n) {
  constexpr bool kReal = std::is_same_v<T, double>;
  Stretch stretch;
  bool any = false;
  for (std::size_t row = 0; row < n; ++row) {
    bool gone = !cells.is_valid(row);
    CellValue value;
    std::uint64_t key = 0;
    if constexpr (kReal) {
      value.real = from[row];
      if (!gone && std::isnan(value.real)) {
        ++nan;
        gone = nan_is_missing_;
      }
      value.shape = Shape::kReal;
      key = number_key(value.real);
    } else {
      value.integer = from[row];
      value.real = static_cast<double>(value.integer);
      value.shape = Shape::kInteger;
      key = static_cast<std::uint64_t>(value.integer);
    }
    if (gone) {
      ++missing;
      mix_row(hashes[row], kMissingCell);
      patterns[row] ^= salt;
      continue;
    }
    mix_row(hashes[row], mix64(key));
    if (kReal && !std::isfinite(value.real)) {
      if (std::isinf(value.real)) ++(value.real > 0 ? infinite : negative_infinite);
      continue;
    }
    if (may_rise || may_fall) look_for_order(value.real, stretch, any);
    const std::uint64_t mark = row_mark(block, row);
    if (!spilled) {
      if (values.add(key, {}, false, mark)) continue;
      spill();
    }
    values.add_purging(key, {}, false, mark);
    sketch_number(value, mark, 1);
  }
  close_stretch(block, stretch, any);
}

void ColumnSums::look_for_order(double value, Stretch& stretch, bool& any) {
  if (std::isnan(value)) return;
  if (!any) {
    stretch.first = value;
    any = true;
  } else {
    if (value < stretch.last) stretch.rises = may_rise = false;
    if (value > stretch.last) stretch.falls = may_fall = false;
  }
  stretch.last = value;
}

void ColumnSums::close_stretch(std::size_t block, const Stretch& stretch, bool any) {
  if (!may_rise && !may_fall)
    stretches.clear();
  else if (any)
    stretches.emplace(block, stretch);
}

// From here on values are only sketched; what was counted so far goes first.
void ColumnSums::spill() {
  spilled = true;
  for (const auto& entry : values.entries()) {
    if (entry.text != 0) {
      sketch_text(values.text(entry), entry.key, entry.first_row, entry.count);
    } else {
      CellValue value;
      if (type == ColumnType::kFloat) {
        value.shape = Shape::kReal;
        value.real = std::bit_cast<double>(entry.key);
      } else {
        value.shape = Shape::kInteger;
        value.integer = static_cast<std::int64_t>(entry.key);
        value.real = static_cast<double>(value.integer);
      }
      sketch_number(value, entry.first_row, entry.count);
    }
  }
  settle();
  values.set_limit(std::min(exact_limit_, kFrequentLimit));
}

void ColumnSums::sketch_text(std::string_view cell, std::uint64_t hash, std::uint64_t row,
                             std::uint64_t count) {
  const std::uint64_t length = characters(cell);
  length_min = std::min(length_min, length);
  length_max = std::max(length_max, length);
  length_sum += length * count;
  length_squares += static_cast<double>(length * length) * static_cast<double>(count);
  bytes_sum += cell.size() * count;
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  if (space(cell.front()) || space(cell.back())) edge_spaces += count;
  if (!raw) {
    distinct.add(hash);
    return;
  }
  const CellValue value = shape_of(cell);
  if (value.shape == Shape::kOther || value.shape == Shape::kDigits) {
    shapes[static_cast<std::size_t>(value.shape)] += count;
    distinct.add(hash);
    if (value.shape == Shape::kOther && row < odd_row) {
      odd_row = row;
      odd_text = std::string(cell.substr(0, 80));
    }
    return;
  }
  sketch_number(value, row, count);
}

void ColumnSums::sketch_number(const CellValue& value, std::uint64_t row, std::uint64_t count) {
  shapes[static_cast<std::size_t>(value.shape)] += count;
  if (value.shape == Shape::kSpecial) {
    if (std::isnan(value.real))
      nan += count;
    else
      (value.real > 0 ? infinite : negative_infinite) += count;
    return;
  }
  const bool whole = value.shape != Shape::kReal;
  distinct.add(mix64(whole ? static_cast<std::uint64_t>(value.integer) : number_key(value.real)));
  if (whole) {
    integer_min = std::min(integer_min, value.integer);
    integer_max = std::max(integer_max, value.integer);
  }
  if (value.shape == Shape::kTime && value.integer % 86'400'000'000 == 0) whole_days += count;
  if (value.real == 0) zeros += count;
  if (value.real < 0) negatives += count;
  sum += static_cast<long double>(value.real) * static_cast<long double>(count);
  if (low.size() < kExtremes || value.real < low.back().value)
    keep_extreme(low, {value.real, row}, true);
  if (high.size() < kExtremes || value.real > high.back().value)
    keep_extreme(high, {value.real, row}, false);
  if (count == 1)
    buffer_.push_back(value.real);
  else
    weighted_.emplace_back(value.real, count);
  if (buffer_.size() >= kBuffered) settle();
}

void ColumnSums::settle() {
  moments.add(buffer_.data(), buffer_.size());
  for (const double value : buffer_) quantiles.add(value);
  buffer_.clear();
  if (weighted_.empty()) return;
  for (const auto& [value, count] : weighted_)
    moments.merge({static_cast<double>(count), value, 0, 0, 0});
  quantiles.add(std::move(weighted_));
  weighted_.clear();
}

void ColumnSums::merge(const ColumnSums& other) {
  if (!spilled && !other.spilled && values.fits(other.values)) {
    values.merge(other.values);
    add_counts(other);
    return;
  }
  if (!spilled) spill();
  if (other.spilled) {
    absorb(other);
    return;
  }
  ColumnSums copy(other);
  copy.spill();
  absorb(copy);
}

void ColumnSums::add_counts(const ColumnSums& other) {
  rows += other.rows;
  missing += other.missing;
  nan += other.nan;
  infinite += other.infinite;
  negative_infinite += other.negative_infinite;
  may_rise = may_rise && other.may_rise;
  may_fall = may_fall && other.may_fall;
  stretches.insert(other.stretches.begin(), other.stretches.end());
}

void ColumnSums::absorb(const ColumnSums& other) {
  add_counts(other);
  values.merge(other.values);
  distinct.merge(other.distinct);
  quantiles.merge(other.quantiles);
  moments.merge(other.moments);
  zeros += other.zeros;
  negatives += other.negatives;
  sum += other.sum;
  for (std::size_t i = 0; i < shapes.size(); ++i) shapes[i] += other.shapes[i];
  integer_min = std::min(integer_min, other.integer_min);
  integer_max = std::max(integer_max, other.integer_max);
  for (const auto& extreme : other.low) keep_extreme(low, extreme, true);
  for (const auto& extreme : other.high) keep_extreme(high, extreme, false);
  length_min = std::min(length_min, other.length_min);
  length_max = std::max(length_max, other.length_max);
  length_sum += other.length_sum;
  length_squares += other.length_squares;
  bytes_sum += other.bytes_sum;
  edge_spaces += other.edge_spaces;
  whole_days += other.whole_days;
  if (other.odd_row < odd_row) {
    odd_row = other.odd_row;
    odd_text = other.odd_text;
  }
}

}  // namespace maru::stats
