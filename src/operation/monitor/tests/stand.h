#pragma once
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/rng.h"
#include "maru/data/engine.h"
#include "maru/monitor/monitor.h"

namespace maru::monitor::test {

using SchemaPtr = std::shared_ptr<const LogSchema>;

inline SchemaPtr schema() {
  return std::make_shared<const LogSchema>(LogSchema{{{"distance", data::ColumnType::kFloat},
                                                      {"carrier", data::ColumnType::kText},
                                                      {"id", data::ColumnType::kText},
                                                      {"leaves", data::ColumnType::kTimestamp}}});
}

// One logged prediction: `distance` and what a wider schema adds; carrier and id; leaves.
struct LoggedRow {
  std::string id, prediction, trace_id;
  std::int64_t time_us = 0, post_us = 0;
  double score = 0, cpu_us = -1;
  std::vector<double> numbers;
  std::vector<std::string> texts;
  std::vector<std::int64_t> times;
};

// A folder that goes with the test.
struct Folder {
  std::string path;
  Folder() {
    std::string name = "/tmp/maru_monitor_test.XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { (void)base::remove_tree(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

// Ids of one process never go back in time, so each test's clock starts where no earlier one has been.
inline std::int64_t next_start_us() {
  static std::atomic<std::int64_t> next{1'000'000'000'000'000};
  return next.fetch_add(200ll * 86'400'000'000);
}

// Rows a millisecond apart, ending now; scores 0.00, 0.01, ... and two carriers.
inline std::vector<LoggedRow> make_rows(base::ManualClock& clock, std::size_t count, int seed,
                                        double shift = 0) {
  base::Rng rng(static_cast<std::uint64_t>(seed) + 17);
  std::vector<LoggedRow> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    clock.advance_us(1000);
    LoggedRow& row = out[i];
    row.id = base::new_id(clock);
    row.time_us = clock.now_us();
    row.score = static_cast<double>(i % 100) / 100;
    row.prediction = row.score >= 0.5 ? "late" : "on time";
    row.numbers = {500 + 100 * rng.normal() + shift};
    row.texts = {rng.uniform() < 0.3 ? "AA" : "UA", "in-" + std::to_string(i)};
    row.times = {clock.now_us()};
  }
  return out;
}

// Each row as a call of its own.
inline void append_rows(PredictionLog& log, const std::string& endpoint, const SchemaPtr& schema,
                        std::vector<LoggedRow> rows) {
  for (LoggedRow& row : rows) {
    LoggedCall call;
    call.id = std::move(row.id);
    call.trace_id = std::move(row.trace_id);
    call.version = 1;
    call.time_us = row.time_us;
    call.post_us = row.post_us;
    call.cpu_us = row.cpu_us;
    call.scores = {row.score};
    call.predicted = {0};
    call.classes = std::make_shared<const std::vector<std::string>>(1, row.prediction);
    call.numbers = std::move(row.numbers);
    call.texts = std::move(row.texts);
    call.times = std::move(row.times);
    log.append(endpoint, schema, std::move(call));
  }
}

struct Stand {
  std::unique_ptr<Folder> own;
  std::string folder;
  std::int64_t flush_ms;
  base::ManualClock clock{next_start_us()};
  std::unique_ptr<data::Engine> engine;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<PredictionLog> log;
  std::unique_ptr<Monitor> monitor;
  std::vector<Alert> alerts;
  std::vector<std::string> asked;  // retraining
  bool accept = true;

  explicit Stand(std::int64_t flush_every_ms = 2000, const std::string& where = {})
      : flush_ms(flush_every_ms) {
    if (where.empty()) own = std::make_unique<Folder>();
    folder = where.empty() ? own->path : where;
    reopen();
  }
  void reopen() {
    monitor.reset();
    log.reset();
    db.reset();
    engine.reset();
    data::EngineOptions engine_options;
    engine_options.temp_folder = folder + "/tmp";
    if (!base::make_folders(engine_options.temp_folder)) std::abort();
    engine = std::move(*data::Engine::open(engine_options));
    store::DatabaseOptions db_options;
    db_options.path = folder + "/maru.db";
    db = std::move(*store::Database::open(db_options));
    PredictionLog::Options log_options;
    log_options.folder = folder + "/log";
    log_options.engine = engine.get();
    log_options.clock = &clock;
    log_options.flush_ms = flush_ms;
    log = std::move(*PredictionLog::open(log_options));
    Monitor::Options options;
    options.db = db.get();
    options.log = log.get();
    options.clock = &clock;
    options.on_alert = [this](const Alert& alert) { alerts.push_back(alert); };
    options.retrain = [this](const MonitorConfig&, const std::string& why) {
      asked.push_back(why);
      return accept;
    };
    monitor = std::move(*Monitor::open(options));
  }
  // A file where the endpoint's folder should be: writing fails, whoever runs the test.
  void break_disk() { (void)base::write_file_atomic(folder + "/log/e", "in the way"); }
  void mend_disk() { (void)base::remove_tree(folder + "/log/e"); }
};

}  // namespace maru::monitor::test
