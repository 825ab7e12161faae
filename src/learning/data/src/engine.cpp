#include "maru/data/engine.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "duckdb_handle.h"
#include "maru/base/file.h"
#include "maru/base/text.h"

namespace maru::data {

using base::Code;
using base::Status;

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string quote_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

namespace {

// The sentence of the engine's message: its first paragraph on one line, without "Binder Error:" and the like.
std::string first_sentence(std::string text) {
  const auto stop = std::min(text.find("\n\n"), text.find("\nLINE "));
  if (stop != std::string::npos) text.resize(stop);
  for (const std::string_view kind :
       {"Binder Error: ", "Catalog Error: ", "Parser Error: ", "Invalid Input Error: ",
        "Conversion Error: ", "IO Error: ", "Constraint Error: ", "Out of Range Error: ",
        "INTERNAL Error: ", "Permission Error: "}) {
    if (text.rfind(kind, 0) == 0) text.erase(0, kind.size());
  }
  std::string line;
  for (const char c : text) line += (c == '\n' || c == '\r' || c == '\t') ? ' ' : c;
  return std::string(base::trim(line));
}

Code code_for(std::string_view text) {
  if (text.find("No space left") != std::string_view::npos) return Code::kNoSpace;
  if (text.find("Out of Memory") != std::string_view::npos ||
      text.find("failed to pin block") != std::string_view::npos)
    return Code::kResourceExhausted;
  if (text.find("INTERRUPT") != std::string_view::npos) return Code::kCancelled;
  if (text.find("No files found") != std::string_view::npos) return Code::kNotFound;
  return Code::kInvalidArgument;
}

std::string near_names(std::string_view text) {
  for (const std::string_view mark : {"Candidate bindings: ", "Did you mean "}) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos) continue;
    const auto end = text.find('\n', at);
    std::string found(text.substr(at + mark.size(),
                                  end == std::string_view::npos ? end : end - at - mark.size()));
    while (!found.empty() && found.back() == '?') found.pop_back();
    return "did you mean " + found + "?";
  }
  return {};
}

}  // namespace

base::Error Engine::Impl::explain(Connection&, std::string text) {
  base::Error error;
  error.code = code_for(text);
  error.hint = near_names(text);
  error.message = first_sentence(std::move(text));
  if (const auto at = error.message.find(" Did you mean"); at != std::string::npos)
    error.message.resize(at);
  if (error.code == Code::kResourceExhausted && error.hint.empty())
    error.hint = "raise the memory limit or read fewer columns";
  return error;
}

Status Engine::Impl::start() {
  duckdb_config config = nullptr;
  if (duckdb_create_config(&config) != DuckDBSuccess)
    return base::fail(Code::kInternal, "cannot configure the SQL engine");
  if (!options.temp_folder.empty())
    duckdb_set_config(config, "temp_directory", options.temp_folder.c_str());
  // The engine must never reach for the network: extensions are neither fetched nor loaded.
  duckdb_set_config(config, "autoinstall_known_extensions", "false");
  duckdb_set_config(config, "autoload_known_extensions", "false");
  duckdb_set_config(config, "allow_community_extensions", "false");
  duckdb_set_config(config, "threads",
                    std::to_string(std::max<std::size_t>(1, options.threads)).c_str());
  duckdb_set_config(config, "memory_limit",
                    (std::to_string(options.memory_limit_bytes >> 20) + "MiB").c_str());
  duckdb_set_config(config, "preserve_insertion_order", "true");
  char* why = nullptr;
  duckdb_database opened = nullptr;
  const auto state = duckdb_open_ext(nullptr, &opened, config, &why);
  duckdb_destroy_config(&config);
  if (state != DuckDBSuccess) {
    const std::string text = why != nullptr ? why : "";
    duckdb_free(why);
    return base::fail(Code::kInternal, "cannot start the SQL engine: " + first_sentence(text));
  }
  database = opened;
  Connection connection;
  if (duckdb_connect(database, &connection.handle) != DuckDBSuccess)
    return base::fail(Code::kInternal, "cannot open an SQL connection");
  ResultSet unused;
  return run(connection, "SET GLOBAL TimeZone='UTC'", unused, nullptr);
}

base::Result<std::unique_ptr<Connection>> Engine::Impl::connect() {
  {
    const std::lock_guard lock(starting);
    if (database == nullptr) TRY(start());
  }
  auto connection = std::make_unique<Connection>();
  if (duckdb_connect(database, &connection->handle) != DuckDBSuccess) {
    return base::fail(Code::kInternal, "cannot open an SQL connection");
  }
  return connection;
}

