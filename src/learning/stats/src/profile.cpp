#include "maru/stats/profile.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_set>

#include "maru/base/clock.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "numbers.h"

namespace maru::stats {
namespace {

using data::ColumnType;

constexpr std::size_t kBins = 40;
constexpr std::size_t kTop = 20;
constexpr std::size_t kCategories = 1000;
constexpr double kProbabilities[] = {0.01, 0.05, 0.1,  0.2, 0.25, 0.3,  0.4, 0.5,
                                     0.6,  0.7,  0.75, 0.8, 0.9,  0.95, 0.99};

// Whitespace alone counts as missing, as an empty field does.
bool blank(std::string_view text) {
  return text.find_first_not_of(" \t") == std::string_view::npos;
}

std::vector<double> finite_values(const data::Column& column, ColumnProfile& out) {
  std::vector<double> values;
  values.reserve(column.rows());
  for (std::size_t row = 0; row < column.rows(); ++row) {
    if (!column.is_valid(row)) {
      ++out.missing;
      continue;
    }
    const double value = column.type == ColumnType::kFloat
                             ? column.reals[row]
                             : static_cast<double>(column.integers[row]);
    if (std::isnan(value))
      ++out.missing;
    else if (std::isinf(value))
      ++out.infinite;
    else
      values.push_back(value);
  }
  return values;
}

std::vector<Bin> equal_width(const std::vector<double>& sorted) {
  const double low = sorted.front(), high = sorted.back();
  if (low == high) return {{low, high, static_cast<double>(sorted.size())}};
  std::vector<Bin> bins(kBins);
  const double width = (high - low) / static_cast<double>(kBins);
  for (std::size_t i = 0; i < kBins; ++i)
    bins[i] = {low + width * static_cast<double>(i),
               i + 1 == kBins ? high : low + width * static_cast<double>(i + 1), 0};
  std::size_t at = 0;
  for (const double value : sorted) {
    while (at + 1 < kBins && value > bins[at].high) ++at;
    ++bins[at].count;
  }
  return bins;
}

void order_top(std::vector<TopValue>& values) {
  std::stable_sort(values.begin(), values.end(),
                   [](const TopValue& a, const TopValue& b) { return a.count > b.count; });
}

// Values of ascending numbers with their counts; ties of counts keep ascending order.
std::vector<TopValue> number_counts(const std::vector<double>& sorted, ColumnType type) {
  std::vector<TopValue> out;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t j = i;
    while (j < sorted.size() && sorted[j] == sorted[i]) ++j;
    std::string text = type == ColumnType::kFloat ? base::format_double(sorted[i])
                       : type == ColumnType::kBool
                           ? (sorted[i] != 0 ? "true" : "false")
                           : std::to_string(static_cast<std::int64_t>(sorted[i]));
    out.push_back({std::move(text), j - i});
    i = j;
  }
  return out;
}

std::string mode_of(const std::vector<double>& sorted, ColumnType type, std::uint64_t& distinct) {
  double best = 0;
  std::size_t best_count = 0;
  distinct = 0;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t j = i;
    while (j < sorted.size() && sorted[j] == sorted[i]) ++j;
    ++distinct;
    if (j - i > best_count) {
      best = sorted[i];
      best_count = j - i;
    }
    i = j;
  }
  if (best_count == 0) return {};
  if (type == ColumnType::kTimestamp) return base::format_time_us(static_cast<std::int64_t>(best));
  if (type == ColumnType::kFloat) return base::format_double(best);
  return type == ColumnType::kBool ? (best != 0 ? "true" : "false")
                                   : std::to_string(static_cast<std::int64_t>(best));
}

void profile_numbers(const data::Column& column, ColumnProfile& out) {
  std::vector<double> values = finite_values(column, out);
  std::sort(values.begin(), values.end());
  out.mode = mode_of(values, column.type, out.distinct);
  if (values.empty()) return;
  const Moments moments = moments_of(values);
  out.min = values.front();
  out.max = values.back();
  out.mean = moments.mean;
  out.std = std::sqrt(moments.variance);
  out.std_sample =
      values.size() > 1 ? std::sqrt(moments.variance * moments.count / (moments.count - 1)) : 0;
  out.skewness = moments.g1;
  out.kurtosis = moments.g2;
  out.zeros = static_cast<std::uint64_t>(std::count(values.begin(), values.end(), 0.0));
  out.negatives = static_cast<std::uint64_t>(
      std::count_if(values.begin(), values.end(), [](double v) { return v < 0; }));
  for (const double p : kProbabilities) out.quantiles.emplace_back(p, quantile_sorted(values, p));
  out.histogram = equal_width(values);
  const bool few = out.distinct <= kCategories;
  if (column.type == ColumnType::kBool || (column.type == ColumnType::kInteger && few)) {
    std::vector<TopValue> counts = number_counts(values, column.type);
    if (column.type == ColumnType::kBool) out.categories = counts;
    order_top(counts);
    counts.resize(std::min(counts.size(), kTop));
    out.top = std::move(counts);
  }
}

