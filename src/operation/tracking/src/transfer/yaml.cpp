#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "maru/base/text.h"
#include "maru/tracking/foreign_formats.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;

constexpr std::size_t kMaxYamlDepth = 64;
constexpr std::size_t kMaxYamlBytes = 64u << 20;

struct Line {
  std::size_t indent = 0, number = 0;
  std::string_view text;  // without the indent
  bool blank() const { return text.empty() || text.front() == '#'; }
};

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

Json plain_value(std::string_view text) {
  const std::string lower = base::to_lower_ascii(text);
  if (lower.empty() || lower == "null" || lower == "~") return {};
  if (lower == "true" || lower == "yes" || lower == "on") return true;
  if (lower == "false" || lower == "no" || lower == "off") return false;
  const char* begin = text.data() + (text.front() == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  std::int64_t integer = 0;
  const bool padded = end - begin > 1 && *begin == '0';  // an id rather than a number
  if (const auto [at, error] = std::from_chars(begin, end, integer);
      error == std::errc() && at == end && !padded)
    return integer;
  if (lower == ".nan") return std::numeric_limits<double>::quiet_NaN();
  if (lower == ".inf" || lower == "+.inf") return std::numeric_limits<double>::infinity();
  if (lower == "-.inf") return -std::numeric_limits<double>::infinity();
  double real = 0;
  if (const auto [at, error] = std::from_chars(begin, end, real);
      error == std::errc() && at == end && text.find_first_of(".eE") != text.npos)
    return real;
  return text;
}

class Parser {
 public:
  explicit Parser(std::string_view text) {
    std::size_t number = 0;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      std::string_view one = text.substr(0, end);
      text = end == text.npos ? std::string_view() : text.substr(end + 1);
      if (!one.empty() && one.back() == '\r') one.remove_suffix(1);
      Line line;
      line.number = ++number;
      while (line.indent < one.size() && one[line.indent] == ' ') ++line.indent;
      line.text = one.substr(line.indent);
      lines_.push_back(line);
    }
  }

  Result<Json> document() {
    skip_blank();
    if (!done() && lines_[at_].text == "---") ++at_;
    skip_blank();
    if (done() || lines_[at_].text == "...") return Json();
    if (lines_[at_].text == "{}" || lines_[at_].text == "[]") return flow(lines_[at_].text);
    TRY_ASSIGN(Json out, node(lines_[at_].indent, 0));
    skip_blank();
    if (!done() && lines_[at_].text != "...") return wrong("is not expected here");
    return out;
  }

 private:
  bool done() const { return at_ >= lines_.size(); }
  void skip_blank() {
    while (!done() && lines_[at_].blank()) ++at_;
  }
  tl::unexpected<base::Error> wrong(const std::string& why) const {
    const std::size_t line = done() ? lines_.size() : lines_[at_].number;
    return base::fail(Code::kInvalidArgument, "line " + std::to_string(line) + " " + why);
  }
  static Json flow(std::string_view text) { return text == "[]" ? Json::array() : Json::object(); }
  static bool item(std::string_view text) { return text.substr(0, 2) == "- " || text == "-"; }

  // Whether the text begins with `key:`; where the value begins.
  static std::optional<std::pair<std::string, std::string_view>> key_of(std::string_view text) {
    if (text.empty()) return std::nullopt;
    if (text.front() == '\'' || text.front() == '"') {
      std::string key;
      std::string_view rest;
      if (!quoted(text, key, rest) || rest.empty() || rest.front() != ':') return std::nullopt;
      rest.remove_prefix(1);
      if (!rest.empty() && rest.front() != ' ') return std::nullopt;
      return std::pair(key, base::trim(rest));
    }
    std::size_t colon = text.find(':');
    while (colon != text.npos && colon + 1 < text.size() && text[colon + 1] != ' ')
      colon = text.find(':', colon + 1);
    if (colon == text.npos) return std::nullopt;
    return std::pair(std::string(base::trim(text.substr(0, colon))),
                     base::trim(text.substr(colon + 1)));
  }

  // A quoted scalar that lies within `text` whole; `rest` is what follows.
  static bool quoted(std::string_view text, std::string& out, std::string_view& rest) {
    const char quote = text.front();
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] == quote) {
        if (quote == '\'' && i + 1 < text.size() && text[i + 1] == '\'') {
          out += '\'';
          ++i;
          continue;
        }
        rest = text.substr(i + 1);
        return true;
      }
      if (quote == '"' && text[i] == '\\') {
        if (!escape(text, i, out)) return false;
        continue;
      }
      out += text[i];
    }
    return false;
  }

  // text[i] is a backslash; afterwards text[i] is the last character of the escape.
  static bool escape(std::string_view text, std::size_t& i, std::string& out) {
    if (i + 1 >= text.size()) return false;
    const char c = text[++i];
    static constexpr std::string_view kNames = "0abtnvfre\"/\\ N_LP";
    static constexpr std::uint32_t kCodes[] = {0,   7,   8,    9,   10,   11,   12,     13,    27,
                                               '"', '/', '\\', ' ', 0x85, 0xA0, 0x2028, 0x2029};
    if (const std::size_t at = kNames.find(c); at != kNames.npos) {
      append_utf8(out, kCodes[at]);
      return true;
    }
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || i + digits >= text.size()) return false;
    std::uint32_t code = 0;
    const char* begin = text.data() + i + 1;
    const auto [end, error] = std::from_chars(begin, begin + digits, code, 16);
    if (error != std::errc() || end != begin + digits) return false;
    if (code > 0x10FFFF) return false;
    i += digits;
    if (code >= 0xD800 && code < 0xDC00 && text.substr(i + 1, 2) == "\\u" && i + 6 < text.size()) {
      std::uint32_t low = 0;  // JSON's way to write what is beyond U+FFFF
      const char* next = text.data() + i + 3;
      const auto [stop, bad] = std::from_chars(next, next + 4, low, 16);
      if (bad == std::errc() && stop == next + 4 && low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        i += 6;
      }
    }
    append_utf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    return true;
  }

  // The first line of a scalar is lines_[at_] from `first`; goes past its last line.
  Result<Json> scalar(std::string_view first, std::size_t parent_indent, bool root) {
    if (first == "[]" || first == "{}") {
      ++at_;
      return flow(first);
    }
    static constexpr std::string_view kForeign = "[{&*!|>%@`";
    if (kForeign.find(first.front()) != kForeign.npos)
      return wrong("has a form of YAML that is not read here");
    if (first.front() == '\'' || first.front() == '"') return quoted_lines(first);
    std::string text(without_comment(first));
    ++at_;
    std::size_t breaks = 0;
    while (!done()) {
      const Line& line = lines_[at_];
      if (line.text.empty()) {
        ++breaks;
        ++at_;
        continue;
      }
      if (line.indent <= parent_indent && !(root && line.indent > 0)) break;
      if (key_of(line.text)) return wrong("is a mapping inside a text");
      text += breaks == 0 ? std::string(" ") : std::string(breaks, '\n');
      breaks = 0;
      text += without_comment(line.text);
      ++at_;
    }
    return plain_value(text);
  }

  static std::string_view without_comment(std::string_view text) {
    return base::trim(text.substr(0, text.find(" #")));
  }

  // Lines are folded: a break is a blank, an empty line is a break.
  Result<Json> quoted_lines(std::string_view first) {
    std::string whole(first);
    std::string out;
    std::string_view rest;
    const bool doubled = first.front() == '"';
    while (!ends(whole)) {
      ++at_;
      std::size_t breaks = 0;
      while (!done() && lines_[at_].text.empty()) {
        ++breaks;
        ++at_;
      }
      if (done()) return wrong("ends inside a quoted text");
      if (whole.size() > kMaxYamlBytes) return wrong("is too long");
      // An escaped break joins without a blank.
      const std::size_t slashes = whole.size() - 1 - whole.find_last_not_of('\\');
      if (doubled && slashes % 2 == 1) {
        whole.pop_back();
      } else {
        while (!whole.empty() && whole.back() == ' ') whole.pop_back();
        whole += breaks == 0 ? std::string(" ") : std::string(breaks, '\n');
      }
      scanned_ = std::min(scanned_, whole.size());
      whole += lines_[at_].text;
    }
    scanned_ = 1;
    if (!quoted(whole, out, rest)) return wrong("has a wrong escape");
    rest = base::trim(rest);
    if (!rest.empty() && rest.front() != '#') return wrong("goes on after a quoted text");
    ++at_;
    return out;
  }

  // Whether the quoted text that `text` begins with ends in it. Goes on where it stopped, so that long texts take linear time.
  bool ends(std::string_view text) {
    const char quote = text.front();
    std::size_t i = scanned_;
    while (i < text.size()) {
      if (text[i] == quote) {
        if (quote == '"' || i + 1 >= text.size() || text[i + 1] != '\'') return true;
        ++i;
      } else if (text[i] == '\\' && quote == '"') {
        if (i + 1 >= text.size()) break;  // an escaped break
        ++i;
      }
      ++i;
    }
    scanned_ = i;
    return false;
  }

  Result<Json> node(std::size_t indent, std::size_t depth) {
    if (depth > kMaxYamlDepth) return wrong("is nested too deep");
    if (item(lines_[at_].text)) return sequence(indent, depth);
    if (key_of(lines_[at_].text)) return mapping(indent, depth);
    return scalar(lines_[at_].text, indent == 0 ? 0 : indent - 1, indent == 0);
  }

  Result<Json> value(std::string_view rest, std::size_t indent, std::size_t depth) {
    if (!rest.empty() && rest.front() != '#') return scalar(rest, indent, false);
    ++at_;
    skip_blank();
    if (done()) return Json();
    const Line& line = lines_[at_];
    // A sequence may stand at its key's own indent.
    if (line.indent > indent || (line.indent == indent && item(line.text)))
      return node(line.indent, depth + 1);
    return Json();
  }

  Result<Json> mapping(std::size_t indent, std::size_t depth) {
    Json out = Json::object();
    for (skip_blank(); !done() && lines_[at_].indent == indent; skip_blank()) {
      const Line& line = lines_[at_];
      if (line.text == "..." || line.text == "---" || item(line.text)) break;
      const auto key = key_of(line.text);
      if (!key) return wrong("has no `key: value`");
      TRY_ASSIGN(Json one, value(key->second, indent, depth));
      out.set(key->first, std::move(one));
    }
    if (!done() && lines_[at_].indent > indent) return wrong("is indented too far");
    return out;
  }

  Result<Json> sequence(std::size_t indent, std::size_t depth) {
    Json out = Json::array();
    for (skip_blank(); !done() && lines_[at_].indent == indent && item(lines_[at_].text);
         skip_blank()) {
      Line& line = lines_[at_];
      std::size_t skip = 1;
      while (skip < line.text.size() && line.text[skip] == ' ') ++skip;
      const std::string_view rest = line.text.substr(skip);
      if (rest.empty()) {
        TRY_ASSIGN(Json one, value(rest, indent, depth));
        out.push(std::move(one));
        continue;
      }
      if (item(rest) || key_of(rest)) {  // the rest of the line is a block of its own
        line.indent += skip;
        line.text = rest;
        TRY_ASSIGN(Json one, node(line.indent, depth + 1));
        out.push(std::move(one));
        continue;
      }
      TRY_ASSIGN(Json one, scalar(rest, indent, false));
      out.push(std::move(one));
    }
    return out;
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
  std::size_t scanned_ = 1;
};

