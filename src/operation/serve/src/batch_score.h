#pragma once
#include <string>
#include <vector>

#include "batch_files.h"
#include "maru/serve/batch.h"

namespace maru::serve {

// Rows to rows with answers: what a worker does with a shard. Immutable; thread safe.
class ShardScorer {
 public:
  // kInvalidArgument for a column that is to be kept and is not there, or that the model needs.
  static base::Result<ShardScorer> make(const BatchSpec& spec,
                                        const std::vector<data::StreamColumn>& input);
  const std::vector<data::StreamColumn>& columns() const { return columns_; }
  // `first_row`: the number of the shard's first row in the input, from 1.
  base::Result<ScoredShard> score(data::Table rows, const std::vector<data::RowProblem>& problems,
                                  std::uint64_t first_row, const BatchFiles& files) const;

 private:
  explicit ShardScorer(const BatchSpec& spec) : spec_(&spec) {}
  std::string free_name(std::string name) const;
  base::Result<std::vector<data::Column>> answers(const data::Table& rows,
                                                  std::vector<std::string>& faults) const;

  const BatchSpec* spec_;
  std::vector<std::string> kept_;
  std::vector<data::StreamColumn> columns_;  // kept ones, then the answer's
};

}  // namespace maru::serve
