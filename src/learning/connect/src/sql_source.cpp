// Tables and queries of databases as Parquet files: typed, in one state of the database, in bounded memory.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <mutex>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/data/cell_text.h"
#include "maru/store/foreign.h"
#include "maru/store/foreign_table.h"
#include "parallel.h"
#include "row_spool.h"
#include "sources.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Status;
using data::ColumnType;
using store::ForeignColumn;
using store::ForeignTables;
using store::ForeignType;

constexpr int kIntegerDigits = 18;                // whole decimals up to here are 64-bit integers
constexpr std::int64_t kExactDouble = 1ll << 53;  // beyond it a double skips whole numbers
constexpr std::uint64_t kMinRangeKeys =
    50'000;  // a range of keys smaller than this is not worth a session
constexpr std::size_t kRangesPerReader = 4;  // so that uneven ranges still keep all readers busy
constexpr std::uint64_t kLookEvery = 4096;   // rows between two looks whether to stop

// What one column becomes, and whether its cells may still prove that wrong.
struct Chosen {
  ForeignType from = ForeignType::kText;
  ColumnType as = ColumnType::kText;
  bool exact = true;  // a cell that would lose digits makes the column text
};

struct SqlPlan {
  std::vector<ForeignColumn> columns;
  std::vector<Chosen> chosen;
  std::vector<std::string> selects;  // one an object, in order
  std::vector<SourceObject> objects;
};

// A cell did not fit what its column was taken for: the whole read begins again with `column` as `wider`.
struct Misfit {
  std::mutex mutex;
  bool found = false;
  std::size_t column = 0;
  ColumnType wider = ColumnType::kText;
};

