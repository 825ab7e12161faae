#include "associations.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

namespace maru::stats {
namespace {

using data::ColumnType;

constexpr std::size_t kColumns = 64;      // pairs are looked for among so many columns
constexpr std::size_t kCategories = 200;  // more values are not crossed
constexpr std::size_t kListed = 600;      // strongest associations kept
constexpr std::size_t kLabelBins = 20;

struct Codes {
  std::vector<std::int32_t> of;  // -1: missing
  std::size_t count = 0;
};

Codes codes_of(const RowSample::Column& column, std::size_t most) {
  Codes out;
  std::unordered_map<std::uint32_t, std::int32_t> seen;
  out.of.reserve(column.keys.size());
  for (const auto key : column.keys) {
    if (key == 0) {
      out.of.push_back(-1);
      continue;
    }
    const auto [at, fresh] = seen.emplace(key, static_cast<std::int32_t>(seen.size()));
    if (fresh && seen.size() > most) return {};
    out.of.push_back(at->second);
  }
  out.count = seen.size();
  return out;
}

// Numbers in equally filled bins.
Codes bins_of(const std::vector<double>& numbers) {
  std::vector<double> sorted;
  for (const double v : numbers)
    if (!std::isnan(v)) sorted.push_back(v);
  std::sort(sorted.begin(), sorted.end());
  Codes out;
  if (sorted.empty()) return out;
  std::vector<double> edges;
  for (std::size_t i = 1; i < kLabelBins; ++i) {
    const double edge = sorted[i * sorted.size() / kLabelBins];
    if (edges.empty() || edge > edges.back()) edges.push_back(edge);
  }
  for (const double v : numbers)
    out.of.push_back(std::isnan(v)
                         ? -1
                         : static_cast<std::int32_t>(
                               std::upper_bound(edges.begin(), edges.end(), v) - edges.begin()));
  out.count = edges.size() + 1;
  return out;
}

struct Crossed {
  double rows = 0, v = 0, corrected = 0, information = 0;
};

Crossed cross(const Codes& a, const Codes& b) {
  std::vector<double> cells(a.count * b.count, 0), left(a.count, 0), right(b.count, 0);
  Crossed out;
  for (std::size_t i = 0; i < a.of.size(); ++i) {
    if (a.of[i] < 0 || b.of[i] < 0) continue;
    const auto x = static_cast<std::size_t>(a.of[i]), y = static_cast<std::size_t>(b.of[i]);
    ++cells[x * b.count + y];
    ++left[x];
    ++right[y];
    ++out.rows;
  }
  if (out.rows == 0) return out;
  double chi2 = 0;
  for (std::size_t x = 0; x < a.count; ++x) {
    for (std::size_t y = 0; y < b.count; ++y) {
      if (left[x] == 0 || right[y] == 0) continue;
      const double expected = left[x] * right[y] / out.rows, seen = cells[x * b.count + y];
      chi2 += (seen - expected) * (seen - expected) / expected;
      if (seen > 0) out.information += seen / out.rows * std::log(seen / expected);
    }
  }
  const auto used = [](const std::vector<double>& n) {
    return static_cast<double>(std::count_if(n.begin(), n.end(), [](double v) { return v > 0; }));
  };
  const double r = used(left), k = used(right), n = out.rows;
  if (std::min(r, k) < 2) return out;
  out.v = std::sqrt(chi2 / n / (std::min(r, k) - 1));
  const double phi = std::max(0.0, chi2 / n - (r - 1) * (k - 1) / (n - 1));
  const double rb = r - (r - 1) * (r - 1) / (n - 1), kb = k - (k - 1) * (k - 1) / (n - 1);
  out.corrected = std::min(rb, kb) > 1 ? std::sqrt(phi / (std::min(rb, kb) - 1)) : 0;
  return out;
}

double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mx = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double my = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - mx, dy = y[i] - my;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return xx > 0 && yy > 0 ? std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0) : std::nan("");
}

// Ranks from 1, the mean rank for ties; NaN stays.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<std::uint32_t> order;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i])) order.push_back(static_cast<std::uint32_t>(i));
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size(), std::nan(""));
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && values[order[j]] == values[order[i]]) ++j;
    const double rank = (static_cast<double>(i + j) + 1) / 2;
    for (; i < j; ++i) out[order[i]] = rank;
  }
  return out;
}

class Finder {
 public:
  Finder(Profile& profile, const RowSample& sample) : profile_(profile), sample_(sample) {}

