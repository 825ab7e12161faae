#pragma once
#include <cstdint>
#include <memory>

#include "maru/base/result.h"

namespace maru::http {

// Bytes of a file on their way to a socket that never pass through this process: the kernel hands the pages of its cache on by reference. fill()
// may wait for the disk and belongs on a pool's thread; drain() never waits. The file must not change meanwhile, or the peer may get a
// mixture. One thread at a time. The threads that drain must not die of SIGPIPE.
class FilePipe {
 public:
  // What it holds at most; more than a page less when the file's offset lies within a page.
  static constexpr std::size_t kBytes = 1 << 20;
  // Null when the kernel gives none: the bytes have to be read and written then.
  static std::shared_ptr<FilePipe> open();
  FilePipe(int out, int in) : out_(out), in_(in) {}  // owns both: use open()
  ~FilePipe();
  FilePipe(const FilePipe&) = delete;
  FilePipe& operator=(const FilePipe&) = delete;

  // Takes up to `size` bytes from `at` into the empty pipe. 0: the file has become shorter, or cannot be read.
  std::size_t fill(int file, std::uint64_t at, std::size_t size);
  // Hands up to `size` bytes of it on; how many, 0 when the socket is full. An error when the peer is gone.
  base::Result<std::size_t> drain(int socket, std::size_t size);

 private:
  std::size_t copy(int file, std::uint64_t at, std::size_t size);
  int out_, in_;
};

}  // namespace maru::http
