#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "maru/base/fault.h"
#include "maru/base/file.h"
#include "segments.h"
#include "stand.h"

using namespace maru;
using namespace maru::monitor;
using namespace maru::monitor::test;

namespace {
std::size_t segment_files(const std::string& folder) {
  std::size_t out = 0;
  const auto endpoints = base::list_folder(folder);
  for (const auto& endpoint : *endpoints) {
    const auto segments = recover_segments(base::join_path(folder, endpoint));
    REQUIRE(segments);
    out += segments->size();
  }
  return out;
}
}  // namespace

TEST_CASE("what is appended is read back: waiting, flushed, and after a restart") {
  Stand stand;
  auto rows = make_rows(stand.clock, 100, 1);
  rows[3].texts[0].clear();
  rows[4].numbers[0] = std::numeric_limits<double>::quiet_NaN();
  const std::string id = rows[7].id, other = rows[90].id;
  append_rows(*stand.log, "flights/arrival", schema(), std::move(rows));
  for (int turn = 0; turn < 3; ++turn) {
    CAPTURE(turn);
    const auto table = stand.log->read("flights/arrival", 0, INT64_MAX, 0);
    REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
    REQUIRE(table->rows() == 100);
    CHECK(table->columns[0].name == "id");
    CHECK(table->columns[1].type == data::ColumnType::kTimestamp);
    CHECK(table->find("distance")->missing() == 1);
    CHECK(table->find("carrier")->missing() == 1);
    CHECK(table->find("input.id") != nullptr);
    CHECK(table->columns[1].integers.front() > table->columns[1].integers.back());  // newest first
    CHECK(stand.log->read("flights/arrival", 0, INT64_MAX, 5)->rows() == 5);
    const auto found = stand.log->find("flights/arrival", {id});
    REQUIRE(found);
    REQUIRE(found->rows() == 1);
    CHECK(found->find("score")->reals[0] == doctest::Approx(0.07));
    CHECK(found->find("input.id")->text(0) == "in-7");
    CHECK(stand.log->find("flights/arrival", {"no-such-id"})->rows() == 0);
    CHECK(stand.log->find("flights/arrival", {id, "no-such-id", other})->rows() == 2);
    CHECK(stand.log->find("flights/arrival", {})->rows() == 0);
    CHECK(*stand.log->count("flights/arrival", 0, INT64_MAX) == 100);
    if (turn == 0) {
      REQUIRE(stand.log->flush());
      CHECK(stand.log->counts("flights/arrival").written == 100);
      CHECK(segment_files(stand.folder + "/log") == 1);
    } else {
      stand.reopen();
    }
  }
  CHECK(stand.log->read("other", 0, INT64_MAX, 0)->rows() == 0);
}

