#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace maru::stats {

// Quantiles of a stream in a bounded number of values (Karnin, Lang, Liberty, "Optimal quantile approximation in streams", 2016, with the
// level sizes of Apache DataSketches). rank_error() bounds |rank of the answer − asked| / n for one question at 99 %; the bound is DataSketches'
// fit, which holds for this layout because no level here is smaller. Mergeable. One thread at a time.
class QuantileSketch {
 public:
  static constexpr std::size_t kSize = 2048;
  void add(double value) {
    levels_[0].push_back(value);
    ++count_;
    if (levels_[0].size() >= kBuffer) compress();
  }
  void add(std::vector<std::pair<double, std::uint64_t>> weighted);  // value, how often
  void merge(const QuantileSketch& other);
  std::uint64_t count() const { return count_; }
  // Ascending values, each with the number of values that are not above it.
  std::vector<std::pair<double, double>> cumulative() const;
  static double rank_error();
  std::size_t held() const;

 private:
  static constexpr std::size_t kBuffer = 2048;  // unsorted values of weight 1
  std::size_t capacity(std::size_t level) const;
  void compress();
  void lift(std::size_t level);
  std::vector<std::vector<double>> levels_ = std::vector<std::vector<double>>(1);
  std::uint64_t count_ = 0, random_ = 0x9E3779B97F4A7C15ull;
};

// Distinct values of a stream of 64-bit hashes in 16 KiB (Flajolet et al., HyperLogLog, 2^14 registers; estimator of Ertl, "New cardinality estimation
// algorithms for HyperLogLog sketches", 2017). Standard error 1.04/√2^14 = 0.81 %. Mergeable.
class DistinctSketch {
 public:
  void add(std::uint64_t hash) {
    if (registers_.empty()) registers_.assign(kRegisters, 0);
    const std::size_t at = hash >> (64 - kBits);
    const auto rank = static_cast<std::uint8_t>(
        __builtin_clzll((hash << kBits) | (std::uint64_t{1} << (kBits - 1))) + 1);
    if (rank > registers_[at]) registers_[at] = rank;
  }
  void merge(const DistinctSketch& other);
  double estimate() const;
  static double relative_error();  // standard error

 private:
  static constexpr int kBits = 14;
  static constexpr std::size_t kRegisters = std::size_t{1} << kBits;
  std::vector<std::uint8_t> registers_;
};

// Count, mean and central moments, merged pairwise (Pébay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
// statistical moments", 2008), so that nothing cancels.
struct MomentSums {
  double count = 0, mean = 0, m2 = 0, m3 = 0, m4 = 0;
  void add(const double* values, std::size_t n);
  void merge(const MomentSums& other);
};

// Mixes all bits of a value.
inline std::uint64_t mix64(std::uint64_t v) {
  v ^= v >> 32;
  v *= 0xD6E8FEB86659FD93ull;
  v ^= v >> 32;
  v *= 0xD6E8FEB86659FD93ull;
  return v ^ (v >> 32);
}

}  // namespace maru::stats
