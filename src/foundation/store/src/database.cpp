#include "maru/store/database.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include "connection.h"
#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "maru/base/log.h"

namespace maru::store {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr std::int64_t kMaxGroupWindowUs = 5'000;
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
// Looking through every page at open: always when it is quick, up to the larger size when the last owner did not close.
constexpr std::uint64_t kCheckAlwaysBytes = 4u << 20;
constexpr std::uint64_t kCheckAfterCrashBytes = 256u << 20;

// Statements of one callback on the writer's connection.
class GroupWriter final : public Writer {
 public:
  explicit GroupWriter(Connection& connection, bool one_change = false)
      : connection_(connection), one_change_(one_change) {}
  Result<Rows> query(std::string_view sql, std::span<const Value> params) override {
    TRY(alive());
    return connection_.query(sql, params);
  }
  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> params) override {
    TRY(alive());
    if (one_change_ && changed_)
      return fail(Code::kInternal, "a second change in a write that promised one");
    auto rows = connection_.execute(sql, params);
    changed_ = changed_ || (rows && *rows > 0);
    return rows;
  }
  bool changed() const { return changed_; }
  Status run_script(std::string_view sql) {
    TRY(alive());
    return connection_.run_script(sql);
  }

 private:
  // SQLite rolls a transaction back by itself on some failures; a later statement would then commit alone.
  Status alive() const {
    if (connection_.in_transaction()) return {};
    return fail(Code::kAborted, "the transaction was rolled back by an earlier failure");
  }
  Connection& connection_;
  const bool one_change_;
  bool changed_ = false;
};

struct Queued {
  Database::Write callback;
  std::function<void(Status)> done;
  Database::Changes changes = Database::Changes::kAny;
  Status outcome;
};

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(DatabaseOptions options) : options_(std::move(options)) {
    options_.group_window_us =
        std::clamp(options_.group_window_us, std::int64_t{0}, kMaxGroupWindowUs);
    options_.group_limit = std::max<std::size_t>(options_.group_limit, 1);
    options_.readers = std::max<std::size_t>(options_.readers, 1);
  }
  ~SqliteDatabase() override;

  Status start();
  Result<Rows> query(std::string_view sql, std::span<const Value> params) override;
  Status read(const std::function<Status(Reader&)>& callback) override;
  Status write(Write callback) override;
  void write_async(Write callback, std::function<void(Status)> done, Changes changes) override;
  Status migrate(std::string_view room, std::span<const Migration> migrations) override;
  bool read_only() const override { return read_only_.load(); }
  Status backup_to(const std::string& path) override;
  std::uint64_t commits() const override { return commits_.load(); }

 private:
  Status use_private_folder();
  Status check_pages(bool closed_cleanly);
  Result<std::unique_ptr<Connection>> take_reader();
  void give_back(std::unique_ptr<Connection> reader);
  std::vector<Queued> next_group();
  void run_group(std::vector<Queued>& group);
  Status run_one(Queued& item);
  Status commit();
  void turn_read_only(const base::Error& why);
  void loop();

  DatabaseOptions options_;
  std::string private_folder_;  // of ":memory:"
  std::unique_ptr<Connection> writer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Queued> queue_;
  std::size_t wanted_ = kNone;  // as many queued writes wake the writer
  bool stopping_ = false;
  std::size_t last_group_ = 0;  // writer thread only
  std::atomic<bool> read_only_{false};
  std::atomic<std::uint64_t> commits_{0};
  std::mutex readers_mutex_;
  std::condition_variable reader_free_;
  std::size_t readers_open_ = 0;
  std::vector<std::unique_ptr<Connection>> readers_;
  std::jthread thread_;
};

SqliteDatabase::~SqliteDatabase() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  readers_.clear();
  writer_.reset();  // the last connection folds the log into the file
  if (!private_folder_.empty()) static_cast<void>(base::remove_tree(private_folder_));
}

