// The main of every <room>_test: doctest's own, after telling the tests where the repository and its shared data are.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cstdlib>

#include <doctest/doctest.h>

int main(int argc, char** argv) {
  ::setenv("MARU_REPO", MARU_SOURCE_DIR, 0);
  ::setenv("MARU_SHARED", MARU_SOURCE_DIR "/../shared", 0);
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  doctest::Context context(argc, argv);
  return context.run();
}
