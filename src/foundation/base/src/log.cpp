#include "maru/base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"

namespace maru::base {
namespace {

struct Logger {
  std::shared_ptr<spdlog::logger> sink;
  LogLevel level = LogLevel::kWarn;
  bool json = false;
};

Logger& logger() {
  static Logger instance = [] {
    Logger fresh;
    fresh.sink = std::make_shared<spdlog::logger>("maru", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    fresh.sink->set_pattern("%v");
    return fresh;
  }();
  return instance;
}

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: break;
  }
  return "error";
}

std::string line_of(bool json, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (json) {
    Json out = Json::object({{"time", format_time_us(system_clock().now_us())}, {"level", level_name(level)}, {"message", message}});
    for (const auto& field : fields) out.set(field.key, field.value);
    return out.dump();
  }
  std::string out = std::string(level_name(level)) + ": " + std::string(message);
  for (const auto& field : fields) out += " " + std::string(field.key) + "=" + field.value;
  return out;
}

}  // namespace

LogField::LogField(std::string_view k, double v) : key(k), value(format_double(v)) {}

void init_log(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> sinks;
  if (options.to_stderr || options.file.empty()) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (!options.file.empty()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file, options.rotate_bytes, static_cast<std::size_t>(options.rotate_files)));
    } catch (const spdlog::spdlog_ex& error) {
      log_error("log file cannot be opened", {{"file", options.file}, {"error", error.what()}});
    }
  }
  Logger& instance = logger();
  instance.sink = std::make_shared<spdlog::logger>("maru", sinks.begin(), sinks.end());
  instance.sink->set_pattern("%v");
  instance.sink->flush_on(spdlog::level::warn);
  instance.level = options.level;
  instance.json = options.json;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  Logger& instance = logger();
  if (level < instance.level) return;
  const auto severity = level >= LogLevel::kWarn ? spdlog::level::warn : spdlog::level::info;
  instance.sink->log(severity, line_of(instance.json, level, message, fields));
}

void flush_log() { logger().sink->flush(); }

}  // namespace maru::base