bool parse_exact(std::string_view text, double& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

bool whole_number(std::string_view text) {
  const std::size_t dot = text.find('.');
  return dot == std::string_view::npos ||
         text.find_first_not_of('0', dot + 1) == std::string_view::npos;
}

class SqlSource final : public Source {
 public:
  SqlSource(Address address, const SourceSettings& settings)
      : address_(std::move(address)), settings_(settings) {}

  Status prepare();
  base::Result<std::vector<SourceObject>> list(base::Context&) override {
    TRY_ASSIGN(const auto session, ForeignTables::open(url_));
    TRY_ASSIGN(const SqlPlan plan, make_plan(*session));
    return plan.objects;
  }
  base::Result<std::vector<SourceObject>> read(const std::string& folder, SourceMeter& meter,
                                               base::Context& context) override;
  std::vector<std::string> notes() const override { return notes_; }

 private:
  base::Result<SqlPlan> make_plan(ForeignTables& session);
  Status make_ranges(ForeignTables& session, SqlPlan& plan);
  base::Result<std::vector<SourceObject>> read_once(const std::string& folder, SourceMeter& meter,
                                                    base::Context& context, Misfit& misfit);
  Status read_object(ForeignTables& session, const SqlPlan& plan, std::size_t number,
                     const std::string& path, SourceMeter& meter, base::Context& context,
                     Misfit& misfit, std::uint64_t& rows);
  base::Result<Chosen> choose(const ForeignColumn& column, std::size_t number);
  Status add_cell(const store::Cursor& row, std::size_t i, const SqlPlan& plan, RowSpool& spool,
                  Misfit& misfit);
  void note(const std::string& text) {
    const std::lock_guard lock(notes_mutex_);
    if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
  }

  const Address address_;
  const SourceSettings settings_;
  std::string url_;   // with the password
  std::string what_;  // the table, or the query
  bool table_ = false;
  std::vector<std::pair<std::size_t, ColumnType>> widened_;
  std::mutex notes_mutex_;
  std::vector<std::string> notes_;
};

Status SqlSource::prepare() {
  const std::string table = address_.option("table"), query = address_.option("query");
  if (table.empty() == query.empty())
    return fail(
        Code::kInvalidArgument,
        "the address names " + std::string(table.empty() ? "no table" : "a table and a query"),
        "add ?table=NAME, or ?query=SELECT ...");
  table_ = !table.empty();
  what_ = table_ ? table : std::string(base::trim(query));
  while (!what_.empty() && what_.back() == ';') what_.pop_back();
  if (const std::string decimal = address_.option("decimal");
      !decimal.empty() && decimal != "text" && decimal != "float")
    return fail(Code::kInvalidArgument, "`decimal` is text or float, not: " + decimal);
  if (address_.scheme == "sqlite") {
    TRY(address_.check_options({"table", "query", "decimal"}));
    url_ = address_.path;
    return {};
  }
  TRY_ASSIGN(const std::string secret, named_secret(address_, settings_));
  std::string user = address_.user, password = address_.password;
  if (!secret.empty()) {
    const std::size_t colon = secret.find(':');
    if (user.empty() && colon != std::string::npos) {
      user = secret.substr(0, colon);
      password = secret.substr(colon + 1);
    } else {
      password = secret;
    }
  }
  url_ = (address_.scheme == "postgres" ? "postgresql" : address_.scheme) + "://";
  if (!user.empty()) url_ += percent_encoded(user);
  if (!password.empty()) url_ += ":" + percent_encoded(password);
  if (!user.empty() || !password.empty()) url_ += "@";
  url_ += address_.host + (address_.has_port() ? ":" + address_.port : "") + address_.path;
  const bool postgres = url_.starts_with("postgresql");
  if (!postgres) TRY(address_.check_options({"table", "query", "decimal", "secret", "tls"}));
  std::string rest;
  for (const auto& [name, value] :
       address_.options) {  // libpq checks its own: sslmode and the like
    if (name == "table" || name == "query" || name == "decimal" || name == "secret") continue;
    rest += (rest.empty() ? "?" : "&") + percent_encoded(name) + "=" + percent_encoded(value);
  }
  url_ += rest;
  return {};
}

base::Result<Chosen> SqlSource::choose(const ForeignColumn& column, std::size_t number) {
  Chosen out;
  out.from = column.type;
  const std::string decimal = address_.option("decimal");
  switch (column.type) {
    case ForeignType::kBool:
      out.as = ColumnType::kBool;
      break;
    case ForeignType::kInteger:
    case ForeignType::kUnsigned:
      out.as = ColumnType::kInteger;
      break;
    case ForeignType::kReal:
      out.as = ColumnType::kFloat;
      break;
    case ForeignType::kDecimal:
      out.exact = decimal != "float";
      if (decimal == "text")
        out.as = ColumnType::kText;
      else if (column.digits > 0 && column.scale == 0 && decimal.empty())
        out.as = column.digits <= kIntegerDigits ? ColumnType::kInteger : ColumnType::kText;
      else
        out.as = ColumnType::kFloat;
      if (out.as == ColumnType::kFloat)
        note("`" + column.name + "` is " + column.declared +
             ": read as float (decimal=text keeps every digit)");
      break;
    case ForeignType::kTime:
    case ForeignType::kInstant:
      out.as = ColumnType::kTimestamp;
      break;
    case ForeignType::kText:
      break;
    case ForeignType::kBytes:
      return fail(Code::kInvalidArgument,
                  "column `" + column.name + "` holds bytes (" + column.declared +
                      "), which a table has no type for",
                  "leave it out with ?query=SELECT ..., or encode it there as text");
  }
  for (const auto& [which, wider] : widened_)
    if (which == number) out.as = wider;
  return out;
}

Status SqlSource::make_ranges(ForeignTables& session, SqlPlan& plan) {
  const std::string from = "SELECT * FROM " + session.quoted(what_);
  TRY_ASSIGN(const auto key, session.key(what_));
  const std::string shown = shown_address(address_.plain) + " " + what_;
  if (!key) {
    plan.selects.push_back(from);
    plan.objects.push_back({shown, {}, 0, 0, {}});
    return {};
  }
  // Quoted as one name, whatever dots it has.
  const std::string quote = session.quoted("");
  const std::string name = quote.substr(0, 1) + key->column + quote.substr(0, 1);
  const std::uint64_t span = key->high < key->low ? 0
                                                  : static_cast<std::uint64_t>(key->high) -
                                                        static_cast<std::uint64_t>(key->low);
  const std::uint64_t ranges =
      std::clamp<std::uint64_t>(span / kMinRangeKeys, 1, settings_.parallel * kRangesPerReader);
  const bool shared = address_.scheme.starts_with("postgres");
  if (ranges == 1 || !shared) {
    plan.selects.push_back(from + " ORDER BY " + name);
    plan.objects.push_back({shown, {}, 0, 0, {}});
    return {};
  }
  const std::uint64_t step = span / ranges + 1;
  for (std::uint64_t i = 0; i < ranges; ++i) {
    const auto low = static_cast<std::int64_t>(static_cast<std::uint64_t>(key->low) + i * step);
    std::string where = " WHERE " + name + " >= " + std::to_string(low);
    if (i + 1 < ranges)
      where += " AND " + name + " < " +
               std::to_string(static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + step));
    plan.selects.push_back(from + where + " ORDER BY " + name);
    plan.objects.push_back(
        {shown + " from " + key->column + " " + std::to_string(low), {}, 0, 0, {}});
  }
  return {};
}

