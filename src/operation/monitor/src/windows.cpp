#include <algorithm>
#include <cmath>
#include <limits>

#include "maru/base/id.h"
#include "maru/base/json.h"
#include "maru/base/log.h"
#include "maru/base/text.h"
#include "realised.h"
#include "records.h"
#include "segments.h"
#include "watcher.h"

namespace maru::monitor {
namespace {

using base::Json;
using store::params;

constexpr std::int64_t kCloseDelayUs =
    1'000'000;  // answers on their way still belong to the window
constexpr int kMaxClosesPerCall = 64;
constexpr std::size_t kNamedColumns = 5;  // in a message; the alert has them all

// A window closed by count is never smaller than it was asked to be.
std::uint64_t rows_for_verdict(const MonitorConfig& config) {
  return config.window_rows > 0 ? std::min(config.min_rows, config.window_rows) : config.min_rows;
}

// A logged input in the type of the reference: numbers of the log are integers or booleans where training said so.
data::Column as_reference(data::Column column, data::ColumnType type) {
  if (column.type == type || column.type != data::ColumnType::kFloat ||
      type == data::ColumnType::kText || type == data::ColumnType::kTimestamp)
    return column;
  const std::size_t rows = column.reals.size();
  column.integers.assign(rows, 0);
  std::vector<std::uint8_t> valid(rows, 1);
  for (std::size_t i = 0; i < rows; ++i) {
    const double value = column.reals[i];
    if (!column.is_valid(i) || !std::isfinite(value))
      valid[i] = 0;
    else
      column.integers[i] =
          static_cast<std::int64_t>(std::llround(std::clamp(value, -9.2e18, 9.2e18)));
  }
  column.valid = std::move(valid);
  column.reals.clear();
  column.type = type;
  return column;
}

// The inputs that are watched, in the reference's order and types.
data::Table watched_inputs(const Watched& watched, const data::Table& rows) {
  data::Table out;
  const auto& wanted = watched.config.drift_columns;
  for (const auto& reference : watched.reference.columns) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), reference.name) == wanted.end())
      continue;
    for (std::size_t i = 6; i < rows.columns.size(); ++i) {  // after the fixed ones
      if (input_name(rows.columns[i].name) != reference.name) continue;
      data::Column column = as_reference(rows.columns[i], reference.type);
      column.name = reference.name;
      out.columns.push_back(std::move(column));
      break;
    }
  }
  return out;
}

stats::Profile only(const stats::Profile& profile, const data::Table& table) {
  stats::Profile out;
  out.rows = profile.rows;
  for (const auto& column : profile.columns) {
    if (table.find(column.name) != nullptr) out.columns.push_back(column);
  }
  return out;
}

data::Table scores_of(const data::Table& rows) {
  data::Table out;
  if (const data::Column* score = rows.find("score")) {
    out.columns.push_back(*score);
    out.columns.back().name = "prediction";
  }
  return out;
}

void merge(stats::DriftReport& into, stats::DriftReport&& more) {
  into.drift = into.drift || more.drift;
  into.rows_old = std::max(into.rows_old, more.rows_old);
  into.rows_new = std::max(into.rows_new, more.rows_new);
  for (auto& column : more.columns) into.columns.push_back(std::move(column));
  if (into.culprits.is_null()) into.culprits = std::move(more.culprits);
}

// A fallback's answers (version 0) say nothing about a model.
void keep_models(data::Table& rows) {
  const data::Column* version = rows.find("version");
  if (version == nullptr) return;
  std::vector<std::uint32_t> keep;
  for (std::size_t row = 0; row < rows.rows(); ++row)
    if (!version->is_valid(row) || version->number(row) != 0)
      keep.push_back(static_cast<std::uint32_t>(row));
  if (keep.size() < rows.rows()) rows = rows.take(keep);
}

void describe_rows(const data::Table& rows, Window& out) {
  std::set<int> versions;
  double sum = 0, scored = 0;
  const data::Column* version = rows.find("version");
  const data::Column* score = rows.find("score");
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    if (version != nullptr && version->is_valid(row))
      versions.insert(static_cast<int>(version->number(row)));
    const double value =
        score == nullptr ? std::numeric_limits<double>::quiet_NaN() : score->number(row);
    if (!std::isfinite(value)) continue;
    sum += value;
    ++scored;
  }
  out.versions.assign(versions.begin(), versions.end());
  out.estimated_mean = scored > 0 ? sum / scored : std::numeric_limits<double>::quiet_NaN();
}

std::string three_digits(double value) {
  if (!std::isfinite(value)) return "unknown";
  return base::format_double(std::round(value * 1000) / 1000);
}

}  // namespace

