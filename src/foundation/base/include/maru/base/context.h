#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "maru/base/clock.h"
#include "maru/base/result.h"

namespace maru::base {

// Shared stop flag. Copies refer to the same flag. Thread safe.
class CancelToken {
 public:
  CancelToken() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  void cancel() { flag_->store(true, std::memory_order_release); }
  bool cancelled() const { return flag_->load(std::memory_order_acquire); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

enum class Role : std::uint8_t { kNone, kViewer, kEditor, kOperator, kAdmin };

struct Principal {
  std::string name = "local";
  Role role = Role::kNone;
};

// What every request and every attempt carries. Passed by reference; owned by the caller.
struct Context {
  Principal principal;
  std::string project = "default";
  std::int64_t deadline_ns = 0;  // on Clock::monotonic_ns; 0 means none
  CancelToken cancel;
  std::string trace_id;
  Clock* clock = &system_clock();

  bool expired() const { return deadline_ns != 0 && clock->monotonic_ns() >= deadline_ns; }
  // kCancelled or kDeadlineExceeded when the work should stop.
  Status alive() const;
};

}  // namespace maru::base
