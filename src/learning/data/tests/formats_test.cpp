#include <cmath>
#include <cstring>
#include <fstream>

#include "arrow_files.h"
#include "arrow_ipc.h"
#include "crc32c.h"
#include "home.h"

// Arrow, TFRecord and JSON files: what other programs write comes in as it is meant; damage is named and harms nothing.
using namespace maru;
using namespace maru::data;
using maru::data::test::Home;
using maru::data::test::Scratch;
using maru::data::test::unpacked;

namespace {

base::Result<Table> imported(Home& home, const std::string& name, const std::string& bytes) {
  TRY_ASSIGN(const ImportResult made, home.add("t", name, bytes));
  return home.datasets->read(made.snapshot);
}

std::string cells(const Table& table, std::string_view column) {
  const Column* found = table.find(column);
  if (found == nullptr) return "no such column";
  std::string out(type_name(found->type));
  for (std::size_t row = 0; row < found->rows(); ++row)
    out +=
        " " + (found->is_valid(row) && (found->type != ColumnType::kText || found->codes[row] >= 0)
                   ? found->display(row)
                   : std::string("-"));
  return out;
}

// The messages of protocol buffers, by hand.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string feature(const std::string& name, const std::string& value) {
  return field(1, field(1, name) + field(2, value));
}
std::string le(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i, value >>= 8) out += static_cast<char>(value);
  return out;
}
std::string record(const std::string& features) {
  const std::string body = field(1, features), size = le(body.size(), 8);
  return size + le(masked_crc32c(size), 4) + body + le(masked_crc32c(body), 4);
}
std::string float_bytes(float value) {
  std::string out(4, '\0');
  std::memcpy(out.data(), &value, 4);
  return out;
}

std::string examples() {
  return record(feature("id", field(3, field(1, varint(7)))) +
                feature("score", field(2, field(1, float_bytes(0.5f)))) +
                feature("name", field(1, field(1, "서울"))) + feature("none", field(1, ""))) +
         record(feature("id", field(3, field(1, varint(static_cast<std::uint64_t>(-8))))) +
                feature("score", field(2, field(1, float_bytes(2.0f)))) +
                feature("tags", field(1, field(1, "a\"b") + field(1, "c"))) +
                feature("name", field(1, field(1, "\xff\xfe"))));
}

}  // namespace

TEST_CASE("every Arrow type that is a cell comes through") {
  Home home;
  const auto table = imported(home, "all.arrow", unpacked(test::kAll));
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(cells(*table, "i8") == "integer 1 - -3 1 - -3");
  CHECK(cells(*table, "u64") == "text 1 2 3 1 2 9223372036854775808");
  CHECK(cells(*table, "text") == "text 서울 -  서울 - ");
  CHECK(cells(*table, "large") == "text a b👍 - a b👍 -");
  CHECK(cells(*table, "flag") == "bool true - false true - false");
  CHECK(cells(*table, "day").substr(0, 34) == "timestamp 1970-01-02T00:00:00Z - 1");
  CHECK(table->find("day")->integers[2] == -86'400'000'000);
  CHECK(table->find("ns")->integers[0] ==
        -1);  // a nanosecond before 1970 is in the microsecond before
  CHECK(cells(*table, "t").substr(0, 20) == "text 01:02:03.500000");
  CHECK(cells(*table, "dec").substr(0, 18) == "float 12.5 - -0.25");
  CHECK(cells(*table, "big").substr(0, 30) == "text 12345678901234567890123 -");
  CHECK(table->find("none")->missing() == 6);
  CHECK(std::isnan(table->find("f64")->reals[0]));
  CHECK(table->find("f64")->is_valid(0));
  CHECK(std::isinf(table->find("f64")->reals[1]));
}

TEST_CASE("dictionaries that grow and are replaced, views, LZ4 and Zstandard") {
  Home home;
  auto table = imported(home, "words.arrows", unpacked(test::kWords));
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(cells(*table, "w") == "text a b - c a x x x");
  CHECK(cells(*table, "n") == "integer 0 1 2 10 11 20 21 22");
  table = imported(home, "views.arrow", unpacked(test::kViews));
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(cells(*table, "s") ==
        "text short a text that is longer than twelve bytes - 한글은 세 바이트라서 길다 x");
  CHECK(cells(*table, "c") == "text a b a - b");
  table = imported(home, "small.feather", unpacked(test::kLz4));
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  REQUIRE(table->rows() == 300);
  CHECK(table->find("text")->text(299) == "word 10 of a sentence");
  CHECK(table->find("n")->integers[299] == 299);
}

TEST_CASE("a cut Arrow file is an error at every byte, a flipped one never more than that") {
  Scratch scratch;
  for (const auto& file : {test::kAll, test::kWords, test::kViews, test::kLz4}) {
    const std::string whole = unpacked(file);
    for (std::size_t size = 0; size < whole.size(); size += 7)
      CHECK_FALSE(ArrowReader::open(FileBytes::of(whole.substr(0, size)), "cut"));
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
      const auto reader = ArrowReader::open(FileBytes::of(flipped), "flipped");
      if (!reader) continue;
      std::vector<bool> beyond;
      for (std::size_t batch = 0; batch < (*reader)->batches(); ++batch) {
        const std::uint64_t rows = std::min<std::uint64_t>((*reader)->rows(batch), 1000);
        const auto table =
            (*reader)->read(batch, 0, rows, std::vector<bool>((*reader)->fields().size()), beyond);
        if (!table) continue;
        for (const auto& column : table->columns) CHECK(column.rows() == rows);
      }
    }
  }
}

