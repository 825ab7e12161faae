#include <algorithm>
#include <cmath>
#include <map>

#include "culprits.h"
#include "distribution.h"
#include "numbers.h"

#include "maru/base/number_text.h"

namespace maru::stats {
namespace {

using base::Json;
using data::Column;
using data::ColumnType;

constexpr std::size_t kMostColumns = 40;  // 780 pairs
constexpr std::size_t kMostRows = 50'000;
constexpr std::size_t kMostValues = 10;  // of a text column; the others are one more
constexpr double kIdShare = 0.5;         // distinct share from which text says who, not what
constexpr double kLeastExpected = 5;     // rows of the smaller side in a cell
constexpr double kVisible = 0.1;  // effect below which a change of the joint cells does not matter
constexpr std::size_t kMostNamed = 5;

// A column as a small number a row; 0 is missing.
struct Binned {
  std::string name;
  std::vector<std::uint8_t> before, after;
  std::size_t bins = 1;
};

std::size_t stride_of(std::size_t rows) { return rows / kMostRows + 1; }

std::vector<double> edges_of(const Column& column) {
  std::vector<double> values;
  for (std::size_t r = 0; r < column.rows(); r += stride_of(column.rows()))
    if (const double v = column.number(r); !std::isnan(v)) values.push_back(v);
  std::sort(values.begin(), values.end());
  std::vector<double> out;
  for (std::size_t i = 1; i < 8 && !values.empty(); ++i) {
    const double edge = values[i * (values.size() - 1) / 8];
    if (out.empty() || edge > out.back()) out.push_back(edge);
  }
  return out;
}

std::vector<std::uint8_t> bin_numbers(const Column& column, const std::vector<double>& edges) {
  std::vector<std::uint8_t> out;
  for (std::size_t r = 0; r < column.rows(); r += stride_of(column.rows())) {
    const double v = column.number(r);
    const auto at = std::lower_bound(edges.begin(), edges.end(), v) - edges.begin();
    out.push_back(static_cast<std::uint8_t>(std::isnan(v) ? 0 : at + 1));
  }
  return out;
}

std::vector<std::uint8_t> bin_text(const Column& column,
                                   const std::map<std::string, std::uint8_t>& places) {
  std::vector<std::uint8_t> by_code;
  for (const std::string& value : column.dictionary) {
    const auto at = places.find(value);
    by_code.push_back(at == places.end() ? static_cast<std::uint8_t>(kMostValues + 1) : at->second);
  }
  std::vector<std::uint8_t> out;
  for (std::size_t r = 0; r < column.rows(); r += stride_of(column.rows())) {
    const std::int32_t code = column.codes[r];
    out.push_back(code < 0 ? std::uint8_t{0} : by_code[static_cast<std::size_t>(code)]);
  }
  return out;
}

// False when the column has nothing that could relate.
bool bin(const Column& before, const Column& after, Binned& out) {
  if ((before.type == ColumnType::kText) != (after.type == ColumnType::kText)) return false;
  out.name = before.name;
  if (before.type != ColumnType::kText) {
    const std::vector<double> edges = edges_of(before);
    if (edges.empty()) return false;
    out.bins = edges.size() + 2;
    out.before = bin_numbers(before, edges);
    out.after = bin_numbers(after, edges);
    return true;
  }
  const Counts counts = Counts::of(before);
  if (static_cast<double>(counts.values.size()) > kIdShare * counts.total) return false;
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [value, count] : counts.values) order.emplace_back(-count, value);
  std::sort(order.begin(), order.end());
  std::map<std::string, std::uint8_t> places;
  for (std::size_t i = 0; i < std::min(kMostValues, order.size()); ++i)
    places.emplace(order[i].second, static_cast<std::uint8_t>(i + 1));
  out.bins = kMostValues + 2;
  out.before = bin_text(before, places);
  out.after = bin_text(after, places);
  return true;
}

std::vector<double> cells_of(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b,
                             std::size_t rows, std::size_t columns) {
  std::vector<double> out(rows * columns, 0.0);
  for (std::size_t r = 0; r < a.size(); ++r) ++out[a[r] * columns + b[r]];
  return out;
}

// Cramér's V of one table with the correction of Bergsma 2013, so that chance alone gives 0.
double association(const std::vector<double>& cells, std::size_t rows, std::size_t columns) {
  std::vector<double> by_row(rows, 0.0), by_column(columns, 0.0);
  double n = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const double count = cells[i * columns + j];
      by_row[i] += count;
      by_column[j] += count;
      n += count;
    }
  if (n < 2) return 0;
  double phi2 = -1;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      if (const double count = cells[i * columns + j]; count > 0)
        phi2 += count * count / (by_row[i] * by_column[j]);
  const auto used = [](const std::vector<double>& sums) {
    return static_cast<double>(
        std::count_if(sums.begin(), sums.end(), [](double s) { return s > 0; }));
  };
  const double r = used(by_row), c = used(by_column);
  if (r < 2 || c < 2) return 0;
  phi2 = std::max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1));
  const double r2 = r - (r - 1) * (r - 1) / (n - 1), c2 = c - (c - 1) * (c - 1) / (n - 1);
  return std::min(1.0, std::sqrt(phi2 / std::max(1e-9, std::min(r2, c2) - 1)));
}

