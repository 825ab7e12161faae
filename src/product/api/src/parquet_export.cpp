#include "parquet_export.h"

#include <algorithm>
#include <unordered_map>

#include "maru/base/file.h"
#include "maru/data/engine.h"

namespace maru::api {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::size_t kRowsInFile = 1'000'000;
constexpr std::size_t kPage = 1000;

// Rows of a table to be. Cells are given in the order of the columns.
class Rows {
 public:
  struct Kind {
    const char* name;
    data::ColumnType type;
  };
  explicit Rows(std::initializer_list<Kind> kinds) : kinds_(kinds) { clear(); }
  void clear() {
    table_.columns.clear();
    codes_.assign(kinds_.size(), {});
    for (const auto& kind : kinds_) {
      data::Column column;
      column.name = kind.name;
      column.type = kind.type;
      table_.columns.push_back(std::move(column));
    }
    at_ = 0;
  }
  Rows& text(const std::string& value) {
    auto& column = table_.columns[at_];
    const auto [found, fresh] =
        codes_[at_++].try_emplace(value, static_cast<std::int32_t>(column.dictionary.size()));
    if (fresh) column.dictionary.push_back(value);
    column.codes.push_back(found->second);
    return *this;
  }
  Rows& integer(std::int64_t value) {
    table_.columns[at_++].integers.push_back(value);
    return *this;
  }
  Rows& time(std::int64_t us) {  // 0 is none
    auto& column = table_.columns[at_++];
    column.valid.push_back(us == 0 ? 0 : 1);
    column.integers.push_back(us);
    return *this;
  }
  Rows& real(double value) {
    table_.columns[at_++].reals.push_back(value);
    return *this;
  }
  void end() { at_ = 0; }
  const data::Table& table() const { return table_; }

 private:
  std::vector<Kind> kinds_;
  data::Table table_;
  std::vector<std::unordered_map<std::string, std::int32_t>> codes_;
  std::size_t at_ = 0;
};

constexpr auto kText = data::ColumnType::kText;
constexpr auto kInteger = data::ColumnType::kInteger;
constexpr auto kTime = data::ColumnType::kTimestamp;

class Exporter {
 public:
  Exporter(const Services& services, const ParquetExport& wanted, Context& context)
      : s_(services), wanted_(wanted), context_(context) {}

  Result<Json> run() {
    tracking::ExperimentQuery query;
    query.view = tracking::View::kAll;
    do {
      TRY_ASSIGN(const auto page, s_.tracking->runs().search_experiments(wanted_.project, query));
      for (const auto& one : page.experiments) {
        const auto& ids = wanted_.experiments;
        if (ids.empty() || std::find(ids.begin(), ids.end(), one.id) != ids.end())
          TRY(add_experiment(one));
      }
      query.after = page.next_after;
    } while (!query.after.empty());
    TRY(write("experiments", experiments_));
    TRY(write("runs", runs_));
    TRY(write("params", params_));
    TRY(write("tags", tags_));
    TRY(write_metrics());
    TRY_ASSIGN(const Json again, counted());
    return Json::object({{"kind", "parquet"},
                         {"path", wanted_.folder},
                         {"written", counts_},
                         {"read_back", again},
                         {"equal", again == counts_},
                         {"skipped", 0},
                         {"skips", Json::array()}});
  }

 private:
  Status add_experiment(const tracking::Experiment& one) {
    experiments_.text(one.id).text(one.name).text(one.state).time(one.created_us).end();
    tracking::RunQuery query;
    query.experiment_ids = {one.id};
    query.view = tracking::View::kAll;
    query.limit = kPage;
    do {
      TRY_ASSIGN(const auto page, s_.tracking->runs().search_runs(wanted_.project, query));
      for (const auto& run : page.runs) TRY(add_run(one, run));
      query.after = page.next_after;
    } while (!query.after.empty());
    return {};
  }

