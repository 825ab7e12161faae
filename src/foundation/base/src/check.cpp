#include "maru/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace maru::base {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "maru: check failed: %s at %s:%d; this is a bug, please report it\n",
               condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace maru::base
