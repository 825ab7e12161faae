#pragma once
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "maru/base/hash.h"

namespace maru::blob {

// SHA-256 of bytes that come piece by piece. Past kSideBytes a thread of its own hashes while the caller goes on writing: a gigabyte
// costs 0.55 s of hashing and about as long of copying into the page cache. Holds at most kBehindBytes. One caller at a time.
class SideHash {
 public:
  static constexpr std::size_t kSideBytes = 4u << 20;
  static constexpr std::size_t kBehindBytes = 1u << 20;
  SideHash() = default;
  ~SideHash() { stop(); }
  SideHash(const SideHash&) = delete;
  SideHash& operator=(const SideHash&) = delete;
  void update(std::string_view bytes);
  std::string hex_digest();  // once, at the end

 private:
  void run();
  void stop();
  base::Sha256 hash_;  // of the thread while there is one
  std::size_t taken_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  bool ended_ = false;
  std::jthread thread_;
};

}  // namespace maru::blob
