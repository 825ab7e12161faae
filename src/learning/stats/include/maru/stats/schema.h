#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"
#include "maru/data/table.h"
#include "maru/stats/profile.h"

namespace maru::stats {

enum class Severity : std::uint8_t { kInfo, kWarning, kError };

// One rule about rows, a column's numbers, pairs of columns or the table (kinds: maru/stats/expectation.h).
struct Expectation {
  std::string kind, column;
  std::vector<std::string> columns;  // of pairs and keys
  base::Json
      value;  // what the kind takes: {"min": 0, "max": 1}, {"values": [...]}, {"pattern": "..."}
  std::string where;  // an SQL condition: only these rows are judged
  double mostly = 1;  // share of the rows that must pass
  Severity severity = Severity::kError;
  std::string description;
  double confidence = 0;  // of a suggested one; 0: a person wrote it
  base::Json to_json() const;
  static base::Result<Expectation> from_json(const base::Json& json);
};

// What one column must look like. An absent optional is not checked.
struct ColumnRule {
  std::string name;
  data::ColumnType type = data::ColumnType::kFloat;
  bool required = true;      // the column must be present
  double missing_max = 1.0;  // share of rows, inclusive
  std::optional<double> min, max;
  std::vector<std::string> domain;  // allowed values; empty: any
  double domain_mass_min = 1.0;     // share of non-missing rows that must be in `domain`
  bool unique = false;
  std::string description;
  std::string meaning;  // as a profile finds it; not checked
  std::vector<std::string>
      absent_in;  // environments where it need not be, as the label when serving
};

struct Schema {
  std::vector<ColumnRule> columns;
  bool allow_new_columns = true;  // a new column is a warning, else an error
  std::uint64_t rows_min = 1;
  std::string owner;
  int version = 1;  // counts up each time it is saved
  std::vector<Expectation> expectations;
  base::Json to_json() const;
  static base::Result<Schema> from_json(const base::Json& json);  // unknown key: did you mean
};

struct Anomaly {
  std::string column,
      kind;  // TFDV's names in lower case: "enum_type_unexpected_string_values", "feature_type_low_fraction_present", ...
  Severity severity = Severity::kError;
  std::string message, slice, fix;      // fix: one sentence or a command
  std::uint64_t rows = 0;               // how many rows violate
  std::vector<std::uint64_t> examples;  // row numbers (0-based), at most 5
  base::Json proposal;                  // the changed rule, when accepting is a fix
  std::string trace;  // dataset -> column -> slice -> rows -> where they come from
  base::Json to_json() const;
};

Schema infer_schema(const Profile& profile);
// `environment`: "training", "serving", ...; empty: every column that is required must be there.
std::vector<Anomaly> validate(const data::Table& table, const Profile& profile,
                              const Schema& schema, const std::string& environment = {});
// The same of a stored snapshot: only columns of which the profile does not already show that they keep their rule are read, one at a time.
base::Result<std::vector<Anomaly>> validate_snapshot(data::Datasets& datasets,
                                                     const data::Snapshot& snapshot,
                                                     const Profile& profile, const Schema& schema,
                                                     const std::string& environment = {});
bool has_errors(const std::vector<Anomaly>& anomalies);

enum class Role : std::uint8_t { kFeature, kLabel, kTime, kExcluded };

struct Leak {
  std::string column,
      reason;        // reason holds the evidence: "alone it reaches AUC 0.981 on held-out rows"
  double score = 0;  // AUC, or R² for regression, of the column alone out of sample
};
// Columns that predict the label suspiciously well on their own (out-of-fold one-column trees and target means), or are near copies of it, and
// columns that are harmless alone but together give a numeric label by a linear formula (the parts of a sum).
// Columns named in `allow` are left out. `label` is numeric (0/1 or value) or text.
std::vector<Leak> find_leaks(const data::Table& table, const data::Column& label,
                             const std::vector<std::string>& features,
                             const std::vector<std::string>& allow);

}  // namespace maru::stats