base::Status Watcher::measure_labels(const Watched& watched, Window& window) {
  const MonitorConfig& config = watched.config;
  window.labelled = 0;
  window.realised = window.low = window.high = std::numeric_limits<double>::quiet_NaN();
  TRY_ASSIGN(const Labels labels, labels_between(config.endpoint, window.from_us, window.to_us));
  if (labels.empty()) return {};
  LogQuery query;
  query.from_us = window.from_us;
  query.to_us = window.to_us;
  query.columns = {"id", "version", "score", "prediction"};
  query.sample = kMetricRows;
  TRY_ASSIGN(data::Table rows, options_.log->query(config.endpoint, query));
  keep_models(rows);
  const Realised measured = realised(config, rows, labels);
  window.labelled = measured.labelled;
  window.realised = measured.value;
  window.low = measured.low;
  window.high = measured.high;
  return {};
}

base::Result<Window> Watcher::compute(const Watched& watched, std::int64_t from_us,
                                      std::int64_t to_us, bool with_drift) {
  const MonitorConfig& config = watched.config;
  Window out;
  out.endpoint = config.endpoint;
  out.from_us = from_us;
  out.to_us = to_us;
  TRY_ASSIGN(out.rows, options_.log->count(config.endpoint, from_us, to_us));
  LogQuery query;
  query.from_us = from_us;
  query.to_us = to_us;
  query.sample = kWindowSampleRows;
  TRY_ASSIGN(data::Table rows, options_.log->query(config.endpoint, query));
  keep_models(rows);
  describe_rows(rows, out);
  if (with_drift && out.rows >= rows_for_verdict(config)) {
    stats::DriftOptions drift;
    const data::Table inputs = watched_inputs(watched, rows);
    if (!inputs.columns.empty())
      out.report = stats::compare_with_profile(only(watched.reference, inputs), inputs, drift);
    const data::Table scores = scores_of(rows);
    if (!watched.prediction_reference.columns.empty() && !scores.columns.empty())
      merge(out.report, stats::compare_with_profile(watched.prediction_reference, scores, drift));
    out.report.rows_new = out.rows;
    out.drift = out.report.drift;
  }
  TRY(measure_labels(watched, out));
  return out;
}

std::vector<Alert> Watcher::verdicts(const Watched& watched, const Window& window) const {
  const MonitorConfig& config = watched.config;
  std::vector<Alert> out;
  Alert alert;
  alert.project = config.project;
  alert.endpoint = config.endpoint;
  alert.time_us = options_.clock->now_us();
  const std::string span =
      base::format_time_us(window.from_us) + " to " + base::format_time_us(window.to_us);
  if (window.drift) {
    alert.id = base::new_id(*options_.clock);
    alert.kind = "drift";
    alert.severity = "warning";
    Json evidence = Json::array();
    std::vector<const stats::ColumnDrift*> drifted;
    for (const auto& column : window.report.columns) {
      if (column.drift) drifted.push_back(&column);
    }
    std::stable_sort(drifted.begin(), drifted.end(),
                     [](const auto* a, const auto* b) { return a->score > b->score; });
    for (const auto* column : drifted) {
      alert.columns.push_back(column->name);
      evidence.push(Json::object(
          {{"column", column->name}, {"reason", column->reason}, {"measures", column->measures}}));
    }
    const std::vector<std::string> first(
        alert.columns.begin(), alert.columns.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                           kNamedColumns, alert.columns.size())));
    alert.message = std::to_string(alert.columns.size()) +
                    " columns drifted from training: " + base::join(first, ", ") +
                    (alert.columns.size() > kNamedColumns ? ", ..." : "");
    alert.evidence = Json::object({{"from_us", window.from_us},
                                   {"to_us", window.to_us},
                                   {"rows", window.rows},
                                   {"columns", std::move(evidence)}});
    out.push_back(alert);
  }
  const bool comparable = realised_metric(config) == config.metric &&
                          std::isfinite(config.reference_metric) && config.reference_metric != 0;
  if (comparable && window.rows >= rows_for_verdict(config) && std::isfinite(window.realised)) {
    const bool up = larger_is_better(config.metric);
    const double reference = config.reference_metric;
    const double margin = config.metric == "rmse" || config.metric == "mae"
                              ? config.performance_drop * reference
                              : config.performance_drop;
    const bool worse = up ? window.realised < reference - margin && window.high < reference
                          : window.realised > reference + margin && window.low > reference;
    if (worse) {
      alert.id = base::new_id(*options_.clock);
      alert.kind = "performance";
      alert.severity = "error";
      alert.columns.clear();
      alert.message = config.metric + " fell short: " + three_digits(window.realised) + " [" +
                      three_digits(window.low) + ", " + three_digits(window.high) +
                      "], at training " + three_digits(reference) + ", " + span;
      alert.evidence = Json::object({{"from_us", window.from_us},
                                     {"to_us", window.to_us},
                                     {"metric", config.metric},
                                     {"realised", window.realised},
                                     {"low", window.low},
                                     {"high", window.high},
                                     {"reference", reference},
                                     {"labelled", window.labelled}});
      out.push_back(alert);
    }
  }
  return out;
}

