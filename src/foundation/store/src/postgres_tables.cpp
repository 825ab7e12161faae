// Whole tables and queries out of PostgreSQL: COPY ... TO STDOUT sends row by row, at a fraction of what a result set costs.
#include <array>

#include "foreign_tables.h"
#include "libpq.h"
#include "text_cells.h"

namespace maru::store {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr int kVarHeader = 4;  // what a type modifier counts before its own number

ForeignColumn column_of(const Libpq& pq, const PGresult* result, int i) {
  ForeignColumn out;
  out.name = pq.fname(result, i);
  switch (pq.ftype(result, i)) {
    case kPgBool:
      out.type = ForeignType::kBool, out.declared = "boolean";
      break;
    case kPgInt2:
    case kPgInt4:
    case kPgInt8:
    case kPgOid:
      out.type = ForeignType::kInteger, out.declared = "integer";
      break;
    case kPgFloat4:
    case kPgFloat8:
      out.type = ForeignType::kReal, out.declared = "double precision";
      break;
    case kPgNumeric: {
      out.type = ForeignType::kDecimal, out.declared = "numeric";
      const int mod = pq.fmod(result, i);
      if (mod >= kVarHeader) {
        out.digits = ((mod - kVarHeader) >> 16) & 0xffff;
        out.scale = (mod - kVarHeader) & 0xffff;
        if (out.scale > 1000) out.scale = 0;  // a negative scale: whole numbers
      }
      break;
    }
    case kPgDate:
    case kPgTimestamp:
      out.type = ForeignType::kTime, out.declared = "timestamp";
      break;
    case kPgTimestampZone:
      out.type = ForeignType::kInstant, out.declared = "timestamp with time zone";
      break;
    case kPgBytes:
      out.type = ForeignType::kBytes, out.declared = "bytea";
      break;
    default:
      out.declared = "text";
  }
  return out;
}

// One line of COPY's text format into cells; escapes are undone in place.
void split_line(char* line, std::size_t size, TextCells& row) {
  row.cells.clear();
  char* out = line;
  const char* in = line;
  const char* const end = line + size;
  char* begin = out;
  bool null = false;
  const auto close = [&] {
    row.cells.push_back({null ? nullptr : begin, static_cast<std::size_t>(out - begin)});
    begin = out;
    null = false;
  };
  while (in < end) {
    const char c = *in++;
    if (c == '\t') {
      close();
    } else if (c != '\\' || in == end) {
      *out++ = c;
    } else {
      const char next = *in++;
      switch (next) {
        case 'N':
          null = true;
          break;
        case 'b':
          *out++ = '\b';
          break;
        case 'f':
          *out++ = '\f';
          break;
        case 'n':
          *out++ = '\n';
          break;
        case 'r':
          *out++ = '\r';
          break;
        case 't':
          *out++ = '\t';
          break;
        case 'v':
          *out++ = '\v';
          break;
        default:
          *out++ = next;
      }
    }
  }
  close();
}

class PostgresTables final : public ForeignTables {
 public:
  PostgresTables(const Libpq& pq, PGconn* connection, std::string url)
      : pq_(pq), connection_(connection), url_(std::move(url)) {}
  ~PostgresTables() override { pq_.finish(connection_); }