TEST_CASE("ranges, limits, counts and samples over segments and memory") {
  Stand stand;
  std::vector<std::int64_t> times;
  for (int part = 0; part < 5; ++part) {
    auto rows = make_rows(stand.clock, 200, part);
    for (const auto& row : rows) times.push_back(row.time_us);
    append_rows(*stand.log, "e", schema(), std::move(rows));
    stand.clock.advance_us(1'500'000'000);
    if (part < 4) REQUIRE(stand.log->flush());
  }
  const std::int64_t from = times[150], to = times[650];
  CHECK(*stand.log->count("e", from, to) == 500);
  CHECK(stand.log->read("e", from, to, 0)->rows() == 500);
  const auto newest = stand.log->read("e", from, to, 120);
  REQUIRE(newest->rows() == 120);
  CHECK(newest->find("time")->integers.front() == times[649]);
  CHECK(newest->find("time")->integers.back() == times[530]);
  CHECK(stand.log->first_time("e", times[200] - 1) == times[200]);
  CHECK(stand.log->first_time("e", times.back() + 1) == INT64_MAX);
  LogQuery query;
  query.sample = 300;
  query.columns = {"id", "score"};
  const auto sample = stand.log->query("e", query);
  REQUIRE(sample);
  CHECK(sample->columns.size() == 2);
  CHECK(sample->rows() > 200);
  CHECK(sample->rows() < 400);
}

TEST_CASE("small segments of an hour are merged and lose nothing; schemas may change") {
  Stand stand;
  std::set<std::string> ids;
  for (int i = 0; i < 40; ++i) {
    auto rows = make_rows(stand.clock, 3, i);
    for (const auto& row : rows) ids.insert(row.id);
    append_rows(*stand.log, "e", schema(), std::move(rows));
    REQUIRE(stand.log->flush());
  }
  LogSchema more = *schema();
  more.inputs.emplace_back("extra", data::ColumnType::kFloat);
  const SchemaPtr wider = std::make_shared<const LogSchema>(more);
  auto rows = make_rows(stand.clock, 3, 1);
  for (auto& row : rows) {
    row.numbers.push_back(5);
    ids.insert(row.id);
  }
  append_rows(*stand.log, "e", wider, std::move(rows));
  REQUIRE(stand.log->flush());
  CHECK(segment_files(stand.folder + "/log") <= 2 + 9);
  stand.reopen();
  const auto table = stand.log->read("e", 0, INT64_MAX, 0);
  REQUIRE(table);
  REQUIRE(table->rows() == ids.size());
  for (std::size_t i = 0; i < table->rows(); ++i)
    CHECK(ids.count(std::string(table->columns[0].text(i))) == 1);
  CHECK(table->find("extra")->missing() == ids.size() - 3);
}

TEST_CASE("a full queue sheds, with exact counts") {
  Stand stand(3'600'000);  // the writer comes only when asked
  base::set_faults("");
  std::uint64_t sent = 0;
  // Writing fails for as long as the disk is full, so that the queue cannot drain.
  stand.break_disk();
  for (int i = 0; i < 25; ++i) {
    auto rows = make_rows(stand.clock, 10'000, i);
    sent += rows.size();
    append_rows(*stand.log, "e", schema(), std::move(rows));
  }
  CHECK_FALSE(stand.log->flush());
  auto counts = stand.log->counts("e");
  CHECK(counts.accepted == kLogQueueRows);
  CHECK(counts.shed == sent - kLogQueueRows);
  CHECK(counts.written == 0);
  stand.mend_disk();
  REQUIRE(stand.log->flush());
  counts = stand.log->counts("e");
  CHECK(counts.written == counts.accepted);
  CHECK(*stand.log->count("e", 0, INT64_MAX) == kLogQueueRows);
  append_rows(*stand.log, "e", schema(), make_rows(stand.clock, 7, 1));
  CHECK(stand.log->counts("e").accepted == kLogQueueRows + 7);
}

TEST_CASE("unfinished files and covered ones are removed at start") {
  Stand stand;
  for (int i = 0; i < 20; ++i) {
    append_rows(*stand.log, "e", schema(), make_rows(stand.clock, 2, i));
    REQUIRE(stand.log->flush());
  }
  const auto before = recover_segments(stand.folder + "/log/e");
  REQUIRE(before);
  const Segment merged = before->front();
  REQUIRE(merged.last - merged.first == 15);
  // As if the machine had stopped between publishing the merged file and removing its sources.
  Segment source = merged;
  source.last = merged.first;
  const std::string hour = base::parent_path(merged.path);
  REQUIRE(base::write_file_atomic(hour + "/" + source.name(), *base::read_file(merged.path)));
  REQUIRE(base::write_file_atomic(hour + "/.tmp-0123.parquet", "half"));
  stand.reopen();
  CHECK(stand.log->read("e", 0, INT64_MAX, 0)->rows() == 40);
  CHECK_FALSE(base::path_exists(hour + "/.tmp-0123.parquet"));
  CHECK_FALSE(base::path_exists(hour + "/" + source.name()));
}

TEST_CASE("segments beyond retention go") {
  Stand stand;
  append_rows(*stand.log, "e", schema(), make_rows(stand.clock, 5, 1));
  REQUIRE(stand.log->flush());
  stand.clock.advance_us(31ll * 86'400'000'000);
  append_rows(*stand.log, "e", schema(), make_rows(stand.clock, 6, 1));
  REQUIRE(stand.log->flush());
  CHECK(stand.log->read("e", 0, INT64_MAX, 0)->rows() == 6);
  CHECK(segment_files(stand.folder + "/log") == 1);
}

TEST_CASE("appends from many threads while reading and flushing: nothing lost, nothing twice") {
  Stand stand;
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i)
        append_rows(*stand.log, "e", schema(), make_rows(stand.clock, 5, t));
    });
  }
  std::thread reader([&] {
    std::size_t last = 0;
    while (!stop) {
      const auto table = stand.log->read("e", 0, INT64_MAX, 0);
      CHECK(table);
      if (!table) break;
      CHECK(table->rows() >= last);
      last = table->rows();
      (void)stand.log->flush();
    }
  });
  for (auto& thread : threads) thread.join();
  stop = true;
  reader.join();
  REQUIRE(stand.log->flush());
  const auto table = stand.log->read("e", 0, INT64_MAX, 0);
  REQUIRE(table->rows() == 3000);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < table->rows(); ++i)
    ids.insert(std::string(table->columns[0].text(i)));
  CHECK(ids.size() == 3000);
  CHECK(stand.log->counts("e").written == 3000);
}

