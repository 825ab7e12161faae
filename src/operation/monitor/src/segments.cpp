#include "segments.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <unordered_map>

#include "maru/base/clock.h"
#include "maru/base/file.h"
#include "maru/base/log.h"
#include "maru/base/text.h"

namespace maru::monitor {
namespace {

constexpr std::string_view kInputPrefix = "input.";

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

template <class T>
bool number(std::string_view text, T& out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

data::Column column_of(std::string name, data::ColumnType type) {
  data::Column out;
  out.name = std::move(name);
  out.type = type;
  return out;
}

// Text codes by first appearance.
class TextColumn {
 public:
  explicit TextColumn(data::Column& column) : column_(column) {}
  void add(const std::string& value) {
    const auto [at, fresh] =
        codes_.try_emplace(value, static_cast<std::int32_t>(column_.dictionary.size()));
    if (fresh) column_.dictionary.push_back(value);
    column_.codes.push_back(at->second);
  }
  void add_missing(std::size_t rows) {
    if (column_.valid.empty()) column_.valid.assign(rows, 1);
    column_.valid[column_.codes.size()] = 0;
    column_.codes.push_back(-1);
  }

 private:
  data::Column& column_;
  std::unordered_map<std::string, std::int32_t> codes_;
};

template <class Get>
data::Column integers(std::string name, data::ColumnType type,
                      const std::vector<const LoggedRow*>& rows, Get get) {
  data::Column out = column_of(std::move(name), type);
  out.integers.reserve(rows.size());
  for (const LoggedRow* row : rows) out.integers.push_back(get(*row));
  return out;
}

template <class Get>
data::Column texts(std::string name, const std::vector<const LoggedRow*>& rows, Get get) {
  data::Column out = column_of(std::move(name), data::ColumnType::kText);
  TextColumn text(out);
  for (const LoggedRow* row : rows) {
    const std::string& value = get(*row);
    if (value.empty())
      text.add_missing(rows.size());
    else
      text.add(value);
  }
  return out;
}

// Missing is NaN in numbers, "" in texts and the smallest integer in times, as in a model's batch.
data::Column input_column(const std::string& name, data::ColumnType type, std::size_t at,
                          const std::vector<const LoggedRow*>& rows) {
  data::Column out = column_of(name, type);
  if (type == data::ColumnType::kText)
    return texts(name, rows,
                 [at](const LoggedRow& row) -> const std::string& { return row.texts[at]; });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    bool missing = false;
    if (type == data::ColumnType::kFloat) {
      const double value = rows[i]->numbers[at];
      missing = value != value;
      out.reals.push_back(value);
    } else if (type == data::ColumnType::kTimestamp) {
      const std::int64_t value = rows[i]->times[at];
      missing = value == std::numeric_limits<std::int64_t>::min();
      out.integers.push_back(missing ? 0 : value);
    } else {  // bool and integer come as numbers
      const double value = rows[i]->numbers[at];
      missing = value != value;
      out.integers.push_back(missing ? 0 : static_cast<std::int64_t>(value));
    }
    if (missing) {
      if (out.valid.empty()) out.valid.assign(rows.size(), 1);
      out.valid[i] = 0;
    }
  }
  return out;
}

// NaN is missing.
template <class Get>
data::Column reals(std::string name, const std::vector<const LoggedRow*>& rows, Get get) {
  data::Column out = column_of(std::move(name), data::ColumnType::kFloat);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double value = get(*rows[i]);
    out.reals.push_back(value);
    if (value == value) continue;
    if (out.valid.empty()) out.valid.assign(rows.size(), 1);
    out.valid[i] = 0;
  }
  return out;
}

}  // namespace

std::string Segment::name() const {
  return std::to_string(first) + "-" + std::to_string(last) + "-" + std::to_string(rows) + "-" +
         std::to_string(min_us) + "-" + std::to_string(max_us) + ".parquet";
}

bool Segment::parse(const std::string& name, Segment& out) {
  if (!name.ends_with(".parquet")) return false;
  const std::vector<std::string> parts =
      base::split(std::string_view(name).substr(0, name.size() - 8), '-');
  return parts.size() == 5 && number(parts[0], out.first) && number(parts[1], out.last) &&
         number(parts[2], out.rows) && number(parts[3], out.min_us) &&
         number(parts[4], out.max_us) && out.first <= out.last;
}

std::string escape_folder(std::string_view endpoint) {
  std::string out;
  for (const char c : endpoint) {
    if (plain(c))
      out += c;
    else
      out += "%" + base::hex(std::string_view(&c, 1));
  }
  return out;
}

