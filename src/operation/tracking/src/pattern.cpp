#include <algorithm>
#include <optional>

#include "maru/tracking/filter.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;

constexpr std::size_t kMaxInstructions = 2000;
constexpr std::size_t kMaxGroupDepth = 50;
constexpr std::size_t kMaxRepeat = 500;
constexpr std::size_t kMaxPatternBytes = 4096;

enum class Do : std::uint8_t { kSet, kSplit, kJump, kBegin, kEnd, kEdge, kNoEdge, kMatch };

struct Range {
  char32_t low, high;
};
struct Set {
  std::vector<Range> ranges;
  bool negated = false;
  bool has(char32_t c) const {
    const bool in = std::any_of(ranges.begin(), ranges.end(),
                                [c](const Range& r) { return c >= r.low && c <= r.high; });
    return in != negated;
  }
};
struct Instruction {
  Do what = Do::kMatch;
  std::size_t a = 0, b = 0;  // targets; `a` is the set of kSet
};

// The code point at `at`, and `at` moves behind it; a stray byte stands for itself.
char32_t next_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t more = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  if (more == 0 || at + more >= text.size()) return text[at++] & 0xFF;
  char32_t point = lead & (0x3Fu >> more);
  for (std::size_t i = 1; i <= more; ++i)
    point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
  at += more + 1;
  return point;
}

bool is_word_point(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c >= 0xAA;
}

}  // namespace

struct Pattern::Program {
  std::vector<Instruction> code;
  std::vector<Set> sets;
  bool ignore_case = false;
};

namespace {

// Recursive descent that emits Thompson's automaton. A piece of code is relocatable: a repetition copies it.
class Compiler {
 public:
  explicit Compiler(std::string_view text) : text_(text) {}
  using Code_ = std::vector<Instruction>;

  Result<Code_> whole() {
    if (text_.starts_with("(?i)")) {
      ignore_case = true;
      at_ = 4;
    }
    TRY_ASSIGN(Code_ code, alternatives(0));
    if (at_ < text_.size()) return refuse("an unopened ')'");
    code.push_back({Do::kMatch});
    return code;
  }

  std::vector<Set> sets;
  bool ignore_case = false;

 private:
  static void append(Code_& code, const Code_& part) {
    const std::size_t shift = code.size();
    for (Instruction item : part) {
      if (item.what == Do::kSplit) item.b += shift;
      if (item.what == Do::kSplit || item.what == Do::kJump) item.a += shift;
      code.push_back(item);
    }
  }
  static Code_ split_over(const Code_& part, std::size_t extra) {
    Code_ code{{Do::kSplit, 1, part.size() + 1 + extra}};
    append(code, part);
    return code;
  }

  Result<Code_> alternatives(std::size_t depth) {
    if (depth > kMaxGroupDepth) return refuse("too many nested groups");
    TRY_ASSIGN(Code_ code, sequence(depth));
    while (at_ < text_.size() && text_[at_] == '|') {
      ++at_;
      TRY_ASSIGN(const Code_ right, sequence(depth));
      Code_ both = split_over(code, 1);
      both.push_back({Do::kJump, both.size() + 1 + right.size()});
      append(both, right);
      code = std::move(both);
    }
    return code;
  }

  Result<Code_> sequence(std::size_t depth) {
    Code_ code;
    while (at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')') {
      TRY_ASSIGN(Code_ atom, one(depth));
      TRY_ASSIGN(atom, repeated(std::move(atom)));
      append(code, atom);
      if (code.size() > kMaxInstructions) return refuse("it is too large");
    }
    return code;
  }

  Result<Code_> repeated(Code_ atom) {
    while (at_ < text_.size()) {
      std::size_t least = 0, most = 0;  // most 0: without end
      const char c = text_[at_];
      if (c == '{' && !braces(least, most)) break;
      if (c == '+') least = 1;
      if (c == '?') most = 1;
      if (c != '*' && c != '+' && c != '?' && c != '{') break;
      if (c != '{') ++at_;
      if (at_ < text_.size() && text_[at_] == '?') ++at_;  // lazy: the same set of texts
      if (most != 0 && least > most) return refuse("a repetition whose bounds are turned round");
      if (std::max(least, most) > kMaxRepeat ||
          (atom.size() + 2) * std::max<std::size_t>({least, most, 1}) > kMaxInstructions)
        return refuse("it is too large");
      atom = times(atom, least, most, c == '{' && most_zero_);
    }
    return atom;
  }

