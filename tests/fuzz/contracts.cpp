// Schemas in the words of other tools: what is read is written again, and read back, in every format.
#include "maru/stats/contract.h"

#include "driver.h"
#include "maru/base/check.h"
#include "maru/base/text.h"

using maru::stats::read_contract;
using maru::stats::write_contract;

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const char kind = input.front();
  const std::string format = kind == 'T' ? "tfdv" : kind == 'J' ? "jsonschema" : "odcs";
  const auto schema = read_contract(std::string(input.substr(1)), format);
  if (!schema) {
    MARU_CHECK(!schema.error().message.empty());
    return;
  }
  for (const char* to : {"tfdv", "jsonschema", "odcs"}) {
    const auto text = write_contract(*schema, "name", to);
    if (!text) continue;
    static_cast<void>(read_contract(*text, to));
  }
}

std::vector<std::string> fuzz_seeds() {
  return {
      "Tfeature { name: \"age\" type: INT presence { min_fraction: 1.0 min_count: 1 } int_domain { "
      "min: 0 max: 120 } }\nfeature {\n  name: \"city\"\n  type: BYTES\n  domain: \"city\"\n}\n"
      "string_domain { name: \"city\" value: \"Seoul\" value: 'B\\303\\251' }\n# end\n",
      R"(J{"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}, "city": {"enum": ["a", "b"]}, "mail": {"type": "string", "pattern": "^.+@.+$"}}, "required": ["age"]})",
      "Ykind: DataContract\napiVersion: v3.0.2\nid: x\nschema:\n  - name: t\n    properties:\n"
      "      - name: age\n        logicalType: integer\n        required: true\n"
      "        quality:\n          - rule: nullCheck\n            mustBe: 0\n"};
}
