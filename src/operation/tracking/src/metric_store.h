#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "maru/store/database.h"
#include "metric_codec.h"

namespace maru::tracking {

// Metric points. A batch is one row of an append-only tail (its commit makes it durable) and is kept in memory too; a thread folds the
// tail into run_metrics (the latest point of each key) and metric_chunks (older points, compact). A history is the set union of chunks,
// latest and tail, so folding twice or in parts loses and repeats nothing. Measured on the way to this form: a row a point costs 6 µs
// and 90 bytes, a row a batch 0.1 µs and 4 to 10 bytes a point. Thread safe.
class MetricStore {
 public:
  static constexpr std::size_t kFoldPoints = 64u << 10;  // of the tail: folds at once
  static constexpr std::int64_t kFoldAfterMs = 1000;     // else this long after the last fold
  static constexpr std::size_t kChunkPoints = 4096;
  static constexpr std::size_t kSlicePairs = 256;  // (run, key) pairs folded in one write

  explicit MetricStore(store::Database& db) : db_(db) {}
  ~MetricStore();
  MetricStore(const MetricStore&) = delete;
  MetricStore& operator=(const MetricStore&) = delete;

  base::Status start();  // reads the tail that a former process left, begins to fold
  // Inside a write: makes the entry part of it and returns its number.
  base::Result<std::int64_t> append(store::Writer& writer, const TailEntry& entry);
  // After that write is durable, in the order of the writes (on the writer thread).
  void applied(const TailEntry& entry, std::int64_t number);
  // Inside a write: points of one key at once, straight into the tables.
  base::Status adopt(store::Writer& writer, std::int64_t run, const std::string& key,
                     const std::vector<Point>& points);
  void forget(std::int64_t run);  // of a run that is gone for good

  using Latest = std::map<std::string, Point>;
  // Ask for the tail before reading the tables: what is folded in between is then seen twice rather than not at all.
  Latest tail_latest(std::int64_t run) const;
  void visit_tail_latest(const std::function<void(std::int64_t run, const std::string& key,
                                                  const Point&)>& visit) const;
  std::vector<Point> tail_points(std::int64_t run, const std::string& key) const;
  // Without repetitions, by (step, time, value).
  base::Result<std::vector<Point>> history(std::int64_t run, const std::string& key);
  // The same points in pieces, each there for the time of its visit, so that a million of them need no room; their number is told
  // first. False, at any piece, when chunks overlap (points came out of order): what was visited is then void, and history() has it.
  using Begin = std::function<void(std::size_t count)>;
  using Piece = std::function<void(std::span<const Point> points)>;
  base::Result<bool> visit_history(std::int64_t run, const std::string& key, const Begin& begin,
                                   const Piece& piece);
  base::Status fold();  // all of the tail, now

 private:
  struct Series {
    std::vector<Point> points;
    Point latest;
  };
  using Tail = std::unordered_map<std::int64_t, std::map<std::string, Series>>;

  // Appends a series to `points` chunk by chunk and then what is in none of them, each piece in order in itself; `appended` hears where
  // each begins and says whether it wants the next one.
  using Appended = std::function<bool(std::size_t from)>;
  base::Status read_series(std::int64_t run, const std::string& key, const Begin& begin,
                           std::vector<Point>& points, const Appended& appended);
  void loop(const std::stop_token& stop);
  base::Status fold_series(store::Writer& writer, std::int64_t run, const std::string& key,
                           const Series& series);
  static void add(Tail& tail, const TailEntry& entry);

  store::Database& db_;
  std::int64_t next_entry_ = 1;  // writer thread only, after start()
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  Tail tail_, folding_;
  std::size_t tail_points_ = 0;
  std::int64_t applied_entry_ = 0;  // the last entry in tail_
  std::mutex fold_mutex_;
  std::jthread thread_;
};

// SQLite would keep NaN as NULL. As text it stays what it is, sorts after every number, and is PostgreSQL's spelling of it too.
store::Value metric_cell(double value);
double read_metric(const store::Cursor& row, int column);

}  // namespace maru::tracking
