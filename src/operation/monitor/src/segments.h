#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "maru/base/result.h"
#include "maru/monitor/monitor.h"

namespace maru::monitor {

// An id carries the time it was made; a wall clock that was set back since the process started makes ids run ahead of rows by as much. Larger steps than this
// hide a row from find() and its label from its window.
inline constexpr std::int64_t kIdSlackUs = 3'600'000'000;

// One Parquet file. Everything a reader needs to skip it is in its name: <first>-<last>-<rows>-<min µs>-<max µs>.parquet, where first and last are the numbers
// of the writes it holds; a merged file covers its sources' numbers, so a crash between publishing it and removing them is repaired by the names alone.
struct Segment {
  std::string path;
  std::uint64_t first = 0, last = 0, rows = 0;
  std::int64_t min_us = 0, max_us = 0;
  std::string name() const;
  static bool parse(const std::string& name, Segment& out);
};

std::string escape_folder(std::string_view endpoint);  // percent-encodes what is not [A-Za-z0-9_-]
std::string unescape_folder(std::string_view folder);
std::string hour_folder(std::int64_t time_us);  // "2026-11-21T07"

// Reads what lies below an endpoint's folder; removes unfinished files and those that a merged one covers.
base::Result<std::vector<Segment>> recover_segments(const std::string& endpoint_folder);

// The names under which a schema's inputs are stored, in order.
std::vector<std::string> stored_names(const LogSchema& schema);

}  // namespace maru::monitor
