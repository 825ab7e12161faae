#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/data/engine.h"
#include "maru/evaluate/evaluate.h"
#include "output.h"
#include "replay.h"
#include "up.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;
using base::Result;
using http::Method;

constexpr const char* kEndpoint = "flights";
constexpr const char* kLabel = "late";
constexpr int kFirstMonth = 4, kLastMonth = 6;  // replayed as live traffic; 1 to 3 are trained on
constexpr double kBudgetSeconds = 9;
constexpr double kBusyRate = 1500;  // requests a second while a model is being trained beside
constexpr const char* kColumns = "f.*, w.temp, w.wind_speed, w.precip, w.visib";

std::string month_file(int month) { return "flights_2013_0" + std::to_string(month) + ".parquet"; }

// The data beside the source tree, beside an unpacked distribution, or named by $MARU_EXAMPLES.
Result<std::string> example_folder() {
  std::vector<std::string> places;
  if (const char* named = std::getenv("MARU_EXAMPLES"))
    places.push_back(std::string(named) + "/flights");
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  if (length > 0) {
    std::string folder = base::parent_path(std::string(self, static_cast<std::size_t>(length)));
    for (int up = 0; up < 3; ++up, folder = base::parent_path(folder))
      places.push_back(base::join_path(folder, "examples/flights"));
  }
  places.emplace_back("examples/flights");
  for (const auto& place : places) {
    if (base::path_exists(base::join_path(place, month_file(1)))) return place;
  }
  return base::fail(Code::kNotFound, "the flights example is not here",
                    "run from the source folder, or set MARU_EXAMPLES to its examples/ folder");
}

std::string project_yaml() {
  return std::string("project: flights\ndata:\n") +
         "  flights: {source: \"flights_2013_*.parquet\", time: time_hour}\n  weather: {source: "
         "weather.parquet, time: time_hour}\n" +
         "  training:\n    sql: select " + kColumns +
         " from flights f left join weather w using (origin, time_hour)\n" +
         "predict:\n  label: arr_delay > 15\n  exclude: [dep_time, dep_delay, arr_time, air_time, "
         "year, month, day, flight, tailnum]\n" +
         "split: {by: time_hour, test: 12%, valid: 10%}\ntrain: {automl: {budget: " +
         std::to_string(static_cast<int>(kBudgetSeconds)) + "s, metric: roc_auc}}\n" +
         "evaluate:\n  slices: [origin, carrier]\n  gates: {roc_auc: {min: 0.6, not_worse_than: "
         "champion}, latency_p99: 10ms, memory: 256MiB}\n" +
         "serve: {endpoint: flights}\nmonitor: {window_rows: 12000, drift: {columns: all}, "
         "retrain: {when: [drift, performance], cooldown: 1d}}\n";
}

// One demonstration from an empty home to the report.
class Demo {
 public:
  Demo(RunningServer& server, Session& session, std::string examples, std::string incoming,
       bool json)
      : server_(server),
        session_(session),
        examples_(std::move(examples)),
        incoming_(std::move(incoming)),
        json_(json) {}

  Result<Json> play();

 private:
  base::Status arrive(const std::string& file) {
    TRY_ASSIGN(const std::string bytes, base::read_file(base::join_path(examples_, file)));
    return base::write_file_atomic(base::join_path(incoming_, file), bytes);
  }
  Result<Json> train();
  Result<std::vector<ReplayRow>> month_rows(int month);
  base::Status live_month(int month);
  Result<Json> wait_retrain(std::int64_t first_version);
  Result<Json> newest_run();
  Json report(const Json& first, const Json& second, const Json& models, const Json& alerts);
  void tell(const std::string& line) {
    if (!json_) print(line + "\n");
  }

  RunningServer& server_;
  Session& session_;
  std::string examples_, incoming_;
  bool json_;
  ReplayTotals totals_;
  Json months_ = Json::array();
  std::string first_run_;
  std::int64_t start_ns_ = base::system_clock().monotonic_ns();
};

