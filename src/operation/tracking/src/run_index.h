#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/result.h"
#include "maru/store/database.h"
#include "metric_codec.h"
#include "metric_store.h"
#include "run_row.h"

namespace maru::tracking {

// One key of all runs of an experiment, by row.
struct NumberColumn {
  std::vector<Point> points;
  std::vector<bool> present;
};
struct TextColumn {  // dictionary: 0 is "missing"
  std::vector<std::uint32_t> codes;
  std::vector<std::string> words = {""};
  std::unordered_map<std::string, std::uint32_t> code_of;
  std::uint32_t code(const std::string& word);
};

// A change of one run, to be made in the columns that are loaded.
struct RunChange {
  enum class Kind { kRun, kText, kRemoveText, kMetric } kind = Kind::kRun;
  RunRow row;  // kRun: all attributes; else number and experiment_id
  ValueKind value_kind = ValueKind::kTag;
  std::string key, value;
  Point point;
};

// The runs of one experiment in columns, for searching. Attributes always, keys as they are asked for.
struct ExperimentColumns {
  std::string experiment_id;
  std::vector<std::int64_t> numbers;  // ascending
  std::vector<std::int64_t> start_us, end_us;
  TextColumn id, name, status, user, state, artifact_uri;
  std::map<std::string, NumberColumn> metrics;
  std::map<std::string, TextColumn> params, tags;
  std::optional<std::size_t> row_of(std::int64_t number) const;
  std::size_t rows() const { return numbers.size(); }
};

// Columns are read from the tables when a search first asks for them, then follow the writes, and are dropped when nobody searched for
// kIdleMs or more than kMaxCells cells are held. Thread safe.
class RunIndex {
 public:
  static constexpr std::int64_t kIdleMs = 60'000;
  static constexpr std::int64_t kLookMs = 10'000;  // how often for what is idle
  static constexpr std::size_t kMaxCells = 8'000'000;
  static constexpr std::size_t kMaxPending = 200'000;

  RunIndex(store::Database& db, const MetricStore& metrics, base::Clock& clock)
      : db_(db), metrics_(metrics), clock_(clock) {}

  struct Needs {
    std::vector<std::string> metrics, params, tags;
  };
  // Calls `use` with the columns of each experiment, all current and loaded, under their shared locks.
  using Use = std::function<base::Status(const std::vector<const ExperimentColumns*>&)>;
  base::Status with(const std::vector<std::string>& experiments, const Needs& needs,
                    const Use& use);
  // After a write is durable, in the order of the writes. Never waits for a search.
  void apply(RunChange change);
  void apply(std::vector<RunChange> changes);
  // Told of every change that is applied, before it is.
  using Listener = std::function<void(const RunRow&)>;
  void listen(Listener listener);
  void drop(const std::string& experiment_id);  // read again at the next search
  std::size_t drop_idle();                      // experiments that were dropped

 private:
  struct Held {
    std::shared_mutex mutex;  // of columns
    ExperimentColumns columns;
    bool loaded = false;
    std::mutex pending_mutex;
    std::vector<RunChange> pending;
    bool overflowed = false;
    std::int64_t used_ms = 0;  // under RunIndex::mutex_
  };
  std::shared_ptr<Held> held(const std::string& experiment_id);
  base::Status prepare(Held& held, const Needs& needs);
  base::Status load_rows(ExperimentColumns& columns);
  base::Status load_metric(ExperimentColumns& columns, const std::string& key);
  base::Status load_texts(ExperimentColumns& columns, ValueKind kind, const std::string& key);
  static void settle(Held& held);
  void drop_excess();
  void watch(const std::stop_token& stop);

  store::Database& db_;
  const MetricStore& metrics_;
  base::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Held>> held_;
  std::shared_ptr<const Listener> listener_;  // under mutex_
  std::condition_variable_any stopped_;
  std::jthread watcher_;  // drops what is idle; begins with the first search, ends before the rest
};

}  // namespace maru::tracking