  void run(const std::string& label) {
    for (std::size_t c = 0; c < profile_.columns.size(); ++c) sort_out(c);
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      for (std::size_t j = i + 1; j < numbers_.size(); ++j) two_numbers(numbers_[i], numbers_[j]);
    }
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      for (std::size_t j = i + 1; j < texts_.size(); ++j) two_texts(texts_[i], texts_[j]);
      for (const std::size_t number : numbers_) mixed(number, texts_[i]);
    }
    std::stable_sort(found_.begin(), found_.end(), [](const Association& a, const Association& b) {
      return std::fabs(a.value) > std::fabs(b.value);
    });
    if (found_.size() > kListed) found_.resize(kListed);
    with_label(label);
    profile_.associations = std::move(found_);
    equal_columns();
  }

 private:
  const ColumnProfile& column(std::size_t c) const { return profile_.columns[c]; }
  const RowSample::Column& rows(std::size_t c) const { return sample_.columns[c]; }

  void sort_out(std::size_t c) {
    const ColumnProfile& p = column(c);
    if (p.distinct < 2) return;
    const bool number = p.type == ColumnType::kInteger || p.type == ColumnType::kFloat;
    if (number && p.meaning != "id" && numbers_.size() < kColumns) {
      numbers_.push_back(c);
      whole_[c] = std::none_of(rows(c).numbers.begin(), rows(c).numbers.end(),
                               [](double v) { return std::isnan(v); });
      ranks_[c] = ranks_of(rows(c).numbers);
    }
    const bool few = p.distinct <= kCategories &&
                     (!number || p.distinct <= 40 || p.meaning == "categorical_code");
    if (few && p.type != ColumnType::kTimestamp && texts_.size() < kColumns) {
      codes_[c] = codes_of(rows(c), kCategories);
      if (codes_[c].count > 1) texts_.push_back(c);
    }
  }

  void add(std::size_t a, std::size_t b, const char* measure, double value, double rows) {
    if (std::isfinite(value))
      found_.push_back(
          {column(a).name, column(b).name, measure, value, static_cast<std::uint64_t>(rows)});
  }

  void two_numbers(std::size_t a, std::size_t b) {
    const auto& left = rows(a).numbers;
    const auto& right = rows(b).numbers;
    if (whole_[a] && whole_[b]) {
      add(a, b, "pearson", pearson(left, right), static_cast<double>(left.size()));
      add(a, b, "spearman", pearson(ranks_[a], ranks_[b]), static_cast<double>(left.size()));
      return;
    }
    std::vector<double> x, y;
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (std::isnan(left[i]) || std::isnan(right[i])) continue;
      x.push_back(left[i]);
      y.push_back(right[i]);
    }
    if (x.size() < 3) return;
    add(a, b, "pearson", pearson(x, y), static_cast<double>(x.size()));
    add(a, b, "spearman", pearson(ranks_of(x), ranks_of(y)), static_cast<double>(x.size()));
  }

  void two_texts(std::size_t a, std::size_t b) {
    const Crossed crossed = cross(codes_[a], codes_[b]);
    if (crossed.rows < 3) return;
    add(a, b, "cramers_v", crossed.v, crossed.rows);
    add(a, b, "cramers_v_corrected", crossed.corrected, crossed.rows);
  }

  void mixed(std::size_t number, std::size_t text) {
    if (number == text) return;
    const Codes& codes = codes_[text];
    const auto& values = rows(number).numbers;
    std::vector<double> sums(codes.count, 0), counts(codes.count, 0);
    double n = 0, sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (codes.of[i] < 0 || std::isnan(values[i])) continue;
      sums[static_cast<std::size_t>(codes.of[i])] += values[i];
      ++counts[static_cast<std::size_t>(codes.of[i])];
      sum += values[i];
      ++n;
    }
    if (n < 3) return;
    const double mean = sum / n;
    double between = 0, total = 0;
    for (std::size_t g = 0; g < codes.count; ++g) {
      if (counts[g] == 0) continue;
      const double d = sums[g] / counts[g] - mean;
      between += counts[g] * d * d;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (codes.of[i] < 0 || std::isnan(values[i])) continue;
      total += (values[i] - mean) * (values[i] - mean);
    }
    if (total > 0) add(number, text, "eta_squared", between / total, n);
  }

  Codes binned(std::size_t c) const {
    const ColumnProfile& p = column(c);
    const bool number = p.type != ColumnType::kText && p.type != ColumnType::kBool;
    if (!number || p.distinct <= kLabelBins) return codes_of(rows(c), kCategories);
    return bins_of(rows(c).numbers);
  }

  void with_label(const std::string& label) {
    std::size_t at = 0;
    while (at < profile_.columns.size() && column(at).name != label) ++at;
    if (label.empty() || at == profile_.columns.size()) return;
    const Codes target = binned(at);
    if (target.count < 2) return;
    for (std::size_t c = 0; c < profile_.columns.size(); ++c) {
      if (c == at || column(c).distinct < 2) continue;
      const Codes codes = binned(c);
      if (codes.count < 2) continue;
      const Crossed crossed = cross(codes, target);
      add(c, at, "mutual_information", crossed.information, crossed.rows);
    }
  }

  void equal_columns() {
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> same;
    for (std::size_t c = 0; c < profile_.columns.size(); ++c) {
      if (column(c).distinct < 2) continue;
      std::uint64_t hash = 0;
      for (const auto key : rows(c).keys) hash = mix64(hash ^ key) + key;
      same[hash].push_back(c);
    }
    for (const auto& [hash, group] : same) {
      if (group.size() < 2) continue;
      std::vector<std::string> names;
      for (const auto c : group) names.push_back(column(c).name);
      profile_.equal_columns.push_back(std::move(names));
    }
    std::sort(profile_.equal_columns.begin(), profile_.equal_columns.end());
  }

  Profile& profile_;
  const RowSample& sample_;
  std::vector<std::size_t> numbers_, texts_;
  std::unordered_map<std::size_t, bool> whole_;
  std::unordered_map<std::size_t, std::vector<double>> ranks_;
  std::unordered_map<std::size_t, Codes> codes_;
  std::vector<Association> found_;
};

}  // namespace

void find_associations(Profile& profile, RowSample& sample, const std::string& label,
                       const RowOf& row_of) {
  profile.sample_rows = sample.rows.size();
  if (sample.rows.size() < 3) return;
  Finder(profile, sample).run(label);
  find_row_outliers(profile, sample, row_of);
}

}  // namespace maru::stats
