#include "sandbox.h"

namespace maru::data {

using base::Status;

namespace {

constexpr std::size_t kMaxNames = 1000;

}  // namespace

base::Result<std::unique_ptr<Sandbox>> Sandbox::open(const SqlOptions& options) {
  auto out = std::make_unique<Sandbox>();
  EngineOptions engine;
  engine.temp_folder = options.temp_folder;
  engine.threads = options.threads;
  engine.memory_limit_bytes = options.memory_bytes;
  TRY_ASSIGN(out->engine_, Engine::open(engine));
  TRY_ASSIGN(out->connection_, out->engine_->impl().connect());
  return out;
}

Status Sandbox::run(const std::string& statement) {
  ResultSet unused;
  return engine_->impl().run(*connection_, statement, unused, nullptr);
}

Status Sandbox::lock(const std::string& paths) {
  TRY(run("SET allowed_paths = [" + paths + "]::VARCHAR[]"));
  TRY(run("SET enable_external_access = false"));
  return run("SET lock_configuration = true");
}

namespace {

// The name that the engine misses; "" when the text is wrong in another way, or right.
std::string missing_table(Connection& connection, const std::string& sql) {
  Extracted extracted;
  if (duckdb_extract_statements(connection.handle, sql.c_str(), &extracted.handle) == 0) return {};
  Statement statement;
  if (duckdb_prepare_extracted_statement(connection.handle, extracted.handle, 0,
                                         &statement.handle) == DuckDBSuccess)
    return {};
  const char* why = duckdb_prepare_error(statement.handle);
  return missing_table_of(why != nullptr ? why : "");
}

std::string empty_table(const Snapshot& snapshot) {
  std::string list;
  for (const auto& column : snapshot.columns)
    list += (list.empty() ? "NULL::" : ", NULL::") + std::string(sql_type(column.type)) + " AS " +
            quote_identifier(column.name);
  return "SELECT " + list + " WHERE false";
}

}  // namespace

std::string missing_table_of(std::string_view text) {
  constexpr std::string_view kBefore = "Table with name ", kAfter = " does not exist!";
  const auto at = text.find(kBefore);
  const auto end = text.find(kAfter);
  if (at == std::string_view::npos || end == std::string_view::npos || end < at) return {};
  return std::string(text.substr(at + kBefore.size(), end - at - kBefore.size()));
}

base::Result<std::map<std::string, Snapshot>> Sandbox::named(const std::string& sql,
                                                             const Resolve& resolve) {
  std::map<std::string, Snapshot> out;
  TRY_ASSIGN(const auto sandbox, open({}));
  TRY(sandbox->lock(""));
  for (;;) {
    const std::string name = missing_table(*sandbox->connection_, sql);
    if (name.empty() || out.contains(name)) return out;
    if (out.size() >= kMaxNames)
      return base::fail(base::Code::kTooLarge, "the SQL names too many tables",
                        "at most " + std::to_string(kMaxNames));
    auto found = resolve(name);
    if (!found) {
      if (found.error().code == base::Code::kNotFound) return out;
      return tl::unexpected<base::Error>(found.error());
    }
    TRY(sandbox->run("CREATE VIEW " + quote_identifier(name) + " AS " + empty_table(*found)));
    out.emplace(name, std::move(*found));
  }
}

Status Sandbox::show(Datasets& datasets, const std::map<std::string, Snapshot>& snapshots) {
  std::string paths;
  std::vector<std::string> views;
  for (const auto& [name, snapshot] : snapshots) {
    TRY_ASSIGN(const std::string relation, datasets.relation(snapshot));
    TRY_ASSIGN(const auto files, datasets.files(snapshot));
    for (const auto& file : files) paths += (paths.empty() ? "" : ", ") + quote_literal(file);
    views.push_back("CREATE VIEW " + quote_identifier(name) + " AS SELECT * FROM " + relation);
  }
  TRY(lock(paths));
  for (const auto& view : views) TRY(run(view));
  return {};
}

}  // namespace maru::data
