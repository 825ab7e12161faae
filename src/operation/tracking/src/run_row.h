#pragma once
#include <cstdint>
#include <string>

namespace maru::tracking {

// The attributes of a run as they are stored.
struct RunRow {
  std::int64_t number = 0;  // grows with every run; the runs of one store only
  std::string id, experiment_id, name, status, source, user, state, artifact_uri;
  std::int64_t start_us = 0, end_us = 0;
  bool has_inputs = false;
};

enum class ValueKind : std::int64_t { kParam = 1, kTag = 2 };

}  // namespace maru::tracking