base::Result<SqlPlan> SqlSource::make_plan(ForeignTables& session) {
  SqlPlan plan;
  const std::string select = table_ ? "SELECT * FROM " + session.quoted(what_) : what_;
  auto described = session.describe(select);
  if (!described) {
    std::string hint = described.error().hint;
    if (described.error().code == Code::kNotFound && table_)
      if (const auto tables = session.tables()) hint = base::did_you_mean(what_, *tables);
    return base::wrap(described.error(),
                      "cannot be read: " + shown_address(address_.plain) + " " + what_, hint);
  }
  plan.columns = std::move(*described);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plan.columns.size(); ++i) {
    std::string& name = plan.columns[i].name;
    const std::string given = name;
    for (int again = 2; std::find(names.begin(), names.end(), name) != names.end(); ++again)
      name = given + "_" + std::to_string(again);
    if (name != given) note("two columns are called `" + given + "`: one becomes `" + name + "`");
    names.push_back(name);
    TRY_ASSIGN(const Chosen one, choose(plan.columns[i], i));
    plan.chosen.push_back(one);
  }
  if (table_) {
    TRY(make_ranges(session, plan));
  } else {
    plan.selects.push_back(select);
    plan.objects.push_back({shown_address(address_.plain) + " (query)", {}, 0, 0, {}});
  }
  return plan;
}

Status SqlSource::add_cell(const store::Cursor& row, std::size_t i, const SqlPlan& plan,
                           RowSpool& spool, Misfit& misfit) {
  const int at = static_cast<int>(i);
  const Chosen& chosen = plan.chosen[i];
  const auto widen = [&](ColumnType wider) -> Status {
    const std::lock_guard lock(misfit.mutex);
    if (!misfit.found) misfit.found = true, misfit.column = i, misfit.wider = wider;
    return fail(Code::kAborted, "a cell of `" + plan.columns[i].name + "` needs a wider type");
  };
  if (row.null(at)) {
    spool.null(i);
    return {};
  }
  switch (chosen.as) {
    case ColumnType::kBool: {
      const std::string_view text = row.text(at);
      if (text != "t" && text != "f" && text != "1" && text != "0")
        return widen(ColumnType::kInteger);
      spool.integer(i, text == "t" || text == "1" ? 1 : 0);
      return {};
    }
    case ColumnType::kInteger: {
      if (chosen.from == ForeignType::kInteger) {
        spool.integer(i, row.integer(at));
        return {};
      }
      std::int64_t value = 0;
      const std::string_view text = row.text(at);
      const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
      if (read.ec != std::errc() || read.ptr != text.data() + text.size())
        return widen(ColumnType::kText);
      spool.integer(i, value);
      return {};
    }
    case ColumnType::kFloat: {
      double value = row.real(at);
      if (chosen.from == ForeignType::kDecimal) {
        const std::string_view text = row.text(at);
        if (!parse_exact(text, value)) return widen(ColumnType::kText);
        if (chosen.exact && std::abs(value) > static_cast<double>(kExactDouble) &&
            whole_number(text))
          return widen(ColumnType::kText);
      }
      spool.real(i, value);
      return {};
    }
    case ColumnType::kTimestamp: {
      std::string_view text = row.text(at);
      if (text.ends_with("+00")) text.remove_suffix(3);
      if (text.starts_with("0000-00-00")) {  // MySQL's word for none
        note("`" + plan.columns[i].name + "` has dates of zero: missing");
        spool.null(i);
        return {};
      }
      std::int64_t time_us = 0;
      if (!data::parse_time_cell(text, time_us)) return widen(ColumnType::kText);
      spool.integer(i, time_us);
      return {};
    }
    case ColumnType::kText:
      spool.text(i, row.text(at));
      return {};
  }
  return {};
}

