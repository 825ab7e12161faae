#include "connection.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "fault_vfs.h"

namespace maru::store {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

std::string short_sql(std::string_view sql) {
  return std::string(sql.substr(0, 120)) + (sql.size() > 120 ? "..." : "");
}

Value cell(sqlite3_stmt* statement, int i) {
  switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(statement, i));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, i);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
      return Blob{size == 0 ? std::string() : std::string(bytes, size)};
    }
    default:
      return std::monostate{};
  }
}

struct Binder {
  sqlite3_stmt* statement;
  int at;
  // The caller's values outlive the step, so SQLite need not copy them.
  int operator()(std::monostate) const { return sqlite3_bind_null(statement, at); }
  int operator()(std::int64_t v) const { return sqlite3_bind_int64(statement, at, v); }
  int operator()(double v) const { return sqlite3_bind_double(statement, at, v); }
  int operator()(const std::string& v) const {
    return sqlite3_bind_text64(statement, at, v.data(), v.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int operator()(const Blob& v) const {
    if (v.bytes.empty()) return sqlite3_bind_zeroblob(statement, at, 0);
    return sqlite3_bind_blob64(statement, at, v.bytes.data(), v.bytes.size(), SQLITE_STATIC);
  }
};

constexpr std::string_view kPragmas =
    "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
    "PRAGMA temp_store=MEMORY; PRAGMA recursive_triggers=ON;";

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Mode mode) {
  // SQLite would create the file with the umask's rights; its -wal and -shm copy those of the file.
  if (mode == Mode::kWriter) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      const Code code = errno == EACCES   ? Code::kPermissionDenied
                        : errno == ENOSPC ? Code::kNoSpace
                        : errno == ENOENT ? Code::kNotFound
                                          : Code::kUnavailable;
      return fail(code, "cannot open the database file: " + path + ": " + std::strerror(errno));
    }
    ::close(fd);
  }
  auto connection = std::make_unique<Connection>(Key{}, path);
  const int access = mode == Mode::kForeign ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &connection->db_, flags, fault_vfs());
  if (code != SQLITE_OK) return connection->error(code, "open");
  sqlite3_busy_timeout(connection->db_, kBusyTimeoutMs);
  sqlite3_limit(connection->db_, SQLITE_LIMIT_ATTACHED, 0);
  if (mode == Mode::kForeign) {
    sqlite3_db_config(connection->db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(connection->db_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    sqlite3_limit(connection->db_, SQLITE_LIMIT_LENGTH, kMaxForeignCellBytes);
  }
  TRY(connection->run_script(kPragmas));
  if (mode == Mode::kWriter) {
    TRY_ASSIGN(const Rows rows, connection->query("PRAGMA journal_mode=WAL", {}));
    if (rows.empty() || rows[0].text(0) != "wal") {
      return fail(Code::kUnavailable, "the database cannot use write-ahead logging: " + path,
                  "the folder must be on a local file system");
    }
    TRY(connection->run_script(
        "PRAGMA synchronous=FULL; PRAGMA cache_size=-8192;"
        "PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=8000;"));
  } else {
    TRY(connection->run_script("PRAGMA query_only=ON; PRAGMA cache_size=-2048;"));
  }
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

tl::unexpected<base::Error> Connection::error(int code, std::string_view sql) {
  const std::string what = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  const bool full = db_ != nullptr && sqlite3_system_errno(db_) == ENOSPC;
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(Code::kUnavailable, "the database is locked: " + path_,
                  "another process uses it; stop it or choose another home");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(Code::kDataLoss, "the database file is damaged: " + path_ + ": " + what,
                  "restore the home folder from a backup");
    case SQLITE_FULL:
      return fail(Code::kNoSpace, "the disk is full: " + path_, "free some space and try again");
    case SQLITE_IOERR:
      if (full) {
        return fail(Code::kNoSpace, "the disk is full: " + path_, "free some space and try again");
      }
      disk_failed_ = true;
      return fail(Code::kUnavailable, "the disk failed under the database: " + path_ + ": " + what,
                  "look at the disk, then restart");
    case SQLITE_CANTOPEN:
      return fail(Code::kUnavailable, "cannot open the database: " + path_ + ": " + what);
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return fail(Code::kPermissionDenied, "no access to the database: " + path_ + ": " + what);
    case SQLITE_READONLY:
      return fail(Code::kFailedPrecondition, "a read may not write: " + short_sql(sql));
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return fail(Code::kAlreadyExists, "exists already: " + what);
      }
      return fail(Code::kFailedPrecondition, "breaks a rule of the database: " + what);
    case SQLITE_TOOBIG:
      return fail(Code::kTooLarge, "a value is too large for the database");
    case SQLITE_INTERRUPT:
      return fail(Code::kCancelled, "the statement was interrupted");
    default:
      return fail(Code::kInternal, "database statement failed: " + short_sql(sql) + ": " + what);
  }
}

