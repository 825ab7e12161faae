#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "maru/base/result.h"

// The filter and order language of searches: MLflow's, and more. Everything that MLflow's own parser takes means here what it means there;
// OR, NOT, parentheses, IS [NOT] NULL, RLIKE and IN are allowed everywhere.
//   filter     := "" | either;     either := both (OR both)*;     both := one (AND one)* [AND];     one := NOT one | "(" either ")" | comparison
//   comparison := ident (= | != | < | <= | > | >= | LIKE | ILIKE | RLIKE) value | ident [NOT] IN "(" value, ... ")" | ident IS [NOT] NULL
//   ident      := [entity "."] key, split at the first dot; a key with spaces or signs stands in `backticks` or "double quotes"
// Text stands in '' or "" without escapes. A missing value matches no comparison, not even !=, only IS NULL. NaN matches only !=.
namespace maru::tracking {

class Pattern;

enum class Entity : std::uint8_t {
  kAttribute,
  kMetric,
  kParam,
  kTag,
  kDataset,      // of runs: name, digest, context
  kMetadata,     // of traces, from here on
  kSpan,         // name, type, status, content, attributes.<key>
  kFeedback,     // by the assessment's name
  kExpectation,  // by the assessment's name
};
std::string_view entity_name(Entity entity);  // "metric"

enum class Op : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kLike,
  kILike,
  kRegex,
  kIn,
  kNotIn,
  kIsNull,
  kIsNotNull,
};

// monostate with IS NULL; a list with IN.
using Literal = std::variant<std::monostate, double, std::string, std::vector<double>,
                             std::vector<std::string>>;

struct Comparison {
  Entity entity = Entity::kAttribute;
  std::string key;  // canonical: aliases are replaced ("Created" is start_time)
  Op op = Op::kEqual;
  Literal value;
  std::size_t position = 0;  // byte where it begins in the text
  bool matches_missing =
      false;  // a model without the prompt tag counts as one that has it false (MLflow)
  std::shared_ptr<const Pattern> pattern;  // with kRegex
};

struct Filter {
  enum class Kind : std::uint8_t { kTrue, kAnd, kOr, kNot, kCompare };
  Kind kind = Kind::kTrue;
  std::vector<Filter> parts;  // kAnd, kOr: two or more; kNot: one
  Comparison leaf;            // kCompare
};

// What the attributes and entities of one kind of object are.
struct Grammar {
  enum class Type : std::uint8_t { kText, kNumber };
  struct Attribute {
    std::string name;
    Type type = Type::kText;
    std::vector<std::string> aliases = {};
    bool filters = true;  // may stand in a filter
    bool orders = true;   // may stand in an order
    // What it really is, for keys that are kept elsewhere (a trace's name is a tag); key "" means the attribute itself.
    Entity stored = Entity::kAttribute;
    std::string stored_key = {};
  };
  std::string what;  // "run": for messages
  std::vector<Entity> entities;
  std::vector<Entity> order_entities;
  std::vector<Attribute> attributes;
  bool bare_text = false;   // text may stand without quotes (logged models)
  bool prompt_tag = false;  // see Comparison::matches_missing
};
const Grammar& run_grammar();
const Grammar& experiment_grammar();
const Grammar& registered_model_grammar();
const Grammar& model_version_grammar();
const Grammar& logged_model_grammar();
const Grammar& trace_grammar();

inline constexpr std::size_t kMaxFilterBytes = 1u << 20;
inline constexpr std::size_t kMaxFilterDepth = 64;          // nested NOT and parentheses
inline constexpr std::size_t kMaxFilterComparisons = 1000;  // of one filter
inline constexpr std::size_t kMaxOrderTerms = 100;

// kInvalidArgument with the position (1-based byte), what was expected, and the nearest known name. "" is kTrue.
base::Result<Filter> parse_filter(std::string_view text, const Grammar& grammar);

struct OrderTerm {
  Entity entity = Entity::kAttribute;
  std::string key;
  bool descending = false;
};
// Each item is `ident [ASC|DESC]`. kInvalidArgument for a comma, an unknown key, or a key that stands twice.
base::Result<std::vector<OrderTerm>> parse_order(const std::vector<std::string>& items,
                                                 const Grammar& grammar);

// A stored value; monostate is missing.
using Cell = std::variant<std::monostate, double, std::string_view>;
// Whether one stored value satisfies one comparison.
bool compare(const Comparison& comparison, const Cell& cell);
// Evaluates a filter with a test of its leaves (over columns, over many values, ...).
bool matches(const Filter& filter, const std::function<bool(const Comparison&)>& test);
// Evaluates a filter over one object's values.
bool matches_values(const Filter& filter,
                    const std::function<Cell(Entity, const std::string&)>& lookup);
// Calls `visit` for every comparison, in the order of the text.
void each_comparison(const Filter& filter, const std::function<void(const Comparison&)>& visit);

// SQL's LIKE over the whole text: % any characters, _ one character (a code point); no escape. ILIKE ignores the case of Latin, Greek
// and Cyrillic letters. Linear memory, at most |text| x |pattern| steps.
bool like(std::string_view text, std::string_view pattern, bool ignore_case = false);
std::string fold_case(std::string_view text);

// A regular expression that is found anywhere in a text, in time linear in the text: the usual syntax without back-references and
// look-around: . [] [^] \d \w \s \b ^ $ | () (?:) * + ? {m,n}, lazy forms as their greedy ones, and (?i) in front. Immutable, thread safe.
class Pattern {
 public:
  static base::Result<std::shared_ptr<const Pattern>> compile(std::string_view text);
  ~Pattern();
  bool found_in(std::string_view text) const;

 private:
  Pattern();
  struct Program;
  std::unique_ptr<Program> program_;
};

}  // namespace maru::tracking
