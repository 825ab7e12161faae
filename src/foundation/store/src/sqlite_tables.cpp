// Whole tables and queries out of a SQLite file. Its cells have types of their own, so the type of a column is what all its cells are.
#include "connection.h"
#include "foreign_tables.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "text_cells.h"

#include <sqlite3.h>

namespace maru::store {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr int kAggregates = 6;  // a column; SQLite allows 2,000 columns of a result
constexpr std::size_t kColumnsAtOnce = 200;

bool says(const std::string& declared, std::string_view word) {
  return declared.find(word) != std::string::npos;
}

class SqliteTables final : public ForeignTables {
 public:
  explicit SqliteTables(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}
  // The first read fixes the state of the file.
  Status begin() {
    TRY(connection_->run_script("BEGIN"));
    TRY(connection_->query("SELECT count(*) FROM sqlite_master", {}));
    return {};
  }

  Result<std::vector<ForeignColumn>> describe(const std::string& select) override {
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v2(connection_->handle(), select.c_str(), -1, &raw, &tail);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(raw,
                                                                               &sqlite3_finalize);
    if (code != SQLITE_OK) {
      const std::string why = sqlite3_errmsg(connection_->handle());
      return fail(why.starts_with("no such table") ? Code::kNotFound : Code::kInvalidArgument,
                  "SQLite refused: " + base::replace_invalid_utf8(why));
    }
    if (raw == nullptr || sqlite3_column_count(raw) == 0 || sqlite3_stmt_readonly(raw) == 0 ||
        !base::trim(tail).empty())
      return fail(Code::kInvalidArgument, "the statement is not one SELECT: " + select);
    std::vector<ForeignColumn> out;
    for (int i = 0; i < sqlite3_column_count(raw); ++i) {
      ForeignColumn column;
      column.name = sqlite3_column_name(raw, i);
      const char* declared = sqlite3_column_decltype(raw, i);
      column.declared = base::to_lower_ascii(declared == nullptr ? "" : declared);
      out.push_back(std::move(column));
    }
    for (std::size_t from = 0; from < out.size(); from += kColumnsAtOnce)
      TRY(look(select, out, from, std::min(out.size(), from + kColumnsAtOnce)));
    return out;
  }

  Status each(const std::string& select, const Visit& visit) override {
    return connection_->each(select, {}, visit);
  }
  Result<std::unique_ptr<ForeignTables>> twin() override {
    return fail(Code::kUnimplemented, "a SQLite file is read by one session");
  }
  Result<std::optional<ForeignKey>> key(const std::string&) override {
    return std::optional<ForeignKey>();
  }
  std::string quoted(std::string_view table) const override {
    std::string out = "\"";
    for (const char c : table) out.append(c == '"' ? 2 : 1, c);
    return out + "\"";
  }
  Result<std::vector<std::string>> tables() override {
    TRY_ASSIGN(const Rows rows,
               connection_->query("SELECT name FROM sqlite_master WHERE type = 'table'", {}));
    std::vector<std::string> out;
    for (const auto& row : rows) out.push_back(row.text(0));
    return out;
  }

 private:
  // Which kinds of cells columns [from, to) hold: one pass over all rows.
  Status look(const std::string& select, std::vector<ForeignColumn>& columns, std::size_t from,
              std::size_t to) {
    std::string names, sums;
    for (std::size_t i = 0; i < columns.size(); ++i)
      names += (i == 0 ? "c" : ", c") + std::to_string(i);
    for (std::size_t i = from; i < to; ++i) {
      const std::string cell = "c" + std::to_string(i);
      const std::string type = "typeof(" + cell + ")";
      sums += (sums.empty() ? "" : ", ") + std::string("max(") + type + "='text'), max(" + type +
              "='real'), max(" + type + "='integer'), max(" + type + "='blob'), min(CASE WHEN " +
              type + "='integer' THEN " + cell + " END), max(CASE WHEN " + type +
              "='integer' THEN " + cell + " END)";
    }
    return connection_->each(
        "WITH looked(" + names + ") AS (" + select + ") SELECT " + sums + " FROM looked", {},
        [&](const Cursor& row) -> Status {
          for (std::size_t i = from; i < to; ++i)
            classify(row, static_cast<int>(i - from) * kAggregates, columns[i]);
          return {};
        });
  }

  static void classify(const Cursor& row, int at, ForeignColumn& column) {
    const bool text = row.integer(at) != 0, real = row.integer(at + 1) != 0,
               whole = row.integer(at + 2) != 0, blob = row.integer(at + 3) != 0;
    const std::string& declared = column.declared;
    const bool zero_one = row.integer(at + 4) >= 0 && row.integer(at + 5) <= 1;
    if (blob)
      column.type = ForeignType::kBytes;
    else if (text)
      column.type = !real && !whole && (says(declared, "date") || says(declared, "time"))
                        ? ForeignType::kTime
                        : ForeignType::kText;
    else if (real)
      column.type = ForeignType::kReal;
    else if (whole)
      column.type = says(declared, "bool") && zero_one ? ForeignType::kBool : ForeignType::kInteger;
    else if (says(declared, "int"))  // no cell: what was declared
      column.type = ForeignType::kInteger;
    else if (says(declared, "real") || says(declared, "floa") || says(declared, "doub"))
      column.type = ForeignType::kReal;
    else
      column.type = ForeignType::kText;
  }

  std::unique_ptr<Connection> connection_;
};

}  // namespace

Result<std::unique_ptr<ForeignTables>> open_sqlite_tables(const std::string& path) {
  TRY(check_sqlite_magic(path));
  TRY_ASSIGN(auto connection, Connection::open(path, Connection::Mode::kForeign));
  auto tables = std::make_unique<SqliteTables>(std::move(connection));
  TRY(tables->begin());
  return std::unique_ptr<ForeignTables>(std::move(tables));
}

}  // namespace maru::store
