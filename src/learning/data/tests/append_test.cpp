#include <atomic>
#include <thread>

#include "home.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Home;

namespace {

Table numbers(std::int64_t from, std::size_t count) {
  Column n;
  n.name = "n";
  n.type = ColumnType::kInteger;
  for (std::size_t i = 0; i < count; ++i) n.integers.push_back(from + static_cast<std::int64_t>(i));
  Table out;
  out.columns.push_back(std::move(n));
  return out;
}

struct Stream : Home {
  base::Result<ImportResult> push(const Table& rows, const std::string& key = {}) {
    AppendSpec spec;
    spec.from.dataset = "s";
    spec.rows = &rows;
    spec.source = "test";
    spec.key = key;
    return datasets->append(spec, context);
  }
  base::Result<ImportResult> push(const std::string& csv, bool fill_missing = false) {
    AppendSpec spec;
    spec.from.dataset = "s";
    spec.from.sources = {file("part.csv", csv)};
    spec.fill_missing = fill_missing;
    return datasets->append(spec, context);
  }
  Table all(const std::string& selector = "s") {
    const auto snapshot = datasets->resolve("default", selector);
    REQUIRE_MESSAGE(snapshot, (snapshot ? "" : snapshot.error().text()));
    auto table = datasets->read(*snapshot);
    REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
    CHECK(table->rows() == snapshot->rows);
    return std::move(*table);
  }
};

}  // namespace

TEST_CASE("an append shares the parent's parts, names it, and leaves it as it was") {
  Stream home;
  const auto first = home.push("a,b\n1,x\n2,y\n");
  REQUIRE_MESSAGE(first, (first ? "" : first.error().text()));
  CHECK(first->snapshot.parent.empty());
  const auto second = home.push("a,b\n3,z\n");
  REQUIRE_MESSAGE(second, (second ? "" : second.error().text()));
  CHECK(second->snapshot.number == 2);
  CHECK(second->snapshot.rows == 3);
  CHECK(second->snapshot.parent == first->snapshot.id);
  CHECK(second->snapshot.added.size() == 1);
  const auto whole = home.datasets->resolve("default", "s");
  REQUIRE(whole);
  REQUIRE(whole->parts.size() == 2);
  CHECK(whole->parts[0].sha256 == first->snapshot.added[0].sha256);
  CHECK(whole->manifest()["parent"].as_string() == first->snapshot.id);
  CHECK(whole->manifest()["added"].size() == 1);
  CHECK(home.all().columns[0].integers == std::vector<std::int64_t>{1, 2, 3});
  CHECK(home.all("s@1").columns[0].integers == std::vector<std::int64_t>{1, 2});
  const auto replaced = home.add("s", "new.csv", "a,b\n9,q\n");
  REQUIRE(replaced);
  CHECK(replaced->snapshot.number == 3);
  CHECK(home.push("a,b\n8,r\n")->snapshot.rows == 2);
  CHECK(home.all("s@2").rows() == 3);
  const auto info = home.datasets->get("default", "s");
  REQUIRE(info);
  CHECK(info->snapshot_count == 4);
  CHECK(info->snapshots.front().number == 4);
  CHECK(home.datasets->list("default")->front().snapshots.size() == 1);
}

TEST_CASE("a new append of the same rows is new rows; the same key is the same append") {
  Stream home;
  const Table rows = numbers(1, 3);
  REQUIRE(home.push(rows, "offset 0..3"));
  const auto again = home.push(rows, "offset 0..3");
  REQUIRE(again);
  CHECK(again->unchanged);
  CHECK(again->snapshot.number == 1);
  REQUIRE(home.push(rows));
  CHECK(home.all().rows() == 6);
}

TEST_CASE("the caller's writes and the rows become durable together, or neither") {
  Stream home;
  const store::Migration table[] = {{1, "CREATE TABLE offsets (at BIGINT NOT NULL)"}};
  REQUIRE(home.db->migrate("test", table));
  const Table rows = numbers(1, 3);
  AppendSpec spec;
  spec.from.dataset = "s";
  spec.rows = &rows;
  spec.in_transaction = [](store::Writer& writer, const Snapshot& snapshot) -> base::Status {
    TRY(writer.execute("INSERT INTO offsets (at) VALUES ($1)",
                       store::params(static_cast<std::int64_t>(snapshot.rows))));
    return {};
  };
  REQUIRE(home.datasets->append(spec, home.context));
  CHECK(home.db->query("SELECT at FROM offsets")->front().integer(0) == 3);
  auto good = spec.in_transaction;
  spec.in_transaction = [good](store::Writer& writer, const Snapshot& snapshot) -> base::Status {
    TRY(good(writer, snapshot));
    return base::fail(base::Code::kAborted, "another reader was faster");
  };
  CHECK(home.datasets->append(spec, home.context).error().code == base::Code::kAborted);
  CHECK(home.db->query("SELECT at FROM offsets")->size() == 1);
  CHECK(home.all().rows() == 3);
}

