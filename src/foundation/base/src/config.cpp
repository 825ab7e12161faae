#include "maru/base/config.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "maru/base/check.h"
#include "maru/base/text.h"

namespace maru::base {
namespace {

using enum ConfigKind;

constexpr ConfigKey kKeys[] = {
    {"http.listen", kText, "127.0.0.1:7400", "address and port of HTTP; port 0 takes any free one"},
    {"grpc.listen", kText, "auto",
     "address and port for gRPC alone; auto: the port after that of http.listen, if it is free; "
     "off: "
     "none. gRPC is spoken on http.listen too"},
    {"http.tls-cert", kText, "", "PEM file with the certificate chain; empty means plain HTTP"},
    {"http.tls-key", kText, "", "PEM file with the private key of http.tls-cert"},
    {"http.allowed-hosts", kText, "",
     "names beside the listening one that Host and Origin may carry, by comma; * for any"},
    {"http.io-threads", kInteger, "2", "threads that move bytes of connections"},
    {"http.max-body", kBytes, "64MiB", "largest request body after decompression"},
    {"log.level", kText, "info", "debug, info, warn or error"},
    {"log.format", kText, "json", "json (one object a line) or text (for people)"},
    {"log.access", kBool, "false",
     "a line for each answer in logs/access.log, rotated at 64 MiB, five files kept"},
    {"pool.serve-threads", kInteger, "0", "threads that answer predictions; 0 means one a core"},
    {"pool.blocking-threads", kInteger, "8", "threads that wait for the database and files"},
    {"pool.work-threads", kInteger, "4", "tasks of pipelines, imports and profiles at a time"},
    {"pool.waiting-threads", kInteger, "32", "calls at a time of models that run in Python"},
    {"pool.queue", kInteger, "4096",
     "requests that may wait in each pool before the next one is refused"},
    {"serve.memory", kBytes, "0",
     "memory of all models that are served; those that callers only named go first, the longest "
     "unused; 0: no cap"},
    {"store.group-commit-ms", kInteger, "2", "longest wait for company before a commit, 0 to 5"},
    {"python.interpreter", kText, "python3",
     "Python with mlflow and what the served models need (a path, or a name on PATH); off: models "
     "that need Python are refused"},
    {"python.processes", kInteger, "1", "processes for each model that runs in Python"},
    {"python.memory", kBytes, "4GiB", "memory of each of them; more, and it is started again"},
    {"python.timeout-ms", kInteger, "60000",
     "longest answer of one of them; longer, and it is started again"},
    {"python.start-timeout-ms", kInteger, "120000", "longest time to import and load a model"},
    {"cost.cpu-hour", kText, "0.04",
     "price of an hour of one CPU, in your currency; batch predictions tell what a million rows "
     "cost; 0: not told"},
    {"train.threads", kInteger, "2", "threads of one training; the bytes of a model depend on it"},
    {"sources.allowed-hosts", kText, "",
     "hosts with private addresses that http:// and s3:// sources may be at, by comma; others are "
     "refused"},
    {"webhook.allowed-hosts", kText, "",
     "hosts with private addresses that webhooks may call, by comma; others are refused"},
};

const ConfigKey* find_key(std::string_view name) {
  for (const ConfigKey& key : kKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string map_name(std::string_view name, std::string_view prefix, char separator, bool upper) {
  std::string out(prefix);
  for (const char c : name) {
    if (c == '.' || c == '-')
      out += separator;
    else
      out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

std::string flag_name(const ConfigKey& key) { return map_name(key.name, "", '-', false); }
std::string environment_name(const ConfigKey& key) {
  return map_name(key.name, "MARU_", '_', true);
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) {
    return fail(Code::kInvalidArgument, "not an integer: " + std::string(text));
  }
  return value;
}

Result<bool> parse_bool(std::string_view text) {
  const std::string word = to_lower_ascii(text);
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  return fail(Code::kInvalidArgument, "not true or false: " + std::string(text));
}

Status check_value(const ConfigKey& key, const std::string& value, std::string_view origin) {
  Status status;
  const auto keep = [&status](auto result) {
    if (!result) status = tl::unexpected<Error>(std::move(result).error());
  };
  switch (key.kind) {
    case kText:
      break;
    case kInteger:
      keep(parse_integer(value));
      break;
    case kBool:
      keep(parse_bool(value));
      break;
    case kBytes:
      keep(parse_bytes(value));
      break;
    case kDuration:
      keep(parse_duration_us(value));
      break;
  }
  if (status) return {};
  return wrap(std::move(status).error(),
              "bad value of " + std::string(key.name) + " from the " + std::string(origin),
              "it is: " + std::string(key.help));
}

tl::unexpected<Error> unknown_key(std::string_view name, const std::vector<std::string>& known) {
  std::string hint = did_you_mean(name, known);
  if (hint.empty()) hint = "see `maru up --help` for all keys";
  return fail(Code::kInvalidArgument, "unknown configuration key: " + std::string(name),
              std::move(hint));
}

Result<Config::Values> parse_file(std::string_view text) {
  Config::Values out;
  std::size_t number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    std::string_view line = trim(raw);
    if (line.empty() || line[0] == '#') continue;
    // A comment after a value starts with " #", so that a value may contain '#'.
    line = trim(line.substr(0, line.find(" #")));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      return fail(
          Code::kInvalidArgument,
          "configuration line " + std::to_string(number) + " has no `=`: " + std::string(line),
          "write `key = value`");
    }
    out[std::string(trim(line.substr(0, equals)))] = std::string(trim(line.substr(equals + 1)));
  }
  return out;
}

struct Unit {
  std::string_view name;
  double factor;
};

// "12.5 MiB" -> number and unit; the unit is matched without case.
Result<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                     const char* what, const char* example) {
  const std::string_view trimmed = trim(text);
  double number = 0;
  const auto [end, code] = std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), number);
  const std::string word =
      to_lower_ascii(trim(trimmed.substr(static_cast<std::size_t>(end - trimmed.data()))));
  if (code == std::errc() && number >= 0) {
    for (const Unit& unit : units) {
      if (word != unit.name) continue;
      const double value = number * unit.factor;
      if (!(value < 0x1p63)) break;
      return static_cast<std::int64_t>(value + 0.5);
    }
  }
  return fail(Code::kInvalidArgument,
              std::string("not ") + what + ": " + std::string(text.substr(0, 64)),
              std::string("write it as ") + example);
}

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

