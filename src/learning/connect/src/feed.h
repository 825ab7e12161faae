#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/connect/stream.h"

namespace maru::connect {

struct Event {
  int partition = 0;
  std::int64_t offset = 0;
  std::string bytes;
};

// Where events come from, in the order of each partition, from the positions that were committed last. One thread.
class Feed {
 public:
  virtual ~Feed() = default;
  // Adds what is there, at most `most`, waiting up to `wait_ms` for the first. kUnavailable passes by.
  virtual base::Status poll(std::size_t most, int wait_ms, std::vector<Event>& events) = 0;
  // The rows of all events before these positions are durable: tells the source, for whoever looks there.
  virtual void taken(const std::map<int, std::int64_t>& next) { static_cast<void>(next); }
  // Within the transaction of those rows.
  virtual base::Status forget(store::Writer& writer, const std::map<int, std::int64_t>& next) {
    static_cast<void>(writer), static_cast<void>(next);
    return {};
  }
  virtual std::int64_t lag(const std::map<int, std::int64_t>& next) = 0;  // -1: not known
};

// Waits for an answer of the broker, until `stop`, which outlives the feed.
base::Result<std::unique_ptr<Feed>> open_kafka_feed(const StreamSpec& spec,
                                                    const SourceSettings& settings,
                                                    const std::map<int, std::int64_t>& next,
                                                    const std::atomic<bool>& stop);
base::Result<std::unique_ptr<Feed>> open_nats_feed(const StreamSpec& spec,
                                                   const SourceSettings& settings,
                                                   const std::map<int, std::int64_t>& next);
std::unique_ptr<Feed> open_push_feed(store::Database& db, const StreamSpec& spec,
                                     const std::map<int, std::int64_t>& next);
// Checked when a stream is added, without asking the network.
base::Status check_stream_address(const std::string& address);

}  // namespace maru::connect
