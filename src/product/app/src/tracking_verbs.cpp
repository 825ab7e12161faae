#include "tracking_verbs.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "maru/base/file.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "output.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using http::Method;

constexpr std::size_t kShortId = 12;
constexpr std::size_t kRunIdLength = 32;
constexpr std::size_t kPage = 1000;

// An experiment by its name, or its id.
Result<Json> find_experiment(Session& session, const std::string& name) {
  return session.call(Method::kGet,
                      "/api/v1/experiments/by-name?name=" + http::percent_encode(name));
}
std::string experiment_path(const Json& experiment, const std::string& rest = {}) {
  return "/api/v1/experiments/" + http::percent_encode(experiment["id"].as_string()) + rest;
}
std::string run_path(const std::string& id, const std::string& rest = {}) {
  return "/api/v1/experiment-runs/" + http::percent_encode(id) + rest;
}

std::string short_number(const Json& value) {
  if (value.is_null()) return "–";
  if (value.is_string()) {
    std::string text = value.as_string();
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    return text;
  }
  return base::format_significant(value.as_double(), 5);
}

int print_json(const Json& value) {
  print(value.dump() + "\n");
  return 0;
}

// The one run whose id begins so.
Result<std::string> run_id(Session& session, const std::string& text) {
  if (text.size() >= kRunIdLength) return text;
  if (text.find_first_of("'\"%\\") != std::string::npos || text.empty())
    return base::fail(Code::kInvalidArgument, "not an id of a run: " + text);
  TRY_ASSIGN(const Json found,
             session.call(Method::kPost, "/api/v1/run-searches",
                          Json::object({{"filter", "run_id LIKE '" + text + "%'"},
                                        {"view", "all"},
                                        {"limit", 3},
                                        {"fields", Json::array({Json("name")})}})));
  const auto& runs = found["runs"].items();
  if (runs.size() == 1) return runs[0]["id"].as_string();
  if (runs.empty())
    return base::fail(Code::kNotFound, "no run has an id that begins so: " + text,
                      "see `maru runs list`");
  return base::fail(
      Code::kInvalidArgument,
      std::to_string(found["total"].as_int()) + " runs have an id that begins so: " + text,
      "type more of it");
}

Json text_list(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const auto& value : values) out.push(value);
  return out;
}

Json search_body(const TrackingOptions& options) {
  return Json::object({{"experiments", text_list(options.names)},
                       {"filter", options.filter},
                       {"order_by", text_list(options.order_by)},
                       {"view", options.deleted ? "deleted" : "active"},
                       {"limit", static_cast<std::int64_t>(options.limit)}});
}

// What stands in a column of a run.
std::string field_text(const Json& run, const std::string& field) {
  if (field == "id" || field == "run_id") return run["id"].as_string().substr(0, kShortId);
  if (field == "started") return age_text(run["start_us"].as_int());
  if (field == "seconds") {
    const std::int64_t end = run["end_us"].as_int();
    return end == 0
               ? "–"
               : base::format_seconds(static_cast<double>(end - run["start_us"].as_int()) / 1e6);
  }
  const std::size_t dot = field.find('.');
  if (dot == std::string::npos) return run[field].as_string();
  const Json& value = run[field.substr(0, dot)][field.substr(dot + 1)];
  return short_number(value);
}

std::vector<std::string> fields_of(const std::vector<std::string>& columns) {
  std::set<std::string> out = {"name", "start_us", "end_us"};
  for (const auto& column : columns) out.insert(column);
  return {out.begin(), out.end()};
}

