#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/blob/blob_store.h"

namespace maru::blob {
namespace {

using base::Code;

// A folder with a store in it and a canary beside it that nothing may read, change or remove.
struct Place {
  std::string root = "/tmp/maru-blob-XXXXXX";
  std::unique_ptr<BlobStore> store;
  Place() {
    REQUIRE(::mkdtemp(root.data()) != nullptr);
    REQUIRE(base::write_file_atomic(root + "/canary", "secret").has_value());
    open();
  }
  ~Place() {
    store.reset();
    static_cast<void>(base::remove_tree(root));
  }
  void open() { store = std::move(*BlobStore::open_local(root + "/blobs")); }
  std::string path(const std::string& sha) const {
    return root + "/blobs/sha256/" + sha.substr(0, 2) + "/" + sha.substr(2, 2) + "/" + sha;
  }
  std::size_t leftovers() const {
    const auto names = base::list_folder(root + "/blobs/sha256");
    return static_cast<std::size_t>(
        std::count_if(names->begin(), names->end(),
                      [](const std::string& n) { return n.rfind("tmp-", 0) == 0; }));
  }
};

// `text` percent-encoded `times` over: %2e%2e%2f, %252e..., as the known attacks write it.
std::string encoded(std::string text, int times) {
  for (int i = 0; i < times; ++i) {
    std::string out;
    for (const char c : text) {
      const bool plain = i > 0 && c != '%';
      if (plain) {
        out += c;
        continue;
      }
      static constexpr std::string_view kHex = "0123456789abcdef";
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
    text = std::move(out);
  }
  return text;
}

std::vector<std::string> path_tricks(const std::string& good) {
  std::vector<std::string> out = {"",
                                  ".",
                                  "..",
                                  "/",
                                  "../canary",
                                  "../../canary",
                                  "/etc/passwd",
                                  "..\\canary",
                                  "..\\..\\canary",
                                  "C:\\canary",
                                  "file:///etc/passwd",
                                  "a;../canary",
                                  "canary#",
                                  "canary?x",
                                  "a@b",
                                  std::string("..\0/canary", 10),
                                  good + "/..",
                                  "../" + good,
                                  good.substr(1),
                                  good + "0",
                                  good.substr(0, 63) + "/",
                                  good.substr(0, 63) + "G",
                                  std::string(64, '.'),
                                  std::string(64, '/'),
                                  "\xc0\xae\xc0\xae/canary",
                                  std::string(100'000, 'a'),
                                  good + std::string(1, '\0'),
                                  " " + good.substr(1),
                                  "%00" + good.substr(3)};
  std::string upper = good;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  out.push_back(upper);
  std::string dots;
  while (dots.size() + 3 <= 57) dots += "../";
  out.push_back(dots + std::string(58 - dots.size() > 0 ? 64 - dots.size() - 6 : 0, '/') +
                "canary");
  for (int times = 1; times <= 10; ++times) {
    out.push_back(encoded("../canary", times));
    out.push_back(encoded("../../../../etc/passwd", times));
  }
  return out;
}

}  // namespace

TEST_CASE("a blob is named by its content, written once, and read back whole") {
  Place place;
  for (const std::string& content :
       {std::string(), std::string("hello"), std::string(700'001, '\0')}) {
    const auto info = place.store->put(content);
    REQUIRE(info.has_value());
    CHECK(info->sha256 == base::sha256_hex(content));
    CHECK(info->bytes == content.size());
    CHECK(*place.store->read(info->sha256) == content);
    CHECK(place.store->stat(info->sha256)->bytes == content.size());
    CHECK(place.store->put(content)->sha256 == info->sha256);
    struct stat facts {};
    REQUIRE(::stat(place.path(info->sha256).c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0400);
  }
  CHECK(place.store->list()->size() == 3);
  CHECK(place.leftovers() == 0);
  const std::string sha = base::sha256_hex("hello");
  CHECK(place.store->remove(sha).has_value());
  CHECK(place.store->remove(sha).has_value());
  CHECK(place.store->read(sha).error().code == Code::kNotFound);
}

TEST_CASE("without commit nothing remains, and a writer of many pieces hashes all of them") {
  Place place;
  {
    auto writer = std::move(*place.store->create());
    REQUIRE(writer->write("half").has_value());
    CHECK(place.leftovers() == 1);
  }
  CHECK(place.leftovers() == 0);
  CHECK(place.store->list()->empty());
  auto writer = std::move(*place.store->create());
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    all += piece;
    REQUIRE(writer->write(piece).has_value());
  }
  CHECK(writer->commit()->sha256 == base::sha256_hex(all));
}

TEST_CASE("a blob that is hashed on the side has the same name, in pieces of any size") {
  Place place;
  for (const std::size_t extra : {0, 1, 3 << 20}) {
    std::string bytes((4u << 20) + extra, 'x');
    for (std::size_t i = 0; i < bytes.size(); i += 997) bytes[i] = static_cast<char>(i % 251);
    const auto writer = std::move(*place.store->create());
    std::size_t at = 0;
    for (std::size_t size = 1; at < bytes.size(); size = size * 3 % 1'000'003 + 1) {
      REQUIRE(writer->write(std::string_view(bytes).substr(at, size)).has_value());
      at += size;
    }
    const auto info = writer->commit();
    CHECK(info->sha256 == base::sha256_hex(bytes));
    CHECK(place.store->verify(info->sha256).has_value());
  }
  {
    const auto writer = std::move(*place.store->create());  // given up in the middle
    REQUIRE(writer->write(std::string(6u << 20, 'y')).has_value());
  }
  CHECK(place.leftovers() == 0);
}

TEST_CASE("bytes that their owner keeps are let go once they are written and hashed, not before") {
  Place place;
  const auto writer = std::move(*place.store->create());
  base::Sha256 hash;
  std::atomic<int> held{0};
  for (int i = 0; i < 200; ++i) {
    auto* const piece = std::make_unique<std::string>(100'000, static_cast<char>(i)).release();
    hash.update(*piece);
    ++held;
    std::shared_ptr<const void> owner(piece, [&held](std::string* mine) {
      std::fill(mine->begin(), mine->end(), '!');  // whoever still reads it reads this
      std::default_delete<std::string>()(mine);
      --held;
    });
    const std::string_view bytes(*piece);
    REQUIRE(writer->write_owned(bytes, std::move(owner)).has_value());
    CHECK(held <= 23);  // two mebibytes behind, and those in hand
  }
  const auto info = writer->commit();
  REQUIRE(info.has_value());
  CHECK(held == 0);
  CHECK(info->sha256 == hash.hex_digest());
  CHECK(place.store->verify(info->sha256).has_value());
}

TEST_CASE("a large blob of aligned pieces goes past the page cache and reads back the same") {
  Place place;
  for (const std::size_t last : {0, 1, 4096, 300'001}) {
    const auto writer = std::move(*place.store->create());
    base::Sha256 hash;
    std::uint64_t all = 0;
    const auto put = [&](std::size_t size, std::size_t offset) {
      const std::shared_ptr<char> piece(
          static_cast<char*>(std::aligned_alloc(4096, (size + offset + 8191) / 4096 * 4096)),
          [](char* bytes) { std::free(bytes); });
      char* const bytes = piece.get() + offset;
      for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((all + i) * 31 >> 7);
      hash.update({bytes, size});
      all += size;
      REQUIRE(writer->write_owned({bytes, size}, piece).has_value());
    };
    for (int i = 0; i < 24; ++i) put(1 << 20, 0);
    put(256 << 10, 64);  // not aligned in memory
    put(1 << 20, 0);
    put(4096 - 7, 0);  // what follows is not aligned in the file, until
    put(1 << 20, 0);
    put(7, 0);  // here
    put(1 << 20, 0);
    if (last > 0) put(last, 0);
    const auto info = writer->commit();
    REQUIRE(info.has_value());
    CHECK(info->bytes == all);
    CHECK(info->sha256 == hash.hex_digest());
    CHECK(place.store->verify(info->sha256).has_value());
  }
}

TEST_CASE("no path trick reaches a file, by any verb, and the canary lives") {
  Place place;
  const std::string good = place.store->put("good")->sha256;
  for (const auto& trick : path_tricks(good)) {
    CAPTURE(trick.substr(0, 80));
    CHECK(place.store->read(trick).error().code == Code::kInvalidArgument);
    CHECK(place.store->stat(trick).error().code == Code::kInvalidArgument);
    CHECK(place.store->local_path(trick).error().code == Code::kInvalidArgument);
    CHECK(place.store->verify(trick).error().code == Code::kInvalidArgument);
    CHECK(place.store->remove(trick).error().code == Code::kInvalidArgument);
  }
  CHECK(*base::read_file(place.root + "/canary") == "secret");
  CHECK(*place.store->read(good) == "good");
}

TEST_CASE("a checked path is given out only while the bytes are right") {
  Place place;
  const std::string good = place.store->put("good")->sha256, at = place.path(good);
  REQUIRE(place.store->checked_path(good).has_value());
  CHECK(*place.store->checked_path(good) == *place.store->local_path(good));
  REQUIRE(::unlink(at.c_str()) == 0);
  REQUIRE(base::write_file_atomic(at, "evil").has_value());
  auto damaged = place.store->checked_path(good);
  REQUIRE_FALSE(damaged.has_value());
  CHECK(damaged.error().code == Code::kDataLoss);
  CHECK(damaged.error().message.find(good) != std::string::npos);
  REQUIRE(base::write_file_atomic(at, "good").has_value());
  CHECK(place.store->checked_path(good).has_value());
  CHECK(place.store->checked_path(base::sha256_hex("absent")).error().code == Code::kNotFound);
}

TEST_CASE("links in the place of a blob or of its folders are refused") {
  Place place;
  const std::string secret = base::sha256_hex("secret"), good = place.store->put("good")->sha256;
  const std::string at = place.path(secret), folder = base::parent_path(at);
  REQUIRE(base::make_folders(folder).has_value());
  REQUIRE(::symlink((place.root + "/canary").c_str(), at.c_str()) == 0);
  CHECK_FALSE(place.store->read(secret).has_value());
  CHECK_FALSE(place.store->local_path(secret).has_value());
  REQUIRE(::unlink(at.c_str()) == 0);
  REQUIRE(::link((place.root + "/canary").c_str(), at.c_str()) ==
          0);  // the content would even match
  CHECK(place.store->read(secret).error().code == Code::kDataLoss);
  REQUIRE(::unlink(at.c_str()) == 0);
  // A parent swapped for a link to a folder that holds the right name.
  const std::string outside = place.root + "/outside";
  REQUIRE(base::make_folders(outside).has_value());
  REQUIRE(base::write_file_atomic(outside + "/" + secret, "secret").has_value());
  REQUIRE(::rmdir(folder.c_str()) == 0);
  REQUIRE(::symlink(outside.c_str(), folder.c_str()) == 0);
  CHECK_FALSE(place.store->read(secret).has_value());
  CHECK_FALSE(place.store->remove(secret).has_value());
  CHECK(base::path_exists(outside + "/" + secret));
  CHECK_FALSE(place.store->put("secret").has_value());  // nor is anything written through it
  CHECK(*place.store->read(good) == "good");
}

TEST_CASE("a parent that is swapped back and forth never leads outside") {
  Place place;
  const std::string sha = place.store->put("inside")->sha256,
                    folder = base::parent_path(place.path(sha));
  const std::string outside = place.root + "/outside", aside = place.root + "/aside";
  REQUIRE(base::make_folders(outside).has_value());
  REQUIRE(base::write_file_atomic(outside + "/" + sha, "outside").has_value());
  std::jthread swapping([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::rename(folder.c_str(), aside.c_str());
      if (::symlink(outside.c_str(), folder.c_str()) == 0) ::unlink(folder.c_str());
      ::rename(aside.c_str(), folder.c_str());
    }
  });
  for (int i = 0; i < 2000; ++i) {
    std::string seen;
    static_cast<void>(place.store->read_to(sha, [&](std::string_view piece) -> base::Status {
      seen += piece;
      return {};
    }));
    CHECK((seen.empty() || seen == "inside"));
  }
}

TEST_CASE("every flipped bit is found, and the error names the file") {
  Place place;
  const std::string content = "0123456789abcdef";
  const std::string sha = place.store->put(content)->sha256, path = place.path(sha);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  for (std::size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string bytes = content;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const int fd = ::open(path.c_str(), O_WRONLY);
    REQUIRE(::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    ::close(fd);
    const auto read = place.store->read(sha);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == Code::kDataLoss);
    CHECK(read.error().message.find(path) != std::string::npos);
  }
  REQUIRE(::truncate(path.c_str(), 3) == 0);
  CHECK(place.store->verify(sha).error().code == Code::kDataLoss);
  CHECK(place.store->put(content).has_value());  // writing the content again mends it
  CHECK(*place.store->read(sha) == content);
}

TEST_CASE("damage of the same length is mended too when the content is written again") {
  Place place;
  const std::string content = "precious";
  const std::string sha = place.store->put(content)->sha256, path = place.path(sha);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  const int fd = ::open(path.c_str(), O_WRONLY);
  REQUIRE(::pwrite(fd, "X", 1, 0) == 1);
  ::close(fd);
  CHECK_FALSE(place.store->verify(sha).has_value());
  CHECK(place.store->put(content).has_value());
  const auto mended = place.store->read(sha);
  REQUIRE(mended.has_value());
  CHECK(*mended == content);
}

TEST_CASE("a full disk and a failing sync refuse the blob and leave nothing") {
  for (const char* fault :
       {"blob.write:1:enospc", "blob.fsync:1:enospc", "blob.fsync:1:eio", "blob.write:1:eio",
        "blob.create:1:eio", "blob.rename:1:eio", "blob.fsync_folder:1:enospc"}) {
    CAPTURE(fault);
    Place place;
    base::set_faults(fault);
    const auto failed = place.store->put("x");
    base::set_faults("");
    REQUIRE_FALSE(failed.has_value());
    if (std::string(fault).find("enospc") != std::string::npos)
      CHECK(failed.error().code == Code::kNoSpace);
    CHECK(place.leftovers() == 0);
    CHECK(place.store->put("x").has_value());
  }
}

TEST_CASE(
    "kill -9 at every durable step: what was acknowledged is there, whole; the rest leaves no "
    "trace") {
  int deaths = 0;
  for (int n = 1; n < 100; ++n) {
    CAPTURE(n);
    Place place;
    place.store.reset();
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      base::set_faults("*:" + std::to_string(n) + ":kill");
      auto store = BlobStore::open_local(place.root + "/blobs");
      for (char c = 'a'; store && c < 'e'; ++c) {
        if (!(*store)->put(std::string(5000, c))) ::_exit(3);
        if (::write(ends[1], &c, 1) != 1) ::_exit(4);
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    std::string acknowledged;
    char byte = 0;
    while (::read(ends[0], &byte, 1) == 1) acknowledged += byte;
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    place.open();
    for (const char c : acknowledged)
      CHECK(*place.store->read(base::sha256_hex(std::string(5000, c))) == std::string(5000, c));
    const auto found = place.store->list();
    REQUIRE(found.has_value());
    CHECK(found->size() <= acknowledged.size() + 1);
    for (const auto& info : *found) CHECK(place.store->verify(info.sha256).has_value());
    CHECK(place.leftovers() == 0);
    if (WIFEXITED(status)) {
      CHECK(WEXITSTATUS(status) == 0);
      break;
    }
    ++deaths;
  }
  MESSAGE("died ", deaths, " times");
  CHECK(deaths > 8);
}

TEST_CASE("the same blob written by many threads at once is one blob") {
  Place place;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&place] {
        for (int i = 0; i < 20; ++i) {
          if (!place.store->put("shared " + std::to_string(i))) std::abort();
        }
      });
    }
  }
  CHECK(place.store->list()->size() == 20);
  CHECK(place.leftovers() == 0);
}

}  // namespace maru::blob
