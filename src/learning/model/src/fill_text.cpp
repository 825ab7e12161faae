// The serving hot path: JSON text -> batch in one walk, with no tree between. Whatever is not plain (a number as text, an unknown column, a key that is
// not there, broken JSON) goes the slow way, which reads the whole text again and knows how to explain what is wrong.
#include <simdjson.h>

#include <cmath>
#include <cstring>

#include "batch.h"
#include "maru/base/clock.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Status;
namespace ondemand = simdjson::ondemand;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kFastBytes = 8u << 20;  // above, JsonLimits may have a say
constexpr std::size_t kKeepBytes =
    1u << 20;  // a buffer larger than this is not kept for the next body

struct Reader {
  ondemand::parser parser;
  std::vector<char> buffer;
  std::vector<std::uint8_t> seen;
};

Reader& thread_reader() {
  thread_local Reader reader;
  return reader;
}

void grow(std::vector<double>& cells, std::size_t row) {
  if (cells.size() <= row) cells.resize(row + 1);
  cells[row] = kMissing;
}
void grow(std::vector<std::int64_t>& cells, std::size_t row) {
  if (cells.size() <= row) cells.resize(row + 1);
  cells[row] = kMissingTime;
}
void grow(std::vector<std::string>& cells, std::size_t row) {
  if (cells.size() <= row) cells.resize(row + 1);
  cells[row].clear();
}

// simdjson's get_double lets some numbers pass that are not JSON (leading zeros before many digits); long ones are left to the slow way.
bool read_double(ondemand::value& value, double& out) {
  std::string_view token = value.raw_json_token();
  if (!token.empty() && token.front() == '-') token.remove_prefix(1);
  if (token.size() > 32 ||
      (token.size() > 1 && token[0] == '0' && token[1] >= '0' && token[1] <= '9'))
    return false;
  // Digits alone may be beyond 64 bits; a long fraction like 40.700000000000003 is plain.
  if (token.size() > 18 && token.find_first_of(".eE") == std::string_view::npos) return false;
  return value.get_double().get(out) == simdjson::SUCCESS;
}

class Walk {
 public:
  Walk(const Signature& signature, InputBatch& out, std::vector<std::uint8_t>& seen)
      : signature_(signature), out_(out), seen_(seen) {}

  // False: not plain; `out` is then anything.
  bool document(ondemand::document& document, std::string_view key) {
    ondemand::object root;
    if (document.get_object().get(root) != simdjson::SUCCESS) return false;
    bool found = false;
    for (auto entry : root) {
      ondemand::field field;
      if (std::move(entry).get(field) != simdjson::SUCCESS) return false;
      std::string_view name;
      if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
      if (name != key) {
        if (!scalar(field.value())) return false;
        continue;
      }
      if (found || !rows(field.value())) return false;
      found = true;
    }
    return found &&
           document.current_location().error() == simdjson::OUT_OF_BOUNDS;  // nothing follows
  }

