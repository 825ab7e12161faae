#include <set>

#include "runs.h"

// What a page needs to know of an experiment's runs: their keys, and when they change.
namespace maru::tracking {
namespace {

using base::Result;
using base::Status;

constexpr std::size_t kTailRuns = 500;  // their newest points may not be in the tables yet
constexpr const char* kMetricKeys =
    "SELECT DISTINCT key FROM run_metrics WHERE run IN (SELECT number FROM runs WHERE "
    "experiment_id = $1 ORDER BY number DESC LIMIT 1000)";
constexpr const char* kTextKeys =
    "SELECT DISTINCT kind, key FROM run_values WHERE run IN (SELECT number FROM runs WHERE "
    "experiment_id = $1 ORDER BY number DESC LIMIT 1000)";

std::vector<std::string> sorted(const std::set<std::string>& keys) {
  return {keys.begin(), keys.end()};
}

}  // namespace

Result<RunKeys> RunTables::keys(const std::string& experiment_id) {
  std::set<std::string> metric_names, param_names, tag_names;
  std::vector<std::int64_t> newest;
  const auto cells = store::params(experiment_id);
  TRY(db_.read([&](store::Reader& reader) -> Status {
    TRY(reader.each(kMetricKeys, cells, [&](const store::Cursor& row) -> Status {
      metric_names.emplace(row.text(0));
      return {};
    }));
    TRY(reader.each(kTextKeys, cells, [&](const store::Cursor& row) -> Status {
      (row.integer(0) == 1 ? param_names : tag_names).emplace(row.text(1));
      return {};
    }));
    const auto few = store::params(experiment_id, static_cast<std::int64_t>(kTailRuns));
    return reader.each(
        "SELECT number FROM runs WHERE experiment_id = $1 ORDER BY number DESC LIMIT $2", few,
        [&](const store::Cursor& row) -> Status {
          newest.push_back(row.integer(0));
          return {};
        });
  }));
  for (const auto number : newest)
    for (const auto& [key, point] : metrics_.tail_latest(number)) metric_names.insert(key);
  return RunKeys{sorted(metric_names), sorted(param_names), sorted(tag_names)};
}

void RunTables::on_change(Listener listener) {
  index_.listen(
      [listener = std::move(listener)](const RunRow& row) { listener(row.experiment_id, row.id); });
}

}  // namespace maru::tracking
