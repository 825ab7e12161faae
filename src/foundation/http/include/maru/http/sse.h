#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/http/message.h"

namespace maru::http {

// Fan-out of small JSON events by topic ("run:412", "endpoint:flights", "project:default") to event-stream responses. publish() never blocks: each
// subscriber has a bounded queue in which a newer event of the same topic replaces the older one. Keeps the last kReplayEvents for Last-Event-ID. Thread safe.
class EventHub {
 public:
  static constexpr std::size_t kReplayEvents = 1024;
  static constexpr std::size_t kMaxSubscribers = 1000;
  EventHub();
  ~EventHub();
  void publish(std::string_view topic, std::string_view json);
  // A text/event-stream response of these topics (a trailing '*' matches any suffix). Served by the I/O thread; holds no pool thread. Comment line each 15 s.
  base::Result<Response> subscribe(std::vector<std::string> topics, std::string_view last_event_id);
  void close();  // ends all streams

  struct Impl;
  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace maru::http
