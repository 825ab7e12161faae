#include "attempt_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "maru/base/clock.h"
#include "maru/base/file.h"

namespace maru::pipeline {

AttemptLog::AttemptLog(std::string path, std::int64_t time_us) {
  if (!base::make_folders(base::parent_path(path))) return;
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (auto size = base::file_size(path)) written_ = *size;
  line(time_us, "started");
}

AttemptLog::~AttemptLog() {
  if (fd_ >= 0) ::close(fd_);
}

void AttemptLog::line(std::int64_t time_us, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (fd_ < 0 || written_ > kMaxLogBytes) return;
  std::string out = base::format_time_us(time_us / 1000 * 1000) + "  " + std::string(text) + "\n";
  written_ += out.size();
  if (written_ > kMaxLogBytes) out = "(the log is full; later lines are dropped)\n";
  std::string_view rest = out;
  while (!rest.empty()) {
    const ssize_t done = ::write(fd_, rest.data(), rest.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(done));
  }
}

base::Result<std::string> read_log(const std::string& path, std::uint64_t from_byte) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::string();  // not started yet
  std::string out(kMaxLogReadBytes, '\0');
  const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(from_byte));
  ::close(fd);
  out.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return out;
}

}  // namespace maru::pipeline
