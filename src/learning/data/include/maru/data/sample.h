#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"
#include "maru/data/row_stream.h"

namespace maru::data {

struct SampleSpec {
  std::uint64_t rows = 10'000;
  std::uint64_t seed = 1;
  std::string by;        // a column: all rows of a value, or none of them
  std::string stratify;  // a column: each value in the share that it has, at least one row of each
};

// Some rows of a snapshot, in its order: exactly `rows` of them (all, when there are fewer), each with the same chance; with `by` the rows of whole values, as many
// values as fit. The same snapshot, spec and build give the same rows. Streams: memory does not grow with the rows (with `stratify`: a counter a value, at most
// kMaxStrata). One thread at a time.
class Sample {
 public:
  static base::Result<std::unique_ptr<Sample>> open(Datasets& datasets, Engine& engine,
                                                    const Snapshot& snapshot,
                                                    const SampleSpec& spec, base::Context& context);
  virtual ~Sample() = default;
  virtual const std::vector<StreamColumn>& columns() const = 0;
  // About `most` rows; none at the end.
  virtual base::Result<Table> next(std::size_t most) = 0;
};
inline constexpr std::size_t kMaxStrata = 1'000'000;

}  // namespace maru::data
