#include "event_rows.h"

#include <doctest/doctest.h>

#include "maru/base/clock.h"

namespace maru::connect {
namespace {

using data::ColumnType;

std::vector<Event> events_of(std::initializer_list<std::string> texts) {
  std::vector<Event> out;
  for (const auto& text : texts) out.push_back({0, static_cast<std::int64_t>(out.size()), text});
  return out;
}

EventRows read(const StreamSpec& spec, std::initializer_list<std::string> texts,
               const KnownTypes& known = {}, std::int64_t now_us = 0) {
  std::map<int, std::int64_t> latest;
  return read_events(spec, known, events_of(texts), now_us, latest);
}

}  // namespace

TEST_CASE("the first values say what columns are; missing fields are missing") {
  const auto out = read({}, {R"({"a": 1, "b": true, "c": "x"})",
                             R"({"a": 2.5, "d": [1, {"e": null}]})", R"({"a": null, "c": 7})"});
  REQUIRE(out.table.columns.size() == 4);
  CHECK(out.table.columns[0].type == ColumnType::kFloat);
  CHECK(out.table.columns[0].reals[1] == 2.5);
  CHECK_FALSE(out.table.columns[0].is_valid(2));
  CHECK(out.table.columns[1].type == ColumnType::kBool);
  CHECK_FALSE(out.table.columns[1].is_valid(1));
  CHECK(out.table.columns[2].text(2) == "7");
  CHECK(out.table.columns[3].text(1) == R"([1,{"e":null}])");
  CHECK(out.dead.empty());
}

TEST_CASE("what a column cannot hold is a dead letter, whole, with its reason and place") {
  const KnownTypes known = {{"id", ColumnType::kInteger}, {"at", ColumnType::kTimestamp}};
  const auto out = read({},
                        {R"({"id": 1, "at": "2026-01-01"})", R"({"id": "x"})", "{", "[1]", "{}",
                         R"({"id": 18446744073709551615})", R"({"id": 2, "at": "noon"})",
                         std::string("\xff\xfe"), R"({"id": 9223372036854775807})"},
                        known);
  CHECK(out.table.rows() == 2);
  REQUIRE(out.dead.size() == 7);
  CHECK(out.dead[0].offset == 1);
  CHECK(out.dead[0].reason.find("id is integer") != std::string::npos);
  CHECK(out.dead[6].reason == "not UTF-8");
  CHECK(out.table.find("id")->integers[1] == INT64_MAX);
  const auto table = dead_table(out.dead, 5);
  CHECK(table.rows() == 7);
  CHECK(table.find("encoding")->text(6) == "base64");
  CHECK(table.find("event")->text(0) == R"({"id": "x"})");
}

TEST_CASE("events of nulls are rows; fields without a name or differing in case are not") {
  CHECK(read({}, {R"({"a": null})", R"({"b": null})"}).table.rows() == 2);
  const auto out = read({}, {R"({"Id": 1})", R"({"id": 2})", R"({"": 3})", R"({"x": 1, "X": 2})",
                             R"({"Id": 4, "id": 5})"});
  CHECK(out.table.rows() == 1);
  REQUIRE(out.dead.size() == 4);
  CHECK(out.dead[0].reason.find("only in case") != std::string::npos);
  CHECK(out.dead[1].reason == "a field without a name");
  CHECK(out.dead[2].reason.find("only in case") != std::string::npos);
}

TEST_CASE("columns that are not known widen the dataset or are dead letters") {
  const KnownTypes known = {{"id", ColumnType::kInteger}};
  StreamSpec spec;
  CHECK(read(spec, {R"({"id": 1, "new": "x"})"}, known).table.columns.size() == 2);
  CHECK(read(spec, {R"({"id": 1.5})"}, known).table.columns[0].type == ColumnType::kFloat);
  spec.on_change = OnChange::kDead;
  const auto dead =
      read(spec, {R"({"id": 1, "new": "x"})", R"({"id": 1.5})", R"({"id": 2})"}, known);
  CHECK(dead.table.rows() == 1);
  CHECK(dead.dead.size() == 2);
  CHECK(dead.dead[0].reason.find("new") != std::string::npos);
}

TEST_CASE("lines of CSV have the declared columns") {
  StreamSpec spec;
  spec.format = EventFormat::kCsv;
  spec.columns = {{"id", ColumnType::kInteger}, {"name", ColumnType::kText}, {"x", std::nullopt}};
  const auto out =
      read(spec, {"1,\"a, \"\"b\"\"\",2.5\r\n", "2,007,", "3,only", "\"open,4,5", "x,y,1"});
  CHECK(out.table.rows() == 2);
  CHECK(out.table.find("name")->text(0) == "a, \"b\"");
  CHECK(out.table.find("name")->text(1) == "007");
  CHECK(out.table.find("x")->type == ColumnType::kFloat);
  CHECK(out.dead.size() == 3);
}

TEST_CASE("times that go back are counted by partition, times ahead of the clock are set apart") {
  StreamSpec spec;
  spec.event_time = "at";
  spec.event_key = "id";
  const std::int64_t now_us = base::parse_time_us("2026-01-01T12:00:00Z").value();
  auto out = read(
      spec,
      {R"({"id": 1, "at": "2026-01-01 10:00"})", R"({"id": 2, "at": "2026-01-01 09:00"})",
       R"({"id": 3, "at": "2026-01-01 12:04:59"})", R"({"id": 4, "at": "2026-01-01 12:05:01"})"},
      {}, now_us);
  CHECK(out.out_of_order == 1);
  CHECK(out.future == 1);
  CHECK(out.table.rows() == 4);
  CHECK(out.table.find("at")->type == ColumnType::kTimestamp);
  CHECK(out.keys == std::vector<std::string>{"1", "2", "3", "4"});
  spec.dead_when_future = true;
  out = read(spec, {R"({"id": 4, "at": "2026-01-01 12:05:01"})"}, {}, now_us);
  CHECK(out.table.rows() == 0);
  CHECK(out.dead.size() == 1);
}

TEST_CASE("a stream's description names what is wrong in it") {
  const auto error = [](const char* text) {
    const auto spec = StreamSpec::from_json(*base::parse_json(text));
    return spec ? std::string() : spec.error().text();
  };
  CHECK(error(R"({"name": "a"})").empty());
  CHECK(error(R"({"name": "a b"})").find("not a name") != std::string::npos);
  CHECK(error(R"({"name": "a", "adress": "push"})").find("address") != std::string::npos);
  CHECK(error(R"({"name": "a", "address": "ftp://x/y"})").find("not a stream") !=
        std::string::npos);
  CHECK(error(R"({"name": "a", "address": "kafka://h"})").find("no topic") != std::string::npos);
  CHECK(error(R"({"name": "a", "address": "kafka://u:s3cret@h/t"})").find("s3cret") ==
        std::string::npos);
  CHECK(error(R"({"name": "a", "format": "csv"})").find("columns") != std::string::npos);
  CHECK(error(R"({"name": "a", "batch_rows": 0})").find("batch_rows") != std::string::npos);
  CHECK(error(R"({"name": "a", "columns": [{"name": "x", "type": "money"}]})") != "");
  const auto spec = StreamSpec::from_json(*base::parse_json(
      R"({"name": "a", "columns": ["x", {"name": "y", "type": "float"}], "batch_seconds": 0.2})"));
  REQUIRE(spec.has_value());
  CHECK(StreamSpec::from_json(spec->to_json())->to_json().dump() == spec->to_json().dump());
}

}  // namespace maru::connect
