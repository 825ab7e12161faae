#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace maru::base {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

struct LogField {
  std::string_view key;
  std::string value;
  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, long long v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, long v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, unsigned long v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)) {}
  LogField(std::string_view k, double v);
};

struct LogOptions {
  std::string file;  // empty: standard error only
  LogLevel level = LogLevel::kInfo;
  bool json = true;  // one JSON object a line; false: for people
  bool to_stderr = true;
  std::size_t rotate_bytes = 64u << 20;
  int rotate_files = 5;
};

// Sets up the process-wide log. Call once from main; before that, warnings and errors go to standard error. Thread safe afterwards.
void init_log(const LogOptions& options);
// Writes one structured line. `message` is static text; values go into fields.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kInfo, m, f);
}
inline void log_warn(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kWarn, m, f);
}
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kError, m, f);
}
void flush_log();

}  // namespace maru::base
