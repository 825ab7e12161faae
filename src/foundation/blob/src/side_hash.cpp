#include "side_hash.h"

#include <system_error>

namespace maru::blob {

void SideHash::update(std::string_view bytes) {
  taken_ += bytes.size();
  if (taken_ <= kSideBytes) return hash_.update(bytes);
  if (!thread_.joinable()) {
    try {
      thread_ = std::jthread([this] { run(); });
    } catch (const std::system_error&) {
      return hash_.update(bytes);  // no thread to be had: in turn, as for small blobs
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kBehindBytes; });
  waiting_.append(bytes);
  changed_.notify_all();
}

void SideHash::run() {
  std::string piece;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !waiting_.empty() || ended_; });
    if (waiting_.empty()) return;
    piece.clear();
    piece.swap(waiting_);
    changed_.notify_all();
    lock.unlock();
    hash_.update(piece);
    lock.lock();
  }
}

void SideHash::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::string SideHash::hex_digest() {
  stop();
  return hash_.hex_digest();
}

}  // namespace maru::blob
