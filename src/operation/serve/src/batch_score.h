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
  base::Status use_columns(const std::vector<std::string>& names);
  base::Status use_tensors(const std::vector<std::string>& names);
  base::Result<std::vector<data::Column>> answers(const data::Table& rows,
                                                  std::vector<std::string>& faults) const;
  // What the model says to some rows, behind `out`; kInvalidArgument when it refuses one of them.
  base::Status score_block(const data::Table& rows, std::size_t from, std::size_t count,
                           std::vector<std::string>& faults, std::vector<data::Column>& out) const;

  const BatchSpec* spec_;
  std::vector<std::string> kept_;
  std::vector<data::StreamColumn> columns_;  // kept ones, then the answer's
  std::vector<std::string> fed_;             // columns of a model of tensors
  std::size_t block_rows_ = 1;
};

}  // namespace maru::serve
