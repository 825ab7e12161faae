#include <cmath>

#include "scratch.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Scratch;

namespace {

ColumnType type_in(const Table& table, std::string_view name) {
  const Column* column = table.find(name);
  REQUIRE(column != nullptr);
  return column->type;
}

std::string error_of(const base::Result<Table>& result) {
  REQUIRE_FALSE(result);
  CHECK(result.error().text().find('\n') == std::string::npos);
  return result.error().text();
}

}  // namespace

TEST_CASE("types come from every row, and names of digits stay text") {
  Scratch scratch;
  const auto table = scratch.read("t.csv",
                                  "zip,big,int,real,flag,day,at,na,blank\n"
                                  "00123,18446744073709551615,9007199254740993,1.5,TRUE,2024-02-29,"
                                  "2024-03-01T03:30:00+09:00,NA,\n"
                                  "94107,1,-2,2e3,false,2023-01-01,2024-03-01 03:30:00.25Z,7,  \n");
  REQUIRE(table);
  CHECK(type_in(*table, "zip") == ColumnType::kText);
  CHECK(table->find("zip")->text(0) == "00123");
  CHECK(type_in(*table, "big") == ColumnType::kText);
  CHECK(type_in(*table, "int") == ColumnType::kInteger);
  CHECK(table->find("int")->integers[0] == 9007199254740993);
  CHECK(type_in(*table, "real") == ColumnType::kFloat);
  CHECK(table->find("real")->reals[1] == 2000.0);
  CHECK(type_in(*table, "flag") == ColumnType::kBool);
  CHECK(type_in(*table, "day") == ColumnType::kTimestamp);
  CHECK(table->find("day")->display(0) == "2024-02-29T00:00:00Z");
  CHECK(table->find("at")->display(0) == "2024-02-29T18:30:00Z");
  CHECK(table->find("at")->integers[1] % 1'000'000 == 250'000);
  CHECK(type_in(*table, "na") == ColumnType::kText);
  CHECK(table->find("blank")->missing() == 2);
  CHECK(std::isnan(table->find("blank")->number(0)));
}

TEST_CASE("quotes, line breaks, CRLF, odd and repeated names") {
  Scratch scratch;
  std::vector<std::string> notes;
  const auto table = scratch.read(
      "odd.csv",
      "\"a \"\"b\"\"\",\"c\nd\",값,값,\r\n\"x,\"\"y\"\"\",\"line\nbreak\",3,4,5\r\n,\"\",7,8,9\r\n",
      &notes);
  REQUIRE(table);
  REQUIRE(table->columns.size() == 5);
  CHECK(table->columns[0].name == "a \"b\"");
  CHECK(table->columns[1].name == "c\nd");
  CHECK(table->columns[3].name == "값_2");
  CHECK(table->columns[4].name == "c5");
  CHECK(table->columns[0].text(0) == "x,\"y\"");
  CHECK(table->columns[1].text(0) == "line\nbreak");
  CHECK(table->columns[0].missing() == 1);
  CHECK(table->columns[1].missing() == 1);
  CHECK_FALSE(notes.empty());
}

TEST_CASE("names that differ by case only are told apart, for SQL does not") {
  Scratch scratch;
  const auto table = scratch.read("case.csv", "a,A,b,a_2,B\n1,2,3,4,5\n");
  REQUIRE(table);
  REQUIRE(table->columns.size() == 5);
  CHECK(table->columns[1].name == "A_3");
  CHECK(table->columns[3].name == "a_2");
  CHECK(table->columns[4].name == "B_2");
  CHECK(table->columns[4].integers[0] == 5);
}

TEST_CASE("headers and delimiters are found") {
  Scratch scratch;
  auto table = scratch.read("abalone.csv", "M,0.455,15\nF,0.53,9\nM,0.44,10\n");
  REQUIRE(table);
  CHECK(table->rows() == 3);
  CHECK(table->columns[1].name == "c2");
  table = scratch.read("semi.csv", "a;b\n1,5;2\n2,5;3\n");
  REQUIRE(table);
  CHECK(table->columns.size() == 2);
  CHECK(table->columns[0].type == ColumnType::kText);
  table = scratch.read("spam.tsv", "ham\tgo, now\nspam\t\"win a prize\nham\tok\n");
  REQUIRE(table);
  CHECK(table->rows() == 3);
  CHECK(table->columns[1].text(1) == "\"win a prize");
  table = scratch.read("one.csv", "n\n1\n2");
  REQUIRE(table);
  CHECK(table->columns[0].name == "n");
  CHECK(table->rows() == 2);
}

TEST_CASE("bad files are one clear line") {
  Scratch scratch;
  CHECK(error_of(scratch.read("ragged.csv", "a,b\n1,2\n1,2,3\n"))
            .find("line 3 has 3 cells, the first row has 2") != std::string::npos);
  CHECK(error_of(scratch.read("header.csv", "a,b,c\n")).find("a header but no rows") !=
        std::string::npos);
  CHECK(error_of(scratch.read("empty.csv", "")).find("the file is empty") != std::string::npos);
  CHECK(error_of(scratch.read("open.csv", "a,b\n1,\"x\n2,3\n")).find("never closed") !=
        std::string::npos);
  CHECK(error_of(scratch.read("nul.csv", std::string("a,b\n1,x\0y\n", 10))).find("NUL byte") !=
        std::string::npos);
  CHECK(error_of(scratch.read("latin.csv", "name,n\ncaf\xe9,1\n")).find("WINDOWS-1252") !=
        std::string::npos);
  CHECK(error_of(scratch.read("x.docx", "a")).find("unknown kind of file") != std::string::npos);
  CHECK(error_of(scratch.read("noise.parquet", "PAR1 is not enough")).find("cannot read Parquet") !=
        std::string::npos);
  CHECK(error_of(scratch.read("long.csv", "a,b\n1," + std::string(2u << 20, 'x') + "\n"))
            .find("a field over") != std::string::npos);
  ImportSpec spec;
  spec.sources = {scratch.path("empy.csv")};
  const auto absent = read_files(*scratch.engine, spec, scratch.context);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == base::Code::kNotFound);
  CHECK(absent.error().hint.find("empty.csv") != std::string::npos);
  spec.sources = {scratch.folder};
  CHECK(error_of(read_files(*scratch.engine, spec, scratch.context)).find("a folder") !=
        std::string::npos);
}

