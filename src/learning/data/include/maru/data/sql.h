#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"
#include "maru/data/row_stream.h"

namespace maru::data {

struct SqlOptions {
  std::string project = "default";
  std::uint64_t max_rows = 0;  // 0: all; then truncated() says whether there were more
  std::int64_t timeout_ms = 60'000;
  std::uint64_t memory_bytes = 1ull << 30;  // more spills to disk
  std::string temp_folder;
  std::size_t threads = 2;
};

inline constexpr std::size_t kMaxSqlBytes = 1 << 20;

// One SELECT over datasets by their names ("sales", "sales@3", "sales@gold", any selector of Datasets::resolve), running in an engine of its own that sees the
// parts of the named snapshots and no other file, no network and no setting: whoever may read datasets may send any text. Text that is not one SELECT (or EXPLAIN),
// a name that is no dataset (with near names), more than `timeout_ms` or a cancelled context are errors; so is reaching for a file. One thread at a time.
class SqlQuery {
 public:
  static base::Result<std::unique_ptr<SqlQuery>> open(Datasets& datasets, const std::string& sql,
                                                      const SqlOptions& options,
                                                      base::Context& context);
  virtual ~SqlQuery() = default;
  // Names differ: a second `x` is `x_2`. Types without a column of their own are text.
  virtual const std::vector<StreamColumn>& columns() const = 0;
  // What the text names, as written there: the snapshots that it reads.
  virtual const std::map<std::string, Snapshot>& inputs() const = 0;
  // The next rows, about `most`; none at the end.
  virtual base::Result<Table> next(std::size_t most) = 0;
  virtual bool truncated() const = 0;
};

// The snapshots that a text names, without running it; names that are none are left out.
base::Result<std::map<std::string, Snapshot>> sql_inputs(Datasets& datasets, const std::string& sql,
                                                         const std::string& project);

struct MaterialiseSpec {
  std::string project = "default", dataset, sql, run_id;
  bool append = false;
  std::string key;  // of an append
  // Of an append: runs in its transaction (AppendSpec).
  std::function<base::Status(store::Writer&, const Snapshot&)> in_transaction;
};
// The rows of a SELECT, run as SqlQuery does, as a new snapshot of a dataset; its `source` names the snapshots that were read ("sales@3, cities@1"), its `query` the
// text. No rows are kInvalidArgument.
base::Result<ImportResult> materialise(Datasets& datasets, const MaterialiseSpec& spec,
                                       const SqlOptions& options, base::Context& context);

}  // namespace maru::data
