#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"
#include "maru/store/database.h"

namespace maru::store {

// A database that another program wrote and may be writing still: a SQLite file, or a PostgreSQL server's by its URL
// (postgresql://user:password@host:port/name; SQLAlchemy's with a driver's name too). It is never changed; views and triggers of a file
// are not run. kNotFound when there is no file, kInvalidArgument when it is no SQLite database, kDataLoss when it is damaged or a
// statement is refused, kUnavailable when no server answers. One thread at a time.
class ForeignDatabase {
 public:
  static base::Result<std::unique_ptr<ForeignDatabase>> open(const std::string& path);
  virtual ~ForeignDatabase() = default;
  // Everything that `callback` reads is of one state of the file.
  virtual base::Status read(const std::function<base::Status(Reader&)>& callback) = 0;
  virtual base::Result<Rows> query(std::string_view sql, std::span<const Value> params = {}) = 0;
  struct Column {
    std::string table, name;
  };
  virtual base::Result<std::vector<Column>> columns() = 0;  // of all tables
};
// Whether `path` is the URL of a server; and without the password that may stand in it.
bool is_server_url(std::string_view path);
std::string without_password(std::string_view url);

}  // namespace maru::store
