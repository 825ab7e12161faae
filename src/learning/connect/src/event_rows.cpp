#include "event_rows.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "maru/base/text.h"
#include "maru/data/cell_text.h"

namespace maru::connect {
namespace {

using base::Json;
using data::ColumnType;

constexpr std::size_t kMaxColumns = 2'000;
constexpr std::size_t kMaxEventBytes = 1u << 20;
constexpr std::size_t kMaxDeadBytes = 64u << 10;  // of one dead letter; more of it is cut
constexpr double kExactDouble = 9007199254740992.0;

// One value on its way into a column.
struct Cell {
  enum class Kind : std::uint8_t { kMissing, kBool, kInteger, kReal, kText } kind = Kind::kMissing;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
};

Cell cell_of(const Json& value) {
  Cell out;
  if (value.is_bool()) {
    out.kind = Cell::Kind::kBool, out.integer = value.as_bool() ? 1 : 0;
  } else if (value.is_int()) {
    out.kind = Cell::Kind::kInteger, out.integer = value.as_int();
  } else if (value.is_double()) {
    out.kind = Cell::Kind::kReal, out.real = value.as_double();
  } else if (value.is_string()) {
    out.kind = Cell::Kind::kText, out.text = value.as_string();
  } else if (!value.is_null()) {  // beyond 64 bits, a list, an object
    out.kind = Cell::Kind::kText, out.text = value.dump();
  }
  return out;
}

// A cell of CSV says what it is by how it is written, as in a file.
Cell cell_of(std::string text) {
  Cell out;
  if (data::is_blank(text)) return out;
  if (data::parse_integer_cell(text, out.integer))
    out.kind = Cell::Kind::kInteger;
  else if (data::parse_real_cell(text, out.real))
    out.kind = Cell::Kind::kReal;
  else
    out.kind = Cell::Kind::kText;
  out.text = std::move(text);
  return out;
}

// Quotes as in RFC 4180; one line.
bool split_csv(std::string_view line, std::vector<std::string>& out) {
  out.clear();
  std::string cell;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c != '"')
        cell += c;
      else if (i + 1 < line.size() && line[i + 1] == '"')
        cell += '"', ++i;
      else
        quoted = false;
    } else if (c == '"' && cell.empty()) {
      quoted = true;
    } else if (c == ',') {
      out.push_back(std::move(cell));
      cell.clear();
    } else {
      cell += c;
    }
  }
  out.push_back(std::move(cell));
  return !quoted;
}

ColumnType type_of(Cell::Kind kind) {
  switch (kind) {
    case Cell::Kind::kBool:
      return ColumnType::kBool;
    case Cell::Kind::kInteger:
      return ColumnType::kInteger;
    case Cell::Kind::kReal:
      return ColumnType::kFloat;
    default:
      return ColumnType::kText;
  }
}

struct Field {
  std::string name;
  ColumnType type = ColumnType::kText;
  bool known = false;  // the dataset has it, or it was declared
  bool open = false;   // not known, and no value has said yet what it is
  std::vector<Cell> cells;
};

class Batch {
 public:
  Batch(const StreamSpec& spec, const KnownTypes& known) : spec_(spec), known_(known) {
    for (const auto& [name, type] : spec.columns) {
      const auto there = known.find(name);
      const bool decided = there != known.end() || type.has_value();
      field(name, there != known.end() ? there->second : type.value_or(ColumnType::kText), decided);
    }
    for (const auto& [name, type] : known)
      if (!index_.contains(name)) field(name, type, true);
  }

