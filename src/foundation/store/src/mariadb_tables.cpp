// Whole tables and queries out of MariaDB and MySQL, row by row.
#include <dlfcn.h>
#include <mysql.h>

#include "foreign_tables.h"
#include "maru/base/text.h"
#include "text_cells.h"

namespace maru::store {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr const char* kLibrary = "libmariadb.so.3";
constexpr unsigned kConnectSeconds = 10;
constexpr unsigned kSilentSeconds = 600;  // the server may sort for long before the first row
constexpr unsigned kBinaryCharset = 63;
constexpr unsigned kNoSuchTable = 1146, kDenied = 1142, kDeniedColumn = 1143, kNoDatabase = 1044;
constexpr unsigned kClientErrors = 2000, kClientErrorsEnd = 3000;
constexpr unsigned kDefaultPort = 3306;

struct Place {
  std::string host, user, password, database;
  unsigned port = kDefaultPort;
  bool tls = false;
};

Result<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const char* begin = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2)
      return fail(Code::kInvalidArgument, "a % in the address is not followed by two hex digits",
                  "write %25 for a percent sign");
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

Result<Place> parse_place(const std::string& url) {
  Place out;
  std::string_view rest = url;
  rest.remove_prefix(rest.find("://") + 3);
  const std::size_t question = rest.find('?');
  if (question != std::string_view::npos) {
    out.tls = rest.substr(question).find("tls=required") != std::string_view::npos;
    rest = rest.substr(0, question);
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size())
    return fail(Code::kInvalidArgument,
                "the address names no database: " + std::string(rest.substr(rest.rfind('@') + 1)),
                "mysql://user@host:3306/database?table=NAME");
  TRY_ASSIGN(out.database, decoded(rest.substr(slash + 1)));
  std::string_view host = rest.substr(0, slash);
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = host.substr(0, at);
    const std::size_t colon = who.find(':');
    TRY_ASSIGN(out.user, decoded(who.substr(0, colon)));
    if (colon != std::string_view::npos) {
      TRY_ASSIGN(out.password, decoded(who.substr(colon + 1)));
    }
    host.remove_prefix(at + 1);
  }
  if (const std::size_t colon = host.rfind(':');
      colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    const auto read = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (read.ec != std::errc() || read.ptr != port.data() + port.size() || out.port > 65535)
      return fail(Code::kInvalidArgument, "not a port: " + std::string(port));
    host = host.substr(0, colon);
  }
  out.host = host;
  if (out.password.empty())
    if (const char* given = std::getenv("MYSQL_PWD"); given != nullptr) out.password = given;
  return out;
}

ForeignColumn column_of(const MYSQL_FIELD& field) {
  ForeignColumn out;
  out.name = field.name;
  const bool binary = field.charsetnr == kBinaryCharset;
  switch (field.type) {
    case MYSQL_TYPE_TINY:
      // BOOLEAN is TINYINT(1) there; whether it holds only 0 and 1 its cells say.
      out.type = field.length == 1 ? ForeignType::kBool : ForeignType::kInteger;
      out.declared = "tinyint";
      break;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_YEAR:
      out.type = ForeignType::kInteger, out.declared = "int";
      break;
    case MYSQL_TYPE_LONGLONG:
      out.type =
          (field.flags & UNSIGNED_FLAG) != 0 ? ForeignType::kUnsigned : ForeignType::kInteger;
      out.declared = "bigint";
      break;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
      out.type = ForeignType::kReal, out.declared = "double";
      break;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
      out.type = ForeignType::kDecimal, out.declared = "decimal";
      out.scale = static_cast<int>(field.decimals);
      // The length counts a sign, and a point where there is a scale.
      out.digits = static_cast<int>(field.length) - ((field.flags & UNSIGNED_FLAG) != 0 ? 0 : 1) -
                   (field.decimals > 0 ? 1 : 0);
      break;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_DATETIME:
      out.type = ForeignType::kTime, out.declared = "datetime";
      break;
    case MYSQL_TYPE_TIMESTAMP:
      out.type = ForeignType::kInstant, out.declared = "timestamp";
      break;
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_GEOMETRY:
      out.type = ForeignType::kBytes, out.declared = "bit";
      break;
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
      out.type = binary ? ForeignType::kBytes : ForeignType::kText;
      out.declared = binary ? "blob" : "text";
      break;
    default:
      out.declared = "text";
  }
  return out;
}