TEST_CASE("globs need the same columns, in any order") {
  Scratch scratch;
  scratch.file("p1.csv", "a,b\n1,x\n");
  scratch.file("p2.csv", "b,a\ny,2\n");
  ImportSpec spec;
  spec.sources = {scratch.path("p*.csv")};
  const auto table = read_files(*scratch.engine, spec, scratch.context);
  REQUIRE(table);
  CHECK(table->find("a")->integers == std::vector<std::int64_t>{1, 2});
  scratch.file("p3.csv", "a,z\n1,x\n");
  CHECK(error_of(read_files(*scratch.engine, spec, scratch.context)).find("lacks b and has z") !=
        std::string::npos);
}

TEST_CASE("Korean, UTF-16 and byte order marks") {
  Scratch scratch;
  std::vector<std::string> notes;
  // 이름,나이 / 김철수,30 in EUC-KR
  auto table = scratch.read(
      "k.csv", "\xc0\xcc\xb8\xa7,\xb3\xaa\xc0\xcc\n\xb1\xe8\xc3\xb6\xbc\xf6,30\n", &notes);
  REQUIRE(table);
  CHECK(table->columns[0].name == "이름");
  CHECK(table->columns[0].text(0) == "김철수");
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("CP949") != std::string::npos);
  table = scratch.read("b.csv", "\xef\xbb\xbfname,n\nx,1\n");
  REQUIRE(table);
  CHECK(table->columns[0].name == "name");
  table = scratch.read("u.csv", std::string("\xff\xfe"
                                            "a\0,\0b\0\n\0"
                                            "1\0,\0"
                                            "2\0\n\0",
                                            18));
  REQUIRE(table);
  CHECK(table->find("b")->integers[0] == 2);
}

TEST_CASE("ARFF, dense and sparse") {
  Scratch scratch;
  const auto table = scratch.read("t.arff",
                                  "% about\n@RELATION t\n@attribute 'a b' {x,'y z'}\n@attribute n "
                                  "NUMERIC\n@attribute s string\n@data\n"
                                  "x,1.5,'it\\'s'\n'y z',?,\"q\"\n{0 'y z', 1 2, 2 w}\n");
  REQUIRE(table);
  REQUIRE(table->rows() == 3);
  CHECK(table->columns[0].name == "a b");
  CHECK(table->columns[0].text(1) == "y z");
  CHECK(table->columns[1].missing() == 1);
  CHECK(table->columns[1].reals[2] == 2.0);
  CHECK(table->columns[2].text(0) == "it's");
  CHECK(error_of(scratch.read("b.arff", "@relation t\n@attribute a numeric\n@data\n1,2\n"))
            .find("line 4 has 2 cells") != std::string::npos);
  CHECK(error_of(scratch.read("c.arff", "@relation t\n@attribute a numeric\n")).find("no @data") !=
        std::string::npos);
}