#ifdef __SANITIZE_THREAD__
constexpr bool kMayFork =
    false;  // DuckDB's allocator holds more locks over a fork than ThreadSanitizer can count
#else
constexpr bool kMayFork = true;
#endif

TEST_CASE("flushed rows and acknowledged labels survive a kill" * doctest::skip(!kMayFork)) {
  const Folder folder;
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_ends[0]);
    {
      auto opened = std::make_unique<Stand>(2000, folder.path);
      Stand& stand = *opened;
      auto rows = make_rows(stand.clock, 50, 1);
      std::vector<Feedback> labels;
      for (const auto& row : rows) labels.push_back({row.id, "1"});
      append_rows(*stand.log, "e", schema(), std::move(rows));
      const bool done = stand.log->flush() && stand.monitor->feedback("e", labels);
      append_rows(*stand.log, "e", schema(),
                  make_rows(stand.clock, 9, 1));  // accepted, not yet durable
      const char word = done ? 'y' : 'n';
      (void)!::write(pipe_ends[1], &word, 1);
      ::kill(::getpid(), SIGKILL);
    }
    ::_exit(1);
  }
  ::close(pipe_ends[1]);
  char word = 0;
  REQUIRE(::read(pipe_ends[0], &word, 1) == 1);
  ::close(pipe_ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(word == 'y');
  Stand stand(2000, folder.path);
  const auto table = stand.log->read("e", 0, INT64_MAX, 0);
  REQUIRE(table);
  CHECK(table->rows() >= 50);
  CHECK(stand.monitor->labelled_rows("e", 0, INT64_MAX)->rows() == 50);
}

TEST_CASE("what does not fit is shed with its reason, and a row's whole call is read back") {
  Stand stand;
  auto rows = make_rows(stand.clock, 3, 1);
  rows[0].trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  rows[0].cpu_us = 12.5;
  rows[0].post_us = 3;
  rows[0].score = std::numeric_limits<double>::quiet_NaN();
  rows[1].texts[0] = std::string(kLogRowBytes - 1000, 'x');
  rows[2].texts[0] = std::string(kLogRowBytes, 'x');
  const std::string first = rows[0].id;
  append_rows(*stand.log, "e", schema(), std::move(rows));
  const LogCounts counts = stand.log->counts("e");
  CHECK(counts.accepted == 2);
  CHECK(counts.shed == 1);
  CHECK(counts.shed_by[static_cast<std::size_t>(ShedReason::kRowBytes)] == 1);
  for (int turn = 0; turn < 2; ++turn) {
    LogQuery query;
    query.whole = true;
    query.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    query.limit = 5;
    const auto table = stand.log->query("e", query);
    REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
    REQUIRE(table->rows() == 1);
    CHECK(table->find("id")->text(0) == first);
    CHECK(table->find("cpu_us")->reals[0] == 12.5);
    CHECK(table->find("post_us")->integers[0] == 3);
    CHECK_FALSE(table->find("score")->is_valid(0));
    CHECK(table->find("input.id") != nullptr);
    CHECK(input_name("input.id") == "id");
    query.trace_id = std::string(32, 'f');
    CHECK(stand.log->query("e", query)->rows() == 0);
    REQUIRE(stand.log->flush());
  }
}

