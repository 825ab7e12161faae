#include "maru/base/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "maru/base/fault.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"

using namespace maru::base;

namespace {
struct Folder {
  std::string path = "/tmp/maru-base-test-XXXXXX";
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() { CHECK(remove_tree(path)); }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
};

unsigned mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777u;
}
}  // namespace

TEST_CASE("write, read, size, modes") {
  const Folder folder;
  const mode_t before = ::umask(0);
  const std::string bytes("a\0b\n", 4);
  CHECK(write_file_atomic(folder / "f", bytes));
  CHECK(make_folders(folder / "x/y/z"));
  ::umask(before);
  CHECK(read_file(folder / "f").value() == bytes);
  CHECK(file_size(folder / "f").value() == 4);
  CHECK(mode_of(folder / "f") == 0600);
  CHECK(mode_of(folder / "x/y/z") == 0700);
  CHECK(make_folders(folder / "x/y"));
  CHECK(make_folders(folder / "f/y").error().code == Code::kInvalidArgument);
  CHECK(read_file(folder / "f", 4));
  CHECK(read_file(folder / "f", 3).error().code == Code::kTooLarge);
  CHECK(read_file(folder / "absent").error().code == Code::kNotFound);
  CHECK(read_file(folder.path).error().code == Code::kInvalidArgument);
  CHECK(write_file_atomic(folder / "none/f", "x").error().code == Code::kNotFound);
  CHECK(list_folder(folder.path).value() == std::vector<std::string>{"f", "x"});
  CHECK(free_bytes(folder.path) > 0);
}

TEST_CASE(
    "the n-th call fails: the old bytes or the new ones, never a third thing, and no litter") {
  const Folder folder;
  const std::string path = folder / "f";
  bool succeeded = false;
  for (int n = 1; !succeeded; ++n) {
    CAPTURE(n);
    REQUIRE(n < 20);
    set_faults("");
    REQUIRE(write_file_atomic(path, "old"));
    set_faults("*:" + std::to_string(n) + (n % 2 == 0 ? ":eio" : ":enospc"));
    const Status status = write_file_atomic(path, "new");
    set_faults("");
    succeeded = status.has_value();
    if (!status) CHECK(status.error().code == (n % 2 == 0 ? Code::kInternal : Code::kNoSpace));
    const std::string now = read_file(path).value();
    CHECK((now == "new" || (!succeeded && now == "old")));
    CHECK(list_folder(folder.path).value().size() == 1);
    if (succeeded) CHECK(n == 5);  // write, fsync, rename and the folder's fsync were each hit once
  }
}

TEST_CASE("killed at the n-th call: the file is whole") {
  const Folder folder;
  const std::string path = folder / "f";
  for (int n = 1; n <= 4; ++n) {
    REQUIRE(write_file_atomic(path, "old"));
    const pid_t child = ::fork();
    if (child == 0) {
      set_faults("*:" + std::to_string(n) + ":kill");
      (void)write_file_atomic(path, "new");
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    const std::string now = read_file(path).value();
    CHECK(now == (n == 4 ? "new" : "old"));
  }
}

TEST_CASE("a fault counts the passes of its own point") {
  set_faults("a:2:eio, b:1:enospc");
  CHECK(fault_point("a") == 0);
  CHECK(fault_point("b") == ENOSPC);
  CHECK(fault_point("a") == EIO);
  CHECK(fault_point("a") == 0);
  CHECK(fault_point("c") == 0);
  set_faults("");
  CHECK(fault_point("a") == 0);
}

TEST_CASE("a lock keeps another process out and names its holder") {
  const Folder folder;
  const std::string path = folder / "lock";
  {
    const auto held = FileLock::acquire(path);
    REQUIRE(held);
    CHECK(FileLock::acquire(path).error().code == Code::kUnavailable);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto other = FileLock::acquire(path);
      ::_exit(!other && other.error().message.find(std::to_string(::getppid())) != std::string::npos
                  ? 0
                  : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
  }
  CHECK(FileLock::acquire(path));
}

TEST_CASE("remove_tree removes links, not what they point to") {
  const Folder folder;
  REQUIRE(make_folders(folder / "keep"));
  REQUIRE(write_file_atomic(folder / "keep/f", "x"));
  REQUIRE(make_folders(folder / "gone/deep"));
  REQUIRE(::symlink((folder / "keep").c_str(), (folder / "gone/link").c_str()) == 0);
  CHECK(remove_tree(folder / "gone"));
  CHECK_FALSE(path_exists(folder / "gone"));
  CHECK(path_exists(folder / "keep/f"));
  CHECK(remove_tree(folder / "never"));
  CHECK_FALSE(remove_tree("/"));
  CHECK_FALSE(remove_tree(""));
}

TEST_CASE("glob and path parts") {
  const Folder folder;
  for (const char* name : {"b.csv", "a.csv", "c.txt"})
    REQUIRE(write_file_atomic(folder / name, ""));
  CHECK(glob_files(folder / "*.csv").value() ==
        std::vector<std::string>{folder / "a.csv", folder / "b.csv"});
  CHECK(glob_files(folder / "[bc].*").value().size() == 2);
  CHECK(glob_files(folder / "*.json").error().code == Code::kNotFound);
  CHECK(join_path("a", "b") == "a/b");
  CHECK(join_path("a/", "b") == "a/b");
  CHECK(join_path("", "b") == "b");
  CHECK(file_name("/a/b/") == "b");
  CHECK(file_name("/") == "/");
  CHECK(parent_path("/a/b/") == "/a");
  CHECK(parent_path("/a") == "/");
  CHECK(parent_path("a") == ".");
}

TEST_CASE("published hashes") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, cases 2 and 6 (a key longer than a block).
  CHECK(maru::base::hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(maru::base::hex(hmac_sha256(std::string(131, '\xaa'),
                                    "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(same_bytes("ab", "ab"));
  CHECK_FALSE(same_bytes("ab", "ac"));
  CHECK_FALSE(same_bytes("ab", "abc"));
  Sha256 parts;
  for (int i = 0; i < 1'000'000; ++i) parts.update("a");
  CHECK(parts.hex_digest() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(hash64("") == 0xef46db3751d8e999ULL);
  CHECK(hash64("abc") == 0x44bc2cf5ad770999ULL);
}

TEST_CASE("a file that grows has one writer, goes on where it was, and can be cut") {
  const Folder folder;
  {
    auto file = AppendFile::open(folder / "grow");
    REQUIRE(file);
    CHECK(mode_of(folder / "grow") == 0600u);
    CHECK(file->append("one "));
    CHECK(file->append("two"));
    CHECK(file->sync());
    CHECK(file->size() == 7);
    const auto second = AppendFile::open(folder / "grow");
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Code::kUnavailable);
    set_faults("append.write:1:enospc,append.sync:1:eio");
    CHECK(file->append("lost").error().code == Code::kNoSpace);
    CHECK_FALSE(file->sync());
    set_faults("");
  }
  auto again = AppendFile::open(folder / "grow");
  REQUIRE(again);
  CHECK(again->size() == 7);
  CHECK(again->truncate(4));
  CHECK(again->append("2"));
  CHECK(read_file(folder / "grow").value() == "one 2");
  CHECK(AppendFile::open(folder / "no/such").error().code == Code::kNotFound);
  CHECK_FALSE(AppendFile::open(folder.path));
}
