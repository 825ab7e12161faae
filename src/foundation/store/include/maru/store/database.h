#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/result.h"

namespace maru::store {

struct Blob {
  std::string bytes;
};
// A parameter or a cell. monostate is NULL.
using Value = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

class Row {
 public:
  explicit Row(std::vector<Value> cells) : cells_(std::move(cells)) {}
  bool null(std::size_t i) const { return std::holds_alternative<std::monostate>(cells_[i]); }
  std::int64_t integer(std::size_t i) const;  // 0 when NULL or text
  double real(std::size_t i) const;
  const std::string& text(std::size_t i) const;   // "" when not text
  const std::string& bytes(std::size_t i) const;  // of a Blob, else ""
  const std::vector<Value>& cells() const { return cells_; }

 private:
  std::vector<Value> cells_;
};
using Rows = std::vector<Row>;

struct Migration {
  int version;  // 1, 2, 3 ... per room, never renumbered
  // One or more statements in the common subset of SQLite and PostgreSQL; WITHOUT ROWID is a hint that PostgreSQL goes without.
  std::string_view sql;
};

// One row of a statement that is being stepped; views are valid until the visitor returns.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool null(int i) const = 0;
  virtual bool is_text(int i) const = 0;
  virtual std::int64_t integer(int i) const = 0;
  virtual double real(int i) const = 0;
  virtual std::string_view text(int i) const = 0;
  virtual std::string_view bytes(int i) const = 0;
};
using Visit = std::function<base::Status(const Cursor&)>;

// Statements that see one consistent state; only valid during the callback.
class Reader {
 public:
  virtual ~Reader() = default;
  // Visits every row without copying it; a visitor's failure ends the statement and is returned.
  virtual base::Status each(std::string_view sql, std::span<const Value> params,
                            const Visit& visit) = 0;
};

// Statements inside one write; only valid during the callback.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual base::Result<Rows> query(std::string_view sql, std::span<const Value> params = {}) = 0;
  virtual base::Result<std::int64_t> execute(
      std::string_view sql, std::span<const Value> params = {}) = 0;  // rows changed
};

struct DatabaseOptions {
  std::string path;  // a file; ":memory:" for tests
  std::size_t readers = 4;
  std::size_t queue_limit = 65'536;     // queued writes; beyond: kUnavailable
  std::int64_t group_window_us = 2000;  // how long a group may wait for company; never above 5 ms
  std::size_t group_limit = 4096;
};

// SQL metadata behind one interface (SQLite now; statements stay within the common subset with PostgreSQL: `$1` parameters, ON CONFLICT, RETURNING).
// One writer thread groups queued writes into a transaction with one fsync (WAL, synchronous=FULL); write() returns when its group is durable.
// A callback that fails is rolled back alone (savepoint). Reads run on their own connections and see everything that write() acknowledged.
// After a failed fsync or a full disk the database turns read-only: every later write is kUnavailable and says so (kNoSpace recovers when a write succeeds again).
// A corrupt file is kDataLoss with its path at open. Thread safe.
class Database {
 public:
  static base::Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  virtual ~Database() = default;

  virtual base::Result<Rows> query(std::string_view sql, std::span<const Value> params = {}) = 0;
  // Several statements over one state of the database, on one connection.
  virtual base::Status read(const std::function<base::Status(Reader&)>& callback) = 0;
  using Write = std::function<base::Status(Writer&)>;
  virtual base::Status write(Write callback) = 0;
  // `done` runs on the writer thread. kOneStatement promises that the callback changes something with at most one statement, and
  // does nothing after it that can fail: SQLite undoes a failed statement by itself, so such a write needs no savepoint of its own.
  enum class Changes : std::uint8_t { kAny, kOneStatement };
  virtual void write_async(Write callback, std::function<void(base::Status)> done,
                           Changes changes = Changes::kAny) = 0;
  // Applies what is missing of `room`'s migrations in order; a newer recorded version is kFailedPrecondition.
  virtual base::Status migrate(std::string_view room, std::span<const Migration> migrations) = 0;
  virtual bool read_only() const = 0;
  virtual base::Status backup_to(const std::string& path) = 0;  // consistent, online
  virtual std::uint64_t commits() const = 0;                    // groups made durable so far
};

template <class... Args>
std::vector<Value> params(Args&&... args) {
  std::vector<Value> out;
  out.reserve(sizeof...(args));
  (out.emplace_back(std::forward<Args>(args)), ...);
  return out;
}

}  // namespace maru::store