std::string Engine::Impl::scratch_name() {
  return "maru_tmp_" + std::to_string(next_name.fetch_add(1));
}

Status Engine::Impl::run(Connection& connection, std::string_view sql, ResultSet& out,
                         base::Context* context) {
  const std::string text(sql);
  if (context == nullptr) {
    if (duckdb_query(connection.handle, text.c_str(), &out.handle) == DuckDBSuccess) return {};
    const char* why = duckdb_result_error(&out.handle);
    return tl::unexpected(explain(connection, why != nullptr ? why : "the statement failed"));
  }
  TRY(context->alive());
  Statement statement;
  if (duckdb_prepare(connection.handle, text.c_str(), &statement.handle) != DuckDBSuccess) {
    const char* why = duckdb_prepare_error(statement.handle);
    return tl::unexpected(explain(connection, why != nullptr ? why : "the statement failed"));
  }
  duckdb_pending_result pending = nullptr;
  if (duckdb_pending_prepared(statement.handle, &pending) != DuckDBSuccess) {
    const char* why = duckdb_pending_error(pending);
    base::Error error = explain(connection, why != nullptr ? why : "the statement failed");
    duckdb_destroy_pending(&pending);
    return tl::unexpected(std::move(error));
  }
  for (;;) {
    const duckdb_pending_state state = duckdb_pending_execute_task(pending);
    if (state == DUCKDB_PENDING_ERROR || duckdb_pending_execution_is_finished(state)) break;
    if (auto alive = context->alive(); !alive) {
      duckdb_interrupt(connection.handle);
      duckdb_destroy_pending(&pending);
      return alive;
    }
    if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  const bool fine = duckdb_execute_pending(pending, &out.handle) == DuckDBSuccess;
  const char* why = fine ? nullptr : duckdb_result_error(&out.handle);
  if (!fine && why == nullptr) why = duckdb_pending_error(pending);
  Status status;
  if (!fine)
    status = tl::unexpected(explain(connection, why != nullptr ? why : "the statement failed"));
  duckdb_destroy_pending(&pending);
  return status;
}

Engine::Engine() : impl_(std::make_unique<Impl>()) {}
Engine::~Engine() = default;

base::Result<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options) {
  auto engine = std::make_unique<Engine>();
  if (!options.temp_folder.empty()) TRY(base::make_folders(options.temp_folder));
  engine->impl_->options = options;
  engine->impl_->temp_folder = options.temp_folder;
  return engine;
}

base::Result<std::vector<SqlColumn>> Engine::describe(std::string_view sql) {
  TRY_ASSIGN(const auto connection, impl_->connect());
  ResultSet out;
  TRY(impl_->run(*connection, "DESCRIBE (" + std::string(sql) + ")", out, nullptr));
  TRY_ASSIGN(const Table described, fetch_table(out.handle));
  Statement statement;
  if (duckdb_prepare(connection->handle, std::string(sql).c_str(), &statement.handle) !=
      DuckDBSuccess) {
    const char* why = duckdb_prepare_error(statement.handle);
    return tl::unexpected(
        impl_->explain(*connection, why != nullptr ? why : "the statement failed"));
  }
  std::vector<SqlColumn> columns;
  for (std::size_t i = 0; i < described.rows(); ++i) {
    SqlColumn column;
    column.name = std::string(described.columns[0].text(i));
    column.sql_type = std::string(described.columns[1].text(i));
    TRY_ASSIGN(column.type,
               column_type(duckdb_prepared_statement_column_type(statement.handle, i)));
    columns.push_back(std::move(column));
  }
  return columns;
}