TEST_CASE("the bytes that wait are bounded, and free again once written") {
  Stand stand(3'600'000);
  base::set_faults("");
  stand.break_disk();
  std::uint64_t sent = 0;
  for (int i = 0; i < 130; ++i) {
    auto rows = make_rows(stand.clock, 20, i);
    for (LoggedRow& row : rows) row.texts[0] = std::string(60'000, 'x');
    sent += rows.size();
    append_rows(*stand.log, "e", schema(), std::move(rows));
  }
  auto counts = stand.log->counts("e");
  CHECK(counts.accepted <= kLogQueueBytes / 60'000);
  CHECK(counts.accepted > kLogQueueBytes / 62'000);
  CHECK(counts.shed_by[static_cast<std::size_t>(ShedReason::kQueueBytes)] == counts.shed);
  CHECK(counts.accepted + counts.shed == sent);
  CHECK_FALSE(stand.log->flush());
  stand.mend_disk();
  REQUIRE(stand.log->flush());
  append_rows(*stand.log, "e", schema(), make_rows(stand.clock, 7, 1));
  CHECK(stand.log->counts("e").accepted == counts.accepted + 7);
}

TEST_CASE("a call of many rows is logged as one, and what does not fit of it is left out") {
  Stand stand;
  LoggedCall call;
  call.id = base::new_id(stand.clock);
  call.time_us = stand.clock.now_us();
  call.principal = "mina";
  call.version = 4;
  call.rows = 4;
  call.scores = {0.1, 0.9, 0.2, std::numeric_limits<double>::quiet_NaN()};
  call.predicted = {0, 1, 0, 1};
  call.classes =
      std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"on time", "late"});
  call.numbers = {1, 2, 3, std::numeric_limits<double>::quiet_NaN()};
  call.texts = {"AA", std::string(kLogRowBytes, 'x'), "", "UA", "in-0", "in-1", "in-2", "in-3"};
  call.times = {5, 6, std::numeric_limits<std::int64_t>::min(), 8};
  const std::string id = call.id;
  stand.log->append("e", schema(), std::move(call));
  const LogCounts counts = stand.log->counts("e");
  CHECK(counts.accepted == 3);
  CHECK(counts.shed_by[static_cast<std::size_t>(ShedReason::kRowBytes)] == 1);
  for (int turn = 0; turn < 2; ++turn) {
    const auto table = stand.log->find("e", {id});
    REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
    REQUIRE(table->rows() == 3);
    const auto text = [&](const char* column, std::size_t row) {
      return table->find(column)->display(row);
    };
    CHECK(text("id", 0) == id);
    CHECK(text("id", 1) == id + "-2");
    CHECK(text("id", 2) == id + "-3");
    CHECK(text("prediction", 1) == "on time");
    CHECK(text("prediction", 2) == "late");
    CHECK(text("principal", 2) == "mina");
    CHECK(text("version", 2) == "4");
    CHECK(text("score", 1) == "0.2");
    CHECK_FALSE(table->find("score")->is_valid(2));
    CHECK(text("distance", 1) == "3.0");
    CHECK_FALSE(table->find("distance")->is_valid(2));
    CHECK(text("carrier", 0) == "AA");
    CHECK_FALSE(table->find("carrier")->is_valid(1));
    CHECK(text("input.id", 2) == "in-3");
    CHECK_FALSE(table->find("leaves")->is_valid(1));
    CHECK(table->find("leaves")->integers[2] == 8);
    REQUIRE(stand.log->flush());
  }
}
