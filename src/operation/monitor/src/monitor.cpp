#include <algorithm>
#include <charconv>

#include "maru/base/id.h"
#include "records.h"
#include "segments.h"
#include "watcher.h"

namespace maru::monitor {
namespace {

using base::Code;
using store::params;

constexpr store::Migration kMigrations[] = {
    {1, R"sql(
CREATE TABLE monitor_configs (
  endpoint TEXT PRIMARY KEY,
  project TEXT NOT NULL,
  config TEXT NOT NULL,
  reference TEXT NOT NULL,
  prediction_reference TEXT NOT NULL,
  since_us BIGINT NOT NULL,
  last_retrain_us BIGINT NOT NULL,
  labels_seen BIGINT NOT NULL
);
CREATE TABLE monitor_windows (
  endpoint TEXT NOT NULL,
  from_us BIGINT NOT NULL,
  to_us BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (endpoint, from_us)
);
CREATE TABLE monitor_labels (
  endpoint TEXT NOT NULL,
  id TEXT NOT NULL,
  label TEXT NOT NULL,
  number BIGINT NOT NULL,
  predicted_us BIGINT NOT NULL,
  PRIMARY KEY (endpoint, id)
);
CREATE INDEX monitor_labels_number ON monitor_labels (endpoint, number);
CREATE INDEX monitor_labels_time ON monitor_labels (endpoint, predicted_us);
CREATE TABLE monitor_alerts (
  id TEXT PRIMARY KEY,
  project TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  kind TEXT NOT NULL,
  window_us BIGINT NOT NULL,
  severity TEXT NOT NULL,
  message TEXT NOT NULL,
  columns TEXT NOT NULL,
  evidence TEXT NOT NULL,
  time_us BIGINT NOT NULL,
  acknowledged INTEGER NOT NULL,
  retrain TEXT NOT NULL,
  UNIQUE (endpoint, kind, window_us)
);
CREATE INDEX monitor_alerts_project ON monitor_alerts (project, time_us);
)sql"},
};

// When the prediction was made, from its UUIDv7; 0 when the id does not say.
std::int64_t predicted_us(const std::string& id) {
  if (id.size() < 32 || !base::is_id(std::string_view(id).substr(0, 32)) || id[12] != '7') return 0;
  std::int64_t ms = 0;
  std::from_chars(id.data(), id.data() + 12, ms, 16);
  return ms * 1000;
}

base::Status check_labels(const std::vector<Feedback>& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Feedback& item = labels[i];
    if (item.id.empty() || item.id.size() > 128)
      return base::fail(Code::kInvalidArgument,
                        "feedback item " + std::to_string(i) + " has no usable id",
                        "send the id that the prediction came with");
    if (item.label.empty())
      return base::fail(Code::kInvalidArgument,
                        "feedback item " + std::to_string(i) + " has no label");
    if (item.label.size() > kMaxLabelBytes)
      return base::fail(Code::kTooLarge,
                        "feedback label is longer than 1,024 bytes: item " + std::to_string(i));
  }
  return {};
}

}  // namespace

base::Status Watcher::start() {
  if (options_.db == nullptr || options_.log == nullptr)
    return base::fail(Code::kInvalidArgument, "monitor needs a database and a prediction log");
  TRY(options_.db->migrate("monitor", kMigrations));
  TRY_ASSIGN(const auto rows,
             options_.db->query("SELECT c.config, c.reference, c.prediction_reference, c.since_us, "
                                "c.last_retrain_us, c.labels_seen, "
                                "(SELECT MAX(w.to_us) FROM monitor_windows w WHERE w.endpoint = "
                                "c.endpoint) FROM monitor_configs c"));
  for (const store::Row& row : rows) {
    auto watched = std::make_shared<Watched>();
    TRY_ASSIGN(const auto config, base::parse_json(row.text(0)));
    TRY_ASSIGN(watched->config, MonitorConfig::from_json(config));
    TRY_ASSIGN(const auto reference, base::parse_json(row.text(1)));
    TRY_ASSIGN(watched->reference, stats::Profile::from_json(reference));
    TRY_ASSIGN(const auto prediction, base::parse_json(row.text(2)));
    TRY_ASSIGN(watched->prediction_reference, stats::Profile::from_json(prediction));
    watched->since_us = row.integer(3);
    watched->last_retrain_us = row.integer(4);
    watched->labels_seen = row.integer(5);
    watched->start_us = std::max(watched->since_us, row.integer(6));
    const std::string endpoint = watched->config.endpoint;
    watched_.emplace(endpoint, std::move(watched));
  }
  return {};
}

