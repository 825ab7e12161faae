#include "maru/base/file.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "maru/base/fault.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"

namespace maru::base {
namespace {

Code code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return Code::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS: return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT: return Code::kNoSpace;
    case EEXIST: return Code::kAlreadyExists;
    default: return Code::kInternal;
  }
}

tl::unexpected<Error> failed(int error, const char* what, const std::string& path) {
  std::string hint;
  if (code_of(error) == Code::kNoSpace) hint = "free some space, then try again";
  return fail(code_of(error), std::string(what) + ": " + path + " (" + std::strerror(error) + ")", hint);
}

// Closes on every way out; close_now() reports what the last write could not.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close_now() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

int open_retry(const char* path, int flags, mode_t mode = 0600) {
  int fd = -1;
  do fd = ::open(path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

int sync_retry(int fd) {
  while (::fsync(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

std::string temporary_name(const std::string& path) {
  std::uint8_t random[8];
  secure_random(random);
  return path + ".tmp-" + hex(std::string_view(reinterpret_cast<const char*>(random), sizeof random));
}

// Writes and syncs `path`; 0 or the errno.
int write_synced(const std::string& path, std::string_view bytes) {
  const int fd = open_retry(path.c_str(), O_WRONLY | O_CREAT | O_EXCL);
  if (fd < 0) return errno;
  Descriptor file(fd);
  int error = fault_point("file.write");
  if (error == 0) error = write_all(fd, bytes);
  if (error == 0) error = fault_point("file.fsync");
  if (error == 0) error = sync_retry(fd);
  const int closed = file.close_now();
  return error != 0 ? error : closed;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const int fd = open_retry(path.c_str(), O_RDONLY);
  if (fd < 0) return failed(errno, "file cannot be opened", path);
  const Descriptor file(fd);
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return failed(errno, "file cannot be read", path);
  if (S_ISDIR(facts.st_mode)) return fail(Code::kInvalidArgument, "this is a folder, not a file: " + path);
  std::string out;
  if (facts.st_size > 0) out.reserve(std::min(static_cast<std::size_t>(facts.st_size), max_bytes) + 1);
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno, "file cannot be read", path);
    if (got == 0) return out;
    if (out.size() + static_cast<std::size_t>(got) > max_bytes) return fail(Code::kTooLarge, "file is larger than " + format_bytes(max_bytes) + ": " + path);
    out.append(buffer, static_cast<std::size_t>(got));
  }
}

Status write_file_atomic(const std::string& path, std::string_view bytes) {
  const std::string fresh = temporary_name(path);
  const int error = write_synced(fresh, bytes);
  if (error != 0) {
    ::unlink(fresh.c_str());
    return failed(error, "file cannot be written", path);
  }
  Status renamed = rename_durable(fresh, path);
  if (!renamed) ::unlink(fresh.c_str());
  return renamed;
}

Status make_folders(const std::string& path) {
  for (std::size_t at = 0; at != std::string::npos;) {
    at = path.find('/', at + 1);
    const std::string part = path.substr(0, at);
    if (part.empty() || ::mkdir(part.c_str(), 0700) == 0 || errno == EEXIST) continue;
    if (!is_folder(part)) return failed(errno, "folder cannot be made", part);
  }
  if (!is_folder(path)) return fail(Code::kFailedPrecondition, "there is a file where a folder is needed: " + path);
  return {};
}

Status sync_file(const std::string& path) {
  const int fd = open_retry(path.c_str(), O_RDONLY);
  if (fd < 0) return failed(errno, "file cannot be opened", path);
  const Descriptor file(fd);
  int error = fault_point("file.fsync");
  if (error == 0) error = sync_retry(fd);
  if (error != 0) return failed(error, "file cannot be made durable", path);
  return {};
}

Status sync_folder(const std::string& path) {
  const int fd = open_retry(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return failed(errno, "folder cannot be opened", path);
  const Descriptor folder(fd);
  int error = fault_point("folder.fsync");
  if (error == 0) error = sync_retry(fd);
  if (error != 0) return failed(error, "folder cannot be made durable", path);
  return {};
}

Status rename_durable(const std::string& from, const std::string& to) {
  int error = fault_point("file.rename");
  if (error == 0 && ::rename(from.c_str(), to.c_str()) != 0) error = errno;
  if (error != 0) return failed(error, "file cannot be renamed", to);
  return sync_folder(parent_path(to));
}

Status remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return failed(error.value(), "cannot be removed", path);
  return {};
}

bool path_exists(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0;
}

bool is_folder(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

Result<std::uint64_t> file_size(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return failed(errno, "file cannot be read", path);
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<std::vector<std::string>> list_folder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> out;
  std::filesystem::directory_iterator it(path, error);
  if (error) return failed(error.value(), "folder cannot be read", path);
  for (; it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (error) return failed(error.value(), "folder cannot be read", path);
    out.push_back(it->path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<std::string>> glob_files(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  std::vector<std::string> out;
  for (std::size_t i = 0; status == 0 && i < found.gl_pathc; ++i) out.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (status == 0) return out;
  if (status == GLOB_NOMATCH) return fail(Code::kNotFound, "no file matches: " + pattern, "check the path; patterns take * ? and [..]");
  return fail(Code::kInternal, "files cannot be listed: " + pattern);
}

std::string join_path(std::string_view folder, std::string_view name) {
  std::string out(folder);
  if (!out.empty() && out.back() != '/') out += '/';
  return out + std::string(name);
}

std::string file_name(std::string_view path) {
  const std::size_t at = path.rfind('/');
  return std::string(at == std::string_view::npos ? path : path.substr(at + 1));
}

std::string parent_path(std::string_view path) {
  const std::size_t at = path.rfind('/');
  if (at == std::string_view::npos) return ".";
  return std::string(at == 0 ? path.substr(0, 1) : path.substr(0, at));
}

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs facts {};
  if (::statvfs(path.c_str(), &facts) != 0) return 0;
  return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

Result<FileLock> FileLock::acquire(const std::string& path) {
  const int fd = open_retry(path.c_str(), O_RDWR | O_CREAT);
  if (fd < 0) return failed(errno, "lock cannot be opened", path);
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    const ssize_t got = ::pread(fd, pid, sizeof pid - 1, 0);
    const std::string holder(trim(std::string_view(pid, got > 0 ? static_cast<std::size_t>(got) : 0)));
    return fail(Code::kUnavailable, "locked by process " + (holder.empty() ? std::string("unknown") : holder) + ": " + path);
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) return failed(errno, "lock cannot be written", path);
  return lock;
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
