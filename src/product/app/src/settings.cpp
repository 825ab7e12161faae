#include "settings.h"

#include <unistd.h>

#include <charconv>
#include <climits>
#include <optional>

#include "maru/base/file.h"
#include "maru/base/text.h"

namespace maru::app {
namespace {

using base::Code;
using base::Config;

struct Range {
  std::string_view key;
  std::int64_t low, high;
};
constexpr Range kRanges[] = {
    {"http.io-threads", 1, 256},         {"pool.serve-threads", 0, 1024},
    {"pool.blocking-threads", 1, 1024},  {"pool.work-threads", 1, 1024},
    {"pool.queue", 1, 1'000'000},        {"store.group-commit-ms", 0, 5},
    {"pool.waiting-threads", 1, 1024},   {"python.processes", 1, 256},
    {"python.timeout-ms", 1, 3'600'000}, {"python.start-timeout-ms", 100, 3'600'000},
    {"train.threads", 1, 1024},
};
struct Choice {
  std::string_view key;
  std::vector<std::string> words;
};

// cost.cpu-hour; nothing when it is no price.
std::optional<double> cpu_price(const Config& settings) {
  const std::string& text = settings.text("cost.cpu-hour");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value < 1e6))
    return std::nullopt;
  return value;
}

base::Status check_settings(const Config& settings) {
  const auto refuse = [&](std::string_view key, std::string hint) {
    return base::fail(Code::kInvalidArgument,
                      "bad value of " + std::string(key) + " from the " +
                          std::string(settings.origin(key)) + ": " + settings.text(key),
                      std::move(hint));
  };
  for (const Range& range : kRanges) {
    const std::int64_t value = settings.integer(range.key);
    if (value < range.low || value > range.high)
      return refuse(range.key, "it is a number from " + std::to_string(range.low) + " to " +
                                   std::to_string(range.high));
  }
  const Choice choices[] = {{"log.level", {"debug", "info", "warn", "error"}},
                            {"log.format", {"json", "text"}}};
  for (const auto& [key, words] : choices) {
    bool known = false;
    for (const auto& word : words) known = known || settings.text(key) == word;
    if (!known) return refuse(key, "one of " + base::join(words, ", "));
  }
  if (!cpu_price(settings)) return refuse("cost.cpu-hour", "a price as 0.04, or 0");
  if (settings.bytes("http.max-body") < 1024) return refuse("http.max-body", "at least 1KiB");
  if (settings.text("http.tls-cert").empty() != settings.text("http.tls-key").empty()) {
    return base::fail(Code::kInvalidArgument,
                      "TLS needs both a certificate and a key: only one of http.tls-cert and "
                      "http.tls-key is set",
                      "set both, or none for plain HTTP");
  }
  return {};
}

Config::Values environment_values() {
  Config::Values out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry(*at);
    const std::size_t equals = entry.find('=');
    if (entry.rfind("MARU_", 0) == 0 && equals != std::string_view::npos)
      out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

}  // namespace

std::string settings_file(const std::string& home) { return base::join_path(home, "maru.conf"); }

base::Result<Config> load_settings(const std::string& home, const Config::Values& flags) {
  const std::string path = settings_file(home);
  std::string text;
  if (base::path_exists(path)) {
    TRY_ASSIGN(text, base::read_file(path));
    // Read alone first, so that a mistake in the file is told with its path.
    if (auto alone = Config::load({}, {}, text); !alone)
      return base::wrap(alone.error(), "configuration file: " + path, alone.error().hint);
  }
  TRY_ASSIGN(Config settings, Config::load(flags, environment_values(), text));
  TRY(check_settings(settings));
  return settings;
}

HomeOptions home_options(const std::string& home, const Config& settings) {
  const auto size = [&](std::string_view key) {
    return static_cast<std::size_t>(settings.integer(key));
  };
  HomeOptions out;
  out.folder = home;
  out.train_threads = size("train.threads");
  out.serve_threads = size("pool.serve-threads");
  out.blocking_threads = size("pool.blocking-threads");
  out.work_threads = size("pool.work-threads");
  out.waiting_threads = size("pool.waiting-threads");
  out.python.interpreter = settings.text("python.interpreter");
  out.python.processes = size("python.processes");
  out.python.memory_limit_bytes = static_cast<std::uint64_t>(settings.bytes("python.memory"));
  out.python.call_timeout_ms = settings.integer("python.timeout-ms");
  out.python.start_timeout_ms = settings.integer("python.start-timeout-ms");
  out.serve_memory_bytes = static_cast<std::uint64_t>(settings.bytes("serve.memory"));
  out.pool_queue = size("pool.queue");
  out.cpu_hour_price = cpu_price(settings).value_or(0);
  out.group_window_us = settings.integer("store.group-commit-ms") * 1000;
  const auto hosts = [&](const char* key, std::vector<std::string>& into) {
    for (const auto& host : base::split(settings.text(key), ','))
      if (const auto word = base::trim(host); !word.empty()) into.emplace_back(word);
  };
  hosts("webhook.allowed-hosts", out.webhook_hosts);
  hosts("sources.allowed-hosts", out.source_hosts);
  return out;
}

base::LineLog::Options access_log_options(const std::string& home) {
  base::LineLog::Options out;
  out.file = base::join_path(base::join_path(home, "logs"), "access.log");
  return out;
}

base::LogOptions log_options(const std::string& home, const Config& settings) {
  base::LogOptions out;
  out.file = base::join_path(base::join_path(home, "logs"), "maru.log");
  out.to_stderr = false;
  out.json = settings.text("log.format") == "json";
  const std::string& level = settings.text("log.level");
  out.level = level == "debug"   ? base::LogLevel::kDebug
              : level == "warn"  ? base::LogLevel::kWarn
              : level == "error" ? base::LogLevel::kError
                                 : base::LogLevel::kInfo;
  return out;
}

}  // namespace maru::app
