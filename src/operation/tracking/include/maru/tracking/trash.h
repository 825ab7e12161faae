#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "maru/base/result.h"

namespace maru::tracking {

struct TrashReport {
  std::size_t runs = 0, experiments = 0, models = 0;  // gone for good
  std::size_t traces = 0;                             // of those experiments, or made in those runs
  std::size_t blobs = 0;                              // files that nothing names any more, removed
};

struct TrashItem {
  std::string kind, id, name, experiment_id;  // "experiment" | "run" | "model" (a logged one)
  std::int64_t deleted_us = 0;
  std::string kept_by;  // "name/version": a registered version whose files these are; "": none
};

// What was deleted stays restorable for a while; then it goes for good, with its metrics, artifacts, traces and the files that nothing else
// names. An experiment takes all that is in it. What holds the files of a registered version waits until that version is deleted.
// A crash on the way leaves rows or files for the next time, never a row without its file. Thread safe; one at a time.
class Trash {
 public:
  static constexpr std::int64_t kKeepUs = 30LL * 24 * 3600 * 1'000'000;  // 30 days
  // A file younger than this stays: somebody may be about to name it.
  static constexpr std::int64_t kYoungUs = 3600LL * 1'000'000;
  // Whether another room names this blob.
  using UsedElsewhere = std::function<base::Result<bool>(const std::string& sha256)>;

  virtual ~Trash() = default;
  // What was deleted, the newest first.
  virtual base::Result<std::vector<TrashItem>> list(std::size_t limit) = 0;
  // Removes what was deleted before `before_us`.
  // Whether an artifact, a version's file or a part of an upload is this blob.
  virtual base::Result<bool> uses(const std::string& sha256) = 0;
  virtual base::Result<TrashReport> empty(std::int64_t before_us, const UsedElsewhere& used) = 0;
};

}  // namespace maru::tracking
