#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"
#include "maru/store/database.h"

namespace maru::store {

// What a column of somebody else's table holds, as far as reading its cells needs it.
enum class ForeignType : std::uint8_t {
  kBool,
  kInteger,   // signed, within 64 bits
  kUnsigned,  // may go beyond them
  kReal,
  kDecimal,  // exact digits, as text
  kText,
  kTime,     // a date, or a date and a time without a zone
  kInstant,  // with a zone; cells come in UTC
  kBytes
};
struct ForeignColumn {
  std::string name;
  ForeignType type = ForeignType::kText;
  std::string declared;  // in the words of that database
  int digits = 0;        // of a kDecimal; 0: not declared
  int scale = 0;
};
// A primary key of one whole number, and the ends of what is there.
struct ForeignKey {
  std::string column;
  std::int64_t low = 0, high = -1;  // high < low: no rows
};

// One session in somebody else's database, for reading whole tables: PostgreSQL (postgresql://), MariaDB or MySQL (mysql://, mariadb://), or a
// SQLite file (its path). Everything that one session and its twins read is of one state of the database, and nothing is ever changed. Cells come row by
// row as the server sends them, so a table takes no more memory than a row. kFailedPrecondition when a client library is not installed, kUnavailable when
// no server answers, kInvalidArgument when a statement is refused, kDataLoss when a connection ends early. One thread at a time; a twin is another thread's.
class ForeignTables {
 public:
  static base::Result<std::unique_ptr<ForeignTables>> open(const std::string& address);
  virtual ~ForeignTables() = default;
  virtual base::Result<std::vector<ForeignColumn>> describe(const std::string& select) = 0;
  // `select` as describe() took it. Text of numbers and times is in C's and ISO 8601's writing.
  virtual base::Status each(const std::string& select, const Visit& visit) = 0;
  // kUnimplemented where a second session cannot see the same state.
  virtual base::Result<std::unique_ptr<ForeignTables>> twin() = 0;
  // `table` may name its schema: "sales.orders".
  virtual base::Result<std::optional<ForeignKey>> key(const std::string& table) = 0;
  virtual std::string quoted(
      std::string_view table) const = 0;  // for a statement; each part of "a.b"
  virtual base::Result<std::vector<std::string>> tables() = 0;  // for "did you mean"
};

// Whether `address` names a database server that ForeignTables can read.
bool is_table_server(std::string_view address);

}  // namespace maru::store
