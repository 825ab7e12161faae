#include "maru/data/cell_stream.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <map>

#include "maru/base/file.h"
#include "maru/base/rng.h"

// Blocks of a delimited file hold the cells that the reader of whole files finds, wherever the blocks are cut.
namespace maru::data {
namespace {

using Rows = std::vector<std::vector<std::string>>;

struct Files {
  std::string folder = "/tmp/maru-cells-" + std::to_string(::getpid());
  Files() { REQUIRE(base::make_folders(folder).has_value()); }
  ~Files() { static_cast<void>(base::remove_tree(folder)); }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = base::join_path(folder, name);
    REQUIRE(base::write_file_atomic(path, text).has_value());
    return path;
  }
};

Engine& engine() {
  static const auto out = Engine::open({"/tmp", 1, 1ull << 30});
  REQUIRE(out.has_value());
  return **out;
}

base::Result<Rows> streamed(const std::string& path, std::uint64_t* ragged = nullptr) {
  ImportSpec spec;
  spec.sources = {path};
  base::Context context;
  TRY_ASSIGN(const auto stream, CellStream::open_files(engine(), spec, context));
  std::map<std::size_t, Rows> blocks;
  CellBlock block;
  for (;;) {
    TRY_ASSIGN(const bool more, stream->next(block));
    if (!more) break;
    Rows& rows = blocks[block.number];
    for (std::size_t row = 0; row < block.rows; ++row) {
      rows.emplace_back();
      for (const auto& column : block.columns) rows.back().emplace_back(column.texts[row]);
    }
    if (ragged != nullptr) *ragged += block.ragged;
  }
  Rows out;
  for (auto& [number, rows] : blocks) out.insert(out.end(), rows.begin(), rows.end());
  return out;
}

std::string quote(const std::string& cell) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  std::string out = "\"";
  for (const char c : cell) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

}  // namespace

TEST_CASE("cells come through whole wherever a block is cut") {
  const Files files;
  base::Rng rng(5);
  const std::vector<std::string> parts = {"a",    "b,", "\"",  "\n",  "\r\n",
                                          "한글", "",   "x y", "0.5", "👍"};
  for (const std::string end : {"\n", "\r\n"}) {
    Rows wanted;
    std::string text = "p,q,r" + end;
    for (int row = 0; row < 40'000; ++row) {
      wanted.emplace_back();
      for (int c = 0; c < 3; ++c) {
        std::string cell = c == 0 ? "k" + std::to_string(row) : "";
        const std::uint64_t pieces = rng.below(4);
        for (std::uint64_t i = 0; i < pieces; ++i) cell += parts[rng.below(parts.size())];
        text += (c == 0 ? "" : ",") + quote(cell);
        wanted.back().push_back(cell);
      }
      text += row + 1 == 40'000 && end == "\n" ? "" : end;
    }
    const auto rows = streamed(files.write("t.csv", text));
    REQUIRE_MESSAGE(rows.has_value(), (rows ? std::string() : rows.error().text()));
    REQUIRE(rows->size() == wanted.size());
    CHECK(*rows == wanted);
  }
}

TEST_CASE("rows longer than a block, old line ends, blank lines, a byte order mark, tabs") {
  const Files files;
  const std::string longest(700'000, 'z');
  const auto wide = streamed(files.write("wide.csv", "a,b\n1," + longest + "\n2,y\n"));
  REQUIRE(wide.has_value());
  REQUIRE(wide->size() == 2);
  CHECK((*wide)[0][1].size() == longest.size());
  CHECK((*wide)[1] == std::vector<std::string>{"2", "y"});
  const auto mac = streamed(files.write("mac.csv", "a,b\r1,2\r3,4\r"));
  REQUIRE(mac.has_value());
  CHECK(*mac == Rows{{"1", "2"}, {"3", "4"}});
  std::uint64_t ragged = 0;
  const auto blank = streamed(files.write("blank.csv",
                                          "\xEF\xBB\xBF"
                                          "a,b\n\n1,2\n\n3\n4,5,6\n"),
                              &ragged);
  REQUIRE(blank.has_value());
  CHECK(*blank == Rows{{"1", "2"}, {"3", ""}, {"4", "5"}});
  CHECK(ragged == 2);
  const auto tabs = streamed(files.write("t.tsv", "a\tb\n1\t\"x\ty\"\n2\t\n"));
  REQUIRE(tabs.has_value());
  CHECK(*tabs == Rows{{"1", "x\ty"}, {"2", ""}});
}

TEST_CASE("a mark at the beginning of a long file costs no row") {
  const Files files;
  std::string text =
      "\xEF\xBB\xBF"
      "a,b\n";
  for (int i = 0; i < 400'000; ++i) text += std::to_string(i) + ",x\n";
  const auto rows = streamed(files.write("mark.csv", text));
  REQUIRE(rows.has_value());
  REQUIRE(rows->size() == 400'000);
  CHECK(rows->back()[0] == "399999");
}

TEST_CASE("what cannot be read is named") {
  const Files files;
  std::string open = "a,b\n1,\"never closed";
  for (int i = 0; i < 6'000'000; ++i) open += ",3\n4,5";
  const auto unclosed = streamed(files.write("open.csv", open));
  REQUIRE_FALSE(unclosed.has_value());
  CHECK(unclosed.error().code == base::Code::kTooLarge);  // it gives up after a row of 16 MiB
  std::string late = "a,b\n";
  while (late.size() < (2u << 20)) late += "1,2\n";
  const auto damaged = streamed(files.write("late.csv", late + "\xFF\xFE,1\n"));
  REQUIRE_FALSE(damaged.has_value());
  CHECK(damaged.error().code == base::Code::kInvalidArgument);
  CHECK_FALSE(streamed(files.write("empty.csv", "")).has_value());
  CHECK_FALSE(streamed("/nowhere/at/all.csv").has_value());
}

TEST_CASE("typed sources keep their types and say which rows are missing") {
  const auto stream =
      CellStream::open_relation(engine(),
                                "(SELECT i::INTEGER AS a, CASE WHEN i % 3 = 0 THEN NULL ELSE i / "
                                "2.0 END AS b, 't' || i AS c, i % 2 = 0 AS d "
                                "FROM range(5000) r(i))");
  REQUIRE(stream.has_value());
  CHECK_FALSE((*stream)->raw());
  std::size_t rows = 0, missing = 0;
  std::int64_t sum = 0, even = 0;
  CellBlock block;
  for (;;) {
    const auto more = (*stream)->next(block);
    REQUIRE(more.has_value());
    if (!*more) break;
    for (std::size_t row = 0; row < block.rows; ++row) {
      sum += block.columns[0].integers[row];
      missing += block.columns[1].is_valid(row) ? 0 : 1;
      even += block.columns[3].integers[row];
      CHECK(block.columns[2].texts[row] == "t" + std::to_string(block.columns[0].integers[row]));
    }
    rows += block.rows;
  }
  CHECK(rows == 5000);
  CHECK(sum == 12'497'500);
  CHECK(missing == 1667);
  CHECK(even == 2500);
}

}  // namespace maru::data
