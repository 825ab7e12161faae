#include "summary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <optional>

#include "maru/base/clock.h"
#include "maru/base/text.h"

namespace maru::stats {
namespace {

using data::ColumnType;

constexpr std::size_t kBins = 40;
constexpr std::size_t kTop = 20;
constexpr std::size_t kCategories = 1000;
constexpr std::size_t kSteps = 200;
constexpr double kProbabilities[] = {0.01, 0.05, 0.1,  0.2, 0.25, 0.3,  0.4, 0.5,
                                     0.6,  0.7,  0.75, 0.8, 0.9,  0.95, 0.99};

// Distinct numbers in order, each with how often it occurred; of a sketched column the values that its sketch kept.
struct Numbers {
  struct Item {
    double value = 0;
    double count = 0;
    std::int64_t integer = 0;
    std::uint64_t row = 0;
  };
  std::vector<Item> items;
  std::vector<double> upto;  // rows up to each item
  double total = 0;

  void settle(bool by_integer) {
    std::sort(items.begin(), items.end(), [by_integer](const Item& a, const Item& b) {
      if (by_integer && a.integer != b.integer) return a.integer < b.integer;
      return a.value != b.value ? a.value < b.value : a.row < b.row;
    });
    std::vector<Item> merged;
    for (const Item& item : items) {
      const bool same = !merged.empty() && (by_integer ? merged.back().integer == item.integer
                                                       : merged.back().value == item.value);
      if (same) {
        merged.back().count += item.count;
        merged.back().row = std::min(merged.back().row, item.row);
      } else {
        merged.push_back(item);
      }
    }
    items = std::move(merged);
    total = 0;
    upto.clear();
    for (const Item& item : items) upto.push_back(total += item.count);
  }
  // The value at 0-based place k of the ascending rows.
  double at(double k) const {
    const auto found = std::upper_bound(upto.begin(), upto.end(), k);
    return found == upto.end() ? items.back().value
                               : items[static_cast<std::size_t>(found - upto.begin())].value;
  }
  double quantile(double p) const {  // type 7, as numpy's lerp
    const double place = p * (total - 1), low = std::floor(place);
    const double a = at(low), b = at(std::min(low + 1, total - 1)), t = place - low, d = b - a;
    return t < 0.5 ? a + d * t : b - d * (1 - t);
  }
  double beyond(double low, double high) const {
    double out = 0;
    for (const Item& item : items) out += item.value < low || item.value > high ? item.count : 0;
    return out;
  }
};

ColumnType raw_type(const std::array<std::uint64_t, 7>& shapes) {
  const auto of = [&](Shape s) { return shapes[static_cast<std::size_t>(s)]; };
  std::uint64_t all = 0;
  for (const auto n : shapes) all += n;
  if (all == 0) return ColumnType::kFloat;  // nothing but missing: a number of which none is known
  if (of(Shape::kInteger) == all) return ColumnType::kInteger;
  if (of(Shape::kInteger) + of(Shape::kDigits) == all) return ColumnType::kText;
  const std::uint64_t finite = of(Shape::kInteger) + of(Shape::kDigits) + of(Shape::kReal);
  if (finite > 0 && finite + of(Shape::kSpecial) == all) return ColumnType::kFloat;
  if (of(Shape::kBool) == all) return ColumnType::kBool;
  if (of(Shape::kTime) == all) return ColumnType::kTimestamp;
  return ColumnType::kText;
}

class Summary {
 public:
  Summary(std::string name, const ColumnSums& sums, const RowOf& row_of)
      : sums_(sums), row_of_(row_of) {
    out_.name = std::move(name);
    out_.type = sums.type;
    out_.count = sums.rows;
    out_.missing = sums.missing;
    exact_ = !sums.spilled;
  }

  ColumnProfile run() {
    entries_ = sums_.values.entries();
    look_at_cells();
    out_.type = sums_.raw ? raw_type(shapes_) : sums_.type;
    numeric_ = out_.type != ColumnType::kText;
    if (numeric_)
      numbers();
    else
      texts();
    order();
    find_meaning(out_, listed_, exact_);
    return std::move(out_);
  }

