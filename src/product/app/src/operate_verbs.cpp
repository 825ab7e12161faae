#include <cmath>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "output.h"
#include "settings.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

constexpr std::uint64_t kLowDiskBytes = 1ull << 30;

std::string state_text(const std::string& state) {
  if (state == "succeeded" || state == "ready") return green(state);
  return state == "failed" ? red(state) : state;
}

void print_tasks(const Json& run) {
  print(bold(run["pipeline"].as_string()) + "  " + run["id"].as_string() + "  " +
        state_text(run["state"].as_string()) + "\n");
  TextTable table;
  for (const char* title : {"task", "state", "attempts", "seconds", "note"}) table.column(title);
  for (const auto& task : run["tasks"].items()) {
    const std::string why = task["cached"].as_bool() ? "cached" : task["error"].as_string();
    table.row({task["name"].as_string(), task["state"].as_string(),
               std::to_string(task["attempts"].as_int()),
               number_text(task["seconds"].as_double(), 1), why});
  }
  print(table.text());
}

}  // namespace

int pipeline_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/pipelines", [](const Json& result) {
    TextTable table;
    for (const char* title : {"pipeline", "runs", "last", "seconds", "started", "schedule"})
      table.column(title);
    for (const auto& row : result["pipelines"].items()) {
      table.row(
          {row["name"].as_string(), std::to_string(row["runs"].as_int()),
           row["last"]["state"].as_string(), number_text(row["last"]["seconds"].as_double(), 1),
           age_text(row["last"]["created_us"].as_int()), row["schedule"]["cron"].as_string()});
    }
    print(table.text());
  });
}

int pipeline_runs(const Invocation& invocation, const std::string& pipeline) {
  return show_answer(
      invocation, Method::kGet, "/api/v1/pipelines/" + http::percent_encode(pipeline) + "/runs",
      [](const Json& result) {
        TextTable table;
        for (const char* title : {"run", "state", "seconds", "started", "trigger"})
          table.column(title);
        for (const auto& row : result["runs"].items()) {
          table.row({row["id"].as_string(), row["state"].as_string(),
                     number_text(row["seconds"].as_double(), 1),
                     age_text(row["created_us"].as_int()), row["trigger"].as_string()});
        }
        print(table.text());
      });
}

int pipeline_show(const Invocation& invocation, const std::string& run) {
  return show_answer(invocation, Method::kGet, "/api/v1/pipeline-runs/" + http::percent_encode(run),
                     print_tasks);
}

int pipeline_logs(const Invocation& invocation, const std::string& run, const std::string& task) {
  return show_answer(invocation, Method::kGet,
                     "/api/v1/pipeline-runs/" + http::percent_encode(run) +
                         "/logs?task=" + http::percent_encode(task),
                     [](const Json& result) { print(result["text"].as_string()); });
}

int pipeline_change(const Invocation& invocation, const std::string& run, const std::string& what) {
  return show_answer(invocation, Method::kPost,
                     "/api/v1/pipeline-runs/" + http::percent_encode(run) + "/" + what, print_tasks,
                     Json::object());
}

int alert_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/alerts", [](const Json& result) {
    if (result["alerts"].size() == 0) print("No alerts.\n");
    for (const auto& alert : result["alerts"].items())
      print((alert["severity"].as_string() == "error" ? red("error  ") : std::string("warning")) +
            "  " + alert["endpoint"].as_string() + "  " + alert["message"].as_string() + "  " +
            dim(age_text(alert["time_us"].as_int())) + "\n");
  });
}

int token_create(const Invocation& invocation, const std::string& name, const std::string& role) {
  return show_answer(
      invocation, Method::kPost, "/api/v1/tokens",
      [](const Json& result) {
        print(result["token"].as_string() + "\n" +
              dim("shown once; send it as `Authorization: Bearer …` or set MARU_TOKEN") + "\n");
      },
      Json::object({{"name", name}, {"role", role}}));
}

int token_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/tokens", [](const Json& result) {
    TextTable table;
    for (const char* title : {"token", "role", "created"}) table.column(title);
    for (const auto& row : result["tokens"].items())
      table.row(
          {row["name"].as_string(), row["role"].as_string(), age_text(row["created_us"].as_int())});
    print(table.text());
  });
}

int token_revoke(const Invocation& invocation, const std::string& name) {
  return show_answer(invocation, Method::kDelete, "/api/v1/tokens/" + http::percent_encode(name),
                     [&](const Json&) { print("revoked " + name + "\n"); });
}

int doctor(const Invocation& invocation) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json status, session.call(Method::kGet, "/api/v1/status"));
    Json checks = Json::array();
    const auto check = [&](const std::string& name, bool ok, const std::string& detail) {
      checks.push(Json::object({{"name", name}, {"ok", ok}, {"detail", detail}}));
    };
    const auto free_bytes = static_cast<std::uint64_t>(status["cost"]["disk_free_bytes"].as_int());
    check("database", true, "opens and answers");
    check("disk", free_bytes > kLowDiskBytes,
          base::format_bytes(free_bytes) + " free at " + status["server"]["home"].as_string());
    bool endpoints_ok = true;
    for (const auto& endpoint : status["endpoints"].items())
      endpoints_ok = endpoints_ok && endpoint["state"].as_string() != "failed";
    check("endpoints", endpoints_ok, std::to_string(status["endpoints"].size()) + " endpoints");
    check("inbox", status["verdict"]["level"].as_string() != "bad",
          std::to_string(status["inbox"].size()) + " things need you");
    bool ok = true;
    for (const auto& item : checks.items()) ok = ok && item["ok"].as_bool();
    if (invocation.json) {
      print(Json::object({{"ok", ok}, {"checks", checks}}).dump() + "\n");
    } else {
      for (const auto& item : checks.items())
        print(std::string(item["ok"].as_bool() ? green("ok  ") : red("bad ")) + " " +
              item["name"].as_string() + ": " + item["detail"].as_string() + "\n");
    }
    return ok ? 0 : 1;
  });
}

// Every key of the configuration, its value here and where that comes from.
int config(const Invocation& invocation) {
  const auto settings = load_settings(home_folder(invocation.home));
  if (!settings) return report(settings.error());
  TextTable table;
  for (const char* title : {"key", "value", "from", "what it is"}) table.column(title);
  Json keys = Json::array();
  for (const auto& key : base::config_keys()) {
    const std::string name(key.name);
    table.row(
        {name, settings->text(name), std::string(settings->origin(name)), std::string(key.help)});
    keys.push(Json::object({{"key", name},
                            {"value", settings->text(name)},
                            {"default", std::string(key.default_value)},
                            {"from", std::string(settings->origin(name))},
                            {"help", std::string(key.help)}}));
  }
  if (invocation.json)
    print(Json::object({{"file", settings_file(home_folder(invocation.home))}, {"keys", keys}})
              .dump() +
          "\n");
  else
    print(table.text());
  return 0;
}

int version(const Invocation& invocation) {
  const Json facts = version_json();
  if (invocation.json) {
    print(facts.dump() + "\n");
    return 0;
  }
  print("maru " + facts["version"].as_string() + " (" + facts["commit"].as_string() + ", " +
        facts["build"].as_string() + ")\n");
  for (const auto& [library, release] : facts["libraries"].members())
    print("  " + library + " " + release.as_string() + "\n");
  return 0;
}

}  // namespace maru::app