void profile_text(const data::Column& column, ColumnProfile& out) {
  std::vector<std::uint64_t> counts(column.dictionary.size(), 0);
  for (const std::int32_t code : column.codes) {
    if (code < 0 || blank(column.dictionary[static_cast<std::size_t>(code)]))
      ++out.missing;
    else
      ++counts[static_cast<std::size_t>(code)];
  }
  std::vector<TopValue> all;
  double lengths = 0, present = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const auto length = static_cast<double>(
        std::count_if(column.dictionary[i].begin(), column.dictionary[i].end(),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
    out.length_min = all.empty() ? length : std::min(out.length_min, length);
    out.length_max = std::max(out.length_max, length);
    lengths += length * static_cast<double>(counts[i]);
    present += static_cast<double>(counts[i]);
    all.push_back({column.dictionary[i], counts[i]});
  }
  out.length_mean = present > 0 ? lengths / present : 0;
  out.distinct = all.size();
  std::sort(all.begin(), all.end(), [](const TopValue& a, const TopValue& b) {
    return a.count != b.count ? a.count > b.count : a.value < b.value;
  });
  if (!all.empty()) out.mode = all.front().value;
  if (all.size() <= kCategories) out.categories = all;
  all.resize(std::min(all.size(), kTop));
  out.top = std::move(all);
}

bool looks_like(const ColumnProfile& profile, bool (*test)(std::string_view)) {
  return !profile.top.empty() && std::all_of(profile.top.begin(), profile.top.end(),
                                             [&](const TopValue& v) { return test(v.value); });
}

bool is_email(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && at > 0 && text.find('.', at) != std::string_view::npos &&
         text.find(' ') == std::string_view::npos;
}

bool is_url(std::string_view text) {
  return text.rfind("http://", 0) == 0 || text.rfind("https://", 0) == 0;
}

std::string meaning_of(const ColumnProfile& p) {
  const std::uint64_t present = p.count - p.missing;
  if (present == 0) return "empty";
  if (p.distinct <= 1) return "constant";
  if (p.type == ColumnType::kTimestamp) return "timestamp";
  if (p.type == ColumnType::kBool || p.distinct == 2) return "boolean";
  if (p.type == ColumnType::kText) {
    if (looks_like(p, is_email)) return "email";
    if (looks_like(p, is_url)) return "url";
    const bool many =
        present >= 50 && static_cast<double>(p.distinct) > 0.9 * static_cast<double>(present);
    if (many) return p.length_mean > 40 ? "text" : "id";
    return p.length_mean > 60 ? "text" : "category";
  }
  // Consecutive whole numbers, each once, count rows; they say nothing about them.
  const bool dense = p.type == ColumnType::kInteger && p.distinct == present && present >= 50 &&
                     p.max - p.min + 1 <= 1.5 * static_cast<double>(present);
  if (dense) return "id";
  return p.type == ColumnType::kInteger && p.distinct <= 20 ? "category" : "number";
}

std::uint64_t duplicate_rows(const data::Table& table) {
  std::vector<std::uint64_t> hashes(table.rows(), 0);
  for (const auto& column : table.columns) {
    std::vector<std::uint64_t> text_hash;
    for (const auto& value : column.dictionary) text_hash.push_back(base::hash64(value));
    for (std::size_t row = 0; row < hashes.size(); ++row) {
      std::uint64_t cell = 0x9E3779B97F4A7C15ull;
      if (column.is_valid(row)) {
        if (!column.codes.empty())
          cell =
              column.codes[row] < 0 ? cell : text_hash[static_cast<std::size_t>(column.codes[row])];
        else if (!column.reals.empty())
          cell =
              base::hash64(std::string_view(reinterpret_cast<const char*>(&column.reals[row]), 8));
        else
          cell = base::hash64(
              std::string_view(reinterpret_cast<const char*>(&column.integers[row]), 8), 1);
      }
      hashes[row] = (hashes[row] ^ cell) * 0xFF51AFD7ED558CCDull + (hashes[row] >> 29);
    }
  }
  // 64-bit hashes: one false duplicate is expected in 10^9 rows or so.
  std::unordered_set<std::uint64_t> seen;
  seen.reserve(hashes.size());
  std::uint64_t duplicates = 0;
  for (const auto hash : hashes) duplicates += seen.insert(hash).second ? 0 : 1;
  return duplicates;
}

}  // namespace

ColumnProfile profile_column(const data::Column& column) {
  ColumnProfile out;
  out.name = column.name;
  out.type = column.type;
  out.count = column.rows();
  if (column.type == ColumnType::kText)
    profile_text(column, out);
  else
    profile_numbers(column, out);
  out.meaning = meaning_of(out);
  return out;
}

Profile profile_table(const data::Table& table) {
  Profile out;
  out.rows = table.rows();
  for (const auto& column : table.columns) out.columns.push_back(profile_column(column));
  out.duplicate_rows = duplicate_rows(table);
  return out;
}

const ColumnProfile* Profile::find(std::string_view name) const {
  for (const auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

}  // namespace maru::stats
