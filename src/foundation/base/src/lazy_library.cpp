#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

// Asked by the trampolines of cmake/lazy.cmake, once a function and thread that comes first. Thread safe: the dynamic loader counts and locks by itself, and two answers
// are the same address. A library that was there when the program was built and is not now leaves nothing to go on with.
extern "C" void* maru_lazy_symbol(const char* library, const char* symbol) {
  void* const handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  void* const found = handle == nullptr ? nullptr : ::dlsym(handle, symbol);
  if (found != nullptr) return found;
  const char* const why = ::dlerror();
  std::fprintf(stderr, "maru: cannot load %s: %s\n", library, why == nullptr ? symbol : why);
  std::abort();
}