TEST_CASE("hostile bytes never crash the readers") {
  Scratch scratch;
  std::uint64_t state = 7;
  const auto next = [&] {
    return state = state * 6364136223846793005ull + 1442695040888963407ull, state >> 33;
  };
  const std::string_view pieces[] = {"@relation r\n",
                                     "@attribute a numeric\n",
                                     "@attribute b {x,'y z'}\n",
                                     "@data\n",
                                     "1,x\n",
                                     "{0 1}\n",
                                     "{9 1}\n",
                                     "{",
                                     "}",
                                     "'",
                                     "\"",
                                     "\\",
                                     ",",
                                     "\n",
                                     "\r",
                                     "\t",
                                     ";",
                                     "?",
                                     "%c\n",
                                     "a,b\n",
                                     "\xb0\xa1",
                                     "\xef\xbb\xbf",
                                     "\xff\xfe",
                                     "é",
                                     "00",
                                     "1e999"};
  std::size_t read = 0;
  for (int round = 0; round < 600; ++round) {
    std::string text;
    for (auto n = next() % 30; n > 0; --n) text += pieces[next() % std::size(pieces)];
    const char* names[] = {"f.arff", "f.csv", "f.tsv"};
    const auto table = scratch.read(names[round % 3], text);
    if (!table) continue;
    ++read;
    for (const auto& column : table->columns) CHECK(column.rows() == table->rows());
  }
  CHECK(read > 20);
}

TEST_CASE("JSON lines, gzip and writing back") {
  Scratch scratch;
  auto table = scratch.read(
      "r.jsonl", "{\"a\": 1, \"b\": \"x\", \"c\": {\"d\": [1]}}\n{\"a\": 2, \"b\": null}\n");
  REQUIRE(table);
  CHECK(table->rows() == 2);
  CHECK(table->find("b")->missing() == 1);
  CHECK(type_in(*table, "c.d") == ColumnType::kText);
  CHECK(table->find("c.d")->text(0) == "[1]");
  for (const char* name : {"o.csv", "o.jsonl", "o.parquet"}) {
    REQUIRE(write_table(*scratch.engine, table->select({"a", "b"}), scratch.path(name)));
    ImportSpec spec;
    spec.sources = {scratch.path(name)};
    const auto again = read_files(*scratch.engine, spec, scratch.context);
    REQUIRE_MESSAGE(again, name);
    CHECK(again->find("a")->integers == table->find("a")->integers);
    CHECK(again->find("b")->text(0) == "x");
    CHECK(again->find("b")->missing() == 1);
  }
  const std::string packed(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x4b\xd4\x49\xe2\x32\xd4\x31\xe2\x02\x00", 21);
  const auto cut = scratch.read("cut.csv.gz", packed);
  REQUIRE_FALSE(cut);
  CHECK(cut.error().code == base::Code::kDataLoss);
}

TEST_CASE("every file of the shared data folder reads") {
  const std::string folder = test::shared_folder() + "/data";
  if (!base::path_exists(folder)) {
    MESSAGE("skipped: no shared data folder");
    return;
  }
  struct Expected {
    const char* name;
    std::size_t rows, columns;
  };
  Scratch scratch;
  for (const Expected& expected : {Expected{"adult.csv", 32561, 15},
                                   {"chicago_taxi.csv", 15002, 0},
                                   {"telco_churn.csv", 7043, 21},
                                   {"titanic.csv", 891, 15},
                                   {"taxis.csv", 6433, 14},
                                   {"abalone.csv", 4177, 9},
                                   {"phoneme.csv", 5404, 6},
                                   {"wine_quality_white.csv", 4898, 12},
                                   {"vehicle.arff", 846, 19},
                                   {"car.arff", 1728, 7},
                                   {"credit_g.arff", 1000, 21},
                                   {"bike_hourly.csv", 17379, 17},
                                   {"sms_spam.tsv", 0, 2},
                                   {"diamonds.csv", 53940, 10},
                                   {"california_housing.csv", 20640, 10},
                                   {"m4_hourly_train.csv", 414, 0},
                                   {"m4_hourly_test.csv", 414, 0}}) {
    CAPTURE(expected.name);
    ImportSpec spec;
    spec.sources = {base::join_path(folder, expected.name)};
    const auto table = read_files(*scratch.engine, spec, scratch.context);
    REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
    if (expected.rows != 0) CHECK(table->rows() == expected.rows);
    if (expected.columns != 0) CHECK(table->columns.size() == expected.columns);
  }
}
