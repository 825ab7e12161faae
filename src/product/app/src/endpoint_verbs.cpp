#include <charconv>
#include <cmath>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "output.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;
using base::Result;
using http::Method;

std::string path_of(const std::string& endpoint) {
  return "/api/v1/endpoints/" + http::percent_encode(endpoint);
}

std::string percent_text(double share) { return number_text(share * 100, 1) + " %"; }

std::string bounds_text(const Json& interval) {
  if (interval.is_null()) return "";
  return " [" + number_text(interval["low"].as_double()) + ", " +
         number_text(interval["high"].as_double()) + "]";
}

std::string mean_text(const Json& arm) {
  if (arm["mean"].is_null()) return "";
  return number_text(arm["mean"].as_double()) + bounds_text(arm["interval"]);
}

void print_difference(const Json& row, double confidence) {
  std::string line = "v" + std::to_string(row["version"].as_int()) + " against v" +
                     std::to_string(row["against"].as_int()) + ": ";
  if (row["interval"].is_null()) {
    print(line + "too few rewards to say anything\n");
    return;
  }
  line += number_text(row["interval"]["value"].as_double()) + bounds_text(row["interval"]) + ", ";
  if (row["decided"].as_bool())
    line += green("decided for v" + std::to_string(row["winner"].as_int()));
  else if (row["rewards_needed"].is_null())
    line += "not decided";
  else
    line += "not decided, about " + base::format_count(row["rewards_needed"].as_int()) +
            " rewards needed";
  print(line + dim("  (" + percent_text(confidence) + " at every look)") + "\n");
}

void print_canary(const Json& canary) {
  const std::string phase = canary["phase"].as_string();
  const std::size_t step = static_cast<std::size_t>(canary["step"].as_int());
  if (phase == "rolled_back")
    return print(red("canary went back: ") + canary["reason"].as_string() + "\n");
  if (phase == "done") return print(green("canary passed all its steps\n"));
  print("canary: step " + std::to_string(step + 1) + " of " +
        std::to_string(canary["steps"].size()) + ", " +
        percent_text(canary["steps"].at(step).as_double()) + ", " +
        std::to_string(canary["requests_in_step"].as_int()) + " of " +
        std::to_string(canary["step_requests"].as_int()) + " requests, began " +
        age_text(canary["step_from_us"].as_int()) + "\n");
}

void print_bandit(const Json& bandit, const Json& arms) {
  TextTable table;
  for (const char* title : {"segment", "arm", "share", "chance to be best"}) table.column(title);
  for (const Json& segment : bandit["segments"].items()) {
    for (std::size_t i = 0; i < segment["shares"].size(); ++i)
      table.row({i == 0 ? segment["segment"].as_string() : "",
                 "v" + std::to_string(arms.at(i)["version"].as_int()),
                 percent_text(segment["shares"].at(i).as_double()),
                 percent_text(segment["best_chance"].at(i).as_double())});
  }
  print("bandit " + bandit["policy"].as_string() + "\n" + table.text());
}

void print_endpoint(const Json& endpoint) {
  const std::string state = endpoint["state"].as_string();
  print(bold(endpoint["name"].as_string()) + "  model " + endpoint["model"].as_string() + "  " +
        (state == "ready" ? green(state) : red(state)) + "\n");
  if (!endpoint["reason"].as_string().empty()) print(endpoint["reason"].as_string() + "\n");
  const Json &experiment = endpoint["experiment"], &arms = endpoint["arms"];
  const bool rewarded = experiment["arms"].size() > 0;
  TextTable table;
  for (const char* title : {"arm", "alias", "share", "requests", "errors"}) table.column(title);
  if (rewarded) table.column("mean reward");
  double sum = 0;
  for (const Json& arm : arms.items()) sum += arm["weight"].as_double();
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const Json& arm = arms.at(i);
    std::vector<std::string> cells = {
        "v" + std::to_string(arm["version"].as_int()), arm["selector"].as_string(),
        percent_text(sum > 0 ? arm["weight"].as_double() / sum : 0),
        base::format_count(arm["requests"].as_int()), std::to_string(arm["errors"].as_int())};
    if (rewarded) cells.push_back(mean_text(experiment["arms"].at(i)));
    table.row(std::move(cells));
  }
  print(table.text());
  if (experiment["stopped"].as_bool())
    print(red("stopped: ") + "the first arm answers everything\n");
  for (const Json& row : experiment["differences"].items())
    print_difference(row, experiment["confidence"].as_double());
  if (!experiment["canary"].is_null()) print_canary(experiment["canary"]);
  if (!experiment["bandit"].is_null()) print_bandit(experiment["bandit"], arms);
}