// SQLite's own in-memory databases cannot have readers beside a writer; a file in memory can.
Status SqliteDatabase::use_private_folder() {
  std::string pattern =
      (::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + std::string("/maru-XXXXXX");
  if (::mkdtemp(pattern.data()) == nullptr) {
    return fail(Code::kUnavailable, "cannot make a folder: " + pattern);
  }
  private_folder_ = pattern;
  options_.path = pattern + "/memory.db";
  return {};
}

Status SqliteDatabase::start() {
  if (options_.path == ":memory:") TRY(use_private_folder());
  const bool closed_cleanly = !base::path_exists(options_.path + "-wal");
  TRY_ASSIGN(writer_, Connection::open(options_.path, Connection::Mode::kWriter));
  TRY(check_pages(closed_cleanly));
  TRY(
      writer_->run_script("CREATE TABLE IF NOT EXISTS maru_migrations (room TEXT NOT NULL,"
                          "version BIGINT NOT NULL, PRIMARY KEY (room, version))"));
  thread_ = std::jthread([this] { loop(); });
  return {};
}

Status SqliteDatabase::check_pages(bool closed_cleanly) {
  TRY_ASSIGN(const std::uint64_t bytes, base::file_size(options_.path));
  if (bytes > (closed_cleanly ? kCheckAlwaysBytes : kCheckAfterCrashBytes)) return {};
  TRY_ASSIGN(const Rows rows, writer_->query("PRAGMA quick_check(1)", {}));
  if (!rows.empty() && rows[0].text(0) == "ok") return {};
  // SQLite's answer is several lines; the last one says what is wrong.
  std::string what = rows.empty() ? std::string("no answer") : rows[0].text(0);
  if (const auto end = what.rfind('\n'); end != std::string::npos) what.erase(0, end + 1);
  return fail(Code::kDataLoss, "the database file is damaged: " + options_.path + ": " + what,
              "put the home folder back from a backup");
}

Result<std::unique_ptr<Connection>> SqliteDatabase::take_reader() {
  {
    std::unique_lock lock(readers_mutex_);
    reader_free_.wait(lock, [&] { return !readers_.empty() || readers_open_ < options_.readers; });
    if (!readers_.empty()) {
      auto reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
    ++readers_open_;
  }
  auto opened = Connection::open(options_.path, Connection::Mode::kReader);
  if (!opened) give_back(nullptr);
  return opened;
}

void SqliteDatabase::give_back(std::unique_ptr<Connection> reader) {
  {
    const std::lock_guard lock(readers_mutex_);
    if (reader == nullptr)
      --readers_open_;
    else
      readers_.push_back(std::move(reader));
  }
  reader_free_.notify_one();
}

Result<Rows> SqliteDatabase::query(std::string_view sql, std::span<const Value> params) {
  TRY_ASSIGN(auto reader, take_reader());
  auto rows = reader->query(sql, params);
  give_back(std::move(reader));
  return rows;
}

Status SqliteDatabase::read(const std::function<Status(Reader&)>& callback) {
  class SnapshotReader final : public Reader {
   public:
    explicit SnapshotReader(Connection& connection) : connection_(connection) {}
    Status each(std::string_view sql, std::span<const Value> params, const Visit& visit) override {
      return connection_.each(sql, params, visit);
    }

   private:
    Connection& connection_;
  };
  TRY_ASSIGN(auto connection, take_reader());
  Status done = connection->run_script("BEGIN");
  if (done) {
    SnapshotReader reader(*connection);
    try {
      done = callback(reader);
    } catch (const std::exception& error) {
      done = fail(Code::kInternal, std::string("a read failed unexpectedly: ") + error.what());
    }
    const Status ended = connection->run_script("COMMIT");
    if (done && !ended) done = ended;
  }
  give_back(std::move(connection));
  return done;
}

Status SqliteDatabase::write(Write callback) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    return fail(Code::kInternal, "write() inside a write would wait for itself; use its Writer");
  }
  struct Waiting {
    std::mutex mutex;
    std::condition_variable ready;
    bool finished = false;
    Status outcome;
  } waiting;
  const auto done = [&waiting](Status outcome) {
    const std::lock_guard lock(waiting.mutex);
    waiting.outcome = std::move(outcome);
    waiting.finished = true;
    waiting.ready.notify_one();
  };
  write_async(std::move(callback), done, Changes::kAny);
  std::unique_lock lock(waiting.mutex);
  waiting.ready.wait(lock, [&waiting] { return waiting.finished; });
  return std::move(waiting.outcome);
}

