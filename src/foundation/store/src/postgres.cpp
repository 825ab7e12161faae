#include "postgres.h"

#include <charconv>
#include <optional>
#include <vector>

#include "libpq.h"

namespace maru::store {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

// A row in PostgreSQL's text format.
class TextCursor final : public Cursor {
 public:
  TextCursor(const Libpq& pq, const PGresult* result, int row)
      : pq_(pq), result_(result), row_(row) {}
  bool null(int i) const override { return pq_.getisnull(result_, row_, i) != 0; }
  bool is_text(int i) const override { return !null(i) && !is_integer(i) && !is_real(i); }
  std::int64_t integer(int i) const override {
    const std::string_view value = text(i);
    if (pq_.ftype(result_, i) == kPgBool) return value == "t" ? 1 : 0;
    if (is_real(i)) return static_cast<std::int64_t>(real(i));
    std::int64_t out = 0;
    std::from_chars(value.data(), value.data() + value.size(), out);
    return out;
  }
  double real(int i) const override {
    const std::string_view value = text(i);  // "NaN", "Infinity" and "-Infinity" are read too
    double out = 0;
    std::from_chars(value.data(), value.data() + value.size(), out);
    return out;
  }
  std::string_view text(int i) const override {
    return {pq_.getvalue(result_, row_, i),
            static_cast<std::size_t>(pq_.getlength(result_, row_, i))};
  }
  std::string_view bytes(int i) const override { return text(i); }

  int columns() const { return pq_.nfields(result_); }
  Value value(int i) const {
    if (null(i)) return std::monostate{};
    if (is_integer(i)) return integer(i);
    if (is_real(i)) return real(i);
    return std::string(text(i));
  }

 private:
  bool is_integer(int i) const {
    const Oid type = pq_.ftype(result_, i);
    return type == kPgBool || type == kPgInt2 || type == kPgInt4 || type == kPgInt8;
  }
  bool is_real(int i) const {
    const Oid type = pq_.ftype(result_, i);
    return type == kPgFloat4 || type == kPgFloat8 || type == kPgNumeric;
  }
  const Libpq& pq_;
  const PGresult* result_;
  const int row_;
};

Result<std::optional<std::string>> as_text(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::optional<std::string>();
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return std::optional(std::to_string(*whole));
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (text->find('\0') == std::string::npos) return std::optional(*text);
    return fail(Code::kInvalidArgument, "PostgreSQL has no text with a zero byte in it");
  }
  return fail(Code::kInternal, "not a value that a foreign database is asked with");
}

// One read-only transaction for all that is read, so that it is of one state; after a failed statement a new one begins.
class PostgresDatabase final : public ForeignDatabase {
 public:
  PostgresDatabase(const Libpq& pq, PGconn* connection) : pq_(pq), connection_(connection) {}
  ~PostgresDatabase() override { pq_.finish(connection_); }

  Status begin() { return run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"); }
  Status read(const std::function<Status(Reader&)>& callback) override {
    class SessionReader final : public Reader {
     public:
      explicit SessionReader(PostgresDatabase& db) : db_(db) {}
      Status each(std::string_view sql, std::span<const Value> params,
                  const Visit& visit) override {
        return db_.each(sql, params, [&](const TextCursor& row) { return visit(row); });
      }

     private:
      PostgresDatabase& db_;
    } reader(*this);
    return callback(reader);
  }
  Result<Rows> query(std::string_view sql, std::span<const Value> params) override {
    Rows rows;
    TRY(each(sql, params, [&](const TextCursor& row) -> Status {
      std::vector<Value> cells;
      for (int i = 0; i < row.columns(); ++i) cells.push_back(row.value(i));
      rows.emplace_back(std::move(cells));
      return {};
    }));
    return rows;
  }
  Result<std::vector<Column>> columns() override {
    TRY_ASSIGN(const Rows rows,
               query("SELECT table_name::text, column_name::text FROM information_schema.columns "
                     "WHERE table_schema = ANY (current_schemas(false))",
                     {}));
    std::vector<Column> out;
    for (const auto& row : rows) out.push_back({row.text(0), row.text(1)});
    return out;
  }

 private:
  tl::unexpected<base::Error> failure(const char* message) {
    const bool gone = pq_.status(connection_) != CONNECTION_OK;
    return fail(gone ? Code::kUnavailable : Code::kDataLoss,
                (gone ? "the PostgreSQL server is gone: " : "PostgreSQL refused a question: ") +
                    pq_line(message));
  }

  Status run(const char* sql) {
    const PqResult done{&pq_, pq_.exec(connection_, sql)};
    if (pq_.resultStatus(done.result) == PGRES_COMMAND_OK) return {};
    return failure(pq_.errorMessage(connection_));
  }

  // Row by row as they arrive: a history of millions takes no more memory than one row.
  template <class VisitRow>
  Status each(std::string_view sql, std::span<const Value> params, const VisitRow& visit) {
    std::vector<std::optional<std::string>> texts;
    for (const auto& value : params) {
      TRY_ASSIGN(auto text, as_text(value));
      texts.push_back(std::move(text));
    }
    std::vector<const char*> values;
    for (const auto& text : texts) values.push_back(text ? text->c_str() : nullptr);
    if (pq_.sendQueryParams(connection_, std::string(sql).c_str(), static_cast<int>(values.size()),
                            nullptr, values.data(), nullptr, nullptr, 0) != 1)
      return failure(pq_.errorMessage(connection_));
    pq_.setSingleRowMode(connection_);
    Status outcome;
    bool refused = false;
    while (PGresult* result = pq_.getResult(connection_)) {
      const PqResult cleared{&pq_, result};
      const ExecStatusType status = pq_.resultStatus(result);
      if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK) {
        for (int row = 0; outcome && row < pq_.ntuples(result); ++row)
          outcome = visit(TextCursor(pq_, result, row));
      } else {
        refused = true;
        if (outcome) outcome = failure(pq_.resultErrorMessage(result));
      }
    }
    if (refused && pq_.status(connection_) == CONNECTION_OK) {
      static_cast<void>(run("ROLLBACK"));
      TRY(begin());
    }
    return outcome;
  }

  const Libpq& pq_;
  PGconn* connection_;
};

}  // namespace

bool is_postgres_url(std::string_view path) {
  const std::string_view scheme = path.substr(0, path.find("://"));
  if (scheme.size() == path.size()) return false;
  const std::string_view name = scheme.substr(0, scheme.find('+'));  // SQLAlchemy's driver
  return name == "postgresql" || name == "postgres";
}

Result<std::unique_ptr<ForeignDatabase>> open_postgres(const std::string& url) {
  TRY_ASSIGN(const Libpq* pq, libpq());
  TRY_ASSIGN(PGconn * connection, connect_postgres(*pq, url));
  auto db = std::make_unique<PostgresDatabase>(*pq, connection);
  TRY(db->begin());
  return std::unique_ptr<ForeignDatabase>(std::move(db));
}

}  // namespace maru::store
