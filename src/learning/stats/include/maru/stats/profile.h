#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"

namespace maru::stats {

struct Bin {
  double low = 0, high = 0;  // right-closed, the first also left-closed
  double count = 0;
};
struct TopValue {
  std::string value;
  std::uint64_t count = 0;
};

// Statistics of one column (definitions: shared golden files; moments g1/g2, quantiles type 7, std population and sample both given).
struct ColumnProfile {
  std::string name;
  data::ColumnType type = data::ColumnType::kFloat;
  std::uint64_t count = 0, missing = 0, distinct = 0, zeros = 0, negatives = 0, infinite = 0;
  // numeric and timestamp (microseconds)
  double min = 0, max = 0, mean = 0, std = 0, std_sample = 0, skewness = 0, kurtosis = 0;
  std::vector<std::pair<double, double>>
      quantiles;  // probability -> value, at 0.01 .05 .1 .25 .5 .75 .9 .95 .99 and the deciles
  std::vector<Bin> histogram;  // equal width, <= 40 bins
  // text
  double length_min = 0, length_max = 0, length_mean = 0;
  std::vector<TopValue>
      top;  // <= 20 (text, bool, and integer with few distinct); ties: count desc, value asc
  std::vector<TopValue> categories;  // all of them when distinct <= 1000: what drift compares
  std::string mode;
  std::string
      meaning;  // "id", "category", "number", "timestamp", "boolean", "text", "constant", "email", ...
  base::Json to_json() const;
  static base::Result<ColumnProfile> from_json(const base::Json& json);
};

struct Profile {
  std::uint64_t rows = 0;
  std::uint64_t duplicate_rows = 0;
  std::vector<ColumnProfile> columns;
  const ColumnProfile* find(std::string_view name) const;
  base::Json to_json() const;
  static base::Result<Profile> from_json(const base::Json& json);
};

Profile profile_table(const data::Table& table);
ColumnProfile profile_column(const data::Column& column);

}  // namespace maru::stats
