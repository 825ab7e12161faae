// The only file that sees spdlog. Lines are formed here, so that JSON escaping is ours; spdlog writes and rotates.
#include "maru/base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"

namespace maru::base {
namespace {

struct State {
  std::mutex mutex;  // guards the swap of `logger`
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<int> level{static_cast<int>(LogLevel::kWarn)};
  std::atomic<bool> json{false};
};

State& state() {
  static State instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view level_name(LogLevel level) {
  constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

std::shared_ptr<spdlog::logger> make_logger(std::vector<spdlog::sink_ptr> sinks) {
  auto logger = std::make_shared<spdlog::logger>("maru", sinks.begin(), sinks.end());
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::warn);
  return logger;
}

std::shared_ptr<spdlog::logger> current() {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  if (!all.logger) all.logger = make_logger({std::make_shared<spdlog::sinks::stderr_sink_mt>()});
  return all.logger;
}

std::string format_json(LogLevel level, std::string_view message,
                        std::initializer_list<LogField> fields) {
  std::string line = "{\"time\":\"" + format_time_us(system_clock().now_us()) + "\",\"level\":\"";
  line += level_name(level);
  line += "\",\"message\":";
  append_json_string(line, message);
  for (const LogField& field : fields) {
    line += ',';
    append_json_string(line, field.key);
    line += ':';
    append_json_string(line, field.value);
  }
  line += '}';
  return line;
}

std::string format_text(LogLevel level, std::string_view message,
                        std::initializer_list<LogField> fields) {
  std::string line(level_name(level));
  line.resize(6, ' ');
  line += message;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    const bool plain =
        field.value.find_first_of(" \t\r\n\"=\\") == std::string::npos && !field.value.empty();
    if (plain)
      line += field.value;
    else
      append_json_string(line, field.value);
  }
  return line;
}

}  // namespace

LogField::LogField(std::string_view k, double v) : key(k), value(format_double(v)) {}

void init_log(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> sinks;
  if (options.to_stderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  std::string problem;
  if (!options.file.empty()) {
    // spdlog opens with the process's mask; the log is for its owner alone.
    const mode_t before = ::umask(077);
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          options.file, options.rotate_bytes, static_cast<std::size_t>(options.rotate_files)));
    } catch (const spdlog::spdlog_ex& error) {
      problem = error.what();
      if (!options.to_stderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    }
    ::umask(before);
  }
  State& all = state();
  {
    const std::lock_guard lock(all.mutex);
    all.logger = make_logger(std::move(sinks));
  }
  all.level = static_cast<int>(options.level);
  all.json = options.json;
  if (!problem.empty())
    log_warn("the log file cannot be written", {{"file", options.file}, {"reason", problem}});
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  State& all = state();
  if (static_cast<int>(level) < all.level.load(std::memory_order_relaxed)) return;
  const std::string line =
      all.json ? format_json(level, message, fields) : format_text(level, message, fields);
  try {
    current()->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
  } catch (const std::exception&) {
    // A log that cannot be written must not stop the work that it describes.
  }
}

void flush_log() { current()->flush(); }

}  // namespace maru::base
