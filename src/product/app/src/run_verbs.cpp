#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/steps/project_file.h"
#include "output.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

constexpr std::int64_t kPollMs = 150;
constexpr int kUsage = 2;  // a project file that says nothing sensible is wrong use

// Waits between two looks at a run; a condition variable, since nothing signals across processes.
void pause() {
  static std::mutex mutex;
  static std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::chrono::milliseconds(kPollMs));
}

bool is_final(const std::string& state) {
  return state == "succeeded" || state == "failed" || state == "cancelled";
}

const Json& task_outputs(const Json& run, const std::string& name) {
  static const Json none;
  for (const auto& task : run["tasks"].items()) {
    if (task["name"].as_string() == name) return task["outputs"];
  }
  return none;
}

std::string run_line(const Json& run) {
  std::size_t done = 0;
  std::string running;
  for (const auto& task : run["tasks"].items()) {
    if (task["state"].as_string() == "succeeded") ++done;
    if (task["state"].as_string() != "running") continue;
    running = task["name"].as_string();
    if (!task["progress_stage"].as_string().empty())
      running += ": " + task["progress_stage"].as_string();
    if (!task["progress_detail"].as_string().empty())
      running += " " + task["progress_detail"].as_string();
  }
  return std::to_string(done) + "/" + std::to_string(run["tasks"].size()) + " " + running;
}

double run_fraction(const Json& run) {
  double done = 0;
  for (const auto& task : run["tasks"].items()) {
    if (task["state"].as_string() == "succeeded")
      done += 1;
    else if (task["state"].as_string() == "running")
      done += std::max(0.0, task["progress"].as_double(0));
  }
  return done / std::max<double>(1, static_cast<double>(run["tasks"].size()));
}

void print_init(const Json& summary, const std::string& out) {
  TextTable table;
  for (const char* title : {"column", "type", "role", "why"}) table.column(title);
  for (const auto& column : summary["columns"].items())
    table.row({column["name"].as_string(), column["type"].as_string(), column["role"].as_string(),
               column["reason"].as_string()});
  print(table.text());
  print("task: " + bold(summary["task"].as_string()) + ", label: " + summary["label"].as_string() +
        "\n");
  print("wrote " + bold(out) + "\n" +
        dim("next: maru run" + (out == "maru.yaml" ? std::string() : " " + out)) + "\n");
}

// "lightgbm num_leaves=31 learning_rate=0.1"
std::string config_text(const Json& trial) {
  if (trial["config"].is_string()) return trial["config"].as_string();
  std::string out = trial["learner"].as_string();
  for (const auto& [key, value] : trial["config"].members())
    out += " " + key + "=" + (value.is_string() ? value.as_string() : value.dump());
  return out;
}

void print_leaderboard(const Json& summary) {
  TextTable table;
  table.column("#", TextTable::Align::kRight);
  table.column("model");
  table.column("valid", TextTable::Align::kRight);
  table.column("train", TextTable::Align::kRight);
  table.column("seconds", TextTable::Align::kRight);
  table.column("µs/row", TextTable::Align::kRight);
  std::size_t rank = 0;
  for (const auto& trial : summary["leaderboard"].items()) {
    if (++rank > 5) break;
    table.row({std::to_string(rank), config_text(trial), number_text(trial["valid"].as_double()),
               number_text(trial["train"].as_double()),
               number_text(trial["seconds"].as_double(), 2),
               number_text(trial["latency_us"].as_double(), 1)});
  }
  print(table.text());
  const Json& search = summary["search"];
  if (!search.is_null())
    print(dim(std::to_string(search["trials"].as_int()) + " models tried in " +
              base::format_seconds(search["seconds"].as_double()) + ", budget " +
              base::format_seconds(search["budget_seconds"].as_double())) +
          "\n");
}

void print_run(const Json& summary) {
  print_leaderboard(summary);
  print("\n" +
        bold(summary["model"].as_string() + " v" + std::to_string(summary["version"].as_int())) +
        "  " + summary["metric"].as_string() + " " + interval_text(summary["score"]) + " on " +
        base::format_count(summary["test_rows"].as_int()) + " test rows\n");
  for (const auto& gate : summary["gates"].items()) {
    print("  " + std::string(gate["ok"].as_bool() ? green("pass") : red("FAIL")) + "  " +
          gate["name"].as_string() + "  " + gate["value"].as_string() + "  (bound " +
          gate["bound"].as_string() + ")\n");
  }
  print(summary["promoted"].as_bool()
            ? green("promoted") + ": every request is answered by v" +
                  std::to_string(summary["version"].as_int()) + "\n"
            : red("not promoted") + ": " + summary["reason"].as_string() + "\n");
}

Result<Json> fetch_model(Session& session, const Json& run) {
  const std::string name = task_outputs(run, "register")["model"].as_string();
  if (name.empty()) return Json();
  return session.call(Method::kGet, "/api/v1/models/" + http::percent_encode(name));
}

}  // namespace