  Status add_run(const tracking::Experiment& experiment, const tracking::Run& run) {
    TRY(context_.alive());
    runs_.text(run.id)
        .text(experiment.id)
        .text(experiment.name)
        .text(run.name)
        .text(run.status)
        .text(run.state)
        .text(run.user)
        .time(run.start_us)
        .time(run.end_us)
        .text(run.artifact_uri)
        .end();
    for (const auto& [key, value] : run.params) params_.text(run.id).text(key).text(value).end();
    for (const auto& [key, value] : run.tags) tags_.text(run.id).text(key).text(value).end();
    TRY_ASSIGN(const auto keys, s_.tracking->runs().metric_keys(run.id));
    for (const auto& key : keys) {
      TRY_ASSIGN(const auto points, s_.tracking->runs().metric_history(run.id, key));
      for (const auto& point : points)
        metrics_.text(run.id)
            .text(key)
            .integer(point.step)
            .time(point.time_ms * 1000)
            .real(point.value)
            .end();
      if (metrics_.table().rows() >= kRowsInFile) TRY(write_metrics());
    }
    return {};
  }

  Status write(const std::string& name, Rows& rows) {
    const std::string table = "maru_export_" + name;
    const std::string file = base::join_path(wanted_.folder, name + ".parquet");
    TRY(s_.engine->register_table(table, rows.table()));
    const Status written =
        s_.engine->write_parquet("SELECT * FROM " + data::quote_identifier(table), file);
    TRY(s_.engine->drop(table));
    TRY(written);
    if (name.rfind("metrics", 0) != 0)
      counts_.set(name, count(rows.table().rows()));
    else
      counts_.set("metrics", counts_["metrics"].as_int() + count(rows.table().rows()).as_int());
    rows.clear();
    return {};
  }

  Status write_metrics() {
    if (files_ > 0 && metrics_.table().rows() == 0) return {};
    char name[32];
    std::snprintf(name, sizeof name, "metrics-%05d", files_++);
    return write(name, metrics_);
  }

  Result<Json> counted() {
    Json out = Json::object();
    for (const auto& [name, rows] : counts_.members()) {
      const std::string files = base::join_path(
          wanted_.folder, name == "metrics" ? "metrics-*.parquet" : name + ".parquet");
      TRY_ASSIGN(const auto table, s_.engine->query("SELECT count(*) AS n FROM read_parquet(" +
                                                    data::quote_literal(files) + ")"));
      out.set(name, static_cast<std::int64_t>(table.columns.at(0).number(0)));
    }
    return out;
  }

  const Services& s_;
  const ParquetExport& wanted_;
  Context& context_;
  Json counts_ = Json::object();
  int files_ = 0;
  Rows experiments_{
      {"experiment_id", kText}, {"name", kText}, {"state", kText}, {"created", kTime}};
  Rows runs_{{"run_id", kText}, {"experiment_id", kText}, {"experiment", kText}, {"name", kText},
             {"status", kText}, {"state", kText},         {"user", kText},       {"start", kTime},
             {"end", kTime},    {"artifact_uri", kText}};
  Rows params_{{"run_id", kText}, {"key", kText}, {"value", kText}};
  Rows tags_{{"run_id", kText}, {"key", kText}, {"value", kText}};
  Rows metrics_{{"run_id", kText},
                {"key", kText},
                {"step", kInteger},
                {"time", kTime},
                {"value", data::ColumnType::kFloat}};
};

}  // namespace

Result<Json> export_parquet(const Services& services, const ParquetExport& wanted,
                            Context& context) {
  if (wanted.folder.empty() || wanted.folder.front() != '/')
    return base::fail(Code::kInvalidArgument, "`path` must be an absolute path: " + wanted.folder);
  if (base::path_exists(wanted.folder)) {
    const auto names = base::list_folder(wanted.folder);
    if (!names || !names->empty())
      return base::fail(Code::kAlreadyExists,
                        "an export would be mixed with what is here: " + wanted.folder,
                        "choose a folder that does not exist");
  }
  TRY(base::make_folders(wanted.folder));
  return Exporter(services, wanted, context).run();
}

}  // namespace maru::api
