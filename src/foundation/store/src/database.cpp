#include "maru/store/database.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "maru/base/log.h"
#include "connection.h"

namespace maru::store {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::int64_t kMaxWindowUs = 5000;

// Statements of one callback on the writer's connection.
class ConnectionWriter final : public Writer {
 public:
  explicit ConnectionWriter(Connection& connection) : connection_(connection) {}
  Result<Rows> query(std::string_view sql, std::span<const Value> params) override { return connection_.query(sql, params); }
  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> params) override { return connection_.execute(sql, params); }

 private:
  Connection& connection_;
};

struct Queued {
  Database::Write callback;
  std::function<void(Status)> done;
  Status outcome;
};

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(DatabaseOptions options) : options_(std::move(options)) {}

  ~SqliteDatabase() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  Status start() {
    // A private in-memory database cannot be shared by name between connections, so tests get a shared-cache one.
    path_ = options_.path;
    if (path_ == ":memory:") path_ = "file:maru-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)) + "?mode=memory&cache=shared";
    TRY_ASSIGN(writer_, Connection::open(path_, Connection::Mode::kWriter));
    TRY(check_integrity());
    TRY(writer_->run_script("CREATE TABLE IF NOT EXISTS maru_migrations (room TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (room, version))"));
    thread_ = std::jthread([this] { loop(); });
    return {};
  }

  Result<Rows> query(std::string_view sql, std::span<const Value> params) override {
    TRY_ASSIGN(auto connection, take_reader());
    auto rows = connection->query(sql, params);
    give_back(std::move(connection));
    return rows;
  }

  Status write(Write callback) override {
    struct Waiting {
      std::mutex mutex;
      std::condition_variable ready;
      bool finished = false;
      Status outcome;
    } waiting;
    write_async(std::move(callback), [&waiting](Status outcome) {
      const std::lock_guard lock(waiting.mutex);
      waiting.outcome = std::move(outcome);
      waiting.finished = true;
      waiting.ready.notify_one();
    });
    std::unique_lock lock(waiting.mutex);
    waiting.ready.wait(lock, [&waiting] { return waiting.finished; });
    return std::move(waiting.outcome);
  }

  void write_async(Write callback, std::function<void(Status)> done) override {
    {
      std::unique_lock lock(mutex_);
      if (!stopping_ && queue_.size() < options_.queue_limit) {
        queue_.push_back({std::move(callback), std::move(done), {}});
        lock.unlock();
        wake_.notify_one();
        return;
      }
    }
    done(base::fail(Code::kUnavailable, "too many writes are waiting", "try again shortly"));
  }

  Status migrate(std::string_view room, std::span<const Migration> migrations) override;

  bool read_only() const override { return read_only_.load(); }

  Status backup_to(const std::string& path) override {
    TRY_ASSIGN(auto connection, Connection::open(path_, Connection::Mode::kWriter));
    const auto target = params(path);
    TRY(connection->execute("VACUUM INTO $1", target));
    return {};
  }

  std::uint64_t commits() const override { return commits_.load(); }

 private:
  // After a clean close SQLite leaves no log behind; with one, or on damage, the pages are looked through.
  Status check_integrity() {
    auto rows = writer_->query("PRAGMA quick_check(1)", {});
    const bool good = rows && !rows->empty() && rows->front().text(0) == "ok";
    if (good) return {};
    const std::string why = rows ? rows->front().text(0) : rows.error().message;
    return base::fail(Code::kDataLoss, "database is damaged: " + options_.path + " (" + why + ")", "restore it from a backup");
  }

  Result<std::unique_ptr<Connection>> take_reader() {
    {
      const std::lock_guard lock(readers_mutex_);
      if (!readers_.empty()) {
        auto connection = std::move(readers_.back());
        readers_.pop_back();
        return connection;
      }
    }
    return Connection::open(path_, Connection::Mode::kReader);
  }

  void give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(readers_mutex_);
    if (readers_.size() < options_.readers) readers_.push_back(std::move(connection));
  }

  std::vector<Queued> next_group();
  void run_group(std::vector<Queued>& group);
  Status run_one(Queued& item);
  Status commit();
  void loop();

  DatabaseOptions options_;
  std::string path_;
  std::unique_ptr<Connection> writer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Queued> queue_;
  bool stopping_ = false;
  std::atomic<bool> read_only_{false};
  std::atomic<std::uint64_t> commits_{0};
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> readers_;
  std::jthread thread_;
};

