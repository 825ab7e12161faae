#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "distribution.h"
#include "slices.h"

namespace maru::stats {

// Which old value became which new one.
struct Mapping {
  std::vector<std::pair<std::string, std::string>> pairs;  // commonest first
  double explained = 0;  // share of the total variation that is gone once the pairs are one
};
// Vanished values under new names: alike in share and in what they go together with in other columns.
Mapping find_renames(const Slices& slices, const data::Column& before, const data::Column& after);
// The same values, dealt anew (0 for 1 and 1 for 0), as the company they keep in other columns says; `explained` is of that company.
Mapping find_recodes(const Slices& slices, const data::Column& before, const data::Column& after);

// Text cut at a length: what is that long now began the same and went on before.
struct Truncation {
  std::size_t length = 0;  // bytes; 0: none
  double share = 0;        // of the old rows that were longer
};
Truncation find_truncation(const data::Column& before, const data::Column& after);

}  // namespace maru::stats
