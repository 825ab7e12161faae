#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "maru/base/clock.h"
#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"
#include "maru/blob/blob_store.h"
#include "side_hash.h"

namespace maru::blob {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::uint64_t kSendBytes = 32u << 20;
// Past this size whole aligned pieces go to the disk without the page cache: copying a gigabyte into it costs as much as hashing it, and pushes out
// what others need there. Not to a disk that is slower than this: there whoever reads the blob next is glad of the cache.
constexpr std::uint64_t kDirectFromBytes = 16u << 20;
constexpr std::int64_t kDirectNsAPiece = 1'000'000;  // of 256 KiB: 262 MB/s
constexpr std::uint64_t kDirectTrialBytes = 16u << 20;
constexpr std::size_t kDirectPieceBytes = 128 << 10;
constexpr std::size_t kDiskBlockBytes = 4096;

tl::unexpected<base::Error> failed(int error, const std::string& what) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return base::fail(full              ? Code::kNoSpace
                    : error == ENOENT ? Code::kNotFound
                                      : Code::kInternal,
                    what + " (" + std::strerror(error) + ")",
                    full ? "free some space, then try again" : "");
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Status check_digest(const std::string& text) {
  if (is_digest(text)) return {};
  return base::fail(Code::kInvalidArgument, "not a blob name (64 hex digits): " +
                                                base::replace_invalid_utf8(text.substr(0, 80)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Opens below `folder` without following any link, even if somebody swaps a parent for one meanwhile.
Descriptor open_beneath(const Descriptor& folder, const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return Descriptor(static_cast<int>(fd));
  // An older kernel, or a sandbox that does not know the call: step by step, each without following.
  const auto parts = base::split(path, '/');
  Descriptor at(::openat(folder.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t i = 0; i + 1 < parts.size() && at.get() >= 0; ++i) {
    at = Descriptor(
        ::openat(at.get(), parts[i].c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (at.get() < 0) return at;
  return Descriptor(
      ::openat(at.get(), parts.back().c_str(), static_cast<int>(flags) | O_NOFOLLOW | O_CLOEXEC));
}

// "ab/cd" of a digest: two levels, so that no folder grows beyond what file systems like.
std::string shelf(const std::string& sha256) {
  return sha256.substr(0, 2) + "/" + sha256.substr(2, 2);
}

int synced(int fd, const char* point) {
  if (const int fault = base::fault_point(point); fault != 0) return fault;
  return ::fsync(fd) == 0 ? 0 : errno;
}

class LocalWriter final : public BlobWriter {
 public:
  LocalWriter(std::shared_ptr<const Descriptor> root, std::shared_ptr<std::mutex> publishing,
              std::string name, Descriptor file)
      : root_(std::move(root)),
        publishing_(std::move(publishing)),
        name_(std::move(name)),
        file_(std::move(file)) {}
  ~LocalWriter() override {
    if (!name_.empty()) ::unlinkat(root_->get(), name_.c_str(), 0);
  }

  Status write(std::string_view bytes) override {
    Status written = write_owned(bytes, nullptr);
    hash_.wait();
    return written;
  }

  Status write_owned(std::string_view bytes, std::shared_ptr<const void> owner) override {
    if (name_.empty()) return base::fail(Code::kFailedPrecondition, "blob is already published");
    hash_.begin(bytes, owner);  // whoever ends last lets go of it
    return append(bytes);
  }

  Result<BlobInfo> commit() override {
    if (name_.empty()) return base::fail(Code::kFailedPrecondition, "blob is already published");
    ::fchmod(file_.get(), 0400);
    if (const int error = synced(file_.get(), "blob.fsync"); error != 0)
      return failed(error, "blob cannot be made durable");
    const BlobInfo info{hash_.hex_digest(), bytes_};
    TRY_ASSIGN(const Descriptor folder, make_shelf(info.sha256));
    if (const int fault = base::fault_point("blob.rename"); fault != 0)
      return failed(fault, "blob cannot be published");
    // Over what may be there already: the content is the same, unless it was damaged, and then this mends it.
    {
      const std::lock_guard lock(*publishing_);
      if (::renameat(root_->get(), name_.c_str(), folder.get(), info.sha256.c_str()) != 0)
        return failed(errno, "blob cannot be published");
    }
    name_.clear();
    if (const int error = synced(folder.get(), "blob.fsync_folder"); error != 0)
      return failed(error, "blob cannot be made durable");
    return info;
  }

 private:
  Status append(std::string_view bytes) {
    bytes_ += bytes.size();
    unsent_ += bytes.size();
    if (const int fault = base::fault_point("blob.write"); fault != 0)
      return failed(fault, "blob cannot be written");
    go_direct(fits_direct(bytes));
    const std::int64_t began_ns = direct_ ? base::system_clock().monotonic_ns() : 0;
    while (!bytes.empty()) {
      const ssize_t done = ::write(file_.get(), bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0 && errno == EINVAL && direct_) {  // a disk with larger blocks than we know of
        may_direct_ = false;
        go_direct(false);
        continue;
      }
      if (done < 0) return failed(errno, "blob cannot be written");
      bytes.remove_prefix(static_cast<std::size_t>(done));
      if (direct_ && done % kDiskBlockBytes != 0) go_direct(false);
    }
    if (direct_) judge_disk(base::system_clock().monotonic_ns() - began_ns);
    // The disk begins while more is coming, so that the last sync is short.
    if (unsent_ >= kSendBytes) {
      ::sync_file_range(file_.get(), static_cast<off_t>(bytes_ - unsent_),
                        static_cast<off_t>(unsent_), SYNC_FILE_RANGE_WRITE);
      unsent_ = 0;
    }
    return {};
  }

  bool fits_direct(std::string_view bytes) const {
    const std::uint64_t at = bytes_ - bytes.size();
    return may_direct_ && at >= kDirectFromBytes && bytes.size() >= kDirectPieceBytes &&
           at % kDiskBlockBytes == 0 && bytes.size() % kDiskBlockBytes == 0 &&
           reinterpret_cast<std::uintptr_t>(bytes.data()) % kDiskBlockBytes == 0;
  }

  void judge_disk(std::int64_t spent_ns) {
    direct_ns_ += spent_ns;
    direct_bytes_ += unsent_;
    unsent_ = 0;
    if (direct_bytes_ < kDirectTrialBytes) return;
    if (direct_ns_ > static_cast<std::int64_t>(direct_bytes_ / kPieceBytes) * kDirectNsAPiece)
      may_direct_ = false;
    direct_ns_ = 0;
    direct_bytes_ = 0;
  }

  // Best effort: a file system that knows no direct writing is written as ever.
  void go_direct(bool wanted) {
    if (wanted == direct_) return;
    if (::fcntl(file_.get(), F_SETFL, wanted ? O_DIRECT : 0) == 0)
      direct_ = wanted;
    else
      may_direct_ = false;
  }

  Result<Descriptor> make_shelf(const std::string& sha256) {
    const std::string path = shelf(sha256);
    for (const std::string& part : {path.substr(0, 2), path}) {
      const Descriptor parent =
          part.size() == 2 ? Descriptor(::fcntl(root_->get(), F_DUPFD_CLOEXEC, 0))
                           : open_beneath(*root_, part.substr(0, 2), O_RDONLY | O_DIRECTORY);
      if (parent.get() < 0) return failed(errno, "blob folder cannot be opened: " + part);
      if (::mkdirat(parent.get(), part.substr(part.size() - 2).c_str(), 0700) == 0) {
        if (const int error = synced(parent.get(), "blob.fsync_folder"); error != 0)
          return failed(error, "blob folder cannot be made durable");
      } else if (errno != EEXIST) {
        return failed(errno, "blob folder cannot be made: " + part);
      }
    }
    Descriptor folder = open_beneath(*root_, path, O_RDONLY | O_DIRECTORY);
    if (folder.get() < 0) return failed(errno, "blob folder cannot be opened: " + path);
    return folder;
  }

  std::shared_ptr<const Descriptor> root_;
  std::shared_ptr<std::mutex> publishing_;
  std::string name_;  // of the temporary file; empty once published
  Descriptor file_;
  SideHash hash_;
  std::uint64_t bytes_ = 0;
  std::uint64_t unsent_ = 0;  // of them not yet handed to the disk
  bool direct_ = false, may_direct_ = true;
  std::int64_t direct_ns_ = 0;  // since the disk was last judged
  std::uint64_t direct_bytes_ = 0;
};

class LocalStore final : public BlobStore {
 public:
  LocalStore(std::string root, int folder)
      : root_(std::move(root)), folder_(std::make_shared<const Descriptor>(folder)) {}

  Result<std::unique_ptr<BlobWriter>> create() override {
    std::uint8_t random[16];
    base::secure_random(random);
    std::string name =
        "tmp-" + base::hex(std::string_view(reinterpret_cast<const char*>(random), sizeof random));
    if (const int fault = base::fault_point("blob.create"); fault != 0)
      return failed(fault, "blob cannot be created");
    Descriptor file(::openat(folder_->get(), name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed(errno, "blob cannot be created");
    return std::unique_ptr<BlobWriter>(
        std::make_unique<LocalWriter>(folder_, publishing_, std::move(name), std::move(file)));
  }

  Result<std::string> read(const std::string& sha256) override {
    std::string out;
    TRY(read_to(sha256, [&out](std::string_view piece) -> Status {
      out += piece;
      return {};
    }));
    return out;
  }

  Status read_to(const std::string& sha256,
                 const std::function<Status(std::string_view)>& sink) override {
    TRY_ASSIGN(const Descriptor file, open_blob(sha256));
    base::Sha256 hash;
    std::string buffer(kPieceBytes, '\0');
    for (;;) {
      const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed(errno, "blob cannot be read: " + relative(sha256));
      if (got == 0) break;
      const std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
      hash.update(piece);
      TRY(sink(piece));
    }
    if (hash.hex_digest() != sha256)
      return base::fail(Code::kDataLoss,
                        "blob is damaged: " + base::join_path(root_, relative(sha256)),
                        "restore it from a backup, or make the object again");
    return {};
  }

  Result<BlobInfo> stat(const std::string& sha256) override {
    TRY_ASSIGN(const Descriptor file, open_blob(sha256));
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0)
      return failed(errno, "blob cannot be read: " + relative(sha256));
    return BlobInfo{sha256, static_cast<std::uint64_t>(facts.st_size)};
  }

  Result<std::string> local_path(const std::string& sha256) override {
    TRY_ASSIGN(const Descriptor file, open_blob(sha256));
    return base::join_path(root_, relative(sha256));
  }

  Result<std::string> checked_path(const std::string& sha256) override {
    TRY_ASSIGN(const Descriptor file, open_blob(sha256));
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0)
      return failed(errno, "blob cannot be read: " + relative(sha256));
    const Stamp stamp{facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec};
    if (!known_good(sha256, stamp)) {
      TRY(verify(sha256));
      const std::lock_guard lock(mutex_);
      verified_[sha256] = stamp;
    }
    return base::join_path(root_, relative(sha256));
  }

  Status verify(const std::string& sha256) override {
    return read_to(sha256, [](std::string_view) -> Status { return {}; });
  }

  Status remove(const std::string& sha256) override {
    TRY(check_digest(sha256));
    const Descriptor folder = open_beneath(*folder_, shelf(sha256), O_RDONLY | O_DIRECTORY);
    if (folder.get() < 0 && errno == ENOENT) return {};
    if (folder.get() < 0) return failed(errno, "blob cannot be removed: " + relative(sha256));
    if (::unlinkat(folder.get(), sha256.c_str(), 0) == 0 || errno == ENOENT) return {};
    return failed(errno, "blob cannot be removed: " + relative(sha256));
  }

  Result<bool> remove_unused(const std::string& sha256, std::int64_t min_age_us) override {
    TRY(check_digest(sha256));
    const Descriptor folder = open_beneath(*folder_, shelf(sha256), O_RDONLY | O_DIRECTORY);
    if (folder.get() < 0 && errno == ENOENT) return false;
    if (folder.get() < 0) return failed(errno, "blob cannot be removed: " + relative(sha256));
    // A blob that is written again is a fresh file over the old one: its age and its removal are one step for the writers.
    const std::lock_guard lock(*publishing_);
    struct stat facts {};
    if (::fstatat(folder.get(), sha256.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return false;
      return failed(errno, "blob cannot be removed: " + relative(sha256));
    }
    const std::int64_t age_us = base::system_clock().now_us() -
                                std::int64_t{facts.st_mtim.tv_sec} * 1'000'000 -
                                facts.st_mtim.tv_nsec / 1000;
    if (age_us < min_age_us) return false;
    if (::unlinkat(folder.get(), sha256.c_str(), 0) != 0)
      return failed(errno, "blob cannot be removed: " + relative(sha256));
    return true;
  }

  Result<std::vector<BlobInfo>> list() override {
    std::vector<BlobInfo> out;
    TRY_ASSIGN(const auto firsts, base::list_folder(root_));
    for (const auto& first : firsts) {
      if (first.size() != 2) continue;
      TRY_ASSIGN(const auto seconds, base::list_folder(base::join_path(root_, first)));
      for (const auto& second : seconds) {
        const std::string folder = base::join_path(base::join_path(root_, first), second);
        TRY_ASSIGN(const auto names, base::list_folder(folder));
        for (const auto& name : names) {
          TRY_ASSIGN(const std::uint64_t bytes, base::file_size(base::join_path(folder, name)));
          if (is_digest(name)) out.push_back({name, bytes});
        }
      }
    }
    return out;
  }

 private:
  static std::string relative(const std::string& sha256) { return shelf(sha256) + "/" + sha256; }

  Result<Descriptor> open_blob(const std::string& sha256) {
    TRY(check_digest(sha256));
    Descriptor file = open_beneath(*folder_, relative(sha256), O_RDONLY);
    if (file.get() < 0 && errno == ENOENT)
      return base::fail(Code::kNotFound, "no blob has this name: " + sha256);
    if (file.get() < 0)
      return base::fail(Code::kDataLoss,
                        "blob cannot be opened: " + base::join_path(root_, relative(sha256)) +
                            " (" + std::strerror(errno) + ")");
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_nlink != 1) {
      return base::fail(Code::kDataLoss, "blob is not a plain file of its own: " +
                                             base::join_path(root_, relative(sha256)));
    }
    return file;
  }

  // What a file was when its bytes were last checked; a change of any makes it unchecked.
  struct Stamp {
    ino_t inode = 0;
    off_t bytes = 0;
    time_t seconds = 0;
    long nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  bool known_good(const std::string& sha256, const Stamp& stamp) {
    const std::lock_guard lock(mutex_);
    const auto at = verified_.find(sha256);
    return at != verified_.end() && at->second == stamp;
  }

  std::string root_;
  std::shared_ptr<std::mutex> publishing_ = std::make_shared<std::mutex>();
  std::shared_ptr<const Descriptor> folder_;
  std::mutex mutex_;
  std::map<std::string, Stamp> verified_;
};

// What a crash left half-written is nobody's.
Status remove_leftovers(const std::string& root) {
  TRY_ASSIGN(const auto names, base::list_folder(root));
  for (const auto& name : names) {
    if (name.rfind("tmp-", 0) == 0) ::unlink(base::join_path(root, name).c_str());
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<BlobStore>> BlobStore::open_local(const std::string& folder) {
  const std::string root = base::join_path(folder, "sha256");
  TRY(base::make_folders(root));
  TRY(remove_leftovers(root));
  const int fd = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed(errno, "blob folder cannot be opened: " + root);
  return std::unique_ptr<BlobStore>(std::make_unique<LocalStore>(root, fd));
}

Result<BlobInfo> BlobStore::put(std::string_view bytes) {
  TRY_ASSIGN(auto writer, create());
  TRY(writer->write(bytes));
  return writer->commit();
}

Result<BlobInfo> BlobStore::put_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failed(errno, "file cannot be opened: " + path);
  const Descriptor file(fd);
  struct stat facts {};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return base::fail(Code::kInvalidArgument, "not a plain file: " + path);
  TRY_ASSIGN(auto writer, create());
  std::string buffer(kPieceBytes, '\0');
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno, "file cannot be read: " + path);
    if (got == 0) return writer->commit();
    TRY(writer->write(std::string_view(buffer.data(), static_cast<std::size_t>(got))));
  }
}

}  // namespace maru::blob