TEST_CASE("tf.Example records") {
  CHECK(crc32c("123456789") == 0xe3069283u);  // RFC 3720, B.4
  Home home;
  const auto table = imported(home, "e.tfrecord", examples());
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(cells(*table, "id") == "integer 7 -8");
  CHECK(cells(*table, "score") == "float 0.5 2.0");
  CHECK(cells(*table, "name") == "text 서울 //4=");
  CHECK(cells(*table, "tags") == R"(text - ["a\"b","c"])");
  CHECK(table->find("none")->missing() == 2);
  const std::string whole = examples();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    if (size == record(feature("x", "")).size()) continue;
    const auto cut = home.add("cut", "cut.tfrecord", whole.substr(0, size));
    if (cut) CHECK(cut->snapshot.rows == 1);  // cut between two records
    if (!cut) CHECK(cut.error().code == base::Code::kDataLoss);
  }
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    const auto read = home.add("flip", "flip.tfrecord", flipped);
    REQUIRE_FALSE(read);  // every byte is under a checksum
    CHECK(
        (read.error().code == base::Code::kDataLoss || read.error().code == base::Code::kTooLarge));
  }
}

TEST_CASE("JSON: kinds, objects inside, late columns, exact numbers") {
  Home home;
  const auto table = imported(
      home, "t.jsonl",
      R"({"id": 18446744073709551615, "n": 9007199254740993, "x": 1, "s": "12", "ok": true, "at": "2024-02-29T01:00:00Z", "in": {"a": {"b": null}, "l": [1, {"c": 2}]}, "e": ""})"
      "\n"
      R"({"s": "\uc11c\uc6b8 \ud83d\udc4d \"q\"", "n": -5, "id": 3, "x": 2.5, "ok": false, "late": [], "mixed": 1})"
      "\n\n"
      R"({"mixed": "one", "at": "2024-03-01", "in": {"a": {"b": 4}}})");
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  REQUIRE(table->rows() == 3);
  CHECK(cells(*table, "id") == "text 18446744073709551615 3 -");
  CHECK(cells(*table, "n") == "integer 9007199254740993 -5 -");
  CHECK(cells(*table, "x") == "float 1.0 2.5 -");
  CHECK(cells(*table, "s") == "text 12 서울 👍 \"q\" -");
  CHECK(cells(*table, "ok") == "bool true false -");
  CHECK(cells(*table, "at").substr(0, 30) == "timestamp 2024-02-29T01:00:00Z");
  CHECK(cells(*table, "in.a.b") == "integer - - 4");
  CHECK(cells(*table, "in.l") == R"(text [1, {"c": 2}] - -)");
  CHECK(cells(*table, "e") == "text  - -");
  CHECK(cells(*table, "late") == "text - [] -");
  CHECK(cells(*table, "mixed") == "text - 1 one");
}

TEST_CASE("JSON: a list of rows, pretty lines, a million rows in pieces, and what is broken") {
  Home home;
  auto table =
      imported(home, "l.json", "[\n {\"a\": 1,\n  \"b\": \"]}\"},\n {\"a\": 2, \"b\": \"x\"}\n]\n");
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(cells(*table, "a") == "integer 1 2");
  CHECK(cells(*table, "b") == "text ]} x");
  std::string many;
  for (int i = 0; i < 400'000; ++i)
    many += "{\"i\": " + std::to_string(i) + ", \"t\": \"text " + std::to_string(i % 11) + "\"}\n";
  many += "{\"i\": 1.5, \"new\": null}\n";
  table = imported(home, "m.jsonl", many);
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(table->rows() == 400'001);
  CHECK(table->find("i")->type == ColumnType::kFloat);
  CHECK(table->find("i")->reals[399'999] == 399'999);
  CHECK(table->find("new") != nullptr);
  struct Case {
    const char *text, *message;
  };
  for (const Case& one :
       {Case{"{\"a\": 1}\n{\"a\": }\n", "line 2"}, Case{"{\"a\": 1}\n[1]\n", "no object"},
        Case{"{\"a\": 1, \"a\": 2}\n", "twice"}, Case{"{\"a\": tru}\n", "`tru` is no value"},
        Case{"{\"a\": \"x\n", "not closed"}, Case{"{\"a\" 1}\n", "no `:`"}, Case{"[]", "no rows"},
        Case{"  \n", "is empty"}}) {
    const auto read = imported(home, "bad.json", one.text);
    REQUIRE_FALSE(read);
    CHECK_MESSAGE(read.error().text().find(one.message) != std::string::npos, read.error().text());
    CHECK(read.error().text().find("bad.json") != std::string::npos);
  }
}

TEST_CASE("a damaged Parquet file is an error or other rows, never a crash") {
  Home home;
  std::string text = "a,b,c\n";
  for (int i = 0; i < 3000; ++i)
    text +=
        std::to_string(i) + "," + std::to_string(i * 0.37) + ",w" + std::to_string(i % 50) + "\n";
  const auto made = home.add("p", "p.csv", text);
  REQUIRE(made);
  const auto bytes = home.blobs->read(made->snapshot.parts[0].sha256);
  REQUIRE(bytes);
  for (std::size_t size = 0; size < bytes->size(); size += 997)
    CHECK_FALSE(home.add("cut", "cut.parquet", bytes->substr(0, size)));
  for (std::size_t at = 0; at < bytes->size(); at += 211) {
    std::string flipped = *bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 16);
    const auto read = home.add("flip", "flip.parquet", flipped);
    if (!read) CHECK_FALSE(read.error().text().empty());
  }
}
