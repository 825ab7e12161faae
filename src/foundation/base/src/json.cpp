#include "maru/base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "maru/base/text.h"

namespace maru::base {
namespace {

const Json kNull;
const std::string kEmptyText;
const Json::Array kEmptyArray;
const Json::Object kEmptyObject;

class Builder {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  Result<Json> build(simdjson::dom::element element, std::size_t depth) {
    if (++tokens_ > limits_.max_tokens) return fail(Code::kTooLarge, "JSON has more than " + std::to_string(limits_.max_tokens) + " values");
    switch (element.type()) {
      case simdjson::dom::element_type::ARRAY: return array(element.get_array().value_unsafe(), depth);
      case simdjson::dom::element_type::OBJECT: return object(element.get_object().value_unsafe(), depth);
      case simdjson::dom::element_type::INT64: return Json(std::int64_t{element.get_int64().value_unsafe()});
      case simdjson::dom::element_type::UINT64: return Json(std::uint64_t{element.get_uint64().value_unsafe()});
      case simdjson::dom::element_type::DOUBLE: return Json(element.get_double().value_unsafe());
      case simdjson::dom::element_type::BOOL: return Json(element.get_bool().value_unsafe());
      case simdjson::dom::element_type::STRING: return text(element.get_string().value_unsafe());
      default: return Json();
    }
  }

 private:
  Result<Json> text(std::string_view value) const {
    if (value.size() > limits_.max_string_bytes) return fail(Code::kTooLarge, "JSON string is longer than " + std::to_string(limits_.max_string_bytes) + " bytes");
    return Json(value);
  }

  Status enter(std::size_t depth) const {
    if (depth >= limits_.max_depth) return fail(Code::kTooLarge, "JSON is nested deeper than " + std::to_string(limits_.max_depth));
    return {};
  }

  Result<Json> array(simdjson::dom::array values, std::size_t depth) {
    TRY(enter(depth));
    Json::Array out;
    for (const auto value : values) {
      TRY_ASSIGN(Json item, build(value, depth + 1));
      out.push_back(std::move(item));
    }
    return Json(std::move(out));
  }

  Result<Json> object(simdjson::dom::object members, std::size_t depth) {
    TRY(enter(depth));
    Json out = Json::object();
    // Linear look-up for duplicates is fine for the small objects that rows are; big ones are sorted out at the end.
    Json::Object& list = out.members();
    for (const auto& [key, value] : members) {
      TRY(text(key));
      TRY_ASSIGN(Json item, build(value, depth + 1));
      list.emplace_back(std::string(key), std::move(item));
    }
    drop_duplicates(list);
    return out;
  }

  // The last value of a key wins, at the place of its first.
  static void drop_duplicates(Json::Object& list) {
    if (list.size() < 2) return;
    std::vector<std::uint32_t> order(list.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return list[a].first < list[b].first; });
    std::vector<bool> dead(list.size(), false);
    bool any = false;
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (list[order[i]].first != list[order[i - 1]].first) continue;
      std::size_t first = i - 1;
      while (i + 1 < order.size() && list[order[i + 1]].first == list[order[first]].first) ++i;
      list[order[first]].second = std::move(list[order[i]].second);
      for (std::size_t k = first + 1; k <= i; ++k) dead[order[k]] = true;
      any = true;
    }
    if (!any) return;
    Json::Object kept;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!dead[i]) kept.push_back(std::move(list[i]));
    }
    list = std::move(kept);
  }

  const JsonLimits& limits_;
  std::size_t tokens_ = 0;
};

void append_pretty(std::string& out, const Json& value, std::size_t indent) {
  const std::string pad(indent + 2, ' ');
  if (value.is_array() && value.size() > 0) {
    out += "[\n";
    for (std::size_t i = 0; i < value.size(); ++i) {
      out += pad;
      append_pretty(out, value.at(i), indent + 2);
      out += i + 1 < value.size() ? ",\n" : "\n";
    }
    out += std::string(indent, ' ') + "]";
  } else if (value.is_object() && value.size() > 0) {
    out += "{\n";
    std::size_t i = 0;
    for (const auto& [key, member] : value.members()) {
      out += pad;
      append_json_string(out, key);
      out += ": ";
      append_pretty(out, member, indent + 2);
      out += ++i < value.size() ? ",\n" : "\n";
    }
    out += std::string(indent, ' ') + "}";
  } else {
    value.append_to(out);
  }
}

template <class Integer>
void append_integer(std::string& out, Integer value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

}  // namespace

Json Json::object(std::initializer_list<Member> members) {
  Json out;
  out.value_ = Object(members);
  return out;
}