  static Code_ times(const Code_& atom, std::size_t least, std::size_t most, bool never) {
    Code_ code;
    if (never) return code;
    for (std::size_t i = 0; i < least; ++i) append(code, atom);
    if (most == 0) {
      Code_ loop = split_over(atom, 1);
      loop.push_back({Do::kJump, 0});
      append(code, loop);
      return code;
    }
    for (std::size_t i = least; i < most; ++i) append(code, split_over(atom, 0));
    return code;
  }

  // "{2}", "{2,}", "{2,5}"; anything else is text.
  bool braces(std::size_t& least, std::size_t& most) {
    std::size_t i = at_ + 1;
    const auto number = [&]() -> std::optional<std::size_t> {
      std::size_t value = 0;
      const std::size_t begin = i;
      for (; i < text_.size() && text_[i] >= '0' && text_[i] <= '9' && i - begin < 6; ++i)
        value = value * 10 + static_cast<std::size_t>(text_[i] - '0');
      return i > begin ? std::optional(value) : std::nullopt;
    };
    const auto low = number();
    if (!low) return false;
    std::optional<std::size_t> high = low;
    if (i < text_.size() && text_[i] == ',') {
      ++i;
      high = number();
    }
    if (i >= text_.size() || text_[i] != '}') return false;
    least = *low;
    most = high.value_or(0);
    most_zero_ = high && *high == 0;
    at_ = i + 1;
    return true;
  }

  Result<Code_> one(std::size_t depth) {
    const char c = text_[at_];
    if (c == '(') return group(depth);
    if (c == '[') return bracket();
    if (c == '\\') return escape();
    if (c == '*' || c == '+' || c == '?') return refuse("nothing to repeat");
    if (c == '^' || c == '$') {
      ++at_;
      return Code_{{c == '^' ? Do::kBegin : Do::kEnd}};
    }
    if (c == '.') {
      ++at_;
      return emit({{{'\n', '\n'}}, true});
    }
    const char32_t point = next_point(text_, at_);
    return emit({{{point, point}}, false});
  }

  Result<Code_> group(std::size_t depth) {
    ++at_;
    if (text_.substr(at_).starts_with("?:"))
      at_ += 2;
    else if (at_ < text_.size() && text_[at_] == '?')
      return refuse("a kind of group that is not supported");
    TRY_ASSIGN(Code_ inner, alternatives(depth + 1));
    if (at_ >= text_.size()) return refuse("an unclosed '('");
    ++at_;
    return inner;
  }

  // What \d, \w, \s and their negations stand for; false when the letter is none of them.
  static bool shorthand(char c, Set& set) {
    const char lower = static_cast<char>(c | 0x20);
    if (lower == 'd')
      set.ranges = {{'0', '9'}};
    else if (lower == 'w')
      set.ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0xAA, 0x10FFFF}};
    else if (lower == 's')
      set.ranges = {{'\t', '\r'}, {' ', ' '}};
    else
      return false;
    set.negated = c != lower;
    return true;
  }

  Result<char32_t> escaped() {
    ++at_;
    if (at_ >= text_.size()) return refuse("a backslash at its end");
    const char c = text_[at_];
    constexpr std::string_view kNames = "ntrfv", kMeanings = "\n\t\r\f\v";
    if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
      ++at_;
      return static_cast<char32_t>(kMeanings[i]);
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      return refuse("an escape that is not supported");
    return next_point(text_, at_);
  }

  Result<Code_> escape() {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == 'b' || c == 'B') {
      at_ += 2;
      return Code_{{c == 'b' ? Do::kEdge : Do::kNoEdge}};
    }
    Set set;
    if (shorthand(c, set)) {
      at_ += 2;
      return emit(std::move(set));
    }
    TRY_ASSIGN(const char32_t point, escaped());
    return emit({{{point, point}}, false});
  }

  Result<Code_> bracket() {
    ++at_;
    Set set;
    if (at_ < text_.size() && text_[at_] == '^') {
      set.negated = true;
      ++at_;
    }
    for (bool first = true; at_ < text_.size() && (first || text_[at_] != ']'); first = false) {
      Set inner;
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && shorthand(text_[at_ + 1], inner)) {
        if (inner.negated) return refuse("a negated class inside []");
        at_ += 2;
        set.ranges.insert(set.ranges.end(), inner.ranges.begin(), inner.ranges.end());
        continue;
      }
      TRY_ASSIGN(const char32_t low, member());
      char32_t high = low;
      if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
        ++at_;
        TRY_ASSIGN(high, member());
      }
      if (high < low) return refuse("a range that is turned round");
      set.ranges.push_back({low, high});
    }
    if (at_ >= text_.size()) return refuse("an unclosed '['");
    ++at_;
    return emit(std::move(set));
  }

  Result<char32_t> member() {
    if (text_[at_] == '\\') return escaped();
    return next_point(text_, at_);
  }

  Code_ emit(Set set) {
    if (ignore_case) {
      const std::vector<Range> ranges = set.ranges;
      for (const Range& r : ranges) {
        const char32_t low = std::max<char32_t>(r.low, 'A'), high = std::min<char32_t>(r.high, 'Z');
        if (low <= high) set.ranges.push_back({low + 32, high + 32});
        const char32_t from = std::max<char32_t>(r.low, 'a'), to = std::min<char32_t>(r.high, 'z');
        if (from <= to) set.ranges.push_back({from - 32, to - 32});
      }
    }
    sets.push_back(std::move(set));
    return {{Do::kSet, sets.size() - 1}};
  }

  tl::unexpected<base::Error> refuse(const std::string& why) const {
    return base::fail(Code::kInvalidArgument, "Invalid regular expression '" + std::string(text_) +
                                                  "': " + why + " at position " +
                                                  std::to_string(at_ + 1));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool most_zero_ = false;  // the last braces were {0}
};