Status SqlSource::read_object(ForeignTables& session, const SqlPlan& plan, std::size_t number,
                              const std::string& path, SourceMeter& meter, base::Context& context,
                              Misfit& misfit, std::uint64_t& rows) {
  std::vector<data::StreamColumn> columns;
  for (std::size_t i = 0; i < plan.columns.size(); ++i)
    columns.push_back({plan.columns[i].name, plan.chosen[i].as});
  TRY_ASSIGN(const auto spool, RowSpool::open(path, columns, meter));
  const std::int64_t begin_ns = settings_.clock->monotonic_ns();
  const std::int64_t waited_ns = meter.consumer_wait_ns;
  std::uint64_t seen = 0, bytes = 0;
  TRY(session.each(plan.selects[number], [&](const store::Cursor& row) -> Status {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      TRY(add_cell(row, i, plan, *spool, misfit));
      if (plan.chosen[i].as == ColumnType::kText && !row.null(static_cast<int>(i))) {
        const std::string_view text = row.text(static_cast<int>(i));
        bytes += text.size();
        if (!base::is_valid_utf8(text))
          return fail(Code::kInvalidArgument,
                      "not UTF-8: column `" + columns[i].name + "`, row " +
                          std::to_string(seen + 1) + " of " + plan.objects[number].name,
                      "convert it in ?query=, or name the database's encoding there");
      } else {
        bytes += sizeof(std::int64_t);
      }
    }
    if (++seen % kLookEvery == 0) {
      meter.bytes += std::exchange(bytes, 0);
      TRY(context.alive());
    }
    return spool->end_row();
  }));
  TRY(spool->finish());
  meter.bytes += bytes;
  ++meter.objects;
  meter.source_wait_ns += std::max<std::int64_t>(
      0, settings_.clock->monotonic_ns() - begin_ns - (meter.consumer_wait_ns - waited_ns));
  rows = spool->rows();
  return {};
}

base::Result<std::vector<SourceObject>> SqlSource::read_once(const std::string& folder,
                                                             SourceMeter& meter,
                                                             base::Context& context,
                                                             Misfit& misfit) {
  TRY_ASSIGN(auto leader, ForeignTables::open(url_));
  TRY_ASSIGN(SqlPlan plan, make_plan(*leader));
  std::vector<std::unique_ptr<ForeignTables>> idle;
  std::mutex mutex;
  const std::size_t readers = std::min(settings_.parallel, plan.selects.size());
  for (std::size_t i = 1; i < readers; ++i) {
    auto twin = leader->twin();
    if (!twin && twin.error().code == Code::kUnimplemented) break;
    if (!twin) return tl::unexpected(twin.error());
    idle.push_back(std::move(*twin));
  }
  idle.push_back(std::move(leader));
  const std::size_t sessions = idle.size();
  TRY(in_parallel(
      plan.selects.size(), sessions, context, [&](std::size_t i, base::Context& own) -> Status {
        std::unique_ptr<ForeignTables> session;
        {
          const std::lock_guard lock(mutex);
          session = std::move(idle.back());
          idle.pop_back();
        }
        std::string number = std::to_string(i);
        number.insert(0, 5 - std::min<std::size_t>(5, number.size()), '0');
        SourceObject& object = plan.objects[i];
        object.file = base::join_path(folder, number + ".parquet");
        TRY(read_object(*session, plan, i, object.file, meter, own, misfit, object.rows));
        TRY_ASSIGN(object.bytes, base::file_size(object.file));
        const std::lock_guard lock(mutex);
        idle.push_back(std::move(session));
        return {};
      }));
  // A range of keys without a row is no file of its own, unless all are.
  std::vector<SourceObject> out;
  for (auto& object : plan.objects)
    if (object.rows > 0) out.push_back(std::move(object));
  if (out.empty())
    return fail(Code::kInvalidArgument, "no rows: " + plan.objects.front().name,
                "a table needs at least one row");
  return out;
}

base::Result<std::vector<SourceObject>> SqlSource::read(const std::string& folder,
                                                        SourceMeter& meter,
                                                        base::Context& context) {
  widened_.clear();
  for (;;) {
    Misfit misfit;
    meter.rows = 0;
    auto done = read_once(folder, meter, context, misfit);
    if (done || !misfit.found) return done;
    // Each turn makes one column wider, and none can be made so twice beyond text.
    for (const auto& [column, type] : widened_)
      if (column == misfit.column && type == misfit.wider) return done;
    std::erase_if(widened_, [&](const auto& one) { return one.first == misfit.column; });
    widened_.emplace_back(misfit.column, misfit.wider);
    ++meter.retries;
  }
}

}  // namespace

base::Result<std::unique_ptr<Source>> open_sql_source(Address address,
                                                      const SourceSettings& settings) {
  auto source = std::make_unique<SqlSource>(std::move(address), settings);
  TRY(source->prepare());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace maru::connect