bool Json::as_bool(bool fallback) const {
  const bool* value = std::get_if<bool>(&value_);
  return value == nullptr ? fallback : *value;
}

std::int64_t Json::as_int(std::int64_t fallback) const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (const auto* real = std::get_if<double>(&value_)) {
    constexpr double kLimit = 9223372036854775808.0;
    if (*real >= -kLimit && *real < kLimit && std::floor(*real) == *real) return static_cast<std::int64_t>(*real);
  }
  return fallback;
}

double Json::as_double(double fallback) const {
  if (const auto* real = std::get_if<double>(&value_)) return *real;
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* text = std::get_if<std::string>(&value_)) {
    if (*text == "NaN") return std::nan("");
    if (*text == "Infinity") return HUGE_VAL;
    if (*text == "-Infinity") return -HUGE_VAL;
  }
  return fallback;
}

const std::string& Json::as_string() const {
  const auto* text = std::get_if<std::string>(&value_);
  return text == nullptr ? kEmptyText : *text;
}

std::string Json::as_string_or(std::string_view fallback) const { return is_string() ? as_string() : std::string(fallback); }

const Json::Array& Json::items() const {
  const auto* items = std::get_if<Array>(&value_);
  return items == nullptr ? kEmptyArray : *items;
}

const Json::Object& Json::members() const {
  const auto* members = std::get_if<Object>(&value_);
  return members == nullptr ? kEmptyObject : *members;
}

Json::Array& Json::items() {
  if (!is_array()) value_ = Array();
  return std::get<Array>(value_);
}

Json::Object& Json::members() {
  if (!is_object()) value_ = Object();
  return std::get<Object>(value_);
}

std::size_t Json::size() const { return is_array() ? items().size() : members().size(); }

const Json* Json::find(std::string_view key) const {
  for (const auto& member : members()) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  return found == nullptr ? kNull : *found;
}

const Json& Json::at(std::size_t index) const { return index < items().size() ? items()[index] : kNull; }

Json& Json::set(std::string_view key, Json value) {
  for (auto& member : members()) {
    if (member.first != key) continue;
    member.second = std::move(value);
    return *this;
  }
  members().emplace_back(std::string(key), std::move(value));
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
  append_pretty(out, *this, 0);
  return out;
}

void Json::append_to(std::string& out) const {
  if (const auto* flag = std::get_if<bool>(&value_)) {
    out += *flag ? "true" : "false";
  } else if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
    append_integer(out, *whole);
  } else if (const auto* large = std::get_if<std::uint64_t>(&value_)) {
    append_integer(out, *large);
  } else if (const auto* real = std::get_if<double>(&value_)) {
    append_json_number(out, *real);
  } else if (const auto* text = std::get_if<std::string>(&value_)) {
    append_json_string(out, *text);
  } else if (const auto* array = std::get_if<Array>(&value_)) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      (*array)[i].append_to(out);
    }
    out += ']';
  } else if (const auto* object = std::get_if<Object>(&value_)) {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : *object) {
      if (!first) out += ',';
      first = false;
      append_json_string(out, key);
      out += ':';
      value.append_to(out);
    }
    out += '}';
  } else {
    out += "null";
  }
}

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) return fail(Code::kTooLarge, "JSON is larger than " + std::to_string(limits.max_bytes) + " bytes");
  // One parser a thread: its buffers are reused. Depth is checked by the parser before any recursion of ours.
  thread_local simdjson::dom::parser parser;
  if (parser.max_depth() != limits.max_depth + 1) {
    if (parser.allocate(text.size() + 1, limits.max_depth + 1) != simdjson::SUCCESS) return fail(Code::kTooLarge, "JSON needs too much memory");
  }
  simdjson::dom::element root;
  const auto error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::DEPTH_ERROR) return fail(Code::kTooLarge, "JSON is nested deeper than " + std::to_string(limits.max_depth));
  if (error != simdjson::SUCCESS) return fail(Code::kInvalidArgument, std::string("not valid JSON: ") + simdjson::error_message(error));
  return Builder(limits).build(root, 0);
}

void append_json_string(std::string& out, std::string_view raw) {
  const std::string repaired = is_valid_utf8(raw) ? std::string() : replace_invalid_utf8(raw);
  const std::string_view text = repaired.empty() ? raw : std::string_view(repaired);
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out += '"';
}

void append_json_number(std::string& out, double value) {
  if (std::isfinite(value)) out += format_double(value);
  else out += '"' + format_double(value) + '"';
}

std::string format_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  std::string out(digits, end);
  // A double stays a double for whoever reads it back.
  if (out.find_first_of(".eE") == std::string::npos) out += ".0";
  return out;
}

}  // namespace maru::base