  Status begin(const std::string& snapshot) {
    TRY(run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    // Cells must read alike whatever the server's settings are; a table without a key comes in the order it lies in.
    TRY(
        run("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL "
            "extra_float_digits = 3; SET LOCAL synchronize_seqscans = off; SET LOCAL "
            "statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL "
            "intervalstyle = 'iso_8601'"));
    if (!snapshot.empty()) TRY(run("SET TRANSACTION SNAPSHOT '" + snapshot + "'"));
    return {};
  }

  Result<std::vector<ForeignColumn>> describe(const std::string& select) override {
    TRY(run("SAVEPOINT described"));
    const PqResult prepared{&pq_, pq_.prepare(connection_, "", select.c_str(), 0, nullptr)};
    if (pq_.resultStatus(prepared.result) != PGRES_COMMAND_OK) {
      auto why = failure(prepared.result);
      static_cast<void>(run("ROLLBACK TO described"));
      return why;
    }
    const PqResult shown{&pq_, pq_.describePrepared(connection_, "")};
    if (pq_.resultStatus(shown.result) != PGRES_COMMAND_OK) return failure(shown.result);
    std::vector<ForeignColumn> out;
    for (int i = 0; i < pq_.nfields(shown.result); ++i)
      out.push_back(column_of(pq_, shown.result, i));
    if (out.empty())
      return fail(Code::kInvalidArgument, "the statement gives no columns: " + select,
                  "write one SELECT");
    return out;
  }

  Status each(const std::string& select, const Visit& visit) override {
    const std::string copy = "COPY (" + select + ") TO STDOUT";
    {
      const PqResult started{&pq_, pq_.exec(connection_, copy.c_str())};
      if (pq_.resultStatus(started.result) != PGRES_COPY_OUT) return failure(started.result);
    }
    TextCells row;
    for (;;) {
      char* line = nullptr;
      const int size = pq_.getCopyData(connection_, &line, 0);
      if (size < 0) break;
      const std::size_t length = static_cast<std::size_t>(size);
      split_line(line, length > 0 && line[length - 1] == '\n' ? length - 1 : length, row);
      const Status visited = visit(row);
      pq_.freemem(line);
      if (!visited) return visited;  // the session is of no more use; whoever holds it ends it
    }
    Status outcome;
    while (PGresult* result = pq_.getResult(connection_)) {
      const PqResult cleared{&pq_, result};
      if (pq_.resultStatus(result) != PGRES_COMMAND_OK && outcome) outcome = lost(result);
    }
    return outcome;
  }

  Result<std::unique_ptr<ForeignTables>> twin() override {
    if (snapshot_.empty()) {
      TRY(run("SAVEPOINT exported"));
      auto name = one("SELECT pg_export_snapshot()");
      if (!name) {
        TRY(run("ROLLBACK TO exported"));
        return fail(Code::kUnimplemented,
                    "the server exports no snapshot: " + name.error().message);
      }
      snapshot_ = *name;
    }
    return open_postgres_tables(url_, snapshot_);
  }

  Result<std::optional<ForeignKey>> key(const std::string& table) override {
    const std::string literal = "'" + doubled(quoted(table)) + "'";
    auto column = one(
        "SELECT coalesce((SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON "
        "a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = " +
        literal +
        "::regclass AND i.indisprimary AND i.indnkeyatts = 1 AND a.atttypid IN (20, 21, 23)), '')");
    if (!column) return tl::unexpected(column.error());
    if (column->empty()) return std::optional<ForeignKey>();
    const std::string name = quote_parts_whole(*column);
    ForeignKey out;
    out.column = *column;
    TRY_ASSIGN(const std::string low,
               one("SELECT coalesce(min(" + name + ")::text, '') FROM " + quoted(table)));
    if (low.empty()) return std::optional(out);
    TRY_ASSIGN(const std::string high, one("SELECT max(" + name + ")::text FROM " + quoted(table)));
    std::from_chars(low.data(), low.data() + low.size(), out.low);
    std::from_chars(high.data(), high.data() + high.size(), out.high);
    return std::optional(out);
  }

  std::string quoted(std::string_view table) const override { return quote_parts(table, '"'); }

  Result<std::vector<std::string>> tables() override {
    std::vector<std::string> out;
    const PqResult found{
        &pq_, pq_.exec(connection_,
                       "SELECT CASE WHEN table_schema = ANY (current_schemas(false)) THEN "
                       "table_name ELSE table_schema || '.' || table_name END FROM "
                       "information_schema.tables WHERE table_schema NOT IN "
                       "('pg_catalog', 'information_schema') LIMIT 10000")};
    if (pq_.resultStatus(found.result) != PGRES_TUPLES_OK) return failure(found.result);
    for (int i = 0; i < pq_.ntuples(found.result); ++i)
      out.emplace_back(pq_.getvalue(found.result, i, 0));
    return out;
  }

 private:
  static std::string doubled(const std::string& text) {
    std::string out;
    for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
    return out;
  }
  static std::string quote_parts_whole(const std::string& name) {
    std::string out = "\"";
    for (const char c : name) out.append(c == '"' ? 2 : 1, c);
    return out + "\"";
  }

  // Of a statement that was refused before it gave a row.
  tl::unexpected<base::Error> failure(const PGresult* result) {
    const bool gone = pq_.status(connection_) != CONNECTION_OK;
    const char* state = pq_.resultErrorField(result, PG_DIAG_SQLSTATE);
    const std::string_view kind(state == nullptr ? "" : state);
    const Code code = gone                      ? Code::kUnavailable
                      : kind == "42P01"         ? Code::kNotFound  // undefined_table
                      : kind.starts_with("425") ? Code::kPermissionDenied
                                                : Code::kInvalidArgument;
    return fail(code, (gone ? "the PostgreSQL server is gone: " : "PostgreSQL refused: ") +
                          pq_line(pq_.errorMessage(connection_)));
  }
  // Of one that ended in the middle.
  tl::unexpected<base::Error> lost(const PGresult* result) {
    return fail(Code::kDataLoss,
                "the rows from PostgreSQL ended early: " + pq_line(pq_.resultErrorMessage(result)));
  }

  Status run(const std::string& sql) {
    const PqResult done{&pq_, pq_.exec(connection_, sql.c_str())};
    if (pq_.resultStatus(done.result) == PGRES_COMMAND_OK) return {};
    return failure(done.result);
  }
  Result<std::string> one(const std::string& sql) {
    const PqResult done{&pq_, pq_.exec(connection_, sql.c_str())};
    if (pq_.resultStatus(done.result) != PGRES_TUPLES_OK || pq_.ntuples(done.result) != 1)
      return failure(done.result);
    return std::string(pq_.getvalue(done.result, 0, 0));
  }

  const Libpq& pq_;
  PGconn* connection_;
  const std::string url_;
  std::string snapshot_;
};

}  // namespace

Result<std::unique_ptr<ForeignTables>> open_postgres_tables(const std::string& url,
                                                            const std::string& snapshot) {
  TRY_ASSIGN(const Libpq* pq, libpq());
  TRY_ASSIGN(PGconn * connection, connect_postgres(*pq, url));
  auto tables = std::make_unique<PostgresTables>(*pq, connection, url);
  // SET TRANSACTION SNAPSHOT must be the first thing a transaction does: the settings come before it as LOCAL ones, which is allowed.
  TRY(tables->begin(snapshot));
  return std::unique_ptr<ForeignTables>(std::move(tables));
}

}  // namespace maru::store
