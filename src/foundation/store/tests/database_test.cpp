#include "maru/store/database.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "temp_folder.h"

namespace maru::store {
namespace {

using base::Code;
using base::Status;

constexpr std::array<Migration, 1> kTable = {
    {{1,
      "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT NOT NULL); CREATE INDEX t_by_v ON t (v);"}}};

std::unique_ptr<Database> open(const std::string& path, std::size_t queue_limit = 65'536) {
  DatabaseOptions options;
  options.path = path;
  options.queue_limit = queue_limit;
  auto db = Database::open(options);
  REQUIRE(db.has_value());
  REQUIRE((*db)->migrate("test", kTable).has_value());
  return std::move(*db);
}

Status insert(Writer& writer, std::int64_t id, const std::string& text = "x") {
  const auto values = params(id, text);
  TRY(writer.execute("INSERT INTO t (id, v) VALUES ($1, $2)", values));
  return {};
}

std::int64_t count(Database& db) {
  const auto rows = db.query("SELECT COUNT(*) FROM t");
  REQUIRE(rows.has_value());
  return rows->at(0).integer(0);
}

}  // namespace

TEST_CASE("every kind of value comes back as it went in, and $N may stand anywhere") {
  auto db = open(":memory:");
  const auto values = params(std::int64_t{INT64_MIN}, 0.1, std::string("한글\0null", 11),
                             Blob{std::string("\0\xff", 2)}, std::monostate{}, Blob{});
  const auto rows = db->query("SELECT $5, $4, $3, $2, $1, $1, $6", values);
  REQUIRE(rows.has_value());
  const Row& row = rows->at(0);
  CHECK(row.null(0));
  CHECK(row.bytes(1) == std::string("\0\xff", 2));
  CHECK(row.text(2) == std::string("한글\0null", 11));
  CHECK(row.real(3) == 0.1);
  CHECK(row.integer(4) == INT64_MIN);
  CHECK(row.integer(5) == INT64_MIN);
  CHECK_FALSE(row.null(6));
  CHECK(db->query("SELECT $7", values).error().code == Code::kInternal);
  CHECK(db->query("SELECT 1; DROP TABLE t").error().code == Code::kInternal);
}

TEST_CASE("a write that fails is undone alone, its neighbours stay") {
  auto db = open(":memory:");
  CHECK(db->write([](Writer& w) { return insert(w, 1); }).has_value());
  const Status failed = db->write([](Writer& w) -> Status {
    TRY(insert(w, 2));
    return insert(w, 1);
  });
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == Code::kAlreadyExists);
  CHECK(count(*db) == 1);
  const Status thrown = db->write([](Writer& w) -> Status {
    TRY(insert(w, 3));
    throw std::runtime_error("boom");
  });
  CHECK(thrown.error().code == Code::kInternal);
  CHECK(count(*db) == 1);
  const Status ended = db->write([](Writer& w) -> Status {
    TRY(w.execute("COMMIT"));
    return insert(w, 4);
  });
  CHECK_FALSE(ended.has_value());
  CHECK(db->write([](Writer& w) { return insert(w, 5); }).has_value());
  CHECK(count(*db) == 2);
}

TEST_CASE("a write from inside a write is refused instead of waiting for itself") {
  auto db = open(":memory:");
  const Status outer =
      db->write([&](Writer&) { return db->write([](Writer& w) { return insert(w, 1); }); });
  CHECK(outer.error().code == Code::kInternal);
}

TEST_CASE("reads see what write() acknowledged, and may not write") {
  auto db = open(":memory:");
  for (std::int64_t i = 1; i <= 50; ++i) {
    REQUIRE(db->write([i](Writer& w) { return insert(w, i); }).has_value());
    CHECK(count(*db) == i);
  }
  CHECK(db->query("DELETE FROM t").error().code == Code::kFailedPrecondition);
  CHECK(count(*db) == 50);
}

TEST_CASE("a thousand concurrent writers need far fewer commits than writes") {
  TempFolder folder;
  auto db = open(folder.file("a.db"));
  const std::uint64_t before = db->commits();
  constexpr int kThreads = 50, kEach = 20;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&db, t] {
        for (int i = 0; i < kEach; ++i) {
          const auto id = std::int64_t{t} * 1000 + i;
          if (!db->write([id](Writer& w) { return insert(w, id); })) std::abort();
        }
      });
    }
  }
  const std::uint64_t commits = db->commits() - before;
  CHECK(count(*db) == kThreads * kEach);
  CHECK(commits < kThreads * kEach / 4);
  MESSAGE((kThreads * kEach), " writes by ", kThreads, " threads in ", commits, " commits");
}

