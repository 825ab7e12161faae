#include "maru/base/seal.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maru/base/file.h"

namespace maru::base {

TEST_CASE("a sealed secret opens with its key and its owner only") {
  const std::string folder = "/tmp/maru-seal-" + std::to_string(::getpid());
  REQUIRE(make_folders(folder).has_value());
  const auto key = *SealKey::open(folder + "/key");
  struct stat info {};
  REQUIRE(::stat((folder + "/key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  for (const std::string& text :
       {std::string(), std::string("s3cret"), std::string("비밀\0!", 8)}) {
    const std::string sealed = key.seal(text, "a");
    CHECK(sealed != key.seal(text, "a"));  // another nonce each time
    CHECK(*key.unseal(sealed, "a") == text);
    CHECK(*SealKey::open(folder + "/key")->unseal(sealed, "a") == text);
    CHECK(key.unseal(sealed, "b").error().code == Code::kDataLoss);
    std::string changed = sealed;
    changed[20] = changed[20] == 'A' ? 'B' : 'A';
    CHECK(key.unseal(changed, "a").error().code == Code::kDataLoss);
    CHECK(SealKey::open(folder + "/other")->unseal(sealed, "a").error().code == Code::kDataLoss);
  }
  CHECK(key.unseal("s3cret", "a").error().code == Code::kDataLoss);
  REQUIRE(write_file_atomic(folder + "/short", "abc").has_value());
  CHECK(SealKey::open(folder + "/short").error().code == Code::kDataLoss);
  static_cast<void>(remove_tree(folder));
}

}  // namespace maru::base
