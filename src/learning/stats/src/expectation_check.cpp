#include <algorithm>
#include <cmath>
#include <set>

#include "expectation_sql.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "maru/stats/expectation.h"

namespace maru::stats {
namespace {

using base::Code;
using base::Json;

constexpr std::size_t kTogether = 64;     // expectations of one scan
constexpr std::size_t kSliceColumns = 8;  // columns that failing rows are looked for in
constexpr std::size_t kBlamed = 10;       // failed expectations whose slice is looked for
constexpr std::uint64_t kSliceValues = 50;

std::string percent(double share) { return base::format_significant(share * 100, 3) + " %"; }
std::string count(double n) { return base::format_count(static_cast<std::int64_t>(n)); }

// The rows with their numbers, under the name t.
std::string with_rows(const std::string& relation) {
  return "WITH t AS (SELECT *, row_number() OVER () - 1 AS __row FROM " + relation + ") ";
}

struct Judged {
  const Expectation* rule = nullptr;
  ExpectationSql sql;
  double rows = 0, failed = 0;
  std::string examples, shown;
};

double cell(const data::Table& table, std::size_t c) { return table.columns[c].number(0); }

class Check {
 public:
  Check(data::Engine& engine, const std::string& relation, const Profile& profile,
        base::Context& context)
      : engine_(engine), relation_(relation), profile_(profile), context_(context) {}

  base::Result<std::vector<Anomaly>> run(const std::vector<Expectation>& rules) {
    std::vector<Judged> together, numbers;
    for (const auto& rule : rules) {
      TRY(known_columns(rule));
      const std::string judges = kind_of(rule).judges;
      if (judges == "table") {
        TRY(table_rule(rule));
        continue;
      }
      Judged judged;
      judged.rule = &rule;
      TRY_ASSIGN(judged.sql, expectation_sql(rule));
      if (judges == "number") {
        numbers.push_back(std::move(judged));
      } else if (judged.sql.windowed) {
        TRY(windowed(judged));
      } else {
        together.push_back(std::move(judged));
      }
    }
    for (std::size_t from = 0; from < together.size(); from += kTogether)
      TRY(one_scan(together, from, std::min(from + kTogether, together.size())));
    for (auto& judged : numbers) TRY(number_rule(judged));
    return std::move(found_);
  }

 private:
  static const ExpectationKind& kind_of(const Expectation& rule) {
    const auto& kinds = expectation_kinds();
    const auto found = std::find_if(kinds.begin(), kinds.end(),
                                    [&](const ExpectationKind& k) { return k.name == rule.kind; });
    return found == kinds.end() ? kinds.front() : *found;
  }

  base::Status known_columns(const Expectation& rule) const {
    if (kind_of(rule).judges == "table") return {};
    std::vector<std::string> wanted = rule.columns, names;
    if (!rule.column.empty()) wanted.push_back(rule.column);
    const bool needs = rule.columns.empty() && rule.column.empty();
    static const std::set<std::string> kFree = {"condition", "row_count", "duplicate_rows",
                                                "query"};
    if (needs && kFree.count(rule.kind) == 0)
      return base::fail(Code::kInvalidArgument, "an expectation names no column: " + rule.kind);
    for (const auto& column : profile_.columns) names.push_back(column.name);
    for (const auto& name : wanted) {
      if (std::find(names.begin(), names.end(), name) == names.end())
        return base::fail(
            Code::kInvalidArgument,
            "an expectation (" + rule.kind + ") names no column of the table: " + name,
            base::did_you_mean(name, names));
    }
    return {};
  }

  base::Result<data::Table> ask(const Expectation& rule, const std::string& sql) {
    auto out = engine_.query(sql, &context_);
    if (!out)
      return base::wrap(out.error(),
                        "an expectation cannot be judged: " + rule.kind + " of " + rule.column,
                        "does its value fit the column's type?");
    return out;
  }

  static std::string judged_columns(const Judged& judged, std::size_t number) {
    const std::string id = std::to_string(number), bad = "coalesce(" + judged.sql.bad + ", false)";
    const std::string filter = " FILTER (WHERE (" + judged.sql.applies + ") AND " + bad + ")";
    return "count(*) FILTER (WHERE " + judged.sql.applies + ") AS n" + id + ", count(*)" + filter +
           " AS f" + id + ", array_to_string(min(__row, 5)" + filter + ", ',') AS r" + id +
           ", array_to_string(min(" + judged.sql.shown + ", 3)" + filter + ", ', ') AS v" + id;
  }

