#include "maru/tracking/filter.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "maru/base/text.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;

struct EntityWord {
  std::string_view word;
  Entity entity;
};
constexpr EntityWord kEntityWords[] = {{"attribute", Entity::kAttribute},
                                       {"attributes", Entity::kAttribute},
                                       {"attr", Entity::kAttribute},
                                       {"run", Entity::kAttribute},
                                       {"trace", Entity::kAttribute},
                                       {"metric", Entity::kMetric},
                                       {"metrics", Entity::kMetric},
                                       {"parameter", Entity::kParam},
                                       {"parameters", Entity::kParam},
                                       {"param", Entity::kParam},
                                       {"params", Entity::kParam},
                                       {"tag", Entity::kTag},
                                       {"tags", Entity::kTag},
                                       {"dataset", Entity::kDataset},
                                       {"datasets", Entity::kDataset},
                                       {"metadata", Entity::kMetadata},
                                       {"request_metadata", Entity::kMetadata},
                                       {"span", Entity::kSpan},
                                       {"feedback", Entity::kFeedback},
                                       {"expectation", Entity::kExpectation}};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_quote(char c) { return c == '\'' || c == '"' || c == '`'; }

template <class List, class T>
bool contains(const List& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Where the quoted text that begins at `at` ends (its closing quote), as MLflow's tokenizer has it: a doubled quote and, in '' and "",
// a quote after a backslash stay inside when another one closes.
std::optional<std::size_t> closing_quote(std::string_view text, std::size_t at) {
  const char quote = text[at];
  std::optional<std::size_t> fallback;
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    const bool next = i + 1 < text.size() && text[i + 1] == quote;
    if (text[i] == quote && !next) return i;
    if (!next || (text[i] != quote && (quote == '`' || text[i] != '\\'))) continue;
    fallback = text[i] == quote ? i : i + 1;
    ++i;
  }
  return fallback;
}

std::string_view strip(std::string_view text, std::string_view quotes) {
  if (text.size() >= 2 && text.front() == text.back() &&
      quotes.find(text.front()) != std::string_view::npos)
    return text.substr(1, text.size() - 2);
  return text;
}

struct Key {
  Entity entity = Entity::kAttribute;
  std::string key;
  bool number = false;  // what it is compared with
  bool either = false;  // numbers and text
};

std::string listed(const std::vector<std::string>& names) {
  return "Valid values are " + base::join(names, ", ");
}

Result<Entity> read_entity(std::string_view word, const Grammar& grammar,
                           const std::vector<Entity>& allowed) {
  for (const auto& known : kEntityWords) {
    const bool foreign =
        (known.word == "run" || known.word == "trace") && known.word != grammar.what;
    if (known.word == word && contains(allowed, known.entity) && !foreign) return known.entity;
  }
  std::vector<std::string> names, all;
  for (const Entity entity : allowed) names.emplace_back(entity_name(entity));
  for (const auto& known : kEntityWords) {
    if (contains(allowed, known.entity)) all.emplace_back(known.word);
  }
  const std::string near = base::did_you_mean(base::to_lower_ascii(word), all);
  return base::fail(Code::kInvalidArgument,
                    "Invalid entity type '" + std::string(word) + "'. " + listed(names), near);
}

Result<Key> read_attribute(std::string_view name, const Grammar& grammar, bool order) {
  std::vector<std::string> names;
  for (const auto& attribute : grammar.attributes) {
    if (!(order ? attribute.orders : attribute.filters)) continue;
    names.push_back(attribute.name);
    if (attribute.name != name && !contains(attribute.aliases, name)) continue;
    const bool here = attribute.stored_key.empty();
    return Key{here ? Entity::kAttribute : attribute.stored,
               here ? attribute.name : attribute.stored_key,
               attribute.type == Grammar::Type::kNumber};
  }
  const std::string near = base::did_you_mean(base::to_lower_ascii(name), names);
  return base::fail(Code::kInvalidArgument,
                    "Invalid attribute key '" + std::string(name) + "' specified. Valid keys are " +
                        base::join(names, ", "),
                    near);
}

