#include <limits>

#include "scratch.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Scratch;

TEST_CASE("SQL types become the five column types") {
  Scratch scratch;
  const auto table = scratch.engine->query(
      "SELECT true AS b, 7::TINYINT AS i, 18446744073709551615::UBIGINT AS u, 5::UBIGINT AS v, "
      "1.25::DECIMAL(9,2) AS d, 'x' AS t, DATE '1970-01-02' AS day, "
      "TIMESTAMP '1969-12-31 23:59:59.5' AS at, [1,2] AS l, NULL::DOUBLE AS n");
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(table->find("b")->type == ColumnType::kBool);
  CHECK(table->find("i")->integers[0] == 7);
  CHECK(table->find("u")->text(0) == "18446744073709551615");
  CHECK(table->find("v")->integers[0] == 5);
  CHECK(table->find("d")->reals[0] == 1.25);
  CHECK(table->find("day")->integers[0] == 86'400'000'000);
  CHECK(table->find("at")->integers[0] == -500'000);
  CHECK(table->find("l")->text(0) == "[1, 2]");
  CHECK(table->find("n")->missing() == 1);
}

// UndefinedBehaviorSanitizer sees a bool read from whatever byte lies under a missing row.
TEST_CASE("missing booleans, and days that no timestamp reaches") {
  Scratch scratch;
  const auto table = scratch.engine->query(
      "SELECT v > 15 AS late, v < 0 AND w > 1 AS both FROM (SELECT CASE WHEN i % 3 = 0 THEN NULL "
      "ELSE i END AS v, CASE WHEN i % 5 = 0 THEN NULL ELSE i * 0.5 END AS w FROM range(50000) "
      "r(i)) JOIN (SELECT DISTINCT k % 7 AS k FROM range(100) s(k)) ON v % 7 = k OR v IS NULL");
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  const Column& late = *table->find("late");
  CHECK(late.type == ColumnType::kBool);
  CHECK(late.missing() > 0);
  bool plain = true;
  for (const std::int64_t v : late.integers) plain = plain && (v == 0 || v == 1);
  CHECK(plain);
  const auto days = scratch.engine->query(
      "SELECT DATE 'infinity' AS a, DATE '-infinity' AS b, "
      "DATE '1969-12-31' AS c");
  REQUIRE_MESSAGE(days, (days ? "" : days.error().text()));
  CHECK(days->find("a")->integers[0] == std::numeric_limits<std::int64_t>::max());
  CHECK(days->find("b")->integers[0] == -std::numeric_limits<std::int64_t>::max());
  CHECK(days->find("c")->integers[0] == -86'400'000'000);
}

TEST_CASE("a table goes in and comes out the same") {
  Scratch scratch;
  const auto made = scratch.engine->query(
      "SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE 'v' || (i % 5) END AS t, i / 7.0 AS x FROM "
      "range(5000) r(i)");
  REQUIRE(made);
  REQUIRE(scratch.engine->register_table("my table", *made));
  REQUIRE(scratch.engine->register_table("my table", *made));
  const auto again = scratch.engine->query("SELECT * FROM \"my table\"");
  REQUIRE(again);
  CHECK(again->columns[0].integers == made->columns[0].integers);
  CHECK(again->columns[1].codes == made->columns[1].codes);
  CHECK(again->columns[1].dictionary == made->columns[1].dictionary);
  CHECK(again->columns[2].reals == made->columns[2].reals);
  REQUIRE(scratch.engine->drop("my table"));
  CHECK_FALSE(scratch.engine->query("SELECT * FROM \"my table\""));
}

TEST_CASE("errors are one line with near names") {
  Scratch scratch;
  REQUIRE(scratch.engine->execute("CREATE TABLE flights (origin VARCHAR, dest VARCHAR)"));
  const auto column = scratch.engine->query("SELECT orign FROM flights");
  REQUIRE_FALSE(column);
  CHECK(column.error().text().find('\n') == std::string::npos);
  CHECK(column.error().hint.find("origin") != std::string::npos);
  const auto table = scratch.engine->query("SELECT * FROM flihgts");
  REQUIRE_FALSE(table);
  CHECK(table.error().text().find("flights") != std::string::npos);
  base::Context context;
  context.cancel.cancel();
  const auto stopped = scratch.engine->query("SELECT 1", &context);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == base::Code::kCancelled);
}

TEST_CASE("take renumbers dictionaries in order of first appearance") {
  Scratch scratch;
  const auto table =
      scratch.engine->query("SELECT * FROM (VALUES ('a'), ('b'), (NULL), ('c')) v(t)");
  REQUIRE(table);
  const Table picked = table->take({3, 2, 1});
  CHECK(picked.columns[0].dictionary == std::vector<std::string>{"c", "b"});
  CHECK(picked.columns[0].codes == std::vector<std::int32_t>{0, -1, 1});
  CHECK(picked.columns[0].missing() == 1);
  CHECK(table->slice(3, 10).rows() == 1);
}
