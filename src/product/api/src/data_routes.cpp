#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "catalogue_routes.h"
#include "compare_routes.h"
#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/text.h"
#include "maru/stats/profile.h"
#include "maru/stats/profile_page.h"
#include "maru/stats/profiler.h"
#include "mlflow/artifact_files.h"
#include "routes.h"
#include "schema_routes.h"

namespace maru::api {

base::Result<data::Snapshot> pick_snapshot(const Services& services, const Request& request,
                                           std::string_view param) {
  std::string selector(request.param("dataset"));
  const std::string_view number = request.query_param(param);
  if (!number.empty()) selector += "@" + std::string(number);
  return services.datasets->resolve(project_of(request), selector);
}

Json cell_json(const data::Column& column, std::size_t row) {
  if (!column.is_valid(row)) return {};
  switch (column.type) {
    case data::ColumnType::kBool:
      return column.integers[row] != 0;
    case data::ColumnType::kInteger:
      return column.integers[row];
    case data::ColumnType::kFloat:
      return column.reals[row];
    default:
      return column.display(row);
  }
}

Json table_json(const data::Table& table) {
  Json columns = Json::array(), rows = Json::array();
  for (const auto& column : table.columns)
    columns.push(
        Json::object({{"name", column.name}, {"type", std::string(data::type_name(column.type))}}));
  for (std::size_t row = 0; row < table.rows(); ++row) {
    Json cells = Json::array();
    for (const auto& column : table.columns) cells.push(cell_json(column, row));
    rows.push(std::move(cells));
  }
  return Json::object({{"columns", columns}, {"rows", rows}});
}

Json import_json(const data::ImportResult& result) {
  return Json::object({{"dataset", result.snapshot.dataset},
                       {"snapshot", result.snapshot.id},
                       {"number", result.snapshot.number},
                       {"rows", count(result.snapshot.rows)},
                       {"columns", count(result.snapshot.columns.size())},
                       {"bytes", count(result.snapshot.bytes)},
                       {"source_bytes", count(result.source_bytes)},
                       {"unchanged", result.unchanged},
                       {"notes", text_array(result.notes)},
                       {"seconds", result.seconds}});
}

namespace {

constexpr std::uint64_t kMaxRowsPerPage = 10'000;
constexpr std::uint64_t kSnapshotsShown = 500;  // and all that have tags

Json columns_json(const data::Snapshot& snapshot) {
  Json out = Json::array();
  for (const auto& column : snapshot.columns)
    out.push(
        Json::object({{"name", column.name}, {"type", std::string(data::type_name(column.type))}}));
  return out;
}

std::uint64_t added_rows(const data::Snapshot& snapshot) {
  std::uint64_t rows = 0;
  for (const auto& part : snapshot.added) rows += part.rows;
  return rows;
}

Json snapshot_json(const data::Snapshot& s) {
  return Json::object({{"number", s.number},
                       {"id", s.id},
                       {"rows", count(s.rows)},
                       {"bytes", count(s.bytes)},
                       {"created_us", s.created_us},
                       {"source", s.source},
                       {"query", s.query},
                       {"run_id", s.run_id},
                       {"parent", s.parent},
                       {"added_rows", count(added_rows(s))},
                       {"dropped", s.dropped},
                       {"columns", columns_json(s)}});
}

// Errors and warnings of the newest validation; nulls when it was never validated.
void add_health(const Services& services, const data::Snapshot& snapshot, Json& out) {
  auto anomalies = services.datasets->attachment(snapshot.id, "anomalies");
  if (!anomalies) {
    out.set("errors", nullptr).set("warnings", nullptr);
    return;
  }
  std::int64_t errors = 0, warnings = 0;
  for (const auto& item : anomalies->items()) {
    if (item["severity"].as_string() == "error") ++errors;
    if (item["severity"].as_string() == "warning") ++warnings;
  }
  out.set("errors", errors).set("warnings", warnings);
}

Json dataset_row(const Services& services, const data::DatasetInfo& info) {
  Json out = Json::object({{"name", info.name},
                           {"snapshots", count(info.snapshot_count)},
                           {"stored_bytes", count(info.stored_bytes)},
                           {"updated_us", info.updated_us}});
  if (info.snapshots.empty()) return out;
  const data::Snapshot& latest = info.snapshots.front();
  out.set("number", latest.number)
      .set("snapshot", latest.id)
      .set("rows", count(latest.rows))
      .set("bytes", count(latest.bytes));
  out.set("columns", count(latest.columns.size()))
      .set("source", latest.source)
      .set("created_us", latest.created_us);
  add_health(services, latest, out);
  auto drift = services.datasets->attachment(latest.id, "drift");
  out.set("drift", drift ? (*drift)["score"] : Json());
  return out;
}

// A dataset, what people say about it, and its snapshots, newest first, with their tags.
base::Result<Response> get_dataset(const Services& services, const Request& request) {
  const std::string project = project_of(request), name(request.param("dataset"));
  TRY_ASSIGN(const std::uint64_t limit,
             number_param(request, "limit", kSnapshotsShown, UINT32_MAX));
  TRY_ASSIGN(const auto info, services.datasets->get(project, name));
  TRY_ASSIGN(const auto about, services.datasets->catalogue().about(project, name));
  TRY_ASSIGN(const auto tags, services.datasets->catalogue().tags(project, name));
  std::map<std::string, std::vector<std::string>> tags_of;
  for (const auto& tag : tags) tags_of[tag.snapshot_id].push_back(tag.name);
  Json snapshots = Json::array();
  for (const auto& snapshot : info.snapshots) {
    const bool shown = snapshots.size() < limit || tags_of.contains(snapshot.id);
    if (shown)
      snapshots.push(snapshot_json(snapshot).set("tags", text_array(tags_of[snapshot.id])));
  }
  return answer(Json::object({{"name", info.name},
                              {"snapshots", snapshots},
                              {"total", count(info.snapshot_count)},
                              {"stored_bytes", count(info.stored_bytes)},
                              {"about", about.to_json()}}));
}

base::Result<stats::Profile> profile_of(const Services& services, const data::Snapshot& snapshot,
                                        Context& context) {
  return stats::profile_snapshot(*services.datasets, *services.engine, snapshot, context);
}

Json profile_columns(const stats::Profile& profile) { return profile.to_json()["columns"]; }

// By `label`, `weight` or slices: another pass, which is not stored.
base::Result<stats::Profile> profile_asked(const Services& services, const Request& request,
                                           const data::Snapshot& snapshot, Context& context) {
  stats::ProfileOptions options;
  options.nan_is_missing = true;
  options.label = std::string(request.query_param("label"));
  options.weight = std::string(request.query_param("weight"));
  if (const auto by = request.query_param("by"); !by.empty())
    options.slice_by = base::split(by, ',');
  if (options.label.empty() && options.weight.empty() && options.slice_by.empty())
    return profile_of(services, snapshot, context);
  TRY_ASSIGN(const std::string relation, services.datasets->relation(snapshot));
  TRY_ASSIGN(const auto stream, data::CellStream::open_relation(*services.engine, relation));
  return stats::profile_stream(*stream, options, context);
}

base::Result<Response> get_profile(const Services& services, const Request& request,
                                   Context& context) {
  TRY_ASSIGN(const data::Snapshot snapshot, pick_snapshot(services, request, "snapshot"));
  TRY(services.datasets->note_read(snapshot, context.principal.name, "profile"));
  TRY_ASSIGN(const stats::Profile profile, profile_asked(services, request, snapshot, context));
  if (request.query_param("format") == "html") {
    return Response::text(
        stats::profile_page(profile, snapshot.dataset + "@" + std::to_string(snapshot.number)), 200,
        "text/html; charset=utf-8");
  }
  Json out = profile.to_json();
  out.set("name", snapshot.dataset)
      .set("number", snapshot.number)
      .set("snapshot", snapshot.id)
      .set("base", nullptr)
      .set("base_columns", nullptr)
      .set("drift", nullptr);
  if (!request.query_param("base").empty()) {
    TRY_ASSIGN(const data::Snapshot base_snapshot, pick_snapshot(services, request, "base"));
    TRY_ASSIGN(const stats::Profile base_profile, profile_of(services, base_snapshot, context));
    TRY_ASSIGN(const stats::DriftReport drift, compared(services, base_snapshot, snapshot, "maru"));
    out.set("base", base_snapshot.number)
        .set("base_columns", profile_columns(base_profile))
        .set("drift", drift.to_json());
  }
  auto anomalies = services.datasets->attachment(snapshot.id, "anomalies");
  out.set("anomalies", anomalies ? *anomalies : Json::array());
  auto schema = services.datasets->schema(project_of(request), snapshot.dataset);
  out.set("schema", schema ? *schema : Json());
  return answer(std::move(out));
}

base::Result<Response> get_rows(const Services& services, const Request& request,
                                Context& context) {
  TRY_ASSIGN(const data::Snapshot snapshot, pick_snapshot(services, request, "snapshot"));
  TRY(services.datasets->note_read(snapshot, context.principal.name, "rows"));
  TRY_ASSIGN(const std::uint64_t offset, number_param(request, "offset", 0, UINT64_MAX / 2));
  TRY_ASSIGN(const std::uint64_t limit, number_param(request, "limit", 100, kMaxRowsPerPage));
  TRY_ASSIGN(const std::string relation, services.datasets->relation(snapshot));
  TRY_ASSIGN(const data::Table table,
             services.engine->query("SELECT * FROM " + relation + " LIMIT " +
                                        std::to_string(limit) + " OFFSET " + std::to_string(offset),
                                    &context));
  return answer(table_json(table).set("total", count(snapshot.rows)));
}

// The rows of a Parquet file that a run logged, read where it lies.
base::Result<Response> get_artifact_rows(const Services& services, const Request& request,
                                         Context& context) {
  TRY_ASSIGN(const std::string path, mlflow::safe_path(request.param("path")));
  TRY_ASSIGN(const std::uint64_t offset, number_param(request, "offset", 0, UINT64_MAX / 2));
  TRY_ASSIGN(const std::uint64_t limit, number_param(request, "limit", 100, kMaxRowsPerPage));
  TRY_ASSIGN(const auto file,
             services.tracking->artifacts().open(std::string(request.param("run")), path));
  if (!base::to_lower_ascii(path).ends_with(".parquet"))
    return base::fail(base::Code::kInvalidArgument, "not a Parquet file: " + path,
                      "its bytes are at .../artifacts/" + path);
  const std::string relation = "read_parquet(" + data::quote_literal(file.local_path) + ")";
  const auto rows = services.engine->query("SELECT count(*) FROM " + relation, &context);
  if (!rows)
    return base::fail(base::Code::kInvalidArgument, "cannot be read as Parquet: " + path,
                      "it may be cut off, or hold something else");
  TRY_ASSIGN(const data::Table table,
             services.engine->query("SELECT * FROM " + relation + " LIMIT " +
                                        std::to_string(limit) + " OFFSET " + std::to_string(offset),
                                    &context));
  return answer(table_json(table).set("total", rows->columns.front().integers.front()));
}

// How the addresses among the sources were read; null without any.
Json read_json(const connect::SourceReport& report) {
  if (report.objects.empty()) return {};
  Json objects = Json::array();
  for (const auto& object : report.objects)
    objects.push(Json::object({{"name", object.name},
                               {"mark", object.mark},
                               {"bytes", count(object.bytes)},
                               {"rows", count(object.rows)}}));
  return Json::object({{"objects", objects},
                       {"bytes", count(report.bytes)},
                       {"rows", count(report.rows)},
                       {"retries", count(report.retries)},
                       {"seconds", report.seconds},
                       {"source_wait_seconds", report.source_wait_seconds},
                       {"consumer_wait_seconds", report.consumer_wait_seconds}});
}

// How new rows meet a dataset that has some.
struct Arrival {
  bool append = false, fill_missing = false;
  std::string key;
};

base::Result<Response> import_into(const Services& services, const data::ImportSpec& spec,
                                   const Arrival& arrival, Context& context) {
  data::AppendSpec added;
  added.from = spec;
  added.key = arrival.key;
  added.fill_missing = arrival.fill_missing;
  connect::SourceReport report;
  TRY_ASSIGN(const data::ImportResult result,
             arrival.append ? services.importer->append(added, context, {}, &report)
                            : services.importer->import(spec, context, {}, &report));
  std::vector<std::string> shown;
  for (const auto& source : spec.sources) shown.push_back(connect::shown_address(source));
  TRY(audit(services, context, arrival.append ? "dataset.append" : "dataset.import",
            spec.dataset + "@" + std::to_string(result.snapshot.number), base::join(shown, ", ")));
  services.events->publish("project:" + spec.project, R"({"type":"changed","kind":"dataset"})");
  return answer(import_json(result).set("read", read_json(report)));
}

base::Result<Response> post_import(const Services& services, const Request& request,
                                   Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  data::ImportSpec spec;
  spec.project = project_of(request);
  spec.dataset = std::string(request.param("dataset"));
  for (const auto& item : body["sources"].items()) spec.sources.push_back(item.as_string());
  if (spec.sources.empty())
    return base::fail(base::Code::kInvalidArgument, "`sources` names no file",
                      R"(send {"sources": ["/path/file.csv"]})");
  if (body.has("header")) {
    spec.detect_header = false;
    spec.header = body["header"].as_bool(true);
  }
  if (body.has("ragged")) TRY(data::set_ragged(spec, body["ragged"].as_string()));
  spec.encoding = body["encoding"].as_string();
  const Arrival arrival{body["append"].as_bool(false), body["fill_missing"].as_bool(false),
                        body["key"].as_string()};
  return import_into(services, spec, arrival, context);
}

// The name only chooses the reader; the file is our own.
std::string safe_suffix(std::string_view name) {
  std::string out;
  const std::size_t dot =
      name.find('.', name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/'));
  if (dot == std::string_view::npos) return ".csv";
  for (const char c : name.substr(dot)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.') out += c;
  }
  return out.size() > 20 ? ".csv" : out;
}

base::Status save_stream(http::BodyReader& body, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "wbx");
  if (file == nullptr) return base::fail(base::Code::kInternal, "cannot create a temporary file");
  base::Status status;
  while (status) {
    const auto piece = body.next();
    if (!piece) {
      status = tl::unexpected<base::Error>(piece.error());
    } else if (piece->bytes.empty()) {
      break;
    } else if (std::fwrite(piece->bytes.data(), 1, piece->bytes.size(), file) !=
               piece->bytes.size()) {
      status = base::fail(base::Code::kNoSpace, "upload cannot be stored: the disk is full");
    }
  }
  if (std::fclose(file) != 0 && status)
    status = base::fail(base::Code::kNoSpace, "upload cannot be stored: the disk is full");
  return status;
}

base::Result<Response> post_upload(const Services& services, const Request& request,
                                   Context& context) {
  if (!request.body_stream)
    return base::fail(base::Code::kInvalidArgument, "no file in the request body");
  const std::string path =
      base::join_path(base::join_path(services.home, "tmp"),
                      "upload-" + base::new_id(*services.clock) +
                          safe_suffix(request.query_param("filename", "data.csv")));
  base::Status saved = save_stream(*request.body_stream, path);
  data::ImportSpec spec;
  spec.project = project_of(request);
  spec.dataset = std::string(request.param("dataset"));
  spec.sources = {path};
  const Arrival arrival{request.query_param("append") == "true",
                        request.query_param("fill_missing") == "true",
                        std::string(request.query_param("key"))};
  auto result = saved ? import_into(services, spec, arrival, context)
                      : base::Result<Response>(tl::unexpected<base::Error>(saved.error()));
  TRY(base::remove_tree(path));
  return result;
}

base::Result<Response> post_drift(const Services& services, const Request& request) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const data::Snapshot before,
             services.datasets->resolve(project_of(request), body["a"].as_string()));
  TRY_ASSIGN(const data::Snapshot after,
             services.datasets->resolve(project_of(request), body["b"].as_string()));
  TRY_ASSIGN(const stats::DriftReport report, compared(services, before, after, "maru"));
  return answer(report.to_json());
}

}  // namespace