  static void take(Judged& judged, const data::Table& table, std::size_t at) {
    judged.rows = cell(table, at);
    judged.failed = cell(table, at + 1);
    judged.examples = std::string(table.columns[at + 2].text(0));
    judged.shown = std::string(table.columns[at + 3].text(0));
  }

  base::Status one_scan(std::vector<Judged>& all, std::size_t from, std::size_t to) {
    std::string columns;
    for (std::size_t i = from; i < to; ++i)
      columns += (i == from ? "" : ", ") + judged_columns(all[i], i);
    const auto together =
        engine_.query(with_rows(relation_) + "SELECT " + columns + " FROM t", &context_);
    for (std::size_t i = from; i < to; ++i) {
      if (together) {
        take(all[i], *together, (i - from) * 4);
      } else {  // one of them cannot be asked: which?
        TRY_ASSIGN(const data::Table alone,
                   ask(*all[i].rule,
                       with_rows(relation_) + "SELECT " + judged_columns(all[i], i) + " FROM t"));
        take(all[i], alone, 0);
      }
      TRY(judge(all[i]));
    }
    return {};
  }

  base::Status windowed(Judged& judged) {
    Judged flagged = judged;
    flagged.sql.bad = "__bad";
    TRY_ASSIGN(const data::Table table,
               ask(*judged.rule, with_rows(relation_) + ", u AS (SELECT *, " + judged.sql.bad +
                                     " AS __bad FROM t WHERE " + judged.sql.applies + ") SELECT " +
                                     judged_columns(flagged, 0) + " FROM u"));
    take(judged, table, 0);
    return judge(judged);
  }

  base::Status judge(Judged& judged) {
    const Expectation& rule = *judged.rule;
    const double passed = judged.rows == 0 ? 1 : 1 - judged.failed / judged.rows;
    if (passed >= rule.mostly - 1e-12) return {};
    Anomaly out = start(rule);
    out.rows = static_cast<std::uint64_t>(judged.failed);
    for (const auto& row : base::split(judged.examples, ','))
      if (!row.empty()) out.examples.push_back(std::strtoull(row.c_str(), nullptr, 10));
    const std::string help = kind_of(rule).help;
    out.message = (rule.description.empty() ? rule.kind + (help.empty() ? "" : " (" + help + ")")
                                            : rule.description) +
                  ": " + count(judged.failed) + " of " + count(judged.rows) + " rows do not" +
                  (rule.mostly < 1 ? ", at least " + percent(rule.mostly) + " must" : "") +
                  (judged.shown.empty() ? "" : ", such as " + judged.shown.substr(0, 120));
    TRY(blame(judged, out));
    out.fix = judged.sql.windowed ? "mend the rows at the source, or accept a lower `mostly`"
                                  : "mend the rows at the source, set them apart (quarantine), or "
                                    "accept a lower `mostly`";
    Expectation proposal = rule;
    proposal.mostly = std::floor(passed * 1e6) / 1e6;
    out.proposal = proposal.to_json();
    found_.push_back(std::move(out));
    return {};
  }

  static Anomaly start(const Expectation& rule) {
    Anomaly out;
    out.column = rule.column.empty() ? base::join(rule.columns, ", ") : rule.column;
    out.kind = rule.kind;
    out.severity = rule.severity;
    return out;
  }

  // The value of another column that holds most of the failing rows while it holds few of all: where to look.
  base::Status blame(const Judged& judged, Anomaly& out) {
    if (judged.sql.windowed || judged.failed < 2 || blamed_ >= kBlamed) return {};
    ++blamed_;
    double best = 0;
    std::size_t looked = 0;
    for (const auto& column : profile_.columns) {
      const bool few = column.distinct >= 2 && column.distinct <= kSliceValues;
      const bool kind = column.type == data::ColumnType::kText ||
                        column.type == data::ColumnType::kBool ||
                        column.type == data::ColumnType::kInteger;
      if (!few || !kind || column.name == judged.rule->column || looked == kSliceColumns) continue;
      ++looked;
      const std::string name = data::quote_identifier(column.name);
      TRY_ASSIGN(
          const data::Table table,
          ask(*judged.rule, with_rows(relation_) + "SELECT " + name +
                                "::VARCHAR, count(*) FILTER (WHERE (" + judged.sql.applies +
                                ") AND coalesce(" + judged.sql.bad +
                                ", false)) AS f, count(*) FILTER (WHERE " + judged.sql.applies +
                                ") AS n FROM t GROUP BY 1 ORDER BY f DESC, 1 LIMIT 1"));
      if (table.rows() == 0) continue;
      const double failed = table.columns[1].number(0), rows = table.columns[2].number(0);
      const double held = failed / judged.failed, share = rows / judged.rows;
      // Most of the failures in at most half of the rows, and more than chance puts there.
      const double score = held - share;
      if (held < 0.8 || score < 0.2 || score <= best) continue;
      best = score;
      out.slice =
          column.name + ": " +
          (table.columns[0].is_valid(0) ? std::string(table.columns[0].text(0)) : "(missing)");
    }
    return {};
  }