base::Status check_closed_key(const Key& key) {
  static const std::vector<std::string> kDataset = {"name", "digest", "context"};
  static const std::vector<std::string> kSpan = {"name", "type", "status", "content"};
  const bool dataset = key.entity == Entity::kDataset;
  if (!dataset && key.entity != Entity::kSpan) return {};
  const auto& names = dataset ? kDataset : kSpan;
  if (contains(names, key.key) || (!dataset && key.key.starts_with("attributes.") &&
                                   key.key.size() > std::string_view("attributes.").size()))
    return {};
  return base::fail(Code::kInvalidArgument,
                    "Invalid " + std::string(entity_name(key.entity)) + " key '" + key.key +
                        "' specified. Valid keys are " + base::join(names, ", ") +
                        (dataset ? "" : ", attributes.<name>"),
                    base::did_you_mean(key.key, names));
}

// `word` as written, quotes included; split at its first dot.
Result<Key> read_key(std::string_view word, const Grammar& grammar, bool order) {
  const std::size_t dot = word.find('.');
  const bool bare = dot == std::string_view::npos;
  const std::string_view name = strip(strip(bare ? word : word.substr(dot + 1), "'\""), "`");
  Entity entity = Entity::kAttribute;
  if (!bare) {
    const auto& allowed = order ? grammar.order_entities : grammar.entities;
    TRY_ASSIGN(entity, read_entity(strip(word.substr(0, dot), "`"), grammar, allowed));
  }
  if (entity == Entity::kAttribute) return read_attribute(name, grammar, order);
  Key key{entity, std::string(name), entity == Entity::kMetric,
          entity == Entity::kFeedback || entity == Entity::kExpectation};
  TRY(check_closed_key(key));
  return key;
}

class Parser {
 public:
  Parser(std::string_view text, const Grammar& grammar) : text_(text), grammar_(grammar) {}

  Result<Filter> whole() {
    if (text_.empty()) return Filter{};
    TRY_ASSIGN(Filter filter, either(0));
    if (!at_end()) return refuse("Invalid clause(s) in filter string", "AND, OR or the end");
    return filter;
  }

 private:
  Result<Filter> either(std::size_t depth) {
    TRY_ASSIGN(Filter first, both(depth));
    std::vector<Filter> parts;
    parts.push_back(std::move(first));
    while (keyword("OR")) {
      TRY_ASSIGN(Filter next, both(depth));
      parts.push_back(std::move(next));
    }
    return joined(Filter::Kind::kOr, std::move(parts));
  }

  // MLflow's tokenizer drops every AND, so leading, doubled and trailing ones pass, and so do two comparisons without any.
  Result<Filter> both(std::size_t depth) {
    std::vector<Filter> parts;
    while (true) {
      while (keyword("AND")) {
      }
      if (at_end() || peek() == ')' || word_is("OR")) break;
      if (!parts.empty() && !begins_one()) break;
      TRY_ASSIGN(Filter next, one(depth));
      parts.push_back(std::move(next));
    }
    if (parts.empty()) return refuse("Invalid filter", "a comparison such as metrics.loss < 1");
    return joined(Filter::Kind::kAnd, std::move(parts));
  }

  static Filter joined(Filter::Kind kind, std::vector<Filter> parts) {
    if (parts.size() == 1) return std::move(parts.front());
    return Filter{kind, std::move(parts), {}};
  }

  Result<Filter> one(std::size_t depth) {
    if (depth >= kMaxFilterDepth)
      return base::fail(Code::kInvalidArgument, "Invalid filter: it is nested more than " +
                                                    std::to_string(kMaxFilterDepth) + " deep" +
                                                    here());
    if (keyword("NOT")) {
      TRY_ASSIGN(Filter inner, one(depth + 1));
      std::vector<Filter> parts;
      parts.push_back(std::move(inner));
      return Filter{Filter::Kind::kNot, std::move(parts), {}};
    }
    if (peek() == '(') {
      ++at_;
      TRY_ASSIGN(Filter inner, either(depth + 1));
      if (peek() != ')') return refuse("Invalid filter", "')'");
      ++at_;
      return inner;
    }
    TRY_ASSIGN(Comparison leaf, comparison());
    return Filter{Filter::Kind::kCompare, {}, std::move(leaf)};
  }