Result<sqlite3_stmt*> Connection::prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return found->second;
  if (statements_.size() >= kMaxCachedStatements) {
    for (const auto& [text, old] : statements_) sqlite3_finalize(old);
    statements_.clear();
  }
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, &tail);
  if (code != SQLITE_OK) return error(code, sql);
  const std::string_view rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  if (statement == nullptr || rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(statement);
    return fail(Code::kInternal, "exactly one statement is expected: " + short_sql(sql));
  }
  statements_.emplace(std::string(sql), statement);
  return statement;
}

// `$3` is the third value wherever and however often it stands, as in PostgreSQL; SQLite by itself numbers by first use.
Status Connection::bind(sqlite3_stmt* statement, std::span<const Value> params,
                        std::string_view sql) {
  const int count = sqlite3_bind_parameter_count(statement);
  for (int i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(statement, i);
    std::size_t number = static_cast<std::size_t>(i);
    if (name != nullptr) {
      const char* end = name + std::strlen(name);
      const auto parsed = std::from_chars(name + 1, end, number);
      if (parsed.ptr != end) number = 0;
    }
    if (number < 1 || number > params.size()) {
      return fail(Code::kInternal,
                  "a parameter has no value: " + std::string(name == nullptr ? "?" : name) +
                      " in " + short_sql(sql));
    }
    const int code = std::visit(Binder{statement, i}, params[number - 1]);
    if (code != SQLITE_OK) return error(code, sql);
  }
  return {};
}

namespace {

class StatementCursor final : public Cursor {
 public:
  explicit StatementCursor(sqlite3_stmt* statement) : statement_(statement) {}
  bool null(int i) const override { return type(i) == SQLITE_NULL; }
  bool is_text(int i) const override { return type(i) == SQLITE_TEXT; }
  std::int64_t integer(int i) const override { return sqlite3_column_int64(statement_, i); }
  double real(int i) const override { return sqlite3_column_double(statement_, i); }
  std::string_view text(int i) const override {
    const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_, i));
    return {begin == nullptr ? "" : begin, size(i)};
  }
  std::string_view bytes(int i) const override {
    const auto* begin = static_cast<const char*>(sqlite3_column_blob(statement_, i));
    return {begin == nullptr ? "" : begin, size(i)};
  }

 private:
  int type(int i) const { return sqlite3_column_type(statement_, i); }
  std::size_t size(int i) const {
    return static_cast<std::size_t>(sqlite3_column_bytes(statement_, i));
  }
  sqlite3_stmt* statement_;
};

struct Reset {
  sqlite3_stmt* statement;
  ~Reset() {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
  }
};

}  // namespace

Status Connection::each(std::string_view sql, std::span<const Value> params, const Visit& visit) {
  TRY_ASSIGN(sqlite3_stmt * statement, prepare(sql));
  const Reset reset{statement};
  TRY(bind(statement, params, sql));
  const StatementCursor cursor(statement);
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) TRY(visit(cursor));
  if (code != SQLITE_DONE) return error(code, sql);
  return {};
}

Result<Rows> Connection::step_all(std::string_view sql, std::span<const Value> params) {
  TRY_ASSIGN(sqlite3_stmt * statement, prepare(sql));
  const Reset reset{statement};
  TRY(bind(statement, params, sql));
  Rows rows;
  const int columns = sqlite3_column_count(statement);
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    std::vector<Value> cells;
    cells.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) cells.push_back(cell(statement, i));
    rows.emplace_back(std::move(cells));
  }
  if (code != SQLITE_DONE) return error(code, sql);
  return rows;
}

Result<Rows> Connection::query(std::string_view sql, std::span<const Value> params) {
  return step_all(sql, params);
}

Result<std::int64_t> Connection::execute(std::string_view sql, std::span<const Value> params) {
  const std::int64_t before = sqlite3_total_changes64(db_);
  TRY(step_all(sql, params));
  // changes() keeps the count of an older statement when this one changes nothing.
  return sqlite3_total_changes64(db_) == before ? 0 : sqlite3_changes64(db_);
}

Status Connection::run_script(std::string_view sql) {
  const std::string text(sql);
  const int code = sqlite3_exec(db_, text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, sql);
  return {};
}

}  // namespace maru::store
