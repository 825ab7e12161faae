#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::blob {

struct BlobInfo {
  std::string sha256;  // 64 lower-case hex digits: the blob's only name
  std::uint64_t bytes = 0;
};

// Receives bytes of one blob; commit() publishes it (fsync, rename, fsync folder). Without commit nothing remains. One thread at a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual base::Status write(std::string_view bytes) = 0;
  // The same for bytes that `owner` keeps: they may still be hashed after the call.
  virtual base::Status write_owned(std::string_view bytes, std::shared_ptr<const void> owner) = 0;
  virtual base::Result<BlobInfo> commit() = 0;
};

// Content-addressed store. User text never becomes a path: a name that is not 64 lower-case hex digits is kInvalidArgument before any file is touched;
// opens go through openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) with a single-link check. Thread safe.
class BlobStore {
 public:
  static base::Result<std::unique_ptr<BlobStore>> open_local(
      const std::string& folder);  // <folder>/sha256/ab/cd...
  virtual ~BlobStore() = default;

  virtual base::Result<std::unique_ptr<BlobWriter>> create() = 0;
  base::Result<BlobInfo> put(std::string_view bytes);
  base::Result<BlobInfo> put_file(const std::string& path);
  // Whole blob, hash verified: a difference is kDataLoss that names the blob's path.
  virtual base::Result<std::string> read(const std::string& sha256) = 0;
  // Streams in pieces while verifying; a difference is reported after the last piece.
  virtual base::Status read_to(const std::string& sha256,
                               const std::function<base::Status(std::string_view)>& sink) = 0;
  virtual base::Result<BlobInfo> stat(const std::string& sha256) = 0;
  // A local path to read-only bytes of the blob, for engines that need a file. Not verified.
  virtual base::Result<std::string> local_path(const std::string& sha256) = 0;
  // The same after its bytes were verified; they are read again only when the file has changed since. A difference is kDataLoss.
  virtual base::Result<std::string> checked_path(const std::string& sha256) = 0;
  virtual base::Status verify(const std::string& sha256) = 0;
  virtual base::Status remove(const std::string& sha256) = 0;  // absent is fine
  // Removes what nobody has written (again) for `min_age_us`; false when it is younger, or absent. Who writes a blob and then a row that names
  // it is safe from a collector that saw no row yet, as long as the age is longer than that takes.
  virtual base::Result<bool> remove_unused(const std::string& sha256, std::int64_t min_age_us) = 0;
  virtual base::Result<std::vector<BlobInfo>> list() = 0;
};

}  // namespace maru::blob
