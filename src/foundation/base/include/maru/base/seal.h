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
  // kDataLoss when it was sealed with another key, for another owner, or changed.
  Result<std::string> unseal(std::string_view sealed, std::string_view owner) const;

 private:
  static constexpr std::size_t kKeyBytes = 32;
  std::array<std::uint8_t, kKeyBytes> key_{};
};

}  // namespace maru::base
