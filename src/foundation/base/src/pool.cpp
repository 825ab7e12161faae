#include "maru/base/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "maru/base/check.h"

namespace maru::base {

struct Pool::Impl {
  PoolOptions options;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable idle;
  std::deque<std::function<void()>> queue;
  std::size_t running = 0;
  bool stopping = false;
  std::vector<std::thread> threads;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      std::function<void()> task = std::move(queue.front());
      queue.pop_front();
      ++running;
      lock.unlock();
      task();
      task = nullptr;  // what it captured is released before drain() returns
      lock.lock();
      --running;
      if (queue.empty() && running == 0) idle.notify_all();
    }
  }
};

Pool::Pool(PoolOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  if (impl_->options.threads == 0)
    impl_->options.threads = std::max(1u, std::thread::hardware_concurrency());
  MARU_CHECK(impl_->options.queue_limit > 0);
  for (std::size_t i = 0; i < impl_->options.threads; ++i) {
    std::thread& thread = impl_->threads.emplace_back([this] { impl_->run(); });
    // Linux keeps 15 bytes of a thread's name.
    const std::string name = impl_->options.name.substr(0, 11) + "-" + std::to_string(i % 1000);
    ::pthread_setname_np(thread.native_handle(), name.substr(0, 15).c_str());
  }
}

Pool::~Pool() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

Status Pool::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) {
      return fail(Code::kUnavailable, "the pool is stopping: " + impl_->options.name);
    }
    if (impl_->queue.size() >= impl_->options.queue_limit) {
      return fail(Code::kUnavailable, "the queue is full: " + impl_->options.name,
                  "try again in a moment");
    }
    impl_->queue.push_back(std::move(task));
  }
  impl_->wake.notify_one();
  return {};
}

std::size_t Pool::queued() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->queue.size();
}

const std::string& Pool::name() const { return impl_->options.name; }

void Pool::drain() {
  std::unique_lock lock(impl_->mutex);
  impl_->idle.wait(lock, [this] { return impl_->queue.empty() && impl_->running == 0; });
}

void Pool::parallel_for(std::size_t n, const std::function<void(std::size_t)>& body) {
  struct Shared {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::condition_variable done;
    std::size_t active = 0;
    bool closed = false;
  };
  if (n == 0) return;
  const auto shared = std::make_shared<Shared>();
  const std::size_t extra = n - 1 < impl_->options.threads ? n - 1 : impl_->options.threads;
  for (std::size_t i = 0; i < extra; ++i) {
    // A full queue only means less help: the caller does the work itself. A helper that starts after the end must not touch `body`.
    const Status status = submit([shared, n, &body] {
      {
        const std::lock_guard lock(shared->mutex);
        if (shared->closed) return;
        ++shared->active;
      }
      for (std::size_t at = shared->next++; at < n; at = shared->next++) body(at);
      const std::lock_guard lock(shared->mutex);
      if (--shared->active == 0) shared->done.notify_all();
    });
    if (!status) break;
  }
  for (std::size_t at = shared->next++; at < n; at = shared->next++) body(at);
  std::unique_lock lock(shared->mutex);
  shared->closed = true;
  shared->done.wait(lock, [&] { return shared->active == 0; });
}

}  // namespace maru::base