  Result<Comparison> comparison() {
    if (++comparisons_ > kMaxFilterComparisons)
      return base::fail(Code::kInvalidArgument, "Invalid filter: it has more than " +
                                                    std::to_string(kMaxFilterComparisons) +
                                                    " comparisons");
    peek();
    Comparison out;
    out.position = at_;
    const std::string_view word = identifier();
    if (word.empty() || word.front() == '.')
      return refuse("Invalid clause(s) in filter string",
                    "an identifier such as metrics.loss on the left", out.position);
    auto key = read_key(word, grammar_, false);
    if (!key) {
      key.error().message += position(out.position);
      return tl::unexpected(std::move(key).error());
    }
    out.entity = key->entity;
    out.key = key->key;
    TRY_ASSIGN(out.op, read_op(*key));
    if (out.op != Op::kIsNull && out.op != Op::kIsNotNull) {
      TRY_ASSIGN(out.value, value(out.op, *key));
    }
    if (out.op == Op::kRegex) {
      TRY_ASSIGN(out.pattern, Pattern::compile(std::get<std::string>(out.value)));
    }
    if (grammar_.prompt_tag && out.key == "mlflow.prompt.is_prompt") {
      const auto* text = std::get_if<std::string>(&out.value);
      out.matches_missing = text != nullptr && ((out.op == Op::kEqual && *text == "false") ||
                                                (out.op == Op::kNotEqual && *text == "true"));
    }
    return out;
  }

  Result<Op> read_op(const Key& key) {
    const char c = peek();
    const std::size_t begin = at_;
    std::string_view word;
    if (std::string_view("=!<>~").find(c) != std::string_view::npos && c != 0) {
      while (at_ < text_.size() &&
             std::string_view("=!<>~").find(text_[at_]) != std::string_view::npos)
        ++at_;
      word = text_.substr(begin, at_ - begin);
    } else {
      word = next_word();
    }
    std::string op = upper(word);
    if (op == "IS") op = keyword("NOT") ? "IS NOT" : "IS";
    if (op == "IS" || op == "IS NOT") {
      if (!keyword("NULL")) return refuse("Invalid comparison clause", "NULL");
      return op == "IS" ? Op::kIsNull : Op::kIsNotNull;
    }
    if (op == "NOT") {
      if (!keyword("IN")) return refuse("Invalid comparison clause", "IN after NOT");
      return Op::kNotIn;
    }
    return known_op(op, word, key, begin);
  }

  Result<Op> known_op(const std::string& op, std::string_view word, const Key& key,
                      std::size_t begin) {
    struct Known {
      std::string_view word;
      Op op;
      bool number, text;
    };
    static constexpr Known kOps[] = {
        {"=", Op::kEqual, true, true},      {"!=", Op::kNotEqual, true, true},
        {"<", Op::kLess, true, false},      {"<=", Op::kLessEqual, true, false},
        {">", Op::kGreater, true, false},   {">=", Op::kGreaterEqual, true, false},
        {"LIKE", Op::kLike, false, true},   {"ILIKE", Op::kILike, false, true},
        {"RLIKE", Op::kRegex, false, true}, {"IN", Op::kIn, true, true}};
    std::vector<std::string> fitting = {"IS NULL", "IS NOT NULL", "NOT IN"};
    for (const Known& known : kOps) {
      const bool fits = key.either || (key.number ? known.number : known.text);
      if (fits && known.word == op) return known.op;
      if (fits) fitting.emplace_back(known.word);
    }
    if (word.empty())
      return refuse("Invalid clause(s) in filter string", "a comparison operator", begin);
    std::string hint = op == "==" ? "write =" : op == "<>" ? "write !=" : "";
    if (hint.empty()) hint = base::did_you_mean(op, fitting);
    return base::fail(
        Code::kInvalidArgument,
        "Invalid comparator '" + std::string(word) + "' not one of " + base::join(fitting, ", ") +
            " for " + std::string(entity_name(key.entity)) + " '" + key.key + "'" + position(begin),
        hint);
  }