Result<Json> Demo::train() {
  for (int month = 1; month < kFirstMonth; ++month) TRY(arrive(month_file(month)));
  TRY(arrive("weather.parquet"));
  const Json body = Json::object({{"yaml", project_yaml()},
                                  {"folder", incoming_},
                                  {"trigger", "demo"},
                                  {"overrides", Json::object()}});
  TRY_ASSIGN(const Json submitted, session_.call(Method::kPost, "/api/v1/project-runs", body));
  first_run_ = submitted["id"].as_string();
  TRY_ASSIGN(Json run, follow_run(session_, first_run_, json_));
  if (run["state"].as_string() != "succeeded")
    return base::fail(Code::kInternal, "the first training failed: " + run["error"].as_string());
  return run;
}

Result<std::vector<ReplayRow>> Demo::month_rows(int month) {
  data::EngineOptions options;
  options.temp_folder = base::join_path(incoming_, "tmp");
  TRY_ASSIGN(const auto engine, data::Engine::open(options));
  const std::string flights = data::quote_literal(base::join_path(examples_, month_file(month)));
  const std::string weather = data::quote_literal(base::join_path(examples_, "weather.parquet"));
  // What a caller knows before departure, in the order of departure; the label stands apart.
  const std::string sql =
      std::string(
          "select * exclude (dep_time, dep_delay, arr_time, air_time, arr_delay, year, month, day, "
          "flight, tailnum), arr_delay > 15 as ") +
      kLabel + " from (select " + kColumns + " from read_parquet(" + flights +
      ") f left join read_parquet(" + weather +
      ") w using (origin, time_hour)) where arr_delay is not null order by time_hour";
  TRY_ASSIGN(const data::Table table, engine->query(sql));
  return replay_rows(table, kLabel);
}

base::Status Demo::live_month(int month) {
  TRY_ASSIGN(const auto rows, month_rows(month));
  ReplayOptions options;
  options.url = server_.url();
  options.endpoint = kEndpoint;
  TRY_ASSIGN(const Json running, newest_run());
  if (running["state"].as_string() == "running" || running["state"].as_string() == "pending")
    options.per_second = kBusyRate;
  const std::int64_t start_ns = base::system_clock().monotonic_ns();
  TRY_ASSIGN(const ReplayTotals sent, replay(rows, options));
  const double seconds = static_cast<double>(base::system_clock().monotonic_ns() - start_ns) / 1e9;
  const double auc = evaluate::roc_auc(sent.labels, sent.scores);
  TRY(arrive(month_file(month)));
  months_.push(Json::object({{"month", month},
                             {"requests", static_cast<std::int64_t>(sent.sent)},
                             {"failed", static_cast<std::int64_t>(sent.failed)},
                             {"auc", auc},
                             {"seconds", seconds}}));
  tell("  2013-0" + std::to_string(month) + "  " +
       base::format_count(static_cast<std::int64_t>(sent.sent)) + " requests in " +
       base::format_seconds(seconds) + ", " + std::to_string(sent.failed) + " failed, AUC " +
       number_text(auc));
  add(totals_, sent);
  return {};
}

Result<Json> Demo::newest_run() {
  TRY_ASSIGN(const Json runs,
             session_.call(Method::kGet, "/api/v1/pipelines/flights/runs?limit=1"));
  return runs["runs"].at(0);
}

const Json& outputs_of(const Json& run, const std::string& task) {
  static const Json none;
  for (const auto& item : run["tasks"].items()) {
    if (item["name"].as_string() == task) return item["outputs"];
  }
  return none;
}

// The run that the monitor asked for. When nothing drifted far enough, or it drifted before the month's file was there (a slow machine), so
// that nothing new was learned, one is asked for here: the comparison is shown all the same.
Result<Json> Demo::wait_retrain(std::int64_t first_version) {
  TRY_ASSIGN(Json run, newest_run());
  if (run["id"].as_string() != first_run_) {
    TRY_ASSIGN(run, follow_run(session_, run["id"].as_string(), json_));
    if (outputs_of(run, "evaluate")["version"].as_int() > first_version) return run;
  }
  TRY_ASSIGN(run, session_.call(Method::kPost, "/api/v1/pipelines/flights/runs", Json::object()));
  return follow_run(session_, run["id"].as_string(), json_);
}

