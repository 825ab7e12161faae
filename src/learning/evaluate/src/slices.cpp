#include "slices.h"

#include <algorithm>
#include <map>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/text.h"

namespace maru::evaluate {
namespace {

const char* const kMissing = "(missing)";

std::string show(const data::Column& column, double value) {
  if (column.type == data::ColumnType::kTimestamp)
    return base::format_time_us(static_cast<std::int64_t>(value));
  return base::format_double(value);
}

// Values of a numeric column -> names of at most four quartile ranges.
std::vector<std::pair<double, std::string>> ranges_of(const data::Column& column,
                                                      std::vector<double> sorted) {
  std::vector<double> ends;
  for (std::size_t q = 1; q < 4; ++q) {
    const double end = sorted[q * sorted.size() / 4];
    if (end < sorted.back() && (ends.empty() || end > ends.back())) ends.push_back(end);
  }
  std::vector<std::pair<double, std::string>> out;
  for (std::size_t i = 0; i < ends.size(); ++i)
    out.emplace_back(ends[i],
                     i == 0 ? "<= " + show(column, ends[i])
                            : "(" + show(column, ends[i - 1]) + ", " + show(column, ends[i]) + "]");
  out.emplace_back(sorted.back(), ends.empty() ? "<= " + show(column, sorted.back())
                                               : "> " + show(column, ends.back()));
  return out;
}

std::vector<std::string> names_of(const data::Column& column) {
  const std::size_t rows = column.rows();
  std::vector<std::string> out(rows, kMissing);
  if (column.type == data::ColumnType::kText || column.type == data::ColumnType::kBool) {
    for (std::size_t r = 0; r < rows; ++r)
      if (column.is_valid(r)) out[r] = column.display(r);
    return out;
  }
  std::vector<double> values;
  for (std::size_t r = 0; r < rows; ++r)
    if (column.is_valid(r)) values.push_back(column.number(r));
  std::sort(values.begin(), values.end());
  if (values.empty()) return out;
  std::vector<double> distinct = values;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() <= kMaxSliceValues) {
    for (std::size_t r = 0; r < rows; ++r)
      if (column.is_valid(r)) out[r] = column.display(r);
    return out;
  }
  const auto ranges = ranges_of(column, std::move(values));
  for (std::size_t r = 0; r < rows; ++r) {
    if (!column.is_valid(r)) continue;
    std::size_t i = 0;
    while (i + 1 < ranges.size() && column.number(r) > ranges[i].first) ++i;
    out[r] = ranges[i].second;
  }
  return out;
}

}  // namespace

base::Result<std::vector<Slice>> slices_of(const data::Table& table, const std::string& name) {
  const data::Column* column = table.find(name);
  if (column == nullptr) {
    std::vector<std::string> known;
    for (const data::Column& c : table.columns) known.push_back(c.name);
    return base::fail(base::Code::kInvalidArgument, "there is no column to slice by: " + name,
                      base::did_you_mean(name, known));
  }
  std::map<std::string, std::vector<std::uint32_t>> groups;
  const std::vector<std::string> names = names_of(*column);
  for (std::size_t r = 0; r < names.size(); ++r)
    groups[names[r]].push_back(static_cast<std::uint32_t>(r));
  std::vector<Slice> out;
  for (auto& [value, rows] : groups)
    if (rows.size() >= kMinSliceRows) out.push_back({name, value, std::move(rows)});
  std::stable_sort(out.begin(), out.end(),
                   [](const Slice& a, const Slice& b) { return a.rows.size() > b.rows.size(); });
  if (out.size() > kMaxSlicesAColumn) out.resize(kMaxSlicesAColumn);
  return out;
}

}  // namespace maru::evaluate
