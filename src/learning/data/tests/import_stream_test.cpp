#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmath>
#include <fstream>

#include "byte_source.h"
#include "home.h"
#include "maru/base/rng.h"
#include "row_groups.h"

// Files on their way into snapshots: exact types, the same parts however many threads, packed and foreign text, rows that do not fit, memory.
using namespace maru;
using namespace maru::data;
using maru::data::test::Home;
using maru::data::test::Scratch;

namespace {

// Rows of several row groups; what is rare stands in the last of them.
std::string long_table(const std::string& last_row) {
  std::string out = "id,whole,real,name,flag,day,late\n";
  base::Rng rng(3);
  for (int i = 0; i < 260'000; ++i) {
    out += std::to_string(i) + "," + std::to_string(rng.below(1000)) + "," +
           std::to_string(static_cast<double>(rng.below(100'000)) / 100) + ",n" +
           std::to_string(rng.below(5000)) +
           (i % 7 == 0   ? ",,"
            : i % 2 == 0 ? ",true,"
                         : ",FALSE,") +
           "2024-01-" + (i % 28 < 9 ? "0" : "") + std::to_string(1 + i % 28) + "," +
           std::to_string(i % 3) + "\n";
  }
  return out + last_row;
}

base::Result<std::string> parts_with(const Scratch& scratch, const std::string& path,
                                     std::size_t threads, ImportSpec spec = {}) {
  spec.sources = {path};
  base::Context context;
  TRY_ASSIGN(const SourceFiles files, find_sources(spec.sources));
  TRY_ASSIGN(const auto source, open_groups(*scratch.engine, spec, files, context));
  int number = 0;
  TRY_ASSIGN(const WrittenParts written,
             write_parts(*source,
                         [&] {
                           return base::Result<std::string>(
                               scratch.path("part" + std::to_string(number++) + ".parquet"));
                         },
                         threads, context, {}));
  std::string out;
  for (const auto& part : written.parts) {
    TRY_ASSIGN(const std::string bytes, base::read_file(part.path));
    out += bytes;
  }
  return out;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string types_of(const Snapshot& snapshot) {
  std::string out;
  for (const auto& column : snapshot.columns) out += std::string(type_name(column.type)) + " ";
  return out;
}

}  // namespace

TEST_CASE("the parts of an import do not depend on the threads") {
  const Scratch scratch;
  const std::string path = scratch.file("t.csv", long_table(""));
  const auto one = parts_with(scratch, path, 1), three = parts_with(scratch, path, 3);
  REQUIRE_MESSAGE(one, (one ? "" : one.error().text()));
  REQUIRE(three);
  CHECK(one->size() > (1u << 20));
  CHECK(*one == *three);
  CHECK(*parts_with(scratch, scratch.file("t.csv.gz", gzip(long_table(""))), 2) == *one);
  CHECK(*parts_with(scratch, scratch.file("t.csv.zst", zstd(long_table(""))), 2) == *one);
}

TEST_CASE("one cell in the last row decides a type") {
  Home home;
  const auto plain = home.add("t", "t.csv", long_table(""));
  REQUIRE_MESSAGE(plain, (plain ? "" : plain.error().text()));
  CHECK(types_of(plain->snapshot) == "integer integer float text bool timestamp integer ");
  struct Case {
    const char *row, *types;
  };
  for (const Case& one : {Case{"260000,1,2,x,true,2024-01-01,2.5\n",
                               "integer integer float text bool timestamp float "},
                          Case{"260000,1,2,x,true,2024-01-01,007\n",
                               "integer integer float text bool timestamp text "},
                          Case{"260000,1,?,x,true,2024-01-01,1\n",
                               "integer integer text text bool timestamp integer "},
                          Case{"9223372036854775808,1,2,x,yes,2024-01-01,1\n",
                               "text integer float text text timestamp integer "},
                          Case{"260000,1,2,x,true,2024-13-01,1\n",
                               "integer integer float text bool text integer "}}) {
    const auto made = home.add("t", "t.csv", long_table(one.row));
    REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
    CHECK_MESSAGE(types_of(made->snapshot) == one.types, one.row);
    const auto table = home.datasets->read(made->snapshot, {"id", "late"});
    REQUIRE(table);
    CHECK(table->rows() == 260'001);
    CHECK(table->columns[0].display(259'999) == "259999");
  }
}

TEST_CASE("what an import stores is what the reader of whole files finds") {
  Home home;
  base::Rng rng(11);
  const std::vector<std::string> cells = {"1",
                                          "-7",
                                          "00",
                                          "1.5",
                                          "-0",
                                          "1e3",
                                          "nan",
                                          "-inf",
                                          "",
                                          " ",
                                          "true",
                                          "x,y",
                                          "q\"",
                                          "a\nb",
                                          "서울",
                                          "👍",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "2024-02-29",
                                          "0.1234567890123456789",
                                          "+5",
                                          "5.",
                                          ".5"};
  for (int round = 0; round < 30; ++round) {
    std::string text = "a,b,c,d\n";
    const std::size_t kinds = 1 + rng.below(cells.size());
    for (std::uint64_t row = 1 + rng.below(60); row > 0; --row) {
      for (int c = 0; c < 4; ++c) {
        const std::string& cell =
            cells[(rng.below(kinds) + static_cast<std::size_t>(c) * 5) % cells.size()];
        std::string quoted;
        for (const char at : cell) quoted += at == '"' ? "\"\"" : std::string(1, at);
        text += (c == 0 ? "\"" : ",\"") + quoted + "\"";
      }
      text += "\n";
    }
    ImportSpec spec;
    spec.detect_header = false;
    spec.dataset = "t";
    spec.sources = {home.file("t.csv", text)};
    const auto made = home.datasets->import(spec, home.context);
    REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
    const auto stored = home.datasets->read(made->snapshot);
    const auto whole = read_files(*home.engine, spec, home.context);
    REQUIRE(stored);
    REQUIRE(whole);
    for (std::size_t c = 0; c < 4; ++c) {
      CHECK(stored->columns[c].type == whole->columns[c].type);
      for (std::size_t row = 0; row < whole->rows(); ++row) {
        CHECK(stored->columns[c].is_valid(row) == whole->columns[c].is_valid(row));
        CHECK(stored->columns[c].display(row) == whole->columns[c].display(row));
      }
    }
  }
}

TEST_CASE("minus zero, NaN and infinity come back as they went in") {
  Home home;
  const auto made = home.add("t", "t.csv", "x,y\n-0.0,1\nnan,2\n-inf,3\n,4\n1e-320,5\n0.0,6\n");
  REQUIRE(made);
  const auto table = home.datasets->read(made->snapshot);
  REQUIRE(table);
  const auto& x = table->columns[0].reals;
  CHECK((x[0] == 0 && std::signbit(x[0])));
  CHECK((std::isnan(x[1]) && table->columns[0].is_valid(1)));
  CHECK((std::isinf(x[2]) && x[2] < 0));
  CHECK_FALSE(table->columns[0].is_valid(3));
  CHECK(x[4] == 1e-320);
  CHECK_FALSE(std::signbit(x[5]));
}

TEST_CASE("a text that turns out Korean after megabytes of ASCII is read as such") {
  Home home;
  std::string text = "n,city\n";
  for (int i = 0; i < 700'000; ++i) text += std::to_string(i) + ",Seoul\n";
  text += "700000,\xbc\xad\xbf\xef\n700001,\xba\xce\xbb\xea\n";  // 서울, 부산
  const auto made = home.add("k", "k.csv", text);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  CHECK(made->notes == std::vector<std::string>{"read as CP949"});
  const auto table = home.datasets->read(made->snapshot, {"city"});
  REQUIRE(table);
  CHECK(table->columns[0].text(700'000) == "서울");
}

TEST_CASE("a named encoding is taken; a text that could be several is not guessed at") {
  Home home;
  // 東京都千代田区,大阪府 in Shift-JIS: no kana that would tell
  const std::string kanji =
      "a,b\n\x93\x8c\x8b\x9e\x93\x73\x90\xe7\x91\xe3\x93\x63\x8b\xe6,\x91\xe5\x8d\xe3\x95\x7b\n";
  const auto guessed = home.add("j", "j.csv", kanji);
  REQUIRE_FALSE(guessed);
  CHECK(guessed.error().text().find("--encoding") != std::string::npos);
  ImportSpec spec;
  spec.dataset = "j";
  spec.sources = {home.path("j.csv")};
  spec.encoding = "SHIFT_JIS";
  const auto made = home.datasets->import(spec, home.context);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  CHECK(home.datasets->read(made->snapshot)->columns[0].text(0) == "東京都千代田区");
  spec.encoding = "KLINGON";
  CHECK(home.datasets->import(spec, home.context).error().text().find("unknown encoding") !=
        std::string::npos);
  spec.encoding = "UTF-8";
  CHECK_FALSE(home.datasets->import(spec, home.context));
}

TEST_CASE("ragged rows are refused with their line, padded, or set apart with it") {
  Home home;
  const std::string text = "a,b\n1,2\n\"x\ny\",4\n5\n6,7,8\n9,10\n";
  const auto refused = home.add("r", "r.csv", text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text().find("line 5 has 1 cells") != std::string::npos);
  ImportSpec spec;
  spec.dataset = "r";
  spec.sources = {home.path("r.csv")};
  REQUIRE(set_ragged(spec, "dead"));
  for (int round = 0; round < 2;
       ++round) {  // the second import is the same snapshot, and sets nothing apart again
    const auto made = home.datasets->import(spec, home.context);
    REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
    CHECK(made->snapshot.rows == 3);
    CHECK(made->unchanged == (round == 1));
    const auto dead = home.datasets->read(*home.datasets->resolve("default", "r_dead"));
    REQUIRE(dead);
    REQUIRE(dead->rows() == 2);
    CHECK(dead->find("line")->integers == std::vector<std::int64_t>{5, 6});
    CHECK(dead->find("row")->text(1) == "6,7,8");
    CHECK(dead->find("reason")->text(0) == "the row has 1 cells, the first row has 2");
  }
  REQUIRE(set_ragged(spec, "pad"));
  const auto padded = home.datasets->import(spec, home.context);
  REQUIRE(padded);
  CHECK(padded->snapshot.rows == 5);
  CHECK_FALSE(set_ragged(spec, "perhaps"));
}

TEST_CASE("packed files: zip, bombs, damage") {
  Scratch scratch;
  // people.csv in a zip archive, stored: local header, bytes, directory, end
  const auto le = [](std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';
    return out;
  };
  const auto archive = [&](const std::vector<std::string>& names, const std::string& body) {
    std::string files, directory;
    for (const auto& name : names) {
      const auto size = static_cast<std::uint32_t>(body.size());
      directory += "PK\x01\x02" + le(20, 2) + le(20, 2) + le(0, 8) + le(0, 4) + le(size, 4) +
                   le(size, 4) + le(static_cast<std::uint32_t>(name.size()), 2) + le(0, 12) +
                   le(static_cast<std::uint32_t>(files.size()), 4) + name;
      // 46 bytes of a directory entry: version, flags, method, time, crc come first
      files += std::string("PK\x03\x04") + le(20, 2) + le(0, 8) + le(0, 4) + le(size, 4) +
               le(size, 4) + le(static_cast<std::uint32_t>(name.size()), 2) + le(0, 2) + name +
               body;
    }
    const auto count = static_cast<std::uint32_t>(names.size());
    return files + directory + "PK\x05\x06" + le(0, 4) + le(count, 2) + le(count, 2) +
           le(static_cast<std::uint32_t>(directory.size()), 4) +
           le(static_cast<std::uint32_t>(files.size()), 4) + le(0, 2);
  };
  const auto table = scratch.read("people.zip", archive({"people.csv"}, "a,b\n1,x\n2,y\n"));
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(table->rows() == 2);
  const auto two = scratch.read("two.csv.zip", archive({"a.csv", "b.csv"}, "a\n1\n"));
  REQUIRE_FALSE(two);
  CHECK(two.error().text().find("2 files") != std::string::npos);

  const std::string bomb = scratch.file("bomb.csv.gz", gzip("a\n" + std::string(300u << 20, '1')));
  std::string note;
  const auto source = ByteSource::open(bomb);
  REQUIRE(source);
  std::string piece(1u << 20, '\0');
  base::Result<std::size_t> got = std::size_t{1};
  while (got && *got > 0) got = (*source)->read(piece.data(), piece.size());
  REQUIRE_FALSE(got);
  CHECK(got.error().code == base::Code::kTooLarge);

  const std::string packed = gzip(long_table(""));
  for (const std::size_t keep : {packed.size() - 1, packed.size() / 2, std::size_t{30}}) {
    const auto cut = parts_with(scratch, scratch.file("cut.csv.gz", packed.substr(0, keep)), 2);
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code == base::Code::kDataLoss);
  }
  std::string flipped = packed;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x10);
  CHECK_FALSE(parts_with(scratch, scratch.file("bad.csv.gz", flipped), 2));
}

TEST_CASE("a file that changes while it is read is an error, not a mix") {
  Scratch scratch;
  const std::string path = scratch.file("t.csv", long_table(""));
  ImportSpec spec;
  spec.sources = {path};
  base::Context context;
  const auto files = find_sources(spec.sources);
  REQUIRE(files);
  const auto source = open_groups(*scratch.engine, spec, *files, context);
  REQUIRE(source);
  REQUIRE((*source)->start());
  RowGroup group;
  REQUIRE(*(*source)->next(group));
  std::ofstream(path, std::ios::app) << "1,2,3,x,true,2024-01-01,1\n";
  base::Result<bool> more = true;
  while (more && *more) more = (*source)->next(group);
  REQUIRE_FALSE(more);
  CHECK(more.error().code == base::Code::kAborted);
  REQUIRE(base::remove_tree(path));
  CHECK_FALSE((*source)->start());
}

TEST_CASE(
    "a quote that nothing closes is named by its line, after megabytes and not after all of them") {
  Scratch scratch;
  std::string text = "a,b\n";
  for (int i = 0; i < 1000; ++i) text += "1,2\n";
  text += "3,\"open\n";
  for (int i = 0; i < 5'000'000; ++i) text += "4,5\n";
  const auto read = parts_with(scratch, scratch.file("open.csv", text), 2);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == base::Code::kTooLarge);
  CHECK(read.error().text().find("open.csv line 1002") != std::string::npos);
}

TEST_CASE("a link that leads out of a pattern's folder is refused, one that stays in it is read") {
  Home home;
  REQUIRE(base::make_folders(home.path("in")));
  home.file("outside.csv", "a\n1\n");
  home.file("in/a.csv", "a\n2\n");
  REQUIRE(::symlink("a.csv", home.path("in/b.csv").c_str()) == 0);
  ImportSpec spec;
  spec.dataset = "links";
  spec.sources = {home.path("in/*.csv")};
  const auto inside = home.datasets->import(spec, home.context);
  REQUIRE_MESSAGE(inside, (inside ? "" : inside.error().text()));
  CHECK(inside->snapshot.rows == 2);
  REQUIRE(::symlink("../outside.csv", home.path("in/c.csv").c_str()) == 0);
  const auto escaped = home.datasets->import(spec, home.context);
  REQUIRE_FALSE(escaped);
  CHECK(escaped.error().code == base::Code::kPermissionDenied);
  CHECK(escaped.error().text().find("in/c.csv") != std::string::npos);
  spec.sources = {home.path("in/c.csv")};
  CHECK(home.datasets->import(spec, home.context));
}

TEST_CASE("of one column, an empty line is a row, but not the last one") {
  Home home;
  const auto made = home.add("one", "one.csv", "n\n\n\n\n");
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  CHECK(made->snapshot.rows == 2);
  CHECK_FALSE(home.add("none", "none.csv", "n\n\n"));
}

TEST_CASE("ten thousand columns, Korean and emoji names") {
  Home home;
  std::string text;
  for (int c = 0; c < 10'000; ++c) text += (c == 0 ? "값👍" : ",열" + std::to_string(c));
  text += "\n";
  for (int row = 0; row < 3; ++row)
    for (int c = 0; c < 10'000; ++c)
      text += (c == 0 ? "" : ",") + std::to_string(c + row) + (c == 9'999 ? "\n" : "");
  const auto made = home.add("wide", "wide.csv", text);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  CHECK(made->snapshot.columns.size() == 10'000);
  CHECK(made->snapshot.columns[0].name == "값👍");
  const auto table = home.datasets->read(made->snapshot, {"열9999"});
  REQUIRE(table);
  CHECK(table->columns[0].integers == std::vector<std::int64_t>{9'999, 10'000, 10'001});
}
