# maru_embed: files inside the binary, by .incbin. C++ sees, for each NAME below,
#   extern "C" const char maru_NAME_begin[], maru_NAME_end[];      (read-only, page aligned, a NUL follows the end)
#   web_archive   web/dist packed by tools/embed/pack (format: tools/embed/README.md); without web/dist, a one-page notice
#   openapi       api/openapi.json as it is; without it, an empty JSON object

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
add_library(maru_embed STATIC ${maru_embed_stubs})
