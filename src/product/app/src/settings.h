#pragma once
#include <string>

#include "maru/app/home.h"
#include "maru/base/config.h"
#include "maru/base/line_log.h"
#include "maru/base/log.h"

namespace maru::app {

// <home>/maru.conf: "key = value" lines, which flags and MARU_* variables override.
std::string settings_file(const std::string& home);

// All keys of base::config_keys() for a home. A value out of its range is kInvalidArgument that names key, origin and range.
base::Result<base::Config> load_settings(const std::string& home,
                                         const base::Config::Values& flags = {});

HomeOptions home_options(const std::string& home, const base::Config& settings);
base::LineLog::Options access_log_options(const std::string& home);
base::LogOptions log_options(const std::string& home, const base::Config& settings);

}  // namespace maru::app
