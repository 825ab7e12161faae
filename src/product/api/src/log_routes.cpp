// The prediction log of an endpoint: read, and asked again.
#include <algorithm>
#include <set>

#include "maru/api/inference.h"
#include "maru/api/replay.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kReplayLast = 100;
constexpr std::size_t kHistoryRows = 20;
constexpr std::size_t kHistoryLooked = 1000;  // entries of the whole server's audit
constexpr std::size_t kReplayIds = 1000;
constexpr double kReplayTolerance = 1e-9;

Json cell(const data::Column& column, std::size_t row) {
  if (!column.is_valid(row)) return {};
  if (column.type == data::ColumnType::kText || column.type == data::ColumnType::kTimestamp)
    return column.display(row);
  if (column.type == data::ColumnType::kFloat) return column.reals[row];
  return column.integers[row];
}

// One logged row: what is not a fixed column is an input.
Json log_row(const data::Table& table, std::size_t row) {
  static const std::set<std::string> kFixed(std::begin(monitor::kLogColumns),
                                            std::end(monitor::kLogColumns));
  Json out = Json::object(), inputs = Json::object(), stages = Json::object();
  for (const auto& column : table.columns) {
    if (column.name == "time")
      out.set("time_us", column.is_valid(row) ? column.integers[row] : 0);
    else if (kFixed.count(column.name) == 0)
      inputs.set(monitor::input_name(column.name), cell(column, row));
    else if (column.name.ends_with("_us") && column.name != "total_us" && column.name != "cpu_us")
      stages.set(column.name, cell(column, row));
    else
      out.set(column.name, cell(column, row));
  }
  return out.set("stages", std::move(stages)).set("inputs", std::move(inputs));
}

base::Result<Response> get_log(const Services& s, const Request& request) {
  const std::string name(request.param("endpoint"));
  TRY(s.server->status(name));
  monitor::LogQuery query;
  query.whole = true;
  TRY_ASSIGN(query.limit, number_param(request, "limit", 50, 10'000));
  query.trace_id = request.query_param("trace_id");
  const std::string id(request.query_param("id"));
  data::Table table;
  if (id.empty()) {
    TRY_ASSIGN(table, s.log->query(name, query));
  } else {
    TRY_ASSIGN(table, s.log->find(name, {id}));
  }
  Json rows = Json::array();
  for (std::size_t row = 0; row < table.rows(); ++row) rows.push(log_row(table, row));
  return answer(Json::object({{"rows", rows}}));
}

struct Wanted {
  std::vector<std::string> ids;
  monitor::LogQuery query;
  std::string version;
  double tolerance = kReplayTolerance;
};

base::Result<Wanted> parse_replay(const Json& body) {
  Wanted out;
  const auto refuse = [](const std::string& what, const char* hint) {
    return base::fail(base::Code::kInvalidArgument, "replay: " + what, hint);
  };
  for (const auto& [key, value] : body.members()) {
    constexpr std::string_view kKnown[] = {"id",      "ids",   "last",     "from_us",
                                           "version", "to_us", "tolerance"};
    if (std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown))
      return refuse("unknown field: " + key.substr(0, 50),
                    "version; id, ids or last; from_us, to_us, tolerance");
  }
  const Json& version = body["version"];
  out.version = version.is_string() ? version.as_string() : version.is_null() ? "" : version.dump();
  if (body["id"].is_string()) out.ids.push_back(body["id"].as_string());
  for (const Json& id : body["ids"].items()) out.ids.push_back(id.as_string());
  if (out.ids.size() > kReplayIds) return refuse("more than 1,000 ids", "ask with `last`");
  const std::int64_t last = body["last"].as_int(kReplayLast);
  if (last < 1 || last > static_cast<std::int64_t>(kReplayRows))
    return refuse("last is not a number from 1 to 10,000: " + body["last"].dump(), "");
  out.query.whole = true;
  out.query.limit = static_cast<std::uint64_t>(last);
  out.query.from_us = body["from_us"].as_int(0);
  out.query.to_us = body["to_us"].as_int(INT64_MAX);
  out.tolerance = body["tolerance"].as_double(kReplayTolerance);
  if (!(out.tolerance >= 0)) return refuse("tolerance is not a number from 0 up", "");
  return out;
}

bool is_of(std::string_view row_id, const std::string& id) {
  return row_id.starts_with(id) && (row_id.size() == id.size() || row_id[id.size()] == '-');
}

// kNotFound for the first id that the log does not hold.
base::Result<data::Table> logged(const Services& s, const std::string& name, const Wanted& wanted) {
  if (wanted.ids.empty()) return s.log->query(name, wanted.query);
  TRY_ASSIGN(data::Table table, s.log->find(name, wanted.ids));
  const data::Column* ids = table.find("id");
  for (const std::string& id : wanted.ids) {
    bool found = false;
    for (std::size_t row = 0; row < table.rows() && !found; ++row)
      found = is_of(ids->text(row), id);
    if (!found)
      return base::fail(base::Code::kNotFound, "no logged prediction of " + name + ": " + id,
                        "it may not be sampled, or be older than the log is kept");
  }
  return table;
}

base::Result<Response> run_replay(const Services& s, const Request& request) {
  const std::string name(request.param("endpoint"));
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const Wanted wanted, parse_replay(body));
  TRY_ASSIGN(const auto status, s.server->status(name));
  serve::CallOptions options;
  TRY_ASSIGN(options.version, resolve_version(s, name, wanted.version));
  TRY_ASSIGN(const serve::Answer chosen, s.server->choose(name, options));
  TRY_ASSIGN(const data::Table table, logged(s, name, wanted));
  TRY_ASSIGN(const Replay all, replay(*chosen.bundle, table, *s.clock));
  Json out = Json::object(
      {{"endpoint", name}, {"model", status.config.model}, {"version", chosen.version}});
  const Json report = replay_json(all, wanted.tolerance);
  for (const auto& [key, value] : report.members()) out.set(key, value);
  return answer(std::move(out));
}

// Who changed the route, or the alias that it follows, newest first.
base::Result<Response> get_history(const Services& s, const Request& request) {
  const std::string name(request.param("endpoint"));
  TRY_ASSIGN(const auto status, s.server->status(name));
  TRY_ASSIGN(const auto log, s.tracking->audit_log(kHistoryLooked));
  Json rows = Json::array();
  const std::string aliases = status.config.model + "@";
  for (const auto& entry : log) {
    const bool route = entry.object == name && (entry.action.starts_with("endpoint.") ||
                                                entry.action.starts_with("canary."));
    const bool alias = entry.action.starts_with("alias.") && entry.object.starts_with(aliases);
    if (!route && !alias) continue;
    rows.push(Json::object({{"time_us", entry.time_us},
                            {"principal", entry.principal},
                            {"action", entry.action},
                            {"object", entry.object},
                            {"detail", entry.detail}}));
    if (rows.size() >= kHistoryRows) break;
  }
  return answer(Json::object({{"rows", std::move(rows)}}));
}

}  // namespace

void add_log_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}/log", {Permission::kRead},
             [s](const Request& request, Context&) { return get_log(s, request); });
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}/history", {Permission::kRead},
             [s](const Request& request, Context&) { return get_history(s, request); });
  router.add(Method::kPost, "/api/v1/endpoints/{endpoint}/replay", {Permission::kPredict},
             [s](const Request& request, Context&) { return run_replay(s, request); });
}

}  // namespace maru::api
