// What parses is written and parses again to the same text.
#include "maru/base/json.h"
#include "driver.h"
#include "maru/base/check.h"

void fuzz_one(std::string_view input) {
  const auto value = maru::base::parse_json(input);
  if (!value) return;
  const std::string written = value->dump();
  const auto again = maru::base::parse_json(written);
  MARU_CHECK(again.has_value());
  MARU_CHECK(again->dump() == written);
}

std::vector<std::string> fuzz_seeds() {
  return {R"({"instances": [{"a": 1.5, "b": "x\u00e9", "c": null, "d": true}]})",
          "[1, -2, 3e10, 18446744073709551615, 0.1]",
          R"([[[[[[[[]]]]]]]])",
          R"({"": {"a": []}, "k": "\"\\\/\b\f\n\r\t"})",
          "\"plain\"",
          "-0.0"};
}