std::string unescape_folder(std::string_view folder) {
  std::string out;
  for (std::size_t i = 0; i < folder.size(); ++i) {
    int code = 0;
    if (folder[i] == '%' && i + 2 < folder.size() &&
        std::from_chars(folder.data() + i + 1, folder.data() + i + 3, code, 16).ptr ==
            folder.data() + i + 3) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += folder[i];
    }
  }
  return out;
}

std::string hour_folder(std::int64_t time_us) {
  return base::format_time_us(time_us).substr(0, 13);
}

base::Result<std::vector<Segment>> recover_segments(const std::string& endpoint_folder) {
  std::vector<Segment> found;
  TRY_ASSIGN(const auto hours, base::list_folder(endpoint_folder));
  for (const std::string& hour : hours) {
    const std::string folder = base::join_path(endpoint_folder, hour);
    if (!base::is_folder(folder)) continue;
    TRY_ASSIGN(const auto names, base::list_folder(folder));
    for (const std::string& name : names) {
      Segment segment;
      segment.path = base::join_path(folder, name);
      if (name.starts_with(".tmp-"))
        TRY(base::remove_tree(segment.path));
      else if (Segment::parse(name, segment))
        found.push_back(std::move(segment));
      else
        base::log_warn("file in the prediction log is not one of ours", {{"path", segment.path}});
    }
  }
  std::sort(found.begin(), found.end(), [](const Segment& a, const Segment& b) {
    return a.first != b.first ? a.first < b.first : a.last > b.last;
  });
  std::vector<Segment> kept;
  for (Segment& segment : found) {
    if (!kept.empty() && segment.last <= kept.back().last)
      TRY(base::remove_tree(segment.path));
    else
      kept.push_back(std::move(segment));
  }
  return kept;
}

std::vector<std::string> stored_names(const LogSchema& schema) {
  std::set<std::string> used(std::begin(kLogColumns), std::end(kLogColumns));
  std::vector<std::string> out;
  for (const auto& [name, type] : schema.inputs) {
    std::string stored = name;
    while (!used.insert(base::to_lower_ascii(stored)).second)
      stored = std::string(kInputPrefix) + stored;
    out.push_back(std::move(stored));
  }
  return out;
}

std::string input_name(const std::string& stored) {
  std::string_view name = stored;
  while (name.starts_with(kInputPrefix)) name.remove_prefix(kInputPrefix.size());
  return std::string(name);
}

data::Table rows_table(const LogSchema& schema, const std::vector<const LoggedRow*>& rows) {
  using data::ColumnType;
  data::Table out;
  out.columns.push_back(
      texts("id", rows, [](const LoggedRow& row) -> const std::string& { return row.id; }));
  out.columns.push_back(integers("time", ColumnType::kTimestamp, rows,
                                 [](const LoggedRow& row) { return row.time_us; }));
  out.columns.push_back(integers("version", ColumnType::kInteger, rows, [](const LoggedRow& row) {
    return static_cast<std::int64_t>(row.version);
  }));
  // A model of tensors has no score.
  out.columns.push_back(reals("score", rows, [](const LoggedRow& row) { return row.score; }));
  out.columns.push_back(texts("prediction", rows, [](const LoggedRow& row) -> const std::string& {
    return row.prediction;
  }));
  out.columns.push_back(texts(
      "principal", rows, [](const LoggedRow& row) -> const std::string& { return row.principal; }));
  out.columns.push_back(texts(
      "trace_id", rows, [](const LoggedRow& row) -> const std::string& { return row.trace_id; }));
  constexpr std::pair<const char*, std::int64_t LoggedRow::*> kTimes[] = {
      {"parse_us", &LoggedRow::parse_us},       {"queue_us", &LoggedRow::queue_us},
      {"features_us", &LoggedRow::features_us}, {"model_us", &LoggedRow::model_us},
      {"post_us", &LoggedRow::post_us},         {"total_us", &LoggedRow::total_us}};
  for (const auto& [name, member] : kTimes)
    out.columns.push_back(
        integers(name, ColumnType::kInteger, rows,
                 [member = member](const LoggedRow& row) { return row.*member; }));
  out.columns.push_back(reals("cpu_us", rows, [](const LoggedRow& row) {
    return row.cpu_us >= 0 ? row.cpu_us : std::numeric_limits<double>::quiet_NaN();
  }));
  const std::vector<std::string> names = stored_names(schema);
  std::size_t numbers = 0, words = 0, times = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ColumnType type = schema.inputs[i].second;
    std::size_t& at = type == ColumnType::kText        ? words
                      : type == ColumnType::kTimestamp ? times
                                                       : numbers;
    out.columns.push_back(input_column(names[i], type, at++, rows));
  }
  return out;
}

}  // namespace maru::monitor
