#pragma once
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"
#include "maru/data/engine.h"

namespace maru::data {

struct DiffSpec {
  std::vector<std::string> key;  // columns that name a row; empty: one is looked for
  bool by_rows = false;          // no key at all: whole rows, as many times as they occur
  std::size_t examples = 5;      // of each kind; at most kMaxDiffExamples
};
inline constexpr std::size_t kMaxDiffExamples = 100;

// One column whose values differ between rows of the same key.
struct ColumnChanges {
  struct Example {
    std::vector<std::string> key;
    std::string before, after;  // as text
    bool before_missing = false, after_missing = false;
  };
  std::string column;
  std::uint64_t rows = 0;
  std::vector<Example> examples;  // the first ones in the order of the key
};

struct DiffReport {
  Snapshot before, after;
  std::vector<SnapshotColumn> new_columns, gone_columns;
  struct TypeChange {
    std::string column;
    ColumnType before, after;
  };
  std::vector<TypeChange> types;
  std::vector<std::string> key;
  bool key_found = false;  // not declared: a column that has each value once
  std::uint64_t added = 0, removed = 0, changed = 0;  // rows
  std::vector<ColumnChanges> columns;                 // most changed first
  Table added_rows, removed_rows;                     // examples
  // Parts that both snapshots have are the same rows: they are not read.
  std::uint64_t shared_parts = 0, shared_rows = 0, compared_rows = 0;
  double seconds = 0;
  base::Json to_json() const;
};

// What differs between two snapshots: columns, rows, values by key. Reads only the parts that are not shared; memory is the engine's and spills. A declared key
// that names several rows of the parts that are read, or none, is kInvalidArgument with the first such value. Rows that only swapped places are no difference.
base::Result<DiffReport> diff_snapshots(Datasets& datasets, Engine& engine, const Snapshot& before,
                                        const Snapshot& after, const DiffSpec& spec,
                                        base::Context& context);

}  // namespace maru::data
