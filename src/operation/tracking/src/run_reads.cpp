#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "maru/base/json.h"
#include "maru/base/text.h"
#include "names.h"
#include "runs.h"

// The part of RunTables that reads runs.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::Cursor;
using store::params;
using store::Reader;

constexpr const char* kRunColumns =
    "SELECT id, experiment_id, name, status, source, user_name, state, artifact_uri, start_us, "
    "end_us, has_inputs FROM runs WHERE number = $1";

Run run_of(const Cursor& row) {
  Run out;
  out.id = row.text(0);
  out.experiment_id = row.text(1);
  out.name = row.text(2);
  out.status = row.text(3);
  out.source = row.text(4);
  out.user = row.text(5);
  out.state = row.text(6);
  out.artifact_uri = row.text(7);
  out.start_us = row.integer(8);
  out.end_us = row.integer(9);
  return out;
}

Text text_of_json(std::string_view json) {
  Text out;
  const auto parsed = base::parse_json(json);
  if (!parsed) return out;
  for (const auto& [key, value] : parsed->members()) out[key] = value.as_string();
  return out;
}

Status read_values(Reader& reader, std::span<const store::Value> key, Run& run) {
  return reader.each("SELECT kind, key, value FROM run_values WHERE run = $1", key,
                     [&](const Cursor& row) -> Status {
                       Text& texts = row.integer(0) == 1 ? run.params : run.tags;
                       texts.emplace_hint(texts.end(), row.text(1), row.text(2));
                       return {};
                     });
}

Status read_metrics(Reader& reader, std::span<const store::Value> key, Run& run) {
  return reader.each("SELECT key, value, step, time_ms FROM run_metrics WHERE run = $1", key,
                     [&](const Cursor& row) -> Status {
                       std::string name(row.text(0));
                       MetricPoint point{name, read_metric(row, 1), row.integer(2), row.integer(3)};
                       run.latest.emplace_hint(run.latest.end(), std::move(name), std::move(point));
                       return {};
                     });
}

Status read_inputs(Reader& reader, std::span<const store::Value> key, Run& run) {
  TRY(reader.each(
      "SELECT d.name, d.digest, d.source_type, d.source, d.columns, d.profile, r.tags "
      "FROM run_datasets r JOIN datasets_logged d ON d.number = r.dataset WHERE r.run = "
      "$1 ORDER BY d.number",
      key, [&](const Cursor& row) -> Status {
        DatasetInput input;
        input.dataset = {std::string(row.text(0)), std::string(row.text(1)),
                         std::string(row.text(2)), std::string(row.text(3)),
                         std::string(row.text(4)), std::string(row.text(5))};
        input.tags = text_of_json(row.text(6));
        run.datasets.push_back(std::move(input));
        return {};
      }));
  return reader.each(
      "SELECT direction, model_id, step FROM run_models WHERE run = $1 ORDER BY "
      "direction, model_id",
      key, [&](const Cursor& row) -> Status {
        if (row.text(0) == "in")
          run.input_models.emplace_back(row.text(1));
        else
          run.output_models.push_back({std::string(row.text(1)), row.integer(2)});
        return {};
      });
}

void overlay(const MetricStore::Latest& tail, Run& run) {
  for (const auto& [key, point] : tail) {
    const auto found = run.latest.find(key);
    if (found != run.latest.end() &&
        !earlier({found->second.value, found->second.step, found->second.time_ms}, point))
      continue;
    run.latest[key] = {key, point.value, point.step, point.time_ms};
  }
}

}  // namespace

Result<std::vector<Run>> RunTables::read_runs(const std::vector<std::int64_t>& numbers,
                                              bool values) {
  std::vector<MetricStore::Latest> tails;
  if (values)
    for (const auto number : numbers) tails.push_back(metrics_.tail_latest(number));
  std::vector<Run> out;
  out.reserve(numbers.size());
  TRY(db_.read([&](Reader& reader) -> Status {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const auto key = params(numbers[i]);
      bool inputs = false, found = false;
      TRY(reader.each(kRunColumns, key, [&](const Cursor& row) -> Status {
        out.push_back(run_of(row));
        inputs = row.integer(10) != 0;
        found = true;
        return {};
      }));
      if (!found || !values) continue;
      TRY(read_values(reader, key, out.back()));
      TRY(read_metrics(reader, key, out.back()));
      if (inputs) TRY(read_inputs(reader, key, out.back()));
      overlay(tails[i], out.back());
    }
    return {};
  }));
  return out;
}