// "champion=90" -> {"version": "champion", "weight": 90}
Result<Json> arm_of(const std::string& text) {
  const std::size_t at = text.rfind('=');
  double weight = 1;
  if (at != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + at + 1, end, weight);
    if (read.ec != std::errc() || read.ptr != end)
      return base::fail(Code::kInvalidArgument, "not an arm: " + text, "write champion=90 or 5=10");
  }
  return Json::object({{"version", text.substr(0, at)}, {"weight", weight}});
}

Result<Json> arms_of(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) {
    TRY_ASSIGN(Json arm, arm_of(text));
    out.push(std::move(arm));
  }
  return out;
}

// Puts what `change` makes of the endpoint's route; a new endpoint needs a model.
int change_route(const Invocation& invocation, const EndpointOptions& options,
                 const std::function<Result<Json>(const Json& route)>& change) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    std::string model = options.model;
    Json route;
    if (model.empty()) {
      TRY_ASSIGN(const Json now, session.call(Method::kGet, path_of(options.name)));
      model = now["model"].as_string();
      route = now["route"];
    }
    TRY_ASSIGN(Json next, change(route));
    TRY_ASSIGN(const Json done,
               session.call(Method::kPut, path_of(options.name),
                            Json::object({{"model", model}, {"route", std::move(next)}})));
    if (invocation.json)
      print(done.dump() + "\n");
    else
      print_endpoint(done);
    return 0;
  });
}

}  // namespace

int endpoint_list(const Invocation& invocation) {
  return show_answer(invocation, Method::kGet, "/api/v1/endpoints", [](const Json& result) {
    TextTable table;
    for (const char* title :
         {"endpoint", "model", "state", "version", "requests/s", "p50 ms", "p99 ms"})
      table.column(title);
    for (const auto& row : result["endpoints"].items()) {
      const Json& latency = row["latency"];
      table.row({row["name"].as_string(), row["model"].as_string(), row["state"].as_string(),
                 "v" + std::to_string(row["arms"].at(0)["version"].as_int()),
                 number_text(latency["per_second"].as_double(), 1),
                 number_text(latency["p50_us"].as_double() / 1000, 3),
                 number_text(latency["p99_us"].as_double() / 1000, 3)});
    }
    print(table.text());
  });
}

int endpoint_show(const Invocation& invocation, const EndpointOptions& options) {
  return show_answer(invocation, Method::kGet, path_of(options.name), print_endpoint);
}

int endpoint_route(const Invocation& invocation, const EndpointOptions& options) {
  return change_route(invocation, options, [&](const Json&) -> Result<Json> {
    if (options.route == "champion") return Json();
    if (options.route.starts_with("@")) {
      TRY_ASSIGN(const std::string text, base::read_file(options.route.substr(1)));
      return base::parse_json(text);
    }
    return base::parse_json(options.route);
  });
}

int endpoint_split(const Invocation& invocation, const EndpointOptions& options) {
  return change_route(invocation, options, [&](const Json&) -> Result<Json> {
    TRY_ASSIGN(Json arms, arms_of(options.arms));
    Json route = Json::object({{"kind", "weighted"}, {"arms", std::move(arms)}});
    if (!options.reward.empty()) route.set("reward", options.reward);
    return route;
  });
}

