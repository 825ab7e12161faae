#pragma once
#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "maru/http/message.h"

namespace maru::http {

// What a pipe holds at most before it stops its writer.
inline constexpr std::size_t kPipeBytes = 256 << 10;
// Of a request's body. Two wait while one is read and one is filled, so that neither side waits for the other's pace. A large body comes
// in larger pieces: a disk that is written without the page cache takes 1 MiB in little more time than 256 KiB.
inline constexpr std::size_t kPieceBytes = 256 << 10;
inline constexpr std::size_t kLargePieceBytes = 1 << 20;
inline constexpr std::uint64_t kLargeBodyBytes = 32u << 20;
inline constexpr std::size_t kMaxFullPieces = 2;

// A request body on its way from the I/O thread to a handler, in pieces that the socket fills and the handler reads in place. The I/O side
// never waits: it stops reading the socket while full() and is woken by `on_space`. The handler is woken by a whole piece: a thread
// woken for each packet costs more than its bytes.
class InPipe final : public BodyReader, public std::enable_shared_from_this<InPipe> {
 public:
  // `expected_bytes`: of the whole body, when known; a small one gets a small piece.
  explicit InPipe(std::function<void()> on_space, std::uint64_t expected_bytes = kPieceBytes)
      : piece_bytes_(expected_bytes >= kLargeBodyBytes
                         ? kLargePieceBytes
                         : std::clamp<std::uint64_t>(expected_bytes, 1, kPieceBytes)),
        on_space_(std::move(on_space)) {}
  base::Result<Piece> next() override;
  // I/O side: where the next bytes go, never empty; then how many came. filled() and push() return false when the socket should rest
  // until on_space.
  std::span<char> room();
  bool filled(std::size_t size);
  bool push(std::string_view bytes);
  void end();
  void fail(base::Error error);

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  using Bytes = std::unique_ptr<char[], Free>;
  Bytes new_piece() const;
  void give_back(char* bytes);
  std::mutex mutex_;
  std::condition_variable wake_;
  const std::size_t piece_bytes_;
  Bytes filling_;  // of the I/O side alone, until it is full or the body ends
  std::size_t filled_ = 0;
  std::deque<std::pair<Bytes, std::size_t>> full_;
  std::vector<Bytes> spare_;  // read and given back, to be filled again
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
