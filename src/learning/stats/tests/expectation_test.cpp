#include <doctest/doctest.h>

#include <cstdlib>

#include "maru/base/file.h"
#include "maru/data/cell_stream.h"
#include "maru/stats/contract.h"
#include "maru/stats/expectation.h"
#include "maru/stats/profiler.h"

namespace maru::stats {
namespace {

using base::Json;

data::Engine& engine() {
  static const auto out = data::Engine::open({"/tmp", 1, 1ull << 30});
  REQUIRE(out.has_value());
  return **out;
}

// 1,000 trips; those of the carrier ZZ lost their fare's minus sign and the names of its cities.
const std::string kTrips =
    "(SELECT i AS id, CASE WHEN i % 20 = 3 THEN 'ZZ' ELSE ['AA', 'BB', 'CC'][1 + i % 3] END AS "
    "carrier, "
    "CASE WHEN i % 20 = 3 THEN -1.0 ELSE i / 10.0 END AS fare, "
    "CASE WHEN i % 100 = 9 THEN NULL ELSE 'c' || (i % 7) END AS city, i % 50 AS low, i % 50 + 1 AS "
    "high "
    "FROM range(1000) r(i))";

Profile profile() {
  const auto stream = data::CellStream::open_relation(engine(), kTrips);
  REQUIRE(stream.has_value());
  base::Context context;
  auto out = profile_stream(**stream, {}, context);
  REQUIRE(out.has_value());
  return *out;
}

Expectation rule(const std::string& kind, const std::string& column,
                 const std::string& value = "{}") {
  Expectation out;
  out.kind = kind;
  out.column = column;
  out.value = *base::parse_json(value);
  return out;
}

std::vector<Anomaly> check(const std::vector<Expectation>& rules) {
  base::Context context;
  auto out = check_expectations(engine(), kTrips, rules, profile(), context);
  REQUIRE_MESSAGE(out.has_value(), (out ? std::string() : out.error().text()));
  return *out;
}

bool holds(const Expectation& e) { return check({e}).empty(); }

Expectation pair(const std::string& kind, std::vector<std::string> columns,
                 const std::string& value = "{}") {
  Expectation out = rule(kind, "", value);
  out.columns = std::move(columns);
  return out;
}

}  // namespace

TEST_CASE("a failing rule names its rows, the slice they lie in, and how it would pass") {
  const auto found = check({rule("between", "fare", R"({"min": 0})"), rule("not_null", "city"),
                            rule("in_set", "carrier", R"({"values": ["AA", "BB", "CC", "ZZ"]})")});
  REQUIRE(found.size() == 2);
  CHECK(found[0].kind == "between");
  CHECK(found[0].rows == 50);
  CHECK(found[0].examples == std::vector<std::uint64_t>{3, 23, 43, 63, 83});
  CHECK(found[0].slice == "carrier: ZZ");
  CHECK(found[0].proposal["mostly"].as_double() == doctest::Approx(0.95));
  CHECK(found[1].column == "city");
  CHECK(found[1].rows == 10);
  Expectation accepted = *Expectation::from_json(found[0].proposal);
  CHECK(holds(accepted));
}

TEST_CASE("each kind tells right from wrong") {
  CHECK(holds(rule("unique", "id")));
  CHECK_FALSE(holds(rule("unique", "carrier")));
  CHECK(holds(rule("increasing", "id", R"({"strict": true})")));
  CHECK_FALSE(holds(rule("decreasing", "id")));
  CHECK(holds(rule("matches", "city", R"({"pattern": "^c[0-6]$"})")));
  CHECK_FALSE(holds(rule("not_matches", "city", R"({"pattern": "c3"})")));
  CHECK(holds(rule("like", "city", R"({"pattern": "c_"})")));
  CHECK_FALSE(holds(rule("form", "city", R"({"form": "email"})")));
  CHECK(holds(rule("length_between", "carrier", R"({"min": 2, "max": 2})")));
  CHECK_FALSE(holds(rule("not_in_set", "carrier", R"({"values": ["ZZ"]})")));
  CHECK_FALSE(holds(rule("is_json", "city")));
  CHECK_FALSE(holds(rule("date_format", "city", R"({"format": "%Y-%m-%d"})")));
  CHECK(holds(rule("z_below", "id", R"({"max": 2})")));
  CHECK_FALSE(holds(rule("z_below", "id", R"({"max": 1})")));
  CHECK(holds(pair("greater", {"high", "low"})));
  CHECK_FALSE(holds(pair("greater", {"low", "high"}, R"({"or_equal": true})")));
  CHECK_FALSE(holds(pair("equal", {"low", "high"})));
  CHECK(holds(pair("different", {"low", "high"})));
  CHECK(holds(pair("key", {"id", "carrier"})));
  CHECK_FALSE(holds(pair("key", {"city", "carrier"})));
  CHECK_FALSE(holds(pair("sum_is", {"low", "high"}, R"({"total": 3})")));
  CHECK_FALSE(holds(pair("pair_in_set", {"carrier", "city"}, R"({"values": [["AA", "c1"]]})")));
  CHECK(holds(rule("condition", "", R"({"sql": "high = low + 1"})")));
  CHECK_FALSE(holds(rule("condition", "", R"({"sql": "id < 999"})")));
  CHECK(holds(rule("mean", "id", R"({"min": 499, "max": 500})")));
  CHECK_FALSE(holds(rule("mean", "id", R"({"min": 500})")));
  CHECK(holds(rule("median", "id", R"({"min": 499.5, "max": 499.5})")));
  CHECK(holds(rule("quantile", "id", R"({"q": 0.9, "min": 899, "max": 900})")));
  CHECK_FALSE(holds(rule("sum", "id", R"({"max": 1000})")));
  CHECK(holds(rule("distinct_count", "carrier", R"({"min": 4, "max": 4})")));
  CHECK_FALSE(holds(rule("missing_share", "city", R"({"max": 0.001})")));
  CHECK(holds(rule("row_count", "", R"({"min": 1000, "max": 1000})")));
  CHECK(holds(rule("duplicate_rows", "", R"({"max": 0})")));
  CHECK_FALSE(holds(rule("most_common_in_set", "carrier", R"({"values": ["ZZ"]})")));
  CHECK(holds(rule("contains_values", "carrier", R"({"values": ["ZZ", "AA"]})")));
  CHECK_FALSE(holds(rule("contains_values", "carrier", R"({"values": ["YY"]})")));
  CHECK(holds(pair("correlation", {"low", "high"}, R"({"min": 0.999})")));
  CHECK(holds(rule("query", "", R"({"sql": "SELECT count(*) FROM t WHERE fare < 0", "max": 50})")));
  CHECK(holds(rule("column_exists", "fare")));
  CHECK_FALSE(holds(rule("column_exists", "fares")));
  CHECK_FALSE(holds(rule("column_type", "fare", R"({"type": "text"})")));
  CHECK_FALSE(holds(rule("column_count", "", R"({"max": 5})")));
  CHECK(holds(
      rule("columns_are", "", R"({"values": ["high", "low", "city", "fare", "carrier", "id"]})")));
  CHECK_FALSE(holds(rule("columns_are", "", R"({"values": ["id"], "ordered": true})")));
}

TEST_CASE("mostly and where narrow a rule; a rule that cannot be judged is named") {
  Expectation most = rule("between", "fare", R"({"min": 0})");
  most.mostly = 0.95;
  CHECK(holds(most));
  most.mostly = 0.96;
  CHECK_FALSE(holds(most));
  most.where = "carrier <> 'ZZ'";
  most.mostly = 1;
  CHECK(holds(most));
  base::Context context;
  const auto bad = check_expectations(
      engine(), kTrips,
      {rule("between", "fare", R"({"min": 0})"), rule("condition", "id", R"({"sql": "no such"})")},
      profile(), context);
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().text().find("condition") != std::string::npos);
  CHECK_FALSE(check_expectations(engine(), kTrips, {rule("mean", "fares")}, profile(), context)
                  .has_value());
  CHECK_FALSE(Expectation::from_json(*base::parse_json(R"({"kind": "betwen"})")).has_value());
}

