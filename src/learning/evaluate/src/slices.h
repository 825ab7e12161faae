#pragma once
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/data/table.h"

namespace maru::evaluate {

inline constexpr std::size_t kMaxSlicesAColumn = 50, kMinSliceRows = 30, kMaxSliceValues = 20;

struct Slice {
  std::string column, value;
  std::vector<std::uint32_t> rows;
};

// Groups of rows by the values of one column, largest first: text, bool and numbers with few values by value, other numbers and times by quartile.
// Missing values are a slice of their own. Groups under kMinSliceRows rows are left out.
base::Result<std::vector<Slice>> slices_of(const data::Table& table, const std::string& column);

}  // namespace maru::evaluate
