#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::data {

// A packed file may unpack to this much at most, and, once it has given kMaxRatioFrom bytes, to kMaxUnpackRatio times its own size.
inline constexpr std::uint64_t kMaxUnpackedBytes = 1ull << 40;
inline constexpr std::uint64_t kMaxUnpackRatio = 250;
inline constexpr std::uint64_t kMaxRatioFrom = 256ull << 20;
inline constexpr std::size_t kHeadBytes = 1u << 20;  // what encodings and dialects are found by

// Tells one content of a file from another without reading it.
struct FileMark {
  std::uint64_t bytes = 0, inode = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileMark&) const = default;
};
base::Result<FileMark> file_mark(const std::string& path);

// The bytes of one file from its beginning, in memory a step at a time: gzip, zstd and zip (with one file in it) are unpacked on the way.
// Errors: kNotFound; kDataLoss for damaged packing; kTooLarge for a bomb; kAborted when the file changed while it was read.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  static base::Result<std::unique_ptr<ByteSource>> open(const std::string& path);
  // The same as UTF-8 text without a byte order mark. `encoding` is one of iconv's names; "" finds UTF-8, UTF-16 and CP949 by the first
  // kHeadBytes, and then bytes that are not UTF-8 may still come later. `note` says what was found.
  static base::Result<std::unique_ptr<ByteSource>> open_text(const std::string& path,
                                                             const std::string& encoding,
                                                             std::string& note);
  // Fewer than `most` only at the end.
  virtual base::Result<std::size_t> read(char* to, std::size_t most) = 0;
  virtual std::string_view head() const = 0;  // the first kHeadBytes, whatever was read
  virtual bool plain() const = 0;             // what is read is the file byte for byte
};

// The name of the file inside a zip archive; kInvalidArgument unless there is exactly one.
base::Result<std::string> zip_entry_name(const std::string& path);
// The numbers of the lines that hold these bytes of the text (rising offsets), from 1; 0 where it cannot be read again.
std::vector<std::size_t> lines_at(const std::string& path, const std::string& encoding,
                                  const std::vector<std::uint64_t>& offsets);

}  // namespace maru::data
