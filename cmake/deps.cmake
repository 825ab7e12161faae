# Third-party libraries as imported SYSTEM targets maru_dep::<name>. A room links exactly those that src/layers.txt grants it.
# Debian's libraries come from the usual folders, the pinned ones from the cache that tools/setup fills.

file(READ ${PROJECT_SOURCE_DIR}/tools/lock.txt maru_lock)
string(FIND "${maru_lock}" "\n\n" maru_lock_end)  # the first paragraph is the libraries
math(EXPR maru_lock_end "${maru_lock_end} + 1")
string(SUBSTRING "${maru_lock}" 0 ${maru_lock_end} maru_lock)
string(SHA256 maru_lock_sha "${maru_lock}")
string(SUBSTRING ${maru_lock_sha} 0 12 maru_lock_sha)
if(DEFINED ENV{MARU_DEPS})
  set(MARU_DEPS $ENV{MARU_DEPS}/${maru_lock_sha})
else()
  set(MARU_DEPS $ENV{HOME}/.cache/maru/deps/${maru_lock_sha})
endif()
if(NOT EXISTS ${MARU_DEPS}/.complete)
  message(FATAL_ERROR "The pinned libraries are not in ${MARU_DEPS}. Run tools/setup first.")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/lock.txt)

# maru_dep(NAME [LIBS library...] [STATIC] [PINNED] [INCLUDE dir...] [DEFINE definition...] [LINK target...])
# LIBS are names as for -l; STATIC prefers the archive, so that fewer files have to be
# shipped; PINNED takes the file that tools/setup fetched.
function(maru_dep name)
  cmake_parse_arguments(A "STATIC;PINNED" "" "LIBS;INCLUDE;DEFINE;LINK" ${ARGN})
  add_library(maru_dep_${name} INTERFACE IMPORTED GLOBAL)
  add_library(maru_dep::${name} ALIAS maru_dep_${name})
  foreach(lib IN LISTS A_LIBS)
    if(A_PINNED)  # not by find_library, whose cache would outlive a change of the lock file
      target_link_libraries(maru_dep_${name} INTERFACE ${MARU_DEPS}/lib/lib${lib}.so)
      continue()
    elseif(A_STATIC)
      find_library(MARU_LIB_${lib} NAMES lib${lib}.a ${lib} REQUIRED)
    else()
      find_library(MARU_LIB_${lib} NAMES ${lib} REQUIRED)
    endif()
    mark_as_advanced(MARU_LIB_${lib})
    target_link_libraries(maru_dep_${name} INTERFACE ${MARU_LIB_${lib}})
  endforeach()
  foreach(dir IN LISTS A_INCLUDE)
    target_include_directories(maru_dep_${name} SYSTEM INTERFACE ${dir})
  endforeach()
  target_compile_definitions(maru_dep_${name} INTERFACE ${A_DEFINE})
  target_link_libraries(maru_dep_${name} INTERFACE ${A_LINK})
endfunction()

find_package(Threads REQUIRED)
include(lazy)

# foundation
maru_dep(expected)
maru_dep(fmt STATIC LIBS fmt)
maru_dep(spdlog STATIC LIBS spdlog DEFINE SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL LINK maru_dep::fmt Threads::Threads)
maru_dep(simdjson LIBS simdjson)
maru_dep(xxhash DEFINE XXH_INLINE_ALL)
maru_dep(openssl LIBS ssl crypto)
maru_dep(zlib LIBS z)
maru_dep(zstd STATIC LIBS zstd)
maru_dep(boost LINK Threads::Threads)
maru_dep(nghttp2 LIBS nghttp2)  # shared: libcurl loads it too, and Debian mends it
maru_dep(curl)
find_library(MARU_LIB_curl NAMES curl REQUIRED)
mark_as_advanced(MARU_LIB_curl)
maru_lazy_dep(curl ${MARU_LIB_curl})
maru_dep(sqlite3 STATIC LIBS sqlite3 LINK Threads::Threads ${CMAKE_DL_LIBS} m)
maru_dep(pq INCLUDE /usr/include/postgresql LINK ${CMAKE_DL_LIBS})  # only its header: loaded when it is asked for
maru_dep(mariadb INCLUDE /usr/include/mariadb)
find_library(MARU_LIB_mariadb NAMES mariadb REQUIRED)
mark_as_advanced(MARU_LIB_mariadb)
maru_lazy_dep(mariadb ${MARU_LIB_mariadb})
foreach(streams IN ITEMS rdkafka nats)
  maru_dep(${streams})
  find_library(MARU_LIB_${streams} NAMES ${streams} REQUIRED)
  mark_as_advanced(MARU_LIB_${streams})
  maru_lazy_dep(${streams} ${MARU_LIB_${streams}})
