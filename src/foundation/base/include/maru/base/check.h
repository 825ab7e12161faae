#pragma once

namespace maru::base {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

// Always on: a false condition is a bug in Maru; the process reports the place and aborts.
#define MARU_CHECK(condition)                                                     \
  do {                                                                            \
    if (!(condition)) ::maru::base::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
