#pragma once
#include <functional>
#include <string>

namespace maru::base {

// Reported by long work, at most a few times a second. `fraction` in [0,1], or < 0 when unknown.
struct Progress {
  std::string stage;
  double fraction = -1;
  std::string detail;
};
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace maru::base
