#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "maru/base/result.h"
#include "maru/store/database.h"

struct sqlite3;
struct sqlite3_stmt;

namespace maru::store {

inline constexpr std::size_t kMaxCachedStatements = 256;
inline constexpr int kBusyTimeoutMs = 5'000;
inline constexpr int kMaxForeignCellBytes = 256 << 20;

// One SQLite connection with its prepared statements. One thread at a time.
class Connection {
 private:
  struct Key {};  // only open() makes one

 public:
  enum class Mode {
    kWriter,
    kReader,
    kForeign
  };  // kForeign: never writes, trusts nothing in the file
  static base::Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
  Connection(Key, std::string path) : path_(std::move(path)) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  base::Result<Rows> query(std::string_view sql, std::span<const Value> params);
  base::Result<std::int64_t> execute(std::string_view sql, std::span<const Value> params);
  base::Status each(std::string_view sql, std::span<const Value> params, const Visit& visit);
  base::Status run_script(std::string_view sql);  // several statements, no parameters
  bool in_transaction() const;
  // The disk refused a write or a sync (not: was full); what it holds is unknown from now on.
  bool disk_failed() const { return disk_failed_; }
  sqlite3* handle() const { return db_; }

 private:
  base::Result<sqlite3_stmt*> prepare(std::string_view sql);
  base::Status bind(sqlite3_stmt* statement, std::span<const Value> params, std::string_view sql);
  base::Result<Rows> step_all(std::string_view sql, std::span<const Value> params);
  tl::unexpected<base::Error> error(int code, std::string_view sql);

  std::string path_;
  sqlite3* db_ = nullptr;
  bool disk_failed_ = false;
  // Looked up by a view: no copy of the text a statement.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, sqlite3_stmt*, Hash, std::equal_to<>> statements_;
};

}  // namespace maru::store
