#include "home.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Home;

TEST_CASE("a snapshot is named by its content and numbered by people") {
  Home home;
  const auto first = home.add("people", "p.csv", "name,born\nKim,1990\nLee,1985\n");
  REQUIRE_MESSAGE(first, (first ? "" : first.error().text()));
  CHECK(first->snapshot.number == 1);
  CHECK(first->snapshot.id.size() == 64);
  CHECK(first->snapshot.rows == 2);
  const auto same = home.add("people", "other.csv", "name,born\nKim,1990\nLee,1985\n");
  REQUIRE(same);
  CHECK(same->unchanged);
  CHECK(same->snapshot.id == first->snapshot.id);
  const auto second = home.add("people", "p.csv", "name,born\nKim,1990\nLee,1985\nAda,1815\n");
  REQUIRE(second);
  CHECK(second->snapshot.number == 2);
  CHECK_FALSE(second->unchanged);
  const auto back = home.add("people", "p.csv", "name,born\nKim,1990\nLee,1985\n");
  REQUIRE(back);
  CHECK(back->snapshot.number == 3);
  CHECK(back->snapshot.parts[0].sha256 == first->snapshot.parts[0].sha256);
  CHECK(home.datasets->resolve("default", "people")->number == 3);
  CHECK(home.datasets->resolve("default", "people@2")->id == second->snapshot.id);
  CHECK(home.datasets->resolve("default", "people@" + second->snapshot.id.substr(0, 12))->number ==
        2);
  CHECK(home.datasets->resolve("default", first->snapshot.id)->number == 1);
  const auto missing = home.datasets->resolve("default", "poeple");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == base::Code::kNotFound);
  CHECK(missing.error().hint.find("people") != std::string::npos);
  CHECK(home.datasets->list("default")->front().snapshot_count == 3);
}

TEST_CASE("reading keeps rows in order, by column and by limit") {
  Home home;
  std::string text = "i,t\n";
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i) + ",t" + std::to_string(i % 7) + "\n";
  const auto made = home.add("rows", "r.csv", text);
  REQUIRE(made);
  const auto table = home.datasets->read(made->snapshot);
  REQUIRE(table);
  REQUIRE(table->rows() == 300'000);
  bool ordered = true;
  for (std::size_t i = 0; i < table->rows(); ++i)
    ordered = ordered && table->columns[0].integers[i] == static_cast<std::int64_t>(i);
  CHECK(ordered);
  CHECK(home.datasets->read(made->snapshot, {"t"}, 5)->rows() == 5);
  const auto wrong = home.datasets->read(made->snapshot, {"tt"});
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == base::Code::kNotFound);
}

TEST_CASE("SQL over snapshots") {
  Home home;
  const auto a = home.add("a", "a.csv", "k,x\n1,10\n2,20\n3,30\n");
  const auto b = home.add("b", "b.csv", "k,y\n1,0.5\n3,1.5\n");
  REQUIRE(a);
  REQUIRE(b);
  ImportSpec spec;
  spec.dataset = "joined";
  spec.inputs = {{"a", a->snapshot.id}, {"b", b->snapshot.id}};
  spec.sql = "select a.*, b.y from a left join b using (k) order by k;";
  const auto made = home.datasets->import(spec, home.context);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  const auto table = home.datasets->read(made->snapshot);
  REQUIRE(table);
  CHECK(table->find("y")->missing() == 1);
  CHECK(table->find("y")->type == ColumnType::kFloat);
  CHECK(home.datasets->import(spec, home.context)->unchanged);
  spec.sql = "select a.xx from a";
  const auto wrong = home.datasets->import(spec, home.context);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().text().find('\n') == std::string::npos);
  CHECK(wrong.error().text().find("xx") != std::string::npos);
  spec.sql = "drop table a";
  CHECK_FALSE(home.datasets->import(spec, home.context));
}

TEST_CASE("Parquet types become the five column types") {
  Home home;
  REQUIRE(home.engine->write_parquet(
      "SELECT 3::UBIGINT AS u, 18446744073709551615::UBIGINT AS v, 1.5::DECIMAL(9,2) AS d, DATE "
      "'1970-01-02' AS day, 7::UTINYINT AS i",
      home.path("t.parquet")));
  ImportSpec spec;
  spec.dataset = "t";
  spec.sources = {home.path("t.parquet")};
  const auto made = home.datasets->import(spec, home.context);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  std::string types;
  for (const auto& column : made->snapshot.columns)
    types += std::string(type_name(column.type)) + " ";
  CHECK(types == "integer text float timestamp integer ");
}

TEST_CASE("attachments and schemas: newest wins") {
  Home home;
  const auto made = home.add("d", "d.csv", "a\n1\n");
  REQUIRE(made);
  CHECK_FALSE(home.datasets->attachment(made->snapshot.id, "profile"));
  REQUIRE(home.datasets->attach(made->snapshot.id, "profile", base::Json::object({{"rows", 1}})));
  REQUIRE(home.datasets->attach(made->snapshot.id, "profile", base::Json::object({{"rows", 2}})));
  CHECK((*home.datasets->attachment(made->snapshot.id, "profile"))["rows"].as_int() == 2);
  REQUIRE(home.datasets->put_schema("default", "d", base::Json::object({{"v", 1}})));
  REQUIRE(home.datasets->put_schema("default", "d", base::Json::object({{"v", 2}})));
  CHECK((*home.datasets->schema("default", "d"))["v"].as_int() == 2);
  CHECK_FALSE(home.datasets->schema("default", "e"));
}

TEST_CASE("seven months of flights import, the same twice") {
  const std::string folder = test::shared_folder() + "/data/nycflights";
  if (!base::path_exists(folder)) {
    MESSAGE("skipped: no shared data folder");
    return;
  }
  Home home;
  ImportSpec spec;
  spec.dataset = "flights";
  spec.sources = {folder + "/flights_2013_0[1-7].parquet"};
  const std::int64_t start_ns = base::system_clock().monotonic_ns();
  const auto made = home.datasets->import(spec, home.context);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  MESSAGE("import of " << made->snapshot.rows << " rows: "
                       << (base::system_clock().monotonic_ns() - start_ns) / 1'000'000 << " ms");
  CHECK(made->snapshot.rows > 190'000);
  CHECK(home.datasets->import(spec, home.context)->unchanged);
}
