#include "schema_routes.h"

#include <algorithm>

#include "maru/base/text.h"
#include "maru/data/dataset.h"
#include "maru/stats/contract.h"
#include "maru/stats/expectation.h"
#include "maru/stats/profiler.h"
#include "maru/stats/schema.h"

namespace maru::api {
namespace {

base::Result<data::Snapshot> snapshot_of(const Services& services, const Request& request) {
  std::string selector(request.param("dataset"));
  const std::string_view number = request.query_param("snapshot");
  if (!number.empty()) selector += "@" + std::string(number);
  return services.datasets->resolve(project_of(request), selector);
}

// SQL of a person's own runs in the engine, which reads files: as importing a file, that takes an operator.
base::Status may_use_sql(const stats::Schema& schema, const Context& context) {
  const bool sql = std::any_of(
      schema.expectations.begin(), schema.expectations.end(), [](const stats::Expectation& e) {
        return !e.where.empty() || e.kind == "condition" || e.kind == "query";
      });
  if (!sql || context.principal.role >= base::Role::kOperator) return {};
  return base::fail(base::Code::kPermissionDenied, "expectations with SQL need the role operator",
                    "ask for a token of that role, or use a kind without SQL");
}

// The saved schema; else one inferred from the oldest snapshot, which is then saved.
base::Result<stats::Schema> schema_for(const Services& services, const std::string& project,
                                       const data::Snapshot& snapshot, Context& context) {
  const auto saved = services.datasets->schema(project, snapshot.dataset);
  if (saved) return stats::Schema::from_json(*saved);
  TRY_ASSIGN(const data::DatasetInfo info, services.datasets->get(project, snapshot.dataset));
  TRY_ASSIGN(const stats::Profile first,
             stats::profile_snapshot(*services.datasets, *services.engine, info.snapshots.back(),
                                     context));
  stats::Schema schema = stats::infer_schema(first);
  TRY(services.datasets->put_schema(project, snapshot.dataset, schema.to_json()));
  return schema;
}

base::Result<Json> save(const Services& services, const std::string& project,
                        const std::string& dataset, stats::Schema schema) {
  const auto before = services.datasets->schema(project, dataset);
  schema.version = before ? static_cast<int>((*before)["version"].as_int(1)) + 1 : 1;
  TRY(services.datasets->put_schema(project, dataset, schema.to_json()));
  return schema.to_json();
}

base::Result<Response> get_schema(const Services& services, const Request& request,
                                  Context& context) {
  TRY_ASSIGN(const data::Snapshot snapshot, snapshot_of(services, request));
  TRY_ASSIGN(const stats::Schema schema,
             schema_for(services, project_of(request), snapshot, context));
  const std::string format(request.query_param("format", "json"));
  if (format == "json") return answer(schema.to_json());
  TRY_ASSIGN(std::string text, stats::write_contract(schema, snapshot.dataset, format));
  return Response::text(std::move(text));
}

base::Result<Response> put_schema(const Services& services, const Request& request,
                                  Context& context) {
  const std::string dataset(request.param("dataset"));
  TRY(services.datasets->get(project_of(request), dataset));
  stats::Schema schema;
  const std::string format(request.query_param("format", "json"));
  if (format == "json") {
    TRY_ASSIGN(const Json body, body_json(request));
    TRY_ASSIGN(schema, stats::Schema::from_json(body));
  } else {
    TRY_ASSIGN(schema, stats::read_contract(request.body, format));
  }
  TRY(may_use_sql(schema, context));
  TRY_ASSIGN(Json saved, save(services, project_of(request), dataset, std::move(schema)));
  TRY(audit(services, context, "schema.put", dataset, ""));
  return answer(std::move(saved));
}

// What the data suggests; {"accept": true} adds it to the saved schema (in place of what was suggested before).
base::Result<Response> post_suggest(const Services& services, const Request& request,
                                    Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const data::Snapshot snapshot, snapshot_of(services, request));
  TRY_ASSIGN(const stats::Profile profile,
             stats::profile_snapshot(*services.datasets, *services.engine, snapshot, context));
  const auto suggested = stats::suggest_expectations(profile);
  Json list = Json::array(), kinds = Json::array();
  for (const auto& item : suggested) list.push(item.to_json());
  for (const auto& kind : stats::expectation_kinds())
    kinds.push(Json::object({{"name", kind.name},
                             {"judges", kind.judges},
                             {"takes", kind.takes},
                             {"help", kind.help}}));
  if (body["accept"].as_bool()) {
    TRY_ASSIGN(stats::Schema schema, schema_for(services, project_of(request), snapshot, context));
    std::erase_if(schema.expectations,
                  [](const stats::Expectation& e) { return e.confidence > 0; });
    schema.expectations.insert(schema.expectations.end(), suggested.begin(), suggested.end());
    TRY(save(services, project_of(request), snapshot.dataset, std::move(schema)));
    TRY(audit(services, context, "schema.suggest", snapshot.dataset,
              std::to_string(suggested.size()) + " expectations accepted"));
  }
  return answer(Json::object({{"dataset", snapshot.dataset},
                              {"number", snapshot.number},
                              {"expectations", list},
                              {"kinds", kinds}}));
}

std::string upstream_of(const data::Snapshot& snapshot) {
  if (!snapshot.query.empty())
    return "SQL" + (snapshot.run_id.empty() ? std::string() : " of run " + snapshot.run_id);
  return snapshot.source.empty() ? "its import" : snapshot.source;
}

// dataset -> column -> slice -> rows -> where they come from
std::string trace_of(const stats::Anomaly& anomaly, const data::Snapshot& snapshot) {
  std::string out = snapshot.dataset + "@" + std::to_string(snapshot.number);
  if (!anomaly.column.empty()) out += " -> " + anomaly.column;
  if (!anomaly.slice.empty()) out += " -> " + anomaly.slice;
  if (anomaly.rows > 0) {
    std::vector<std::string> rows;
    for (const auto row : anomaly.examples) rows.push_back(std::to_string(row + 1));
    out += " -> " + std::to_string(anomaly.rows) + " rows" +
           (rows.empty() ? "" : " (the first: " + base::join(rows, ", ") + ")");
  }
  return out + " -> " + upstream_of(snapshot);
}

// What was accepted before stays: owner, words, environments and the expectations that hold.
stats::Schema accepted(const stats::Schema& before, const stats::Profile& profile,
                       const std::vector<stats::Anomaly>& anomalies) {
  stats::Schema out = stats::infer_schema(profile);
  out.owner = before.owner;
  out.allow_new_columns = before.allow_new_columns;
  out.rows_min = std::min(before.rows_min, profile.rows);
  for (auto& rule : out.columns) {
    for (const auto& old : before.columns) {
      if (old.name != rule.name) continue;
      rule.description = old.description;
      rule.absent_in = old.absent_in;
    }
  }
  for (auto rule : before.expectations) {
    for (const auto& anomaly : anomalies) {
      if (anomaly.proposal["kind"].as_string() != rule.kind ||
          anomaly.proposal["column"].as_string() != rule.column ||
          anomaly.proposal["where"].as_string() != rule.where)
        continue;
      if (auto changed = stats::Expectation::from_json(anomaly.proposal))
        rule = std::move(*changed);
    }
    const bool gone = !rule.column.empty() && profile.find(rule.column) == nullptr;
    if (!gone) out.expectations.push_back(std::move(rule));
  }
  return out;
}

// Validates against the saved schema (inferred from the oldest snapshot when there is none); {"accept": true} takes the proposals into the schema.
base::Result<Response> post_validate(const Services& services, const Request& request,
                                     Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const data::Snapshot snapshot, snapshot_of(services, request));
  TRY_ASSIGN(const stats::Profile profile,
             stats::profile_snapshot(*services.datasets, *services.engine, snapshot, context));
  const std::string project = project_of(request);
  stats::Schema schema;
  if (body["schema"].is_object()) {
    TRY_ASSIGN(schema, stats::Schema::from_json(body["schema"]));
    TRY(may_use_sql(schema, context));
  } else {
    TRY_ASSIGN(schema, schema_for(services, project, snapshot, context));
  }
  TRY_ASSIGN(std::vector<stats::Anomaly> anomalies,
             stats::validate_snapshot(*services.datasets, snapshot, profile, schema,
                                      body["environment"].as_string()));
  TRY_ASSIGN(const std::string relation, services.datasets->relation(snapshot));
  TRY_ASSIGN(auto broken, stats::check_expectations(*services.engine, relation, schema.expectations,
                                                    profile, context));
  anomalies.insert(anomalies.end(), broken.begin(), broken.end());
  Json listed = Json::array();
  for (auto& anomaly : anomalies) {
    anomaly.trace = trace_of(anomaly, snapshot);
    listed.push(anomaly.to_json());
  }
  TRY(services.datasets->attach(snapshot.id, "anomalies", listed));
  if (body["accept"].as_bool()) {
    TRY(save(services, project, snapshot.dataset, accepted(schema, profile, anomalies)));
    TRY(audit(services, context, "schema.accept", snapshot.dataset,
              std::to_string(anomalies.size()) + " anomalies accepted"));
  }
  return answer(Json::object({{"dataset", snapshot.dataset},
                              {"number", snapshot.number},
                              {"ok", !stats::has_errors(anomalies)},
                              {"anomalies", listed}}));
}

