#pragma once
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "maru/base/hash.h"

namespace maru::blob {

// SHA-256 of bytes that come piece by piece. Past kSideBytes a thread of its own hashes a piece while the caller writes the same bytes:
// a gigabyte costs 0.55 s of hashing and about as long of copying into the page cache. Nothing is copied, so each begin() has its
// wait() before the bytes go. One caller at a time.
class SideHash {
 public:
  static constexpr std::size_t kSideBytes = 4u << 20;
  SideHash() = default;
  ~SideHash() { stop(); }
  SideHash(const SideHash&) = delete;
  SideHash& operator=(const SideHash&) = delete;
  void begin(std::string_view bytes);
  void wait();
  std::string hex_digest();  // once, at the end

 private:
  void run();
  void stop();
  base::Sha256 hash_;  // of the thread while it has a piece
  std::size_t taken_ = 0;
  std::mutex mutex_;
  std::condition_variable given_, hashed_;
  std::string_view piece_;
  bool ended_ = false;
  std::jthread thread_;
};

}  // namespace maru::blob