std::shared_ptr<Watched> Watcher::find(const std::string& endpoint) const {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(endpoint);
  return found == watched_.end() ? nullptr : found->second;
}

base::Status Watcher::watch(const MonitorConfig& config, const stats::Profile& reference,
                            const stats::Profile& prediction_reference) {
  TRY(check_config(config));
  for (;;) {
    std::shared_ptr<Watched> watched;
    {
      const std::lock_guard lock(mutex_);
      auto& slot = watched_[config.endpoint];
      if (!slot) slot = std::make_shared<Watched>();
      watched = slot;
    }
    const std::lock_guard work(watched->work);
    // Unwatched between the look and the lock: it is in the table no more, so that nobody would look at it again.
    if (!watched->removed) return watch(*watched, config, reference, prediction_reference);
  }
}

base::Status Watcher::watch(Watched& watched, const MonitorConfig& config,
                            const stats::Profile& reference,
                            const stats::Profile& prediction_reference) {
  const std::int64_t now = options_.clock->now_us();
  const std::string reference_text = reference.to_json().dump(),
                    prediction_text = prediction_reference.to_json().dump();
  const bool known = watched.since_us != 0;
  const bool same_reference = known && watched.reference.to_json().dump() == reference_text &&
                              watched.prediction_reference.to_json().dump() == prediction_text;
  // The window that a new model falls into ends here; what it says of the old model is kept, but nobody is woken for it.
  if (known && !same_reference) {
    if (auto closed = close_window(watched, now, false); !closed) return closed;
  }
  const std::int64_t since = same_reference ? watched.since_us : now;
  TRY(options_.db->write([&](store::Writer& writer) -> base::Status {
    TRY(
        writer.execute("INSERT INTO monitor_configs (endpoint, project, config, reference, "
                       "prediction_reference, since_us, last_retrain_us, labels_seen) "
                       "VALUES ($1, $2, $3, $4, $5, $6, 0, 0) ON CONFLICT (endpoint) DO UPDATE SET "
                       "project = excluded.project, config = excluded.config, "
                       "reference = excluded.reference, prediction_reference = "
                       "excluded.prediction_reference, since_us = excluded.since_us",
                       params(config.endpoint, config.project, config.to_json().dump(),
                              reference_text, prediction_text, since)));
    if (!same_reference)
      TRY(
          writer.execute("UPDATE monitor_alerts SET retrain = 'superseded' WHERE endpoint = $1 AND "
                         "retrain = 'wanted'",
                         params(config.endpoint)));
    return {};
  }));
  watched.config = config;
  watched.reference = reference;
  watched.prediction_reference = prediction_reference;
  watched.since_us = since;
  if (!same_reference) watched.start_us = now;
  watched.has_open = false;
  return {};
}

base::Status Watcher::unwatch(const std::string& endpoint) {
  const auto watched = find(endpoint);
  if (!watched) return {};
  const std::lock_guard work(watched->work);
  if (watched->removed) return {};  // by somebody else; what is in the table now is watched since
  TRY(options_.db->write([&](store::Writer& writer) -> base::Status {
    TRY(writer.execute("DELETE FROM monitor_configs WHERE endpoint = $1", params(endpoint)));
    return {};
  }));
  watched->removed = true;
  const std::lock_guard lock(mutex_);
  watched_.erase(endpoint);
  return {};
}

base::Result<std::vector<MonitorConfig>> Watcher::watched(const std::string& project) {
  TRY_ASSIGN(
      const auto rows,
      options_.db->query("SELECT config FROM monitor_configs WHERE project = $1 ORDER BY endpoint",
                         params(project)));
  std::vector<MonitorConfig> out;
  for (const store::Row& row : rows) {
    TRY_ASSIGN(const auto json, base::parse_json(row.text(0)));
    TRY_ASSIGN(auto config, MonitorConfig::from_json(json));
    out.push_back(std::move(config));
  }
  return out;
}

base::Result<std::uint64_t> Watcher::feedback(const std::string& endpoint,
                                              const std::vector<Feedback>& labels) {
  TRY(check_labels(labels));
  if (labels.empty()) return std::uint64_t{0};
  TRY(options_.db->write([&](store::Writer& writer) -> base::Status {
    TRY_ASSIGN(const auto last,
               writer.query("SELECT MAX(number) FROM monitor_labels WHERE endpoint = $1",
                            params(endpoint)));
    std::int64_t number = last.empty() ? 0 : last.front().integer(0);
    // A repeated label changes nothing; another label for the same id corrects it and counts as new.
    for (const Feedback& item : labels) {
      TRY(
          writer.execute("INSERT INTO monitor_labels (endpoint, id, label, number, predicted_us) "
                         "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (endpoint, id) DO UPDATE SET "
                         "label = excluded.label, number = excluded.number WHERE "
                         "monitor_labels.label <> excluded.label",
                         params(endpoint, item.id, item.label, ++number, predicted_us(item.id))));
    }
    return {};
  }));
  std::set<std::string> ids;
  for (const Feedback& item : labels) ids.insert(item.id);
  return static_cast<std::uint64_t>(ids.size());
}