 private:
  // Shapes and lengths of the kept texts; a sketched column has counted them on the way.
  void look_at_cells() {
    shapes_ = sums_.shapes;
    odd_row_ = sums_.odd_row;
    odd_text_ = sums_.odd_text;
    const bool texts = !entries_.empty() && entries_.front().text != 0;
    if (sums_.spilled || !texts) {
      if (sums_.spilled && sums_.length_max > 0) lengths_of_sketch();
      return;
    }
    double total = 0, sum = 0, squares = 0, bytes = 0;
    out_.length_min = HUGE_VAL;
    for (const auto& entry : entries_) {
      const std::string_view text = sums_.values.text(entry);
      const auto n = static_cast<double>(entry.count);
      const auto length = static_cast<double>(characters(text));
      out_.length_min = std::min(out_.length_min, length);
      out_.length_max = std::max(out_.length_max, length);
      total += n;
      sum += n * length;
      squares += n * length * length;
      bytes += n * static_cast<double>(text.size());
      const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
      if (space(text.front()) || space(text.back())) out_.trimmed += entry.count;
      if (!sums_.raw) continue;
      cells_.push_back(shape_of(text));
      shapes_[static_cast<std::size_t>(cells_.back().shape)] += entry.count;
      if (cells_.back().shape == Shape::kOther && entry.first_row < odd_row_) {
        odd_row_ = entry.first_row;
        odd_text_ = std::string(text.substr(0, 80));
      }
    }
    out_.length_mean = sum / total;
    out_.length_std =
        std::sqrt(std::max(0.0, squares / total - out_.length_mean * out_.length_mean));
    out_.bytes_mean = bytes / total;
  }

  void lengths_of_sketch() {
    const auto n = static_cast<double>(out_.count - out_.missing);
    out_.length_min = static_cast<double>(sums_.length_min);
    out_.length_max = static_cast<double>(sums_.length_max);
    out_.length_mean = static_cast<double>(sums_.length_sum) / n;
    out_.length_std =
        std::sqrt(std::max(0.0, sums_.length_squares / n - out_.length_mean * out_.length_mean));
    out_.bytes_mean = static_cast<double>(sums_.bytes_sum) / n;
    out_.trimmed = sums_.edge_spaces;
  }

  bool whole() const { return out_.type != ColumnType::kFloat; }

  std::string show(const Numbers::Item& item) const {
    if (out_.type == ColumnType::kFloat) return base::format_double(item.value);
    if (out_.type == ColumnType::kBool) return item.integer != 0 ? "true" : "false";
    if (out_.type == ColumnType::kTimestamp) return base::format_time_us(item.integer);
    return std::to_string(item.integer);
  }

  // The kept values as numbers.
  Numbers kept() const {
    Numbers out;
    out.items.reserve(entries_.size());
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const auto& entry = entries_[i];
      Numbers::Item item{0, static_cast<double>(entry.count), 0, entry.first_row};
      if (entry.text != 0) {
        const CellValue cell = cells_.empty() ? shape_of(sums_.values.text(entry)) : cells_[i];
        if (cell.shape == Shape::kOther || cell.shape == Shape::kSpecial) continue;
        item.value = cell.real == 0 ? 0.0 : cell.real;
        item.integer = cell.integer;
      } else if (sums_.type == ColumnType::kFloat) {
        item.value = std::bit_cast<double>(entry.key);
      } else {
        item.integer = static_cast<std::int64_t>(entry.key);
        item.value = static_cast<double>(item.integer);
      }
      out.items.push_back(item);
    }
    out.settle(whole());
    return out;
  }