// JSON's quoted text is YAML's, but for characters that YAML wants escaped.
void append_quoted(std::string& out, const std::string& text) {
  const std::string json = Json(text).dump();
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto byte = static_cast<unsigned char>(json[i]);
    const auto next = static_cast<unsigned char>(i + 1 < json.size() ? json[i + 1] : 0);
    if (byte == 0x7F) {
      out += "\\x7f";
    } else if (byte == 0xC2 && next < 0xA0) {
      out += "\\x" + base::hex(json.substr(i + 1, 1));
      ++i;
    } else if (byte == 0xE2 && next == 0x80 && (json[i + 2] & 0xFE) == 0xA8) {
      out += json[i + 2] & 1 ? "\\u2029" : "\\u2028";
      i += 2;
    } else if (byte == 0xEF && next == 0xBB && static_cast<unsigned char>(json[i + 2]) == 0xBF) {
      out += "\\ufeff";
      i += 2;
    } else if (byte == 0xEF && next == 0xBF && static_cast<unsigned char>(json[i + 2]) >= 0xBE) {
      out += static_cast<unsigned char>(json[i + 2]) == 0xBE ? "\\ufffe" : "\\uffff";
      i += 2;
    } else {
      out += json[i];
    }
  }
}

void append_value(std::string& out, const Json& value, std::size_t indent) {
  if (value.is_string()) {
    out += ' ';
    append_quoted(out, value.as_string());
    out += '\n';
  } else if (value.is_object() && value.size() > 0) {
    out += '\n';
    for (const auto& [key, one] : value.members()) {
      out.append(indent, ' ');
      append_quoted(out, key);
      out += ':';
      append_value(out, one, indent + 2);
    }
  } else if (value.is_array() && value.size() > 0) {
    out += '\n';
    for (const auto& one : value.items()) {
      out.append(indent, ' ');
      out += '-';
      append_value(out, one, indent + 2);
    }
  } else {
    out += ' ' + value.dump() + '\n';
  }
}

}  // namespace

Result<Json> parse_yaml(std::string_view text) {
  if (text.size() > kMaxYamlBytes)
    return base::fail(Code::kTooLarge, "a YAML text is longer than 64 MiB");
  if (!base::is_valid_utf8(text))
    return base::fail(Code::kInvalidArgument, "a YAML text is not valid UTF-8");
  return Parser(text).document();
}

std::string write_yaml(const Json& value) {
  std::string out;
  for (const auto& [key, one] : value.members()) {
    out += key;
    out += ':';
    append_value(out, one, 2);
  }
  return out;
}

}  // namespace maru::tracking