Result<std::int64_t> RunTables::number_of(const std::string& run_id) {
  {
    const std::lock_guard lock(known_mutex_);
    const auto found = known_.find(run_id);
    if (found != known_.end()) return found->second.number;
  }
  const auto key = params(run_id);
  TRY_ASSIGN(const auto rows, db_.query("SELECT number FROM runs WHERE id = $1", key));
  if (rows.empty())
    return base::fail(
        Code::kNotFound,
        "Run with id=" + base::replace_invalid_utf8(run_id.substr(0, 80)) + " not found");
  return rows[0].integer(0);
}

Result<Run> RunTables::get_run(const std::string& run_id) {
  TRY_ASSIGN(const std::int64_t number, number_of(run_id));
  TRY_ASSIGN(auto runs, read_runs({number}, true));
  if (runs.empty()) return base::fail(Code::kNotFound, "Run with id=" + run_id + " not found");
  return std::move(runs.front());
}

Result<RunPage> RunTables::search_runs(const std::string& project, const RunQuery& query) {
  std::vector<std::string> experiments = query.experiment_ids;
  const auto key = params(project);
  TRY_ASSIGN(const auto rows, db_.query("SELECT id FROM experiments WHERE project = $1", key));
  std::set<std::string> known;
  for (const auto& row : rows) known.insert(row.text(0));
  if (experiments.empty()) {
    experiments.assign(known.begin(), known.end());
  } else {  // what is not there has no runs
    std::erase_if(experiments, [&](const std::string& id) { return !known.contains(id); });
  }
  TRY_ASSIGN(const FoundRuns found, find_runs(db_, index_, experiments, query));
  RunPage page;
  page.total = found.total;
  page.next_after = found.next_after;
  TRY_ASSIGN(page.runs, read_runs(found.numbers, query.values));
  return page;
}

Result<std::vector<HistoryPoint>> RunTables::metric_history(const std::string& run_id,
                                                            const std::string& key) {
  TRY_ASSIGN(const std::int64_t number, number_of(run_id));
  TRY_ASSIGN(const auto points, metrics_.history(number, key));
  std::vector<HistoryPoint> out;
  out.reserve(points.size());
  for (const auto& point : points) out.push_back({point.value, point.step, point.time_ms});
  return out;
}

Result<std::vector<std::string>> RunTables::metric_keys(const std::string& run_id) {
  TRY_ASSIGN(const std::int64_t number, number_of(run_id));
  std::set<std::string> keys;
  for (const auto& [key, point] : metrics_.tail_latest(number)) keys.insert(key);
  const auto cells = params(number);
  TRY_ASSIGN(const auto rows, db_.query("SELECT key FROM run_metrics WHERE run = $1", cells));
  for (const auto& row : rows) keys.insert(row.text(0));
  return std::vector<std::string>(keys.begin(), keys.end());
}

namespace {

using Series = std::vector<Point>;

// The first positions of `limit` equal parts of `count` points (SQL's NTILE), the last one in place of the last part's: MLflow's rule.
std::vector<std::size_t> chosen_ranks(std::size_t count, std::size_t limit) {
  const std::size_t size = count / limit, larger = count % limit;
  std::vector<std::size_t> out(limit);
  for (std::size_t i = 0; i < limit; ++i) out[i] = i * size + std::min(i, larger);
  out.back() = count - 1;
  return out;
}

// The first of each of `limit` equal parts of the points, the last one, and the lowest and highest ones. By points, not by steps: many
// values may share a step. The points come in pieces, in their order; all of them when there are no more than `limit`.
class Sampler {
 public:
  explicit Sampler(std::size_t limit) : limit_(std::max<std::size_t>(limit, 1)) {}

