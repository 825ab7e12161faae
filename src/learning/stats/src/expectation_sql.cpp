#include "expectation_sql.h"

#include <functional>
#include <map>

#include "maru/base/text.h"
#include "maru/data/engine.h"
#include "maru/stats/expectation.h"

namespace maru::stats {
namespace {

using base::Code;
using base::Json;

// Forms of text that have a name.
const std::map<std::string, std::string>& forms() {
  static const std::map<std::string, std::string> kForms = {
      {"email", R"(^[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}$)"},
      {"url", R"(^(https?|ftp)://[^\s/$.?#][^\s]*$)"},
      {"uuid", R"(^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$)"},
      {"ipv4", R"(^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$)"},
      {"integer", R"(^[+-]?\d+$)"},
      {"number", R"(^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$)"},
      {"iso_date", R"(^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$)"},
      {"phone", R"(^[+(]?[0-9][0-9 ().-]{6,18}[0-9]$)"}};
  return kForms;
}

class Compiler {
 public:
  explicit Compiler(const Expectation& e) : e_(e), column_(data::quote_identifier(e.column)) {}

  base::Result<ExpectationSql> run() {
    const ExpectationKind* kind = nullptr;
    for (const auto& item : expectation_kinds())
      if (item.name == e_.kind) kind = &item;
    if (kind == nullptr)
      return base::fail(Code::kInvalidArgument, "unknown kind of expectation: " + e_.kind);
    out_.rows = kind->judges == "rows";
    out_.applies = column_ + " IS NOT NULL";
    out_.shown = column_ + "::VARCHAR";
    TRY(out_.rows ? rows() : number());
    if (!e_.where.empty()) out_.applies = "(" + e_.where + ") AND (" + out_.applies + ")";
    return out_;
  }

 private:
  std::string literal(const Json& value) const {
    if (value.is_string()) return data::quote_literal(value.as_string());
    return value.dump();
  }
  std::string list(const char* key = "values") const {
    std::string out;
    for (const auto& item : e_.value[key].items()) out += (out.empty() ? "" : ", ") + literal(item);
    return "(" + (out.empty() ? "NULL" : out) + ")";
  }
  base::Status need(const char* key) const {
    if (e_.value.is_object() && e_.value.has(key)) return {};
    return base::fail(Code::kInvalidArgument,
                      e_.kind + " of " + e_.column + " needs a value: " + key);
  }
  base::Status need_columns(std::size_t least) const {
    if (e_.columns.size() >= least) return {};
    return base::fail(Code::kInvalidArgument,
                      e_.kind + " needs `columns`: at least " + std::to_string(least));
  }
  std::string named(std::size_t i) const { return data::quote_identifier(e_.columns[i]); }
  std::string all_names() const {
    std::string out;
    for (const auto& name : e_.columns)
      out += (out.empty() ? "" : ", ") + data::quote_identifier(name);
    return out;
  }
  std::string all_present() const {
    std::string out;
    for (const auto& name : e_.columns)
      out += (out.empty() ? "" : " AND ") + data::quote_identifier(name) + " IS NOT NULL";
    return out;
  }
  // NOT (min <= x AND x <= max), each end as far as it is given.
  std::string outside(const std::string& x) const {
    std::string in = "true";
    const bool strict = e_.value["strict"].as_bool();
    if (!e_.value["min"].is_null())
      in += " AND " + x + (strict ? " > " : " >= ") + literal(e_.value["min"]);
    if (!e_.value["max"].is_null())
      in += " AND " + x + (strict ? " < " : " <= ") + literal(e_.value["max"]);
    return "NOT (" + in + ")";
  }

  base::Status rows() {
    const std::string& k = e_.kind;
    if (k == "not_null" || k == "null") {
      const std::string missing = column_ + " IS NULL OR trim(" + column_ + "::VARCHAR) = ''";
      out_.applies = "true";
      out_.bad = k == "null" ? "NOT (" + missing + ")" : missing;
    } else if (k == "between") {
      out_.bad = outside(column_);
    } else if (k == "in_set") {
      TRY(need("values"));
      out_.bad = column_ + " NOT IN " + list();
    } else if (k == "not_in_set") {
      TRY(need("values"));
      out_.bad = column_ + " IN " + list();
    } else if (k == "length_between") {
      out_.bad = outside("length(" + column_ + "::VARCHAR)");
    } else if (k == "is_json") {
      out_.bad = "NOT json_valid(" + column_ + "::VARCHAR)";
    } else if (k == "date_format") {
      TRY(need("format"));
      out_.bad =
          "try_strptime(" + column_ + "::VARCHAR, " + literal(e_.value["format"]) + ") IS NULL";
    } else if (k == "z_below") {
      TRY(need("max"));
      out_.bad = "abs(" + column_ + " - (SELECT avg(" + column_ + ") FROM t)) > " +
                 literal(e_.value["max"]) + " * (SELECT stddev_pop(" + column_ + ") FROM t)";
    } else if (k == "condition") {
      TRY(need("sql"));
      out_.applies = "true";
      out_.bad = "NOT coalesce((" + e_.value["sql"].as_string() + "), true)";
      if (e_.column.empty()) out_.shown = "__row::VARCHAR";
    } else if (k == "matches" || k == "not_matches" || k == "like" || k == "form") {
      return patterns();
    } else {
      return several();
    }
    return {};
  }