 private:
  bool rows(ondemand::value value) {
    ondemand::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS) return false;
    out_.columns.resize(signature_.inputs.size());
    std::size_t count = 0;
    for (auto entry : list) {
      ondemand::object object;
      if (entry.get_object().get(object) != simdjson::SUCCESS || !row(object, count)) return false;
      ++count;
    }
    out_.rows = count;
    for (std::size_t i = 0; i < out_.columns.size(); ++i) {
      InputColumn& column = out_.columns[i];
      const InputKind kind = signature_.inputs[i].kind;
      if (kind == InputKind::kText)
        column.texts.resize(count);
      else if (kind == InputKind::kTimestamp)
        column.times.resize(count);
      else
        column.numbers.resize(count);
    }
    return true;
  }

  bool row(ondemand::object& object, std::size_t at) {
    const std::size_t width = signature_.inputs.size();
    seen_.assign(width, 0);
    for (std::size_t i = 0; i < width; ++i) {
      InputColumn& column = out_.columns[i];
      const InputKind kind = signature_.inputs[i].kind;
      if (kind == InputKind::kText)
        grow(column.texts, at);
      else if (kind == InputKind::kTimestamp)
        grow(column.times, at);
      else
        grow(column.numbers, at);
    }
    std::size_t next = 0;  // rows mostly come in the signature's order
    for (auto entry : object) {
      ondemand::field field;
      if (std::move(entry).get(field) != simdjson::SUCCESS) return false;
      std::string_view name;
      if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
      std::size_t i = next;
      if (i >= width || signature_.inputs[i].name != name) {
        const int index = signature_.index_of(name);
        if (index < 0) {
          if (!is_ignored(signature_, name) || !scalar(field.value())) return false;
          continue;
        }
        i = static_cast<std::size_t>(index);
      }
      if (!cell(signature_.inputs[i].kind, field.value(), at, out_.columns[i])) return false;
      seen_[i] = 1;
      next = i + 1;
    }
    for (std::size_t i = 0; i < width; ++i)
      if (seen_[i] == 0 && signature_.inputs[i].required) return false;
    return true;
  }

  static bool cell(InputKind kind, ondemand::value value, std::size_t row, InputColumn& column) {
    ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    if (type == ondemand::json_type::null) {
      bool null = false;
      if (value.is_null().get(null) != simdjson::SUCCESS || !null) return false;
      if (kind == InputKind::kText)
        column.texts[row].clear();
      else if (kind == InputKind::kTimestamp)
        column.times[row] = kMissingTime;
      else
        column.numbers[row] = kMissing;
      return true;
    }
    if (kind == InputKind::kText || kind == InputKind::kTimestamp)
      return text_or_time(kind, type, value, row, column);
    double number = 0;
    if (type == ondemand::json_type::boolean) {
      bool flag = false;
      if (value.get_bool().get(flag) != simdjson::SUCCESS) return false;
      number = flag ? 1 : 0;
    } else if (type != ondemand::json_type::number || !read_double(value, number)) {
      return false;
    }
    if (kind == InputKind::kInteger && std::floor(number) != number) return false;
    if (kind == InputKind::kBoolean && number != 0 && number != 1) return false;
    column.numbers[row] = number;
    return true;
  }

  static bool text_or_time(InputKind kind, ondemand::json_type type, ondemand::value& value,
                           std::size_t row, InputColumn& column) {
    if (type == ondemand::json_type::string) {
      std::string_view text;
      if (value.get_string().get(text) != simdjson::SUCCESS) return false;
      if (kind == InputKind::kText) {
        column.texts[row].assign(text);
        return true;
      }
      const auto time = base::parse_time_us(text);
      if (!time) return false;
      column.times[row] = *time;
      return true;
    }
    if (kind == InputKind::kText || type != ondemand::json_type::number) return false;
    return value.get_int64().get(column.times[row]) == simdjson::SUCCESS;
  }

  // Reads past a value that is not used, and checks it; lists and objects are left to the slow way.
  static bool scalar(ondemand::value value) {
    ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    switch (type) {
      case ondemand::json_type::string: {
        std::string_view text;
        return value.get_string().get(text) == simdjson::SUCCESS;
      }
      case ondemand::json_type::number: {
        double number = 0;
        return read_double(value, number);
      }
      case ondemand::json_type::boolean: {
        bool flag = false;
        return value.get_bool().get(flag) == simdjson::SUCCESS;
      }
      case ondemand::json_type::null: {
        bool null = false;
        return value.is_null().get(null) == simdjson::SUCCESS && null;
      }
      default:
        return false;
    }
  }

  const Signature& signature_;
  InputBatch& out_;
  std::vector<std::uint8_t>& seen_;
};

bool fast(const Signature& signature, std::string_view body, std::string_view key,
          InputBatch& out) {
  Reader& reader = thread_reader();
  const std::size_t needed = body.size() + simdjson::SIMDJSON_PADDING;
  if (reader.buffer.size() < needed) reader.buffer.resize(needed);
  std::memcpy(reader.buffer.data(), body.data(), body.size());
  std::memset(reader.buffer.data() + body.size(), 0, simdjson::SIMDJSON_PADDING);
  ondemand::document document;
  const bool opened = reader.parser.iterate(reader.buffer.data(), body.size(), reader.buffer.size())
                          .get(document) == simdjson::SUCCESS;
  const bool plain = opened && Walk(signature, out, reader.seen).document(document, key);
  if (reader.buffer.size() > kKeepBytes) {
    reader.buffer = {};
    reader.parser = ondemand::parser();
  }
  return plain;
}

}  // namespace

Status fill_from_text(const Signature& signature, std::string_view body, std::string_view key,
                      InputBatch& out) {
  if (!body.empty() && body.size() <= kFastBytes && fast(signature, body, key, out)) return {};
  TRY_ASSIGN(const Json json, base::parse_json(body));
  const Json* rows = json.find(key);
  if (rows == nullptr)
    return fail(Code::kInvalidArgument, "the body has no `" + std::string(key) + "`",
                "send {\"" + std::string(key) + "\": [{\"column\": value, ...}]}");
  return fill_from_rows(signature, *rows, out);
}

}  // namespace maru::model