std::string plain(const char* message) {
  return base::replace_invalid_utf8(message == nullptr ? "" : message);
}

class MariadbTables final : public ForeignTables {
 public:
  MariadbTables() : connection_(::mysql_init(nullptr)) {}
  ~MariadbTables() override {
    if (connection_ != nullptr) ::mysql_close(connection_);
  }

  Status connect(const Place& place) {
    if (connection_ == nullptr) return fail(Code::kResourceExhausted, "no memory for a connection");
    const unsigned wait = kConnectSeconds, silent = kSilentSeconds;
    ::mysql_optionsv(connection_, MYSQL_OPT_CONNECT_TIMEOUT, &wait);
    ::mysql_optionsv(connection_, MYSQL_OPT_READ_TIMEOUT, &silent);
    ::mysql_optionsv(connection_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const my_bool no = 0, yes = 1;
    // A server must not ask for files of this machine.
    const unsigned off = 0;
    ::mysql_optionsv(connection_, MYSQL_OPT_LOCAL_INFILE, &off);
    ::mysql_optionsv(connection_, MYSQL_OPT_SSL_ENFORCE, place.tls ? &yes : &no);
    ::mysql_optionsv(connection_, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, place.tls ? &yes : &no);
    // Over TCP even for "localhost", which means a socket file otherwise.
    const unsigned tcp = MYSQL_PROTOCOL_TCP;
    ::mysql_optionsv(connection_, MYSQL_OPT_PROTOCOL, &tcp);
    if (::mysql_real_connect(connection_, place.host.c_str(), place.user.c_str(),
                             place.password.c_str(), place.database.c_str(), place.port, nullptr,
                             0) == nullptr)
      return fail(
          Code::kUnavailable,
          "the MariaDB or MySQL server cannot be reached: " + plain(mysql_error(connection_)),
          "check host, port, user and database; a password may also stand in MYSQL_PWD or "
          "in a secret");
    TRY(run("SET SESSION time_zone = '+00:00', net_write_timeout = 3600"));
    TRY(run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
    return run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
  }

  Result<std::vector<ForeignColumn>> describe(const std::string& select) override {
    const std::unique_ptr<MYSQL_STMT, decltype(&::mysql_stmt_close)> statement(
        ::mysql_stmt_init(connection_), &::mysql_stmt_close);
    if (statement == nullptr) return fail(Code::kResourceExhausted, "no memory for a statement");
    if (::mysql_stmt_prepare(statement.get(), select.data(), select.size()) != 0)
      return failure(::mysql_stmt_errno(statement.get()), ::mysql_stmt_error(statement.get()));
    const std::unique_ptr<MYSQL_RES, decltype(&::mysql_free_result)> shown(
        ::mysql_stmt_result_metadata(statement.get()), &::mysql_free_result);
    if (shown == nullptr)
      return fail(Code::kInvalidArgument, "the statement gives no columns: " + select,
                  "write one SELECT");
    std::vector<ForeignColumn> out;
    for (unsigned i = 0; i < ::mysql_num_fields(shown.get()); ++i)
      out.push_back(column_of(*::mysql_fetch_field_direct(shown.get(), i)));
    return out;
  }

  Status each(const std::string& select, const Visit& visit) override {
    if (::mysql_real_query(connection_, select.data(), select.size()) != 0)
      return failure(::mysql_errno(connection_), ::mysql_error(connection_));
    const std::unique_ptr<MYSQL_RES, decltype(&::mysql_free_result)> rows(
        ::mysql_use_result(connection_), &::mysql_free_result);
    if (rows == nullptr) return failure(::mysql_errno(connection_), ::mysql_error(connection_));
    const unsigned width = ::mysql_num_fields(rows.get());
    TextCells row;
    row.cells.resize(width);
    while (char** cells = ::mysql_fetch_row(rows.get())) {
      const unsigned long* lengths = ::mysql_fetch_lengths(rows.get());
      for (unsigned i = 0; i < width; ++i) row.cells[i] = {cells[i], lengths[i]};
      if (Status visited = visit(row); !visited) {
        // The rest need not be read before the connection ends.
        ::mysql_kill(connection_, ::mysql_thread_id(connection_));
        return visited;
      }
    }
    if (::mysql_errno(connection_) != 0)
      return fail(Code::kDataLoss,
                  "the rows from the server ended early: " + plain(::mysql_error(connection_)));
    return {};
  }

  Result<std::unique_ptr<ForeignTables>> twin() override {
    return fail(Code::kUnimplemented, "MariaDB shares no state between sessions");
  }

  Result<std::optional<ForeignKey>> key(const std::string& table) override {
    const std::size_t dot = table.find('.');
    const std::string schema =
        dot == std::string::npos ? "database()" : literal(table.substr(0, dot));
    std::string column;
    TRY(each(
        "SELECT k.column_name FROM information_schema.statistics k JOIN "
        "information_schema.columns c ON c.table_schema = k.table_schema AND c.table_name = "
        "k.table_name AND c.column_name = k.column_name WHERE k.table_schema = " +
            schema + " AND k.table_name = " +
            literal(dot == std::string::npos ? table : table.substr(dot + 1)) +
            " AND k.index_name = 'PRIMARY' AND c.data_type IN ('tinyint', 'smallint', "
            "'mediumint', 'int', 'bigint') AND c.column_type NOT LIKE '%unsigned%' AND (SELECT "
            "count(*) FROM information_schema.statistics o WHERE o.table_schema = "
            "k.table_schema AND o.table_name = k.table_name AND o.index_name = 'PRIMARY') = 1",
        [&](const Cursor& row) -> Status {
          column = row.text(0);
          return {};
        }));
    if (column.empty()) return std::optional<ForeignKey>();
    ForeignKey out;
    out.column = column;
    const std::string name = quote_parts(column, '`');
    TRY(each("SELECT min(" + name + "), max(" + name + ") FROM " + quoted(table),
             [&](const Cursor& row) -> Status {
               if (!row.null(0)) out.low = row.integer(0), out.high = row.integer(1);
               return {};
             }));
    return std::optional(out);
  }

  std::string quoted(std::string_view table) const override { return quote_parts(table, '`'); }

  Result<std::vector<std::string>> tables() override {
    std::vector<std::string> out;
    TRY(each("SHOW TABLES", [&](const Cursor& row) -> Status {
      out.emplace_back(row.text(0));
      return {};
    }));
    return out;
  }

 private:
  static std::string literal(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
      if (c == '\'' || c == '\\') out += c == '\'' ? '\'' : '\\';
      out += c;
    }
    return out + "'";
  }

  tl::unexpected<base::Error> failure(unsigned number, const char* message) {
    const bool gone = number >= kClientErrors && number < kClientErrorsEnd;
    const bool denied = number == kDenied || number == kDeniedColumn || number == kNoDatabase;
    const Code code = gone                     ? Code::kUnavailable
                      : number == kNoSuchTable ? Code::kNotFound
                      : denied                 ? Code::kPermissionDenied
                                               : Code::kInvalidArgument;
    return fail(code, (gone ? "the database server is gone: " : "the database server refused: ") +
                          plain(message));
  }
  Status run(const std::string& sql) {
    if (::mysql_real_query(connection_, sql.data(), sql.size()) == 0) return {};
    return failure(::mysql_errno(connection_), ::mysql_error(connection_));
  }

  MYSQL* connection_;
};

}  // namespace

Result<std::unique_ptr<ForeignTables>> open_mariadb_tables(const std::string& url) {
  static const bool present = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL) != nullptr;
  if (!present)
    return fail(Code::kFailedPrecondition,
                std::string("MariaDB's client library is not installed: ") + kLibrary,
                "apt install libmariadb3");
  TRY_ASSIGN(const Place place, parse_place(url));
  auto tables = std::make_unique<MariadbTables>();
  TRY(tables->connect(place));
  return std::unique_ptr<ForeignTables>(std::move(tables));
}

}  // namespace maru::store