  base::Status number_rule(Judged& judged) {
    const Expectation& rule = *judged.rule;
    TRY_ASSIGN(
        const data::Table table,
        ask(rule, with_rows(relation_) + "SELECT (" + judged.sql.number + ")::DOUBLE AS x FROM t" +
                      (rule.where.empty() ? "" : " WHERE " + rule.where)));
    const double value = table.rows() == 0 ? std::nan("") : cell(table, 0);
    bool ok = true;
    Expectation proposal = rule;
    if (rule.kind == "most_common_in_set") {
      ok = value == 1;
    } else if (rule.kind == "contains_values") {
      ok = value >= 0;
    } else {
      const Json& low = rule.value["min"];
      const Json& high = rule.value["max"];
      if (std::isnan(value)) ok = !low.is_number() && !high.is_number();
      if (low.is_number() && value < low.as_double()) {
        ok = false;
        proposal.value.set("min", value);
      }
      if (high.is_number() && value > high.as_double()) {
        ok = false;
        proposal.value.set("max", value);
      }
    }
    if (ok) return {};
    Anomaly out = start(rule);
    out.message = (rule.description.empty() ? rule.kind : rule.description) + " is " +
                  (std::isnan(value) ? "unknown" : base::format_significant(value, 6)) +
                  ", expected " + bounds(rule);
    out.fix = "check what changed at the source, or accept the new bounds";
    out.proposal = proposal.to_json();
    found_.push_back(std::move(out));
    return {};
  }

  static std::string bounds(const Expectation& rule) {
    const auto end = [&](const char* key, const char* open) {
      return rule.value[key].is_number() ? base::format_significant(rule.value[key].as_double(), 6)
                                         : std::string(open);
    };
    if (rule.value["values"].is_array()) return rule.value["values"].dump();
    return "[" + end("min", "-∞") + ", " + end("max", "∞") + "]";
  }

  base::Status table_rule(const Expectation& rule) {
    std::vector<std::string> names, wanted;
    for (const auto& column : profile_.columns) names.push_back(column.name);
    for (const auto& item : rule.value["values"].items()) wanted.push_back(item.as_string());
    Anomaly out = start(rule);
    out.proposal = rule.to_json();
    const ColumnProfile* column = profile_.find(rule.column);
    if (rule.kind == "column_exists" || (rule.kind == "column_type" && column == nullptr)) {
      if (column != nullptr) return {};
      out.message = "column is missing";
      out.fix = base::did_you_mean(rule.column, names);
    } else if (rule.kind == "column_type") {
      const std::string type(data::type_name(column->type));
      if (type == rule.value["type"].as_string()) return {};
      out.message = "is " + type + ", expected " + rule.value["type"].as_string();
      out.fix = "mend it at the source, or accept the new type";
      out.proposal.set("value", Json::object({{"type", type}}));
    } else if (rule.kind == "column_count") {
      const auto n = static_cast<double>(names.size());
      const bool low = rule.value["min"].is_number() && n < rule.value["min"].as_double();
      const bool high = rule.value["max"].is_number() && n > rule.value["max"].as_double();
      if (!low && !high) return {};
      out.message = std::to_string(names.size()) + " columns, expected " + bounds(rule);
    } else {
      std::vector<std::string> a = names, b = wanted;
      if (!rule.value["ordered"].as_bool()) {
        std::sort(a.begin(), a.end());
        std::sort(b.begin(), b.end());
      }
      if (a == b) return {};
      out.message =
          "columns are " + base::join(names, ", ") + "; expected " + base::join(wanted, ", ");
      out.fix = "bring them back at the source, or accept the new list";
    }
    found_.push_back(std::move(out));
    return {};
  }

  data::Engine& engine_;
  const std::string& relation_;
  const Profile& profile_;
  base::Context& context_;
  std::vector<Anomaly> found_;
  std::size_t blamed_ = 0;
};

}  // namespace

base::Result<std::vector<Anomaly>> check_expectations(data::Engine& engine,
                                                      const std::string& relation,
                                                      const std::vector<Expectation>& expectations,
                                                      const Profile& profile,
                                                      base::Context& context) {
  if (expectations.empty()) return std::vector<Anomaly>{};
  return Check(engine, relation, profile, context).run(expectations);
}

}  // namespace maru::stats
