#include <algorithm>

#include "maru/base/text.h"
#include "snapshot.h"

namespace maru::data {

using base::Code;

namespace {

constexpr std::string_view kLargestExactDouble = "9007199254740992";  // 2^53

struct ColumnFacts {
  bool empty = false;  // no value at all
  bool exact = true;   // every whole number keeps its digits as a double
};

base::Result<ColumnFacts> look(Engine& engine, const std::string& relation,
                               const SnapshotColumn& column) {
  const std::string name = quote_identifier(column.name);
  const std::string large = column.type == ColumnType::kInteger
                                ? "count(*) FILTER (WHERE " + name + " > " +
                                      std::string(kLargestExactDouble) + " OR " + name + " < -" +
                                      std::string(kLargestExactDouble) + ")"
                                : "0";
  TRY_ASSIGN(const Table seen, engine.query("SELECT count(" + name + ")::BIGINT, (" + large +
                                            ")::BIGINT FROM " + relation));
  return ColumnFacts{seen.columns[0].integers[0] == 0, seen.columns[1].integers[0] == 0};
}

const SnapshotColumn* find(const std::vector<SnapshotColumn>& columns, const std::string& name) {
  const auto at = std::find_if(columns.begin(), columns.end(),
                               [&](const auto& column) { return column.name == name; });
  return at == columns.end() ? nullptr : &*at;
}

std::string cast(const std::string& value, const SnapshotColumn& to) {
  return value + "::" + std::string(sql_type(to.type)) + " AS " + quote_identifier(to.name);
}

// One column that both sides have, with different types.
class Difference {
 public:
  Difference(Engine& engine, const std::string& older, const std::string& fresh)
      : engine_(engine), older_(older), fresh_(fresh) {}

  base::Status settle(const SnapshotColumn& before, const SnapshotColumn& now, ColumnFit& fit,
                      std::vector<std::string>& refused) {
    TRY_ASSIGN(const ColumnFacts new_facts, look(engine_, fresh_, now));
    SnapshotColumn result = before;
    if (new_facts.empty) {
      // Missing values have no type of their own.
    } else if (before.type == ColumnType::kFloat && now.type == ColumnType::kInteger) {
      if (!new_facts.exact)
        refused.push_back(now.name + " (float so far, now whole numbers beyond 2^53)");
    } else if (before.type == ColumnType::kText && now.type == ColumnType::kInteger) {
      fit.notes.push_back("whole numbers of " + now.name + " became text, as before");
    } else {
      TRY_ASSIGN(const ColumnFacts old_facts, look(engine_, older_, before));
      if (old_facts.empty) {
        result.type = now.type;
        fit.widened = true;
      } else if (before.type == ColumnType::kInteger && now.type == ColumnType::kFloat &&
                 old_facts.exact) {
        result.type = ColumnType::kFloat;
        fit.widened = true;
        fit.notes.push_back(now.name + " widens from integer to float");
      } else if (before.type == ColumnType::kInteger && now.type == ColumnType::kFloat) {
        refused.push_back(now.name + " (whole numbers beyond 2^53 so far, now float)");
      } else {
        refused.push_back(now.name + " (" + std::string(type_name(before.type)) + " so far, now " +
                          std::string(type_name(now.type)) + ")");
      }
    }
    fit.columns.push_back(result);
    fit.select += ", " + cast(quote_identifier(now.name), result);
    return {};
  }

 private:
  Engine& engine_;
  const std::string& older_;
  const std::string& fresh_;
};

}  // namespace

std::string_view sql_type(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return "BOOLEAN";
    case ColumnType::kInteger:
      return "BIGINT";
    case ColumnType::kFloat:
      return "DOUBLE";
    case ColumnType::kText:
      return "VARCHAR";
    case ColumnType::kTimestamp:
      return "TIMESTAMP";
  }
  return "VARCHAR";
}

base::Result<ColumnFit> fit_columns(Engine& engine, const Snapshot& before,
                                    const std::string& older,
                                    const std::vector<SnapshotColumn>& columns,
                                    const std::string& fresh, bool fill_missing) {
  ColumnFit fit;
  std::vector<std::string> refused, absent;
  Difference difference(engine, older, fresh);
  for (const auto& column : before.columns) {
    const SnapshotColumn* now = find(columns, column.name);
    if (now == nullptr) {
      absent.push_back(column.name);
      fit.columns.push_back(column);
      fit.select += ", " + cast("NULL", column);
    } else if (now->type == column.type) {
      fit.columns.push_back(column);
      fit.select += ", " + quote_identifier(column.name);
    } else {
      TRY(difference.settle(column, *now, fit, refused));
    }
  }
  for (const auto& column : columns) {
    if (find(before.columns, column.name) != nullptr) continue;
    for (const auto& other : before.columns) {
      if (base::to_lower_ascii(other.name) == base::to_lower_ascii(column.name))
        refused.push_back(column.name + " (so far written " + other.name + ")");
    }
    fit.columns.push_back(column);
    fit.select += ", " + quote_identifier(column.name);
    fit.notes.push_back("new column " + column.name + ": missing in older rows");
    fit.widened = true;
  }
  const std::string name = before.dataset + "@" + std::to_string(before.number);
  if (!refused.empty())
    return base::fail(Code::kInvalidArgument,
                      "columns do not fit " + name + ": " + base::join(refused, ", "),
                      "convert them, or import the file as a snapshot of its own");
  if (!absent.empty() && !fill_missing)
    return base::fail(
        Code::kInvalidArgument,
        "columns of " + name + " are not in the new rows: " + base::join(absent, ", "),
        "--fill-missing leaves them empty");
  for (const auto& gone : absent) fit.notes.push_back("column " + gone + " is missing here");
  fit.select.erase(0, 2);
  const bool as_it_stands =
      absent.empty() && columns.size() == fit.columns.size() &&
      std::equal(columns.begin(), columns.end(), fit.columns.begin(),
                 [](const auto& a, const auto& b) { return a.name == b.name && a.type == b.type; });
  if (as_it_stands) fit.select.clear();
  return fit;
}

}  // namespace maru::data
