#include "maru/store/foreign.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "connection.h"
#include "foreign_tables.h"
#include "maru/base/file.h"
#include "postgres.h"

namespace maru::store {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kMagic("SQLite format 3\0", 16);

class ConnectionReader final : public Reader {
 public:
  explicit ConnectionReader(Connection& connection) : connection_(connection) {}
  Status each(std::string_view sql, std::span<const Value> params, const Visit& visit) override {
    return connection_.each(sql, params, visit);
  }

 private:
  Connection& connection_;
};

class ForeignFile final : public ForeignDatabase {
 public:
  explicit ForeignFile(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)) {}
  Status read(const std::function<Status(Reader&)>& callback) override {
    TRY(connection_->run_script("BEGIN"));
    ConnectionReader reader(*connection_);
    Status outcome = callback(reader);
    TRY(connection_->run_script("ROLLBACK"));
    return outcome;
  }
  Result<Rows> query(std::string_view sql, std::span<const Value> params) override {
    return connection_->query(sql, params);
  }
  Result<std::vector<Column>> columns() override {
    TRY_ASSIGN(const Rows rows,
               connection_->query("SELECT m.name, c.name FROM sqlite_master m JOIN "
                                  "pragma_table_info(m.name) c WHERE m.type = 'table'",
                                  {}));
    std::vector<Column> out;
    for (const auto& row : rows) out.push_back({row.text(0), row.text(1)});
    return out;
  }

 private:
  std::unique_ptr<Connection> connection_;
};

}  // namespace

Status check_sqlite_magic(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0)
    return base::fail(Code::kNotFound, "no file is here: " + path);
  if (!S_ISREG(facts.st_mode))
    return base::fail(Code::kInvalidArgument, "not a SQLite database: " + path);
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return base::fail(Code::kPermissionDenied, "cannot be read: " + path);
  std::string head(kMagic.size(), '\0');
  const std::size_t got = std::fread(head.data(), 1, head.size(), file);
  std::fclose(file);
  if (got != kMagic.size() || head != kMagic)
    return base::fail(Code::kInvalidArgument, "not a SQLite database: " + path);
  return {};
}

bool is_table_server(std::string_view address) {
  const std::string_view scheme = address.substr(0, address.find("://"));
  return is_postgres_url(address) ||
         (scheme.size() != address.size() && (scheme == "mysql" || scheme == "mariadb"));
}

Result<std::unique_ptr<ForeignTables>> ForeignTables::open(const std::string& address) {
  if (is_postgres_url(address)) return open_postgres_tables(address, {});
  if (is_table_server(address)) return open_mariadb_tables(address);
  return open_sqlite_tables(address);
}

bool is_server_url(std::string_view path) { return is_postgres_url(path); }

std::string without_password(std::string_view url) {
  std::string out(url);
  const std::size_t begin = url.find("://"), end = url.find_first_of("/?#", begin + 3);
  if (begin == std::string_view::npos) return out;
  const std::string_view host = url.substr(begin + 3, end - std::min(end, begin + 3));
  const std::size_t at = host.rfind('@'), colon = host.find(':');
  if (at != std::string_view::npos && colon < at) out.erase(begin + 3 + colon, at - colon);
  // Also as a parameter: ?password=...
  for (std::size_t found = 0; (found = out.find("password=", found)) != std::string::npos;) {
    found += 9;
    out.erase(found, std::min(out.find('&', found), out.size()) - found);
  }
  return out;
}

Result<std::unique_ptr<ForeignDatabase>> ForeignDatabase::open(const std::string& path) {
  if (is_postgres_url(path)) return open_postgres(path);
  TRY(check_sqlite_magic(path));
  TRY_ASSIGN(auto connection, Connection::open(path, Connection::Mode::kForeign));
  return std::unique_ptr<ForeignDatabase>(std::make_unique<ForeignFile>(std::move(connection)));
}

}  // namespace maru::store