Json version_row(const Json& model, std::int64_t version) {
  for (const auto& row : model["versions"].items()) {
    if (row["version"].as_int() == version)
      return Json::object(
          {{"version", version},
           {"metrics", row["metrics"]},
           {"learner", row["card"]["config"]},
           {"trials", row["card"]["leaderboard"].size() > 0
                          ? Json(static_cast<std::int64_t>(row["card"]["leaderboard"].size()))
                          : Json()}});
  }
  return {};
}

// A plain linear model made from the same rows as this version, on the same test rows; null when the search made none.
Json baseline_of(const Json& model, std::int64_t version) {
  for (const auto& row : model["versions"].items())
    if (row["version"].as_int() == version) return row["card"]["baseline"];
  return {};
}

Json Demo::report(const Json& first, const Json& second, const Json& model, const Json& alerts) {
  Json versions = Json::array();
  versions.push(version_row(model, outputs_of(first, "evaluate")["version"].as_int()));
  const std::int64_t newer = outputs_of(second, "evaluate")["version"].as_int();
  if (newer > versions.at(0)["version"].as_int()) versions.push(version_row(model, newer));
  const Json& ingested = outputs_of(first, "join");
  return Json::object(
      {{"seconds", static_cast<double>(base::system_clock().monotonic_ns() - start_ns_) / 1e9},
       {"baseline", baseline_of(model, outputs_of(first, "evaluate")["version"].as_int())},
       {"rows", ingested["rows"]},
       {"snapshot", ingested["snapshot"]},
       {"anomalies", 0},
       {"versions", versions},
       {"comparison", outputs_of(second, "evaluate")["comparison"]},
       {"promoted", outputs_of(second, "promote")["promoted"]},
       {"reason", outputs_of(second, "promote")["reason"]},
       {"requests", Json::object({{"sent", static_cast<std::int64_t>(totals_.sent)},
                                  {"failed", static_cast<std::int64_t>(totals_.failed)},
                                  {"p50_ms", percentile(totals_.latency_us, 0.5) / 1e3},
                                  {"p99_ms", percentile(totals_.latency_us, 0.99) / 1e3}})},
       {"months", months_},
       {"alerts", alerts},
       {"url", server_.url()}});
}

Result<Json> Demo::play() {
  tell(
      "Training on flights of January to March 2013: will this flight arrive more than 15 minutes "
      "late?");
  TRY_ASSIGN(const Json first, train());
  const Json& score = outputs_of(first, "evaluate")["score"];
  tell("  " + base::format_count(outputs_of(first, "join")["rows"].as_int()) + " rows, " +
       std::to_string(outputs_of(first, "train")["trials"].as_int()) + " models tried, v1 AUC " +
       interval_text(score));
  tell("Serving. April to June arrive as live traffic, labels behind them:");
  for (int month = kFirstMonth; month <= kLastMonth; ++month) {
    TRY(live_month(month));
    TRY(session_.call(Method::kGet, std::string("/api/v1/endpoints/") + kEndpoint + "/monitor"));
  }
  TRY_ASSIGN(const Json second, wait_retrain(outputs_of(first, "evaluate")["version"].as_int()));
  TRY_ASSIGN(const Json model, session_.call(Method::kGet, "/api/v1/models/flights"));
  TRY_ASSIGN(const Json alerts, session_.call(Method::kGet, "/api/v1/alerts"));
  TRY_ASSIGN(const Json validated,
             session_.call(Method::kGet, "/api/v1/datasets/training/profile"));
  Json out = report(first, second, model, alerts["alerts"]);
  return out.set("anomalies", static_cast<std::int64_t>(validated["anomalies"].size()));
}

