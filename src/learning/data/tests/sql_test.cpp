#include "maru/data/sql.h"

#include "home.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Home;

namespace {

struct Sql : Home {
  SqlOptions options;
  Sql() {
    options.temp_folder = path("tmp");
    REQUIRE(add("sales", "1.csv", "id,city,fare\n1,서울,10\n2,Busan,20\n"));
    REQUIRE(add("sales", "2.csv", "id,city,fare\n1,서울,10\n2,Busan,25\n3,Daegu,7\n"));
    REQUIRE(add("cities", "c.csv", "city,people\nBusan,3\nDaegu,2\n"));
  }
  base::Result<Table> ask(const std::string& sql) {
    TRY_ASSIGN(const auto query, SqlQuery::open(*datasets, sql, options, context));
    Table all;
    for (;;) {
      TRY_ASSIGN(Table rows, query->next(1000));
      if (rows.rows() == 0) return all.columns.empty() ? rows : all;
      CHECK(rows.columns.size() == query->columns().size());
      if (all.columns.empty()) all = std::move(rows);
    }
  }
  std::string one(const std::string& sql) {
    const auto table = ask(sql);
    return table ? table->columns.at(0).display(0) : "! " + table.error().text();
  }
  base::Error refused(const std::string& sql) {
    const auto table = ask(sql);
    REQUIRE_MESSAGE(!table, sql);
    return table.error();
  }
};

}  // namespace

TEST_CASE("datasets and snapshots are tables by their names") {
  Sql home;
  CHECK(home.one("SELECT sum(fare) FROM sales") == "42");
  CHECK(home.one("SELECT sum(fare) FROM \"sales@1\"") == "30");
  CHECK(home.one("SELECT sum(people) FROM sales JOIN cities USING (city)") == "5");
  CHECK(home.one("SELECT b.fare - a.fare FROM \"sales@1\" a JOIN \"sales@2\" b USING (id) WHERE "
                 "b.fare <> a.fare -- the end") == "5");
  REQUIRE(home.datasets->catalogue().tag("default", "sales@1", "gold", "kim"));
  CHECK(home.one("WITH s AS (SELECT * FROM \"sales@gold\") SELECT count(*) FROM s;") == "2");
  CHECK(home.one("SELECT city FROM sales WHERE city = '서울'") == "서울");
  const auto query = SqlQuery::open(*home.datasets, "SELECT id, id, fare AS \"ID\" FROM sales",
                                    home.options, home.context);
  REQUIRE(query);
  CHECK((*query)->columns()[1].name == "id_2");
  CHECK((*query)->columns()[2].name == "ID_3");
  CHECK((*query)->inputs().at("sales").number == 2);
  const auto inputs =
      sql_inputs(*home.datasets, "SELECT * FROM sales, \"sales@1\", nothing", "default");
  REQUIRE(inputs);
  CHECK(inputs->size() == 2);
}

TEST_CASE("types without a column of their own come as text, whole") {
  Sql home;
  CHECK(home.one("SELECT 9223372036854775807::UBIGINT + 1::UBIGINT") == "9223372036854775808");
  CHECK(home.one("SELECT [1, 2]") == "[1, 2]");
  CHECK(home.one("SELECT {'a': 1}") == "{'a': 1}");
  CHECK(home.one("SELECT 1.5::DECIMAL(10,2)") == "1.5");
  CHECK(home.one("EXPLAIN SELECT * FROM sales").find("!") != 0);
}

TEST_CASE("nothing but the named datasets can be read, and nothing written") {
  Sql home;
  const std::string secret = home.file("secret.csv", "a\nhidden\n");
  const auto other = home.datasets->resolve("default", "cities");
  const auto blob = home.blobs->local_path(other->parts[0].sha256);
  REQUIRE(blob);
  for (const char* sql :
       {"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')", "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_csv('/etc/pass*')"}) {
    const auto error = home.refused(sql);
    CHECK_MESSAGE(error.code == base::Code::kPermissionDenied, sql << ": " << error.text());
  }
  CHECK(home.refused("SELECT * FROM read_csv('" + secret + "')").code ==
        base::Code::kPermissionDenied);
  CHECK(home.refused("SELECT * FROM sales, read_parquet('" + *blob + "')").code ==
        base::Code::kPermissionDenied);
  CHECK(home.refused("SELECT * FROM sales, read_parquet('" + home.path("blobs") + "/**')").code ==
        base::Code::kPermissionDenied);
  CHECK(home.refused("SELECT * FROM '/etc/passwd'").message == "no such dataset: /etc/passwd");
  for (const std::string& sql : std::vector<std::string>{
           "COPY sales TO '/tmp/maru_stolen.csv'", "ATTACH '/tmp/x.db'", "INSTALL httpfs",
           "LOAD httpfs", "SET enable_external_access = true", "CREATE TABLE t (a INT)",
           "INSERT INTO sales VALUES (1, 'x', 2)", "DELETE FROM sales", "DROP VIEW sales",
           "EXPORT DATABASE '/tmp/x'", "CALL pragma_version()", "RESET memory_limit",
           "UPDATE sales SET fare = 0", "CREATE SECRET s (TYPE s3)", "DETACH temp", "CHECKPOINT"}) {
    const auto table = home.ask(sql);
    CHECK_MESSAGE(!table, sql);
    if (!table)
      CHECK_MESSAGE((table.error().code == base::Code::kPermissionDenied ||
                     table.error().code == base::Code::kInvalidArgument),
                    sql << ": " << table.error().text());
  }
  CHECK_FALSE(base::path_exists("/tmp/maru_stolen.csv"));
  CHECK(home.refused("SELECT 1; SELECT 2").message == "one statement at a time, not 2");
  CHECK(home.refused("").message == "no SQL");
  CHECK(home.one("SELECT sum(fare) FROM sales") == "42");
}

TEST_CASE("wrong names come with near ones; wrong SQL with its reason") {
  Sql home;
  const auto error = home.refused("SELECT * FROM slaes");
  CHECK(error.code == base::Code::kNotFound);
  CHECK(error.message == "no such dataset: slaes");
  CHECK(error.hint.find("sales") != std::string::npos);
  CHECK(home.refused("SELECT * FROM \"sales@9\"").message == "no such snapshot: sales@9");
  CHECK(home.refused("SELECT frae FROM sales").hint.find("fare") != std::string::npos);
  CHECK(home.refused("SELEC 1").message.find("syntax error") != std::string::npos);
}

TEST_CASE("rows, time and the caller's patience are bounds") {
  Sql home;
  home.options.max_rows = 3;
  const auto query =
      SqlQuery::open(*home.datasets, "SELECT * FROM range(1000)", home.options, home.context);
  REQUIRE_MESSAGE(query, (query ? "" : query.error().text()));
  std::size_t rows = 0;
  for (;;) {
    const auto piece = (*query)->next(1000);
    REQUIRE(piece);
    if (piece->rows() == 0) break;
    rows += piece->rows();
  }
  CHECK(rows == 3);
  CHECK((*query)->truncated());
  home.options.timeout_ms = 200;
  const std::string endless =
      "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range % 7 = b.range % 5";
  CHECK(home.refused(endless).code == base::Code::kDeadlineExceeded);
  home.options.timeout_ms = 60'000;
  home.context.cancel.cancel();
  CHECK(home.refused(endless).code == base::Code::kCancelled);
}
