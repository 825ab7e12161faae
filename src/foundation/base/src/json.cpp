#include "maru/base/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "maru/base/check.h"
#include "maru/base/text.h"

namespace maru::base {
namespace {

const Json kNull;
const std::string kEmptyText;
const Json::Array kNoItems;
const Json::Object kNoMembers;

void append_integer(std::string& out, std::int64_t value) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void append_integer(std::string& out, std::uint64_t value) {
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

// Bytes that a JSON string may carry as they are: printable ASCII except the quote and the backslash.
constexpr std::array<bool, 256> plain_table() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x20; c < 0x80; ++c) table[c] = c != '"' && c != '\\';
  return table;
}
constexpr std::array<bool, 256> kPlain = plain_table();

void append_escape(std::string& out, char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

void append_valid(std::string& out, std::string_view text) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (kPlain[byte] || byte >= 0x80) continue;
    out.append(text.substr(start, i - start));
    append_escape(out, text[i]);
    start = i + 1;
  }
  out.append(text.substr(start));
}

class PrettyWriter {
 public:
  explicit PrettyWriter(std::string& out) : out_(out) {}

  void write(const Json& value, std::size_t depth) {
    if (value.is_array() && value.size() > 0) {
      out_ += '[';
      bool first = true;
      for (const Json& item : value.items()) {
        separate(first, depth + 1);
        write(item, depth + 1);
      }
      newline(depth);
      out_ += ']';
    } else if (value.is_object() && value.size() > 0) {
      out_ += '{';
      bool first = true;
      for (const auto& [key, item] : value.members()) {
        separate(first, depth + 1);
        append_json_string(out_, key);
        out_ += ": ";
        write(item, depth + 1);
      }
      newline(depth);
      out_ += '}';
    } else {
      value.append_to(out_);
    }
  }

 private:
  void newline(std::size_t depth) {
    out_ += '\n';
    out_.append(depth * 2, ' ');
  }
  void separate(bool& first, std::size_t depth) {
    if (!first) out_ += ',';
    first = false;
    newline(depth);
  }

  std::string& out_;
};

}  // namespace

Json Json::object(std::initializer_list<Member> members) { return object_of(Object(members)); }

Json Json::object_of(Object members) {
  Json out;
  out.value_ = std::move(members);
  return out;
}

bool Json::as_bool(bool fallback) const {
  const bool* value = std::get_if<bool>(&value_);
  return value == nullptr ? fallback : *value;
}

std::int64_t Json::as_int(std::int64_t fallback) const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<double>(&value_)) {
    // 2^63 is exact in a double; anything from there on does not fit.
    if (*value >= -0x1p63 && *value < 0x1p63 && *value == std::floor(*value)) {
      return static_cast<std::int64_t>(*value);
    }
  }
  return fallback;
}

double Json::as_double(double fallback) const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::string>(&value_)) {
    if (*value == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (*value == "Infinity") return std::numeric_limits<double>::infinity();
    if (*value == "-Infinity") return -std::numeric_limits<double>::infinity();
  }
  return fallback;
}

const std::string& Json::as_string() const {
  const auto* value = std::get_if<std::string>(&value_);
  return value == nullptr ? kEmptyText : *value;
}

std::string Json::as_string_or(std::string_view fallback) const {
  return is_string() ? as_string() : std::string(fallback);
}

const Json::Array& Json::items() const {
  const auto* value = std::get_if<Array>(&value_);
  return value == nullptr ? kNoItems : *value;
}

const Json::Object& Json::members() const {
  const auto* value = std::get_if<Object>(&value_);
  return value == nullptr ? kNoMembers : *value;
}

Json::Array& Json::items() {
  if (is_null()) value_ = Array{};
  MARU_CHECK(is_array());
  return std::get<Array>(value_);
}

Json::Object& Json::members() {
  if (is_null()) value_ = Object{};
  MARU_CHECK(is_object());
  return std::get<Object>(value_);
}

std::size_t Json::size() const {
  if (is_array()) return std::get<Array>(value_).size();
  if (is_object()) return std::get<Object>(value_).size();
  return 0;
}

const Json* Json::find(std::string_view key) const {
  const auto* value = std::get_if<Object>(&value_);
  if (value == nullptr) return nullptr;
  for (const Member& member : *value) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  return found == nullptr ? kNull : *found;
}

const Json& Json::at(std::size_t index) const {
  const auto* value = std::get_if<Array>(&value_);
  return value == nullptr || index >= value->size() ? kNull : (*value)[index];
}

Json& Json::set(std::string_view key, Json value) {
  Object& all = members();
  for (Member& member : all) {
    if (member.first == key) {
      member.second = std::move(value);
      return *this;
    }
  }
  all.emplace_back(std::string(key), std::move(value));
  return *this;
}

void Json::push(Json value) { items().push_back(std::move(value)); }

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

std::string Json::dump() const {
  std::string out;
  append_to(out);
  return out;
}

std::string Json::dump_pretty() const {
  std::string out;
  PrettyWriter(out).write(*this, 0);
  return out;
}

void Json::append_to(std::string& out) const {
  if (const auto* text = std::get_if<std::string>(&value_)) {
    append_json_string(out, *text);
  } else if (const auto* real = std::get_if<double>(&value_)) {
    append_json_number(out, *real);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    append_integer(out, *integer);
  } else if (const auto* object = std::get_if<Object>(&value_)) {
    out += '{';
    for (std::size_t i = 0; i < object->size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, (*object)[i].first);
      out += ':';
      (*object)[i].second.append_to(out);
    }
    out += '}';
  } else if (const auto* array = std::get_if<Array>(&value_)) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      (*array)[i].append_to(out);
    }
    out += ']';
  } else if (const auto* truth = std::get_if<bool>(&value_)) {
    out += *truth ? "true" : "false";
  } else if (const auto* large = std::get_if<std::uint64_t>(&value_)) {
    append_integer(out, *large);
  } else {
    out += "null";
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  bool ascii = true;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      ascii = false;
      break;
    }
  }
  if (ascii || is_valid_utf8(text))
    append_valid(out, text);
  else
    append_valid(out, replace_invalid_utf8(text));
  out += '"';
}

void append_json_number(std::string& out, double value) {
  if (std::isfinite(value)) {
    out += format_double(value);
    return;
  }
  out += '"';
  out += format_double(value);
  out += '"';
}

std::string format_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string out(text.data(), end);
  // "1" would read back as an integer.
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

}  // namespace maru::base
