#include "file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace maru::data {

namespace {

using base::Code;

class OpenFile final : public FileBytes {
 public:
  ~OpenFile() override {
    if (handle_ >= 0) ::close(handle_);
  }
  base::Status open(const std::string& path) {
    path_ = path;
    handle_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (handle_ < 0 || ::fstat(handle_, &info) != 0)
      return base::fail(Code::kNotFound, "no such file: " + path);
    size_ = static_cast<std::uint64_t>(info.st_size);
    return {};
  }
  std::uint64_t size() const override { return size_; }
  base::Result<std::string> read(std::uint64_t at, std::uint64_t bytes) const override {
    if (at > size_ || bytes > size_ - at)
      return base::fail(Code::kDataLoss, "the file ends too early: " + path_, "copy it again");
    std::string out(static_cast<std::size_t>(bytes), '\0');
    std::size_t have = 0;
    while (have < out.size()) {
      const ssize_t got =
          ::pread(handle_, out.data() + have, out.size() - have, static_cast<off_t>(at + have));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0)
        return base::fail(Code::kAborted, "the file changed while it was read: " + path_,
                          "copy it to a place where nothing writes, then import the copy");
      have += static_cast<std::size_t>(got);
    }
    return out;
  }

 private:
  std::string path_;
  int handle_ = -1;
  std::uint64_t size_ = 0;
};

class BytesInMemory final : public FileBytes {
 public:
  explicit BytesInMemory(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  base::Result<std::string> read(std::uint64_t at, std::uint64_t bytes) const override {
    if (at > bytes_.size() || bytes > bytes_.size() - at)
      return base::fail(Code::kDataLoss, "the bytes end too early");
    return bytes_.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(bytes));
  }

 private:
  const std::string bytes_;
};

}  // namespace

base::Result<std::unique_ptr<FileBytes>> FileBytes::open(const std::string& path) {
  auto out = std::make_unique<OpenFile>();
  TRY(out->open(path));
  return out;
}

std::unique_ptr<FileBytes> FileBytes::of(std::string bytes) {
  return std::make_unique<BytesInMemory>(std::move(bytes));
}

}  // namespace maru::data