  // "" or why the event cannot be kept; then nothing of it is.
  std::string add(std::vector<std::pair<std::string, Cell>>& cells) {
    std::vector<std::pair<std::size_t, ColumnType>> wider;
    for (auto& [name, cell] : cells) {
      const auto found = index_.find(name);
      if (found == index_.end()) {
        if (name.empty()) return "a field without a name";
        // SQL does not tell such columns apart.
        if (const auto alike = folded_.find(base::to_lower_ascii(name)); alike != folded_.end())
          return "field " + name + " differs from column " + alike->second + " only in case";
        for (const auto& [other, value] : cells)
          if (&other != &name && other != name &&
              base::to_lower_ascii(other) == base::to_lower_ascii(name))
            return "fields " + name + " and " + other + " differ only in case";
        if (spec_.on_change == OnChange::kDead && !(known_.empty() && spec_.columns.empty()))
          return "a column that is not known: " + base::replace_invalid_utf8(name);
        if (fields_.size() + cells.size() > kMaxColumns)
          return "more than " + std::to_string(kMaxColumns) + " columns";
        continue;
      }
      Field& there = fields_[found->second];
      ColumnType needed = there.type;
      if (!there.open && !fits(there, cell, needed))
        return "column " + name + " is " + std::string(data::type_name(there.type)) +
               ", the event has " + std::string(data::type_name(type_of(cell.kind)));
    }
    for (auto& [name, cell] : cells) {
      auto found = index_.find(name);
      if (found == index_.end()) {
        field(name, ColumnType::kText, false);
        found = index_.find(name);
      }
      Field& there = fields_[found->second];
      if (cell.kind != Cell::Kind::kMissing) {
        ColumnType needed = there.open ? type_of(cell.kind) : there.type;
        if (there.open && name == spec_.event_time && is_time(cell))
          needed = ColumnType::kTimestamp;
        if (!there.open) static_cast<void>(fits(there, cell, needed));
        there.type = needed;
        there.open = false;
      }
      there.cells.resize(rows_);  // a name twice in one event: the last counts, as in JSON
      there.cells.push_back(std::move(cell));
    }
    ++rows_;
    return {};
  }

  data::Table table() {
    data::Table out;
    for (Field& one : fields_) {
      one.cells.resize(rows_);
      const bool all_missing =
          std::all_of(one.cells.begin(), one.cells.end(),
                      [](const Cell& cell) { return cell.kind == Cell::Kind::kMissing; });
      // A column without a value says nothing of its type yet; it comes when one does.
      if (all_missing && !one.known) continue;
      out.columns.push_back(column(one));
    }
    // Events of nothing but nulls are rows too.
    if (out.columns.empty() && rows_ > 0) out.columns.push_back(column(fields_.front()));
    return out;
  }
  std::size_t rows() const { return rows_; }

 private:
  static bool is_time(const Cell& cell) {
    std::int64_t time_us = 0;
    return cell.kind == Cell::Kind::kText && data::parse_time_cell(cell.text, time_us);
  }

  void field(const std::string& name, ColumnType type, bool known) {
    index_.emplace(name, fields_.size());
    folded_.emplace(base::to_lower_ascii(name), name);
    fields_.push_back({name, type, known, !known, {}});
  }

  // Whether the column can hold it, perhaps as the wider type `needed`.
  bool fits(const Field& there, const Cell& cell, ColumnType& needed) const {
    using Kind = Cell::Kind;
    const bool may_widen = spec_.on_change == OnChange::kWiden || !there.known;
    if (cell.kind == Kind::kMissing) return true;
    switch (there.type) {
      case ColumnType::kBool:
        return cell.kind == Kind::kBool ||
               (cell.kind == Kind::kText && data::parse_bool_cell(cell.text) >= 0);
      case ColumnType::kInteger:
        if (cell.kind == Kind::kInteger) return true;
        if (cell.kind != Kind::kReal) return false;
        if (cell.real == std::floor(cell.real) && std::abs(cell.real) < kExactDouble) return true;
        needed = ColumnType::kFloat;
        return may_widen;
      case ColumnType::kFloat:
        return cell.kind == Kind::kReal || cell.kind == Kind::kInteger;
      case ColumnType::kTimestamp:
        return is_time(cell);
      case ColumnType::kText:
        return true;
    }
    return false;
  }