int endpoint_canary(const Invocation& invocation, const EndpointOptions& options) {
  return change_route(invocation, options, [&](const Json&) -> Result<Json> {
    Json steps = Json::array();
    for (const std::string& step : base::split(options.steps, ','))
      steps.push(std::string(base::trim(step)));
    Json route =
        Json::object({{"kind", "canary"},
                      {"arms", Json::array({Json::object({{"version", "champion"}}),
                                            Json::object({{"version", options.version}})})},
                      {"steps", std::move(steps)},
                      {"step_seconds", options.step_seconds},
                      {"step_requests", options.step_requests}});
    if (!options.reward.empty()) route.set("reward", options.reward);
    return route;
  });
}

int endpoint_bandit(const Invocation& invocation, const EndpointOptions& options) {
  return change_route(invocation, options, [&](const Json&) -> Result<Json> {
    TRY_ASSIGN(Json arms, arms_of(options.arms));
    Json route = Json::object({{"kind", "bandit"}, {"arms", std::move(arms)}});
    if (!options.policy.empty()) route.set("policy", options.policy);
    if (!options.reward.empty()) route.set("reward", options.reward);
    return route;
  });
}

namespace {

std::string answer_text(const Json& answer) {
  if (answer.has("prediction") && answer.has("score"))
    return answer["prediction"].as_string() + " " +
           base::format_double(answer["score"].as_double());
  const std::string text = answer["score"].is_number()
                               ? base::format_double(answer["score"].as_double())
                               : answer.dump();
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

std::string words_of(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.items()) out.push_back(item.as_string());
  return base::join(out, ", ");
}

void print_replay(const Json& report) {
  const std::int64_t rows = report["rows"].as_int(), different = report["different"].as_int();
  print("v" + std::to_string(report["version"].as_int()) + " was asked " +
        base::format_count(rows) + " logged rows of " + report["endpoint"].as_string() + ": " +
        (different == 0 ? green("none differs") : red(base::format_count(different) + " differ")) +
        ", " + base::format_count(report["same_bits"].as_int()) +
        " are the same to the last bit\n");
  if (rows == 0) return;
  print("largest difference " + base::format_double(report["largest_difference"].as_double()) +
        ", mean " + base::format_double(report["mean_difference"].as_double()) + "; " +
        base::format_count(report["other_class"].as_int()) + " another class, " +
        base::format_count(report["failed"].as_int()) + " failed\n");
  constexpr std::pair<const char*, const char*> kInputs[] = {
      {"missing", "not in the log, given as missing: "},
      {"unused", "logged, and not taken by this version: "},
      {"retyped", "of another type now, given as missing: "}};
  for (const auto& [key, text] : kInputs)
    if (report["inputs"][key].size() > 0) print(text + words_of(report["inputs"][key]) + "\n");
  if (report["differences"].size() == 0) return;
  TextTable table;
  for (const char* title : {"id", "by", "logged", "now", "difference"}) table.column(title);
  for (const Json& row : report["differences"].items())
    table.row({row["id"].as_string(), "v" + std::to_string(row["version"].as_int()),
               answer_text(row["logged"]),
               row.has("error") ? row["error"].as_string() : answer_text(row["now"]),
               row["difference"].is_null() ? "" : number_text(row["difference"].as_double(), 9)});
  print(table.text());
}

}  // namespace

