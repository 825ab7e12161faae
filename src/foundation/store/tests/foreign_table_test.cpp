#include "maru/store/foreign_table.h"

#include <doctest/doctest.h>

#include "temp_folder.h"

namespace maru::store {

TEST_CASE("columns of a SQLite file have the type of all their cells") {
  const TempFolder folder;
  const std::string path = folder.file("theirs.db");
  {
    DatabaseOptions options;
    options.path = path;
    auto db = std::move(*Database::open(options));
    REQUIRE(db->write([](Writer& writer) -> base::Status {
                TRY(writer.execute("CREATE TABLE t (a INTEGER, b BOOLEAN, c, d DATETIME, e BLOB)"));
                TRY(
                    writer.execute("INSERT INTO t VALUES (1, 1, 'x', '2024-01-01', NULL), "
                                   "(NULL, 0, 2, NULL, NULL)"));
                TRY(writer.execute("CREATE TABLE raw (x BLOB)"));
                TRY(writer.execute("INSERT INTO raw VALUES (x'00ff')"));
                return {};
              }).has_value());
  }
  auto tables = ForeignTables::open(path);
  REQUIRE(tables.has_value());
  const auto columns = (*tables)->describe("SELECT * FROM \"t\"");
  REQUIRE(columns.has_value());
  CHECK((*columns)[0].type == ForeignType::kInteger);
  CHECK((*columns)[1].type == ForeignType::kBool);
  CHECK((*columns)[2].type == ForeignType::kText);
  CHECK((*columns)[3].type == ForeignType::kTime);
  CHECK((*(*tables)->describe("SELECT * FROM raw"))[0].type == ForeignType::kBytes);
  const auto absent = (*tables)->describe("SELECT * FROM absent");
  CHECK_MESSAGE(absent.error().code == base::Code::kNotFound, absent.error().text());
  CHECK_FALSE((*tables)->describe("DELETE FROM t RETURNING a").has_value());
  CHECK_FALSE((*tables)->describe("SELECT 1; DROP TABLE t").has_value());
  CHECK((*tables)->twin().error().code == base::Code::kUnimplemented);
}

TEST_CASE("servers of tables are told by their scheme, and named without passwords") {
  CHECK(is_table_server("mysql://h/d"));
  CHECK(is_table_server("mariadb://h/d"));
  CHECK(is_table_server("postgresql://h/d"));
  CHECK_FALSE(is_table_server("/a/mysql"));
  for (const char* url :
       {"mysql://u:s3cret@127.0.0.1:1/d", "postgresql://u:s3cret@127.0.0.1:1/d"}) {
    const auto gone = ForeignTables::open(url);
    REQUIRE_FALSE(gone.has_value());
    if (gone.error().code == base::Code::kFailedPrecondition) continue;  // not installed
    CHECK(gone.error().code == base::Code::kUnavailable);
    CHECK(gone.error().text().find("s3cret") == std::string::npos);
  }
  CHECK(ForeignTables::open("mysql://h").error().code == base::Code::kInvalidArgument);
  CHECK(ForeignTables::open("mysql://h:99999/d").error().code == base::Code::kInvalidArgument);
}

}  // namespace maru::store
