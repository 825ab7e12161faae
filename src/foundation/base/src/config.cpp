#include "maru/base/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "maru/base/check.h"
#include "maru/base/text.h"

namespace maru::base {
namespace {

using Kind = ConfigKind;

constexpr ConfigKey kKeys[] = {
    {"home", Kind::kText, "", "home folder; empty means $HOME/.maru"},
    {"http.listen", Kind::kText, "127.0.0.1:7400", "address and port of the server"},
    {"http.tls-cert", Kind::kText, "", "PEM certificate chain; with http.tls-key, the server speaks TLS"},
    {"http.tls-key", Kind::kText, "", "PEM private key"},
    {"http.allowed-hosts", Kind::kText, "", "host names that requests may carry, by comma, beside loopback"},
    {"http.io-threads", Kind::kInteger, "2", "threads that read and write sockets"},
    {"http.max-body", Kind::kBytes, "64MiB", "largest request body after decompression"},
    {"log.level", Kind::kText, "info", "debug, info, warn or error"},
    {"log.format", Kind::kText, "json", "json or text"},
    {"train.threads", Kind::kInteger, "2", "threads of one training run"},
};

const ConfigKey* find_key(std::string_view name) {
  const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const ConfigKey& key) { return key.name == name; });
  return found == std::end(kKeys) ? nullptr : found;
}

std::string environment_name(std::string_view key) {
  std::string out = "MARU_";
  for (const char c : key) out += c == '.' || c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

Result<double> leading_number(std::string_view text, std::string_view& unit) {
  text = trim(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value) || value < 0) return fail(Code::kInvalidArgument, "not a number with a unit: " + std::string(text));
  unit = trim(std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end)));
  return value;
}

struct Unit {
  std::string_view name;
  double factor;
};

Result<std::int64_t> scaled(std::string_view text, std::span<const Unit> units, const char* hint) {
  std::string_view name;
  TRY_ASSIGN(const double value, leading_number(text, name));
  for (const auto& unit : units) {
    if (unit.name != name) continue;
    const double total = value * unit.factor;
    if (total > 9e18) return fail(Code::kInvalidArgument, "too large: " + std::string(text));
    return static_cast<std::int64_t>(std::llround(total));
  }
  return fail(Code::kInvalidArgument, "unknown unit: " + std::string(text), hint);
}

Status check_value(const ConfigKey& key, const std::string& value) {
  Status status;
  if (key.kind == Kind::kBytes) {
    if (auto parsed = parse_bytes(value); !parsed) status = tl::unexpected<Error>(parsed.error());
  } else if (key.kind == Kind::kDuration) {
    if (auto parsed = parse_duration_us(value); !parsed) status = tl::unexpected<Error>(parsed.error());
  } else if (key.kind == Kind::kInteger) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) status = fail(Code::kInvalidArgument, "not a whole number: " + value);
  } else if (key.kind == Kind::kBool && value != "true" && value != "false") {
    status = fail(Code::kInvalidArgument, "not true or false: " + value);
  }
  if (!status) return wrap(status.error(), "configuration key `" + std::string(key.name) + "`");
  return {};
}

std::vector<std::string> key_names() {
  std::vector<std::string> out;
  for (const auto& key : kKeys) out.emplace_back(key.name);
  return out;
}

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

Result<Config> Config::load(const Values& flags, const Values& environment, std::string_view file_text) {
  Config out;
  for (const auto& key : kKeys) {
    out.values_[std::string(key.name)] = key.default_value;
    out.origins_[std::string(key.name)] = "default";
  }
  const auto take = [&](const std::string& name, const std::string& value, const char* origin) -> Status {
    const ConfigKey* key = find_key(name);
    if (key == nullptr) return fail(Code::kInvalidArgument, "unknown configuration key: " + name, did_you_mean(name, key_names()));
    TRY(check_value(*key, value));
    out.values_[name] = value;
    out.origins_[name] = origin;
    return {};
  };
  int number = 0;
  for (const auto& raw : split(file_text, '\n')) {
    ++number;
    const std::string_view line = trim(std::string_view(raw).substr(0, raw.find('#')));
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return fail(Code::kInvalidArgument, "configuration file, line " + std::to_string(number) + ": not `key = value`");
    TRY(take(std::string(trim(line.substr(0, equals))), std::string(trim(line.substr(equals + 1))), "file"));
  }
  for (const auto& key : kKeys) {
    const auto found = environment.find(environment_name(key.name));
    if (found != environment.end()) TRY(take(std::string(key.name), found->second, "env"));
  }
  for (const auto& [name, value] : flags) TRY(take(name, value, "flag"));
  return out;
}

const std::string& Config::text(std::string_view name) const {
  const auto found = values_.find(name);
  MARU_CHECK(found != values_.end());
  return found->second;
}

std::int64_t Config::integer(std::string_view name) const { return std::strtoll(text(name).c_str(), nullptr, 10); }
bool Config::flag(std::string_view name) const { return text(name) == "true"; }
std::int64_t Config::bytes(std::string_view name) const { return *parse_bytes(text(name)); }
std::int64_t Config::duration_us(std::string_view name) const { return *parse_duration_us(text(name)); }

std::string_view Config::origin(std::string_view name) const {
  const auto found = origins_.find(name);
  MARU_CHECK(found != origins_.end());
  return found->second;
}

Result<std::int64_t> parse_bytes(std::string_view text) {
  static constexpr std::array<Unit, 10> kUnits = {{{"", 1}, {"B", 1}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TB", 1e12}}};
  return scaled(text, kUnits, "use B, kB, MB, GB, TB, KiB, MiB or GiB");
}

Result<std::int64_t> parse_duration_us(std::string_view text) {
  static constexpr std::array<Unit, 8> kUnits = {{{"us", 1}, {"µs", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 6e7}, {"h", 3.6e9}, {"d", 8.64e10}, {"w", 6.048e11}}};
  return scaled(text, kUnits, "use us, ms, s, m, h, d or w");
}

}  // namespace maru::base
