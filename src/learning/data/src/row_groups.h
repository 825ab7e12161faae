#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/data/cell_stream.h"
#include "maru/data/dataset.h"
#include "maru/data/engine.h"
#include "maru/data/row_stream.h"
#include "maru/data/table.h"
#include "sources.h"

namespace maru::data {

inline constexpr std::size_t kGroupTextBytes = 8u << 20;    // of text that become one row group
inline constexpr std::size_t kGroupRows = 122'880;          // of typed sources
inline constexpr std::size_t kGroupValueBytes = 64u << 20;  // of typed sources' values
inline constexpr std::uint64_t kPartBytes = 256ull << 20;   // a part is closed once it has these
inline constexpr std::size_t kMaxDeadRows = 100'000;        // ragged rows that are set apart

// Some rows on their way into a snapshot: a row group of its Parquet.
struct RowGroup {
  std::size_t number = 0;  // 0, 1, ... in the order of the rows
  Table rows;
};

// Rows of a source for several threads, in groups that do not depend on who takes them. A source whose types are only known once every row was seen assumes some and
// is read again when they were wrong.
class GroupSource {
 public:
  virtual ~GroupSource() = default;
  virtual base::Status start() = 0;                       // from the first row (again)
  virtual std::vector<StreamColumn> columns() const = 0;  // of this pass
  virtual base::Result<bool> next(RowGroup& group) = 0;   // thread safe; false at the end
  virtual bool spoiled() const { return false; }          // this pass's rows will not be used
  virtual base::Result<bool> again() { return false; }    // after the last group: start() once more
  virtual double fraction() const { return -1; }
  virtual std::vector<std::string> notes() const { return {}; }
  virtual Table dead() { return {}; }  // rows that were set apart, with file, line and reason
};

base::Result<std::unique_ptr<GroupSource>> open_groups(Engine& engine, const ImportSpec& spec,
                                                       const SourceFiles& files,
                                                       base::Context& context);
std::unique_ptr<GroupSource> delimited_groups(const std::vector<std::string>& paths,
                                              const ImportSpec& spec);
std::unique_ptr<GroupSource> table_groups(Table table);
std::unique_ptr<GroupSource> sql_groups(Engine& engine, std::string select);
base::Result<std::unique_ptr<GroupSource>> arrow_groups(const std::vector<std::string>& paths);

// All rows (or the first `limit`) in memory.
base::Result<Table> read_groups(GroupSource& source, std::uint64_t limit, base::Context& context);
// The rows as a stream of blocks, a group each, once their types are known.
base::Result<std::unique_ptr<CellStream>> group_cells(std::unique_ptr<GroupSource> source,
                                                      base::Context& context);

// A Parquet file that was written and belongs to nobody yet.
struct WrittenPart {
  std::string path;
  std::uint64_t rows = 0;
};
struct WrittenParts {
  std::vector<WrittenPart> parts;  // none after a failure
  std::vector<SnapshotColumn> columns;
  std::uint64_t rows = 0;
};

// Encodes the groups on `threads` threads into files that `next_path` names: the same rows give the same bytes, however many threads. Memory: a few groups
// a thread.
base::Result<WrittenParts> write_parts(GroupSource& source,
                                       const std::function<base::Result<std::string>()>& next_path,
                                       std::size_t threads, base::Context& context,
                                       const base::ProgressSink& progress);

}  // namespace maru::data