  void numbers() {
    out_.nan = sums_.nan;
    out_.infinite = sums_.infinite + sums_.negative_infinite;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i].shape != Shape::kSpecial) continue;
      (std::isnan(cells_[i].real) ? out_.nan : out_.infinite) += entries_[i].count;
    }
    const Numbers values = kept();
    frequencies(values);
    if (exact_)
      exact_numbers(values);
    else
      sketched_numbers(values);
  }

  void frequencies(const Numbers& values) {
    if (values.items.empty()) return;
    std::vector<const Numbers::Item*> by_count;
    for (const auto& item : values.items) by_count.push_back(&item);
    std::stable_sort(by_count.begin(), by_count.end(),
                     [](const auto* a, const auto* b) { return a->count > b->count; });
    out_.mode = show(*by_count.front());
    for (const auto* item : by_count) {
      if (out_.top.size() == kTop) break;
      out_.top.push_back({show(*item), static_cast<std::uint64_t>(item->count)});
    }
    for (const auto& item : values.items) {
      if (out_.type == ColumnType::kBool)
        out_.categories.push_back({show(item), static_cast<std::uint64_t>(item.count)});
      listed_.push_back({show(item), static_cast<std::uint64_t>(item.count)});
    }
    if (exact_) {
      std::vector<double> counts;
      for (const auto& item : values.items) counts.push_back(item.count);
      evenness(counts);
    } else {
      out_.count_error = sums_.values.error();
    }
  }

  void evenness(const std::vector<double>& counts) {
    double total = 0, most = 0;
    for (const double n : counts) {
      total += n;
      most = std::max(most, n);
    }
    double squares = 0;
    for (const double n : counts) {
      const double p = n / total;
      out_.entropy -= p * std::log(p);
      squares += p * p;
      out_.mode_ties += n == most ? 1 : 0;
      out_.seen_once += n == 1 ? 1 : 0;
    }
    out_.entropy = std::max(0.0, out_.entropy);
    out_.gini = 1 - squares;
  }

  void exact_numbers(const Numbers& values) {
    out_.distinct = values.items.size();
    if (values.items.empty()) return;
    moments(values);
    for (const auto& item : values.items) {
      out_.zeros += item.value == 0 ? static_cast<std::uint64_t>(item.count) : 0;
      out_.negatives += item.value < 0 ? static_cast<std::uint64_t>(item.count) : 0;
    }
    const auto& first = values.items.front();
    const auto& last = values.items.back();
    ends(first, last);
    for (std::size_t i = 0; i < std::min(kExtremes, values.items.size()); ++i) {
      out_.low.push_back({values.items[i].value, row_of_(values.items[i].row)});
      const auto& top = values.items[values.items.size() - 1 - i];
      out_.high.push_back({top.value, row_of_(top.row)});
    }
    shape(values);
  }

  // Two passes over the distinct values in extended precision: nothing cancels. Whole numbers are summed exactly.
  void moments(const Numbers& values) {
    long double sum = 0, carry = 0;
    SignedWide whole_sum = 0;
    for (const auto& item : values.items) {
      if (whole()) {
        whole_sum += static_cast<SignedWide>(item.integer) * static_cast<std::int64_t>(item.count);
        continue;
      }
      const long double term = static_cast<long double>(item.value) * item.count - carry;
      const long double next = sum + term;
      carry = (next - sum) - term;
      sum = next;
    }
    const auto n = static_cast<long double>(values.total);
    if (whole()) sum = static_cast<long double>(whole_sum);
    const long double mean = sum / n;
    long double m2 = 0, m3 = 0, m4 = 0;
    for (const auto& item : values.items) {
      const long double value =
          whole() ? static_cast<long double>(item.integer) : static_cast<long double>(item.value);
      const long double d = value - mean, d2 = d * d;
      m2 += d2 * item.count;
      m3 += d2 * d * item.count;
      m4 += d2 * d2 * item.count;
    }
    out_.sum = static_cast<double>(sum);
    out_.mean = static_cast<double>(mean);
    fill_moments(n, m2, m3, m4);
  }

  void fill_moments(long double n, long double m2, long double m3, long double m4) {
    out_.std = static_cast<double>(std::sqrt(m2 / n));
    out_.std_sample = n > 1 ? static_cast<double>(std::sqrt(m2 / (n - 1))) : 0;
    // All values equal up to rounding: shape has no meaning, and a ratio of rounding errors would look like one.
    if (out_.std <= std::max(std::fabs(out_.mean), 1e-300) * 1e-13) return;
    out_.skewness = static_cast<double>((m3 / n) / std::pow(m2 / n, 1.5L));
    out_.kurtosis = static_cast<double>((m4 / n) / ((m2 / n) * (m2 / n)) - 3);
  }

  void ends(const Numbers::Item& first, const Numbers::Item& last) {
    out_.min = first.value;
    out_.max = last.value;
    out_.min_text = show(first);
    out_.max_text = show(last);
  }

  // Quantiles, spread, outliers and bins of ascending values with their counts.
  void shape(const Numbers& values) {
    for (const double p : kProbabilities) out_.quantiles.emplace_back(p, values.quantile(p));
    const double q1 = values.quantile(0.25), q3 = values.quantile(0.75),
                 median = values.quantile(0.5);
    out_.iqr = q3 - q1;
    Numbers distances;
    for (const auto& item : values.items) {
      Numbers::Item away = item;
      away.value = std::fabs(item.value - median);
      distances.items.push_back(away);
    }
    distances.settle(false);
    out_.mad = distances.quantile(0.5);
    out_.outliers_iqr =
        static_cast<std::uint64_t>(values.beyond(q1 - 1.5 * out_.iqr, q3 + 1.5 * out_.iqr));
    const double reach = 3.5 * 1.482602218505602 * out_.mad;
    if (out_.mad > 0)
      out_.outliers_robust =
          static_cast<std::uint64_t>(values.beyond(median - reach, median + reach));
    bins(values);
  }

  // As even in rows as may be; a value of many rows is a step of its own.
  void steps(const Numbers& values) {
    const double most = values.total / static_cast<double>(kSteps / 2);
    double rows = 0;
    for (std::size_t i = 0; i < values.items.size(); ++i) {
      rows += values.items[i].count;
      const bool last = i + 1 == values.items.size();
      if (!last && values.items.size() > kSteps && rows < most &&
          rows + values.items[i + 1].count <= most)
        continue;
      out_.steps.emplace_back(values.items[i].value, rows);
      rows = 0;
    }
  }

  void bins(const Numbers& values) {
    steps(values);
    const double low = out_.min, high = out_.max;
    if (low == high || !std::isfinite(high - low)) {
      out_.histogram = {{low, high, values.total}};
      return;
    }
    const double width = (high - low) / static_cast<double>(kBins);
    for (std::size_t i = 0; i < kBins; ++i)
      out_.histogram.push_back({low + width * static_cast<double>(i),
                                i + 1 == kBins ? high : low + width * static_cast<double>(i + 1),
                                0});
    std::size_t at = 0;
    for (const auto& item : values.items) {
      while (at + 1 < kBins && item.value > out_.histogram[at].high) ++at;
      out_.histogram[at].count += item.count;
    }
  }

  void sketched_numbers(const Numbers& frequent) {
    const double estimate = sums_.distinct.estimate();
    out_.distinct = static_cast<std::uint64_t>(std::llround(estimate));
    const std::uint64_t finite = sums_.quantiles.count();
    out_.distinct = std::clamp<std::uint64_t>(out_.distinct, frequent.items.size(), finite);
    out_.distinct_error = DistinctSketch::relative_error();
    out_.rank_error = QuantileSketch::rank_error();
    out_.zeros = sums_.zeros;
    out_.negatives = sums_.negatives;
    out_.sum = static_cast<double>(sums_.sum);
    out_.mean = sums_.moments.mean;
    fill_moments(static_cast<long double>(sums_.moments.count), sums_.moments.m2, sums_.moments.m3,
                 sums_.moments.m4);
    Numbers values;
    double before = 0;
    for (const auto& [value, below] : sums_.quantiles.cumulative()) {
      values.items.push_back({value, below - before, 0, 0});
      before = below;
    }
    if (values.items.empty()) return;
    values.settle(false);
    Numbers::Item first, last;
    first.value = sums_.low.front().value;
    last.value = sums_.high.front().value;
    first.integer = sums_.integer_min;
    last.integer = sums_.integer_max;
    ends(first, last);
    for (const auto& e : sums_.low) out_.low.push_back({e.value, row_of_(e.row)});
    for (const auto& e : sums_.high) out_.high.push_back({e.value, row_of_(e.row)});
    shape(values);
  }

  void texts() {
    std::vector<TopValue> all;
    std::vector<double> counts;
    for (const auto& entry : entries_) {
      // A time or a bool that came typed and did not stay so cannot be: only texts are here.
      all.push_back({std::string(sums_.values.text(entry)), entry.count});
      counts.push_back(static_cast<double>(entry.count));
    }
    std::sort(all.begin(), all.end(), [](const TopValue& a, const TopValue& b) {
      return a.count != b.count ? a.count > b.count : a.value < b.value;
    });
    if (!all.empty()) out_.mode = all.front().value;
    out_.distinct = all.size();
    if (exact_) {
      if (!counts.empty()) evenness(counts);
      if (all.size() <= kCategories) out_.categories = all;
    } else {
      out_.distinct = std::clamp<std::uint64_t>(
          static_cast<std::uint64_t>(std::llround(sums_.distinct.estimate())), all.size(),
          out_.count - out_.missing);
      out_.distinct_error = DistinctSketch::relative_error();
      out_.count_error = sums_.values.error();
    }
    const std::uint64_t numbers = shapes_[0] + shapes_[1] + shapes_[2] + shapes_[3];
    const std::uint64_t others = shapes_[static_cast<std::size_t>(Shape::kOther)];
    if (sums_.raw && numbers > 0 && others > 0 && odd_row_ != UINT64_MAX && numbers > others * 10) {
      out_.odd_row = row_of_(odd_row_);
      out_.odd_text = odd_text_;
    }
    listed_ = all;
    all.resize(std::min(all.size(), kTop));
    out_.top = std::move(all);
    if (!exact_ && sums_.raw) odd_share(numbers, others);
  }

  // What a sketched column's counts say and its kept values may not show.
  void odd_share(std::uint64_t numbers, std::uint64_t others) {
    if (numbers == 0 || others == 0 || numbers <= others * 10) return;
    const bool listed = std::any_of(listed_.begin(), listed_.end(),
                                    [&](const TopValue& v) { return v.value == odd_text_; });
    if (!listed) listed_.push_back({odd_text_, others});
  }

  // Blocks in their order, each rising or falling, and none going back.
  void order() {
    if (!numeric_ || out_.type == ColumnType::kBool || sums_.stretches.empty()) return;
    bool rises = sums_.may_rise, falls = sums_.may_fall;
    const Stretch* before = nullptr;
    for (const auto& [block, stretch] : sums_.stretches) {
      rises = rises && stretch.rises && (before == nullptr || stretch.first >= before->last);
      falls = falls && stretch.falls && (before == nullptr || stretch.first <= before->last);
      before = &stretch;
    }
    out_.rising = rises;
    out_.falling = falls;
  }

  const ColumnSums& sums_;
  const RowOf& row_of_;
  ColumnProfile out_;
  bool exact_ = true, numeric_ = false;
  std::vector<ValueTable::Entry> entries_;
  std::vector<CellValue> cells_;  // beside entries_, of raw texts
  std::array<std::uint64_t, 7> shapes_{};
  std::uint64_t odd_row_ = UINT64_MAX;
  std::string odd_text_;
  std::vector<TopValue> listed_;  // what the meaning is judged by
};

}  // namespace

ColumnProfile summarise(std::string name, const ColumnSums& sums, const RowOf& row_of) {
  return Summary(std::move(name), sums, row_of).run();
}

}  // namespace maru::stats