// Rows that break an expectation, into a dataset of their own with the reason; the rest becomes the newest snapshot.
base::Result<Response> post_quarantine(const Services& services, const Request& request,
                                       Context& context) {
  TRY_ASSIGN(const data::Snapshot snapshot, snapshot_of(services, request));
  const std::string project = project_of(request);
  TRY_ASSIGN(const stats::Schema schema, schema_for(services, project, snapshot, context));
  std::string bad, reasons;
  for (const auto& rule : schema.expectations) {
    const auto condition = stats::bad_rows_condition(rule);
    if (!condition || rule.severity != stats::Severity::kError) continue;
    bad += (bad.empty() ? "" : " OR ") + ("(" + *condition + ")");
    const std::string reason = rule.column + (rule.column.empty() ? "" : ": ") + rule.kind;
    reasons += " WHEN " + *condition + " THEN " + data::quote_literal(reason);
  }
  if (bad.empty())
    return base::fail(
        base::Code::kFailedPrecondition,
        "no expectation of this dataset tells good rows from bad: " + snapshot.dataset,
        "maru schema suggest " + snapshot.dataset + " --accept");
  data::ImportSpec good, apart;
  good.project = apart.project = project;
  good.dataset = snapshot.dataset;
  apart.dataset = snapshot.dataset + "_quarantine";
  good.inputs = apart.inputs = {{"rows_before", snapshot.id}};
  const std::string rows = "(SELECT *, row_number() OVER () - 1 AS __row FROM rows_before) AS t";
  TRY_ASSIGN(const std::string relation, services.datasets->relation(snapshot));
  TRY_ASSIGN(const data::Table counted,
             services.engine->query(
                 "SELECT count(*) FROM (SELECT *, row_number() OVER () - 1 AS __row FROM " +
                     relation + ") AS t WHERE " + bad,
                 &context));
  const auto broken = static_cast<std::uint64_t>(counted.columns[0].integers[0]);
  if (broken == 0)
    return answer(
        Json::object({{"dataset", snapshot.dataset}, {"rows", 0}, {"kept", count(snapshot.rows)}}));
  if (broken == snapshot.rows)
    return base::fail(base::Code::kFailedPrecondition,
                      "every row breaks an expectation: " + snapshot.dataset,
                      "mend the expectations");
  good.sql = "SELECT * EXCLUDE __row FROM " + rows + " WHERE NOT (" + bad + ")";
  apart.sql = "SELECT * EXCLUDE __row, __row AS quarantine_row, CASE" + reasons +
              " END AS quarantine_reason FROM " + rows + " WHERE " + bad;
  TRY_ASSIGN(const data::ImportResult set_apart, services.datasets->import(apart, context));
  TRY_ASSIGN(const data::ImportResult kept, services.datasets->import(good, context));
  TRY(audit(services, context, "dataset.quarantine", snapshot.dataset,
            std::to_string(broken) + " rows into " + apart.dataset));
  services.events->publish("project:" + project, R"({"type":"changed","kind":"dataset"})");
  return answer(Json::object({{"dataset", snapshot.dataset},
                              {"number", kept.snapshot.number},
                              {"kept", count(kept.snapshot.rows)},
                              {"rows", count(broken)},
                              {"quarantine", apart.dataset},
                              {"quarantine_number", set_apart.snapshot.number}}));
}

}  // namespace

void add_schema_routes(Router& router, const Services& s) {
  router.add(
      Method::kGet, "/api/v1/datasets/{dataset}/schema", {Permission::kRead},
      [s](const Request& request, Context& context) { return get_schema(s, request, context); });
  router.add(
      Method::kPut, "/api/v1/datasets/{dataset}/schema", {Permission::kWrite},
      [s](const Request& request, Context& context) { return put_schema(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/datasets/{dataset}/suggest", {Permission::kWrite},
      [s](const Request& request, Context& context) { return post_suggest(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/datasets/{dataset}/validate", {Permission::kWrite, RunOn::kWork},
      [s](const Request& request, Context& context) { return post_validate(s, request, context); });
  router.add(Method::kPost, "/api/v1/datasets/{dataset}/quarantine",
             {Permission::kOperate, RunOn::kWork}, [s](const Request& request, Context& context) {
               return post_quarantine(s, request, context);
             });
}

}  // namespace maru::api
