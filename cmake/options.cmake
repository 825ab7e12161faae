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
      env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${PROJECT_BINARY_DIR} CCACHE_SLOPPINESS=pch_defines,time_macros,locale ${MARU_CCACHE})
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

# The standard library is parsed once for all rooms, and once more with doctest for their tests: of a clean build on two cores that is a
# minute. Every file still includes what it uses: headers are compiled alone, and all presets but `release` build without this.
option(MARU_PRECOMPILE "Precompile the standard library's headers" OFF)
if(MARU_PRECOMPILE)
  set(standard_headers <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <condition_variable> <cstdint> <cstring> <deque>
    <functional> <limits> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <utility>
    <variant> <vector>)
  foreach(target IN ITEMS maru_precompiled maru_precompiled_tests)
    add_library(${target} OBJECT EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/precompiled.cpp)
    target_link_libraries(${target} PRIVATE maru_warnings)
    target_precompile_headers(${target} PRIVATE ${standard_headers})
  endforeach()
  target_precompile_headers(maru_precompiled_tests PRIVATE <doctest/doctest.h>)
  set_target_properties(maru_precompiled_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(maru_precompiled_tests PRIVATE -fPIE)  # as of a program
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # What is precompiled is no system header to g++ 12, which then tells its false positives about std::string (its bug 105651).
    target_compile_options(maru_warnings INTERFACE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)  # ccache's condition
  endif()
endif()
