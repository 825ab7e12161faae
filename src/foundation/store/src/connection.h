#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "maru/store/database.h"

struct sqlite3;
struct sqlite3_stmt;

namespace maru::store {

// One SQLite connection with its prepared statements. Used by one thread at a time.
class Connection {
  struct Key {};  // only open() makes one

 public:
  enum class Mode { kWriter, kReader };
  static base::Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
  Connection(Key, sqlite3* handle) : handle_(handle) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  base::Status run_script(const std::string& sql);  // several statements, no parameters
  base::Result<Rows> query(std::string_view sql, std::span<const Value> params);
  base::Result<std::int64_t> execute(std::string_view sql, std::span<const Value> params);

 private:
  base::Result<sqlite3_stmt*> prepare(std::string_view sql);
  base::Status bind(sqlite3_stmt* statement, std::span<const Value> params);
  base::Error error(std::string_view sql);

  sqlite3* handle_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace maru::store