void print_runs(const Json& result, std::vector<std::string> columns) {
  const auto& runs = result["runs"].items();
  if (runs.empty()) {
    print("No runs.\n");
    return;
  }
  if (columns.empty()) {
    columns = {"name", "id", "experiment", "status", "started"};
    std::set<std::string> keys;
    for (const auto& run : runs)
      for (const auto& [key, value] : run["metrics"].members())
        if (key.rfind("system/", 0) != 0) keys.insert("metrics." + key);
    for (const auto& key : keys)
      if (columns.size() < 8) columns.push_back(key);
  }
  TextTable table;
  for (const auto& column : columns) {
    const bool metric = column.rfind("metrics.", 0) == 0;
    table.column(metric ? column.substr(8) : column,
                 metric ? TextTable::Align::kRight : TextTable::Align::kLeft);
  }
  for (const auto& run : runs) {
    std::vector<std::string> cells;
    for (const auto& column : columns) cells.push_back(field_text(run, column));
    table.row(std::move(cells));
  }
  print(table.text());
  const std::int64_t total = result["total"].as_int();
  if (total > static_cast<std::int64_t>(runs.size()))
    print(dim(base::format_count(static_cast<std::int64_t>(runs.size())) + " of " +
              base::format_count(total) + " runs; --limit for more") +
          "\n");
}

void print_pairs(const char* title, const Json& pairs, bool numbers) {
  if (pairs.size() == 0) return;
  TextTable table;
  table.column(title);
  table.column("value", numbers ? TextTable::Align::kRight : TextTable::Align::kLeft);
  for (const auto& [key, value] : pairs.members()) {
    table.row({key, short_number(value)});
  }
  print("\n" + table.text());
}

}  // namespace

// ---- experiments ------------------------------------------------------------------------------------

int experiment_list(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result,
               session.call(Method::kGet, options.deleted ? "/api/v1/experiments?view=deleted"
                                                          : "/api/v1/experiments"));
    if (invocation.json) return print_json(result);
    TextTable table;
    table.column("experiment");
    table.column("id");
    table.column("runs", TextTable::Align::kRight);
    table.column("newest");
    for (const auto& row : result["experiments"].items())
      table.row({row["name"].as_string(), row["id"].as_string(),
                 base::format_count(row["runs"].as_int()), age_text(row["updated_us"].as_int())});
    print(table.text());
    return 0;
  });
}

int experiment_show(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json one, find_experiment(session, options.name));
    if (invocation.json) return print_json(one);
    print(bold(one["name"].as_string()) + "  " + dim("id " + one["id"].as_string()) +
          (one["state"].as_string() == "deleted" ? "  in the trash" : "") + "\n");
    print(base::format_count(one["runs"].as_int()) + " runs, " +
          base::format_count(one["deleted_runs"].as_int()) + " in the trash; made " +
          age_text(one["created_us"].as_int()) + "\n");
    print_pairs("tag", one["tags"], false);
    print(dim("next: maru runs list '" + one["name"].as_string() + "'") + "\n");
    return 0;
  });
}

int experiment_create(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json one, session.call(Method::kPost, "/api/v1/experiments",
                                            Json::object({{"name", options.name}})));
    if (invocation.json) return print_json(one);
    print("created " + bold(options.name) + " (id " + one["id"].as_string() + ")\n");
    return 0;
  });
}

int experiment_rename(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json known, find_experiment(session, options.name));
    TRY_ASSIGN(const Json one, session.call(Method::kPatch, experiment_path(known),
                                            Json::object({{"name", options.second}})));
    if (invocation.json) return print_json(one);
    print(options.name + " is now " + bold(one["name"].as_string()) + "\n");
    return 0;
  });
}

int experiment_change(const Invocation& invocation, const TrackingOptions& options,
                      const std::string& what) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const bool away = what == "delete";
    TRY_ASSIGN(const Json known, find_experiment(session, options.name));
    TRY_ASSIGN(const Json one, session.call(away ? Method::kDelete : Method::kPost,
                                            experiment_path(known, away ? "" : "/restore"),
                                            away ? Json() : Json::object()));
    if (invocation.json) return print_json(one);
    print(bold(one["name"].as_string()) +
          (away ? " is in the trash with its runs\n" +
                      dim("undo: maru experiment restore '" + one["name"].as_string() + "'")
                : " is back with its runs") +
          "\n");
    return 0;
  });
}

// ---- runs -------------------------------------------------------------------------------------------

int runs_list(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    Json body = search_body(options);
    if (!options.columns.empty()) body.set("fields", text_list(fields_of(options.columns)));
    TRY_ASSIGN(const Json result, session.call(Method::kPost, "/api/v1/run-searches", body));
    if (invocation.json) return print_json(result);
    print_runs(result, options.columns);
    return 0;
  });
}

