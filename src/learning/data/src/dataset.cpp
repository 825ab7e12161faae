#include "maru/data/dataset.h"

#include <algorithm>

#include "duckdb_handle.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "snapshot.h"
#include "sources.h"

namespace maru::data {

namespace {

using base::Code;
using base::Json;
using base::Status;
using store::params;

constexpr std::size_t kMaxNameBytes = 200;
constexpr std::size_t kMinIdPrefix = 6;
constexpr std::size_t kIdBytes = 64;

constexpr store::Migration kMigrations[] = {{1, R"sql(
CREATE TABLE data_dataset (project TEXT NOT NULL, name TEXT NOT NULL, created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL, PRIMARY KEY (project, name));
CREATE TABLE data_snapshot (id TEXT PRIMARY KEY, project TEXT NOT NULL, dataset TEXT NOT NULL, number BIGINT NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL,
  parts TEXT NOT NULL, columns TEXT NOT NULL, source TEXT NOT NULL, query TEXT NOT NULL, run_id TEXT NOT NULL, created_us BIGINT NOT NULL, UNIQUE (project, dataset, number));
CREATE TABLE data_attachment (snapshot_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (snapshot_id, kind));
CREATE TABLE data_schema (project TEXT NOT NULL, dataset TEXT NOT NULL, number BIGINT NOT NULL, value TEXT NOT NULL, created_us BIGINT NOT NULL, PRIMARY KEY (project, dataset, number));
)sql"}};

std::string select_snapshots(std::string_view where) {
  return "SELECT " + std::string(kSnapshotColumns) + " FROM data_snapshot WHERE " +
         std::string(where);
}

Status check_name(const std::string& name) {
  if (name.empty())
    return base::fail(Code::kInvalidArgument, "a dataset needs a name",
                      "for example --name flights");
  if (name.size() > kMaxNameBytes)
    return base::fail(Code::kInvalidArgument,
                      "the dataset's name is too long: " + std::to_string(name.size()) + " bytes",
                      "at most 200");
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '@' || c == '/' || c == 0x7f) {
      return base::fail(Code::kInvalidArgument,
                        "a dataset's name has no `@`, `/` or control characters: " +
                            base::replace_invalid_utf8(name));
    }
  }
  if (!base::is_valid_utf8(name))
    return base::fail(Code::kInvalidArgument, "a dataset's name must be UTF-8");
  return {};
}

// A Parquet file on its way into the blob store; gone with its owner.
struct PartFile {
  std::string path;
  ~PartFile() {
    if (!path.empty()) static_cast<void>(base::remove_tree(path));
  }
};

struct Prepared {
  std::vector<SnapshotColumn> columns;
  std::uint64_t rows = 0, source_bytes = 0;
  std::string source;
};

class StoredDatasets final : public Datasets {
 public:
  StoredDatasets(store::Database& db, blob::BlobStore& blobs, Engine& engine, base::Clock& clock)
      : db_(db), blobs_(blobs), engine_(engine), clock_(clock) {}

  base::Result<ImportResult> import(const ImportSpec& spec, base::Context& context,
                                    const base::ProgressSink& progress) override;
  base::Result<std::vector<DatasetInfo>> list(const std::string& project) override;
  base::Result<DatasetInfo> get(const std::string& project, const std::string& dataset) override;
  base::Result<Snapshot> resolve(const std::string& project, const std::string& selector) override;
  base::Result<Snapshot> snapshot(const std::string& id) override;
  base::Result<bool> uses(const std::string& sha256) override;
  base::Result<Table> read(const Snapshot& snapshot, const std::vector<std::string>& columns,
                           std::uint64_t limit) override;
  base::Result<std::string> relation(const Snapshot& snapshot) override;
  Status attach(const std::string& snapshot_id, const std::string& kind,
                const Json& value) override;
  base::Result<Json> attachment(const std::string& snapshot_id, const std::string& kind) override;
  Status put_schema(const std::string& project, const std::string& dataset,
                    const Json& schema) override;
  base::Result<Json> schema(const std::string& project, const std::string& dataset) override;

 private:
  base::Result<std::vector<Snapshot>> snapshots_where(std::string_view where,
                                                      std::vector<store::Value> values);
  base::Result<std::string> make_part_path();
  base::Result<Prepared> write_files(const ImportSpec& spec, const std::string& part,
                                     base::Context& context, std::vector<std::string>& notes);
  base::Result<Prepared> write_query(const ImportSpec& spec, const std::string& part,
                                     base::Context& context);
  base::Result<Prepared> copy_relation(Connection& connection, const std::string& select,
                                       const std::string& part, base::Context& context);
  Status record(Snapshot& fresh, bool& unchanged);

