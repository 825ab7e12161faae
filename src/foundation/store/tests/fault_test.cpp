// The disk fails, fills up, or the process dies at each of the points where the database touches it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>

#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "maru/store/database.h"
#include "temp_folder.h"

namespace maru::store {
namespace {

using base::Code;
using base::Status;

constexpr std::array<Migration, 1> kTable = {
    {{1, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT NOT NULL)"}}};
constexpr std::int64_t kWrites = 12;

base::Result<std::unique_ptr<Database>> open(const std::string& path) {
  DatabaseOptions options;
  options.path = path;
  TRY_ASSIGN(auto db, Database::open(options));
  TRY(db->migrate("test", kTable));
  return db;
}

constexpr std::size_t kShort = 300, kLong = 60'000;  // bytes of a row

Status insert(Database& db, std::int64_t id, std::size_t bytes = kShort) {
  return db.write([id, bytes](Writer& writer) -> Status {
    const auto values = params(id, std::string(bytes, 'v'));
    TRY(writer.execute("INSERT INTO t (id, v) VALUES ($1, $2)", values));
    return {};
  });
}

std::set<std::int64_t> ids(Database& db) {
  const auto rows = db.query("SELECT id FROM t");
  REQUIRE(rows.has_value());
  std::set<std::int64_t> out;
  for (const auto& row : *rows) out.insert(row.integer(0));
  return out;
}

// Opens, writes 1..kWrites one after the other, closes; the ids that were acknowledged, in order.
std::vector<std::int64_t> workload(const std::string& path) {
  std::vector<std::int64_t> acknowledged;
  auto db = open(path);
  if (!db) return acknowledged;
  for (std::int64_t id = 1; id <= kWrites; ++id) {
    if (insert(**db, id)) acknowledged.push_back(id);
  }
  return acknowledged;
}

// Runs the workload in a child that dies at the n-th pass of `point`. What it was told is durable, one byte an id; false when it
// lived to the end.
bool dies_at(const std::string& path, const std::string& point, int n,
             std::vector<std::int64_t>& acknowledged, std::size_t bytes = kShort) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    base::set_faults(point + ":" + std::to_string(n) + ":kill");
    auto db = open(path);
    if (!db) ::_exit(3);
    for (std::int64_t id = 1; id <= kWrites; ++id) {
      if (!insert(**db, id, bytes)) ::_exit(4);
      const char byte = static_cast<char>(id);
      if (::write(ends[1], &byte, 1) != 1) ::_exit(5);
    }
    db->reset();
    ::_exit(0);
  }
  ::close(ends[1]);
  char byte = 0;
  while (::read(ends[0], &byte, 1) == 1) acknowledged.push_back(byte);
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) CHECK(WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

// Dies at `point` the n-th time; false when it was not reached so often.
bool recovers_from(const char* point, int n, std::size_t bytes = kShort) {
  CAPTURE(point);
  CAPTURE(n);
  TempFolder folder;
  const std::string path = folder.file("a.db");
  std::vector<std::int64_t> acknowledged;
  if (!dies_at(path, point, n, acknowledged, bytes)) return false;
  auto db = open(path);
  REQUIRE(db.has_value());
  const auto found = ids(**db);
  for (const std::int64_t id : acknowledged) CHECK(found.count(id) == 1);
  // At most the one write that was under way may be there without having been acknowledged.
  CHECK(found.size() <= acknowledged.size() + 1);
  if (!found.empty()) CHECK(*found.rbegin() == static_cast<std::int64_t>(found.size()));
  return true;
}

}  // namespace

TEST_CASE("kill -9 at every durable step: acknowledged is recovered, and no hole") {
  for (const char* point : {"store.commit", "store.acknowledge", "store.write", "store.sync",
                            "store.truncate", "store.delete"}) {
    int deaths = 0;
    for (int n = 1; n < 400 && recovers_from(point, n); ++n) ++deaths;
    MESSAGE(std::string(point), ": died ", deaths, " times");
    if (std::string(point) != "store.truncate" && std::string(point) != "store.delete")
      CHECK(deaths > 5);
  }
}

TEST_CASE("a log in use is longer than its frames, and the zeros behind them are none") {
  TempFolder folder;
  const std::string path = folder.file("a.db");
  auto db = open(path);
  REQUIRE(db.has_value());
  REQUIRE(insert(**db, 100));
  const auto before = base::file_size(path + "-wal");
  REQUIRE(before);
  CHECK(*before < 100'000);  // one that is hardly used stays short
  for (std::int64_t id = 1; id <= 2 * kWrites; ++id) REQUIRE(insert(**db, id, kLong));
  const auto after = base::file_size(path + "-wal");
  REQUIRE(after);
  CHECK(*after > 2 * kWrites * kLong + 100'000);
  // Killed at the syncs and writes around the first steps: what lies behind the last frame is no row.
  int deaths = 0;
  for (const char* point : {"store.write", "store.sync"})
    for (int n = 1; n < 260 && recovers_from(point, n, kLong); n += 7) ++deaths;
  CHECK(deaths > 20);
}

TEST_CASE("the n-th call fails: an error is told, nothing acknowledged is lost") {
  for (const char* action : {"eio", "enospc"}) {
    for (const char* point : {"store.commit", "store.write", "store.sync"}) {
      for (int n = 1; n < 60; ++n) {
        CAPTURE(action);
        CAPTURE(point);
        CAPTURE(n);
        TempFolder folder;
        const std::string path = folder.file("a.db");
        base::set_faults(std::string(point) + ":" + std::to_string(n) + ":" + action);
        const auto acknowledged = workload(path);
        base::set_faults("");
        auto db = open(path);
        REQUIRE(db.has_value());
        const auto found = ids(**db);
        for (const std::int64_t id : acknowledged) CHECK(found.count(id) == 1);
      }
    }
  }
}

TEST_CASE("after a failed sync the database is read-only, says so, and still answers reads") {
  TempFolder folder;
  auto db = open(folder.file("a.db"));
  REQUIRE(db.has_value());
  REQUIRE(insert(**db, 1).has_value());
  for (const char* point : {"store.sync:1:eio"}) {
    base::set_faults(point);
    const Status failed = insert(**db, 2);
    base::set_faults("");
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Code::kUnavailable);
  }
  CHECK((*db)->read_only());
  const Status refused = insert(**db, 3);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::kUnavailable);
  CHECK(refused.error().message.find("read-only") != std::string::npos);
  CHECK(ids(**db).count(1) == 1);
}

TEST_CASE("a full disk refuses the write and recovers by itself") {
  for (const char* point : {"store.commit:1:enospc", "store.write:1:enospc"}) {
    CAPTURE(point);
    TempFolder folder;
    auto db = open(folder.file("a.db"));
    REQUIRE(db.has_value());
    base::set_faults(point);
    const Status full = insert(**db, 1);
    base::set_faults("");
    REQUIRE_FALSE(full.has_value());
    CHECK(full.error().code == Code::kNoSpace);
    CHECK_FALSE((*db)->read_only());
    CHECK(insert(**db, 2).has_value());
    CHECK(ids(**db) == std::set<std::int64_t>{2});
  }
}

}  // namespace maru::store