// The window and what it raises become durable together: a crash neither loses an alert nor raises it twice.
base::Status Watcher::save_window(const Window& window, const std::vector<Alert>& found,
                                  const Watched& watched) {
  std::vector<Alert> raised;
  TRY(options_.db->write([&](store::Writer& writer) -> base::Status {
    raised.clear();
    TRY(writer.execute(
        "INSERT INTO monitor_windows (endpoint, from_us, to_us, body) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (endpoint, from_us) DO UPDATE SET to_us = excluded.to_us, body = "
        "excluded.body",
        params(window.endpoint, window.from_us, window.to_us, window.to_json().dump())));
    for (const Alert& alert : found) {
      Json columns = Json::array();
      for (const std::string& name : alert.columns) columns.push(name);
      const bool retrain = alert.kind == "drift" ? watched.config.retrain_on_drift
                                                 : watched.config.retrain_on_performance;
      TRY_ASSIGN(const auto changed,
                 writer.execute(
                     "INSERT INTO monitor_alerts (id, project, endpoint, kind, window_us, "
                     "severity, message, columns, evidence, time_us, acknowledged, retrain) "
                     "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11) ON CONFLICT "
                     "(endpoint, kind, window_us) DO NOTHING",
                     params(alert.id, alert.project, alert.endpoint, alert.kind, window.from_us,
                            alert.severity, alert.message, columns.dump(), alert.evidence.dump(),
                            alert.time_us, std::string(retrain ? "wanted" : "none"))));
      if (changed > 0) raised.push_back(alert);
    }
    return {};
  }));
  if (options_.on_alert) {
    for (const Alert& alert : raised) options_.on_alert(alert);
  }
  return {};
}

base::Status Watcher::close_window(Watched& watched, std::int64_t to_us, bool may_alert) {
  if (to_us <= watched.start_us) return {};
  TRY_ASSIGN(Window window, compute(watched, watched.start_us, to_us, true));
  window.closed = true;
  if (window.rows > 0) {
    const std::vector<Alert> found = may_alert ? verdicts(watched, window) : std::vector<Alert>();
    TRY(save_window(window, found, watched));
  }
  watched.start_us = to_us;
  watched.has_open = false;
  return {};
}

// Where the next window ends, or 0 while it is open. `rows` is how many it has so far.
base::Result<std::int64_t> Watcher::end_of_next(Watched& watched, std::uint64_t& rows) {
  const MonitorConfig& config = watched.config;
  const std::int64_t now = options_.clock->now_us();
  const std::int64_t first = options_.log->first_time(config.endpoint, watched.start_us);
  rows = 0;
  if (first == INT64_MAX) return 0;
  if (config.window_rows > 0) {
    TRY_ASSIGN(rows, options_.log->count(config.endpoint, watched.start_us, INT64_MAX));
    if (rows < config.window_rows) return 0;
    LogQuery query;
    query.from_us = watched.start_us;
    query.limit = config.window_rows;
    query.oldest_first = true;
    query.columns = {"time"};
    TRY_ASSIGN(const data::Table times, options_.log->query(config.endpoint, query));
    if (times.rows() < config.window_rows) return 0;
    return times.columns[0].integers.back() + 1;
  }
  // Windows without a row leave no trace.
  const std::int64_t w = config.window_us, aligned = first - ((first % w) + w) % w;
  watched.start_us = std::max(watched.start_us, std::min(aligned, now));
  const std::int64_t end = aligned + w;
  if (now < end + kCloseDelayUs) {
    TRY_ASSIGN(rows, options_.log->count(config.endpoint, watched.start_us, INT64_MAX));
    return 0;
  }
  return end;
}

base::Result<bool> Watcher::close_next(Watched& watched) {
  std::uint64_t rows = 0;
  TRY_ASSIGN(const std::int64_t end, end_of_next(watched, rows));
  if (end == 0) return false;
  TRY(close_window(watched, end, true));
  return true;
}

