#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "feed.h"
#include "stream_store.h"

namespace maru::connect {

// One stream that runs: a thread that takes events, gathers a batch, appends it. Stops when destroyed, after the batch at hand.
class StreamRunner {
 public:
  StreamRunner(StreamStatus status, const Streams::Options& options, StreamStore& store);
  ~StreamRunner();
  void stop();  // returns when the thread has ended
  // What it knows beyond the tables: state, error, rate, lag.
  void describe(StreamStatus& status) const;

 private:
  void work();
  base::Status serve(Feed& feed);
  base::Result<std::unique_ptr<Feed>> open_feed();
  base::Status gather(Feed& feed);
  base::Status flush(Feed& feed);
  base::Status append(Feed& feed, EventRows& rows, BatchChange& change);
  base::Status drop_seen(EventRows& rows, BatchChange& change);
  base::Status drain_dead();
  base::Status learn_types();
  void set_state(const char* state, const std::string& error);
  bool stopping() const { return stop_.load(std::memory_order_acquire); }
  void rest(std::int64_t wait_ms);

  const StreamSpec spec_;
  const Streams::Options options_;
  StreamStore& store_;
  std::map<int, std::int64_t> next_;      // durable
  std::map<int, std::int64_t> received_;  // with the batch at hand
  std::map<int, std::int64_t> latest_;    // newest event times
  std::vector<Event> events_;
  std::size_t event_bytes_ = 0;
  std::int64_t first_ns_ = 0;  // when the batch at hand began
  std::uint64_t duplicates_ = 0;
  bool dead_waiting_ = true;
  std::int64_t last_drain_ns_ = 0, last_lag_ns_ = 0;
  KnownTypes known_;
  bool types_known_ = false;

  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string state_ = "running", error_;
  double rate_ = 0;
  std::int64_t lag_ = -1, last_flush_ns_ = 0;
  std::thread thread_;
};

}  // namespace maru::connect
