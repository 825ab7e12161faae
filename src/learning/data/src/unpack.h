#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "maru/base/result.h"

namespace maru::data {

// One step that bytes of a file pass on their way in. One thread at a time.
class ByteStep {
 public:
  virtual ~ByteStep() = default;
  // Fewer than `most` only at the end.
  virtual base::Result<std::size_t> read(char* to, std::size_t most) = 0;
};

// `from` outlives what is returned; `packed_bytes` is what its size is measured against (kMaxUnpackRatio).
std::unique_ptr<ByteStep> unpack_gzip(ByteStep& from, const std::string& name,
                                      std::uint64_t packed_bytes);
std::unique_ptr<ByteStep> unpack_zstd(ByteStep& from, const std::string& name,
                                      std::uint64_t packed_bytes);
std::unique_ptr<ByteStep> unpack_deflate(ByteStep& from, const std::string& name,
                                         std::uint64_t packed_bytes);  // as in zip

}  // namespace maru::data