endforeach()
maru_dep(yaml STATIC LIBS yaml-cpp)
maru_dep(date LIBS date-tz DEFINE USE_OS_TZDB=1)
# learning
maru_dep(duckdb INCLUDE ${MARU_DEPS}/include/duckdb)
maru_lazy_dep(duckdb ${MARU_DEPS}/lib/libduckdb.so)
maru_dep(onnxruntime INCLUDE ${MARU_DEPS}/include/onnxruntime DEFINE ORT_API_MANUAL_INIT)
maru_lazy_dep(onnxruntime ${MARU_DEPS}/lib/libonnxruntime.so)
maru_dep(lightgbm INCLUDE ${MARU_DEPS}/include/lightgbm)
maru_lazy_dep(lightgbm ${MARU_DEPS}/lib/lib_lightgbm.so)
maru_dep(xgboost PINNED LIBS xgboost INCLUDE ${MARU_DEPS}/include/xgboost)
maru_dep(liblinear LIBS linear)
maru_dep(eigen INCLUDE /usr/include/eigen3)
maru_dep(protobuf STATIC LIBS protobuf z LINK Threads::Threads)
# product
maru_dep(cli11)

# maru_messages(NAME ROOT FILE...): maru_dep::NAME, what protoc makes of the files below ROOT: #include "FILE without .proto.pb.h".
find_program(MARU_PROTOC protoc REQUIRED)
function(maru_messages name root)
  set(into ${PROJECT_BINARY_DIR}/generated/${name})
  file(MAKE_DIRECTORY ${into})
  list(TRANSFORM ARGN PREPEND ${root}/ OUTPUT_VARIABLE inputs)
  list(TRANSFORM ARGN REPLACE "\\.proto$" ".pb.cc" OUTPUT_VARIABLE sources)
  list(TRANSFORM ARGN REPLACE "\\.proto$" ".pb.h" OUTPUT_VARIABLE headers)
  list(APPEND sources ${headers})
  list(TRANSFORM sources PREPEND ${into}/)
  add_custom_command(
    OUTPUT ${sources}
    COMMAND ${MARU_PROTOC} --proto_path=${root} --cpp_out=${into} ${ARGN}
    DEPENDS ${inputs}
    COMMENT "Generating the messages of ${name}" VERBATIM)
  add_library(maru_${name} STATIC EXCLUDE_FROM_ALL ${sources})
  target_include_directories(maru_${name} SYSTEM PUBLIC ${into})
  target_link_libraries(maru_${name} PUBLIC maru_dep::protobuf)
  add_library(maru_dep::${name} ALIAS maru_${name})
endfunction()
maru_messages(onnx_proto ${MARU_DEPS}/proto onnx-ml.proto)
maru_messages(rpc_proto ${PROJECT_SOURCE_DIR}/src/product/api_grpc/proto
  rpc/health.proto rpc/inference.proto rpc/model_config.proto rpc/reflection.proto rpc/reflection_v1alpha.proto)

# How the includes of each library start, in the words of src/layers.txt.
foreach(pair IN ITEMS
    expected=tl/expected fmt=fmt spdlog=spdlog simdjson=simdjson xxhash=xxhash openssl=openssl zlib=zlib zstd=zstd boost=boost
    nghttp2=nghttp2 curl=curl sqlite3=sqlite3 pq=libpq-fe mariadb=mysql.h rdkafka=librdkafka nats=nats yaml=yaml-cpp date=date duckdb=duckdb onnxruntime=onnxruntime
    lightgbm=LightGBM xgboost=xgboost liblinear=linear.h eigen=Eigen protobuf=google/protobuf onnx_proto=onnx-ml.pb rpc_proto=rpc/ cli11=CLI)
  string(REGEX MATCH "^([^=]+)=(.+)$" _ ${pair})
  set(MARU_INCLUDES_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()
