#include "text_tree.h"

#include <charconv>
#include <vector>

#include "maru/base/text.h"

namespace maru::stats {
namespace {

using base::Code;
using base::Json;

constexpr int kDepth = 64;

tl::unexpected<base::Error> bad(std::size_t line, const std::string& what) {
  return base::fail(Code::kInvalidArgument, "line " + std::to_string(line) + ": " + what);
}

Json scalar(const std::string& word) {
  if (word == "true") return true;
  if (word == "false") return false;
  if (word == "null" || word == "~" || word.empty()) return {};
  std::int64_t whole = 0;
  auto end = std::from_chars(word.data(), word.data() + word.size(), whole);
  if (end.ec == std::errc() && end.ptr == word.data() + word.size()) return whole;
  double real = 0;
  end = std::from_chars(word.data(), word.data() + word.size(), real);
  if (end.ec == std::errc() && end.ptr == word.data() + word.size()) return real;
  return word;
}

class ProtoText {
 public:
  explicit ProtoText(const std::string& text) : text_(text) {}

  base::Result<Json> message(int depth) {
    if (depth > kDepth) return bad(line_, "nested too deeply");
    Json out = Json::object();
    for (;;) {
      space();
      if (at_ == text_.size() || text_[at_] == '}') return out;
      const std::string name = word();
      if (name.empty()) return bad(line_, "a field's name was expected");
      space();
      Json value;
      const bool colon = at_ < text_.size() && text_[at_] == ':';
      if (colon) {
        ++at_;
        space();
      }
      if (at_ < text_.size() && text_[at_] == '{') {
        ++at_;
        TRY_ASSIGN(value, message(depth + 1));
        if (at_ == text_.size()) return bad(line_, "a } is missing");
        ++at_;
      } else if (colon) {
        TRY_ASSIGN(value, one());
      } else {
        return bad(line_, "a : or { was expected behind " + name);
      }
      Json list = out.has(name) ? out[name] : Json::array();
      list.push(std::move(value));
      out.set(name, std::move(list));
    }
  }
  bool done() {
    space();
    return at_ == text_.size();
  }
  std::size_t line() const { return line_; }

 private:
  void space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ';') {
        if (c == '\n') ++line_;
        ++at_;
      } else {
        return;
      }
    }
  }
  std::string word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && text_.find_first_of(" \t\r\n:{},;#\"'<>[]", at_) != at_) ++at_;
    return text_.substr(from, at_ - from);
  }
  base::Result<Json> one() {
    if (at_ == text_.size()) return bad(line_, "a value was expected");
    const char quote = text_[at_];
    if (quote != '"' && quote != '\'') {
      const std::string value = word();
      if (value.empty()) return bad(line_, "a value was expected");
      return scalar(value);
    }
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_) {
      if (text_[at_] != '\\' || at_ + 1 == text_.size()) {
        out += text_[at_];
        continue;
      }
      const char c = text_[++at_];
      if (c >= '0' && c <= '7') {  // \353\266\200: bytes in octal
        int value = 0;
        std::size_t digits = 0;
        for (; digits < 3 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++digits)
          value = value * 8 + (text_[at_++] - '0');
        --at_;
        out += static_cast<char>(value);
      } else {
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      }
    }
    if (at_ == text_.size() || text_[at_] != quote) return bad(line_, "a quote is never closed");
    ++at_;
    return Json(out);
  }

  const std::string& text_;
  std::size_t at_ = 0, line_ = 1;
};

struct YamlLine {
  std::size_t indent = 0, number = 0;
  std::string text;
};

class PlainYaml {
 public:
  base::Status split(const std::string& text) {
    std::size_t number = 0;
    for (const auto& raw : base::split(text, '\n')) {
      ++number;
      std::string line = raw;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      const std::size_t indent = line.find_first_not_of(' ');
      if (indent == std::string::npos || line[indent] == '#' || line == "---") continue;
      if (line[indent] == '\t') return bad(number, "a tab where spaces belong");
      lines_.push_back({indent, number, cut_comment(line.substr(indent))});
    }
    return {};
  }

  base::Result<Json> block(std::size_t indent, int depth) {
    if (depth > kDepth) return bad(lines_[at_].number, "nested too deeply");
    return is_item(lines_[at_].text) ? sequence(indent, depth) : mapping(indent, depth);
  }
  bool empty() const { return lines_.empty(); }
  bool done() const { return at_ == lines_.size(); }
  std::size_t indent() const { return lines_[at_].indent; }
  std::size_t number() const { return lines_[at_].number; }

 private:
  static bool is_item(const std::string& text) { return text == "-" || text.rfind("- ", 0) == 0; }