  store::Database& db_;
  blob::BlobStore& blobs_;
  Engine& engine_;
  base::Clock& clock_;
};

base::Result<std::string> StoredDatasets::make_part_path() {
  const std::string folder =
      engine_.impl().temp_folder.empty() ? "/tmp" : engine_.impl().temp_folder;
  TRY(base::make_folders(folder));
  return base::join_path(folder, engine_.impl().scratch_name() + "_" +
                                     std::to_string(clock_.monotonic_ns()) + ".parquet");
}

base::Result<Prepared> StoredDatasets::copy_relation(Connection& connection,
                                                     const std::string& select,
                                                     const std::string& part,
                                                     base::Context& context) {
  ResultSet copied;
  TRY(engine_.impl().run(connection,
                         "COPY (" + select + ") TO " + quote_literal(part) +
                             " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)",
                         copied, &context));
  Prepared out;
  TRY_ASSIGN(const auto columns,
             engine_.describe("SELECT * FROM read_parquet(" + quote_literal(part) + ")"));
  for (const auto& column : columns) out.columns.push_back({column.name, column.type});
  TRY_ASSIGN(const Table count,
             engine_.query("SELECT count(*) FROM read_parquet(" + quote_literal(part) + ")"));
  out.rows = static_cast<std::uint64_t>(count.columns[0].integers[0]);
  return out;
}

base::Result<Prepared> StoredDatasets::write_files(const ImportSpec& spec, const std::string& part,
                                                   base::Context& context,
                                                   std::vector<std::string>& notes) {
  TRY_ASSIGN(const SourceFiles files, find_sources(spec.sources));
  TRY_ASSIGN(const auto connection, engine_.impl().connect());
  base::Result<Prepared> out = base::fail(Code::kInternal, "nothing was read");
  if (files.kind == FileKind::kParquet) {
    TRY_ASSIGN(const std::string relation, parquet_relation(engine_, files.paths));
    TRY_ASSIGN(const std::string select, normalised_select(engine_, relation));
    out = copy_relation(*connection, select, part, context);
  } else {
    TRY_ASSIGN(const Table table, read_text_sources(engine_, spec, files, context, notes, 0));
    const std::string scratch = engine_.impl().scratch_name();
    TRY(engine_.register_table(scratch, table));
    out = copy_relation(*connection, "SELECT * FROM " + scratch, part, context);
    TRY(engine_.drop(scratch));
  }
  if (!out) return out;
  out->source_bytes = files.bytes;
  out->source = base::join(spec.sources, ", ");
  if (out->rows == 0)
    return base::fail(Code::kInvalidArgument, "no rows: " + out->source,
                      "a table needs at least one row");
  return out;
}

base::Result<Prepared> StoredDatasets::write_query(const ImportSpec& spec, const std::string& part,
                                                   base::Context& context) {
  TRY_ASSIGN(const auto connection, engine_.impl().connect());
  Prepared result;
  std::vector<std::string> names;
  for (const auto& [name, id] : spec.inputs) {
    TRY_ASSIGN(const Snapshot input, snapshot(id));
    TRY_ASSIGN(const std::string from, relation(input));
    ResultSet made;
    TRY(engine_.impl().run(
        *connection,
        "CREATE OR REPLACE TEMP VIEW " + quote_identifier(name) + " AS SELECT * FROM " + from, made,
        &context));
    result.source_bytes += input.bytes;
    names.push_back(name + "@" + std::to_string(input.number));
  }
  Statement statement;
  if (duckdb_prepare(connection->handle, spec.sql.c_str(), &statement.handle) != DuckDBSuccess) {
    const char* why = duckdb_prepare_error(statement.handle);
    return base::wrap(
        engine_.impl().explain(*connection, why != nullptr ? why : "it cannot be read"),
        "the SQL is wrong", "tables: " + base::join(names, ", "));
  }
  if (duckdb_prepared_statement_type(statement.handle) != DUCKDB_STATEMENT_TYPE_SELECT) {
    return base::fail(Code::kInvalidArgument, "the SQL must be one SELECT",
                      "tables: " + base::join(names, ", "));
  }
  std::string body(base::trim(spec.sql));
  while (!body.empty() && (body.back() == ';' || body.back() == '\n' || body.back() == ' '))
    body.pop_back();
  const std::string view = engine_.impl().scratch_name();
  ResultSet made;
  TRY(engine_.impl().run(*connection, "CREATE TEMP VIEW " + view + " AS " + body, made, &context));
  std::string list;
  ResultSet shown;
  TRY(engine_.impl().run(*connection, "DESCRIBE " + view, shown, nullptr));
  TRY_ASSIGN(const Table described, fetch_table(shown.handle));
  for (std::size_t i = 0; i < described.rows(); ++i) {
    const std::string name = quote_identifier(described.columns[0].text(i));
    const std::string type(described.columns[1].text(i));
    const auto starts = [&](std::string_view word) { return type.rfind(word, 0) == 0; };
    std::string value = name + "::VARCHAR";
    if (type == "BOOLEAN")
      value = name;
    else if (type == "UBIGINT" || type == "UHUGEINT")
      value = name + "::VARCHAR";
    else if (type == "HUGEINT" || starts("DECIMAL") || type == "FLOAT" || type == "DOUBLE")
      value = name + "::DOUBLE";
    else if (type.find('[') == std::string::npos && type.find('(') == std::string::npos &&
             type.find("INT") != std::string::npos && type != "INTERVAL")
      value = name + "::BIGINT";
    else if (type == "DATE" || starts("TIMESTAMP"))
      value = type.find('[') == std::string::npos ? name + "::TIMESTAMP" : name + "::VARCHAR";
    list += (list.empty() ? "" : ", ") + value + " AS " + name;
  }
  TRY_ASSIGN(Prepared out,
             copy_relation(*connection, "SELECT " + list + " FROM " + view, part, context));
  out.source_bytes = result.source_bytes;
  out.source = base::join(names, ", ");
  if (out.rows == 0)
    return base::fail(Code::kInvalidArgument, "the SQL gave no rows", "check its WHERE and JOIN");
  return out;
}

// The comparison with the newest snapshot and the insert are one write, so two imports at once cannot both become number N.
Status StoredDatasets::record(Snapshot& fresh, bool& unchanged) {
  return db_.write([&](store::Writer& writer) -> Status {
    const auto key = params(fresh.project, fresh.dataset);
    TRY_ASSIGN(
        const auto rows,
        writer.query(select_snapshots("project = $1 AND dataset = $2 ORDER BY number DESC LIMIT 1"),
                     key));
    unchanged = false;
    fresh.number = 1;
    if (!rows.empty()) {
      TRY_ASSIGN(Snapshot newest, snapshot_of(rows[0]));
      if (same_content(newest, fresh)) {
        unchanged = true;
        fresh = std::move(newest);
        return {};
      }
      fresh.number = newest.number + 1;
    }
    fresh.id = base::sha256_hex(fresh.manifest().dump());
    TRY(writer.execute(
        "INSERT INTO data_dataset (project, name, created_us, updated_us) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (project, name) DO UPDATE SET updated_us = excluded.updated_us",
        params(fresh.project, fresh.dataset, fresh.created_us, fresh.created_us)));
    TRY(writer.execute(
        "INSERT INTO data_snapshot (" + std::string(kSnapshotColumns) +
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params(fresh.id, fresh.project, fresh.dataset, std::int64_t{fresh.number},
               static_cast<std::int64_t>(fresh.rows), static_cast<std::int64_t>(fresh.bytes),
               parts_json(fresh.parts).dump(), columns_json(fresh.columns).dump(), fresh.source,
               fresh.query, fresh.run_id, fresh.created_us)));
    return {};
  });
}

base::Result<ImportResult> StoredDatasets::import(const ImportSpec& spec, base::Context& context,
                                                  const base::ProgressSink& progress) {
  const std::int64_t start_ns = clock_.monotonic_ns();
  const auto report = [&](const char* stage, double fraction, std::string detail) {
    if (progress) progress({stage, fraction, std::move(detail)});
  };
  TRY(check_name(spec.dataset));
  if (spec.sql.empty() == spec.sources.empty()) {
    return base::fail(Code::kInvalidArgument, "an import needs either files or SQL",
                      "maru data import FILE --name " + spec.dataset);
  }
  ImportResult out;
  TRY_ASSIGN(const std::string part_path, make_part_path());
  const PartFile part{part_path};
  report("reading", 0.0, spec.sql.empty() ? base::join(spec.sources, ", ") : "SQL");
  TRY_ASSIGN(Prepared prepared, spec.sql.empty() ? write_files(spec, part.path, context, out.notes)
                                                 : write_query(spec, part.path, context));
  TRY(context.alive());
  report("storing", 0.8, base::format_count(static_cast<std::int64_t>(prepared.rows)) + " rows");
  TRY_ASSIGN(const blob::BlobInfo blob, blobs_.put_file(part.path));
  Snapshot fresh;
  fresh.project = spec.project;
  fresh.dataset = spec.dataset;
  fresh.parts.push_back({blob.sha256, prepared.rows, blob.bytes});
  fresh.columns = std::move(prepared.columns);
  fresh.rows = prepared.rows;
  fresh.bytes = blob.bytes;
  fresh.source = std::move(prepared.source);
  fresh.query = spec.sql;
  fresh.run_id = spec.run_id;
  fresh.created_us = clock_.now_us();
  TRY(record(fresh, out.unchanged));
  out.snapshot = std::move(fresh);
  out.source_bytes = prepared.source_bytes;
  out.seconds = static_cast<double>(clock_.monotonic_ns() - start_ns) * 1e-9;
  report("done", 1.0, base::format_count(static_cast<std::int64_t>(out.snapshot.rows)) + " rows");
  return out;
}

base::Result<std::vector<Snapshot>> StoredDatasets::snapshots_where(
    std::string_view where, std::vector<store::Value> values) {
  TRY_ASSIGN(const auto rows, db_.query(select_snapshots(where), values));
  std::vector<Snapshot> out;
  for (const auto& row : rows) {
    TRY_ASSIGN(Snapshot one, snapshot_of(row));
    out.push_back(std::move(one));
  }
  return out;
}

base::Result<std::vector<DatasetInfo>> StoredDatasets::list(const std::string& project) {
  TRY_ASSIGN(
      const auto rows,
      db_.query(
          "SELECT name, created_us, updated_us FROM data_dataset WHERE project = $1 ORDER BY name",
          params(project)));
  TRY_ASSIGN(auto snapshots, snapshots_where("project = $1 ORDER BY number DESC", params(project)));
  std::vector<DatasetInfo> out;
  for (const auto& row : rows) {
    out.push_back({project, row.text(0), row.integer(1), row.integer(2), {}});
    for (auto& snapshot : snapshots) {
      if (snapshot.dataset == out.back().name) out.back().snapshots.push_back(snapshot);
    }
  }
  return out;
}

base::Result<DatasetInfo> StoredDatasets::get(const std::string& project,
                                              const std::string& dataset) {
  TRY_ASSIGN(
      const auto rows,
      db_.query(
          "SELECT name, created_us, updated_us FROM data_dataset WHERE project = $1 AND name = $2",
          params(project, dataset)));
  if (rows.empty()) {
    TRY_ASSIGN(const auto all,
               db_.query("SELECT name FROM data_dataset WHERE project = $1", params(project)));
    std::vector<std::string> names;
    for (const auto& row : all) names.push_back(row.text(0));
    const std::string near = base::did_you_mean(dataset, names);
    return base::fail(Code::kNotFound, "no such dataset: " + dataset,
                      near.empty() ? "see `maru data list`" : near);
  }
  DatasetInfo out{project, dataset, rows[0].integer(1), rows[0].integer(2), {}};
  TRY_ASSIGN(out.snapshots, snapshots_where("project = $1 AND dataset = $2 ORDER BY number DESC",
                                            params(project, dataset)));
  return out;
}

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

base::Result<Snapshot> StoredDatasets::resolve(const std::string& project,
                                               const std::string& selector) {
  if (selector.size() == kIdBytes && is_hex(selector)) {
    if (auto found = snapshot(selector); found || found.error().code != Code::kNotFound)
      return found;
  }
  const auto at = selector.rfind('@');
  const std::string name = selector.substr(0, at);
  TRY_ASSIGN(auto info, get(project, name));
  if (info.snapshots.empty())
    return base::fail(Code::kNotFound, "the dataset has no snapshot: " + name,
                      "import one: maru data import FILE --name " + name);
  if (at == std::string::npos) return info.snapshots.front();
  const std::string which = selector.substr(at + 1);
  if (which == "latest" || which == "newest") return info.snapshots.front();
  std::vector<const Snapshot*> found;
  for (const auto& one : info.snapshots) {
    if (std::to_string(one.number) == which) return one;
    if (which.size() >= kMinIdPrefix && one.id.rfind(which, 0) == 0) found.push_back(&one);
  }
  if (found.size() == 1) return *found[0];
  if (found.size() > 1)
    return base::fail(Code::kInvalidArgument, "several snapshots start with: " + which,
                      "give more digits");
  return base::fail(Code::kNotFound, "no such snapshot: " + selector,
                    "the newest is " + name + "@" + std::to_string(info.snapshots.front().number));
}

base::Result<Snapshot> StoredDatasets::snapshot(const std::string& id) {
  TRY_ASSIGN(auto found, snapshots_where("id = $1", params(id)));
  if (found.empty())
    return base::fail(Code::kNotFound, "no such snapshot: " + id, "see `maru data list`");
  return std::move(found[0]);
}

base::Result<bool> StoredDatasets::uses(const std::string& sha256) {
  const auto pattern = params("%" + sha256 + "%");
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT 1 FROM data_snapshot WHERE parts LIKE $1 LIMIT 1", pattern));
  return !rows.empty();
}

base::Result<std::string> StoredDatasets::relation(const Snapshot& snapshot) {
  std::string list;
  for (const auto& part : snapshot.parts) {
    auto path = blobs_.checked_path(part.sha256);
    if (!path)
      return base::wrap(path.error(),
                        "a part of the snapshot is gone or damaged: " + snapshot.dataset + "@" +
                            std::to_string(snapshot.number),
                        "restore the home folder from a backup");
    list += (list.empty() ? "" : ", ") + quote_literal(*path);
  }
  return "read_parquet([" + list + "])";
}

base::Result<Table> StoredDatasets::read(const Snapshot& snapshot,
                                         const std::vector<std::string>& columns,
                                         std::uint64_t limit) {
  std::vector<std::string> known;
  for (const auto& column : snapshot.columns) known.push_back(column.name);
  std::string list;
  for (const auto& name : columns) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return base::fail(Code::kNotFound, "no such column: " + name + " in " + snapshot.dataset,
                        base::did_you_mean(name, known));
    }
    list += (list.empty() ? "" : ", ") + quote_identifier(name);
  }
  TRY_ASSIGN(const std::string from, relation(snapshot));
  auto table = engine_.query("SELECT " + (list.empty() ? std::string("*") : list) + " FROM " +
                             from + (limit == 0 ? "" : " LIMIT " + std::to_string(limit)));
  if (table) return table;
  for (const auto& part : snapshot.parts)
    TRY(blobs_.verify(part.sha256));  // a damaged part is named as such
  return base::wrap(table.error(), "cannot read the snapshot: " + snapshot.dataset + "@" +
                                       std::to_string(snapshot.number));
}

