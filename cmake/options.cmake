# Compiler, linker and cache settings shared by every target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
set_property(GLOBAL PROPERTY GLOBAL_DEPENDS_NO_CYCLES ON)

find_program(MARU_CCACHE ccache)
if(MARU_CCACHE)
  # Build folders share hits: the folder's own name is no part of the key.
  foreach(lang C CXX)
    set(CMAKE_${lang}_COMPILER_LAUNCHER
      env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${PROJECT_BINARY_DIR} CCACHE_SLOPPINESS=time_macros,locale ${MARU_CCACHE})
  endforeach()
endif()
find_program(MARU_MOLD mold)
if(MARU_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,--as-needed)

set(MARU_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")
if(MARU_SANITIZE)
  add_compile_options(-fsanitize=${MARU_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MARU_SANITIZE})
  if(MARU_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(MARU_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wno-tsan)
  endif()
endif()

# Warnings as errors for our own code; third-party headers are SYSTEM.
add_library(maru_warnings INTERFACE)
target_compile_options(maru_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
if(MARU_SANITIZE)
  # g++ 12 reports false maybe-uninitialized positives in instrumented code.
  target_compile_options(maru_warnings INTERFACE -Wno-error=maybe-uninitialized)
endif()
