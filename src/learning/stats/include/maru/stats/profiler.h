#pragma once
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/data/cell_stream.h"
#include "maru/stats/profile.h"

namespace maru::stats {

struct ProfileOptions {
  std::size_t threads = 2;
  std::size_t exact_values = 32'768;  // a column with more distinct values is sketched
  bool associations = true;           // and outlying rows
  bool nan_is_missing = false;
  std::string label;   // every column's mutual information with it
  std::string weight;  // a numeric column: weighted mean and deviation of every column
  std::vector<std::string> slice_by;  // a profile for each of the commonest values of these
  std::size_t slices = 20;            // values a column
};

// One pass over the stream by `threads` threads, each with its own sums, merged at the end. Memory does not grow with the rows: at most about 3 MiB a column and
// thread, 40 MiB for all. Cancelled by the context.
base::Result<Profile> profile_stream(data::CellStream& stream, const ProfileOptions& options,
                                     base::Context& context);
// The profile that is stored beside a snapshot; made in one pass over its rows, and stored, when there is none. NaN counts as missing (and as `nan`).
base::Result<Profile> profile_snapshot(data::Datasets& datasets, data::Engine& engine,
                                       const data::Snapshot& snapshot, base::Context& context);
}  // namespace maru::stats