  static std::string cut_comment(const std::string& text) {
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (quote != 0) {
        if (text[i] == '\\' && quote == '"')
          ++i;
        else if (text[i] == quote)
          quote = 0;
      } else if ((text[i] == '"' || text[i] == '\'') &&
                 (i == 0 || text[i - 1] == ' ' || text[i - 1] == '[')) {
        quote = text[i];
      } else if (text[i] == '#' && i > 0 && text[i - 1] == ' ') {
        return std::string(base::trim(text.substr(0, i)));
      }
    }
    return std::string(base::trim(text));
  }

  base::Result<Json> value(const std::string& text, std::size_t line) {
    if (text.empty()) return Json();
    if (text.front() == '&' || text.front() == '*' || text.front() == '!' || text.front() == '|' ||
        text.front() == '>')
      return bad(line, "YAML beyond plain blocks is not read: " + text.substr(0, 20));
    if (text.front() == '"') {
      auto parsed = base::parse_json(text);
      if (!parsed) return bad(line, "a quoted text cannot be read");
      return *parsed;
    }
    if (text.front() == '\'') {
      if (text.size() < 2 || text.back() != '\'') return bad(line, "a quote is never closed");
      std::string out;
      for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        out += text[i];
        if (text[i] == '\'') ++i;
      }
      return Json(out);
    }
    if (text.front() == '[' || text.front() == '{') {
      auto parsed = base::parse_json(text);
      if (parsed) return *parsed;
      if (text.front() == '{' || text.back() != ']')
        return bad(line, "a flow value cannot be read");
      Json list = Json::array();
      for (const auto& part : base::split(text.substr(1, text.size() - 2), ',')) {
        TRY_ASSIGN(Json item, value(std::string(base::trim(part)), line));
        list.push(std::move(item));
      }
      return list;
    }
    return scalar(text);
  }

  base::Result<Json> sequence(std::size_t indent, int depth) {
    Json out = Json::array();
    while (!done() && lines_[at_].indent == indent && is_item(lines_[at_].text)) {
      YamlLine& line = lines_[at_];
      const std::size_t skip = std::min(line.text.find_first_not_of(' ', 1), line.text.size());
      const std::string rest = skip >= line.text.size() ? "" : line.text.substr(skip);
      if (rest.empty()) {
        ++at_;
        if (done() || lines_[at_].indent <= indent) {
          out.push(Json());
          continue;
        }
        TRY_ASSIGN(Json inner, block(lines_[at_].indent, depth + 1));
        out.push(std::move(inner));
      } else if (key_end(rest) != std::string::npos) {
        line.indent = indent + skip;  // "- name: x" opens a mapping at "name"
        line.text = rest;
        TRY_ASSIGN(Json inner, block(line.indent, depth + 1));
        out.push(std::move(inner));
      } else {
        TRY_ASSIGN(Json item, value(rest, line.number));
        out.push(std::move(item));
        ++at_;
      }
    }
    return out;
  }

  // Where the : behind a key is.
  static std::size_t key_end(const std::string& text) {
    if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
      const std::size_t close = text.find(text.front(), 1);
      if (close == std::string::npos || close + 1 >= text.size() || text[close + 1] != ':')
        return std::string::npos;
      return close + 1;
    }
    if (!text.empty() && (text.front() == '[' || text.front() == '{')) return std::string::npos;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return i;
    }
    return std::string::npos;
  }

  base::Result<Json> mapping(std::size_t indent, int depth) {
    Json out = Json::object();
    while (!done() && lines_[at_].indent == indent && !is_item(lines_[at_].text)) {
      const YamlLine line = lines_[at_];
      const std::size_t end = key_end(line.text);
      if (end == std::string::npos) return bad(line.number, "`key: value` was expected");
      TRY_ASSIGN(const Json key, value(line.text.substr(0, end), line.number));
      const std::string name = key.is_string() ? key.as_string() : line.text.substr(0, end);
      const std::string rest(base::trim(line.text.substr(end + 1)));
      ++at_;
      Json inner;
      const bool deeper = !done() && (lines_[at_].indent > indent ||
                                      (lines_[at_].indent == indent && is_item(lines_[at_].text)));
      if (!rest.empty()) {
        TRY_ASSIGN(inner, value(rest, line.number));
      } else if (deeper) {
        TRY_ASSIGN(inner, block(lines_[at_].indent, depth + 1));
      }
      out.set(name, std::move(inner));
    }
    return out;
  }

  std::vector<YamlLine> lines_;
  std::size_t at_ = 0;
};

}  // namespace

base::Result<Json> parse_proto_text(const std::string& text) {
  ProtoText reader(text);
  TRY_ASSIGN(Json out, reader.message(0));
  if (!reader.done()) return bad(reader.line(), "a } too many");
  return out;
}

base::Result<Json> parse_plain_yaml(const std::string& text) {
  PlainYaml reader;
  TRY(reader.split(text));
  if (reader.empty()) return bad(1, "there is nothing in it");
  TRY_ASSIGN(Json out, reader.block(reader.indent(), 0));
  if (!reader.done()) return bad(reader.number(), "the indentation fits nothing above");
  return out;
}

std::string quoted(const std::string& text) { return Json(text).dump(); }

}  // namespace maru::stats
