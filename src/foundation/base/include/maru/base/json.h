#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "maru/base/result.h"

namespace maru::base {

struct JsonLimits {
  std::size_t max_depth = 64;
  std::size_t max_bytes = 64u << 20;
  std::size_t max_string_bytes = 16u << 20;
  std::size_t max_tokens = 10'000'000;
};

// An order-preserving JSON value. Integers keep all 64 bits; doubles are written with the shortest digits that read back equal.
// Value semantics; not thread safe for concurrent writes.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;
  Json(std::nullptr_t) {}                                     // NOLINT(google-explicit-constructor)
  Json(bool v) : value_(v) {}                                 // NOLINT
  Json(int v) : value_(static_cast<std::int64_t>(v)) {}       // NOLINT
  Json(unsigned v) : value_(static_cast<std::int64_t>(v)) {}  // NOLINT
  Json(std::int64_t v) : value_(v) {}                         // NOLINT
  Json(long long v) : value_(static_cast<std::int64_t>(v)) {}  // NOLINT
  Json(std::uint64_t v) {                                      // NOLINT
    if (v <= static_cast<std::uint64_t>(INT64_MAX))
      value_ = static_cast<std::int64_t>(v);
    else
      value_ = v;
  }
  Json(unsigned long long v) : Json(static_cast<std::uint64_t>(v)) {}  // NOLINT
  Json(double v) : value_(v) {}                                        // NOLINT
  Json(const char* v) : value_(std::string(v)) {}                      // NOLINT
  Json(std::string_view v) : value_(std::string(v)) {}                 // NOLINT
  Json(std::string v) : value_(std::move(v)) {}                        // NOLINT
  Json(Array v) : value_(std::move(v)) {}                              // NOLINT
  static Json array(Array items = {}) { return Json(std::move(items)); }
  static Json object(std::initializer_list<Member> members = {});
  static Json object_of(Object members);  // takes the members as they are; keys must differ

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_uint() const {
    return std::holds_alternative<std::uint64_t>(value_);
  }  // only when above int64
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_number() const { return is_int() || is_uint() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // Typed reads with a fallback; never fail.
  bool as_bool(bool fallback = false) const;
  std::int64_t as_int(std::int64_t fallback = 0) const;  // also from an integral double
  double as_double(
      double fallback = 0) const;  // also from integers, and "NaN"/"Infinity"/"-Infinity" strings
  const std::string& as_string() const;  // "" when not a string
  std::string as_string_or(std::string_view fallback) const;
  const Array& items() const;     // empty when not an array
  const Object& members() const;  // empty when not an object
  Array& items();                 // becomes an array when null
  Object& members();              // becomes an object when null
  std::size_t size() const;       // of array or object

  const Json* find(std::string_view key) const;        // nullptr when absent or not an object
  const Json& operator[](std::string_view key) const;  // null value when absent
  const Json& at(std::size_t index) const;             // null value when out of range
  bool has(std::string_view key) const { return find(key) != nullptr; }
  Json& set(std::string_view key, Json value);  // replaces or appends; returns *this
  void push(Json value);

  bool operator==(const Json& other) const;

  // Compact text. NaN and infinities become the strings "NaN", "Infinity", "-Infinity". Invalid UTF-8 is replaced by U+FFFD.
  std::string dump() const;
  std::string dump_pretty() const;  // two spaces, for people
  void append_to(std::string& out) const;

 private:
  // Distinct from Json(Object) on purpose: brace lists of pairs are ambiguous with arrays.
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value_;
};

// RFC 8259 text -> value. Errors: kInvalidArgument with byte offset, kTooLarge for a limit. A duplicate key keeps the last value.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

void append_json_string(std::string& out, std::string_view text);  // with quotes
void append_json_number(std::string& out, double value);
std::string format_double(double value);  // shortest round trip; "NaN", "Infinity", "-Infinity"

}  // namespace maru::base
