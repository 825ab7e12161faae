#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "distribution.h"
#include "maru/base/number_text.h"
#include "text_numbers.h"

namespace maru::stats {
namespace {

using data::ColumnType;

bool is_number(ColumnType type) { return type != ColumnType::kText && type != ColumnType::kBool; }

// Dates without a time have one hour: then there is nothing to compare.
void count_hours(Side& side) {
  std::array<double, 24> hours{};
  for (std::size_t i = 0; i < side.sample.values.size(); ++i) {
    const double hour = std::floor(side.sample.values[i] / 3.6e9);
    hours[static_cast<std::size_t>(hour - 24 * std::floor(hour / 24)) % 24] +=
        side.sample.weights[i];
  }
  for (std::size_t h = 0; h < 24; ++h)
    if (hours[h] > 0) side.counts.values[(h < 10 ? "0" : "") + std::to_string(h)] = hours[h];
  side.counts.total = side.sample.count;
  side.counts.distinct = static_cast<double>(side.counts.values.size());
}

Sample lengths_of(const data::Column& text) {
  std::vector<double> counts(text.dictionary.size(), 0);
  for (const std::int32_t code : text.codes)
    if (code >= 0) ++counts[static_cast<std::size_t>(code)];
  std::map<double, double> lengths;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0) lengths[static_cast<double>(text.dictionary[i].size())] += counts[i];
  std::vector<double> values, weights;
  for (const auto& [length, rows] : lengths) {
    values.push_back(length);
    weights.push_back(rows);
  }
  return Sample::weighted(std::move(values), std::move(weights));
}

// Numbers of few values are also compared value by value: codes are such.
void count_few(Side& side) {
  if (side.type == ColumnType::kTimestamp) return count_hours(side);
  if (side.sample.values.size() > kFewValues) return;
  for (std::size_t i = 0; i < side.sample.values.size(); ++i)
    side.counts.values[base::format_significant(side.sample.values[i], 15)] =
        side.sample.weights[i];
  side.counts.total = side.sample.count;
  side.counts.distinct = static_cast<double>(side.sample.values.size());
}

// What an older profile, without steps, knows: its quantiles and the ends of its bins.
void points_of(const ColumnProfile& profile, double n, std::vector<double>& values,
               std::vector<double>& weights) {
  std::map<double, double> points;  // value -> share at or below
  for (const auto& [probability, value] : profile.quantiles)
    points[value] = std::max(points[value], probability);
  double below = 0;
  for (const auto& bin : profile.histogram) {
    below += bin.count;
    points[bin.high] = std::max(points[bin.high], below / n);
  }
  points[profile.max] = 1;
  double highest = 0;
  for (const auto& [value, share] : points) {
    const double upto = std::max(highest, share);
    values.push_back(value);
    weights.push_back((upto - highest) * n);
    highest = upto;
  }
}

}  // namespace

Side side_of(const data::Column& column) {
  Side out;
  out.name = column.name;
  out.type = column.type;
  out.numeric = is_number(column.type);
  out.rows = static_cast<double>(column.rows());
  if (out.numeric) {
    out.sample = Sample::of(column);
    out.missing = out.rows - out.sample.count;
    count_few(out);
  } else {
    out.counts = Counts::of(column);
    out.missing = out.rows - out.counts.total;
    if (column.type == ColumnType::kText) out.lengths = lengths_of(column);
  }
  return out;
}

Side number_side_of(const data::Column& text) {
  Side out;
  out.name = text.name;
  out.numeric = true;
  out.rows = static_cast<double>(text.rows());
  TextNumbers found = numbers_in_text(text);
  out.sample = Sample::of(std::move(found.values));
  out.missing = out.rows - found.present;
  out.unparsable = found.unparsable;
  out.words = std::move(found.words);
  return out;
}

Side side_of(const ColumnProfile& profile) {
  Side out;
  out.name = profile.name;
  out.type = profile.type;
  out.numeric = is_number(profile.type);
  out.rows = static_cast<double>(profile.count);
  out.missing = static_cast<double>(profile.missing + profile.infinite);
  if (!out.numeric) {
    out.counts = Counts::of(profile);
    return out;
  }
  out.coarse = true;
  const double n = out.present();
  if (n <= 0) return out;
  std::vector<double> values, weights;
  for (const auto& [value, rows] : profile.steps) {
    values.push_back(value);
    weights.push_back(rows);
  }
  if (values.empty()) points_of(profile, n, values, weights);
  out.sample = Sample::weighted(std::move(values), std::move(weights));
  out.sample.count = n;
  out.sample.mean = profile.mean;
  out.sample.std = profile.std;
  out.sample.skewness = profile.skewness;
  for (const auto& [probability, value] : profile.quantiles)
    if (std::fabs(probability - 0.5) < 1e-9) out.sample.median = value;
  return out;
}

Sample coarsened(const Sample& sample, const Sample& points) {
  Sample out = sample;
  out.values = points.values;
  out.weights.assign(points.values.size(), 0);
  double above = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < sample.values.size(); ++i) {
    while (at < out.values.size() && out.values[at] < sample.values[i]) ++at;
    (at < out.values.size() ? out.weights[at] : above) += sample.weights[i];
  }
  if (above > 0) {
    out.values.push_back(sample.max());
    out.weights.push_back(above);
  }
  return out;
}

}  // namespace maru::stats
