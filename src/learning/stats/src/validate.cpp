#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "maru/stats/schema.h"

namespace maru::stats {
namespace {

using data::ColumnType;

constexpr std::size_t kExamples = 5;

std::string percent(double share) { return base::format_fixed(share * 100, 1) + " %"; }

// Collects what breaks one rule: how many rows and the first few of them.
struct Violation {
  std::uint64_t rows = 0;
  std::vector<std::uint64_t> examples;
  void at(std::size_t row) {
    if (rows++ < kExamples) examples.push_back(row);
  }
};

// The rows of one column; they stay until the next one is asked for.
using LoadColumn = std::function<base::Result<const data::Column*>(const std::string&)>;

class Checker {
 public:
  Checker(std::vector<data::SnapshotColumn> columns, std::uint64_t rows, LoadColumn load,
          const Profile& profile, const Schema& schema, const std::string& environment)
      : columns_(std::move(columns)),
        rows_(rows),
        load_(std::move(load)),
        profile_(profile),
        schema_(schema),
        environment_(environment) {}

  base::Result<std::vector<Anomaly>> run() {
    if (rows_ < schema_.rows_min)
      add("", "dataset_low_num_examples", Severity::kError,
          "only " + std::to_string(rows_) + " rows, at least " + std::to_string(schema_.rows_min) +
              " are needed",
          "check the source", {});
    for (const auto& rule : schema_.columns) TRY(check(rule));
    for (const auto& column : columns_) {
      const bool known =
          std::any_of(schema_.columns.begin(), schema_.columns.end(),
                      [&](const ColumnRule& rule) { return rule.name == column.name; });
      if (!known)
        add(column.name, "schema_new_column",
            schema_.allow_new_columns ? Severity::kWarning : Severity::kError,
            "new column that the schema does not have",
            "accept it into the schema, or drop it at the source", {});
    }
    return std::move(found_);
  }

 private:
  void add(const std::string& column, const char* kind, Severity severity, std::string message,
           std::string fix, Violation violation) {
    Anomaly out;
    out.column = column;
    out.kind = kind;
    out.severity = severity;
    out.message = std::move(message);
    out.fix = std::move(fix);
    out.rows = violation.rows;
    out.examples = std::move(violation.examples);
    found_.push_back(std::move(out));
  }

  base::Status check(const ColumnRule& rule) {
    const auto found = std::find_if(columns_.begin(), columns_.end(),
                                    [&](const auto& column) { return column.name == rule.name; });
    if (found == columns_.end()) {
      const bool excused = std::find(rule.absent_in.begin(), rule.absent_in.end(), environment_) !=
                           rule.absent_in.end();
      if (!rule.required || excused) return {};
      std::vector<std::string> names;
      for (const auto& other : columns_) names.push_back(other.name);
      const std::string near = base::closest_match(rule.name, names);
      add(rule.name, "feature_type_not_present", Severity::kError, "column is missing",
          near.empty() ? "bring it back at the source" : "was it renamed to `" + near + "`?", {});
      return {};
    }
    if (!kept_by_profile(rule, found->type)) {
      TRY_ASSIGN(const data::Column* column, load_(rule.name));
      if (!check_type(rule, *column)) return {};
      check_missing(rule, *column);
      check_range(rule, *column);
      check_domain(rule, *column);
    }
    check_unique(rule);
    return {};
  }

  // Whether the profile alone shows that no row breaks the rule, so that the rows need not be read.
  bool kept_by_profile(const ColumnRule& rule, ColumnType type) const {
    const ColumnProfile* profile = profile_.find(rule.name);
    if (profile == nullptr || profile->type != type || profile->count != rows_) return false;
    const std::uint64_t there = profile->count - profile->missing;
    if (there == 0) return rule.missing_max >= 1;
    const bool widened = rule.type == ColumnType::kFloat && type == ColumnType::kInteger;
    if (type != rule.type && !widened) return false;
    if (static_cast<double>(profile->missing) >
        (rule.missing_max + 1e-12) * static_cast<double>(profile->count))
      return false;
    if (type == ColumnType::kText) {
      if (rule.domain.empty()) return true;
      if (profile->categories.size() != profile->distinct || profile->distinct_error != 0)
        return false;
      return std::all_of(profile->categories.begin(), profile->categories.end(),
                         [&](const TopValue& one) {
                           return std::find(rule.domain.begin(), rule.domain.end(), one.value) !=
                                  rule.domain.end();
                         });
    }
    if (!rule.min && !rule.max) return true;
    const bool number = type == ColumnType::kInteger || type == ColumnType::kFloat;
    return number && profile->infinite == 0 && !(rule.min && profile->min < *rule.min) &&
           !(rule.max && profile->max > *rule.max);
  }

  bool check_type(const ColumnRule& rule, const data::Column& column) {
    if (column.type == rule.type) return true;
    const bool widened = rule.type == ColumnType::kFloat && column.type == ColumnType::kInteger;
    const bool empty = column.missing() == column.rows();
    if (widened || empty) return true;
    Violation where;
    if (column.type == ColumnType::kText) {
      for (std::size_t row = 0; row < column.rows(); ++row) {
        if (column.is_valid(row) && !looks_numeric(column.text(row))) where.at(row);
      }
    }
    const bool fractions = rule.type == ColumnType::kInteger && column.type == ColumnType::kFloat;
    const char* kind = column.type == ColumnType::kText ? "unexpected_string"
                       : fractions                      ? "expected_int_got_float"
                                                        : "unexpected_data_type";
    std::string example =
        where.examples.empty()
            ? std::string()
            : ", such as \"" +
                  std::string(column.text(static_cast<std::size_t>(where.examples.front()))) + "\"";
    add(rule.name, kind, Severity::kError,
        "is " + std::string(data::type_name(column.type)) + ", the schema says " +
            std::string(data::type_name(rule.type)) + example,
        "mend the rows at the source, or accept the new type", std::move(where));
    return false;
  }

