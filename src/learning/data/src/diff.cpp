#include "maru/data/diff.h"

#include <algorithm>
#include <map>

#include "maru/base/text.h"
#include "snapshot.h"

namespace maru::data {

using base::Code;
using base::Json;
using base::Status;

namespace {

constexpr std::size_t kMaxKeyColumns = 16, kMaxKeyCandidates = 32;

bool has(const std::vector<SnapshotColumn>& columns, const std::string& name) {
  return std::any_of(columns.begin(), columns.end(),
                     [&](const auto& column) { return column.name == name; });
}

const SnapshotColumn& column_of(const Snapshot& snapshot, const std::string& name) {
  return *std::find_if(snapshot.columns.begin(), snapshot.columns.end(),
                       [&](const auto& column) { return column.name == name; });
}

bool number_like(ColumnType type) {
  return type == ColumnType::kInteger || type == ColumnType::kFloat;
}

// One comparison at work.
class Comparison {
 public:
  Comparison(Datasets& datasets, Engine& engine, const DiffSpec& spec, base::Context& context)
      : datasets_(datasets), engine_(engine), spec_(spec), context_(context) {}
  base::Result<DiffReport> run(const Snapshot& before, const Snapshot& after);

 private:
  void compare_columns();
  Status narrow();
  base::Result<std::string> side(const Snapshot& whole, std::vector<SnapshotPart> parts);
  Status check_key();
  Status find_key();
  Status by_key();
  Status count_by_key(const std::string& joined);
  Status changed_examples(const std::string& joined);
  Status by_rows();
  Status example_rows(const std::string& from, Table& out);
  std::string value(const char* side, const std::string& column) const;
  std::string differs(const std::string& column) const;
  std::string key_equal() const;

