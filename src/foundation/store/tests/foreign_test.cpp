#include "maru/store/foreign.h"

#include <doctest/doctest.h>

#include "maru/base/file.h"
#include "temp_folder.h"

namespace maru::store {

TEST_CASE("a foreign file is read in one state, never written, and refused when it is none") {
  const TempFolder folder;
  const std::string path = folder.file("theirs.db");
  {
    DatabaseOptions options;
    options.path = path;
    auto db = std::move(*Database::open(options));
    REQUIRE(db->write([](Writer& writer) -> base::Status {
                TRY(writer.execute("CREATE TABLE t (a INTEGER)"));
                TRY(writer.execute("INSERT INTO t VALUES (1), (2)"));
                TRY(writer.execute("CREATE VIEW v AS SELECT a FROM t"));
                return {};
              }).has_value());
  }
  auto db = ForeignDatabase::open(path);
  REQUIRE(db.has_value());
  std::int64_t sum = 0;
  const auto read = (*db)->read([&](Reader& reader) {
    return reader.each("SELECT a FROM t", {}, [&](const Cursor& row) -> base::Status {
      sum += row.integer(0);
      return {};
    });
  });
  CHECK(read.has_value());
  CHECK(sum == 3);
  CHECK_FALSE((*db)->query("INSERT INTO t VALUES (3)").has_value());
  CHECK_FALSE((*db)->query("SELECT * FROM v").has_value());
  CHECK((*db)->query("SELECT * FROM t")->size() == 2);
  CHECK(ForeignDatabase::open(folder.file("none")).error().code == base::Code::kNotFound);
  REQUIRE(base::write_file_atomic(folder.file("text"), "no database").has_value());
  CHECK(ForeignDatabase::open(folder.file("text")).error().code == base::Code::kInvalidArgument);
  CHECK(ForeignDatabase::open(base::parent_path(path)).error().code ==
        base::Code::kInvalidArgument);
}

TEST_CASE("a server is named by its URL, and shown without its password") {
  for (const char* url : {"postgresql://h/db", "postgres://u@h:1/db", "postgresql+psycopg2://h/db"})
    CHECK(is_server_url(url));
  for (const char* path : {"/a/postgresql", "sqlite:///x.db", "mysql://h/db", "postgresql", ""})
    CHECK_FALSE(is_server_url(path));
  CHECK(without_password("postgresql://u:s3cret@h:5432/db") == "postgresql://u@h:5432/db");
  CHECK(without_password("postgresql://u:p:a@s@h/db") == "postgresql://u@h/db");
  CHECK(without_password("postgresql://h:5432/db?user=u&password=s3cret&x=1") ==
        "postgresql://h:5432/db?user=u&password=&x=1");
  CHECK(without_password("postgresql://h/db?password=s3cret") == "postgresql://h/db?password=");
  CHECK(without_password("postgresql://u@h") == "postgresql://u@h");
  CHECK(without_password("/a/b") == "/a/b");
}

TEST_CASE("a server that does not answer is named without its password") {
  const auto db = ForeignDatabase::open("postgresql://u:s3cret@127.0.0.1:1/db");
  REQUIRE_FALSE(db.has_value());
  if (db.error().code == base::Code::kFailedPrecondition) {
    MESSAGE("left out: libpq is not installed");
    return;
  }
  CHECK(db.error().code == base::Code::kUnavailable);
  CHECK(db.error().text().find("s3cret") == std::string::npos);
}

}  // namespace maru::store
