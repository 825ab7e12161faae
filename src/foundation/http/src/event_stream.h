#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "maru/http/sse.h"

namespace maru::http {

struct Event {
  std::uint64_t number = 0;
  std::string topic;
  std::string data;
};

// One subscriber's queue between the hub and an I/O thread. A newer event of a topic takes the place of the older one. Thread safe.
class EventStream {
 public:
  static constexpr std::size_t kMaxPending = 1024;

  EventStream(std::vector<std::string> topics, std::string epoch);
  ~EventStream();
  bool wants(std::string_view topic) const;
  void push(const Event& event);
  void push_raw(std::string text);  // before the events
  void close();

  // I/O side. take() moves the formatted events to `out`; false when the stream has ended. `wake` is called (from any thread) once there
  // is something to take after an empty take().
  bool take(std::string& out);
  void set_wake(std::function<void()> wake);

  std::weak_ptr<EventHub::Impl> hub;  // told when the stream goes

 private:
  void notify(std::unique_lock<std::mutex>& lock);

  const std::vector<std::string> topics_;
  const std::string epoch_;
  std::mutex mutex_;
  std::string raw_;
  std::deque<Event> pending_;
  bool closed_ = false;
  bool hungry_ = false;
  std::function<void()> wake_;
};

}  // namespace maru::http