  Datasets& datasets_;
  Engine& engine_;
  const DiffSpec& spec_;
  base::Context& context_;
  DiffReport report_;
  std::vector<std::string> common_;  // in both, the key's aside
  std::string a_, b_;  // relations of the rows that must be read; "" when there are none
};

void Comparison::compare_columns() {
  for (const auto& column : report_.after.columns)
    if (!has(report_.before.columns, column.name)) report_.new_columns.push_back(column);
  for (const auto& column : report_.before.columns) {
    if (!has(report_.after.columns, column.name)) {
      report_.gone_columns.push_back(column);
      continue;
    }
    const ColumnType now = column_of(report_.after, column.name).type;
    if (now != column.type) report_.types.push_back({column.name, column.type, now});
    common_.push_back(column.name);
  }
}

base::Result<std::string> Comparison::side(const Snapshot& whole, std::vector<SnapshotPart> parts) {
  if (parts.empty()) return std::string();
  Snapshot narrowed = whole;
  narrowed.parts = std::move(parts);
  for (const auto& part : narrowed.parts) report_.compared_rows += part.rows;
  return datasets_.relation(narrowed);
}

// Takes away the parts that both have, as many times as both have them.
Status Comparison::narrow() {
  std::map<std::string, std::int64_t> spare;
  const auto name = [](const SnapshotPart& part) { return part.sha256; };
  for (const auto& part : report_.after.parts) ++spare[name(part)];
  std::vector<SnapshotPart> only_before;
  for (const auto& part : report_.before.parts) {
    if (spare[name(part)]-- > 0) {
      ++report_.shared_parts;
      report_.shared_rows += part.rows;
    } else {
      only_before.push_back(part);
    }
  }
  std::map<std::string, std::int64_t> taken;
  for (const auto& part : report_.before.parts) ++taken[name(part)];
  std::vector<SnapshotPart> only_after;
  for (const auto& part : report_.after.parts)
    if (taken[name(part)]-- <= 0) only_after.push_back(part);
  TRY_ASSIGN(a_, side(report_.before, std::move(only_before)));
  TRY_ASSIGN(b_, side(report_.after, std::move(only_after)));
  return {};
}

Status Comparison::check_key() {
  if (spec_.key.size() > kMaxKeyColumns)
    return base::fail(Code::kInvalidArgument, "too many columns in the key", "at most 16");
  for (const auto& name : spec_.key) {
    if (std::find(common_.begin(), common_.end(), name) == common_.end())
      return base::fail(Code::kNotFound, "no such column in both snapshots: " + name,
                        base::did_you_mean(name, common_));
  }
  report_.key = spec_.key;
  std::string list, missing;
  for (const auto& name : spec_.key) {
    list += (list.empty() ? "" : ", ") + quote_identifier(name);
    missing += (missing.empty() ? "" : " OR ") + quote_identifier(name) + " IS NULL";
  }
  for (const auto& [relation, snapshot] :
       {std::pair{&a_, &report_.before}, std::pair{&b_, &report_.after}}) {
    if (relation->empty()) continue;
    const std::string where =
        " of " + snapshot->dataset + "@" + std::to_string(snapshot->number) + ": ";
    TRY_ASSIGN(const Table none,
               engine_.query("SELECT count(*) FROM " + *relation + " WHERE " + missing, &context_));
    if (none.columns[0].integers[0] > 0)
      return base::fail(Code::kInvalidArgument,
                        "the key is missing in rows" + where +
                            std::to_string(none.columns[0].integers[0]) + " rows",
                        "choose columns that every row has");
    TRY_ASSIGN(const Table twice,
               engine_.query("SELECT " + list + ", count(*) AS n FROM " + *relation + " GROUP BY " +
                                 list + " HAVING count(*) > 1 ORDER BY ALL LIMIT 1",
                             &context_));
    if (twice.rows() == 0) continue;
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < spec_.key.size(); ++i)
      shown.push_back(spec_.key[i] + " = " + twice.columns[i].display(0));
    return base::fail(Code::kInvalidArgument,
                      "the key names several rows" + where + base::join(shown, ", ") + " (" +
                          twice.columns.back().display(0) + " rows)",
                      "add a column to --key, or compare whole rows with --rows");
  }
  return {};
}

// The column without gaps or repeats on both sides that most rows have in common; none is fine.
Status Comparison::find_key() {
  std::vector<std::string> candidates;
  for (const auto& name : common_) {
    const ColumnType type = column_of(report_.before, name).type;
    const bool key_like = type == ColumnType::kInteger || type == ColumnType::kText;
    if (key_like && type == column_of(report_.after, name).type &&
        candidates.size() < kMaxKeyCandidates)
      candidates.push_back(name);
  }
  for (const std::string* relation : {&a_, &b_}) {
    if (relation->empty() || candidates.empty()) continue;
    std::string list;
    for (const auto& name : candidates) {
      const std::string column = quote_identifier(name);
      list += (list.empty() ? "" : ", ") +
              ("count(" + column + ") = count(*) AND count(DISTINCT " + column + ") = count(*)");
    }
    TRY_ASSIGN(const Table unique,
               engine_.query("SELECT " + list + " FROM " + *relation, &context_));
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < candidates.size(); ++i)
      if (unique.columns[i].integers[0] != 0) kept.push_back(candidates[i]);
    candidates = std::move(kept);
  }
  if (candidates.empty() || a_.empty() || b_.empty()) return {};
  std::int64_t best = 0;
  for (const auto& name : candidates) {
    const std::string column = quote_identifier(name);
    TRY_ASSIGN(const Table shared, engine_.query("SELECT count(*) FROM (SELECT " + column +
                                                     " AS k FROM " + a_ + ") x JOIN (SELECT " +
                                                     column + " AS k FROM " + b_ + ") y USING (k)",
                                                 &context_));
    if (shared.columns[0].integers[0] <= best) continue;
    best = shared.columns[0].integers[0];
    report_.key = {name};
    report_.key_found = true;
  }
  return {};
}

std::string Comparison::value(const char* side, const std::string& column) const {
  const ColumnType before = column_of(report_.before, column).type;
  const ColumnType after = column_of(report_.after, column).type;
  const std::string name = std::string(side) + "." + quote_identifier(column);
  if (before == after) return name;
  return name + (number_like(before) && number_like(after) ? "::DOUBLE" : "::VARCHAR");
}

std::string Comparison::differs(const std::string& column) const {
  return "(" + value("a", column) + " IS DISTINCT FROM " + value("b", column) + ")";
}

std::string Comparison::key_equal() const {
  std::string out;
  for (const auto& name : report_.key)
    out += (out.empty() ? "" : " AND ") + value("a", name) + " = " + value("b", name);
  return out;
}

Status Comparison::count_by_key(const std::string& joined) {
  std::string any, counts;
  for (const auto& name : common_) {
    any += (any.empty() ? "" : " OR ") + differs(name);
    counts += ", count(*) FILTER (WHERE " + differs(name) + ")";
  }
  if (any.empty()) any = "false";
  TRY_ASSIGN(const Table found,
             engine_.query("SELECT count(*), count(*) FILTER (WHERE " + any + ")" + counts + joined,
                           &context_));
  const std::uint64_t both = static_cast<std::uint64_t>(found.columns[0].integers[0]);
  report_.changed = static_cast<std::uint64_t>(found.columns[1].integers[0]);
  const auto rows_of = [](const Snapshot& snapshot, std::uint64_t shared) {
    return snapshot.rows - shared;
  };
  report_.removed = rows_of(report_.before, report_.shared_rows) - both;
  report_.added = rows_of(report_.after, report_.shared_rows) - both;
  for (std::size_t i = 0; i < common_.size(); ++i) {
    const auto rows = static_cast<std::uint64_t>(found.columns[i + 2].integers[0]);
    if (rows > 0) report_.columns.push_back({common_[i], rows, {}});
  }
  std::stable_sort(report_.columns.begin(), report_.columns.end(),
                   [](const auto& x, const auto& y) { return x.rows > y.rows; });
  return {};
}

