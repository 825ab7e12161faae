#pragma once
#include <array>
#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"
#include "maru/data/table.h"
#include "maru/stats/drift.h"
#include "maru/stats/profile.h"
#include "maru/store/database.h"

namespace maru::monitor {

inline constexpr std::size_t kLogQueueRows =
    200'000;  // rows waiting to be written; beyond: shed and counted
inline constexpr std::size_t kLogQueueBytes =
    128u << 20;  // and their bytes: rows of models of tensors may be large
inline constexpr std::size_t kLogRowBytes =
    64u << 10;  // a row that is larger is not logged: shed and counted
inline constexpr std::size_t kSegmentRows = 50'000;
inline constexpr std::uint64_t kMinLabelled =
    50;  // labelled rows below which a window has no realised metric
inline constexpr std::uint64_t kWindowSampleRows =
    20'000;  // a larger window is compared on about this many rows
inline constexpr std::uint64_t kMetricRows =
    200'000;  // and its metric computed on at most this many
inline constexpr std::size_t kMaxLabelBytes = 1024;

// An answered call with its rows, which share all but their inputs and answers. Values lie column by column, `rows` of them a column. A number that is NaN, an
// empty text and a time that is the smallest integer are missing.
struct LoggedCall {
  std::string id;  // of its row 0; row n has "<id>-<n>"
  std::string principal;
  std::string trace_id;  // W3C, 32 hex digits; "": none
  int version = 0;
  std::int64_t time_us = 0;
  std::int64_t parse_us = 0, queue_us = 0, features_us = 0, model_us = 0, post_us = 0, total_us = 0;
  double cpu_us = -1;  // -1: not measured
  std::size_t rows = 1;
  std::vector<std::uint32_t> places;  // of the rows in the request; empty: 0, 1, 2, ...
  std::vector<double>
      scores;  // probability, value, or probability of the predicted class; NaN: none
  std::vector<std::int32_t> predicted;  // places in `classes`; empty: nothing but the scores
  std::shared_ptr<const std::vector<std::string>> classes;
  std::vector<double> numbers;  // inputs, in the order of LogSchema
  std::vector<std::string> texts;
  std::vector<std::int64_t> times;
};
struct LogSchema {
  std::vector<std::pair<std::string, data::ColumnType>> inputs;
  bool operator==(const LogSchema&) const = default;
};

// Why a row is not in the log.
enum class ShedReason : std::uint8_t {
  kQueueRows,   // kLogQueueRows waited
  kQueueBytes,  // kLogQueueBytes waited
  kRowBytes     // the row alone is larger than kLogRowBytes
};
inline constexpr std::size_t kShedReasons = 3;
std::string_view shed_reason_name(ShedReason reason);  // "queue_rows", "queue_bytes", "row_bytes"

// Of rows, since the start; accepted + shed is what was appended.
struct LogCounts {
  std::uint64_t accepted = 0, written = 0, shed = 0;
  std::array<std::uint64_t, kShedReasons> shed_by{};
};

// What of an endpoint's log is wanted.
struct LogQuery {
  std::int64_t from_us = 0, to_us = INT64_MAX;  // [from, to) on `time`
  std::uint64_t limit = 0;                      // 0: all
  bool oldest_first = false;
  std::uint64_t sample = 0;  // > 0: about this many rows, chosen by a hash of their id
  std::vector<std::string>
      columns;           // empty: id, time, version, score, prediction, total_us and the inputs
  bool whole = false;    // without `columns`: every fixed column (kLogColumns) and the inputs
  std::string trace_id;  // rows of this trace only; "": all
};

// The columns of each row that are no inputs. cpu_us is null where it was not measured, trace_id where the caller brought none.
inline constexpr const char* kLogColumns[] = {
    "id",       "time",     "version",     "score",    "prediction", "principal", "trace_id",
    "parse_us", "queue_us", "features_us", "model_us", "post_us",    "total_us",  "cpu_us"};
// The input's own name of a column that is none of these.
std::string input_name(const std::string& stored);

// The prediction log: bounded queue in memory, a writer thread, Parquet segments by endpoint and hour below `folder` (written, fsynced, renamed).
// append() never blocks and never loses silently: what is shed is counted; a failed write keeps its rows and is tried again. Rows are durable at most flush_ms
// after they were accepted, or when flush() returns. Small segments of an hour are merged. Readers see written segments and what still waits in memory.
// An input whose name is also a fixed column's (or differs from another's by case only) is stored and read as "input.<name>". Thread safe.
class PredictionLog {
 public:
  struct Options {
    std::string folder;
    data::Engine* engine = nullptr;
    base::Clock* clock = &base::system_clock();
    std::int64_t flush_ms = 2000;
    std::int64_t keep_us = 30ll * 86'400'000'000;  // older segments are removed
  };
  static base::Result<std::unique_ptr<PredictionLog>> open(const Options& options);
  virtual ~PredictionLog() = default;  // flushes
  // Rows that do not fit are left out of the call. Callers that pass the same schema object again spare a comparison.
  virtual void append(const std::string& endpoint, const std::shared_ptr<const LogSchema>& schema,
                      LoggedCall&& call) = 0;
  virtual base::Status flush() = 0;  // returns when all accepted rows are durable
  virtual LogCounts counts(const std::string& endpoint) const = 0;
  // Rows in [from, to): columns id, time, version, score, prediction, total_us + the inputs; newest first, the newest `limit` when limit > 0.
  virtual base::Result<data::Table> read(const std::string& endpoint, std::int64_t from_us,
                                         std::int64_t to_us, std::uint64_t limit) = 0;
  // The rows of these requests, with all columns, oldest first; a request may have several. Unknown ids have none.
  virtual base::Result<data::Table> find(const std::string& endpoint,
                                         const std::vector<std::string>& ids) = 0;
  virtual base::Result<data::Table> query(const std::string& endpoint, const LogQuery& query) = 0;
  virtual base::Result<std::uint64_t> count(
      const std::string& endpoint, std::int64_t from_us,
      std::int64_t to_us) = 0;  // mostly without reading files
  // No row in [from, result); INT64_MAX when there is none at or after `from`. Reads no file.
  virtual std::int64_t first_time(const std::string& endpoint, std::int64_t from_us) const = 0;
};

struct Feedback {
  std::string id;     // prediction id
  std::string label;  // as text; for binary the class or 0/1, for regression a number
};

struct MonitorConfig {
  std::string project = "default", endpoint, model, metric = "roc_auc";
  std::string task;  // binary | multiclass | regression
  std::vector<std::string> classes;
  std::vector<std::string> label_values;  // as labels may come too, where `classes` are other names
  std::int64_t window_us = 86'400'000'000;
  std::uint64_t window_rows = 0;  // > 0: windows close by count instead (demo, low traffic)
  std::uint64_t min_rows =
      500;  // a window with fewer rows gives no verdict (window_rows where that is smaller)
  std::vector<std::string> drift_columns;  // empty: all
  // Alert when the realised metric is this much worse than at training (absolute; for rmse and mae a share of it) and its 95 % interval leaves the reference out.
  double performance_drop = 0.03;
  double reference_metric = 0;
  bool retrain_on_drift = true, retrain_on_performance = true;
  std::int64_t cooldown_us = 86'400'000'000;
  base::Json to_json() const;
  static base::Result<MonitorConfig> from_json(const base::Json& json);
};

struct Window {
  std::string endpoint;
  std::int64_t from_us = 0, to_us = 0;
  std::uint64_t rows = 0, labelled = 0;
  std::vector<int> versions;
  bool closed = false, drift = false;
  stats::DriftReport report;  // features and "prediction"
  double realised = 0;  // metric on labelled rows; NaN when too few (kMinLabelled) or of one class
  double low = 0,
         high = 0;  // 95 %: DeLong for roc_auc, Wilson for accuracy, normal for means of losses
  double estimated_mean = 0;  // mean score
  base::Json to_json() const;
};

struct Alert {
  std::string id, project, endpoint, kind;  // "drift" | "performance"
  std::string message, severity;            // warning | error
  std::vector<std::string> columns;
  std::int64_t time_us = 0;
  bool acknowledged = false;
  base::Json evidence;
  base::Json to_json() const;
};

// Watches endpoints: windows over the prediction log, drift of every input and of the prediction against the training profile, realised quality as labels
// arrive, alerts, and the retrain trigger (at most one per cooldown; persisted, so a restart neither repeats nor forgets it: what was wanted and not accepted
// stays wanted until it is, or until watch() brings a new model). One alert per window and kind. Metrics: roc_auc, log_loss, brier, accuracy (binary), accuracy
// (multiclass: the log has no other class's probability; another metric there gives accuracy and no verdict), rmse, mae (regression).
// Windows by time are aligned to multiples of window_us (UTC); watch() with a new reference ends the window it falls into. Thread safe.
class Monitor {
 public:
  struct Options {
    store::Database* db = nullptr;
    PredictionLog* log = nullptr;
    base::Clock* clock = &base::system_clock();
    std::function<void(const Alert&)>
        on_alert;  // like `retrain`, called by evaluate(), and must not call the monitor
    // Asks for a retraining run; true when it was accepted (starts the cooldown).
    std::function<bool(const MonitorConfig&, const std::string& why)> retrain;
  };
  static base::Result<std::unique_ptr<Monitor>> open(const Options& options);
  virtual ~Monitor() = default;
  virtual base::Status watch(const MonitorConfig& config, const stats::Profile& reference,
                             const stats::Profile& prediction_reference) = 0;
  virtual base::Status unwatch(const std::string& endpoint) = 0;
  virtual base::Result<std::vector<MonitorConfig>> watched(const std::string& project) = 0;
  // Idempotent by id; unknown ids are kept (the label may overtake the log). Durable when it returns.
  virtual base::Result<std::uint64_t> feedback(const std::string& endpoint,
                                               const std::vector<Feedback>& labels) = 0;
  // Computes what is due (closes windows, recomputes those that received labels). Called by the app's timer and by tests.
  virtual base::Status evaluate(const std::string& endpoint) = 0;
  virtual base::Result<std::vector<Window>> windows(
      const std::string& endpoint, std::size_t limit) = 0;  // newest first, the open one included
  virtual base::Result<std::vector<Alert>> alerts(const std::string& project,
                                                  std::size_t limit) = 0;
  virtual base::Status acknowledge(const std::string& alert_id) = 0;
  // Logged rows joined with their labels ("label" text column), newest first: the material of retraining.
  virtual base::Result<data::Table> labelled_rows(const std::string& endpoint, std::int64_t from_us,
                                                  std::int64_t to_us) = 0;
};

}  // namespace maru::monitor
