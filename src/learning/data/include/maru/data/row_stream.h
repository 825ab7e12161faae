#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/data/engine.h"
#include "maru/data/table.h"

namespace maru::data {

// What makes one row unusable as it stands in its file.
struct RowProblem {
  std::size_t row = 0;  // within the piece
  std::string reason;
};

struct StreamColumn {
  std::string name;
  ColumnType type = ColumnType::kText;
};

// The rows of files or of a snapshot, in order, piece by piece. Parquet keeps its types (small integers become 64 bits wide, FLOAT becomes double); cells of
// CSV and TSV stay the texts they are, as in a request; JSON and ARFF are read whole. A ragged row of CSV is padded or cut and named as a problem: it
// is still one row. The first row of CSV and TSV names the columns. No rows are fine. Not thread safe.
class RowStream {
 public:
  virtual ~RowStream() = default;
  static base::Result<std::unique_ptr<RowStream>> open_files(
      Engine& engine, const std::vector<std::string>& sources, base::Context& context);
  // Of Datasets::relation().
  static base::Result<std::unique_ptr<RowStream>> open_relation(Engine& engine,
                                                                const std::string& relation);
  virtual const std::vector<StreamColumn>& columns() const = 0;
  virtual double fraction() const = 0;  // of the whole that was read, [0, 1]
  // The next `most` rows, or what is left: no rows at the end.
  virtual base::Result<Table> next(std::size_t most, std::vector<RowProblem>& problems) = 0;
};

// Names, sizes, times of change and the edges of the files: differs when they were written again.
base::Result<std::string> files_mark(const std::vector<std::string>& sources);

}  // namespace maru::data