// The error of the failed task as one value, so that the exit code says refused, not found, ...
base::Error run_error(const Json& run) {
  for (const auto& task : run["tasks"].items()) {
    if (task["state"].as_string() != "failed") continue;
    base::Error error;
    error.message = task["name"].as_string() + ": " + task["error"].as_string();
    error.hint = task["hint"].as_string();
    for (int code = 0; code <= static_cast<int>(base::Code::kInternal); ++code) {
      if (base::code_name(static_cast<base::Code>(code)) == task["error_code"].as_string())
        error.code = static_cast<base::Code>(code);
    }
    return error;
  }
  return {base::Code::kCancelled, "run was " + run["state"].as_string(), "", nullptr};
}

Result<Json> follow_run(Session& session, const std::string& run_id, bool quiet) {
  ProgressLine progress;
  for (;;) {
    TRY_ASSIGN(Json run, session.call(Method::kGet, "/api/v1/pipeline-runs/" + run_id));
    if (is_final(run["state"].as_string())) {
      progress.clear();
      return run;
    }
    if (!quiet) progress.show(run_line(run), run_fraction(run));
    pause();
  }
}

Json run_summary(const Json& run, const Json& model) {
  const Json& evaluated = task_outputs(run, "evaluate");
  const Json& promoted = task_outputs(run, "promote");
  const Json& trained = task_outputs(run, "train");
  Json out = Json::object({{"run", run["id"]},
                           {"model", evaluated["model"]},
                           {"version", evaluated["version"]},
                           {"task", trained["task"]},
                           {"metric", evaluated["metric"]},
                           {"score", evaluated["score"]},
                           {"test", evaluated["test"]},
                           {"test_rows", evaluated["rows"]},
                           {"leaderboard", Json::array()},
                           {"gates", evaluated["gates"]},
                           {"promoted", promoted["promoted"].as_bool()},
                           {"reason", promoted["reason"]},
                           {"seconds", run["seconds"]}});
  for (const auto& task : run["tasks"].items()) {
    if (task["name"].as_string() == "train" && !task["cached"].as_bool())
      out.set("search", Json::object({{"trials", trained["trials"]},
                                      {"seconds", task["seconds"]},
                                      {"budget_seconds", trained["budget_seconds"]}}));
  }
  for (const auto& version : model["versions"].items()) {
    if (!(version["version"] == evaluated["version"])) continue;
    Json leaderboard = Json::array();
    for (const auto& trial : version["card"]["leaderboard"].items()) {
      Json row = Json::object();
      for (const char* key :
           {"learner", "config", "valid", "train", "seconds", "bytes", "latency_us", "state"})
        row.set(key, trial[key]);
      leaderboard.push(std::move(row));
    }
    out.set("leaderboard", std::move(leaderboard));
  }
  return out;
}

int init(const Invocation& invocation, const InitOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    if (base::path_exists(options.out) && !options.force) {
      return base::fail(base::Code::kAlreadyExists, "project file exists: " + options.out,
                        "choose another --out, or overwrite it with --force");
    }
    Json sources = Json::array();
    for (const auto& file : options.files) {
      TRY_ASSIGN(std::string path, absolute_path(file));
      sources.push(std::move(path));
    }
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, "/api/v1/init",
                            Json::object({{"sources", sources},
                                          {"label", options.label},
                                          {"name", options.name},
                                          {"budget_seconds", options.budget_seconds}})));
    TRY(base::write_file_atomic(options.out, result["yaml"].as_string()));
    if (invocation.json)
      print(result["summary"].dump() + "\n");
    else
      print_init(result["summary"], options.out);
    return 0;
  });
}

int run(const Invocation& invocation, const RunOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    auto text = base::read_file(options.file);
    if (!text)
      return base::wrap(text.error(), "project file cannot be read: " + options.file,
                        "write one with `maru init DATA --label COLUMN`");
    TRY_ASSIGN(const std::string path, absolute_path(options.file));
    if (auto checked = steps::parse_project(*text, base::parent_path(path)); !checked) {
      report(checked.error());
      return kUsage;
    }
    Json body = Json::object({{"yaml", *text},
                              {"folder", base::parent_path(path)},
                              {"trigger", "cli"},
                              {"overrides", Json::object()}});
    if (!options.budget.empty()) {
      TRY_ASSIGN(const double seconds, steps::parse_seconds(options.budget));
      body.set("overrides", Json::object({{"budget_seconds", seconds}}));
    }
    TRY_ASSIGN(const Json submitted, session.call(Method::kPost, "/api/v1/project-runs", body));
    TRY_ASSIGN(const Json finished,
               follow_run(session, submitted["id"].as_string(), invocation.json));
    if (finished["state"].as_string() != "succeeded") {
      if (invocation.json)
        print(run_summary(finished, Json()).set("error", finished["error"]).dump() + "\n");
      return tl::unexpected<base::Error>(run_error(finished));
    }
    TRY_ASSIGN(const Json model, fetch_model(session, finished));
    const Json summary = run_summary(finished, model);
    if (invocation.json) {
      print(summary.dump() + "\n");
    } else {
      print_run(summary);
      print(dim(session.remote() ? "next: open " + session.url() : std::string("next: maru up")) +
            "\n");
    }
    return summary["promoted"].as_bool() ? 0 : 3;
  });
}

}  // namespace maru::app