Status StoredDatasets::attach(const std::string& snapshot_id, const std::string& kind,
                              const Json& value) {
  const std::string text = value.dump();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(
        writer.execute("INSERT INTO data_attachment (snapshot_id, kind, value) VALUES ($1, $2, $3) "
                       "ON CONFLICT (snapshot_id, kind) DO UPDATE SET value = excluded.value",
                       params(snapshot_id, kind, text)));
    return {};
  });
}

base::Result<Json> StoredDatasets::attachment(const std::string& snapshot_id,
                                              const std::string& kind) {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT value FROM data_attachment WHERE snapshot_id = $1 AND kind = $2",
                       params(snapshot_id, kind)));
  if (rows.empty())
    return base::fail(Code::kNotFound, "the snapshot has no " + kind + ": " + snapshot_id);
  return base::parse_json(rows[0].text(0));
}

Status StoredDatasets::put_schema(const std::string& project, const std::string& dataset,
                                  const Json& schema) {
  const std::string text = schema.dump();
  const std::int64_t now_us = clock_.now_us();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(
        writer.execute("INSERT INTO data_schema (project, dataset, number, value, created_us) "
                       "SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4 FROM data_schema WHERE "
                       "project = $1 AND dataset = $2",
                       params(project, dataset, text, now_us)));
    return {};
  });
}

base::Result<Json> StoredDatasets::schema(const std::string& project, const std::string& dataset) {
  TRY_ASSIGN(const auto rows, db_.query("SELECT value FROM data_schema WHERE project = $1 AND "
                                        "dataset = $2 ORDER BY number DESC LIMIT 1",
                                        params(project, dataset)));
  if (rows.empty())
    return base::fail(Code::kNotFound, "the dataset has no schema: " + dataset,
                      "infer one: maru schema infer " + dataset);
  return base::parse_json(rows[0].text(0));
}

}  // namespace

base::Result<std::unique_ptr<Datasets>> Datasets::open(store::Database& db, blob::BlobStore& blobs,
                                                       Engine& engine, base::Clock& clock) {
  TRY(db.migrate("data", kMigrations));
  return std::make_unique<StoredDatasets>(db, blobs, engine, clock);
}

}  // namespace maru::data