TEST_CASE("columns widen: a new one, integer to float; text takes whole numbers") {
  Stream home;
  REQUIRE(home.push("id,price,code,note\n1,10,00123,\n2,20,00456,\n"));
  const auto wider = home.push("price,id,code,note,extra\n1.5,3,789,hi,7\n");
  REQUIRE_MESSAGE(wider, (wider ? "" : wider.error().text()));
  CHECK(wider->snapshot.widened);
  CHECK(wider->notes.size() == 3);
  const Table all = home.all();
  REQUIRE(all.columns.size() == 5);
  CHECK(all.columns[0].name == "id");
  CHECK(all.columns[1].reals == std::vector<double>{10, 20, 1.5});
  CHECK(all.columns[2].text(2) == "789");
  CHECK(all.columns[3].text(2) == "hi");
  CHECK(all.columns[4].name == "extra");
  CHECK(all.columns[4].missing() == 2);
  CHECK(home.all("s@1").columns[1].type == ColumnType::kInteger);
  REQUIRE(home.push("id,price,code,note,extra\n4,2,1,,\n"));
  CHECK(home.all().columns[1].reals.back() == 2);
  CHECK(home.all().columns[0].integers == std::vector<std::int64_t>{1, 2, 3, 4});
}

TEST_CASE("what does not fit is refused by name and leaves nothing behind") {
  Stream home;
  REQUIRE(home.push("id,price,when\n9007199254740993,10,2026-01-01\n2,20,2026-01-02\n"));
  const auto wrong = home.push("id,price,when\n0.5,abc,2026-01-03\n");
  REQUIRE_FALSE(wrong);
  CHECK(
      wrong.error().message ==
      "columns do not fit s@1: id (whole numbers beyond 2^53 so far, now float), price (integer so "
      "far, now text)");
  const auto absent = home.push("id,when\n3,2026-01-03\n");
  REQUIRE_FALSE(absent);
  CHECK(absent.error().message == "columns of s@1 are not in the new rows: price");
  CHECK(absent.error().hint == "--fill-missing leaves them empty");
  const auto cased = home.push("id,Price,price,when\n3,1,1,2026-01-03\n", true);
  REQUIRE_FALSE(cased);
  CHECK(cased.error().message.find("so far written price") != std::string::npos);
  CHECK(home.datasets->resolve("default", "s")->number == 1);
  const auto filled = home.push("id,when\n3,2026-01-03\n", true);
  REQUIRE_MESSAGE(filled, (filled ? "" : filled.error().text()));
  CHECK(home.all().columns[1].missing() == 1);
  CHECK(home.push("id,price,when\n").error().message.find("no rows") != std::string::npos);
}

TEST_CASE("thousands of small appends are merged; rows, ids and older snapshots stay") {
  Stream home;
  std::vector<std::string> ids;
  constexpr int kAppends = 300;
  for (int i = 0; i < kAppends; ++i) {
    const auto done = home.push(numbers(i * 10, 10));
    REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
    ids.push_back(done->snapshot.id);
    if (i % 20 == 19) REQUIRE(home.datasets->compact_ragged(home.context));
  }
  const auto newest = home.datasets->resolve("default", "s");
  REQUIRE(newest);
  CHECK(newest->parts.size() < 40);
  CHECK(newest->id == ids.back());
  const Table all = home.all();
  REQUIRE(all.rows() == kAppends * 10);
  for (std::size_t i = 0; i < all.rows(); ++i)
    REQUIRE(all.columns[0].integers[i] == static_cast<std::int64_t>(i));
  for (const int number : {1, 15, 20, 21, 160, 299}) {
    const auto old = home.datasets->resolve("default", "s@" + std::to_string(number));
    REQUIRE(old);
    CHECK(old->id == ids[static_cast<std::size_t>(number) - 1]);
    CHECK(home.all("s@" + std::to_string(number)).rows() == static_cast<std::size_t>(number) * 10);
    for (const auto& part : old->parts) CHECK(*home.datasets->uses(part.sha256));
  }
}

TEST_CASE("appends at once are all kept") {
  Stream home;
  std::atomic<int> failed{0};
  const auto work = [&](int who) {
    for (int i = 0; i < 10; ++i) {
      const Table rows = numbers(who * 1000 + i, 1);
      base::Context context;
      AppendSpec spec;
      spec.from.dataset = "s";
      spec.rows = &rows;
      if (!home.datasets->append(spec, context)) ++failed;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int who = 0; who < 4; ++who) threads.emplace_back(work, who);
  }
  CHECK(failed == 0);
  const Table all = home.all();
  CHECK(all.rows() == 40);
  CHECK(std::set<std::int64_t>(all.columns[0].integers.begin(), all.columns[0].integers.end())
            .size() == 40);
}
