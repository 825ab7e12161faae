// Filters, orders and patterns: parsed or refused with a place; whatever is parsed can be evaluated.
#include "maru/tracking/filter.h"
#include "driver.h"
#include "maru/base/check.h"

using namespace maru::tracking;

void fuzz_one(std::string_view input) {
  for (const Grammar* grammar : {&run_grammar(), &logged_model_grammar(), &trace_grammar()}) {
    const auto filter = parse_filter(input, *grammar);
    if (!filter) {
      MARU_CHECK(filter.error().code == maru::base::Code::kInvalidArgument);
      continue;
    }
    each_comparison(*filter, [&](const Comparison& leaf) {
      MARU_CHECK(leaf.position < input.size());
      MARU_CHECK(!compare(leaf, Cell{}) || leaf.op == Op::kIsNull);
    });
    matches_values(*filter, [&](Entity, const std::string& key) -> Cell {
      return key.size() % 2 == 0 ? Cell(input) : Cell(static_cast<double>(key.size()));
    });
  }
  static_cast<void>(parse_order({std::string(input)}, run_grammar()));
  const std::size_t half = input.size() / 2;
  const std::string_view text = input.substr(0, half), pattern = input.substr(half);
  MARU_CHECK(!like(text, pattern) || like(text, pattern, true));
  if (const auto compiled = Pattern::compile(pattern)) (*compiled)->found_in(text);
}

std::vector<std::string> fuzz_seeds() {
  return {"metrics.loss >= -1.5e-3 AND params.`a b` = 'x''y'",
          "NOT (tags.mlflow.user IS NULL OR run_id NOT IN ('a', \"b\",)) and Created < 5.",
          "span.attributes.model RLIKE '^(gpt|o)[-\\w]{1,3}$' AND feedback.good = 'true'",
          "metrics.\"q r\" DESC",
          "name ILIKE '%_x%'",
          "a(b|c)*?[^d-f\\s]+\\b$"};
}