TEST_CASE("a full queue refuses at its limit, and at once") {
  auto db = open(":memory:", 2);
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false, release = false;
  int answered = 0;
  const auto done = [&](const Status& status) {
    const std::lock_guard lock(mutex);
    if (status) ++answered;
    changed.notify_all();
  };
  db->write_async(
      [&](Writer&) -> Status {
        std::unique_lock lock(mutex);
        entered = true;
        changed.notify_all();
        changed.wait(lock, [&] { return release; });
        return {};
      },
      done);
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered; });
  }
  db->write_async([](Writer& w) { return insert(w, 1); }, done);
  db->write_async([](Writer& w) { return insert(w, 2); }, done);
  Status refused;
  db->write_async([](Writer& w) { return insert(w, 3); },
                  [&](Status s) { refused = std::move(s); });
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::kUnavailable);
  std::unique_lock lock(mutex);
  release = true;
  changed.notify_all();
  changed.wait(lock, [&] { return answered == 3; });
  lock.unlock();
  CHECK(count(*db) == 2);
}

TEST_CASE(
    "writes of one statement share a group: each fails alone, a broken promise fails its group") {
  auto db = open(":memory:");
  REQUIRE(db->write([](Writer& w) { return insert(w, 7, "before"); }).has_value());
  std::mutex mutex;
  std::condition_variable changed;
  bool release = false;
  std::vector<Status> outcomes;
  const auto done = [&](const Status& status) {
    const std::lock_guard lock(mutex);
    outcomes.push_back(status);
    changed.notify_all();
  };
  const auto all = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    release = true;
    changed.notify_all();
    changed.wait(lock, [&] { return outcomes.size() == count; });
    release = false;
    return std::exchange(outcomes, {});
  };
  // Holds the writer, so that what is queued meanwhile becomes one group.
  const auto hold = [&] {
    db->write_async(
        [&](Writer&) -> Status {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return release; });
          return {};
        },
        done);
  };
  constexpr auto kOne = Database::Changes::kOneStatement;
  hold();
  for (const std::int64_t id : {1, 7, 2})
    db->write_async([id](Writer& w) { return insert(w, id); }, done, kOne);
  const auto mixed = all(4);
  CHECK(mixed[1].has_value());
  CHECK(mixed[2].error().code == Code::kAlreadyExists);
  CHECK(mixed[3].has_value());
  CHECK(count(*db) == 3);
  // A statement that changes nothing is no change: who gives up after it takes nobody along.
  hold();
  db->write_async([](Writer& w) { return insert(w, 9); }, done, kOne);
  db->write_async(
      [](Writer& w) -> Status {
        const auto key = params(std::int64_t{9});
        TRY_ASSIGN(const auto rows,
                   w.execute("INSERT INTO t (id, v) VALUES ($1, 'y') ON CONFLICT DO NOTHING", key));
        return rows == 0 ? Status(base::fail(Code::kInvalidArgument, "it is there")) : Status();
      },
      done, kOne);
  db->write_async([](Writer& w) { return insert(w, 10); }, done, kOne);
  const auto given_up = all(4);
  CHECK(given_up[1].has_value());
  CHECK(given_up[2].error().code == Code::kInvalidArgument);
  CHECK(given_up[3].has_value());
  CHECK(count(*db) == 5);
  hold();
  db->write_async([](Writer& w) { return insert(w, 3); }, done, kOne);
  db->write_async(
      [](Writer& w) -> Status {
        TRY(insert(w, 4));
        return insert(w, 5);
      },
      done, kOne);
  db->write_async([](Writer& w) { return insert(w, 6); }, done);
  const auto broken = all(4);
  for (const std::size_t i : {1u, 2u, 3u}) CHECK_FALSE(broken[i].has_value());
  CHECK(count(*db) == 5);  // nothing of that group, not even half of a write
  CHECK(db->write([](Writer& w) { return insert(w, 8); }).has_value());
}