// The instructions that are waiting for the next character, without duplicates.
class Threads {
 public:
  explicit Threads(std::size_t size) : seen_(size, 0) {}
  void clear() {
    waiting.clear();
    ++round_;
  }
  bool mark(std::size_t at) {
    if (seen_[at] == round_) return false;
    seen_[at] = round_;
    return true;
  }
  std::vector<std::size_t> waiting;

 private:
  std::vector<std::uint64_t> seen_;
  std::uint64_t round_ = 1;
};

struct Place {
  bool begin, end, edge;
};

// Follows everything that takes no character from `start`; true when the end of the pattern is among it.
bool follow(const std::vector<Instruction>& code, std::size_t start, const Place& place,
            Threads& threads, std::vector<std::size_t>& stack) {
  stack.assign(1, start);
  while (!stack.empty()) {
    const std::size_t at = stack.back();
    stack.pop_back();
    if (!threads.mark(at)) continue;
    const Instruction& item = code[at];
    switch (item.what) {
      case Do::kMatch:
        return true;
      case Do::kSet:
        threads.waiting.push_back(at);
        break;
      case Do::kJump:
        stack.push_back(item.a);
        break;
      case Do::kSplit:
        stack.push_back(item.a);
        stack.push_back(item.b);
        break;
      case Do::kBegin:
        if (place.begin) stack.push_back(at + 1);
        break;
      case Do::kEnd:
        if (place.end) stack.push_back(at + 1);
        break;
      case Do::kEdge:
        if (place.edge) stack.push_back(at + 1);
        break;
      case Do::kNoEdge:
        if (!place.edge) stack.push_back(at + 1);
        break;
    }
  }
  return false;
}

}  // namespace

Pattern::Pattern() : program_(std::make_unique<Program>()) {}
Pattern::~Pattern() = default;

Result<std::shared_ptr<const Pattern>> Pattern::compile(std::string_view text) {
  if (text.size() > kMaxPatternBytes)
    return base::fail(Code::kInvalidArgument, "Invalid regular expression: it is longer than " +
                                                  std::to_string(kMaxPatternBytes) + " bytes");
  Compiler compiler(text);
  TRY_ASSIGN(auto code, compiler.whole());
  // tidy: allow new: the constructor is private
  std::shared_ptr<Pattern> out(new Pattern());
  out->program_->code = std::move(code);
  out->program_->sets = std::move(compiler.sets);
  out->program_->ignore_case = compiler.ignore_case;
  return std::shared_ptr<const Pattern>(std::move(out));
}

bool Pattern::found_in(std::string_view text) const {
  const auto& code = program_->code;
  Threads now(code.size()), next(code.size());
  std::vector<std::size_t> stack;
  bool word_before = false;
  std::size_t at = 0;
  while (true) {
    std::size_t after = at;
    const bool end = at >= text.size();
    const char32_t point = end ? 0 : next_point(text, after);
    const bool word_here = !end && is_word_point(point);
    const bool last_line_end = at + 1 == text.size() && text[at] == '\n';
    const Place place{at == 0, end || last_line_end, word_before != word_here};
    // A match may begin anywhere; what waited for the last character stands here too.
    next.clear();
    for (const std::size_t state : now.waiting) {
      if (follow(code, state, place, next, stack)) return true;
    }
    if (follow(code, 0, place, next, stack)) return true;
    if (end) return false;
    now.clear();
    for (const std::size_t state : next.waiting) {
      if (program_->sets[code[state].a].has(point)) now.waiting.push_back(state + 1);
    }
    word_before = word_here;
    at = after;
  }
}

}  // namespace maru::tracking