  base::Status patterns() {
    const std::string text = column_ + "::VARCHAR";
    if (e_.kind == "form") {
      TRY(need("form"));
      const auto found = forms().find(e_.value["form"].as_string());
      if (found == forms().end()) {
        std::vector<std::string> names;
        for (const auto& [name, pattern] : forms()) names.push_back(name);
        return base::fail(Code::kInvalidArgument, "unknown form: " + e_.value["form"].as_string(),
                          "one of " + base::join(names, ", "));
      }
      out_.bad = "NOT regexp_matches(" + text + ", " + data::quote_literal(found->second) + ")";
      return {};
    }
    TRY(need("pattern"));
    const std::string pattern = literal(e_.value["pattern"]);
    if (e_.kind == "like")
      out_.bad = text + " NOT LIKE " + pattern;
    else
      out_.bad = std::string(e_.kind == "matches" ? "NOT " : "") + "regexp_matches(" + text + ", " +
                 pattern + ")";
    return {};
  }

  // Pairs of columns, keys, and what needs the order of the rows.
  base::Status several() {
    const std::string& k = e_.kind;
    if (k == "unique") {
      out_.bad = "count(*) OVER (PARTITION BY " + column_ + ") > 1";
      out_.windowed = true;
      return {};
    }
    if (k == "increasing" || k == "decreasing") {
      const bool strict = e_.value["strict"].as_bool();
      out_.bad = column_ +
                 (k == "increasing" ? (strict ? " <= " : " < ") : (strict ? " >= " : " > ")) +
                 "lag(" + column_ + ") OVER (ORDER BY __row)";
      out_.windowed = true;
      return {};
    }
    if (k == "key") {
      TRY(need_columns(1));
      out_.applies = "true";
      out_.bad = "count(*) OVER (PARTITION BY " + all_names() + ") > 1";
      out_.shown = "concat_ws(' | ', " + all_names() + ")";
      out_.windowed = true;
      return {};
    }
    TRY(need_columns(2));
    out_.applies = all_present();
    out_.shown = "concat_ws(' | ', " + all_names() + ")";
    if (k == "greater")
      out_.bad =
          "NOT (" + named(0) + (e_.value["or_equal"].as_bool() ? " >= " : " > ") + named(1) + ")";
    else if (k == "equal")
      out_.bad = named(0) + " <> " + named(1);
    else if (k == "different")
      out_.bad = "len(list_distinct([" + texts() + "])) < " + std::to_string(e_.columns.size());
    else if (k == "sum_is") {
      TRY(need("total"));
      std::string sum;
      for (std::size_t i = 0; i < e_.columns.size(); ++i) sum += (i == 0 ? "" : " + ") + named(i);
      out_.bad = "abs((" + sum + ") - " + literal(e_.value["total"]) + ") > " +
                 (e_.value["within"].is_number() ? literal(e_.value["within"]) : "1e-9");
    } else if (k == "pair_in_set") {
      TRY(need("values"));
      std::string pairs;
      for (const auto& pair : e_.value["values"].items())
        pairs +=
            (pairs.empty() ? "(" : ", (") + literal(pair.at(0)) + ", " + literal(pair.at(1)) + ")";
      out_.bad = "(" + named(0) + ", " + named(1) + ") NOT IN (" + pairs + ")";
    }
    return {};
  }
  std::string texts() const {
    std::string out;
    for (std::size_t i = 0; i < e_.columns.size(); ++i)
      out += (i == 0 ? "" : ", ") + named(i) + "::VARCHAR";
    return out;
  }

  base::Status number() {
    const std::string& k = e_.kind;
    const std::string& c = column_;
    static const std::map<std::string, std::string> kPlain = {
        {"min", "min({})"},
        {"max", "max({})"},
        {"mean", "avg({})"},
        {"median", "median({})"},
        {"std", "stddev_samp({})"},
        {"variance", "var_samp({})"},
        {"sum", "sum({})"},
        {"skewness", "skewness({})"},
        {"kurtosis", "kurtosis({})"},
        {"iqr", "quantile_cont({}, 0.75) - quantile_cont({}, 0.25)"},
        {"range", "max({}) - min({})"},
        {"entropy", "entropy({})"},
        {"distinct_count", "count(DISTINCT {})"},
        {"distinct_share", "count(DISTINCT {}) / nullif(count({}), 0)"},
        {"missing_share", "1 - count({}) / nullif(count(*), 0)"},
        {"zero_share", "count(*) FILTER ({} = 0) / nullif(count({}), 0)"},
        {"mean_length", "avg(length({}::VARCHAR))"},
        {"row_count", "count(*)"}};
    if (const auto found = kPlain.find(k); found != kPlain.end()) {
      for (const char* part = found->second.c_str(); *part != '\0'; ++part) {
        if (part[0] == '{' && part[1] == '}') {
          out_.number += c;
          ++part;
        } else {
          out_.number += *part;
        }
      }
    } else if (k == "quantile") {
      TRY(need("q"));
      out_.number = "quantile_cont(" + c + ", " + literal(e_.value["q"]) + ")";
    } else if (k == "most_common_in_set") {
      TRY(need("values"));
      out_.number = "(mode(" + c + ") IN " + list() + ")::INT";
    } else if (k == "contains_values") {  // each of these occurs
      TRY(need("values"));
      out_.number = "count(DISTINCT " + c + ") FILTER (" + c + " IN " + list() + ") - " +
                    std::to_string(e_.value["values"].size());
    } else if (k == "correlation") {
      TRY(need_columns(2));
      out_.number = "corr(" + named(0) + ", " + named(1) + ")";
    } else if (k == "duplicate_rows") {
      out_.number =
          "(SELECT count(*) FROM t) - (SELECT count(*) FROM (SELECT DISTINCT * EXCLUDE __row FROM "
          "t))";
    } else if (k == "query") {
      TRY(need("sql"));
      out_.number = "(" + e_.value["sql"].as_string() + ")";
    }
    return {};
  }

