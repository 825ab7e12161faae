#pragma once
#include "maru/monitor/monitor.h"

// What is kept in the database, to and from its rows.
namespace maru::monitor {

inline constexpr std::int64_t kMinWindowUs = 1'000'000;
inline constexpr const char* kAlertColumns =
    "id, project, endpoint, kind, severity, message, columns, evidence, time_us, acknowledged";

base::Status check_config(const MonitorConfig& config);
Window window_from(const base::Json& json);
Alert alert_from(const store::Row& row);  // of kAlertColumns

}  // namespace maru::monitor