TEST_CASE("what data suggests holds for it, with stated confidence") {
  const auto suggested = suggest_expectations(profile());
  CHECK(suggested.size() >= 8);
  for (const auto& item : suggested) {
    INFO(item.to_json().dump());
    CHECK(item.confidence > 0.9);
    CHECK(holds(item));
    CHECK(Expectation::from_json(item.to_json()).has_value());
  }
  const auto city = std::find_if(suggested.begin(), suggested.end(), [](const Expectation& e) {
    return e.kind == "not_null" && e.column == "city";
  });
  REQUIRE(city != suggested.end());
  CHECK(city->mostly < 0.99);
  CHECK(city->mostly > 0.97);
}

TEST_CASE("schemas go out and come back in other tools' words") {
  Schema schema = infer_schema(profile());
  schema.owner = "ana";
  schema.columns[2].min = 0;
  schema.columns[2].absent_in = {"serving"};
  schema.expectations = suggest_expectations(profile());
  for (const std::string format : {"tfdv", "odcs", "jsonschema"}) {
    INFO(format);
    const auto text = write_contract(schema, "trips", format);
    REQUIRE(text.has_value());
    const auto back = read_contract(*text, format);
    REQUIRE_MESSAGE(back.has_value(), (back ? std::string() : back.error().text()));
    REQUIRE(back->columns.size() == schema.columns.size());
    for (std::size_t c = 0; c < schema.columns.size(); ++c) {
      CHECK(back->columns[c].name == schema.columns[c].name);
      CHECK(back->columns[c].type == schema.columns[c].type);
      CHECK(back->columns[c].min == schema.columns[c].min);
      if (format != "jsonschema") CHECK(back->columns[c].domain == schema.columns[c].domain);
    }
    if (format == "odcs") {
      CHECK(back->expectations.size() == schema.expectations.size());
      CHECK(back->owner == "ana");
    }
    if (format == "tfdv") CHECK(back->columns[2].absent_in == schema.columns[2].absent_in);
  }
  CHECK_FALSE(read_contract("feature { name: \"a\"", "tfdv").has_value());
  CHECK_FALSE(read_contract("kind: DataContract\n\tx: 1", "odcs").has_value());
  CHECK_FALSE(write_contract(schema, "trips", "xml").has_value());
}