  const Expectation& e_;
  const std::string column_;
  ExpectationSql out_;
};

}  // namespace

const std::vector<ExpectationKind>& expectation_kinds() {
  static const std::vector<ExpectationKind> kKinds = {
      {"not_null", "rows", "", "a value is there"},
      {"null", "rows", "", "no value is there"},
      {"unique", "rows", "", "no value twice"},
      {"key", "rows", "", "`columns` together: no combination twice"},
      {"between", "rows", "min max strict", "within bounds"},
      {"in_set", "rows", "values", "one of a list"},
      {"not_in_set", "rows", "values", "none of a list"},
      {"matches", "rows", "pattern", "a regular expression finds something"},
      {"not_matches", "rows", "pattern", "a regular expression finds nothing"},
      {"like", "rows", "pattern", "SQL's LIKE"},
      {"form", "rows", "form", "email, url, uuid, ipv4, phone, integer, number or iso_date"},
      {"length_between", "rows", "min max", "so many characters"},
      {"date_format", "rows", "format", "a date as strptime writes it"},
      {"is_json", "rows", "", "a JSON document"},
      {"z_below", "rows", "max", "at most so many standard deviations from the mean"},
      {"increasing", "rows", "strict", "not below the row before"},
      {"decreasing", "rows", "strict", "not above the row before"},
      {"greater", "rows", "or_equal", "the first of `columns` above the second"},
      {"equal", "rows", "", "the first of `columns` is the second"},
      {"different", "rows", "", "`columns` differ within a row"},
      {"pair_in_set", "rows", "values", "the pair is one of a list of pairs"},
      {"sum_is", "rows", "total within", "`columns` add up"},
      {"condition", "rows", "sql", "an SQL condition holds"},
      {"min", "number", "min max", "the smallest value"},
      {"max", "number", "min max", "the largest value"},
      {"mean", "number", "min max", ""},
      {"median", "number", "min max", ""},
      {"std", "number", "min max", "the sample's standard deviation"},
      {"variance", "number", "min max", ""},
      {"sum", "number", "min max", ""},
      {"range", "number", "min max", ""},
      {"iqr", "number", "min max", ""},
      {"skewness", "number", "min max", ""},
      {"kurtosis", "number", "min max", ""},
      {"quantile", "number", "q min max", ""},
      {"entropy", "number", "min max", "in bits"},
      {"distinct_count", "number", "min max", ""},
      {"distinct_share", "number", "min max", ""},
      {"missing_share", "number", "min max", ""},
      {"zero_share", "number", "min max", ""},
      {"mean_length", "number", "min max", "characters"},
      {"most_common_in_set", "number", "values", "the commonest value is one of a list"},
      {"contains_values", "number", "values", "each of a list occurs"},
      {"correlation", "number", "min max", "Pearson's, of two `columns`"},
      {"row_count", "number", "min max", ""},
      {"duplicate_rows", "number", "min max", "rows that occurred before"},
      {"query", "number", "sql min max", "an SQL query over `t` gives one number"},
      {"column_exists", "table", "", ""},
      {"column_type", "table", "type", "bool, integer, float, text or timestamp"},
      {"column_count", "table", "min max", ""},
      {"columns_are", "table", "values ordered", "just these, in this order when `ordered`"}};
  return kKinds;
}

base::Result<ExpectationSql> expectation_sql(const Expectation& expectation) {
  return Compiler(expectation).run();
}

base::Result<std::string> bad_rows_condition(const Expectation& expectation) {
  TRY_ASSIGN(const ExpectationSql sql, expectation_sql(expectation));
  if (!sql.rows || sql.windowed)
    return base::fail(Code::kInvalidArgument,
                      "no row alone breaks an expectation of this kind: " + expectation.kind);
  return "(" + sql.applies + ") AND coalesce(" + sql.bad + ", false)";
}

}  // namespace maru::stats
