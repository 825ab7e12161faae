#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "maru/base/result.h"

namespace maru::base {

struct PoolOptions {
  std::string name;         // "serve", "work", "blocking"; also the thread name
  std::size_t threads = 1;  // 0: one a core
  std::size_t queue_limit = 1024;
};

// A fixed number of threads behind a bounded queue. submit() never waits: a full queue is kUnavailable. Tasks must not throw.
// The destructor finishes what is queued. Thread safe.
class Pool {
 public:
  explicit Pool(PoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Status submit(std::function<void()> task);
  std::size_t queued() const;
  const std::string& name() const;
  void drain();  // returns when everything submitted before has run
  // Runs body(i) for i in [0, n) on the pool's threads and the caller's; returns when all are done. Order is not defined.
  void parallel_for(std::size_t n, const std::function<void(std::size_t)>& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maru::base
