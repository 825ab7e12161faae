#include "maru/data/diff.h"

#include "home.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Home;

namespace {

struct Pair : Home {
  base::Result<DiffReport> diff(const std::string& a, const std::string& b, DiffSpec spec = {}) {
    return diff_snapshots(*datasets, *engine, *datasets->resolve("default", a),
                          *datasets->resolve("default", b), spec, context);
  }
};

}  // namespace

TEST_CASE("values by key: counts by column, first examples, rows that came and went") {
  Pair home;
  REQUIRE(home.add("s", "1.csv", "id,city,fare\n1,Seoul,10\n2,Busan,20\n3,Daegu,\n4,Jeju,40\n"));
  REQUIRE(home.add("s", "2.csv", "id,city,fare\n4,Jeju,40\n3,Daegu,33\n2,busan,21\n5,Ulsan,50\n"));
  DiffSpec spec;
  spec.key = {"id"};
  const auto report = home.diff("s@1", "s@2", spec);
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->added == 1);
  CHECK(report->removed == 1);
  CHECK(report->changed == 2);
  REQUIRE(report->columns.size() == 2);
  CHECK(report->columns[0].column == "fare");
  CHECK(report->columns[0].rows == 2);
  CHECK(report->columns[0].examples[0].key == std::vector<std::string>{"2"});
  CHECK(report->columns[0].examples[1].before_missing);
  CHECK(report->columns[0].examples[1].after == "33");
  CHECK(report->columns[1].rows == 1);
  CHECK(report->columns[1].examples[0].after == "busan");
  CHECK(report->added_rows.columns[1].text(0) == "Ulsan");
  CHECK(report->removed_rows.columns[1].text(0) == "Seoul");
  const auto found = home.diff("s@1", "s@2");
  REQUIRE(found);
  CHECK(found->key_found);
  CHECK(found->key == std::vector<std::string>{"id"});
  CHECK(found->changed == 2);
  const auto same = home.diff("s@1", "s@1");
  CHECK(same->to_json()["same"].as_bool());
  CHECK(same->compared_rows == 0);
}

TEST_CASE("an append reads what was added and nothing else, also when columns widened") {
  Pair home;
  std::string text = "id,v\n";
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + ",1\n";
  REQUIRE(home.add("s", "1.csv", text));
  AppendSpec more;
  more.from.dataset = "s";
  more.from.sources = {home.file("2.csv", "id,v,note\n1000,1.5,x\n")};
  REQUIRE(home.datasets->append(more, home.context));
  more.from.sources = {home.file("3.csv", "id,v,note\n1001,2,\n")};
  REQUIRE(home.datasets->append(more, home.context));
  const auto report = home.diff("s@1", "s@3");
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->added == 2);
  CHECK(report->removed == 0);
  CHECK(report->changed == 0);
  CHECK(report->shared_rows == 1000);
  CHECK(report->compared_rows == 2);
  REQUIRE(report->new_columns.size() == 1);
  CHECK(report->new_columns[0].name == "note");
  REQUIRE(report->types.size() == 1);
  CHECK(report->types[0].after == ColumnType::kFloat);
  CHECK(report->added_rows.rows() == 2);
  const auto back = home.diff("s@3", "s@1");
  REQUIRE(back);
  CHECK(back->removed == 2);
  CHECK(back->gone_columns.size() == 1);
}

TEST_CASE(
    "whole rows count as often as they occur; missing equals missing; order does not matter") {
  Pair home;
  REQUIRE(home.add("s", "1.csv", "a,b\nx,1\nx,1\ny,\nz,3\n"));
  REQUIRE(home.add("s", "2.csv", "a,b\nz,3\nx,1\ny,\ny,\n"));
  const auto report = home.diff("s@1", "s@2");
  REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
  CHECK(report->key.empty());
  CHECK(report->added == 1);
  CHECK(report->removed == 1);
  CHECK(report->added_rows.columns[0].text(0) == "y");
  CHECK(report->removed_rows.columns[0].text(0) == "x");
}

TEST_CASE("a key that is none is refused with its first value") {
  Pair home;
  REQUIRE(home.add("s", "1.csv", "id,v\n1,1\n1,2\n2,3\n"));
  REQUIRE(home.add("s", "2.csv", "id,v\n1,1\n,2\n2,3\n"));
  DiffSpec spec;
  spec.key = {"id"};
  CHECK(home.diff("s@1", "s@2", spec).error().message ==
        "the key names several rows of s@1: id = 1 (2 rows)");
  CHECK(home.diff("s@2", "s@1", spec).error().message ==
        "the key is missing in rows of s@2: 1 rows");
  spec.key = {"di"};
  CHECK(home.diff("s@1", "s@2", spec).error().hint.find("id") != std::string::npos);
  spec.key = {"id", "v"};
  spec.by_rows = true;
  CHECK_FALSE(home.diff("s@1", "s@1", spec));
}