  void begin(std::size_t count) {
    all_ = count <= limit_;
    wanted_.clear();
    if (!all_) wanted_ = chosen_ranks(count, limit_);
    chosen_.clear();
    lowest_ = highest_ = {};
    seen_ = next_ = 0;
  }

  void take(std::span<const Point> points) {
    if (points.empty()) return;
    if (seen_ == 0) lowest_ = highest_ = {0, points.front()};
    double low = lowest_.point.value, high = highest_.point.value;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double value = points[i].value;
      if (value < low || std::isnan(low)) {
        low = value;
        lowest_ = {seen_ + i, points[i]};
      }
      if (value > high || std::isnan(high)) {
        high = value;
        highest_ = {seen_ + i, points[i]};
      }
    }
    if (all_)
      for (std::size_t i = 0; i < points.size(); ++i) chosen_.push_back({seen_ + i, points[i]});
    for (; next_ < wanted_.size() && wanted_[next_] < seen_ + points.size(); ++next_)
      chosen_.push_back({wanted_[next_], points[wanted_[next_] - seen_]});
    seen_ += points.size();
  }

  void end(const std::string& run_id, std::vector<SampledPoint>& out) {
    if (seen_ > 0) chosen_.insert(chosen_.end(), {lowest_, highest_});
    std::sort(chosen_.begin(), chosen_.end(),
              [](const Ranked& a, const Ranked& b) { return a.rank < b.rank; });
    chosen_.erase(std::unique(chosen_.begin(), chosen_.end(),
                              [](const Ranked& a, const Ranked& b) { return a.rank == b.rank; }),
                  chosen_.end());
    for (const auto& [rank, point] : chosen_)
      out.push_back({run_id, point.value, point.step, point.time_ms});
  }

 private:
  struct Ranked {
    std::size_t rank = 0;
    Point point;
  };
  const std::size_t limit_;
  bool all_ = false;
  std::vector<std::size_t> wanted_;
  std::vector<Ranked> chosen_;
  Ranked lowest_, highest_;
  std::size_t seen_ = 0, next_ = 0;
};

}  // namespace

Result<std::vector<SampledPoint>> RunTables::sample_metric(const SampleQuery& query) {
  std::vector<SampledPoint> out;
  for (const auto& run_id : query.run_ids) {
    TRY_ASSIGN(const std::int64_t number, number_of(run_id));
    Sampler sampler(query.limit);
    bool visited = false;
    if (!query.start_step && !query.end_step) {
      TRY_ASSIGN(visited, metrics_.visit_history(
                              number, query.key, [&](std::size_t count) { sampler.begin(count); },
                              [&](std::span<const Point> points) { sampler.take(points); }));
    }
    if (!visited) {
      TRY_ASSIGN(Series points, metrics_.history(number, query.key));
      std::erase_if(points, [&](const Point& point) {
        return (query.start_step && point.step < *query.start_step) ||
               (query.end_step && point.step > *query.end_step);
      });
      sampler.begin(points.size());
      sampler.take(points);
    }
    sampler.end(run_id, out);
  }
  return out;
}

Result<std::vector<DatasetSummary>> RunTables::dataset_summaries(
    const std::vector<std::string>& experiment_ids) {
  std::vector<DatasetSummary> out;
  std::set<std::string> seen;
  for (const auto& id : experiment_ids) {
    const auto key = params(id);
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT DISTINCT d.name, d.digest, r.tags FROM datasets_logged d JOIN "
                         "run_datasets r ON r.dataset = d.number JOIN runs t ON t.number = "
                         "r.run WHERE d.experiment_id = $1 AND t.state = 'active' ORDER BY 1, 2",
                         key));
    for (const auto& row : rows) {
      const Text tags = text_of_json(row.text(2));
      const auto context = tags.find("mlflow.data.context");
      DatasetSummary one{id, row.text(0), row.text(1),
                         context == tags.end() ? std::string() : context->second};
      if (seen.insert(one.experiment_id + '\n' + one.name + '\n' + one.digest + '\n' + one.context)
              .second)
        out.push_back(std::move(one));
    }
  }
  return out;
}

}  // namespace maru::tracking
