#include <cmath>

#include "maru/base/file.h"
#include "maru/data/row_format.h"
#include "maru/data/row_stream.h"
#include "scratch.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Scratch;

namespace {

constexpr std::size_t kRows = 5000;

// Every type, with holes in every other column, and a text column of nothing.
Table rows_of(Scratch& scratch, std::size_t from) {
  const auto table = scratch.engine->query(
      "SELECT i % 3 = 0 AS b, CASE WHEN i % 5 = 0 THEN NULL ELSE i % 2 = 0 END AS bh, i * 7 - 9 AS "
      "n, CASE WHEN i % 4 = 1 THEN NULL ELSE -i END AS nh, i / 7.0 AS x, CASE WHEN i % 9 = 2 THEN "
      "NULL ELSE sqrt(i) END AS xh, 'k' || i % 300 AS t, CASE WHEN i % 3 = 1 THEN NULL ELSE 'a,' "
      "|| i END AS \"th \"\"q\"\"\", TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS at, "
      "NULL::VARCHAR AS none, 'one' AS same FROM range(" +
      std::to_string(from) + ", " + std::to_string(from + kRows) + ") r(i)");
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  return *table;
}

std::vector<StreamColumn> columns_of(const Table& table) {
  std::vector<StreamColumn> out;
  for (const auto& column : table.columns) out.push_back({column.name, column.type});
  return out;
}

void check_same(const Table& a, const Table& b) {
  REQUIRE(a.columns.size() == b.columns.size());
  REQUIRE(a.rows() == b.rows());
  for (std::size_t c = 0; c < a.columns.size(); ++c) {
    CHECK(a.columns[c].name == b.columns[c].name);
    CHECK(a.columns[c].type == b.columns[c].type);
    std::size_t different = 0;
    for (std::size_t r = 0; r < a.rows(); ++r)
      different += a.columns[c].is_valid(r) != b.columns[c].is_valid(r) ||
                   a.columns[c].display(r) != b.columns[c].display(r);
    CHECK_MESSAGE(different == 0, a.columns[c].name);
  }
}

std::string written(const RowFormat& format, const std::vector<Table>& groups) {
  std::string out = format.head();
  std::vector<base::Json> layouts;
  for (const auto& group : groups) {
    const auto encoded = format.encode(group);
    REQUIRE_MESSAGE(encoded, (encoded ? "" : encoded.error().text()));
    out += encoded->bytes;
    layouts.push_back(*base::parse_json(encoded->layout.dump()));  // as a journal gives it back
  }
  return out + format.tail(layouts);
}

}  // namespace

TEST_CASE(
    "Parquet that was written group by group reads back the same, and is the same bytes again") {
  Scratch scratch;
  const std::vector<Table> groups{rows_of(scratch, 0), rows_of(scratch, kRows)};
  const auto format = RowFormat::open("x.parquet", columns_of(groups[0]));
  REQUIRE(format);
  const std::string bytes = written(**format, groups);
  CHECK(bytes == written(**format, groups));
  const std::string path = scratch.file("out.parquet", bytes);
  base::Context context;
  auto stream = RowStream::open_files(*scratch.engine, {path}, context);
  REQUIRE_MESSAGE(stream, (stream ? "" : stream.error().text()));
  std::vector<RowProblem> problems;
  for (const auto& group : groups) {
    const auto read = (*stream)->next(kRows, problems);
    REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
    check_same(group, *read);
  }
  CHECK((*stream)->fraction() == 1);
  CHECK((*stream)->next(kRows, problems)->rows() == 0);
}

TEST_CASE("a file of no groups has its columns") {
  Scratch scratch;
  const Table table = rows_of(scratch, 0);
  for (const char* name : {"none.parquet", "none.csv"}) {
    const auto format = RowFormat::open(name, columns_of(table));
    REQUIRE(format);
    const std::string path = scratch.file(name, written(**format, {}));
    base::Context context;
    auto stream = RowStream::open_files(*scratch.engine, {path}, context);
    REQUIRE_MESSAGE(stream, (stream ? "" : stream.error().text()));
    CHECK((*stream)->columns().size() == table.columns.size());
    std::vector<RowProblem> problems;
    CHECK((*stream)->next(10, problems)->rows() == 0);
  }
}

TEST_CASE("cells of CSV stay as they are; a ragged row is one row with a problem") {
  Scratch scratch;
  const std::string a = scratch.file("a.csv", "id,x\n007,1.50\n8,\n\n9\n10,2,3\n");
  const std::string b = scratch.file("b.csv", "x,id\n\"a,b\",11\n");
  base::Context context;
  auto stream = RowStream::open_files(*scratch.engine, {a, b}, context);
  REQUIRE_MESSAGE(stream, (stream ? "" : stream.error().text()));
  std::vector<RowProblem> problems;
  auto rows = (*stream)->next(3, problems);
  REQUIRE(rows);
  REQUIRE(rows->rows() == 3);
  CHECK(rows->find("id")->text(0) == "007");
  CHECK(rows->find("x")->text(0) == "1.50");
  CHECK_FALSE(rows->find("x")->is_valid(1));
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].row == 2);
  rows = (*stream)->next(3, problems);  // what is left of the first file
  REQUIRE(rows);
  CHECK(rows->rows() == 1);
  CHECK(problems.size() == 1);
  rows = (*stream)->next(3, problems);
  REQUIRE(rows);
  CHECK(rows->find("x")->text(0) == "a,b");
  CHECK(rows->find("id")->text(0) == "11");
  CHECK((*stream)->next(3, problems)->rows() == 0);
}

TEST_CASE("input that cannot be read is told before a row is") {
  Scratch scratch;
  const Table table = rows_of(scratch, 0);
  const auto format = RowFormat::open("x.parquet", columns_of(table));
  const std::string bytes = written(**format, {table});
  base::Context context;
  const auto code = [&](const std::string& path) {
    auto stream = RowStream::open_files(*scratch.engine, {path}, context);
    return stream ? base::Code::kInternal : stream.error().code;
  };
  CHECK(code(scratch.file("cut.parquet", bytes.substr(0, bytes.size() / 2))) ==
        base::Code::kInvalidArgument);
  CHECK(code(scratch.file("empty.csv", "")) == base::Code::kInvalidArgument);
  CHECK(code(scratch.path("absent.csv")) == base::Code::kNotFound);
  const auto unknown = RowFormat::open("out.xlsx", {});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == base::Code::kInvalidArgument);
}

TEST_CASE("files that were written again have another mark") {
  Scratch scratch;
  const std::string path = scratch.file("m.csv", "a\n1\n");
  const auto before = files_mark({path});
  REQUIRE(before);
  CHECK(*before == *files_mark({path}));
  scratch.file("m.csv", "a\n2\n");
  CHECK(*before != *files_mark({path}));
}