// What is queued now, and for a busy queue what arrives within the window. A lone writer does not wait: while one group is being
// synced the next one gathers by itself.
std::vector<Queued> SqliteDatabase::next_group() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (queue_.size() > 1 && !stopping_) {
    const auto window = std::chrono::microseconds(std::min(options_.group_window_us, kMaxWindowUs));
    wake_.wait_for(lock, window, [this] { return stopping_ || queue_.size() >= options_.group_limit; });
  }
  std::vector<Queued> group;
  while (!queue_.empty() && group.size() < options_.group_limit) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

Status SqliteDatabase::run_one(Queued& item) {
  TRY(writer_->run_script("SAVEPOINT item"));
  ConnectionWriter writer(*writer_);
  Status done;
  try {
    done = item.callback(writer);
  } catch (const std::exception& error) {
    done = base::fail(Code::kInternal, std::string("a write failed unexpectedly: ") + error.what());
  }
  if (!done) TRY(writer_->run_script("ROLLBACK TO item"));
  TRY(writer_->run_script("RELEASE item"));
  return done;
}

Status SqliteDatabase::commit() {
  const int fault = base::fault_point("store.commit");
  if (fault == ENOSPC) return base::fail(Code::kNoSpace, "database: disk is full");
  if (fault != 0) return base::fail(Code::kInternal, "database: commit failed");
  return writer_->run_script("COMMIT");
}

void SqliteDatabase::run_group(std::vector<Queued>& group) {
  if (read_only_.load()) {
    for (auto& item : group) item.outcome = base::fail(Code::kUnavailable, "database is read-only after a failed write to disk", "check the disk, then start maru again");
    return;
  }
  Status begun = writer_->run_script("BEGIN IMMEDIATE");
  for (auto& item : group) item.outcome = begun ? run_one(item) : begun;
  if (!begun) return;
  const Status committed = commit();
  if (committed) {
    commits_.fetch_add(1);
    return;
  }
  if (auto undone = writer_->run_script("ROLLBACK"); !undone) base::log_error("rollback failed", {{"error", undone.error().text()}});
  // Whether the pages reached the disk is unknown after a failed sync, so nothing more may be promised. A full disk is known, and recovers.
  if (committed.error().code != Code::kNoSpace) {
    read_only_.store(true);
    base::log_error("database turned read-only: a commit failed", {{"path", options_.path}, {"error", committed.error().text()}});
  }
  for (auto& item : group) {
    if (item.outcome) item.outcome = committed;
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
    TRY_ASSIGN(const Rows rows, writer.query("SELECT COALESCE(MAX(version), 0) FROM maru_migrations WHERE room = $1", key));
    const std::int64_t have = rows.at(0).integer(0);
    const int newest = migrations.empty() ? 0 : migrations.back().version;
    if (have > newest) {
      return base::fail(Code::kFailedPrecondition, "database was written by a newer maru: room " + name + " has version " + std::to_string(have) + ", this program knows " + std::to_string(newest), "use the newer program");
    }
    for (const auto& migration : migrations) {
      if (migration.version <= have) continue;
      TRY(writer_->run_script(std::string(migration.sql)));
      const auto values = params(name, std::int64_t{migration.version});
      TRY(writer.execute("INSERT INTO maru_migrations (room, version) VALUES ($1, $2)", values));
    }
    return {};
  });
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  auto database = std::make_unique<SqliteDatabase>(options);
  TRY(database->start());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace maru::store
