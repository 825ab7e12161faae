#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "maru/base/hash.h"

namespace maru::blob {

// SHA-256 of bytes that come piece by piece. Past kSideBytes a thread of its own hashes while the caller writes the same bytes: a gigabyte
// costs 0.55 s of hashing and about as long of copying into the page cache. Nothing is copied: the bytes are held by their owner, up
// to kBehindBytes of them, or stand until wait(). One caller at a time.
class SideHash {
 public:
  static constexpr std::size_t kSideBytes = 4u << 20;
  static constexpr std::size_t kBehindBytes = 2u << 20;
  SideHash() = default;
  ~SideHash() { stop(); }
  SideHash(const SideHash&) = delete;
  SideHash& operator=(const SideHash&) = delete;
  void begin(std::string_view bytes, std::shared_ptr<const void> owner);
  void wait();               // until all is hashed
  std::string hex_digest();  // once, at the end

 private:
  struct Piece {
    std::string_view bytes;
    std::shared_ptr<const void> owner;
  };
  void run();
  void stop();
  base::Sha256 hash_;  // of the thread while it has a piece
  std::size_t taken_ = 0;
  std::mutex mutex_;
  std::condition_variable given_, hashed_;
  std::deque<Piece> pieces_;  // the first one is being hashed
  std::size_t behind_ = 0;    // bytes of them
  bool ended_ = false;
  std::jthread thread_;
};

}  // namespace maru::blob
