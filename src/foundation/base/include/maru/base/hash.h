#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace maru::base {

// SHA-256 (FIPS 180-4), incremental. Not thread safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  void update(std::string_view bytes);
  std::string hex_digest();  // 64 lower-case hex digits; ends the computation

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
std::string sha256_hex(std::string_view bytes);
// Fast, not secure, stable across machines (XXH64).
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace maru::base
