#include "pipe.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "maru/base/log.h"

namespace maru::http {

base::Result<BodyReader::Piece> InPipe::next() {
  Piece out;
  bool wake_writer = false;
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !full_.empty() || ended_ || failed_; });
    if (failed_) return tl::unexpected<base::Error>(error_);
    if (full_.empty()) return out;
    char* const bytes = full_.front().first.release();
    out = {{bytes, full_.front().second},
           {bytes, [pipe = shared_from_this()](char* read) { pipe->give_back(read); }}};
    full_.pop_front();
    wake_writer = std::exchange(resting_, false);
  }
  if (wake_writer) on_space_();
  return out;
}

void InPipe::give_back(char* bytes) {
  Bytes mine(bytes);
  const std::lock_guard lock(mutex_);
  if (spare_.size() < kMaxFullPieces) spare_.push_back(std::move(mine));
}

// On a page's edge, so that whoever has it may hand it to the disk as it is.
InPipe::Bytes InPipe::new_piece() const {
  constexpr std::size_t kPage = 4096;
  Bytes out(
      static_cast<char*>(std::aligned_alloc(kPage, (piece_bytes_ + kPage - 1) / kPage * kPage)));
  if (!out) throw std::bad_alloc();
  return out;
}

std::span<char> InPipe::room() {
  if (!filling_) {
    const std::lock_guard lock(mutex_);
    if (spare_.empty()) {
      filling_ = new_piece();
    } else {
      filling_ = std::move(spare_.back());
      spare_.pop_back();
    }
    filled_ = 0;
  }
  return {filling_.get() + filled_, piece_bytes_ - filled_};
}

bool InPipe::filled(std::size_t size) {
  filled_ += size;
  const std::lock_guard lock(mutex_);
  if (filled_ == piece_bytes_) {
    full_.emplace_back(std::move(filling_), filled_);
    resting_ = full_.size() >= kMaxFullPieces;
    wake_.notify_one();
  }
  return !resting_;
}

bool InPipe::push(std::string_view bytes) {
  bool more = true;
  while (!bytes.empty()) {
    const std::span<char> space = room();
    const std::size_t size = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    more = filled(size) && more;
  }
  return more;
}

void InPipe::end() {
  const std::lock_guard lock(mutex_);
  if (filling_ && filled_ > 0) full_.emplace_back(std::move(filling_), filled_);
  ended_ = true;
  wake_.notify_all();
}

void InPipe::fail(base::Error error) {
  const std::lock_guard lock(mutex_);
  if (ended_ || failed_) return;
  failed_ = true;
  error_ = std::move(error);
  wake_.notify_all();
}

base::Status OutPipe::write(std::string_view bytes) {
  while (!bytes.empty()) {
    bool wake_reader = false;
    {
      std::unique_lock lock(mutex_);
      space_.wait(lock, [this] { return buffer_.size() < kPipeBytes || aborted_; });
      if (aborted_) return base::fail(base::Code::kCancelled, "the peer has closed the connection");
      const std::size_t size = std::min(bytes.size(), kPipeBytes - buffer_.size());
      buffer_.append(bytes.substr(0, size));
      bytes.remove_prefix(size);
      wake_reader = hungry_;
      hungry_ = false;
    }
    if (wake_reader) on_data_();
  }
  return {};
}

void OutPipe::finish(bool good) {
  {
    const std::lock_guard lock(mutex_);
    state_ = good ? State::kFinished : State::kFailed;
    if (!hungry_) return;
    hungry_ = false;
  }
  on_data_();
}

void OutPipe::abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  hungry_ = false;
  space_.notify_all();
}

OutPipe::State OutPipe::take(std::string& out) {
  const std::lock_guard lock(mutex_);
  out.clear();
  out.swap(buffer_);
  if (!out.empty()) {
    space_.notify_one();
    return State::kOpen;
  }
  if (state_ == State::kOpen) hungry_ = true;
  return state_;
}

void run_writer(const std::function<base::Status(BodyWriter&)>& writer, OutPipe& pipe,
                const std::string& path) {
  bool good = false;
  try {
    const base::Status status = writer(pipe);
    good = status.has_value();
    if (!good)
      base::log_warn("a streamed response ended early",
                     {{"path", path}, {"reason", status.error().text()}});
  } catch (const std::exception& thrown) {
    base::log_error("a streamed response threw", {{"path", path}, {"what", thrown.what()}});
  }
  pipe.finish(good);
}

}  // namespace maru::http