base::Result<Watcher::Labels> Watcher::labels_between(const std::string& endpoint,
                                                      std::int64_t from_us, std::int64_t to_us) {
  const std::int64_t from = from_us < INT64_MIN + kIdSlackUs ? INT64_MIN : from_us - kIdSlackUs,
                     to = to_us > INT64_MAX - kIdSlackUs ? INT64_MAX : to_us + kIdSlackUs;
  TRY_ASSIGN(const auto rows,
             options_.db->query("SELECT id, label FROM monitor_labels WHERE endpoint = $1 AND "
                                "((predicted_us >= $2 AND predicted_us <= $3) OR predicted_us = 0)",
                                params(endpoint, from, to)));
  Labels out;
  out.reserve(rows.size());
  for (const store::Row& row : rows) out.emplace(row.text(0), row.text(1));
  return out;
}

base::Result<std::vector<Window>> Watcher::windows(const std::string& endpoint, std::size_t limit) {
  std::vector<Window> out;
  if (const auto watched = find(endpoint)) {
    const std::lock_guard work(watched->work);
    if (watched->has_open && watched->open.rows > 0) out.push_back(watched->open);
  }
  TRY_ASSIGN(
      const auto rows,
      options_.db->query(
          "SELECT body FROM monitor_windows WHERE endpoint = $1 ORDER BY from_us DESC LIMIT $2",
          params(endpoint, static_cast<std::int64_t>(limit))));
  for (const store::Row& row : rows) {
    if (out.size() >= limit) break;
    TRY_ASSIGN(const auto json, base::parse_json(row.text(0)));
    out.push_back(window_from(json));
  }
  if (out.size() > limit) out.resize(limit);
  return out;
}

base::Result<std::vector<Alert>> Watcher::alerts(const std::string& project, std::size_t limit) {
  TRY_ASSIGN(
      const auto rows,
      options_.db->query(
          std::string("SELECT ") + kAlertColumns +
              " FROM monitor_alerts WHERE project = $1 ORDER BY time_us DESC, id DESC LIMIT $2",
          params(project, static_cast<std::int64_t>(limit))));
  std::vector<Alert> out;
  for (const store::Row& row : rows) out.push_back(alert_from(row));
  return out;
}

base::Status Watcher::acknowledge(const std::string& alert_id) {
  return options_.db->write([&](store::Writer& writer) -> base::Status {
    TRY_ASSIGN(const auto changed,
               writer.execute("UPDATE monitor_alerts SET acknowledged = 1 WHERE id = $1",
                              params(alert_id)));
    if (changed == 0) return base::fail(Code::kNotFound, "no alert has the id: " + alert_id);
    return {};
  });
}

base::Result<data::Table> Watcher::labelled_rows(const std::string& endpoint, std::int64_t from_us,
                                                 std::int64_t to_us) {
  TRY_ASSIGN(const Labels labels, labels_between(endpoint, from_us, to_us));
  TRY_ASSIGN(const data::Table rows, options_.log->read(endpoint, from_us, to_us, 0));
  const data::Column* ids = rows.find("id");
  std::vector<std::uint32_t> keep;
  data::Column label;
  label.name = "label";
  label.type = data::ColumnType::kText;
  std::unordered_map<std::string_view, std::int32_t> codes;
  std::string id;
  for (std::size_t row = 0; ids != nullptr && row < rows.rows(); ++row) {
    id.assign(ids->text(row));
    const auto found = labels.find(id);
    if (found == labels.end()) continue;
    keep.push_back(static_cast<std::uint32_t>(row));
    const auto [at, fresh] =
        codes.try_emplace(found->second, static_cast<std::int32_t>(label.dictionary.size()));
    if (fresh) label.dictionary.push_back(found->second);
    label.codes.push_back(at->second);
  }
  data::Table out = rows.take(keep);
  // An input of that name makes room.
  for (data::Column& column : out.columns) {
    if (column.name == "label") column.name = "input.label";
  }
  out.columns.push_back(std::move(label));
  return out;
}

base::Result<std::unique_ptr<Monitor>> Monitor::open(const Options& options) {
  auto watcher = std::make_unique<Watcher>(options);
  TRY(watcher->start());
  return std::unique_ptr<Monitor>(std::move(watcher));
}

}  // namespace maru::monitor
