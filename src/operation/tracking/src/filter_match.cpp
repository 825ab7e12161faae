#include <algorithm>

#include "maru/tracking/filter.h"

namespace maru::tracking {
namespace {

// Bytes of the code point that begins here; a stray byte counts as one.
std::size_t step(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return std::min(length, text.size() - at);
}

template <class T>
bool ordered(Op op, const T& left, const T& right) {
  switch (op) {
    case Op::kEqual:
      return left == right;
    case Op::kNotEqual:
      return left != right;
    case Op::kLess:
      return left < right;
    case Op::kLessEqual:
      return left <= right;
    case Op::kGreater:
      return left > right;
    case Op::kGreaterEqual:
      return left >= right;
    default:
      return false;
  }
}

template <class T, class U>
bool among(Op op, const T& value, const std::vector<U>& list) {
  return (std::find(list.begin(), list.end(), value) != list.end()) == (op == Op::kIn);
}

bool compare_number(const Comparison& comparison, double value) {
  if (const auto* number = std::get_if<double>(&comparison.value))
    return ordered(comparison.op, value, *number);
  if (const auto* list = std::get_if<std::vector<double>>(&comparison.value))
    return among(comparison.op, value, *list);
  return comparison.op == Op::kNotEqual || comparison.op == Op::kNotIn;
}

bool compare_text(const Comparison& comparison, std::string_view value) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&comparison.value))
    return among(comparison.op, value, *list);
  const auto* text = std::get_if<std::string>(&comparison.value);
  if (text == nullptr) return comparison.op == Op::kNotEqual || comparison.op == Op::kNotIn;
  switch (comparison.op) {
    case Op::kLike:
      return like(value, *text);
    case Op::kILike:
      return like(value, *text, true);
    case Op::kRegex:
      return comparison.pattern && comparison.pattern->found_in(value);
    default:
      return ordered(comparison.op, value, std::string_view(*text));
  }
}

}  // namespace

std::string fold_case(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); i += step(out, i)) {
    const auto lead = static_cast<unsigned char>(out[i]);
    if (lead >= 'A' && lead <= 'Z') out[i] = static_cast<char>(lead + 32);
    if (lead < 0xC3 || lead > 0xD0 || i + 1 >= out.size()) continue;
    unsigned point = (lead & 0x1Fu) << 6 | (static_cast<unsigned char>(out[i + 1]) & 0x3Fu);
    if (point >= 0xC0 && point <= 0xDE && point != 0xD7)
      point += 32;  // Latin-1
    else if (point >= 0x391 && point <= 0x3A9 && point != 0x3A2)
      point += 32;  // Greek
    else if (point >= 0x410 && point <= 0x42F)
      point += 32;  // Cyrillic
    else if (point >= 0x400 && point <= 0x40F)
      point += 80;
    out[i] = static_cast<char>(0xC0 | point >> 6);
    out[i + 1] = static_cast<char>(0x80 | (point & 0x3F));
  }
  return out;
}

bool like(std::string_view text, std::string_view pattern, bool ignore_case) {
  if (ignore_case) return like(fold_case(text), fold_case(pattern), false);
  constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t t = 0, p = 0, star = kNone, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == '_') {
      t += step(text, t);
      ++p;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++t, ++p;
    } else if (star != kNone) {
      p = star + 1;
      resume += step(text, resume);
      t = resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '%') ++p;
  return p == pattern.size();
}

bool compare(const Comparison& comparison, const Cell& cell) {
  const bool missing = std::holds_alternative<std::monostate>(cell);
  if (comparison.op == Op::kIsNull) return missing;
  if (comparison.op == Op::kIsNotNull) return !missing;
  if (missing) return comparison.matches_missing;
  if (const auto* number = std::get_if<double>(&cell)) return compare_number(comparison, *number);
  return compare_text(comparison, std::get<std::string_view>(cell));
}

bool matches(const Filter& filter, const std::function<bool(const Comparison&)>& test) {
  const auto holds = [&](const Filter& part) { return matches(part, test); };
  switch (filter.kind) {
    case Filter::Kind::kTrue:
      return true;
    case Filter::Kind::kCompare:
      return test(filter.leaf);
    case Filter::Kind::kNot:
      return !holds(filter.parts.front());
    case Filter::Kind::kAnd:
      return std::all_of(filter.parts.begin(), filter.parts.end(), holds);
    case Filter::Kind::kOr:
      return std::any_of(filter.parts.begin(), filter.parts.end(), holds);
  }
  return false;
}

bool matches_values(const Filter& filter,
                    const std::function<Cell(Entity, const std::string&)>& lookup) {
  return matches(filter, [&](const Comparison& comparison) {
    return compare(comparison, lookup(comparison.entity, comparison.key));
  });
}

void each_comparison(const Filter& filter, const std::function<void(const Comparison&)>& visit) {
  if (filter.kind == Filter::Kind::kCompare) visit(filter.leaf);
  for (const Filter& part : filter.parts) each_comparison(part, visit);
}

}  // namespace maru::tracking