Status Comparison::changed_examples(const std::string& joined) {
  if (report_.columns.empty() || spec_.examples == 0) return {};
  std::string keys, order;
  for (const auto& name : report_.key) {
    keys += "a." + quote_identifier(name) + "::VARCHAR, ";
    order += (order.empty() ? "a." : ", a.") + quote_identifier(name);
  }
  for (auto& changes : report_.columns) {
    const std::string column = quote_identifier(changes.column);
    TRY_ASSIGN(const Table rows,
               engine_.query("SELECT " + keys + "a." + column + "::VARCHAR, b." + column +
                                 "::VARCHAR" + joined + " WHERE " + differs(changes.column) +
                                 " ORDER BY " + order + " LIMIT " + std::to_string(spec_.examples),
                             &context_));
    const std::size_t width = report_.key.size();
    for (std::size_t r = 0; r < rows.rows(); ++r) {
      ColumnChanges::Example example;
      for (std::size_t k = 0; k < width; ++k) example.key.push_back(rows.columns[k].display(r));
      example.before_missing = !rows.columns[width].is_valid(r);
      example.after_missing = !rows.columns[width + 1].is_valid(r);
      example.before = rows.columns[width].display(r);
      example.after = rows.columns[width + 1].display(r);
      changes.examples.push_back(std::move(example));
    }
  }
  return {};
}

Status Comparison::example_rows(const std::string& from, Table& out) {
  if (spec_.examples == 0) return {};
  TRY_ASSIGN(out, engine_.query(from + " LIMIT " + std::to_string(spec_.examples), &context_));
  return {};
}

Status Comparison::by_key() {
  common_.erase(std::remove_if(common_.begin(), common_.end(),
                               [&](const auto& name) {
                                 return std::find(report_.key.begin(), report_.key.end(), name) !=
                                        report_.key.end();
                               }),
                common_.end());
  if (a_.empty() || b_.empty()) {  // the other side's rows are all in shared parts
    report_.removed = report_.before.rows - report_.shared_rows;
    report_.added = report_.after.rows - report_.shared_rows;
  } else {
    const std::string joined = " FROM " + a_ + " a JOIN " + b_ + " b ON " + key_equal();
    TRY(count_by_key(joined));
    TRY(changed_examples(joined));
  }
  const std::string missing = a_.empty() || b_.empty() ? "" : " ANTI JOIN ";
  std::string order_a, order_b;
  for (const auto& name : report_.key) {
    order_a += (order_a.empty() ? " ORDER BY a." : ", a.") + quote_identifier(name);
    order_b += (order_b.empty() ? " ORDER BY b." : ", b.") + quote_identifier(name);
  }
  const auto other = [&](const std::string& relation, const char* name) {
    return missing.empty() ? std::string() : missing + relation + " " + name + " ON " + key_equal();
  };
  if (report_.removed > 0)
    TRY(example_rows("SELECT a.* FROM " + a_ + " a" + other(b_, "b") + order_a,
                     report_.removed_rows));
  if (report_.added > 0)
    TRY(example_rows("SELECT b.* FROM " + b_ + " b" + other(a_, "a") + order_b,
                     report_.added_rows));
  return {};
}

// Whole rows over the columns that both have, as many times as they occur.
Status Comparison::by_rows() {
  std::string list_a, list_b, names;
  for (const auto& name : common_) {
    list_a += value("a", name) + " AS " + quote_identifier(name) + ", ";
    list_b += value("b", name) + " AS " + quote_identifier(name) + ", ";
    names += (names.empty() ? "" : ", ") + quote_identifier(name);
  }
  if (names.empty()) {
    report_.removed = report_.before.rows;
    report_.added = report_.after.rows;
    return {};
  }
  std::string both;
  if (!a_.empty()) both = "SELECT " + list_a + "-1 AS maru_side FROM " + a_ + " a";
  if (!b_.empty())
    both += (both.empty() ? "SELECT " : " UNION ALL SELECT ") + list_b + "1 AS maru_side FROM " +
            b_ + " b";
  if (both.empty()) return {};
  const std::string counted = "(SELECT " + names + ", sum(maru_side)::BIGINT AS maru_side FROM (" +
                              both + ") GROUP BY " + names + " HAVING sum(maru_side) <> 0)";
  TRY_ASSIGN(
      const Table sums,
      engine_.query("SELECT coalesce(sum(maru_side) FILTER (WHERE maru_side > 0), 0)::BIGINT, "
                    "coalesce(-sum(maru_side) FILTER (WHERE maru_side < 0), 0)::BIGINT FROM " +
                        counted,
                    &context_));
  report_.added = static_cast<std::uint64_t>(sums.columns[0].integers[0]);
  report_.removed = static_cast<std::uint64_t>(sums.columns[1].integers[0]);
  const std::string rows = "SELECT " + names + " FROM " + counted + " WHERE maru_side ";
  if (report_.added > 0) TRY(example_rows(rows + "> 0 ORDER BY ALL", report_.added_rows));
  if (report_.removed > 0) TRY(example_rows(rows + "< 0 ORDER BY ALL", report_.removed_rows));
  return {};
}

