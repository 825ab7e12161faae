#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"
#include "maru/data/engine.h"
#include "maru/data/row_stream.h"
#include "maru/data/table.h"

namespace maru::data {

// One column of a block: exactly one of the three stores is set, as StreamColumn::type says (texts: text; reals: float; integers: the rest).
struct CellColumn {
  const std::string_view* texts = nullptr;  // empty or only spaces and tabs: missing
  const std::int64_t* integers = nullptr;
  const double* reals = nullptr;
  const std::uint64_t* valid = nullptr;  // a bit a row; null: all are
  bool is_valid(std::size_t row) const {
    return valid == nullptr || (valid[row / 64] >> (row % 64) & 1u) != 0;
  }
};

// Some rows as they lie in memory; owns what its columns point to until it is filled again. One thread at a time.
struct CellBlock {
  CellBlock();
  ~CellBlock();
  CellBlock(CellBlock&&) noexcept;
  CellBlock& operator=(CellBlock&&) noexcept;
  std::size_t number = 0;  // 0, 1, ... in the order of the rows
  std::size_t rows = 0;
  std::vector<CellColumn> columns;
  std::uint64_t ragged = 0;              // rows that were padded or cut
  std::vector<std::size_t> ragged_rows;  // the first five of them
  struct Storage;
  std::unique_ptr<Storage> storage;
};

// Rows for reading once, as fast as they come, by several threads: next() hands each caller the next block of a file or a snapshot, and whoever has it works on it
// alone. Memory: about 1 MiB a thread, however long the input is; a packed file, one that is not UTF-8, JSON and ARFF are read whole. Cells of CSV and TSV are
// the texts of the file (raw() is true); other sources keep their types. Errors as of Datasets.
class CellStream {
 public:
  virtual ~CellStream() = default;
  static base::Result<std::unique_ptr<CellStream>> open_files(Engine& engine,
                                                              const ImportSpec& spec,
                                                              base::Context& context);
  static base::Result<std::unique_ptr<CellStream>> open_relation(Engine& engine,
                                                                 const std::string& relation);
  static std::unique_ptr<CellStream> of(const Table& table);  // which must outlive it
  virtual const std::vector<StreamColumn>& columns() const = 0;
  virtual bool raw() const = 0;
  virtual std::vector<std::string> notes() const { return {}; }
  // False at the end. Thread safe, each thread with a block of its own.
  virtual base::Result<bool> next(CellBlock& block) = 0;
};

}  // namespace maru::data
