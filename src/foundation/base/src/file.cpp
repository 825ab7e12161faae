#include "maru/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "maru/base/fault.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"

namespace maru::base {
namespace {

constexpr std::size_t kPiece = 1u << 20;

// Closes at the end of the scope; close_now() reports the error that a late write may hide in.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool good() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  // 0 or errno. After EINTR Linux has closed the descriptor all the same.
  int close_now() { return ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR ? 0 : errno; }

 private:
  int fd_;
};

tl::unexpected<Error> failed(int code, const char* what, const std::string& path) {
  Code kind = Code::kInternal;
  std::string hint;
  switch (code) {
    case ENOENT:
      kind = Code::kNotFound;
      break;
    case ENOTDIR:
    case EISDIR:
    case EINVAL:
    case ELOOP:
    case ENAMETOOLONG:
      kind = Code::kInvalidArgument;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      kind = Code::kPermissionDenied;
      hint = "check the owner and the mode of the path";
      break;
    case ENOSPC:
    case EDQUOT:
      kind = Code::kNoSpace;
      hint = "free some space on the disk";
      break;
    case EEXIST:
      kind = Code::kAlreadyExists;
      break;
    case EMFILE:
    case ENFILE:
      kind = Code::kUnavailable;
      hint = "raise the limit of open files (ulimit -n)";
      break;
    default:
      break;
  }
  return fail(kind, std::string("cannot ") + what + " " + path + ": " + std::strerror(code),
              std::move(hint));
}

int open_retry(const std::string& path, int flags, mode_t mode = 0) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

// 0 or errno.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), std::min(bytes.size(), kPiece));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

int sync_retry(int fd) {
  while (::fsync(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

bool has_nul(const std::string& path) { return path.find('\0') != std::string::npos; }

Status sync_path(const std::string& path, int flags, std::string_view point) {
  if (const int code = fault_point(point)) return failed(code, "sync", path);
  const Fd fd(open_retry(path, O_RDONLY | flags));
  if (!fd.good()) return failed(errno, "open", path);
  if (const int code = sync_retry(fd.get())) return failed(code, "sync", path);
  return {};
}

// 0 or errno; entries are opened relative to their folder, so that a link swapped in is removed, never followed.
int remove_below(int folder, const char* name) {
  if (::unlinkat(folder, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  const int fd = ::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? 0 : errno;
  DIR* dir = ::fdopendir(fd);
  if (dir == nullptr) {
    const int code = errno;
    ::close(fd);
    return code;
  }
  int result = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view child = entry->d_name;
    if (child == "." || child == "..") continue;
    if (const int code = remove_below(fd, entry->d_name)) result = code;
  }
  ::closedir(dir);
  if (result != 0) return result;
  return ::unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
}

std::string random_suffix() {
  std::uint8_t bytes[8];
  secure_random(bytes);
  return hex(std::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

Status write_new_file(const std::string& path, std::string_view bytes) {
  if (const int code = fault_point("file.write")) return failed(code, "write", path);
  Fd fd(open_retry(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  if (!fd.good()) return failed(errno, "create", path);
  if (const int code = write_all(fd.get(), bytes)) return failed(code, "write", path);
  int code = fault_point("file.fsync");
  if (code == 0) code = sync_retry(fd.get());
  if (code != 0) return failed(code, "sync", path);
  if (const int closed = fd.close_now()) return failed(closed, "close", path);
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  if (has_nul(path)) return failed(EINVAL, "open", "a path with a NUL byte");
  if (const int code = fault_point("file.read")) return failed(code, "read", path);
  const Fd fd(open_retry(path, O_RDONLY));
  if (!fd.good()) return failed(errno, "open", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return failed(errno, "stat", path);
  if (S_ISDIR(info.st_mode)) return failed(EISDIR, "read", path);
  std::string out;
  if (S_ISREG(info.st_mode))
    out.reserve(std::min(static_cast<std::size_t>(info.st_size), max_bytes) + 1);
  for (;;) {
    const std::size_t had = out.size();
    // One byte over the limit is asked for, so that a longer file is noticed.
    const std::size_t ask = std::min(kPiece, max_bytes - had + 1);
    out.resize(had + ask);
    const ssize_t got = ::read(fd.get(), out.data() + had, ask);
    out.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno, "read", path);
    if (got == 0) return out;
    if (out.size() > max_bytes) {
      return fail(Code::kTooLarge,
                  "the file is larger than " + std::to_string(max_bytes) + " bytes: " + path);
    }
  }
}

Status write_file_atomic(const std::string& path, std::string_view bytes) {
  if (has_nul(path)) return failed(EINVAL, "write", "a path with a NUL byte");
  const std::string temporary = path + ".tmp-" + random_suffix();
  Status status = write_new_file(temporary, bytes);
  if (status) status = rename_durable(temporary, path);
  // After a failed rename the temporary file is ours to remove; after a failed folder sync it is gone already.
  if (!status) ::unlink(temporary.c_str());
  return status;
}

Status make_folders(const std::string& path) {
  if (path.empty() || has_nul(path)) return failed(EINVAL, "create folder", path);
  if (const int code = fault_point("file.mkdir")) return failed(code, "create folder", path);
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0700) == 0) {
      TRY(sync_folder(parent_path(part)));
    } else if (errno != EEXIST) {
      return failed(errno, "create folder", part);
    } else if (!is_folder(part)) {
      return failed(ENOTDIR, "create folder", part);
    }
  }
  return {};
}

Status sync_file(const std::string& path) { return sync_path(path, 0, "file.fsync"); }
Status sync_folder(const std::string& path) {
  return sync_path(path.empty() ? "." : path, O_DIRECTORY, "file.fsync-folder");
}

Status rename_durable(const std::string& from, const std::string& to) {
  int code = fault_point("file.rename");
  if (code == 0 && ::rename(from.c_str(), to.c_str()) != 0) code = errno;
  if (code != 0) return failed(code, "rename to", to);
  return sync_folder(parent_path(to));
}

Status remove_tree(const std::string& path) {
  if (path.empty() || path == "/" || has_nul(path)) return failed(EINVAL, "remove", path);
  if (const int code = fault_point("file.remove")) return failed(code, "remove", path);
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  if (const int code = remove_below(AT_FDCWD, trimmed.c_str())) return failed(code, "remove", path);
  return {};
}

bool path_exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<std::uint64_t> file_size(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failed(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) return failed(EISDIR, "measure", path);
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::vector<std::string>> list_folder(const std::string& path) {
  if (const int code = fault_point("file.list")) return failed(code, "list", path);
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return failed(errno, "list", path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int code = errno;
  ::closedir(dir);
  if (code != 0) return failed(code, "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::string>> glob_files(const std::string& pattern) {
  if (has_nul(pattern)) return failed(EINVAL, "list", "a pattern with a NUL byte");
  glob_t found{};
  const int code = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_ERR, nullptr, &found);
  std::vector<std::string> out;
  for (std::size_t i = 0; code == 0 && i < found.gl_pathc; ++i) out.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (code == GLOB_NOMATCH) {
    return fail(Code::kNotFound, "no file matches: " + pattern,
                "check the path; it is relative to the current folder");
  }
  if (code != 0) return fail(Code::kPermissionDenied, "a folder cannot be read: " + pattern);
  std::sort(out.begin(), out.end());
  return out;
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  std::string out(folder);
  if (out.back() != '/') out += '/';
  out += name;
  return out;
}

std::string file_name(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path == "/" ? path
                                                                    : path.substr(slash + 1));
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? path.substr(0, 1) : path.substr(0, slash));
}

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<AppendFile> AppendFile::open(const std::string& path) {
  if (has_nul(path)) return failed(EINVAL, "open", "a path with a NUL byte");
  Fd fd(open_retry(path, O_WRONLY | O_CREAT | O_APPEND, 0600));
  if (!fd.good()) return failed(errno, "open", path);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(Code::kUnavailable, "another writer has it: " + path,
                  "wait for it, or choose another path");
    if (errno != EINTR) return failed(errno, "lock", path);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return failed(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) return failed(EINVAL, "append to", path);
  AppendFile out(path, fd.release());
  out.size_ = static_cast<std::uint64_t>(info.st_size);
  return out;
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}
AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}
AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status AppendFile::append(std::string_view bytes) {
  int code = fault_point("append.write");
  if (code == 0) code = write_all(fd_, bytes);
  if (code != 0) return failed(code, "write", path_);
  size_ += bytes.size();
  return {};
}

Status AppendFile::truncate(std::uint64_t size) {
  while (::ftruncate(fd_, static_cast<off_t>(size)) != 0)
    if (errno != EINTR) return failed(errno, "cut", path_);
  size_ = size;
  return {};
}

Status AppendFile::sync() {
  int code = fault_point("append.sync");
  if (code == 0) code = sync_retry(fd_);
  if (code != 0) return failed(code, "sync", path_);
  return {};
}

Result<FileLock> FileLock::acquire(const std::string& path) {
  Fd fd(open_retry(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!fd.good()) return failed(errno, "open", path);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return failed(errno, "lock", path);
    char holder[32] = {};
    const ssize_t got = ::pread(fd.get(), holder, sizeof holder - 1, 0);
    std::string pid(
        trim(std::string_view(holder, static_cast<std::size_t>(std::max<ssize_t>(got, 0)))));
    if (pid.empty()) pid = "unknown";
    return fail(Code::kUnavailable, "locked by process " + pid + ": " + path,
                "stop that process, or use another folder");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // Only a message for people: a disk too full to hold it is no reason to refuse the lock.
  if (::ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t done = ::pwrite(fd.get(), pid.data(), pid.size(), 0);
  }
  return FileLock(fd.release());
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace maru::base