// What may be set where: "lane" on its own, "fallback" and "features" as JSON, what a version may cost under `bounds`, all else under `execution`.
int endpoint_set(const Invocation& invocation, const EndpointOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json now, session.call(Method::kGet, path_of(options.name)));
    Json body = Json::object({{"model", now["model"]}, {"route", now["route"]}});
    Json parts = Json::object(
        {{"execution", now["config"]["execution"]}, {"bounds", now["config"]["bounds"]}});
    for (const std::string& setting : options.settings) {
      const std::size_t equals = setting.find('=');
      if (equals == 0 || equals == std::string::npos)
        return base::fail(Code::kInvalidArgument, "a setting is not NAME=VALUE: " + setting,
                          "batch_rows=32");
      const std::string name = setting.substr(0, equals), text = setting.substr(equals + 1);
      if (name == "lane") {
        body.set("lane", text.empty() ? "production" : text);
        continue;
      }
      if (name == "fallback" || name == "features") {
        const auto value = base::parse_json(text.empty() ? "null" : text);
        if (!value)
          return base::fail(Code::kInvalidArgument, "no JSON after " + name + "=: " + text,
                            R"(fallback='{"prediction": 12.5}')");
        body.set(name, *value);
        continue;
      }
      const char* part = name == "p99_us" || name == "memory_bytes" ? "bounds" : "execution";
      Json next = Json::object();
      for (const auto& [key, value] : parts[part].members())
        if (key != name) next.set(key, value);
      const auto number = base::parse_json(text);
      if (!text.empty()) next.set(name, number ? *number : Json(text));
      parts.set(part, next.size() == 0 ? Json() : std::move(next));
    }
    for (const auto& [key, value] : parts.members()) body.set(key, value);
    TRY_ASSIGN(const Json done, session.call(Method::kPut, path_of(options.name), body));
    if (invocation.json)
      print(done.dump() + "\n");
    else
      print_endpoint(done);
    return 0;
  });
}

int endpoint_log(const Invocation& invocation, const EndpointOptions& options) {
  if (options.sample >= 0) {
    return with_session(invocation, [&](Session& session) -> Result<int> {
      TRY_ASSIGN(const Json now, session.call(Method::kGet, path_of(options.name)));
      Json rule = now["config"]["log"].is_object() ? now["config"]["log"] : Json::object();
      rule.set("sample", options.sample);
      TRY(session.call(
          Method::kPut, path_of(options.name),
          Json::object(
              {{"model", now["model"]}, {"route", now["route"]}, {"log", std::move(rule)}})));
      if (!invocation.json) print(percent_text(options.sample) + " of the answers are logged\n");
      return 0;
    });
  }
  std::string query = "?limit=" + std::to_string(options.last);
  if (!options.ids.empty()) query += "&id=" + http::percent_encode(options.ids.front());
  if (!options.trace.empty()) query += "&trace_id=" + http::percent_encode(options.trace);
  return show_answer(
      invocation, Method::kGet, path_of(options.name) + "/log" + query, [](const Json& result) {
        TextTable table;
        for (const char* title :
             {"time", "id", "version", "answer", "caller", "total us", "model us", "CPU us"})
          table.column(title);
        for (const Json& row : result["rows"].items())
          table.row({base::format_time_us(row["time_us"].as_int()), row["id"].as_string(),
                     "v" + std::to_string(row["version"].as_int()), answer_text(row),
                     row["principal"].as_string(), std::to_string(row["total_us"].as_int()),
                     std::to_string(row["stages"]["model_us"].as_int()),
                     row["cpu_us"].is_null() ? "" : number_text(row["cpu_us"].as_double(), 1)});
        print(table.text());
      });
}

int endpoint_replay(const Invocation& invocation, const EndpointOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    Json body = Json::object({{"last", options.last}, {"tolerance", options.tolerance}});
    if (!options.version.empty()) body.set("version", options.version);
    Json ids = Json::array();
    for (const std::string& id : options.ids) ids.push(id);
    if (ids.size() > 0) body.set("ids", std::move(ids));
    TRY_ASSIGN(const Json report,
               session.call(Method::kPost, path_of(options.name) + "/replay", body));
    if (invocation.json)
      print(report.dump() + "\n");
    else
      print_replay(report);
    return report["different"].as_int() == 0 ? 0 : 1;
  });
}

int endpoint_stop(const Invocation& invocation, const EndpointOptions& options) {
  return change_route(invocation, options, [&](const Json& route) -> Result<Json> {
    if (!route.is_object() || route["arms"].size() < 2)
      return base::fail(Code::kFailedPrecondition,
                        "endpoint has one arm, there is nothing to stop: " + options.name,
                        "go back with `maru model rollback`");
    Json next = route;
    return next.set("stopped", true);
  });
}

}  // namespace maru::app
