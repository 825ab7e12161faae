#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "maru/base/file.h"
#include "maru/base/json.h"
#include "maru/data/dataset.h"

namespace maru::stats {

inline std::string shared_folder() {
  const char* named = std::getenv("MARU_SHARED");
  return named != nullptr ? named : std::string("../shared");
}

// The golden drift cases, written once a process by their rules; empty names where they are absent.
class GoldenCases {
 public:
  static const GoldenCases& get() {
    static const GoldenCases cases;
    return cases;
  }
  GoldenCases() {
    const std::string rules = shared_folder() + "/golden/drift/splits.py";
    if (!base::path_exists(rules)) {
      MESSAGE("skipped: no drift cases at ", rules);
      return;
    }
    folder_ = "/tmp/maru-golden-drift-" + std::to_string(::getpid());
    const std::string command =
        "python3 " + rules + " " + shared_folder() + "/data " + folder_ + " >/dev/null";
    REQUIRE(std::system(command.c_str()) == 0);
    names_ = *base::list_folder(folder_);
  }
  ~GoldenCases() {
    if (!folder_.empty()) (void)base::remove_tree(folder_);
  }
  GoldenCases(const GoldenCases&) = delete;
  GoldenCases& operator=(const GoldenCases&) = delete;
  const std::vector<std::string>& names() const { return names_; }
  std::string file(const std::string& name, const std::string& side) const {
    return folder_ + "/" + name + "/" + side + ".csv";
  }
  // Every cell as text.
  data::Table raw(const std::string& name, const std::string& side) const {
    auto table = data::read_delimited_text(*base::read_file(file(name, side)));
    REQUIRE(table.has_value());
    return std::move(*table);
  }
  static base::Json expected(const std::string& name) {
    auto json =
        base::parse_json(*base::read_file(shared_folder() + "/golden/drift/" + name + ".json"));
    REQUIRE(json.has_value());
    return std::move(*json);
  }

 private:
  std::string folder_;
  std::vector<std::string> names_;
};

// As the program reads a file: with types.
inline data::Table read_typed(const std::string& path) {
  static const auto engine = data::Engine::open({"/tmp", 1, 1ull << 30});
  REQUIRE(engine.has_value());
  data::ImportSpec spec;
  spec.dataset = "golden";
  spec.sources = {path};
  base::Context context;
  auto table = data::read_files(**engine, spec, context);
  REQUIRE_MESSAGE(table.has_value(), (table ? std::string() : table.error().text()));
  return std::move(*table);
}

}  // namespace maru::stats