void add_data_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/datasets", {Permission::kRead},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const auto datasets, s.datasets->list(project_of(request)));
               Json rows = Json::array();
               for (const auto& info : datasets) rows.push(dataset_row(s, info));
               return answer(Json::object({{"datasets", rows}}));
             });
  router.add(Method::kGet, "/api/v1/datasets/{dataset}", {Permission::kRead},
             [s](const Request& request, Context&) { return get_dataset(s, request); });
  router.add(
      Method::kGet, "/api/v1/datasets/{dataset}/profile", {Permission::kRead},
      [s](const Request& request, Context& context) { return get_profile(s, request, context); });
  router.add(Method::kGet, "/api/v1/experiment-runs/{run}/rows/{path...}", {Permission::kRead},
             [s](const Request& request, Context& context) {
               return get_artifact_rows(s, request, context);
             });
  router.add(
      Method::kGet, "/api/v1/datasets/{dataset}/rows", {Permission::kRead},
      [s](const Request& request, Context& context) { return get_rows(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/datasets/{dataset}/import", {Permission::kOperate, RunOn::kWork},
      [s](const Request& request, Context& context) { return post_import(s, request, context); });
  http::RouteOptions upload{Permission::kWrite, RunOn::kWork};
  upload.stream_body = true;
  upload.max_body_bytes = std::size_t{64} << 30;
  router.add(
      Method::kPost, "/api/v1/datasets/{dataset}/upload", upload,
      [s](const Request& request, Context& context) { return post_upload(s, request, context); });
  add_catalogue_routes(router, s);
  add_sql_routes(router, s);
  add_retention_routes(router, s);
  add_schema_routes(router, s);
  router.add(Method::kPost, "/api/v1/drift", {Permission::kRead, RunOn::kWork},
             [s](const Request& request, Context&) { return post_drift(s, request); });
}

}  // namespace maru::api