Result<std::int64_t> parse_bytes(std::string_view text) {
  constexpr Unit kUnits[] = {{"", 1},         {"b", 1},        {"kb", 1e3},     {"mb", 1e6},
                             {"gb", 1e9},     {"tb", 1e12},    {"kib", 0x1p10}, {"mib", 0x1p20},
                             {"gib", 0x1p30}, {"tib", 0x1p40}, {"k", 0x1p10},   {"m", 0x1p20},
                             {"g", 0x1p30}};
  if (const auto exact = parse_integer(trim(text)); exact && *exact >= 0) return *exact;
  return parse_with_unit(text, kUnits, "a size", "64MiB");
}

Result<std::int64_t> parse_duration_us(std::string_view text) {
  constexpr Unit kUnits[] = {{"us", 1},     {"ms", 1e3},   {"s", 1e6},     {"m", 60e6},
                             {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6}, {"w", 7 * 86400e6}};
  return parse_with_unit(text, kUnits, "a duration", "10s, 5ms or 1d");
}

Result<Config> Config::load(const Values& flags, const Values& environment,
                            std::string_view file_text) {
  TRY_ASSIGN(const Values file, parse_file(file_text));
  Config config;
  std::vector<std::string> names;
  std::vector<std::string> flag_names;
  for (const ConfigKey& key : kKeys) {
    config.values_.emplace(key.name, key.default_value);
    config.origins_.emplace(key.name, "default");
    names.emplace_back(key.name);
    flag_names.push_back(flag_name(key));
  }
  for (const auto& [name, value] : file) {
    if (find_key(name) == nullptr) return unknown_key(name, names);
  }
  for (const auto& [name, value] : flags) {
    const bool known = find_key(name) != nullptr ||
                       std::find(flag_names.begin(), flag_names.end(), name) != flag_names.end();
    if (!known) return unknown_key(name, flag_names);
  }
  for (const ConfigKey& key : kKeys) {
    const auto take = [&](const Values& from, std::string_view name, const char* origin) -> Status {
      const auto at = from.find(name);
      if (at == from.end()) return {};
      TRY(check_value(key, at->second, origin));
      config.values_.find(key.name)->second = at->second;
      config.origins_.find(key.name)->second = origin;
      return {};
    };
    // Later ones win.
    TRY(take(file, key.name, "file"));
    TRY(take(environment, environment_name(key), "environment"));
    TRY(take(flags, key.name, "flag"));
    TRY(take(flags, flag_name(key), "flag"));
  }
  // The public words are short: origin() says "env".
  for (auto& [name, origin] : config.origins_) {
    if (origin == "environment") origin = "env";
  }
  return config;
}

const std::string& Config::text(std::string_view name) const {
  const auto at = values_.find(name);
  MARU_CHECK(at != values_.end());
  return at->second;
}

std::int64_t Config::integer(std::string_view name) const {
  const auto value = parse_integer(text(name));
  MARU_CHECK(value.has_value());
  return *value;
}

bool Config::flag(std::string_view name) const {
  const auto value = parse_bool(text(name));
  MARU_CHECK(value.has_value());
  return *value;
}

std::int64_t Config::bytes(std::string_view name) const {
  const auto value = parse_bytes(text(name));
  MARU_CHECK(value.has_value());
  return *value;
}

std::int64_t Config::duration_us(std::string_view name) const {
  const auto value = parse_duration_us(text(name));
  MARU_CHECK(value.has_value());
  return *value;
}

std::string_view Config::origin(std::string_view name) const {
  const auto at = origins_.find(name);
  MARU_CHECK(at != origins_.end());
  return at->second;
}

}  // namespace maru::base
