#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::base {

// Keeps short secrets unreadable where they rest: AES-256-GCM (NIST SP 800-38D) under a key of 32 random bytes in a file of its own
// (0600). Copies share the key. Thread safe.
class SealKey {
 public:
  // Makes the key when the file is absent. kDataLoss when it is no key.
  static Result<SealKey> open(const std::string& path);
  // Base64. What is sealed for one owner cannot be read as another's.
  std::string seal(std::string_view text, std::string_view owner) const;
  // The same text and owner give the same bytes, so that equal values can be joined; who has them sees which are equal, and nothing more. The nonce is
  // an HMAC of the text (the construction of SIV, RFC 5297). unseal() opens it.
  std::string seal_same(std::string_view text, std::string_view owner) const;
  // 64 hex digits: HMAC-SHA256 of owner and text under this key; nobody gets back from it.
  std::string fingerprint(std::string_view text, std::string_view owner) const;
  // kDataLoss when it was sealed with another key, for another owner, or changed.
  Result<std::string> unseal(std::string_view sealed, std::string_view owner) const;

 private:
  static constexpr std::size_t kKeyBytes = 32;
  std::string seal_under(std::string_view nonce, std::string_view text,
                         std::string_view owner) const;
  std::string keyed(std::string_view purpose, std::string_view text, std::string_view owner) const;
  std::array<std::uint8_t, kKeyBytes> key_{};
};

}  // namespace maru::base
