#include "call_rows.h"

#include <limits>
#include <string>
#include <unordered_map>

#include "segments.h"

namespace maru::monitor {
namespace {

using data::ColumnType;
using Calls = std::vector<const LoggedCall*>;

constexpr std::size_t kShortText = 15;  // lies inside its string

std::size_t text_bytes(const std::string& text) {
  return text.size() > kShortText ? text.size() + 1 : 0;
}

struct InputCounts {
  std::size_t numbers = 0, texts = 0, times = 0;
  explicit InputCounts(const LogSchema& schema) {
    for (const auto& [name, type] : schema.inputs)
      ++(type == ColumnType::kText ? texts : type == ColumnType::kTimestamp ? times : numbers);
  }
};

std::size_t shared_bytes(const InputCounts& inputs, const LoggedCall& call) {
  return sizeof(LoggedCall) + text_bytes(call.id) + text_bytes(call.principal) +
         text_bytes(call.trace_id) + 8 * (inputs.numbers + inputs.times);
}

std::size_t words_bytes(const InputCounts& inputs, const LoggedCall& call, std::size_t row) {
  std::size_t out = sizeof(std::string) * inputs.texts;
  for (std::size_t c = 0; c < inputs.texts; ++c) out += text_bytes(call.texts[c * call.rows + row]);
  if (!call.predicted.empty())
    out += text_bytes((*call.classes)[static_cast<std::size_t>(call.predicted[row])]);
  return out;
}

template <class T>
void keep_values(std::vector<T>& values, std::size_t columns, std::size_t rows,
                 const std::vector<std::uint32_t>& kept) {
  std::size_t at = 0;
  for (std::size_t c = 0; c < columns; ++c)
    for (const std::uint32_t row : kept) {
      T value = std::move(values[c * rows + row]);
      values[at++] = std::move(value);
    }
  values.resize(at);
}

data::Column column_of(std::string name, ColumnType type) {
  data::Column out;
  out.name = std::move(name);
  out.type = type;
  return out;
}

// Codes by first appearance; what comes several times in a row is looked up once.
class TextColumn {
 public:
  TextColumn(data::Column& column, std::size_t rows) : column_(column), rows_(rows) {
    column.codes.reserve(rows);
  }
  std::int32_t code(const std::string& value) {
    if (value.empty()) return -1;
    if (last_ >= 0 && column_.dictionary[static_cast<std::size_t>(last_)] == value) return last_;
    const auto [at, fresh] =
        codes_.try_emplace(value, static_cast<std::int32_t>(column_.dictionary.size()));
    if (fresh) column_.dictionary.push_back(value);
    return last_ = at->second;
  }
  void add(std::int32_t code, std::size_t times = 1) {
    if (code < 0) {
      if (column_.valid.empty()) column_.valid.assign(rows_, 1);
      const auto from = column_.valid.begin() + static_cast<std::ptrdiff_t>(column_.codes.size());
      std::fill_n(from, times, std::uint8_t{0});
    }
    column_.codes.insert(column_.codes.end(), times, code);
  }

 private:
  data::Column& column_;
  const std::size_t rows_;
  std::unordered_map<std::string, std::int32_t> codes_;
  std::int32_t last_ = -1;
};

// No two rows have the same.
data::Column ids(const Calls& calls, std::size_t rows) {
  data::Column out = column_of("id", ColumnType::kText);
  out.dictionary.reserve(rows);
  out.codes.reserve(rows);
  for (const LoggedCall* call : calls)
    for (std::size_t i = 0; i < call->rows; ++i) {
      const std::size_t place = call->places.empty() ? i : call->places[i];
      out.codes.push_back(static_cast<std::int32_t>(out.dictionary.size()));
      out.dictionary.push_back(place == 0 ? call->id : call->id + "-" + std::to_string(place));
    }
  return out;
}

data::Column shared_text(std::string name, const Calls& calls, std::size_t rows,
                         std::string LoggedCall::*member) {
  data::Column out = column_of(std::move(name), ColumnType::kText);
  TextColumn text(out, rows);
  for (const LoggedCall* call : calls) text.add(text.code(call->*member), call->rows);
  return out;
}

template <class Get>
data::Column shared_integer(std::string name, ColumnType type, const Calls& calls, std::size_t rows,
                            Get get) {
  data::Column out = column_of(std::move(name), type);
  out.integers.reserve(rows);
  for (const LoggedCall* call : calls)
    out.integers.insert(out.integers.end(), call->rows, static_cast<std::int64_t>(get(*call)));
  return out;
}

data::Column predictions(const Calls& calls, std::size_t rows) {
  data::Column out = column_of("prediction", ColumnType::kText);
  TextColumn text(out, rows);
  const std::vector<std::string>* of = nullptr;
  std::vector<std::int32_t> codes;  // by class
  for (const LoggedCall* call : calls) {
    if (call->predicted.empty()) {
      text.add(-1, call->rows);
      continue;
    }
    if (call->classes.get() != of) {
      of = call->classes.get();
      codes.clear();
      for (const std::string& name : *of) codes.push_back(text.code(name));
    }
    for (const std::int32_t k : call->predicted) text.add(codes[static_cast<std::size_t>(k)]);
  }
  return out;
}

// NaN is missing.
void mark_missing(data::Column& column, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == values[i]) continue;
    if (column.valid.empty()) column.valid.assign(values.size(), 1);
    column.valid[i] = 0;
  }
}

template <class Get>
data::Column reals(std::string name, const Calls& calls, std::size_t rows, Get get) {
  data::Column out = column_of(std::move(name), ColumnType::kFloat);
  out.reals.reserve(rows);
  for (const LoggedCall* call : calls) get(*call, out.reals);
  mark_missing(out, out.reals);
  return out;
}