namespace {

// Text for a type that has no column of its own: the statement with those columns cast, or "" when none needs it.
std::string with_casts(Connection& connection, std::string_view sql) {
  Statement statement;
  if (duckdb_prepare(connection.handle, std::string(sql).c_str(), &statement.handle) !=
      DuckDBSuccess)
    return {};
  if (duckdb_prepared_statement_type(statement.handle) != DUCKDB_STATEMENT_TYPE_SELECT) return {};
  bool any = false;
  std::string list;
  const idx_t width = duckdb_prepared_statement_column_count(statement.handle);
  for (idx_t c = 0; c < width; ++c) {
    const duckdb_type type = duckdb_prepared_statement_column_type(statement.handle, c);
    const std::string alias = "c" + std::to_string(c);
    const char* name = duckdb_prepared_statement_column_name(statement.handle, c);
    const std::string shown = quote_identifier(name != nullptr ? name : alias);
    duckdb_free(const_cast<char*>(name));
    if (c > 0) list += ", ";
    if (type == DUCKDB_TYPE_UBIGINT) {
      // Above 2^63 only text keeps every digit; below, the engine's own integer does.
      list += alias + "::HUGEINT::VARCHAR AS " + shown;
      any = true;
    } else if (needs_text_cast(type)) {
      list += alias + "::VARCHAR AS " + shown;
      any = true;
    } else {
      list += alias + " AS " + shown;
    }
  }
  if (!any) return {};
  std::string aliases;
  for (idx_t c = 0; c < width; ++c) aliases += (c > 0 ? ", c" : "c") + std::to_string(c);
  std::string body(base::trim(sql));
  while (!body.empty() && body.back() == ';') body.pop_back();
  return "SELECT " + list + " FROM (" + body + ") AS q(" + aliases + ")";
}

// Unsigned 64-bit columns came as text; those whose values all fit become integers again.
void narrow_unsigned(Table& table, const std::vector<std::size_t>& columns) {
  for (const auto c : columns) {
    Column& column = table.columns[c];
    std::vector<std::int64_t> values;
    bool fits = true;
    for (const auto& word : column.dictionary) {
      fits = fits && (word.size() < 19 || (word.size() == 19 && word <= "9223372036854775807"));
      if (fits) values.push_back(std::stoll(word));
    }
    if (!fits) continue;
    column.type = ColumnType::kInteger;
    for (const auto code : column.codes)
      column.integers.push_back(code < 0 ? 0 : values[static_cast<std::size_t>(code)]);
    column.codes.clear();
    column.dictionary.clear();
  }
}

std::vector<std::size_t> unsigned_columns(Connection& connection, std::string_view sql) {
  std::vector<std::size_t> out;
  Statement statement;
  if (duckdb_prepare(connection.handle, std::string(sql).c_str(), &statement.handle) !=
      DuckDBSuccess)
    return out;
  for (idx_t c = 0; c < duckdb_prepared_statement_column_count(statement.handle); ++c) {
    if (duckdb_prepared_statement_column_type(statement.handle, c) == DUCKDB_TYPE_UBIGINT)
      out.push_back(c);
  }
  return out;
}

}  // namespace

base::Result<Table> Engine::query(std::string_view sql, base::Context* context) {
  TRY_ASSIGN(const auto connection, impl_->connect());
  const std::string cast = with_casts(*connection, sql);
  ResultSet out;
  TRY(impl_->run(*connection, cast.empty() ? sql : std::string_view(cast), out, context));
  TRY_ASSIGN(Table table, fetch_table(out.handle));
  if (!cast.empty()) narrow_unsigned(table, unsigned_columns(*connection, sql));
  return table;
}

Status Engine::execute(std::string_view sql, base::Context* context) {
  TRY_ASSIGN(const auto connection, impl_->connect());
  ResultSet out;
  return impl_->run(*connection, sql, out, context);
}

Status Engine::register_parquet(const std::string& name, const std::vector<std::string>& files) {
  if (files.empty()) return base::fail(Code::kInvalidArgument, "no files for the table: " + name);
  std::string list;
  for (const auto& file : files) list += (list.empty() ? "" : ", ") + quote_literal(file);
  TRY(drop(name));
  return execute("CREATE VIEW " + quote_identifier(name) + " AS SELECT * FROM read_parquet([" +
                 list + "])");
}

Status Engine::drop(const std::string& name) {
  TRY_ASSIGN(const Table kinds,
             query("SELECT table_type FROM information_schema.tables WHERE table_name = " +
                   quote_literal(name)));
  for (std::size_t i = 0; i < kinds.rows(); ++i) {
    const bool view = kinds.columns[0].text(i) == "VIEW";
    TRY(execute(std::string("DROP ") + (view ? "VIEW" : "TABLE") + " IF EXISTS " +
                quote_identifier(name)));
  }
  return {};
}

Status Engine::write_parquet(std::string_view select_sql, const std::string& file) {
  return execute("COPY (" + std::string(select_sql) + ") TO " + quote_literal(file) +
                 " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)");
}

}  // namespace maru::data