base::Result<DiffReport> Comparison::run(const Snapshot& before, const Snapshot& after) {
  const std::int64_t start_ns = context_.clock->monotonic_ns();
  report_.before = before;
  report_.after = after;
  compare_columns();
  TRY(narrow());
  if (!spec_.key.empty() && spec_.by_rows)
    return base::fail(Code::kInvalidArgument, "a key and whole rows exclude each other");
  if (!spec_.key.empty()) {
    TRY(check_key());
  } else if (!spec_.by_rows) {
    TRY(find_key());
  }
  TRY(report_.key.empty() ? by_rows() : by_key());
  report_.seconds = static_cast<double>(context_.clock->monotonic_ns() - start_ns) * 1e-9;
  return std::move(report_);
}

Json column_list(const std::vector<SnapshotColumn>& columns) { return columns_json(columns); }

Json count(std::uint64_t value) { return static_cast<std::int64_t>(value); }

Json table_rows(const Table& table) {
  Json rows = Json::array();
  for (std::size_t r = 0; r < table.rows(); ++r) {
    Json row = Json::object();
    for (const auto& column : table.columns)
      row.set(column.name, column.is_valid(r) ? Json(column.display(r)) : Json());
    rows.push(std::move(row));
  }
  return rows;
}

Json changes_json(const ColumnChanges& changes) {
  Json examples = Json::array();
  for (const auto& example : changes.examples) {
    Json key = Json::array();
    for (const auto& text : example.key) key.push(text);
    examples.push(Json::object({{"key", key},
                                {"before", example.before_missing ? Json() : Json(example.before)},
                                {"after", example.after_missing ? Json() : Json(example.after)}}));
  }
  return Json::object(
      {{"column", changes.column}, {"rows", count(changes.rows)}, {"examples", examples}});
}

Json side_json(const Snapshot& snapshot) {
  return Json::object({{"dataset", snapshot.dataset},
                       {"number", snapshot.number},
                       {"snapshot", snapshot.id},
                       {"rows", count(snapshot.rows)},
                       {"created_us", snapshot.created_us}});
}

}  // namespace

Json DiffReport::to_json() const {
  Json type_list = Json::array(), changes = Json::array(), key_list = Json::array();
  for (const auto& change : types)
    type_list.push(Json::object({{"column", change.column},
                                 {"before", std::string(type_name(change.before))},
                                 {"after", std::string(type_name(change.after))}}));
  for (const auto& one : columns) changes.push(changes_json(one));
  for (const auto& name : key) key_list.push(name);
  const bool same = new_columns.empty() && gone_columns.empty() && types.empty() && added == 0 &&
                    removed == 0 && changed == 0;
  return Json::object({{"same", same},
                       {"before", side_json(before)},
                       {"after", side_json(after)},
                       {"new_columns", column_list(new_columns)},
                       {"gone_columns", column_list(gone_columns)},
                       {"types", type_list},
                       {"key", key_list},
                       {"key_found", key_found},
                       {"added", count(added)},
                       {"removed", count(removed)},
                       {"changed", count(changed)},
                       {"columns", changes},
                       {"added_rows", table_rows(added_rows)},
                       {"removed_rows", table_rows(removed_rows)},
                       {"shared_parts", count(shared_parts)},
                       {"shared_rows", count(shared_rows)},
                       {"compared_rows", count(compared_rows)},
                       {"seconds", seconds}});
}

base::Result<DiffReport> diff_snapshots(Datasets& datasets, Engine& engine, const Snapshot& before,
                                        const Snapshot& after, const DiffSpec& spec,
                                        base::Context& context) {
  if (spec.examples > kMaxDiffExamples)
    return base::fail(Code::kInvalidArgument, "too many examples: " + std::to_string(spec.examples),
                      "at most 100");
  return Comparison(datasets, engine, spec, context).run(before, after);
}

}  // namespace maru::data