void append(const double* from, std::size_t count, std::vector<double>& to) {
  to.insert(to.end(), from, from + count);
}

// Bool and integer come as numbers.
data::Column numbers(const std::string& name, ColumnType type, std::size_t at, const Calls& calls,
                     std::size_t rows) {
  data::Column out = reals(name, calls, rows, [at](const LoggedCall& call, auto& to) {
    append(call.numbers.data() + at * call.rows, call.rows, to);
  });
  if (type == ColumnType::kFloat) return out;
  out.type = type;
  out.integers.reserve(rows);
  for (const double value : out.reals)
    out.integers.push_back(value == value ? static_cast<std::int64_t>(value) : 0);
  out.reals.clear();
  return out;
}

data::Column words(const std::string& name, std::size_t at, const Calls& calls, std::size_t rows) {
  data::Column out = column_of(name, ColumnType::kText);
  TextColumn text(out, rows);
  for (const LoggedCall* call : calls)
    for (std::size_t i = 0; i < call->rows; ++i)
      text.add(text.code(call->texts[at * call->rows + i]));
  return out;
}

// The smallest integer is missing, as in a model's batch.
data::Column times(const std::string& name, std::size_t at, const Calls& calls, std::size_t rows) {
  data::Column out = column_of(name, ColumnType::kTimestamp);
  out.integers.reserve(rows);
  for (const LoggedCall* call : calls)
    for (std::size_t i = 0; i < call->rows; ++i) {
      const std::int64_t value = call->times[at * call->rows + i];
      const bool missing = value == std::numeric_limits<std::int64_t>::min();
      if (missing && out.valid.empty()) out.valid.assign(rows, 1);
      if (missing) out.valid[out.integers.size()] = 0;
      out.integers.push_back(missing ? 0 : value);
    }
  return out;
}

void add_call_columns(const Calls& calls, std::size_t rows, data::Table& out) {
  auto& columns = out.columns;
  columns.push_back(ids(calls, rows));
  columns.push_back(shared_integer("time", ColumnType::kTimestamp, calls, rows,
                                   [](const LoggedCall& call) { return call.time_us; }));
  columns.push_back(shared_integer("version", ColumnType::kInteger, calls, rows,
                                   [](const LoggedCall& call) { return call.version; }));
  columns.push_back(reals("score", calls, rows, [](const LoggedCall& call, auto& to) {
    append(call.scores.data(), call.rows, to);
  }));
  columns.push_back(predictions(calls, rows));
  columns.push_back(shared_text("principal", calls, rows, &LoggedCall::principal));
  columns.push_back(shared_text("trace_id", calls, rows, &LoggedCall::trace_id));
  constexpr std::pair<const char*, std::int64_t LoggedCall::*> kTimes[] = {
      {"parse_us", &LoggedCall::parse_us},       {"queue_us", &LoggedCall::queue_us},
      {"features_us", &LoggedCall::features_us}, {"model_us", &LoggedCall::model_us},
      {"post_us", &LoggedCall::post_us},         {"total_us", &LoggedCall::total_us}};
  for (const auto& [name, member] : kTimes)
    columns.push_back(
        shared_integer(name, ColumnType::kInteger, calls, rows,
                       [member = member](const LoggedCall& call) { return call.*member; }));
  columns.push_back(reals("cpu_us", calls, rows, [](const LoggedCall& call, auto& to) {
    to.insert(to.end(), call.rows,
              call.cpu_us >= 0 ? call.cpu_us : std::numeric_limits<double>::quiet_NaN());
  }));
}

}  // namespace

std::size_t bytes_of(const LogSchema& schema, const LoggedCall& call) {
  const InputCounts inputs(schema);
  std::size_t out = shared_bytes(inputs, call) +
                    (call.rows - 1) * 8 * (inputs.numbers + inputs.times) + 12 * call.rows;
  if (inputs.texts == 0 && call.predicted.empty()) return out;
  for (std::size_t row = 0; row < call.rows; ++row) out += words_bytes(inputs, call, row);
  return out;
}

std::size_t row_bytes(const LogSchema& schema, const LoggedCall& call, std::size_t row) {
  const InputCounts inputs(schema);
  return shared_bytes(inputs, call) + words_bytes(inputs, call, row);
}

void keep_rows(const LogSchema& schema, const std::vector<std::uint32_t>& rows, LoggedCall& call) {
  const InputCounts inputs(schema);
  if (call.places.empty())
    for (std::uint32_t i = 0; i < call.rows; ++i) call.places.push_back(i);
  keep_values(call.places, 1, call.rows, rows);
  keep_values(call.scores, 1, call.rows, rows);
  if (!call.predicted.empty()) keep_values(call.predicted, 1, call.rows, rows);
  keep_values(call.numbers, inputs.numbers, call.rows, rows);
  keep_values(call.texts, inputs.texts, call.rows, rows);
  keep_values(call.times, inputs.times, call.rows, rows);
  call.rows = rows.size();
}

data::Table rows_table(const LogSchema& schema, const std::vector<const LoggedCall*>& calls) {
  data::Table out;
  std::size_t rows = 0;
  for (const LoggedCall* call : calls) rows += call->rows;
  add_call_columns(calls, rows, out);
  const std::vector<std::string> names = stored_names(schema);
  std::size_t number = 0, word = 0, time = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ColumnType type = schema.inputs[i].second;
    if (type == ColumnType::kText)
      out.columns.push_back(words(names[i], word++, calls, rows));
    else if (type == ColumnType::kTimestamp)
      out.columns.push_back(times(names[i], time++, calls, rows));
    else
      out.columns.push_back(numbers(names[i], type, number++, calls, rows));
  }
  return out;
}

}  // namespace maru::monitor