  Result<Literal> value(Op op, const Key& key) {
    if (op == Op::kIn || op == Op::kNotIn) return list(key);
    if (key.either && op >= Op::kLess && op <= Op::kGreaterEqual) return number(key);
    if (key.number) return number(key);
    const bool equality = op == Op::kEqual || op == Op::kNotEqual;
    if (key.either && equality && (is_digit(peek()) || peek() == '-' || peek() == '.'))
      return number(key);
    TRY_ASSIGN(std::string text, quoted(key));
    return Literal(std::move(text));
  }

  Result<Literal> number(const Key& key) {
    TRY_ASSIGN(const double found, plain_number(key));
    return Literal(found);
  }

  Result<Literal> list(const Key& key) {
    if (peek() != '(')
      return refuse("Invalid clause(s) in filter string", "a list such as ('a', 'b')");
    ++at_;
    std::vector<double> numbers;
    std::vector<std::string> texts;
    while (peek() != ')') {
      if (key.number) {
        TRY_ASSIGN(const double item, plain_number(key));
        numbers.push_back(item);
      } else {
        TRY_ASSIGN(std::string item, quoted(key));
        texts.push_back(std::move(item));
      }
      if (peek() == ',')
        ++at_;
      else if (peek() != ')')
        return refuse("While parsing a list in the query", "',' or ')'");
    }
    if (numbers.empty() && texts.empty())
      return refuse("While parsing a list in the query, expected a non-empty list of string values",
                    "a value");
    ++at_;
    if (key.number) return Literal(std::move(numbers));
    return Literal(std::move(texts));
  }

  Result<std::string> quoted(const Key& key) {
    const char c = peek();
    const std::string wanted = "Expected a quoted string value for " +
                               std::string(entity_name(key.entity)) + " '" + key.key + "'";
    if (grammar_.bare_text && c != '\'' && c != '"' && c != '(' && c != 0) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.' || text_[at_] == '-'))
        ++at_;
      if (at_ > begin) return std::string(text_.substr(begin, at_ - begin));
    }
    if (c != '\'' && c != '"') return refuse(wanted, "text in quotes, e.g. 'my-value'");
    const auto end = closing_quote(text_, at_);
    if (!end) return refuse(wanted, std::string("the closing ") + c);
    std::string out(text_.substr(at_ + 1, *end - at_ - 1));
    at_ = *end + 1;
    return out;
  }

  Result<double> plain_number(const Key& key) {
    peek();
    const std::size_t begin = at_;
    std::size_t i = at_;
    if (i < text_.size() && text_[i] == '-') ++i;
    double found = 0;
    const std::string_view rest = text_.substr(i);
    const bool plain = !rest.empty() && (is_digit(rest[0]) || rest[0] == '.');
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), found);
    const auto after = i + static_cast<std::size_t>(end - rest.data());
    if (!plain || error == std::errc::invalid_argument ||
        (after < text_.size() && is_word(text_[after])))
      return refuse("Expected numeric value type for " + (key.entity == Entity::kMetric
                                                              ? std::string("metric")
                                                              : "numeric attribute: " + key.key),
                    "a number", begin);
    if (error == std::errc::result_out_of_range)  // 1e999 is infinite, 1e-999 is 0
      found = std::strtod(std::string(text_.substr(i, after - i)).c_str(), nullptr);
    at_ = after;
    return i > begin ? -found : found;
  }

  // A key as it is written: words, dots, quoted parts; a sign only between two words ("val-loss").
  std::string_view identifier() {
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (is_word(c) || c == '.') {
        ++at_;
      } else if (is_quote(c) && (at_ == begin || text_[at_ - 1] == '.') &&
                 (c != '\'' || at_ > begin)) {
        const auto end = closing_quote(text_, at_);
        if (!end) break;
        at_ = *end + 1;
      } else if (std::string_view("-/:@#$").find(c) != std::string_view::npos && at_ > begin &&
                 is_word(text_[at_ - 1]) && at_ + 1 < text_.size() && is_word(text_[at_ + 1])) {
        ++at_;
      } else {
        break;
      }
    }
    return text_.substr(begin, at_ - begin);
  }

  // Whether a comparison may begin here without an AND before it; a lone word that is no attribute is a misspelt AND.
  bool begins_one() {
    const char c = peek();
    if (c == '(' || c == '`' || c == '"') return true;
    const std::size_t mark = at_;
    const std::string_view word = identifier();
    at_ = mark;
    if (word.empty()) return false;
    return word.find('.') != std::string_view::npos || upper(word) == "NOT" ||
           read_attribute(word, grammar_, false).has_value();
  }

  char peek() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool at_end() {
    peek();
    return at_ >= text_.size();
  }
  std::string_view next_word() {
    peek();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  static std::string upper(std::string_view word) {
    std::string out(word);
    for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return out;
  }
  bool word_is(std::string_view wanted) {
    const std::size_t mark = at_;
    const bool same = upper(next_word()) == wanted && (at_ >= text_.size() || text_[at_] != '.');
    at_ = mark;
    return same;
  }
  bool keyword(std::string_view wanted) {
    if (!word_is(wanted)) return false;
    next_word();
    return true;
  }

  static std::string position(std::size_t at) { return " at position " + std::to_string(at + 1); }
  std::string here() const { return position(at_); }

  tl::unexpected<base::Error> refuse(std::string what, const std::string& expected) {
    peek();
    return refuse(std::move(what), expected, at_);
  }
  tl::unexpected<base::Error> refuse(std::string what, const std::string& expected,
                                     std::size_t at) const {
    constexpr std::size_t kShown = 40;
    std::string found = "the end";
    if (at < text_.size()) {
      std::size_t end = at;
      while (end < text_.size() && end - at < kShown && !is_space(text_[end])) ++end;
      found = "'" + base::replace_invalid_utf8(text_.substr(at, end - at)) + "'";
    }
    what += ": expected " + expected + position(at) + ", found " + found;
    return base::fail(Code::kInvalidArgument, std::move(what));
  }

  std::string_view text_;
  const Grammar& grammar_;
  std::size_t at_ = 0;
  std::size_t comparisons_ = 0;
};

