#include "linear_identity.h"

#include <algorithm>
#include <cmath>

#include "maru/base/number_text.h"

namespace maru::stats {
namespace {

// Measured: the best honest linear fit of the reference sets has R² 0.93 (diamonds); a taxi fare out of total, tip and tolls has 0.991, surcharges left out.
constexpr double kFormulaR2 = 0.99;
constexpr std::size_t kMostRows = 4000, kMostColumns = 200, kFewestRows = 50;
constexpr double kRidge =
    1e-10;  // of the standardised columns' variance: collinear ones share a weight

// Standardised columns and target of some rows; column-major.
struct Rows {
  std::size_t count = 0;
  std::vector<std::vector<double>> columns;
  std::vector<double> target;
};

struct Scale {
  double mean = 0, deviation = 0;
};

Scale standardise(std::vector<double>& values) {
  Scale out;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) out.mean += v / n;
  for (const double v : values) out.deviation += (v - out.mean) * (v - out.mean) / n;
  out.deviation = std::sqrt(out.deviation);
  for (double& v : values) v = out.deviation > 0 ? (v - out.mean) / out.deviation : 0;
  return out;
}

// Solves a symmetric positive definite system in place (Cholesky); false when it is not one.
bool solve(std::vector<std::vector<double>>& a, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k];
    if (!(a[j][j] > 0)) return false;
    a[j][j] = std::sqrt(a[j][j]);
    for (std::size_t i = j + 1; i < n; ++i) {
      for (std::size_t k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k];
      a[i][j] /= a[j][j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k][i] * b[k];
    b[i] /= a[i][i];
  }
  return true;
}

// Weights of the chosen columns, fitted on even rows; empty when there are none.
std::vector<double> fit_even(const Rows& rows, const std::vector<std::size_t>& chosen) {
  const std::size_t d = chosen.size();
  std::vector<std::vector<double>> gram(d, std::vector<double>(d, 0));
  std::vector<double> weights(d, 0);
  for (std::size_t i = 0; i < d; ++i) {
    const std::vector<double>& left = rows.columns[chosen[i]];
    for (std::size_t j = 0; j <= i; ++j) {
      const std::vector<double>& right = rows.columns[chosen[j]];
      for (std::size_t r = 0; r < rows.count; r += 2) gram[i][j] += left[r] * right[r];
    }
    gram[i][i] += kRidge * static_cast<double>(rows.count);
    for (std::size_t r = 0; r < rows.count; r += 2) weights[i] += left[r] * rows.target[r];
  }
  return solve(gram, weights) ? weights : std::vector<double>{};
}

// On odd rows. The target is standardised over all rows, so its mean is about zero there.
double judge_odd(const Rows& rows, const std::vector<std::size_t>& chosen,
                 const std::vector<double>& weights) {
  if (weights.empty()) return 0;
  double wrong = 0, total = 0;
  for (std::size_t r = 1; r < rows.count; r += 2) {
    double answer = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i)
      answer += weights[i] * rows.columns[chosen[i]][r];
    wrong += (rows.target[r] - answer) * (rows.target[r] - answer);
    total += rows.target[r] * rows.target[r];
  }
  return total > 0 ? 1 - wrong / total : 0;
}

// Rows without a missing value, evenly spread.
Rows complete_rows(const std::vector<const data::Column*>& columns,
                   const std::vector<std::uint32_t>& rows, const std::vector<double>& target) {
  Rows out;
  out.columns.resize(columns.size());
  const std::size_t step = std::max<std::size_t>(1, rows.size() / kMostRows);
  for (std::size_t r = 0; r < rows.size(); r += step) {
    const bool whole = std::all_of(columns.begin(), columns.end(), [&](const data::Column* column) {
      return std::isfinite(column->number(rows[r]));
    });
    if (!whole || !std::isfinite(target[r])) continue;
    for (std::size_t c = 0; c < columns.size(); ++c)
      out.columns[c].push_back(columns[c]->number(rows[r]));
    out.target.push_back(target[r]);
  }
  out.count = out.target.size();
  return out;
}

}  // namespace

std::string LinearIdentity::text() const {
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const double weight = weights[i];
    out += i == 0 ? (weight < 0 ? "-" : "") : (weight < 0 ? " - " : " + ");
    out += base::format_significant(std::abs(weight), 4) + " * " + columns[i];
  }
  return out;
}

LinearIdentity find_linear_identity(const data::Table& table, const std::vector<std::string>& names,
                                    const std::vector<std::uint32_t>& rows,
                                    const std::vector<double>& target) {
  LinearIdentity out;
  std::vector<const data::Column*> columns;
  for (const std::string& name : names) {
    const data::Column* column = table.find(name);
    if (column != nullptr && column->type != data::ColumnType::kText) columns.push_back(column);
  }
  if (columns.size() < 2 || columns.size() > kMostColumns) return out;
  Rows seen = complete_rows(columns, rows, target);
  if (seen.count < std::max(kFewestRows, 4 * columns.size())) return out;
  std::vector<Scale> scales;
  std::vector<std::size_t> chosen;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    scales.push_back(standardise(seen.columns[c]));
    if (scales[c].deviation > 0) chosen.push_back(c);
  }
  const Scale label = standardise(seen.target);
  std::vector<double> weights = fit_even(seen, chosen);
  if (judge_odd(seen, chosen, weights) < kFormulaR2) return out;
  for (std::size_t i = chosen.size(); i-- > 0;) {
    std::vector<std::size_t> fewer = chosen;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (judge_odd(seen, fewer, fit_even(seen, fewer)) >= kFormulaR2) chosen = std::move(fewer);
  }
  weights = fit_even(seen, chosen);
  out.r2 = judge_odd(seen, chosen, weights);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    out.columns.push_back(columns[chosen[i]]->name);
    out.weights.push_back(weights[i] * label.deviation / scales[chosen[i]].deviation);
  }
  return out;
}

}  // namespace maru::stats