void SqliteDatabase::write_async(Write callback, std::function<void(Status)> done,
                                 Changes changes) {
  std::size_t waiting = 0;
  bool enough = false;
  {
    const std::lock_guard lock(mutex_);
    waiting = queue_.size();
    if (!stopping_ && waiting < options_.queue_limit) {
      queue_.push_back({std::move(callback), std::move(done), changes, {}});
      done = nullptr;
      enough = queue_.size() >= wanted_;
      if (enough) wanted_ = kNone;
    }
  }
  if (done == nullptr) {
    if (enough) wake_.notify_one();
  } else {
    done(fail(Code::kUnavailable, "too many writes are waiting: " + std::to_string(waiting),
              "try again shortly"));
  }
}

// While one group is being synced the next one gathers by itself. The window only serves to keep a group together whose members
// come back at once for their next write: it ends as soon as there are as many as last time. A lone writer never waits.
// The writer says how many it waits for, so that it is woken once a group rather than by each of its members.
std::vector<Queued> SqliteDatabase::next_group() {
  std::unique_lock lock(mutex_);
  const std::size_t expected = std::min(last_group_, options_.group_limit);
  const auto there = [this](std::size_t count) {
    if (stopping_ || queue_.size() >= count) return true;
    wanted_ = count;
    return false;
  };
  const auto gather = [&] {
    return wake_.wait_for(lock, std::chrono::microseconds(options_.group_window_us),
                          [&] { return there(expected); });
  };
  // On a busy machine the members come back after the window: the first of them opens another one, else groups would fall apart.
  const bool late = expected > 1 && !gather() && queue_.empty();
  wake_.wait(lock, [&] { return there(1); });
  if (late) gather();
  wanted_ = kNone;
  std::vector<Queued> group;
  while (!queue_.empty() && group.size() < options_.group_limit) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  last_group_ = group.size();
  return group;
}

Status SqliteDatabase::run_one(Queued& item) {
  const bool savepoint = item.changes == Changes::kAny;
  // Prepared statements rather than scripts: a script is parsed each time.
  if (savepoint) TRY(writer_->execute("SAVEPOINT item", {}));
  GroupWriter writer(*writer_, !savepoint);
  Status done;
  try {
    done = item.callback(writer);
  } catch (const std::exception& error) {
    done = fail(Code::kInternal, std::string("a write failed unexpectedly: ") + error.what());
  } catch (...) {
    done = fail(Code::kInternal, "a write failed unexpectedly");
  }
  if (!writer_->in_transaction()) {
    if (done) return fail(Code::kAborted, "the transaction was ended by a statement inside it");
    return done;
  }
  if (!savepoint) {
    // A callback that breaks its promise takes the group with it: better than half of a write.
    if (!done && writer.changed()) static_cast<void>(writer_->execute("ROLLBACK", {}));
    return done;
  }
  if (!done) TRY(writer_->execute("ROLLBACK TO item", {}));
  TRY(writer_->execute("RELEASE item", {}));
  return done;
}

Status SqliteDatabase::commit() {
  const int fault = base::fault_point("store.commit");
  if (fault == ENOSPC) {
    return fail(Code::kNoSpace, "the disk is full: " + options_.path,
                "free some space and try again");
  }
  if (fault != 0) {
    return fail(Code::kUnavailable, "the disk failed under the database: " + options_.path);
  }
  TRY(writer_->execute("COMMIT", {}));
  return {};
}

void SqliteDatabase::turn_read_only(const base::Error& why) {
  if (read_only_.exchange(true)) return;
  base::log_error("the database turned read-only: what the disk holds is unknown after a failure",
                  {{"path", options_.path}, {"error", why.text()}});
}

