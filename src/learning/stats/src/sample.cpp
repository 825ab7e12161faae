#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "maru/stats/measures.h"

namespace maru::stats {
namespace {

constexpr std::size_t kSlots =
    1u << 16;  // of the table of distinct values: 1 MiB, stays in the second-level cache
constexpr std::size_t kMostDistinct = 1u << 15;
constexpr int kRadixBits = 11;
constexpr std::size_t kRadix = 1u << kRadixBits;

// Unsigned order of these keys is the numeric order of the doubles.
std::uint64_t key_of(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);  // -0 becomes 0
  return bits ^ ((bits >> 63) != 0 ? ~std::uint64_t{0} : std::uint64_t{1} << 63);
}
double value_of(std::uint64_t key) {
  return std::bit_cast<double>((key >> 63) != 0 ? key ^ (std::uint64_t{1} << 63) : ~key);
}

void radix_sort(std::vector<std::uint64_t>& keys) {
  std::vector<std::uint64_t> other(keys.size());
  for (int shift = 0; shift < 64; shift += kRadixBits) {
    std::array<std::size_t, kRadix> starts{};
    for (const std::uint64_t key : keys) ++starts[(key >> shift) & (kRadix - 1)];
    if (starts[(keys.front() >> shift) & (kRadix - 1)] == keys.size()) continue;
    std::size_t at = 0;
    for (std::size_t& start : starts) {
      const std::size_t here = start;
      start = at;
      at += here;
    }
    for (const std::uint64_t key : keys) other[starts[(key >> shift) & (kRadix - 1)]++] = key;
    keys.swap(other);
  }
}

// Counts of distinct keys while there are few of them; false once there are more.
bool count_few(const std::vector<std::uint64_t>& keys,
               std::vector<std::pair<std::uint64_t, double>>& out) {
  if (keys.size() < 4096) return false;
  std::vector<std::uint64_t> slots(kSlots, 0);
  std::vector<std::uint32_t> counts(kSlots, 0);
  std::size_t distinct = 0;
  for (const std::uint64_t key : keys) {
    std::size_t at = (key * 0x9E3779B97F4A7C15ull) >> 48;
    while (counts[at] != 0 && slots[at] != key) at = (at + 1) & (kSlots - 1);
    if (counts[at]++ != 0) continue;
    slots[at] = key;
    if (++distinct > kMostDistinct) return false;
  }
  out.reserve(distinct);
  for (std::size_t at = 0; at < kSlots; ++at)
    if (counts[at] != 0) out.emplace_back(slots[at], static_cast<double>(counts[at]));
  std::sort(out.begin(), out.end());
  return true;
}

void add_moments(Sample& out) {
  long double sum = 0, m2 = 0, m3 = 0;
  for (std::size_t i = 0; i < out.values.size(); ++i)
    sum += static_cast<long double>(out.values[i]) * out.weights[i];
  const auto n = static_cast<long double>(out.count);
  const long double mean = sum / n;
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const long double d = out.values[i] - mean, wd2 = d * d * out.weights[i];
    m2 += wd2;
    m3 += wd2 * d;
  }
  out.mean = static_cast<double>(mean);
  out.std = static_cast<double>(std::sqrt(m2 / n));
  // All values equal up to rounding: shape has no meaning, and a ratio of rounding errors would look like one.
  if (out.std <= std::max(std::fabs(out.mean), 1e-300) * 1e-13)
    out.std = 0;
  else
    out.skewness = static_cast<double>((m3 / n) / std::pow(m2 / n, 1.5L));
  out.median = out.quantile(0.5);
  long double away = 0, away2 = 0;
  for (std::size_t i = 0; i < out.values.size(); ++i)
    away += std::fabs(out.values[i] - out.median) * out.weights[i];
  away /= n;
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const long double d = std::fabs(out.values[i] - out.median) - away;
    away2 += d * d * out.weights[i];
  }
  out.mean_away = static_cast<double>(away);
  out.std_away = n > 1 ? static_cast<double>(std::sqrt(away2 / (n - 1))) : 0;
}

Sample of_keys(std::vector<std::uint64_t> keys) {
  Sample out;
  out.count = static_cast<double>(keys.size());
  if (keys.empty()) return out;
  std::vector<std::pair<std::uint64_t, double>> few;
  if (count_few(keys, few)) {
    for (const auto& [key, count] : few) {
      out.values.push_back(value_of(key));
      out.weights.push_back(count);
    }
  } else {
    if (keys.size() < kRadix)
      std::sort(keys.begin(), keys.end());
    else
      radix_sort(keys);
    out.values.reserve(keys.size());
    out.weights.reserve(keys.size());
    for (std::size_t i = 0; i < keys.size();) {
      std::size_t j = i + 1;
      while (j < keys.size() && keys[j] == keys[i]) ++j;
      out.values.push_back(value_of(keys[i]));
      out.weights.push_back(static_cast<double>(j - i));
      i = j;
    }
  }
  add_moments(out);
  return out;
}

}  // namespace

Sample Sample::of(const data::Column& column) {
  std::vector<std::uint64_t> keys;
  keys.reserve(column.rows());
  if (column.type == data::ColumnType::kFloat) {
    for (std::size_t r = 0; r < column.reals.size(); ++r)
      if (column.is_valid(r) && std::isfinite(column.reals[r]))
        keys.push_back(key_of(column.reals[r]));
  } else if (column.type != data::ColumnType::kText) {
    for (std::size_t r = 0; r < column.integers.size(); ++r)
      if (column.is_valid(r)) keys.push_back(key_of(static_cast<double>(column.integers[r])));
  }
  return of_keys(std::move(keys));
}

Sample Sample::of(std::vector<double> values) {
  std::vector<std::uint64_t> keys;
  keys.reserve(values.size());
  for (const double value : values)
    if (std::isfinite(value)) keys.push_back(key_of(value));
  return of_keys(std::move(keys));
}

Sample Sample::weighted(std::vector<double> values, std::vector<double> weights) {
  Sample out;
  out.values = std::move(values);
  out.weights = std::move(weights);
  for (const double weight : out.weights) out.count += weight;
  if (out.count > 0) add_moments(out);
  return out;
}

double Sample::quantile(double probability) const {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double at = probability * (count - 1), low = std::floor(at), t = at - low;
  double before = 0;
  std::size_t i = 0;
  while (i + 1 < values.size() && before + weights[i] <= low) before += weights[i++];
  const double a = values[i];
  const double b = i + 1 < values.size() && before + weights[i] <= low + 1 ? values[i + 1] : a;
  // numpy's lerp, which keeps the result between its ends.
  return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

Sample Sample::mapped(double factor, double shift) const {
  std::vector<double> moved(values.size()), kept = weights;
  for (std::size_t i = 0; i < values.size(); ++i) moved[i] = factor * values[i] + shift;
  if (factor < 0) {
    std::reverse(moved.begin(), moved.end());
    std::reverse(kept.begin(), kept.end());
  }
  return weighted(std::move(moved), std::move(kept));
}

}  // namespace maru::stats
