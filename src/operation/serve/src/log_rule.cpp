#include "log_rule.h"

#include "declared.h"
#include "maru/base/hash.h"

namespace maru::serve {
namespace {

using base::Code;
using base::Json;

tl::unexpected<base::Error> refuse(const std::string& what, const char* hint) {
  return base::fail(Code::kInvalidArgument, "log: " + what, hint);
}

base::Result<double> share_of(const Json& json, const char* where) {
  if (json.is_null()) return 1.0;
  const double share = json.is_number() ? json.as_double() : -1;
  if (!(share >= 0 && share <= 1))
    return refuse(std::string(where) + " is not a share: " + json.dump().substr(0, 50),
                  "a number from 0 to 1");
  return share;
}

}  // namespace

base::Result<LogRule> LogRule::parse(const Json& json) {
  LogRule out;
  if (json.is_null()) return out;
  if (!json.is_object()) return refuse("not an object", R"(write {"sample": 0.1})");
  static const std::vector<std::string> kKnown = {"sample", "rules"},
                                        kOfRule = {"version", "principal", "slower_than_ms",
                                                   "sample"};
  TRY(known_keys(json, "log has an unknown key:", kKnown));
  TRY_ASSIGN(out.sample_, share_of(json["sample"], "sample"));
  const Json& rules = json["rules"];
  if (!rules.is_null() && (!rules.is_array() || rules.size() > kMaxLogRules))
    return refuse("rules is not a list of at most 16", R"(write [{"version": 3, "sample": 1}])");
  for (const Json& item : rules.items()) {
    if (!item.is_object()) return refuse("a rule is not an object", "");
    TRY(known_keys(item, "a rule of log has an unknown key:", kOfRule));
    Rule rule;
    rule.version = static_cast<int>(item["version"].as_int(0));
    rule.principal = item["principal"].as_string();
    if (!item["slower_than_ms"].is_null()) {
      const double ms = item["slower_than_ms"].as_double(-1);
      if (!(ms >= 0 && ms <= 3.6e6))
        return refuse("slower_than_ms is not a time", "milliseconds from 0 to an hour");
      rule.slower_than_ns = static_cast<std::int64_t>(ms * 1e6);
    }
    TRY_ASSIGN(rule.sample, share_of(item["sample"], "sample of a rule"));
    out.rules_.push_back(std::move(rule));
  }
  return out;
}

bool LogRule::keeps(const LoggedCall& call) const {
  double sample = sample_;
  for (const Rule& rule : rules_) {
    if ((rule.version != 0 && rule.version != call.version) ||
        (!rule.principal.empty() && rule.principal != call.principal) ||
        call.total_ns < rule.slower_than_ns)
      continue;
    sample = rule.sample;
    break;
  }
  if (sample >= 1) return true;
  if (sample <= 0) return false;
  constexpr std::uint64_t kSeed = 0x6c6f67;  // another hash than the one that chose the arm
  return static_cast<double>(base::hash64(call.id, kSeed) >> 11) * 0x1p-53 < sample;
}

}  // namespace maru::serve
