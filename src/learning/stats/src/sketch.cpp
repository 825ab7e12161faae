#include "sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace maru::stats {

std::size_t QuantileSketch::capacity(std::size_t level) const {
  const double depth = static_cast<double>(levels_.size() - 1 - level);
  return std::max<std::size_t>(
      64, static_cast<std::size_t>(static_cast<double>(kSize) * std::pow(2.0 / 3.0, depth)));
}

void QuantileSketch::compress() {
  std::sort(levels_[0].begin(), levels_[0].end());
  lift(0);
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    if (levels_[level].size() > capacity(level)) lift(level);
  }
}

// Every second value of a level, which is sorted, goes one level up.
void QuantileSketch::lift(std::size_t level) {
  if (level + 1 == levels_.size()) levels_.emplace_back();
  std::vector<double>& from = levels_[level];
  std::vector<double>& to = levels_[level + 1];
  random_ = mix64(random_ + 0x9E3779B97F4A7C15ull);
  std::vector<double> rest;
  if (from.size() % 2 == 1) {  // one stays
    rest.push_back((random_ & 2) != 0 ? from.back() : from.front());
    if ((random_ & 2) != 0)
      from.pop_back();
    else
      from.erase(from.begin());
  }
  const std::size_t before = to.size();
  for (std::size_t i = random_ & 1; i < from.size(); i += 2) to.push_back(from[i]);
  std::inplace_merge(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(before), to.end());
  from = std::move(rest);
  if (level == 0) from.reserve(kBuffer);
}

void QuantileSketch::add(std::vector<std::pair<double, std::uint64_t>> weighted) {
  std::sort(weighted.begin(), weighted.end());
  QuantileSketch other;
  for (const auto& [value, weight] : weighted) {
    for (std::size_t level = 0; level < 64 && (weight >> level) != 0; ++level) {
      if ((weight >> level & 1u) == 0) continue;
      while (other.levels_.size() <= level) other.levels_.emplace_back();
      other.levels_[level].push_back(value);
    }
    other.count_ += weight;
  }
  merge(other);
}

void QuantileSketch::merge(const QuantileSketch& other) {
  while (levels_.size() < other.levels_.size()) levels_.emplace_back();
  for (std::size_t level = 0; level < other.levels_.size(); ++level) {
    auto& to = levels_[level];
    const auto& from = other.levels_[level];
    to.insert(to.end(), from.begin(), from.end());
    std::sort(to.begin(), to.end());
  }
  count_ += other.count_;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const std::size_t room = level == 0 ? kBuffer : capacity(level) + 1;
    while (levels_[level].size() >= room && levels_[level].size() > 1) lift(level);
  }
}

std::vector<std::pair<double, double>> QuantileSketch::cumulative() const {
  std::vector<std::pair<double, double>> out;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    for (const double value : levels_[level])
      out.emplace_back(value, std::ldexp(1.0, static_cast<int>(level)));
  }
  std::sort(out.begin(), out.end());
  double sum = 0;
  for (auto& [value, weight] : out) weight = sum += weight;
  return out;
}

double QuantileSketch::rank_error() { return 2.296 / std::pow(static_cast<double>(kSize), 0.9723); }

std::size_t QuantileSketch::held() const {
  std::size_t out = 0;
  for (const auto& level : levels_) out += level.size();
  return out;
}

void DistinctSketch::merge(const DistinctSketch& other) {
  if (other.registers_.empty()) return;
  if (registers_.empty()) registers_.assign(kRegisters, 0);
  for (std::size_t i = 0; i < kRegisters; ++i)
    registers_[i] = std::max(registers_[i], other.registers_[i]);
}

namespace {

double sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double y = 1, z = x, before = 0;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before = 0;
  do {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

}  // namespace

double DistinctSketch::estimate() const {
  if (registers_.empty()) return 0;
  constexpr int kRanks = 64 - kBits;
  std::array<double, kRanks + 2> counts{};
  for (const auto rank : registers_) ++counts[rank];
  const auto m = static_cast<double>(kRegisters);
  double z = m * tau(1 - counts[kRanks + 1] / m);
  for (int k = kRanks; k >= 1; --k) z = 0.5 * (z + counts[static_cast<std::size_t>(k)]);
  z += m * sigma(counts[0] / m);
  return m * m / (2 * std::log(2.0) * z);
}

double DistinctSketch::relative_error() {
  return 1.04 / std::sqrt(static_cast<double>(kRegisters));
}

void MomentSums::add(const double* values, std::size_t n) {
  if (n == 0) return;
  MomentSums part;
  part.count = static_cast<double>(n);
  // Four sums side by side, so that no addition waits for the one before.
  double sums[4] = {0, 0, 0, 0};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (std::size_t j = 0; j < 4; ++j) sums[j] += values[i + j];
  for (; i < n; ++i) sums[0] += values[i];
  part.mean = (sums[0] + sums[1] + sums[2] + sums[3]) / part.count;
  double s2[4] = {0, 0, 0, 0}, s3[4] = {0, 0, 0, 0}, s4[4] = {0, 0, 0, 0};
  for (i = 0; i < n; i += 4) {
    for (std::size_t j = 0; j < 4 && i + j < n; ++j) {
      const double d = values[i + j] - part.mean, d2 = d * d;
      s2[j] += d2;
      s3[j] += d2 * d;
      s4[j] += d2 * d2;
    }
  }
  for (std::size_t j = 0; j < 4; ++j) {
    part.m2 += s2[j];
    part.m3 += s3[j];
    part.m4 += s4[j];
  }
  merge(part);
}

void MomentSums::merge(const MomentSums& other) {
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const double na = count, nb = other.count, n = na + nb, d = other.mean - mean, dn = d / n;
  const double m4_new = m4 + other.m4 + d * dn * dn * dn * na * nb * (na * na - na * nb + nb * nb) +
                        6 * dn * dn * (na * na * other.m2 + nb * nb * m2) +
                        4 * dn * (na * other.m3 - nb * m3);
  const double m3_new =
      m3 + other.m3 + d * dn * dn * na * nb * (na - nb) + 3 * dn * (na * other.m2 - nb * m2);
  m2 += other.m2 + d * dn * na * nb;
  m3 = m3_new;
  m4 = m4_new;
  mean += dn * nb;
  count = n;
}

}  // namespace maru::stats