int runs_show(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string id, run_id(session, options.name));
    TRY_ASSIGN(const Json run, session.call(Method::kGet, run_path(id)));
    if (invocation.json) return print_json(run);
    print(bold(run["name"].as_string()) + "  " + dim(id) + "  " + run["status"].as_string() + "\n");
    print(run["experiment"]["name"].as_string() + ", started " +
          age_text(run["start_us"].as_int()) + ", took " + field_text(run, "seconds") + "\n");
    print_pairs("metric", run["metrics"], true);
    print_pairs("parameter", run["params"], false);
    print_pairs("tag", run["tags"], false);
    const auto& files = run["artifacts"].items();
    if (!files.empty())
      print("\n" + std::to_string(files.size()) + " files; " +
            dim("maru artifact list " + id.substr(0, kShortId)) + "\n");
    return 0;
  });
}

int runs_compare(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    std::vector<Json> runs;
    for (const auto& name : options.names) {
      TRY_ASSIGN(const std::string id, run_id(session, name));
      TRY_ASSIGN(Json run, session.call(Method::kGet, run_path(id)));
      runs.push_back(std::move(run));
    }
    Json rows = Json::array();
    for (const char* part : {"metrics", "params", "tags"}) {
      std::set<std::string> keys;
      for (const auto& run : runs)
        for (const auto& [key, value] : run[part].members()) keys.insert(key);
      for (const auto& key : keys) {
        Json values = Json::array();
        bool same = true;
        for (const auto& run : runs) {
          values.push(run[part][key]);
          same = same && run[part][key] == runs[0][part][key];
        }
        if (!same || options.all)
          rows.push(
              Json::object({{"kind", part}, {"key", key}, {"same", same}, {"values", values}}));
      }
    }
    if (invocation.json) {
      Json ids = Json::array();
      for (const auto& run : runs) ids.push(run["id"]);
      return print_json(Json::object({{"runs", ids}, {"rows", rows}}));
    }
    TextTable table;
    table.column("");
    for (const auto& run : runs)
      table.column(run["name"].as_string() + " " + run["id"].as_string().substr(0, 6));
    for (const auto& row : rows.items()) {
      std::vector<std::string> cells = {row["kind"].as_string() + "." + row["key"].as_string()};
      for (const auto& value : row["values"].items()) cells.push_back(short_number(value));
      table.row(std::move(cells));
    }
    print(rows.size() == 0 ? "These runs do not differ.\n" : table.text());
    return 0;
  });
}

int runs_change(const Invocation& invocation, const TrackingOptions& options,
                const std::string& what) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const bool away = what == "delete";
    Json changed = Json::array();
    for (const auto& name : options.names) {
      TRY_ASSIGN(const std::string id, run_id(session, name));
      TRY_ASSIGN(Json run, session.call(away ? Method::kDelete : Method::kPost,
                                        run_path(id, away ? "" : "/restore"),
                                        away ? Json() : Json::object()));
      changed.push(std::move(run));
    }
    if (invocation.json) return print_json(Json::object({{"runs", changed}}));
    for (const auto& run : changed.items())
      print(bold(run["name"].as_string()) + "  " + run["id"].as_string().substr(0, kShortId) +
            (away ? "  is in the trash\n" : "  is back\n"));
    return 0;
  });
}

namespace {

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_value(const Json& value) {
  return value.is_null() ? "" : value.is_string() ? csv_cell(value.as_string()) : value.dump();
}

std::string csv_of(const std::vector<Json>& runs) {
  static constexpr const char* kPlain[] = {"id",   "name",     "experiment", "status",      "state",
                                           "user", "start_us", "end_us",     "artifact_uri"};
  std::set<std::string> keys[3];
  static constexpr const char* kParts[] = {"metrics", "params", "tags"};
  for (const auto& run : runs)
    for (std::size_t i = 0; i < 3; ++i)
      for (const auto& [key, value] : run[kParts[i]].members()) keys[i].insert(key);
  std::string out;
  for (const char* name : kPlain) out += (out.empty() ? "" : ",") + std::string(name);
  for (std::size_t i = 0; i < 3; ++i)
    for (const auto& key : keys[i]) out += "," + csv_cell(std::string(kParts[i]) + "." + key);
  out += "\n";
  for (const auto& run : runs) {
    std::string line;
    for (const char* name : kPlain) line += (name == kPlain[0] ? "" : ",") + csv_value(run[name]);
    for (std::size_t i = 0; i < 3; ++i)
      for (const auto& key : keys[i]) line += "," + csv_value(run[kParts[i]][key]);
    out += line + "\n";
  }
  return out;
}

}  // namespace

