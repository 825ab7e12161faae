#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "maru/base/result.h"

namespace maru::base {

enum class ConfigKind { kText, kInteger, kBool, kBytes, kDuration };

// One documented key. The environment variable is MARU_ + upper-case name with '.' and '-' as '_'; the flag is --name with '.' as '-'.
struct ConfigKey {
  std::string_view name;  // "http.listen"
  ConfigKind kind;
  std::string_view default_value;
  std::string_view help;
};

// The single table of all keys, for --help, docs and validation.
std::span<const ConfigKey> config_keys();

// Values by precedence: flag > environment > file > default. Immutable after load; thread safe.
class Config {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;
  // `file_text` is "key = value" lines (# comments). Unknown key: kInvalidArgument with the nearest known one as hint.
  static Result<Config> load(const Values& flags, const Values& environment,
                             std::string_view file_text);

  const std::string& text(std::string_view name) const;  // MARU_CHECKs that the key exists
  std::int64_t integer(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::int64_t bytes(std::string_view name) const;        // "64MiB", "1GB", "123"
  std::int64_t duration_us(std::string_view name) const;  // "10s", "5ms", "1d", "90m"
  std::string_view origin(std::string_view name) const;   // "flag" | "env" | "file" | "default"

 private:
  Values values_;
  Values origins_;
};

Result<std::int64_t> parse_bytes(std::string_view text);
Result<std::int64_t> parse_duration_us(std::string_view text);

}  // namespace maru::base
