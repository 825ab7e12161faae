#include "connection.h"

#include <sqlite3.h>

namespace maru::store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

constexpr std::size_t kMaxCachedStatements = 256;
constexpr int kBusyTimeoutMs = 5000;

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xFF) {
    case SQLITE_FULL: return Code::kNoSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::kUnavailable;
    case SQLITE_CONSTRAINT: return Code::kAlreadyExists;
    case SQLITE_READONLY:
    case SQLITE_PERM: return Code::kPermissionDenied;
    case SQLITE_CANTOPEN: return Code::kNotFound;
    case SQLITE_TOOBIG: return Code::kTooLarge;
    default: return Code::kInternal;
  }
}

Value cell_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_NULL: return {};
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return Blob{std::string(bytes == nullptr ? "" : bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)))};
    }
    default: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
    }
  }
}

// Leaves the statement reusable however the loop over it ends.
class Stepping {
 public:
  explicit Stepping(sqlite3_stmt* statement) : statement_(statement) {}
  ~Stepping() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Stepping(const Stepping&) = delete;
  Stepping& operator=(const Stepping&) = delete;
  int step() { return sqlite3_step(statement_); }

 private:
  sqlite3_stmt* statement_;
};

constexpr const char* kWriterPragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192;";
constexpr const char* kReaderPragmas = "PRAGMA query_only=ON; PRAGMA read_uncommitted=ON; PRAGMA cache_size=-4096;";

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Mode mode) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
  const int opened = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  auto out = std::make_unique<Connection>(Key{}, handle);
  if (opened != SQLITE_OK) return base::fail(code_of(opened), "database cannot be opened: " + path + " (" + sqlite3_errstr(opened) + ")");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  auto set = out->run_script(mode == Mode::kWriter ? kWriterPragmas : kReaderPragmas);
  if (!set) return base::wrap(set.error(), "database cannot be used: " + path, "restore it from a backup");
  return out;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

Error Connection::error(std::string_view sql) {
  Error out;
  out.code = code_of(sqlite3_extended_errcode(handle_));
  out.message = std::string("database: ") + sqlite3_errmsg(handle_);
  if (out.code == Code::kInternal) out.message += " in: " + std::string(sql.substr(0, 200));
  if (out.code == Code::kNoSpace) out.hint = "free some space; writing resumes by itself";
  return out;
}

Status Connection::run_script(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected<Error>(error(sql));
}

Result<sqlite3_stmt*> Connection::prepare(std::string_view sql) {
  const auto found = statements_.find(std::string(sql));
  if (found != statements_.end()) return found->second;
  if (statements_.size() >= kMaxCachedStatements) {
    for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
    statements_.clear();
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) return tl::unexpected<Error>(error(sql));
  if (statement == nullptr) return base::fail(Code::kInvalidArgument, "database: empty statement");
  statements_.emplace(std::string(sql), statement);
  return statement;
}

Status Connection::bind(sqlite3_stmt* statement, std::span<const Value> params) {
  if (sqlite3_bind_parameter_count(statement) != static_cast<int>(params.size())) {
    return base::fail(Code::kInternal, "database: statement takes " + std::to_string(sqlite3_bind_parameter_count(statement)) + " parameters, not " + std::to_string(params.size()));
  }
  for (std::size_t i = 0; i < params.size(); ++i) {
    // `$1` is a name to SQLite: its place is looked up.
    const int at = sqlite3_bind_parameter_index(statement, ("$" + std::to_string(i + 1)).c_str());
    int code = SQLITE_OK;
    if (const auto* whole = std::get_if<std::int64_t>(&params[i])) code = sqlite3_bind_int64(statement, at, *whole);
    else if (const auto* real = std::get_if<double>(&params[i])) code = sqlite3_bind_double(statement, at, *real);
    else if (const auto* text = std::get_if<std::string>(&params[i])) code = sqlite3_bind_text64(statement, at, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    else if (const auto* blob = std::get_if<Blob>(&params[i])) code = sqlite3_bind_blob64(statement, at, blob->bytes.data(), blob->bytes.size(), SQLITE_TRANSIENT);
    else code = sqlite3_bind_null(statement, at);
    if (code != SQLITE_OK) return tl::unexpected<Error>(error("bind"));
  }
  return {};
}

Result<Rows> Connection::query(std::string_view sql, std::span<const Value> params) {
  TRY_ASSIGN(sqlite3_stmt* const statement, prepare(sql));
  Stepping stepping(statement);
  TRY(bind(statement, params));
  Rows rows;
  for (;;) {
    const int code = stepping.step();
    if (code == SQLITE_DONE) return rows;
    if (code != SQLITE_ROW) return tl::unexpected<Error>(error(sql));
    std::vector<Value> cells;
    const int columns = sqlite3_column_count(statement);
    cells.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) cells.push_back(cell_of(statement, column));
    rows.emplace_back(std::move(cells));
  }
}

Result<std::int64_t> Connection::execute(std::string_view sql, std::span<const Value> params) {
  TRY_ASSIGN(sqlite3_stmt* const statement, prepare(sql));
  Stepping stepping(statement);
  TRY(bind(statement, params));
  for (;;) {
    const int code = stepping.step();
    if (code == SQLITE_DONE) return std::int64_t{sqlite3_changes64(handle_)};
    if (code != SQLITE_ROW) return tl::unexpected<Error>(error(sql));
  }
}

}  // namespace maru::store
