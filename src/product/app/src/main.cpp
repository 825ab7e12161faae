#include <malloc.h>

#include "cli.h"

int main(int argc, char** argv) {
  // Eight heaps a core is glibc's default: each keeps what its threads once needed.
  mallopt(M_ARENA_MAX, 4);
  return maru::app::run_cli(argc, argv);
}
