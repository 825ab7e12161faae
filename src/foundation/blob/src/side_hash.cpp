#include "side_hash.h"

#include <system_error>

namespace maru::blob {

void SideHash::begin(std::string_view bytes, std::shared_ptr<const void> owner) {
  taken_ += bytes.size();
  if (!thread_.joinable()) {
    if (taken_ <= kSideBytes) return hash_.update(bytes);
    try {
      thread_ = std::jthread([this] { run(); });
    } catch (const std::system_error&) {
      return hash_.update(bytes);  // no thread to be had: in turn, as for small blobs
    }
  }
  if (bytes.empty()) return;
  {
    std::unique_lock lock(mutex_);
    hashed_.wait(lock, [this] { return behind_ < kBehindBytes; });
    behind_ += bytes.size();
    pieces_.push_back({bytes, std::move(owner)});
  }
  given_.notify_one();
}

void SideHash::wait() {
  std::unique_lock lock(mutex_);
  hashed_.wait(lock, [this] { return pieces_.empty(); });
}

void SideHash::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [this] { return !pieces_.empty() || ended_; });
    if (pieces_.empty()) return;
    Piece& piece = pieces_.front();
    lock.unlock();
    hash_.update(piece.bytes);
    piece.owner.reset();
    lock.lock();
    behind_ -= piece.bytes.size();
    pieces_.pop_front();
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
