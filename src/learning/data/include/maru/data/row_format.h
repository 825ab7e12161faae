#pragma once
#include <memory>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/row_stream.h"
#include "maru/data/table.h"

namespace maru::data {

struct EncodedRows {
  std::string bytes;
  base::Json layout;  // what tail() needs to know of them
};

// A file of rows that is written group by group: head, groups, tail, one after the other. The same tables give the same bytes, whenever and by whomever each
// is encoded, so a writer that was cut off goes on behind the last whole group. CSV (RFC 4180), JSON lines, or Parquet (a row group a table; zstd).
// Immutable; thread safe.
class RowFormat {
 public:
  // By the ending of `path`.
  static base::Result<std::unique_ptr<RowFormat>> open(const std::string& path,
                                                       std::vector<StreamColumn> columns);
  virtual ~RowFormat() = default;
  virtual std::string head() const = 0;
  virtual base::Result<EncodedRows> encode(const Table& rows) const = 0;  // of the same columns
  virtual std::string tail(const std::vector<base::Json>& layouts) const = 0;
};

}  // namespace maru::data
