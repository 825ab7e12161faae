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
// HMAC with SHA-256 (RFC 2104): 32 bytes. same_bytes() compares such values in a time that tells nothing about them.
std::string hmac_sha256(std::string_view key, std::string_view bytes);
bool same_bytes(std::string_view a, std::string_view b);
// Fast, not secure, stable across machines (XXH64).
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace maru::base
