#include "file_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace maru::http {

std::shared_ptr<FilePipe> FilePipe::open() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
  auto out = std::make_shared<FilePipe>(ends[0], ends[1]);
  if (::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kBytes)) < 0) return nullptr;
  return out;
}

FilePipe::~FilePipe() {
  ::close(out_);
  ::close(in_);
}

std::size_t FilePipe::fill(int file, std::uint64_t at, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    auto offset = static_cast<loff_t>(at + done);
    const ssize_t got =
        ::splice(file, &offset, in_, nullptr, size - done, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EINVAL && done == 0) return copy(file, at, size);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

// For a file system that hands out no pages.
std::size_t FilePipe::copy(int file, std::uint64_t at, std::size_t size) {
  std::array<char, 64 << 10> bytes;
  const ssize_t got =
      ::pread(file, bytes.data(), std::min(size, bytes.size()), static_cast<off_t>(at));
  if (got <= 0) return 0;
  const ssize_t put = ::write(in_, bytes.data(), static_cast<std::size_t>(got));
  return put < 0 ? 0 : static_cast<std::size_t>(put);
}

base::Result<std::size_t> FilePipe::drain(int socket, std::size_t size) {
  for (;;) {
    const ssize_t gone =
        ::splice(out_, nullptr, socket, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (gone >= 0) return static_cast<std::size_t>(gone);
    if (errno == EAGAIN) return std::size_t{0};
    if (errno != EINTR)
      return base::fail(base::Code::kCancelled,
                        std::string("the peer is gone (") + std::strerror(errno) + ")");
  }
}

}  // namespace maru::http