int runs_export(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const bool csv = options.output.ends_with(".csv"), lines = options.output.ends_with(".jsonl");
    if (!csv && !lines)
      return base::fail(
          Code::kInvalidArgument, "not a table that can be written: " + options.output,
          "FILE.csv or FILE.jsonl; `maru tracking export --format parquet` for Parquet");
    Json body = search_body(options);
    body.set("limit", static_cast<std::int64_t>(kPage));
    if (!options.columns.empty()) body.set("fields", text_list(options.columns));
    std::vector<Json> runs;
    std::string after;
    do {
      body.set("after", after);
      TRY_ASSIGN(Json page, session.call(Method::kPost, "/api/v1/run-searches", body));
      for (auto& run : page["runs"].items()) runs.push_back(run);
      after = page["next_after"].as_string();
    } while (!after.empty());
    std::string text;
    if (csv)
      text = csv_of(runs);
    else
      for (const auto& run : runs) text += run.dump() + "\n";
    TRY(base::write_file_atomic(options.output, text));
    const Json done = Json::object({{"output", options.output},
                                    {"runs", static_cast<std::int64_t>(runs.size())},
                                    {"bytes", static_cast<std::int64_t>(text.size())}});
    if (invocation.json) return print_json(done);
    print(base::format_count(static_cast<std::int64_t>(runs.size())) + " runs → " +
          bold(options.output) + "\n");
    return 0;
  });
}

// ---- artifacts --------------------------------------------------------------------------------------

int artifact_list(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string id, run_id(session, options.name));
    TRY_ASSIGN(const Json result, session.call(Method::kGet, run_path(id, "/artifacts")));
    if (invocation.json) return print_json(result);
    if (result["artifacts"].size() == 0) {
      print("No files.\n");
      return 0;
    }
    TextTable table;
    table.column("file");
    table.column("size", TextTable::Align::kRight);
    table.column("sha256");
    for (const auto& file : result["artifacts"].items())
      table.row({file["path"].as_string(),
                 base::format_bytes(static_cast<std::uint64_t>(file["bytes"].as_int())),
                 file["sha256"].as_string().substr(0, kShortId)});
    print(table.text());
    return 0;
  });
}

namespace {

std::string artifact_path(const std::string& run, const std::string& path) {
  std::vector<std::string> parts = base::split(path, '/');
  for (auto& part : parts) part = http::percent_encode(part);
  return run_path(run, "/artifacts/" + base::join(parts, "/"));
}

}  // namespace

int artifact_get(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string id, run_id(session, options.name));
    const std::string output =
        options.output.empty() ? base::file_name(options.second) : options.output;
    TRY_ASSIGN(const std::uint64_t bytes,
               session.download(artifact_path(id, options.second), output));
    if (invocation.json)
      return print_json(Json::object({{"path", options.second},
                                      {"output", output},
                                      {"bytes", static_cast<std::int64_t>(bytes)}}));
    print(base::format_bytes(bytes) + " → " + bold(output) + "\n");
    return 0;
  });
}

int artifact_put(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string id, run_id(session, options.name));
    const std::string path =
        options.output.empty() ? base::file_name(options.second) : options.output;
    TRY_ASSIGN(const Json stored, session.upload(artifact_path(id, path), options.second));
    if (invocation.json) return print_json(stored);
    print(bold(path) + "  " +
          base::format_bytes(static_cast<std::uint64_t>(stored["bytes"].as_int())) + "  " +
          dim(stored["sha256"].as_string().substr(0, kShortId)) + "\n");
    return 0;
  });
}

}  // namespace maru::app
