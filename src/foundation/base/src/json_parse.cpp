// The only file that sees simdjson. Its on-demand reader validates as it walks, so the value is built in one pass over the text.
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

#include "maru/base/json.h"

namespace maru::base {
namespace {

// Members up to here are compared one by one to find a duplicate key; larger objects go through a sorted index.
constexpr std::size_t kLinearKeys = 32;
// A parser with more memory than this is not kept for the next text.
constexpr std::size_t kKeepParserBytes = 4u << 20;

std::string_view reason(simdjson::error_code code) {
  switch (code) {
    case simdjson::UTF8_ERROR:
      return "the text is not valid UTF-8";
    case simdjson::NUMBER_ERROR:
      return "a number is malformed or out of range";
    case simdjson::STRING_ERROR:
      return "a string is malformed";
    case simdjson::UNCLOSED_STRING:
      return "a string is not closed";
    case simdjson::UNESCAPED_CHARS:
      return "a control character in a string is not escaped";
    case simdjson::EMPTY:
      return "the text is empty";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
      return "a word is not true, false or null";
    default:
      return "the text is not valid JSON";
  }
}

tl::unexpected<Error> over(const char* what, std::size_t limit) {
  return fail(Code::kTooLarge,
              std::string("JSON is over the limit of ") + what + ": " + std::to_string(limit),
              "send it in smaller pieces");
}

// Depth and token count are taken from the bytes before anything is allocated: a bomb costs one scan.
// Returns with `end` at the offset where brackets stop making sense, or npos.
Status check_shape(std::string_view text, const JsonLimits& limits) {
  std::size_t depth = 0;
  std::size_t tokens = 0;
  std::size_t string_start = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"') {
        in_string = false;
        if (i - string_start > limits.max_string_bytes)
          return over("string bytes", limits.max_string_bytes);
      }
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        string_start = i + 1;
        ++tokens;
        break;
      case '[':
      case '{':
        if (++depth > limits.max_depth) return over("nesting depth", limits.max_depth);
        ++tokens;
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        break;
      case ',':
      case ':':
        ++tokens;
        break;
      default:
        break;
    }
  }
  if (tokens > limits.max_tokens) return over("tokens", limits.max_tokens);
  return {};
}

void merge_duplicates(Json::Object& members);

class Builder {
 public:
  simdjson::error_code build(const simdjson::dom::element& from, Json& out) {
    using Type = simdjson::dom::element_type;
    switch (from.type()) {
      case Type::ARRAY:
        return build_array(from, out);
      case Type::OBJECT:
        return build_object(from, out);
      case Type::INT64:
        out = Json(from.get_int64().value_unsafe());
        break;
      case Type::UINT64:
        out = Json(from.get_uint64().value_unsafe());
        break;
      case Type::DOUBLE:
        out = Json(from.get_double().value_unsafe());
        break;
      case Type::STRING:
        out = Json(from.get_string().value_unsafe());
        break;
      case Type::BOOL:
        out = Json(from.get_bool().value_unsafe());
        break;
      case Type::NULL_VALUE:
        out = Json();
        break;
    }
    return simdjson::SUCCESS;
  }

 private:
  simdjson::error_code build_array(const simdjson::dom::element& from, Json& out) {
    const simdjson::dom::array array = from.get_array().value_unsafe();
    Json::Array items;
    items.reserve(array.size());
    for (const simdjson::dom::element item : array) build(item, items.emplace_back());
    out = Json(std::move(items));
    return simdjson::SUCCESS;
  }

  simdjson::error_code build_object(const simdjson::dom::element& from, Json& out) {
    const simdjson::dom::object object = from.get_object().value_unsafe();
    Json::Object members;
    members.reserve(object.size());
    for (const simdjson::dom::key_value_pair field : object) {
      build(field.value, members.emplace_back(std::string(field.key), Json()).second);
    }
    merge_duplicates(members);
    out = Json::object_of(std::move(members));
    return simdjson::SUCCESS;
  }
};

// The last value of a key wins and keeps the place of the first.
void merge_duplicates(Json::Object& members) {
  const std::size_t n = members.size();
  std::vector<std::size_t> order(n);
  bool any = false;
  if (n <= kLinearKeys) {
    for (std::size_t i = 1; i < n && !any; ++i) {
      for (std::size_t j = 0; j < i && !any; ++j) any = members[i].first == members[j].first;
    }
    if (!any) return;
  }
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return members[a].first < members[b].first;
  });
  std::vector<bool> drop(n, false);
  any = false;
  for (std::size_t i = 0; i < n;) {
    std::size_t last = i;
    while (last + 1 < n && members[order[last + 1]].first == members[order[i]].first) ++last;
    if (last > i) {
      any = true;
      members[order[i]].second = std::move(members[order[last]].second);
      for (std::size_t k = i + 1; k <= last; ++k) drop[order[k]] = true;
    }
    i = last + 1;
  }
  if (!any) return;
  Json::Object kept;
  kept.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (!drop[i]) kept.push_back(std::move(members[i]));
  }
  members = std::move(kept);
}

// Where the text stops being JSON, found by a second, slow and simple walk that runs only for error messages.
class OffsetFinder {
 public:
  explicit OffsetFinder(std::string_view text) : text_(text) {}

  std::size_t find() {
    space();
    if (!value()) return at_;
    space();
    return at_;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void space() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool word(std::string_view expected) {
    for (const char c : expected) {
      if (peek() != c) return false;
      ++at_;
    }
    return true;
  }
  bool digits() {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }
  bool number() {
    const std::size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0')
      ++at_;
    else if (!digits())
      return false;
    if (peek() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    const std::string copy(text_.substr(start, at_ - start));
    if (std::isfinite(std::strtod(copy.c_str(), nullptr)) && copy.size() < 400) return true;
    at_ = start;
    return false;
  }
  bool string() {
    const std::size_t start = at_;
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return false;
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (at_ >= text_.size()) {
      at_ = start;
      return false;
    }
    ++at_;
    return true;
  }
  bool list(char close, bool keyed) {
    ++at_;
    space();
    if (peek() == close) return ++at_, true;
    for (;;) {
      space();
      if (keyed) {
        if (peek() != '"' || !string()) return false;
        space();
        if (peek() != ':') return false;
        ++at_;
        space();
      }
      if (!value()) return false;
      space();
      if (peek() == close) return ++at_, true;
      if (peek() != ',') return false;
      ++at_;
    }
  }
  // Depth was bounded by check_shape.
  bool value() {
    switch (peek()) {
      case '{':
        return list('}', true);
      case '[':
        return list(']', false);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) return over("bytes", limits.max_bytes);
  TRY(check_shape(text, limits));
  // One parser a thread: its buffers are the cost of small texts.
  thread_local std::unique_ptr<simdjson::dom::parser> parser;
  if (!parser) parser = std::make_unique<simdjson::dom::parser>();
  simdjson::dom::element root;
  // The parser copies the text into its own padded buffer.
  const simdjson::error_code code = parser->parse(text.data(), text.size(), true).get(root);
  if (code != simdjson::SUCCESS) {
    if (code == simdjson::MEMALLOC) parser.reset();
    return fail(
        Code::kInvalidArgument,
        std::string(reason(code)) + ": at byte " + std::to_string(OffsetFinder(text).find()),
        "check the text with a JSON validator");
  }
  Json out;
  Builder().build(root, out);
  if (text.size() > kKeepParserBytes) parser.reset();
  return out;
}

}  // namespace maru::base