  data::Column column(const Field& one) const {
    data::Column out;
    out.name = one.name;
    out.type = one.type;
    std::unordered_map<std::string_view, std::int32_t> codes;
    bool missing = false;
    out.valid.reserve(rows_);
    for (const Cell& cell : one.cells) {
      const bool there = cell.kind != Cell::Kind::kMissing;
      missing = missing || !there;
      out.valid.push_back(there ? 1 : 0);
      switch (one.type) {
        case ColumnType::kFloat:
          out.reals.push_back(cell.kind == Cell::Kind::kInteger ? static_cast<double>(cell.integer)
                                                                : cell.real);
          break;
        case ColumnType::kText: {
          if (!there) {
            out.codes.push_back(-1);
            break;
          }
          std::string text = cell.text;
          if (text.empty() && cell.kind != Cell::Kind::kText)
            text = cell.kind == Cell::Kind::kReal      ? base::format_double(cell.real)
                   : cell.kind == Cell::Kind::kInteger ? std::to_string(cell.integer)
                   : cell.integer != 0                 ? "true"
                                                       : "false";
          const auto found = codes.find(text);
          if (found != codes.end()) {
            out.codes.push_back(found->second);
            break;
          }
          const auto code = static_cast<std::int32_t>(out.dictionary.size());
          if (out.dictionary.empty()) out.dictionary.reserve(rows_);  // views stay valid
          out.dictionary.push_back(std::move(text));
          codes.emplace(out.dictionary.back(), code);
          out.codes.push_back(code);
          break;
        }
        case ColumnType::kTimestamp: {
          std::int64_t time_us = 0;
          if (there) static_cast<void>(data::parse_time_cell(cell.text, time_us));
          out.integers.push_back(time_us);
          break;
        }
        case ColumnType::kBool:
          out.integers.push_back(cell.kind == Cell::Kind::kText ? data::parse_bool_cell(cell.text)
                                                                : cell.integer);
          break;
        case ColumnType::kInteger:
          out.integers.push_back(
              cell.kind == Cell::Kind::kReal ? static_cast<std::int64_t>(cell.real) : cell.integer);
      }
    }
    if (!missing) out.valid.clear();
    return out;
  }

  const StreamSpec& spec_;
  const KnownTypes& known_;
  std::vector<Field> fields_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_map<std::string, std::string> folded_;  // lower case -> as it is
  std::size_t rows_ = 0;
};

using Cells = std::vector<std::pair<std::string, Cell>>;

// "" or why the bytes are no event.
std::string read_one(const StreamSpec& spec, const Event& event, Cells& cells) {
  cells.clear();
  if (event.bytes.size() > kMaxEventBytes) return "larger than 1 MiB";
  if (!base::is_valid_utf8(event.bytes)) return "not UTF-8";
  if (spec.format == EventFormat::kCsv) {
    std::string_view line = event.bytes;
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    std::vector<std::string> words;
    if (!split_csv(line, words)) return "a quote is not closed";
    if (words.size() != spec.columns.size())
      return std::to_string(words.size()) + " cells, the stream has " +
             std::to_string(spec.columns.size()) + " columns";
    for (std::size_t i = 0; i < words.size(); ++i)
      cells.emplace_back(spec.columns[i].name, cell_of(std::move(words[i])));
    return {};
  }
  auto value = base::parse_json(event.bytes);
  if (!value) return "not JSON: " + value.error().message;
  if (!value->is_object()) return "not a JSON object";
  if (value->size() == 0) return "an object without fields";
  for (auto& [name, member] : value->members()) cells.emplace_back(name, cell_of(member));
  return {};
}

const Cell* find(const Cells& cells, const std::string& name) {
  if (name.empty()) return nullptr;
  for (const auto& [each, cell] : cells)
    if (each == name) return &cell;
  return nullptr;
}

