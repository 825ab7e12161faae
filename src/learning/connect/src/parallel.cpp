#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace maru::connect {

namespace {
constexpr std::chrono::milliseconds kLook{50};  // how often a pause looks whether it should end
}

base::Status in_parallel(std::size_t count, std::size_t threads, base::Context& context,
                         const std::function<base::Status(std::size_t, base::Context&)>& task) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  base::Status first;
  base::CancelToken stop;
  const auto work = [&] {
    base::Context own = context;
    own.cancel = stop;
    for (std::size_t i = next++; i < count; i = next++) {
      base::Status status = context.alive();
      if (status && !stop.cancelled()) status = task(i, own);
      if (stop.cancelled()) return;
      if (status) continue;
      const std::lock_guard lock(mutex);
      if (first) first = std::move(status);
      stop.cancel();
      return;
    }
  };
  if (count <= 1 || threads <= 1) {
    for (std::size_t i = 0; i < count; ++i) {
      TRY(context.alive());
      TRY(task(i, context));
    }
    return {};
  }
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < std::min(threads, count); ++i) workers.emplace_back(work);
  // The caller's cancellation reaches the tasks through this thread.
  std::jthread watch([&](const std::stop_token& ended) {
    std::mutex own;
    std::condition_variable_any wake;
    std::unique_lock lock(own);
    while (!ended.stop_requested()) {
      wake.wait_for(lock, ended, kLook, [] { return false; });
      if (!context.alive()) stop.cancel();
    }
  });
  workers.clear();
  watch.request_stop();
  watch.join();
  if (first) first = context.alive();
  return first;
}

base::Status pause(base::Context& context, std::int64_t wait_ms) {
  std::mutex mutex;
  std::condition_variable wake;
  std::unique_lock lock(mutex);
  const std::int64_t end_ns = base::system_clock().monotonic_ns() + wait_ms * 1'000'000;
  while (base::system_clock().monotonic_ns() < end_ns) {
    TRY(context.alive());
    wake.wait_for(lock,
                  std::min<std::chrono::milliseconds>(kLook, std::chrono::milliseconds(wait_ms)));
  }
  return context.alive();
}

}  // namespace maru::connect
