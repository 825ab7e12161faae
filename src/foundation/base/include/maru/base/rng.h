#pragma once
#include <cstdint>
#include <span>

namespace maru::base {

// Seeded generator (xoshiro256**, seeded by splitmix64). The same seed gives the same numbers on every machine. Not thread safe; split() for threads.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), bound > 0, unbiased
  double uniform();                          // [0, 1), 53 bits
  double normal();                           // mean 0, variance 1
  double gamma(double shape);                // scale 1
  double beta(double a, double b);
  Rng split();  // an independent stream
  // UniformRandomBitGenerator, for <algorithm>.
  using result_type = std::uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() { return next(); }

 private:
  std::uint64_t state_[4];
};

// Bytes of the operating system's generator; for ids, tokens and seeds. Thread safe.
void secure_random(std::span<std::uint8_t> out);

}  // namespace maru::base
