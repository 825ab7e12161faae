// The body of a prediction: the fast path and the path over a JSON tree agree on every body.
#include <cmath>

#include "driver.h"
#include "maru/base/check.h"
#include "maru/model/model.h"

namespace {

maru::model::Signature signature() {
  maru::model::Signature s;
  s.inputs = {{"age", maru::model::InputKind::kNumber, false, {}},
              {"visits", maru::model::InputKind::kInteger, false, {}},
              {"member", maru::model::InputKind::kBoolean, false, {}},
              {"city", maru::model::InputKind::kText, false, {}},
              {"signup", maru::model::InputKind::kTimestamp, false, {}}};
  return s;
}

}  // namespace

void fuzz_one(std::string_view input) {
  static const maru::model::Signature kSignature = signature();
  maru::model::InputBatch fast, slow;
  const bool fast_ok =
      maru::model::fill_from_text(kSignature, input, "instances", fast).has_value();
  const auto tree = maru::base::parse_json(input);
  if (!tree || !tree->find("instances")) {
    MARU_CHECK(!fast_ok);
    return;
  }
  const bool slow_ok =
      maru::model::fill_from_rows(kSignature, (*tree)["instances"], slow).has_value();
  if (!fast_ok || !slow_ok) return;
  MARU_CHECK(fast.rows == slow.rows);
  for (std::size_t c = 0; c < fast.columns.size(); ++c) {
    MARU_CHECK(fast.columns[c].texts == slow.columns[c].texts);
    MARU_CHECK(fast.columns[c].times == slow.columns[c].times);
    for (std::size_t r = 0; r < fast.columns[c].numbers.size(); ++r) {
      const double a = fast.columns[c].numbers[r], b = slow.columns[c].numbers[r];
      MARU_CHECK(a == b || (std::isnan(a) && std::isnan(b)));
    }
  }
}

std::vector<std::string> fuzz_seeds() {
  return {
      R"({"instances": [{"age": 30.5, "visits": 3, "member": true, "city": "서울", "signup": "2024-01-01 10:00:00"}]})",
      R"({"instances": [{"age": null, "visits": "12"}, {"city": "x\n", "signup": 1704103200000000}]})",
      R"({"other": [], "instances": []})", R"({"instances": {"age": [1, 2], "city": ["a", "b"]}})"};
}
