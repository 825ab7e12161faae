#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "maru/base/result.h"

namespace maru::data {

// Bytes of a file at any place. Thread safe.
class FileBytes {
 public:
  virtual ~FileBytes() = default;
  static base::Result<std::unique_ptr<FileBytes>> open(const std::string& path);
  static std::unique_ptr<FileBytes> of(std::string bytes);  // for tests
  virtual std::uint64_t size() const = 0;
  // Exactly `bytes`; kDataLoss beyond the end.
  virtual base::Result<std::string> read(std::uint64_t at, std::uint64_t bytes) const = 0;
};

}  // namespace maru::data
