#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/connect/source.h"
#include "maru/data/dataset.h"
#include "maru/store/database.h"

namespace maru::connect {

enum class EventFormat : std::uint8_t { kJson, kCsv };
// What becomes of an event that the dataset's columns do not fit.
enum class OnChange : std::uint8_t { kWiden, kDead };

struct EventColumn {
  std::string name;
  std::optional<data::ColumnType> type;  // absent: what the first value says
};

struct StreamSpec {
  std::string project = "default", name;
  std::string address;  // kafka://host:9092/topic, nats://host:4222/stream, or "push"
  std::string dataset;
  EventFormat format = EventFormat::kJson;
  std::vector<EventColumn> columns;  // declared; of kCsv all, in order
  OnChange on_change = OnChange::kWiden;
  std::string event_time;  // the column that says when it happened
  std::string event_key;   // the column that names an event: a second one of a name is dropped
  std::int64_t max_future_us = 300'000'000;  // a clock further ahead than this is wrong
  bool dead_when_future = false;             // else such an event is kept and counted
  std::uint64_t batch_rows = 50'000;
  std::int64_t batch_us = 5'000'000;
  bool from_latest = false;  // at the first start; else from the oldest event that is kept there
  base::Json to_json() const;
  static base::Result<StreamSpec> from_json(
      const base::Json& value);  // kInvalidArgument names the field
};

struct StreamStatus {
  StreamSpec spec;
  std::string state;  // "running", "waiting" (an error that passes by), "stopped", "failed"
  std::string error;
  std::int64_t created_us = 0, last_batch_us = 0;
  // Since it was added, durable with the rows they count.
  std::uint64_t rows = 0, dead = 0, duplicates = 0, out_of_order = 0, future = 0, batches = 0;
  std::uint64_t dead_waiting = 0;    // not yet in the dataset of dead letters
  double rows_per_second = 0;        // over the last batches
  std::int64_t lag = -1;             // events that are there and not yet taken; -1: not known
  std::map<int, std::int64_t> next;  // by partition: the first offset that is not taken
};

struct PushResult {
  std::uint64_t accepted = 0, duplicates = 0;
};

// Streams of events that end in datasets, in small batches: every N rows or seconds a snapshot is appended. At least once from the source, exactly
// once into the table: the position in the source is committed in the transaction that makes the rows visible, so a crash at any moment neither loses
// nor doubles a row. What cannot be read (poison) goes to the dataset NAME_dead with partition, offset, reason and bytes, likewise once.
// The events of one partition keep their order. Thread safe.
class Streams {
 public:
  struct Options {
    store::Database* db = nullptr;
    data::Datasets* datasets = nullptr;
    SourceSettings settings;
    base::Clock* clock = &base::system_clock();
    std::function<void(const StreamStatus&)> on_batch;  // after each; from its thread
  };
  static base::Result<std::unique_ptr<Streams>> open(Options options);
  virtual ~Streams() = default;
  // Starts those that run; before it nothing is read. stop_all() lets the batches at hand end.
  virtual void run() = 0;
  virtual void stop_all() = 0;
  virtual base::Status add(const StreamSpec& spec) = 0;  // kAlreadyExists
  virtual base::Result<std::vector<StreamStatus>> list(const std::string& project) = 0;
  virtual base::Result<StreamStatus> get(const std::string& project, const std::string& name) = 0;
  virtual base::Status start(const std::string& project, const std::string& name) = 0;
  virtual base::Status stop(const std::string& project, const std::string& name) = 0;
  virtual base::Status remove(const std::string& project, const std::string& name) = 0;
  // Events for a stream whose address is "push": one JSON object, a list of them, or one a line (CSV: lines). All or none are accepted; when this returns they are
  // durable. The same request key again, or an event whose `event_key` was seen within a week, is not taken twice.
  virtual base::Result<PushResult> push(const std::string& project, const std::string& name,
                                        std::string_view body, const std::string& request_key) = 0;
  virtual std::string metrics_text() = 0;
};

}  // namespace maru::connect
