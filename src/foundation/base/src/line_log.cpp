#include "maru/base/line_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "maru/base/log.h"

namespace maru::base {
namespace {

constexpr std::chrono::milliseconds kWriteEvery{200};

class File final : public LineLog {
 public:
  explicit File(const Options& options) : options_(options) {}
  ~File() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (writer_.joinable()) writer_.join();
    if (fd_ >= 0) ::close(fd_);
  }

  Status start() {
    TRY(open_file());
    writer_ = std::thread([this] { run(); });
    return {};
  }

  void write(std::string_view line) override {
    bool half = false;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() + line.size() + 1 > options_.queue_bytes) {
        ++counts_.dropped;
        return;
      }
      half = waiting_.size() < options_.queue_bytes / 2;
      waiting_.append(line);
      waiting_ += '\n';
      ++lines_;
      half = half && waiting_.size() >= options_.queue_bytes / 2;
    }
    if (half) wake_.notify_all();
  }

  void flush() override {
    std::unique_lock lock(mutex_);
    const std::uint64_t mine = ++asked_;
    wake_.notify_all();
    written_.wait(lock, [&] { return answered_ >= mine; });
  }

  LineCounts counts() const override {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  Status open_file() {
    fd_ = ::open(options_.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat info {};
    if (fd_ < 0 || ::fstat(fd_, &info) != 0)
      return fail(Code::kUnavailable, "log cannot be opened: " + options_.file,
                  std::strerror(errno));
    size_ = static_cast<std::size_t>(info.st_size);
    return {};
  }

  void rotate() {
    ::close(fd_);
    fd_ = -1;
    const auto name = [&](int n) {
      return n == 0 ? options_.file : options_.file + "." + std::to_string(n);
    };
    for (int n = options_.rotate_files - 1; n >= 0; --n)
      (void)std::rename(name(n).c_str(), name(n + 1).c_str());
    if (options_.rotate_files <= 0) (void)::unlink(options_.file.c_str());
    if (auto opened = open_file(); !opened)
      log_error("a log cannot be rotated; its lines are dropped",
                {{"error", opened.error().text()}});
  }

  // False when the disk did not take all of it.
  bool put(std::string_view bytes) {
    while (!bytes.empty() && fd_ >= 0) {
      const ssize_t done = ::write(fd_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return false;
      size_ += static_cast<std::size_t>(done);
      bytes.remove_prefix(static_cast<std::size_t>(done));
    }
    return bytes.empty();
  }

  void run() {
    std::string taken;
    std::unique_lock lock(mutex_);
    for (bool last = false; !last;) {
      wake_.wait_for(lock, kWriteEvery, [&] {
        return stopping_ || asked_ > answered_ || waiting_.size() >= options_.queue_bytes / 2;
      });
      last = stopping_;
      const std::uint64_t asked = asked_, lines = lines_, lost = counts_.dropped - told_;
      lines_ = 0;
      taken.clear();
      taken.swap(waiting_);
      lock.unlock();
      if (lost > 0) taken += "{\"dropped\":" + std::to_string(lost) + "}\n";
      if (fd_ < 0 || (size_ > 0 && size_ + taken.size() > options_.rotate_bytes)) {
        if (fd_ >= 0)
          rotate();
        else
          (void)open_file();
      }
      const bool good = put(taken);
      lock.lock();
      (good ? counts_.written : counts_.dropped) += lines;
      told_ += good ? lost : 0;
      answered_ = asked;
      written_.notify_all();
    }
  }

  const Options options_;
  int fd_ = -1;           // of the writer
  std::size_t size_ = 0;  // of the file
  mutable std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::string waiting_;
  std::uint64_t lines_ = 0;  // in waiting_
  std::uint64_t told_ = 0, asked_ = 0, answered_ = 0;
  LineCounts counts_;
  bool stopping_ = false;
  std::thread writer_;
};

}  // namespace

Result<std::unique_ptr<LineLog>> LineLog::open(const Options& options) {
  auto log = std::make_unique<File>(options);
  TRY(log->start());
  return std::unique_ptr<LineLog>(std::move(log));
}

}  // namespace maru::base
