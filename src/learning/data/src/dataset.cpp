#include "maru/data/dataset.h"

#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "row_groups.h"
#include "sources.h"
#include "stored_datasets.h"

namespace maru::data {

using base::Code;
using base::Json;
using base::Status;
using store::params;

namespace {

constexpr std::size_t kMaxNameBytes = 200;

constexpr store::Migration kMigrations[] = {{1, R"sql(
CREATE TABLE data_dataset (project TEXT NOT NULL, name TEXT NOT NULL, created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL, PRIMARY KEY (project, name));
CREATE TABLE data_snapshot (id TEXT PRIMARY KEY, project TEXT NOT NULL, dataset TEXT NOT NULL, number BIGINT NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL,
  parts TEXT NOT NULL, columns TEXT NOT NULL, source TEXT NOT NULL, query TEXT NOT NULL, run_id TEXT NOT NULL, created_us BIGINT NOT NULL, UNIQUE (project, dataset, number));
CREATE TABLE data_attachment (snapshot_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (snapshot_id, kind));
CREATE TABLE data_schema (project TEXT NOT NULL, dataset TEXT NOT NULL, number BIGINT NOT NULL, value TEXT NOT NULL, created_us BIGINT NOT NULL, PRIMARY KEY (project, dataset, number));
)sql"},
                                            {2, R"sql(
ALTER TABLE data_snapshot ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE data_snapshot ADD COLUMN chain_start BIGINT NOT NULL DEFAULT 0;
ALTER TABLE data_snapshot ADD COLUMN widened BIGINT NOT NULL DEFAULT 0;
ALTER TABLE data_snapshot ADD COLUMN layout TEXT NOT NULL DEFAULT '';
CREATE TABLE data_part_use (sha256 TEXT NOT NULL, snapshot_id TEXT NOT NULL, bytes BIGINT NOT NULL, PRIMARY KEY (sha256, snapshot_id));
CREATE INDEX data_part_use_snapshot ON data_part_use (snapshot_id);
CREATE TABLE data_append (project TEXT NOT NULL, dataset TEXT NOT NULL, append_key TEXT NOT NULL, snapshot_id TEXT NOT NULL, PRIMARY KEY (project, dataset, append_key));
CREATE TABLE data_unused_part (sha256 TEXT PRIMARY KEY, since_us BIGINT NOT NULL);
)sql"},
                                            {3, R"sql(
ALTER TABLE data_snapshot ADD COLUMN dropped TEXT NOT NULL DEFAULT '';
ALTER TABLE data_snapshot ADD COLUMN dropped_us BIGINT NOT NULL DEFAULT 0;
CREATE TABLE data_about (project TEXT NOT NULL, dataset TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (project, dataset));
CREATE TABLE data_tag (project TEXT NOT NULL, dataset TEXT NOT NULL, tag TEXT NOT NULL, snapshot_id TEXT NOT NULL, created_us BIGINT NOT NULL, created_by TEXT NOT NULL,
  PRIMARY KEY (project, dataset, tag));
CREATE INDEX data_tag_snapshot ON data_tag (snapshot_id);
CREATE INDEX data_snapshot_time ON data_snapshot (project, dataset, created_us);
)sql"}};

}  // namespace

Status check_dataset_name(const std::string& name) {
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

PartFile::~PartFile() {
  if (!path_.empty()) static_cast<void>(base::remove_tree(path_));
}

base::Result<std::string> StoredDatasets::make_part_path() {
  const std::string folder =
      engine_.impl().temp_folder.empty() ? "/tmp" : engine_.impl().temp_folder;
  TRY(base::make_folders(folder));
  return base::join_path(folder, engine_.impl().scratch_name() + "_" +
                                     std::to_string(clock_.monotonic_ns()) + ".parquet");
}

base::Result<Prepared> StoredDatasets::copy_relation(Connection& connection,
                                                     const std::string& select,
                                                     base::Context& context) {
  TRY_ASSIGN(const std::string part, make_part_path());
  PartFile file(part, 0);  // goes away when something fails
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
  file.set_rows(out.rows);
  out.parts.push_back(std::move(file));
  return out;
}

base::Result<Prepared> StoredDatasets::write_files(const ImportSpec& spec, base::Context& context,
                                                   std::vector<std::string>& notes,
                                                   const base::ProgressSink& progress) {
  TRY_ASSIGN(const SourceFiles files, find_sources(spec.sources));
  TRY_ASSIGN(const auto source, open_groups(engine_, spec, files, context));
  TRY_ASSIGN(WrittenParts written, write_parts(
                                       *source, [this] { return make_part_path(); },
                                       engine_.impl().options.threads, context, progress));
  Prepared out;
  for (auto& part : written.parts) out.parts.emplace_back(std::move(part.path), part.rows);
  out.columns = std::move(written.columns);
  out.rows = written.rows;
  out.source_bytes = files.bytes;
  out.source = spec.shown_source.empty() ? base::join(spec.sources, ", ") : spec.shown_source;
  out.dead = source->dead();
  for (auto& note : source->notes()) notes.push_back(std::move(note));
  if (out.rows == 0)
    return base::fail(Code::kInvalidArgument, "no rows: " + out.source,
                      "a table needs at least one row");
  return out;
}

base::Result<Prepared> StoredDatasets::write_query(const ImportSpec& spec, base::Context& context) {
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
  TRY_ASSIGN(Prepared out, copy_relation(*connection, "SELECT " + list + " FROM " + view, context));
  out.source_bytes = result.source_bytes;
  out.source = base::join(names, ", ");
  if (out.rows == 0)
    return base::fail(Code::kInvalidArgument, "the SQL gave no rows", "check its WHERE and JOIN");
  return out;
}

base::Result<Prepared> StoredDatasets::prepare(const ImportSpec& spec, base::Context& context,
                                               std::vector<std::string>& notes,
                                               const base::ProgressSink& progress) {
  if (spec.sql.empty() == spec.sources.empty()) {
    return base::fail(Code::kInvalidArgument, "an import needs either files or SQL",
                      "maru data import FILE --name " + spec.dataset);
  }
  TRY_ASSIGN(Prepared out, spec.sql.empty() ? write_files(spec, context, notes, progress)
                                            : write_query(spec, context));
  if (!spec.shown_source.empty()) out.source = spec.shown_source;
  return out;
}

base::Result<std::vector<SnapshotPart>> StoredDatasets::store_parts(const Prepared& prepared) {
  std::vector<SnapshotPart> out;
  for (const PartFile& file : prepared.parts) {
    TRY_ASSIGN(const blob::BlobInfo blob, blobs_.put_file(file.path()));
    out.push_back({blob.sha256, file.rows(), blob.bytes});
  }
  return out;
}

Status StoredDatasets::note_use(store::Writer& writer, const std::string& snapshot_id,
                                const std::vector<SnapshotPart>& parts) {
  for (const auto& part : parts)
    TRY(
        writer.execute("INSERT INTO data_part_use (sha256, snapshot_id, bytes) VALUES ($1, $2, $3) "
                       "ON CONFLICT (sha256, snapshot_id) DO NOTHING",
                       params(part.sha256, snapshot_id, static_cast<std::int64_t>(part.bytes))));
  return {};
}

Status StoredDatasets::insert(store::Writer& writer, Snapshot& fresh) {
  fresh.id = base::sha256_hex(fresh.manifest().dump());
  TRY(writer.execute(
      "INSERT INTO data_dataset (project, name, created_us, updated_us) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (project, name) DO UPDATE SET updated_us = excluded.updated_us",
      params(fresh.project, fresh.dataset, fresh.created_us, fresh.created_us)));
  TRY(writer.execute(
      "INSERT INTO data_snapshot (" + std::string(kSnapshotColumns) +
          ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
      params(fresh.id, fresh.project, fresh.dataset, std::int64_t{fresh.number},
             static_cast<std::int64_t>(fresh.rows), static_cast<std::int64_t>(fresh.bytes),
             parts_json(fresh.added).dump(), columns_json(fresh.columns).dump(), fresh.source,
             fresh.query, fresh.run_id, fresh.created_us, fresh.parent,
             std::int64_t{fresh.chain_start}, std::int64_t{fresh.widened ? 1 : 0}, std::string())));
  return note_use(writer, fresh.id, fresh.added);
}

// The comparison with the newest snapshot and the insert are one write, so two imports at once cannot both become number N.
Status StoredDatasets::record(Snapshot& fresh, bool& unchanged) {
  return db_.write([&](store::Writer& writer) -> Status {
    TRY_ASSIGN(auto before, newest(within(writer), fresh.project, fresh.dataset));
    unchanged = false;
    fresh.number = 1;
    if (before) {
      if (before->rows == fresh.rows) {
        TRY_ASSIGN(before->parts, parts_of(within(writer), *before));
        if (same_content(*before, fresh)) {
          unchanged = true;
          fresh = std::move(*before);
          return {};
        }
      }
      fresh.number = before->number + 1;
    }
    fresh.chain_start = fresh.number;
    return insert(writer, fresh);
  });
}

// Rows that were set apart go behind those of before; once, however often the same snapshot is made.
Status StoredDatasets::keep_dead(const Prepared& prepared, const Snapshot& made,
                                 base::Context& context) {
  if (prepared.dead.rows() == 0) return {};
  AppendSpec dead;
  dead.from.project = made.project;
  dead.from.dataset = made.dataset + "_dead";
  dead.rows = &prepared.dead;
  dead.source = prepared.source;
  dead.key = "dead:" + made.id;
  TRY(append(dead, context, {}));
  return {};
}

base::Result<ImportResult> StoredDatasets::import(const ImportSpec& spec, base::Context& context,
                                                  const base::ProgressSink& progress) {
  const std::int64_t start_ns = clock_.monotonic_ns();
  const auto report = [&](const char* stage, double fraction, std::string detail) {
    if (progress) progress({stage, fraction, std::move(detail)});
  };
  TRY(check_dataset_name(spec.dataset));
  ImportResult out;
  report("reading", 0.0, spec.sql.empty() ? base::join(spec.sources, ", ") : "SQL");
  TRY_ASSIGN(Prepared prepared, prepare(spec, context, out.notes, progress));
  TRY(context.alive());
  report("storing", 0.8, base::format_count(static_cast<std::int64_t>(prepared.rows)) + " rows");
  Snapshot fresh;
  fresh.project = spec.project;
  fresh.dataset = spec.dataset;
  TRY_ASSIGN(fresh.parts, store_parts(prepared));
  fresh.added = fresh.parts;
  fresh.columns = std::move(prepared.columns);
  fresh.rows = prepared.rows;
  for (const auto& part : fresh.parts) fresh.bytes += part.bytes;
  fresh.source = std::move(prepared.source);
  fresh.query = spec.shown_query.empty() ? spec.sql : spec.shown_query;
  fresh.run_id = spec.run_id;
  fresh.created_us = clock_.now_us();
  TRY(record(fresh, out.unchanged));
  out.snapshot = std::move(fresh);
  TRY(keep_dead(prepared, out.snapshot, context));
  out.source_bytes = prepared.source_bytes;
  out.seconds = static_cast<double>(clock_.monotonic_ns() - start_ns) * 1e-9;
  report("done", 1.0, base::format_count(static_cast<std::int64_t>(out.snapshot.rows)) + " rows");
  return out;
}

// Snapshots that older versions wrote have no row in data_part_use yet.
Status StoredDatasets::index_parts() {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT id, parts FROM data_snapshot WHERE chain_start = 0"));
  if (rows.empty()) return {};
  return db_.write([&](store::Writer& writer) -> Status {
    for (const auto& row : rows) {
      TRY_ASSIGN(const auto parts, parse_parts(row.text(1)));
      TRY(note_use(writer, row.text(0), parts));
    }
    TRY(writer.execute("UPDATE data_snapshot SET chain_start = number WHERE chain_start = 0"));
    return {};
  });
}

Status StoredDatasets::open() {
  TRY(db_.migrate("data", kMigrations));
  return index_parts();
}

base::Result<std::unique_ptr<Datasets>> Datasets::open(store::Database& db, blob::BlobStore& blobs,
                                                       Engine& engine, base::Clock& clock) {
  auto out = std::make_unique<StoredDatasets>(db, blobs, engine, clock);
  TRY(out->open());
  return out;
}

}  // namespace maru::data
