#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/context.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/data/row_stream.h"
#include "maru/model/model.h"

namespace maru::serve {

inline constexpr std::size_t kBatchShardRows = 65'536;

struct BatchSpec {
  std::string model;
  int version = 0;
  std::shared_ptr<const model::Bundle> bundle;
  std::string model_mark, input_mark;  // texts that differ when the model or the input does
  std::string output;                  // .csv, .jsonl or .parquet
  std::string errors;                  // "": OUTPUT.errors.csv, only if a row was bad
  bool all_columns = true;             // of the input stand before the answer's; else `columns`
  std::vector<std::string> columns;
  bool overwrite = false;
  std::size_t shard_rows = kBatchShardRows;
  std::size_t threads = 0;  // that score; 0: one a core
};

struct BatchReport {
  std::uint64_t rows = 0, failed = 0;
  std::uint64_t resumed_rows = 0;  // were there from an earlier try
  double seconds = 0;              // of this try
  double cpu_seconds = 0;          // of all tries
  std::string errors;              // where the bad rows are told; "" when there are none
  std::string note;                // why an earlier try was not gone on with
};

// Scores all rows of `input` into `output`: one row for each, in order, with the numbers that an online call gives for it. A row that such a call would
// refuse has no answer in `output`, and stands in `errors` with its number (from 1) and the reason. Work is done shard by shard: each is on disk in OUTPUT.part
// before it counts in OUTPUT.batch, so the next call with the same model, input and columns goes on after the last one, whatever ended this one; when
// anything differs, it begins anew and says why. OUTPUT appears whole, at the end. kAlreadyExists: `output` is there and may not be overwritten; kUnavailable:
// another call writes it.
base::Result<BatchReport> run_batch(const BatchSpec& spec, data::RowStream& input,
                                    base::Context& context, const base::ProgressSink& progress = {},
                                    base::Clock& clock = base::system_clock());

}  // namespace maru::serve
