#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "maru/http/message.h"

namespace maru::http {

// What a pipe holds at most before it stops its writer.
inline constexpr std::size_t kPipeBytes = 256 << 10;

// A request body on its way from the I/O thread to a handler. The I/O side never waits: it stops reading the socket while full() and is woken by `on_space`.
class InPipe final : public BodyReader {
 public:
  explicit InPipe(std::function<void()> on_space) : on_space_(std::move(on_space)) {}
  base::Result<std::string> read(std::size_t max_bytes) override;
  // I/O side. push() returns false when the socket should rest until on_space.
  bool push(std::string_view bytes);
  void end();
  void fail(base::Error error);

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string buffer_;
  bool ended_ = false;
  bool failed_ = false;
  bool resting_ = false;
  base::Error error_;
  std::function<void()> on_space_;
};

// A response body on its way from a handler to the I/O thread. write() waits while more than kPipeBytes are unsent.
class OutPipe final : public BodyWriter {
 public:
  enum class State : std::uint8_t { kOpen, kFinished, kFailed };
  explicit OutPipe(std::function<void()> on_data) : on_data_(std::move(on_data)) {}
  base::Status write(std::string_view bytes) override;
  void finish(bool good);  // by the handler's thread
  void abort();            // by the I/O thread: the peer is gone
  // I/O side: moves what is there to `out`; when that is nothing and the pipe is open, on_data will be called.
  State take(std::string& out);

 private:
  std::mutex mutex_;
  std::condition_variable space_;
  std::string buffer_;
  State state_ = State::kOpen;
  bool aborted_ = false;
  bool hungry_ = false;
  std::function<void()> on_data_;
};

// Runs what writes a body, and finishes the pipe; a failure is logged with the path.
void run_writer(const std::function<base::Status(BodyWriter&)>& writer, OutPipe& pipe,
                const std::string& path);

}  // namespace maru::http