void print_report(const Json& report) {
  TextTable table;
  table.column("");
  table.column("");
  const Json& requests = report["requests"];
  table.row({"rows", base::format_count(report["rows"].as_int()) + "  snapshot " +
                         report["snapshot"].as_string().substr(0, 12)});
  table.row({"anomalies", std::to_string(report["anomalies"].as_int())});
  for (const auto& version : report["versions"].items()) {
    table.row({"v" + std::to_string(version["version"].as_int()) + " AUC",
               interval_text(version["metrics"]["roc_auc"]) + "  " +
                   std::to_string(version["trials"].as_int()) + " models tried"});
  }
  const Json& comparison = report["comparison"];
  if (!comparison.is_null())
    table.row({"same rows", "champion " + number_text(comparison["champion"].as_double()) +
                                ", candidate " + number_text(comparison["candidate"].as_double())});
  table.row({"promoted", report["promoted"].as_bool() ? "yes, while requests were running"
                                                      : "no: " + report["reason"].as_string()});
  table.row({"requests", base::format_count(requests["sent"].as_int()) + " sent, " +
                             std::to_string(requests["failed"].as_int()) + " failed"});
  table.row({"latency", "p50 " + number_text(requests["p50_ms"].as_double(), 2) + " ms, p99 " +
                            number_text(requests["p99_ms"].as_double(), 2) + " ms"});
  const Json& baseline = report["baseline"];
  if (!baseline.is_null())
    table.row({"logistic", interval_text(baseline["test"]) + "  on v1's rows; base rate 0.5"});
  table.row({"alerts", std::to_string(report["alerts"].size()) +
                           (report["alerts"].size() == 0
                                ? ""
                                : ", newest: " + report["alerts"].at(0)["message"].as_string())});
  table.row({"took", base::format_seconds(report["seconds"].as_double())});
  print(table.text());
}

// A folder of the demo's own may be emptied; a user's home never.
Result<std::string> demo_home(const std::string& named) {
  if (!named.empty() || std::getenv("MARU_HOME") != nullptr) {
    const std::string folder = home_folder(named);
    if (base::path_exists(base::join_path(folder, "demo"))) {
      return base::fail(Code::kAlreadyExists, "a demo has run in this home: " + folder,
                        "look at it with `maru up`, or name an empty --home");
    }
    return folder;
  }
  const std::string folder = home_folder("") + "-demo";
  if (base::path_exists(base::join_path(folder, "demo"))) {
    TRY_ASSIGN(const auto lock, base::FileLock::acquire(base::join_path(folder, "lock")));
    TRY(base::remove_tree(folder));
  }
  return folder;
}

Result<int> run_demo(const Invocation& invocation, const DemoOptions& options) {
  TRY_ASSIGN(const std::string examples, example_folder());
  TRY_ASSIGN(const std::string folder, demo_home(invocation.home));
  UpOptions up_options;
  up_options.settings = options.settings;
  TRY_ASSIGN(const auto server, RunningServer::start(folder, up_options));
  const std::string incoming = base::join_path(folder, "demo");
  TRY(base::make_folders(base::join_path(incoming, "tmp")));
  TRY_ASSIGN(const auto session, Session::open(folder, server->url()));
  Demo demo(*server, *session, examples, incoming, invocation.json);
  TRY_ASSIGN(const Json report, demo.play());
  if (invocation.json)
    print(report.dump() + "\n");
  else
    print_report(report);
  const bool failed = report["requests"]["failed"].as_int() > 0;
  if (!options.exit) {
    if (!invocation.json)
      print("ready " + server->url() + "\n" +
            dim("Ctrl-C stops it; `maru up --home " + folder + "` starts it again") + "\n");
    wait_for_signal();
  }
  server->stop();
  return failed ? 1 : 0;
}

}  // namespace

int demo(const Invocation& invocation, const DemoOptions& options) {
  block_signals();
  auto result = run_demo(invocation, options);
  return result ? *result : report(result.error());
}

}  // namespace maru::app
