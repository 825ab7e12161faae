#include "side_hash.h"

#include <system_error>

namespace maru::blob {

void SideHash::begin(std::string_view bytes) {
  taken_ += bytes.size();
  // A small piece is hashed sooner than a thread is woken.
  constexpr std::size_t kWorthAThread = 32 << 10;
  if (taken_ <= kSideBytes || bytes.size() < kWorthAThread) return hash_.update(bytes);
  if (!thread_.joinable()) {
    try {
      thread_ = std::jthread([this] { run(); });
    } catch (const std::system_error&) {
      return hash_.update(bytes);  // no thread to be had: in turn, as for small blobs
    }
  }
  {
    const std::lock_guard lock(mutex_);
    piece_ = bytes;
  }
  given_.notify_one();
}

void SideHash::wait() {
  std::unique_lock lock(mutex_);
  hashed_.wait(lock, [this] { return piece_.empty(); });
}

void SideHash::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [this] { return !piece_.empty() || ended_; });
    if (piece_.empty()) return;
    const std::string_view piece = piece_;
    lock.unlock();
    hash_.update(piece);
    lock.lock();
    piece_ = {};
    hashed_.notify_one();
  }
}

void SideHash::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  given_.notify_all();
  thread_.join();
}

std::string SideHash::hex_digest() {
  stop();
  return hash_.hex_digest();
}

}  // namespace maru::blob