std::string key_text(const Cell& cell) {
  if (cell.kind == Cell::Kind::kText) return cell.text;
  if (cell.kind == Cell::Kind::kReal) return base::format_double(cell.real);
  return std::to_string(cell.integer);
}

}  // namespace

EventRows read_events(const StreamSpec& spec, const KnownTypes& known,
                      const std::vector<Event>& events, std::int64_t now_us,
                      std::map<int, std::int64_t>& latest) {
  EventRows out;
  Batch batch(spec, known);
  Cells cells;
  for (const Event& event : events) {
    std::string reason = read_one(spec, event, cells);
    if (reason.empty()) {
      std::string key;
      if (const Cell* cell = find(cells, spec.event_key);
          cell != nullptr && cell->kind != Cell::Kind::kMissing)
        key = key_text(*cell);
      std::int64_t time_us = 0;
      const Cell* when = find(cells, spec.event_time);
      const bool timed = when != nullptr && when->kind == Cell::Kind::kText &&
                         data::parse_time_cell(when->text, time_us);
      const bool ahead = timed && time_us > now_us + spec.max_future_us;
      if (ahead && spec.dead_when_future)
        reason = "its time is ahead of the clock: " + when->text;
      else
        reason = batch.add(cells);
      if (ahead) ++out.future;
      if (reason.empty()) {
        if (!spec.event_key.empty()) out.keys.push_back(std::move(key));
        if (timed && !ahead) {
          auto [newest, first] = latest.try_emplace(event.partition, time_us);
          if (!first && time_us < newest->second) ++out.out_of_order;
          newest->second = std::max(newest->second, time_us);
        }
      }
    }
    if (!reason.empty())
      out.dead.push_back(
          {event.partition, event.offset, std::move(reason), event.bytes.substr(0, kMaxDeadBytes)});
  }
  if (batch.rows() > 0) out.table = batch.table();
  return out;
}

data::Table dead_table(const std::vector<DeadLetter>& dead, std::int64_t now_us) {
  data::Table out;
  const auto column = [&](const char* name, ColumnType type) -> data::Column& {
    out.columns.emplace_back();
    out.columns.back().name = name;
    out.columns.back().type = type;
    return out.columns.back();
  };
  const auto integers = [&](const char* name, ColumnType type, const auto& value) {
    data::Column& c = column(name, type);
    for (const auto& one : dead) c.integers.push_back(value(one));
  };
  const auto texts = [&](const char* name, const auto& value) {
    data::Column& c = column(name, ColumnType::kText);
    for (const auto& one : dead) {
      c.codes.push_back(static_cast<std::int32_t>(c.dictionary.size()));
      c.dictionary.push_back(value(one));
    }
    // Distinct values, each once.
    std::map<std::string, std::int32_t> codes;
    std::vector<std::string> distinct;
    for (auto& code : c.codes) {
      std::string& text = c.dictionary[static_cast<std::size_t>(code)];
      const auto [found, fresh] =
          codes.try_emplace(text, static_cast<std::int32_t>(distinct.size()));
      if (fresh) distinct.push_back(text);
      code = found->second;
    }
    c.dictionary = std::move(distinct);
  };
  integers("partition", ColumnType::kInteger,
           [](const auto& d) { return std::int64_t{d.partition}; });
  integers("offset", ColumnType::kInteger, [](const auto& d) { return d.offset; });
  texts("reason", [](const auto& d) { return d.reason; });
  texts("encoding", [](const auto& d) {
    return std::string(base::is_valid_utf8(d.bytes) ? "text" : "base64");
  });
  texts("event", [](const auto& d) {
    return base::is_valid_utf8(d.bytes) ? d.bytes : base::base64(d.bytes);
  });
  integers("seen", ColumnType::kTimestamp, [&](const auto&) { return now_us; });
  return out;
}

}  // namespace maru::connect
