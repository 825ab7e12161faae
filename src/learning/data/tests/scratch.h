#pragma once
#include <doctest/doctest.h>
#include <stdlib.h>

#include <string>

#include "maru/base/file.h"
#include "maru/data/dataset.h"
#include "maru/data/engine.h"

namespace maru::data::test {

// A folder that goes away with the test, with an engine that spills into it.
struct Scratch {
  std::string folder;
  std::unique_ptr<Engine> engine;
  base::Context context;

  Scratch() {
    std::string pattern = "/tmp/maru_data_XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    EngineOptions options;
    options.temp_folder = path("tmp");
    auto opened = Engine::open(options);
    REQUIRE(opened);
    engine = std::move(*opened);
  }
  ~Scratch() {
    engine.reset();
    static_cast<void>(base::remove_tree(folder));
  }
  std::string path(const std::string& name) const { return base::join_path(folder, name); }
  std::string file(const std::string& name, std::string_view text) const {
    REQUIRE(base::write_file_atomic(path(name), text));
    return path(name);
  }
  base::Result<Table> read(const std::string& name, std::string_view text,
                           std::vector<std::string>* notes = nullptr) {
    ImportSpec spec;
    spec.sources = {file(name, text)};
    return read_files(*engine, spec, context, notes);
  }
};

inline std::string shared_folder() {
  const char* set = getenv("MARU_SHARED");
  if (set != nullptr) return set;
  for (std::string up = "..";; up += "/..") {
    if (base::path_exists(up + "/shared/data")) return up + "/shared";
    if (up.size() > 24) return "../shared";
  }
}

}  // namespace maru::data::test
