# maru_embed: files inside the binary, by .incbin. C++ sees, for each NAME below,
#   extern "C" const char maru_NAME_begin[], maru_NAME_end[];      (read-only, page aligned, a NUL follows the end)
#   web_archive   web/dist packed by tools/embed/pack (format: tools/embed/README.md); without web/dist, a one-page notice
#   openapi       api/openapi.json as it is; without it, an empty JSON object
# and three texts: extern "C" const char maru_version[], maru_commit[], maru_build[];

set(maru_embed_dir ${PROJECT_BINARY_DIR}/generated/embed)
file(MAKE_DIRECTORY ${maru_embed_dir})
find_package(Python3 REQUIRED COMPONENTS Interpreter)

file(GLOB_RECURSE maru_web_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/web/dist/*)
add_custom_command(
  OUTPUT ${maru_embed_dir}/web_archive.bin
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/embed/pack ${PROJECT_SOURCE_DIR}/web/dist ${maru_embed_dir}/web_archive.bin
  DEPENDS ${PROJECT_SOURCE_DIR}/tools/embed/pack ${maru_web_files}
  COMMENT "Packing the web UI" VERBATIM)

set(maru_openapi ${PROJECT_SOURCE_DIR}/api/openapi.json)
if(NOT EXISTS ${maru_openapi})
  set(maru_openapi ${maru_embed_dir}/openapi.json)
  file(WRITE ${maru_openapi} "{}")
endif()

foreach(pair "web_archive|${maru_embed_dir}/web_archive.bin" "openapi|${maru_openapi}")
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 path)
  set(stub ${maru_embed_dir}/${name}.S)
  file(CONFIGURE OUTPUT ${stub} @ONLY CONTENT [[
    .section .rodata
    .balign 4096
    .global maru_@name@_begin
    .global maru_@name@_end
maru_@name@_begin:
    .incbin "@path@"
maru_@name@_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
]])
  set_source_files_properties(${stub} PROPERTIES OBJECT_DEPENDS ${path})
  list(APPEND maru_embed_stubs ${stub})
endforeach()

find_program(MARU_GIT git)
set(maru_commit unknown)
if(MARU_GIT AND EXISTS ${PROJECT_SOURCE_DIR}/.git)
  execute_process(COMMAND ${MARU_GIT} -C ${PROJECT_SOURCE_DIR} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE maru_head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(maru_head)
    set(maru_commit ${maru_head})
  endif()
endif()
file(CONFIGURE OUTPUT ${maru_embed_dir}/version.cpp @ONLY CONTENT [[
extern "C" {
extern const char maru_version[];
extern const char maru_commit[];
extern const char maru_build[];
const char maru_version[] = "@PROJECT_VERSION@";
const char maru_commit[] = "@maru_commit@";
const char maru_build[] = "@CMAKE_BUILD_TYPE@ @CMAKE_CXX_COMPILER_ID@ @CMAKE_CXX_COMPILER_VERSION@ x86_64";
}
]])
add_library(maru_embed STATIC ${maru_embed_stubs} ${maru_embed_dir}/version.cpp)