TEST_CASE("migrations are applied once, in order, and a newer database is refused") {
  TempFolder folder;
  constexpr std::array<Migration, 2> kTwo = {{{1, "CREATE TABLE a (x BIGINT)"},
                                              {2,
                                               "ALTER TABLE a ADD COLUMN y BIGINT; INSERT INTO a "
                                               "VALUES (1, 2)"}}};
  DatabaseOptions options;
  options.path = folder.file("a.db");
  for (int i = 0; i < 2; ++i) {
    auto db = std::move(*Database::open(options));
    REQUIRE(db->migrate("room", kTwo).has_value());
    CHECK(db->query("SELECT y FROM a")->size() == 1);
  }
  auto db = std::move(*Database::open(options));
  const Status older = db->migrate("room", std::span(kTwo).first(1));
  REQUIRE_FALSE(older.has_value());
  CHECK(older.error().code == Code::kFailedPrecondition);
  constexpr std::array<Migration, 1> kBroken = {
      {{1, "CREATE TABLE b (x BIGINT); CREATE NONSENSE"}}};
  CHECK_FALSE(db->migrate("broken", kBroken).has_value());
  CHECK_FALSE(db->query("SELECT * FROM b").has_value());  // nothing of it remains
}

TEST_CASE("a damaged file and a file that is no database are named at open") {
  TempFolder folder;
  const std::string path = folder.file("a.db");
  {
    auto db = open(path);
    REQUIRE(db->write([](Writer& w) -> Status {
                for (std::int64_t i = 0; i < 500; ++i) TRY(insert(w, i, std::string(100, 'x')));
                return {};
              }).has_value());
  }
  std::string bytes = *base::read_file(path);
  for (std::size_t i = 8192; i < 12'000; ++i) bytes[i] = '\x55';
  REQUIRE(base::write_file_atomic(path, bytes).has_value());
  DatabaseOptions options;
  options.path = path;
  auto damaged = Database::open(options);
  REQUIRE_FALSE(damaged.has_value());
  CHECK(damaged.error().code == Code::kDataLoss);
  CHECK(damaged.error().message.find(path) != std::string::npos);
  CHECK(damaged.error().message.find('\n') == std::string::npos);

  options.path = folder.file("text.db");
  REQUIRE(base::write_file_atomic(options.path, std::string(5000, 'a')).has_value());
  auto text = Database::open(options);
  REQUIRE_FALSE(text.has_value());
  CHECK(text.error().code == Code::kDataLoss);

  options.path = folder.file("no/such/folder.db");
  CHECK(Database::open(options).error().code == Code::kNotFound);
}

TEST_CASE("a backup is whole while writes go on, and only its owner can read the files") {
  TempFolder folder;
  auto db = open(folder.file("a.db"));
  for (std::int64_t i = 0; i < 100; ++i) {
    REQUIRE(db->write([i](Writer& w) { return insert(w, i); }).has_value());
  }
  std::jthread writing([&](const std::stop_token& stop) {
    for (std::int64_t i = 1000; !stop.stop_requested() && i < 3000; ++i) {
      static_cast<void>(db->write([i](Writer& w) { return insert(w, i); }));
    }
  });
  REQUIRE(db->backup_to(folder.file("b.db")).has_value());
  writing.request_stop();
  writing.join();
  auto copy = open(folder.file("b.db"));
  CHECK(count(*copy) >= 100);
  for (const char* name : {"a.db", "a.db-wal", "b.db"}) {
    struct stat facts {};
    REQUIRE(::stat(folder.file(name).c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
  }
}

TEST_CASE("read() sees one state however often it looks, and ends at a visitor's failure") {
  auto db = open(":memory:");
  for (std::int64_t i = 0; i < 10; ++i) {
    REQUIRE(
        db->write([i](Writer& w) { return insert(w, i, "v" + std::to_string(i)); }).has_value());
  }
  int seen = 0, later = 0;
  const Status whole = db->read([&](Reader& reader) -> Status {
    TRY(reader.each("SELECT id, v FROM t ORDER BY id", {}, [&](const Cursor& row) -> Status {
      CHECK(row.text(1) == "v" + std::to_string(row.integer(0)));
      ++seen;
      return {};
    }));
    REQUIRE(db->write([](Writer& w) { return insert(w, 99); }).has_value());
    return reader.each("SELECT id FROM t", {}, [&](const Cursor&) -> Status {
      ++later;
      return {};
    });
  });
  CHECK(whole.has_value());
  CHECK(seen == 10);
  CHECK(later == 10);
  CHECK(count(*db) == 11);
  int visited = 0;
  const Status stopped = db->read([&](Reader& reader) {
    return reader.each("SELECT id FROM t", {}, [&](const Cursor&) -> Status {
      if (++visited == 3) return base::fail(Code::kCancelled, "enough");
      return {};
    });
  });
  CHECK(stopped.error().code == Code::kCancelled);
  CHECK(visited == 3);
  CHECK(count(*db) == 11);  // the connection is in order
}

}  // namespace maru::store
