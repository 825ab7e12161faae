#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::serve {

inline constexpr std::size_t kMaxLogRules = 16;

// An answered call, as far as rules ask.
struct LoggedCall {
  std::string_view id, principal;
  int version = 0;
  std::int64_t total_ns = 0;
};

// Which answered calls the prediction log is given: {"sample": 0.1, "rules": [{"version": 3, "principal": "x", "slower_than_ms": 20, "sample": 1}]}. The first rule
// whose conditions all hold decides, else "sample" (1 when absent). A share is taken by a hash of the prediction's id, so it can be told again from the id, and is
// independent of the arm. Immutable.
class LogRule {
 public:
  // Null: every call. kInvalidArgument names the field.
  static base::Result<LogRule> parse(const base::Json& json);
  bool keeps_all() const { return rules_.empty() && sample_ >= 1; }
  bool keeps(const LoggedCall& call) const;

 private:
  struct Rule {
    int version = 0;        // 0: any
    std::string principal;  // "": any
    std::int64_t slower_than_ns = -1;
    double sample = 1;
  };
  std::vector<Rule> rules_;
  double sample_ = 1;
};

}  // namespace maru::serve