// The identifier of an order item and where it ends: quoted parts may hold spaces.
std::size_t order_identifier_end(std::string_view item) {
  std::size_t i = 0;
  while (i < item.size() && !is_space(item[i]) && item[i] != ',') {
    const bool opens = is_quote(item[i]) && (i == 0 || item[i - 1] == '.');
    const auto end = opens ? closing_quote(item, i) : std::nullopt;
    i = end ? *end + 1 : i + 1;
  }
  return i;
}

}  // namespace

Result<Filter> parse_filter(std::string_view text, const Grammar& grammar) {
  if (text.size() > kMaxFilterBytes)
    return base::fail(Code::kInvalidArgument, "Invalid filter: it is longer than " +
                                                  std::to_string(kMaxFilterBytes) + " bytes");
  return Parser(text, grammar).whole();
}

Result<std::vector<OrderTerm>> parse_order(const std::vector<std::string>& items,
                                           const Grammar& grammar) {
  if (items.size() > kMaxOrderTerms)
    return base::fail(Code::kInvalidArgument,
                      "Invalid order_by: more than " + std::to_string(kMaxOrderTerms) + " items");
  std::vector<OrderTerm> out;
  for (const std::string& item : items) {
    const std::string_view text = base::trim(item);
    const std::size_t end = order_identifier_end(text);
    const std::string direction = base::to_lower_ascii(base::trim(text.substr(end)));
    if (end == 0 || direction.find(',') != std::string::npos ||
        direction.find(' ') != std::string::npos)
      return base::fail(Code::kInvalidArgument,
                        "Invalid order_by clause '" + item + "'. Could not be parsed.",
                        "one key an item, then ASC or DESC");
    if (!direction.empty() && direction != "asc" && direction != "desc")
      return base::fail(Code::kInvalidArgument,
                        "Invalid ordering key in order_by clause '" + item + "'.",
                        "ASC or DESC may follow the key");
    TRY_ASSIGN(Key key, read_key(text.substr(0, end), grammar, true));
    for (const OrderTerm& term : out) {
      if (term.entity == key.entity && term.key == key.key)
        return base::fail(Code::kInvalidArgument,
                          "`order_by` contains duplicate fields: '" + item + "'");
    }
    out.push_back({key.entity, std::move(key.key), direction == "desc"});
  }
  return out;
}

}  // namespace maru::tracking