void SqliteDatabase::run_group(std::vector<Queued>& group) {
  if (read_only_.load()) {
    for (auto& item : group) {
      item.outcome = fail(Code::kUnavailable,
                          "the database is read-only after a disk failure: " + options_.path,
                          "look at the disk, then restart");
    }
    return;
  }
  Status whole;
  if (const auto begun = writer_->execute("BEGIN IMMEDIATE", {}); !begun)
    whole = tl::unexpected(begun.error());
  for (auto& item : group) {
    if (whole) item.outcome = run_one(item);
    // One failure that ended the transaction took everybody's statements with it.
    if (whole && !writer_->in_transaction()) whole = tl::unexpected(item.outcome.error());
  }
  const auto succeeded = [](const Queued& item) { return item.outcome.has_value(); };
  if (whole && std::none_of(group.begin(), group.end(), succeeded)) {
    static_cast<void>(writer_->run_script("ROLLBACK"));
  } else if (whole) {
    whole = commit();
    if (whole) commits_.fetch_add(1);
  }
  static_cast<void>(base::fault_point("store.acknowledge"));
  if (!whole) {
    for (auto& item : group) {
      if (item.outcome) item.outcome = whole;
    }
    const bool commit_unknown = whole.error().code != Code::kNoSpace && writer_->in_transaction();
    if (writer_->in_transaction()) static_cast<void>(writer_->run_script("ROLLBACK"));
    if (commit_unknown) turn_read_only(whole.error());
  }
  if (writer_->disk_failed()) {
    turn_read_only(whole ? base::Error{Code::kUnavailable, "disk failure", "", nullptr}
                         : whole.error());
  }
}

void SqliteDatabase::loop() {
  for (;;) {
    auto group = next_group();
    if (group.empty()) return;
    run_group(group);
    for (auto& item : group) item.done(std::move(item.outcome));
  }
}

Status SqliteDatabase::migrate(std::string_view room, std::span<const Migration> migrations) {
  const std::string name(room);
  return write([&](Writer& writer) -> Status {
    const auto key = params(name);
    TRY_ASSIGN(const Rows rows, writer.query("SELECT COALESCE(MAX(version), 0) FROM "
                                             "maru_migrations WHERE room = $1",
                                             key));
    const std::int64_t have = rows.at(0).integer(0);
    std::int64_t known = 0;
    for (const auto& migration : migrations) {
      known = std::max<std::int64_t>(known, migration.version);
    }
    if (have > known) {
      return fail(Code::kFailedPrecondition,
                  "the database was written by a newer maru: " + name + " is at version " +
                      std::to_string(have) + ", this program knows " + std::to_string(known),
                  "use the newer program, or restore the backup made before the upgrade");
    }
    for (const auto& migration : migrations) {
      if (migration.version <= have) continue;
      TRY(static_cast<GroupWriter&>(writer).run_script(migration.sql));
      const auto values = params(name, std::int64_t{migration.version});
      TRY(writer.execute("INSERT INTO maru_migrations (room, version) VALUES ($1, $2)", values));
    }
    return {};
  });
}

Status SqliteDatabase::backup_to(const std::string& path) {
  const std::string partial = path + ".part";
  static_cast<void>(::unlink(partial.c_str()));
  {
    TRY_ASSIGN(auto source, Connection::open(options_.path, Connection::Mode::kReader));
    TRY_ASSIGN(auto target, Connection::open(partial, Connection::Mode::kWriter));
    sqlite3_backup* copy = sqlite3_backup_init(target->handle(), "main", source->handle(), "main");
    if (copy == nullptr) return fail(Code::kInternal, "cannot start a backup: " + partial);
    const int stepped = sqlite3_backup_step(copy, -1);
    const int finished = sqlite3_backup_finish(copy);
    if (stepped != SQLITE_DONE || finished != SQLITE_OK) {
      static_cast<void>(::unlink(partial.c_str()));
      const bool full = (stepped & 0xff) == SQLITE_FULL;
      return fail(full ? Code::kNoSpace : Code::kUnavailable,
                  "the backup failed: " + path + ": " + sqlite3_errstr(stepped));
    }
  }
  TRY(base::sync_file(partial));
  return base::rename_durable(partial, path);
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  auto database = std::make_unique<SqliteDatabase>(options);
  TRY(database->start());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace maru::store