TEST_CASE("TFDV's own schemas are read") {
  const char* named = std::getenv("MARU_SHARED");
  const std::string file = std::string(named != nullptr ? named : "../shared") +
                           "/golden/peers/tfdv/telco_new_category.schema.pbtxt";
  if (!base::path_exists(file)) {
    MESSAGE("skipped: no schema at ", file);
    return;
  }
  const auto schema = read_contract(*base::read_file(file), "tfdv");
  REQUIRE(schema.has_value());
  CHECK(schema->columns.size() == 21);
  CHECK(schema->columns[0].name == "customerID");
  CHECK(schema->columns[0].missing_max == 0);
  const auto& churn = schema->columns.back();
  CHECK(churn.name == "Churn");
  CHECK(churn.domain == std::vector<std::string>{"No", "Yes"});
}

TEST_CASE("a column may be absent where its rule says so") {
  Schema schema = infer_schema(profile());
  schema.columns[1].absent_in = {"serving"};
  const auto table = engine().query("SELECT * EXCLUDE carrier FROM " + kTrips);
  REQUIRE(table.has_value());
  const Profile seen = profile_table(*table);
  CHECK(validate(*table, seen, schema, "serving").empty());
  CHECK(validate(*table, seen, schema).size() == 1);
}

}  // namespace maru::stats
