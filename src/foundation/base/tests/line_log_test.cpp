#include "maru/base/line_log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <thread>

#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/text.h"

using namespace maru::base;

namespace {
struct Folder {
  std::string path = "/tmp/maru-lines-" + new_id(system_clock());
  Folder() { REQUIRE(make_folders(path)); }
  ~Folder() { (void)remove_tree(path); }
  std::string read(const std::string& name) const {
    const auto bytes = read_file(join_path(path, name));
    return bytes ? *bytes : std::string();
  }
};
}  // namespace

TEST_CASE("lines of many threads arrive whole, and the file is its owner's alone") {
  const Folder folder;
  {
    auto log = LineLog::open({folder.path + "/a.log"});
    REQUIRE(log);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) (*log)->write("0123456789");
      });
    for (auto& thread : threads) thread.join();
    (*log)->flush();
    CHECK((*log)->counts().written == 2000);
    CHECK(folder.read("a.log").size() == 2000 * 11);
    (*log)->write("last");
  }
  CHECK(folder.read("a.log").ends_with("0123456789\nlast\n"));
}

TEST_CASE("what does not fit is dropped, counted and told") {
  const Folder folder;
  LineLog::Options options{folder.path + "/a.log"};
  options.queue_bytes = 100;
  auto log = LineLog::open(options);
  REQUIRE(log);
  (*log)->write(std::string(200, 'x'));
  (*log)->write("kept");
  (*log)->flush();
  CHECK((*log)->counts().dropped == 1);
  CHECK((*log)->counts().written == 1);
  CHECK(folder.read("a.log") == "kept\n{\"dropped\":1}\n");
}

TEST_CASE("files are rotated and the oldest goes") {
  const Folder folder;
  LineLog::Options options{folder.path + "/a.log"};
  options.rotate_bytes = 20;
  options.rotate_files = 2;
  auto log = LineLog::open(options);
  REQUIRE(log);
  for (int i = 0; i < 5; ++i) {
    (*log)->write("line number " + std::to_string(i));
    (*log)->flush();
  }
  CHECK(folder.read("a.log") == "line number 4\n");
  CHECK(folder.read("a.log.1") == "line number 3\n");
  CHECK(folder.read("a.log.2") == "line number 2\n");
  CHECK_FALSE(path_exists(folder.path + "/a.log.3"));
}

TEST_CASE("a folder that is not there is told") {
  CHECK(LineLog::open({"/nonexistent-folder/a.log"}).error().code == Code::kUnavailable);
}
