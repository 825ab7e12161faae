#include "maru/stats/drift.h"

#include <doctest/doctest.h>

#include <cmath>

#include "golden_cases.h"

namespace maru::stats {
namespace {

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

TEST_CASE("drift verdicts equal the golden ones") {
  int judged = 0;
  for (const std::string& name : GoldenCases::get().names()) {
    const base::Json golden = GoldenCases::expected(name);
    const base::Json& verdict = golden["verdict"];
    INFO("case ", name);
    const DriftReport report =
        compare_tables(read_typed(GoldenCases::get().file(name, "reference")),
                       read_typed(GoldenCases::get().file(name, "current")));
    CHECK(report.drift == verdict["drift"].as_bool());
    check_culprits(verdict, report);
    if (!verdict["drift"].as_bool()) CHECK(report.culprits.size() == 0);
    // Without `may`, a column that `must` does not name is a false alarm.
    for (const auto& column : report.columns) {
      if (!column.drift || verdict.has("may")) continue;
      CHECK_MESSAGE(names(verdict["must"], column.name), "false alarm: ", column.name, ": ",
                    column.reason);
    }
    if (verdict.has("first")) CHECK(report.columns.front().name == verdict["first"].as_string());
    for (const auto& must : verdict["must"].items()) {
      INFO("column ", must.as_string());
      bool found = false;
      for (const auto& column : report.columns)
        found = found || (column.name == must.as_string() && column.drift);
      CHECK(found);
    }
    const double auc = report.together["auc"].as_double(),
                 wanted = golden["domain_classifier"]["auc"].as_double();
    CHECK_MESSAGE(std::fabs(auc - wanted) <= 0.03, "auc ", auc, ", golden ", wanted);
    ++judged;
  }
  CHECK((judged == 26 || judged == 0));
}

}  // namespace maru::stats
