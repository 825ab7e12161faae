#include "maru/app/home.h"

extern "C" const char maru_version[];
extern "C" const char maru_commit[];
extern "C" const char maru_build[];

namespace maru::app {

base::Json version_json() {
  // The pinned releases of tools/lock.txt.
  const base::Json libraries =
      base::Json::object({{"duckdb", "1.5.6"}, {"onnxruntime", "1.28.0"}, {"lightgbm", "4.7.0"}});
  return base::Json::object({{"version", maru_version},
                             {"commit", maru_commit},
                             {"build", maru_build},
                             {"libraries", libraries}});
}

}  // namespace maru::app