base::Status Watcher::refresh_open(Watched& watched, bool labels_changed) {
  TRY_ASSIGN(const std::uint64_t rows,
             options_.log->count(watched.config.endpoint, watched.start_us, INT64_MAX));
  // Reading the rows again pays only when there are a tenth more.
  const bool grown = !watched.has_open ||
                     rows >= watched.open.rows + std::max<std::uint64_t>(1, watched.open.rows / 10);
  if (!grown && !labels_changed) {
    watched.open.rows = rows;
    watched.open.to_us = options_.clock->now_us();
    return {};
  }
  if (rows == 0) {
    watched.has_open = false;
    return {};
  }
  const std::int64_t end = options_.clock->now_us() + 1;
  if (grown) {
    TRY_ASSIGN(watched.open, compute(watched, watched.start_us, end, true));
  } else {
    watched.open.to_us = end;
    TRY(measure_labels(watched, watched.open));
  }
  watched.has_open = true;
  return {};
}

// Closed windows that received labels since the last call are measured again. True when labels came at all.
base::Result<bool> Watcher::take_labels(Watched& watched) {
  const std::string& endpoint = watched.config.endpoint;
  TRY_ASSIGN(
      const auto fresh,
      options_.db->query("SELECT COUNT(*), MAX(number), MIN(predicted_us), MAX(predicted_us) FROM "
                         "monitor_labels WHERE endpoint = $1 AND number > $2",
                         params(endpoint, watched.labels_seen)));
  if (fresh.empty() || fresh.front().integer(0) == 0) return false;
  const std::int64_t newest = fresh.front().integer(1), earliest = fresh.front().integer(2),
                     latest = fresh.front().integer(3);
  TRY_ASSIGN(const auto rows,
             options_.db->query("SELECT body FROM monitor_windows WHERE endpoint = $1 AND to_us >= "
                                "$2 AND from_us <= $3 ORDER BY from_us",
                                params(endpoint, earliest - kIdSlackUs, latest + kIdSlackUs)));
  for (const store::Row& row : rows) {
    TRY_ASSIGN(const auto json, base::parse_json(row.text(0)));
    Window window = window_from(json);
    const Window before = window;
    TRY(measure_labels(watched, window));
    if (window.labelled == before.labelled &&
        (window.realised == before.realised || std::isnan(window.realised)))
      continue;
    // Labels of rows that an earlier model answered wake nobody.
    TRY(save_window(
        window,
        window.from_us >= watched.since_us ? verdicts(watched, window) : std::vector<Alert>(),
        watched));
  }
  TRY(options_.db->write([&](store::Writer& writer) -> base::Status {
    TRY(writer.execute("UPDATE monitor_configs SET labels_seen = $1 WHERE endpoint = $2",
                       params(newest, endpoint)));
    return {};
  }));
  watched.labels_seen = newest;
  return true;
}

// One run at most a cooldown. What is wanted stays wanted until it is accepted, so neither a restart nor a full queue forgets it.
base::Status Watcher::ask_for_retraining(Watched& watched) {
  const MonitorConfig& config = watched.config;
  const std::int64_t now = options_.clock->now_us();
  if (!options_.retrain ||
      (watched.last_retrain_us != 0 && now - watched.last_retrain_us < config.cooldown_us))
    return {};
  TRY_ASSIGN(const auto wanted,
             options_.db->query("SELECT kind, message FROM monitor_alerts WHERE endpoint = $1 AND "
                                "retrain = 'wanted' ORDER BY time_us DESC, id DESC LIMIT 1",
                                params(config.endpoint)));
  if (wanted.empty()) return {};
  if (!options_.retrain(config, wanted.front().text(0) + ": " + wanted.front().text(1))) return {};
  watched.last_retrain_us = now;
  return options_.db->write([&](store::Writer& writer) -> base::Status {
    TRY(writer.execute("UPDATE monitor_configs SET last_retrain_us = $1 WHERE endpoint = $2",
                       params(now, config.endpoint)));
    TRY(writer.execute(
        "UPDATE monitor_alerts SET retrain = 'asked' WHERE endpoint = $1 AND retrain = 'wanted'",
        params(config.endpoint)));
    return {};
  });
}

base::Status Watcher::evaluate(const std::string& endpoint) {
  const auto watched = find(endpoint);
  if (!watched) return base::fail(base::Code::kNotFound, "endpoint is not watched: " + endpoint);
  const std::lock_guard work(watched->work);
  if (watched->removed || watched->since_us == 0) return {};  // gone, or its first watch() failed
  for (int i = 0; i < kMaxClosesPerCall; ++i) {
    TRY_ASSIGN(const bool closed, close_next(*watched));
    if (!closed) break;
  }
  TRY_ASSIGN(const bool labels, take_labels(*watched));
  TRY(refresh_open(*watched, labels));
  return ask_for_retraining(*watched);
}

}  // namespace maru::monitor