// Pearson's test that both sides fill the cells of the pair alike, and its effect without the bias (Bergsma 2013). Cells in which the smaller
// side can expect fewer than five rows count as one.
struct SameCells {
  double p = 1, effect = 0;
};
SameCells same_cells(const std::vector<double>& a, const std::vector<double>& b) {
  double n = 0, m = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    n += a[i];
    m += b[i];
  }
  if (n == 0 || m == 0) return {};
  const double least = std::min(n, m) / (n + m);
  std::vector<double> old_cells(1, 0.0), new_cells(1, 0.0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((a[i] + b[i]) * least >= kLeastExpected) {
      old_cells.push_back(a[i]);
      new_cells.push_back(b[i]);
    } else {
      old_cells[0] += a[i];
      new_cells[0] += b[i];
    }
  }
  const BinMeasures test = bin_measures(old_cells, new_cells);
  if (test.chi2_dof < 2) return {};
  return {test.chi2_p, std::sqrt(std::max(0.0, test.chi2 / (n + m) - test.chi2_dof / (n + m - 1)))};
}

}  // namespace

Json find_broken_relations(const data::Table& reference, const data::Table& current,
                           const DriftReport& report, const DriftOptions& options) {
  Json out = Json::array();
  if (reference.rows() < options.min_rows || current.rows() < options.min_rows) return out;
  std::vector<Binned> columns;
  for (const Column& column : reference.columns) {
    const auto judged =
        std::find_if(report.columns.begin(), report.columns.end(),
                     [&column](const ColumnDrift& d) { return d.name == column.name; });
    const Column* after = current.find(column.name);
    if (columns.size() == kMostColumns || after == nullptr || judged == report.columns.end() ||
        judged->drift)
      continue;
    Binned binned;
    if (bin(column, *after, binned)) columns.push_back(std::move(binned));
  }
  struct Broken {
    double change, before, after;
    std::string first, second;
  };
  std::vector<Broken> found;
  const auto count = static_cast<double>(columns.size());
  const double alpha = options.alpha / std::max(1.0, count * (count - 1) / 2);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (std::size_t j = i + 1; j < columns.size(); ++j) {
      const Binned &a = columns[i], &b = columns[j];
      const std::vector<double> old_cells = cells_of(a.before, b.before, a.bins, b.bins),
                                new_cells = cells_of(a.after, b.after, a.bins, b.bins);
      const double before = association(old_cells, a.bins, b.bins),
                   after = association(new_cells, a.bins, b.bins);
      const SameCells same = same_cells(old_cells, new_cells);
      if (same.effect >= kVisible && same.p < alpha)
        found.push_back({same.effect, before, after, a.name, b.name});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Broken& a, const Broken& b) { return a.change > b.change; });
  if (found.size() > kMostNamed) found.resize(kMostNamed);
  for (const Broken& pair : found)
    out.push(Json::object(
        {{"column", pair.first},
         {"slice", pair.second},
         {"kind", "relation"},
         {"explanation", "neither moved alone, but " + pair.first + " and " + pair.second +
                             " no longer go together as before: association " +
                             base::format_fixed(pair.before, 2) + ", now " +
                             base::format_fixed(pair.after, 2)},
         {"share", std::min(1.0, pair.change)}}));
  return out;
}

}  // namespace maru::stats
