#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "maru/base/file.h"
#include "maru/base/json.h"
#include "maru/data/dataset.h"
#include "maru/stats/drift.h"
#include "maru/stats/profile.h"

// Compares with the exact numbers of the shared golden files; says what it skips where they are absent.
namespace maru::stats {
namespace {

std::string shared() {
  const char* named = std::getenv("MARU_SHARED");
  return named != nullptr ? named : std::string("../shared");
}

bool near(double a, double b) {
  return a == b || std::fabs(a - b) <= 1e-9 * std::max({1.0, std::fabs(a), std::fabs(b)});
}

data::Table read(const std::string& path) {
  static const auto engine = data::Engine::open({"/tmp", 1, 1ull << 30});
  REQUIRE(engine.has_value());
  data::ImportSpec spec;
  spec.dataset = "golden";
  spec.sources = {path};
  base::Context context;
  auto table = data::read_files(**engine, spec, context);
  REQUIRE_MESSAGE(table.has_value(), (table ? std::string() : table.error().text()));
  return std::move(*table);
}

double quantile_of(const ColumnProfile& profile, double p) {
  for (const auto& [probability, value] : profile.quantiles) {
    if (std::fabs(probability - p) < 1e-9) return value;
  }
  return std::nan("");
}

void check_column(const ColumnProfile& profile, const base::Json& golden) {
  INFO("column ", profile.name);
  CHECK(profile.count == static_cast<std::uint64_t>(golden["count"].as_int()));
  CHECK(profile.missing == static_cast<std::uint64_t>(golden["missing"].as_int()));
  if (golden["physical_type"].as_string() == "string") {
    CHECK(profile.distinct == static_cast<std::uint64_t>(golden["distinct_raw_strings"].as_int()));
    const auto& top = golden["top20_raw_strings"].items();
    REQUIRE(profile.top.size() == top.size());
    for (std::size_t i = 0; i < top.size(); ++i)
      CHECK(profile.top[i].count == static_cast<std::uint64_t>(top[i]["count"].as_int()));
    return;
  }
  if (profile.type == data::ColumnType::kTimestamp || !golden.has("mean")) return;
  CHECK(profile.distinct == static_cast<std::uint64_t>(golden["distinct"].as_int()));
  CHECK(near(profile.min, golden["min"].as_double()));
  CHECK(near(profile.max, golden["max"].as_double()));
  CHECK(near(profile.mean, golden["mean"].as_double()));
  CHECK(near(profile.std, golden["std_population"].as_double()));
  CHECK(profile.zeros == static_cast<std::uint64_t>(golden["zeros"].as_int()));
  for (const auto& [name, value] : golden["quantiles_linear"].members()) {
    const double p = std::stod(name) / 100;
    if (p > 0 && p < 1) CHECK(near(quantile_of(profile, p), value.as_double()));
  }
}

bool names(const base::Json& list, const std::string& wanted) {
  for (const auto& item : list.items())
    if (item.as_string() == wanted) return true;
  return false;
}

// The slice that was altered comes first among the culprits; of a joint case, one of the columns whose relation was broken.
void check_culprits(const base::Json& verdict, const DriftReport& report) {
  if (!verdict.has("slice") && !verdict.has("joint")) return;
  REQUIRE(report.culprits.size() > 0);
  const base::Json& first = report.culprits.at(0);
  INFO("culprit: ", first.dump());
  if (verdict.has("joint")) {
    CHECK(first["kind"].as_string() == "relation");
    CHECK((names(verdict["joint"], first["column"].as_string()) ||
           names(verdict["joint"], first["slice"].as_string())));
    return;
  }
  bool found = false;
  const auto compare = [&](const base::Json& slice) {
    for (const auto& [column, value] : slice.members())
      found = found || first["slice"].as_string() ==
                           column + ": " + (value.is_string() ? value.as_string() : value.dump());
  };
  compare(verdict["slice"]);
  for (const auto& same : verdict["same_slice"].items()) compare(same);
  CHECK(found);
}

}  // namespace

TEST_CASE("profiles equal the golden statistics") {
  for (const std::string name : {"adult", "california_housing", "titanic", "telco_churn"}) {
    const std::string golden_file = shared() + "/golden/stats/" + name + ".json";
    if (!base::path_exists(golden_file)) {
      MESSAGE("skipped: no golden statistics at ", golden_file);
      return;
    }
    const auto golden = base::parse_json(*base::read_file(golden_file));
    REQUIRE(golden.has_value());
    const Profile profile = profile_table(read(shared() + "/data/" + name + ".csv"));
    INFO("data set ", name);
    CHECK(profile.rows == static_cast<std::uint64_t>((*golden)["rows"].as_int()));
    CHECK(profile.duplicate_rows ==
          static_cast<std::uint64_t>((*golden)["duplicate_rows"].as_int()));
    for (const auto& [column, facts] : (*golden)["columns"].members()) {
      const ColumnProfile* found = profile.find(column);
      REQUIRE(found != nullptr);
      check_column(*found, facts);
      const auto again = ColumnProfile::from_json(found->to_json());
      REQUIRE(again.has_value());
      CHECK(again->to_json() == found->to_json());
    }
  }
}

TEST_CASE("drift verdicts equal the golden ones") {
  const std::string rules = shared() + "/golden/drift/splits.py";
  if (!base::path_exists(rules)) {
    MESSAGE("skipped: no drift cases at ", rules);
    return;
  }
  const std::string folder = "/tmp/maru-drift-" + std::to_string(::getpid());
  REQUIRE(std::system(
              ("python3 " + rules + " " + shared() + "/data " + folder + " >/dev/null").c_str()) ==
          0);
  const auto names = base::list_folder(folder);
  REQUIRE(names.has_value());
  int judged = 0;
  for (const auto& name : *names) {
    const auto golden =
        base::parse_json(*base::read_file(shared() + "/golden/drift/" + name + ".json"));
    REQUIRE(golden.has_value());
    const base::Json& verdict = (*golden)["verdict"];
    if (verdict["hard"].as_bool()) continue;
    INFO("case ", name);
    const DriftReport report = compare_tables(read(folder + "/" + name + "/reference.csv"),
                                              read(folder + "/" + name + "/current.csv"));
    CHECK(report.drift == verdict["drift"].as_bool());
    check_culprits(verdict, report);
    // Without `may`, a column that `must` does not name is a false alarm.
    for (const auto& column : report.columns) {
      if (!column.drift || verdict.has("may")) continue;
      bool named = false;
      for (const auto& must : verdict["must"].items())
        named = named || must.as_string() == column.name;
      CHECK_MESSAGE(named, "false alarm: ", column.name, ": ", column.reason);
    }
    if (verdict.has("first")) CHECK(report.columns.front().name == verdict["first"].as_string());
    for (const auto& must : verdict["must"].items()) {
      INFO("column ", must.as_string());
      bool found = false;
      for (const auto& column : report.columns)
        found = found || (column.name == must.as_string() && column.drift);
      CHECK(found);
    }
    ++judged;
  }
  CHECK(judged >= 15);
  CHECK(base::remove_tree(folder).has_value());
}

}  // namespace maru::stats
