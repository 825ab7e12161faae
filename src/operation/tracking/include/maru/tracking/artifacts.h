#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::tracking {

struct Artifact {
  std::string path;  // "model/MLmodel": relative, '/'-separated, never "..", unique in its run
  std::string sha256;
  std::uint64_t bytes = 0;
};

// Files that belong to a run: rows that name blobs. A write is durable when it returns. Thread safe.
class Artifacts {
 public:
  virtual ~Artifacts() = default;
  virtual base::Status put_artifact(const std::string& run_id, const std::string& path,
                                    std::string_view bytes) = 0;
  virtual base::Result<std::vector<Artifact>> list_artifacts(const std::string& run_id) = 0;
  virtual base::Result<std::string> read_artifact(const std::string& run_id,
                                                  const std::string& path) = 0;
};

}  // namespace maru::tracking