  static bool looks_numeric(std::string_view text) {
    const std::string copy(base::trim(text));
    char* end = nullptr;
    std::strtod(copy.c_str(), &end);
    return !copy.empty() && *end == '\0';
  }

  void check_missing(const ColumnRule& rule, const data::Column& column) {
    const ColumnProfile* profile = profile_.find(rule.name);
    if (profile == nullptr || profile->count == 0) return;
    const double share =
        static_cast<double>(profile->missing) / static_cast<double>(profile->count);
    if (share <= rule.missing_max + 1e-12) return;
    Violation where;
    where.rows = profile->missing;
    for (std::size_t row = 0; row < column.rows() && where.examples.size() < kExamples; ++row) {
      if (!column.is_valid(row)) where.examples.push_back(row);
    }
    add(rule.name, "feature_type_low_fraction_present", Severity::kError,
        percent(share) + " missing, at most " + percent(rule.missing_max) + " is allowed",
        "check what fills this column; accept the schema if it is right", std::move(where));
  }

  void check_range(const ColumnRule& rule, const data::Column& column) {
    if ((!rule.min && !rule.max) || column.type == ColumnType::kText) return;
    Violation where;
    for (std::size_t row = 0; row < column.rows(); ++row) {
      const double value = column.number(row);
      if (std::isnan(value)) continue;
      if ((rule.min && value < *rule.min) || (rule.max && value > *rule.max)) where.at(row);
    }
    if (where.rows == 0) return;
    const std::string range = "[" + (rule.min ? base::format_double(*rule.min) : "-∞") + ", " +
                              (rule.max ? base::format_double(*rule.max) : "∞") + "]";
    add(rule.name, "out_of_range_values", Severity::kError, "values outside " + range,
        "mend the rows at the source, or widen the range", std::move(where));
  }

  void check_domain(const ColumnRule& rule, const data::Column& column) {
    if (rule.domain.empty() || column.type != ColumnType::kText) return;
    const std::set<std::string, std::less<>> allowed(rule.domain.begin(), rule.domain.end());
    std::vector<bool> good;
    std::vector<std::string> strangers;
    for (const auto& value : column.dictionary) {
      good.push_back(allowed.count(value) != 0);
    }
    Violation where;
    std::uint64_t present = 0;
    std::vector<bool> seen(column.dictionary.size(), false);
    for (std::size_t row = 0; row < column.rows(); ++row) {
      const std::int32_t code = column.codes[row];
      if (code < 0) continue;
      const auto at = static_cast<std::size_t>(code);
      ++present;
      if (good[at]) continue;
      where.at(row);
      if (!seen[at] && strangers.size() < 3)
        strangers.push_back("\"" + column.dictionary[at] + "\"");
      seen[at] = true;
    }
    if (where.rows == 0) return;
    const double mass = 1 - static_cast<double>(where.rows) / static_cast<double>(present);
    const Severity severity = mass < rule.domain_mass_min ? Severity::kError : Severity::kWarning;
    add(rule.name, "enum_type_unexpected_string_values", severity,
        "values that were never seen: " + base::join(strangers, ", ") + " (" + percent(1 - mass) +
            " of rows)",
        "map them to known values, or accept them into the schema", std::move(where));
  }

  void check_unique(const ColumnRule& rule) {
    const ColumnProfile* profile = profile_.find(rule.name);
    if (!rule.unique || profile == nullptr ||
        profile->distinct == profile->count - profile->missing)
      return;
    Violation where;
    where.rows = profile->count - profile->missing - profile->distinct;
    add(rule.name, "feature_type_high_unique", Severity::kError,
        "values repeat, the schema says each is unique", "remove the repeated rows",
        std::move(where));
  }

  const std::vector<data::SnapshotColumn> columns_;
  const std::uint64_t rows_;
  const LoadColumn load_;
  const Profile& profile_;
  const Schema& schema_;
  const std::string& environment_;
  std::vector<Anomaly> found_;
};

}  // namespace

std::vector<Anomaly> validate(const data::Table& table, const Profile& profile,
                              const Schema& schema, const std::string& environment) {
  std::vector<data::SnapshotColumn> columns;
  for (const auto& column : table.columns) columns.push_back({column.name, column.type});
  const auto load = [&](const std::string& name) -> base::Result<const data::Column*> {
    return table.find(name);
  };
  return std::move(
      *Checker(std::move(columns), table.rows(), load, profile, schema, environment).run());
}

base::Result<std::vector<Anomaly>> validate_snapshot(data::Datasets& datasets,
                                                     const data::Snapshot& snapshot,
                                                     const Profile& profile, const Schema& schema,
                                                     const std::string& environment) {
  data::Table held;
  const auto load = [&](const std::string& name) -> base::Result<const data::Column*> {
    held = {};
    TRY_ASSIGN(held, datasets.read(snapshot, {name}));
    return &held.columns.front();
  };
  return Checker(snapshot.columns, snapshot.rows, load, profile, schema, environment).run();
}

}  // namespace maru::stats
