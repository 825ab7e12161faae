#include "params.h"

#include <cmath>

#include "maru/base/check.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"

namespace maru::train {

using base::Code;
using base::fail;

const std::vector<ParamRange>& lightgbm_params() {
  static const std::vector<ParamRange> kTable = {
      {"num_leaves", 31, 2, 4096, true},       {"learning_rate", 0.1, 1e-4, 1, false},
      {"min_data_in_leaf", 20, 0, 1e6, true},  {"min_sum_hessian_in_leaf", 1e-3, 0, 1e6, false},
      {"feature_fraction", 1, 0.01, 1, false}, {"bagging_fraction", 1, 0.01, 1, false},
      {"lambda_l1", 0, 0, 1e6, false},         {"lambda_l2", 0, 0, 1e6, false},
      {"min_gain_to_split", 0, 0, 1e9, false}, {"max_depth", -1, -1, 100, true},
      {"path_smooth", 0, 0, 1e6, false},       {"extra_trees", 0, 0, 1, true},
      {"rounds", 0, 0, 100000, true},  // 0: as the options say
  };
  return kTable;
}

const std::vector<ParamRange>& linear_params() {
  static const std::vector<ParamRange> kTable = {
      {"c", 1, 1e-9, 1e9, false},
      {"l1_ratio", 0, 0, 1, false},
  };
  return kTable;
}

base::Result<Params> Params::read(const Config& config, const std::vector<ParamRange>& table) {
  Params out;
  for (const ParamRange& range : table) out.values_.emplace_back(range.name, range.fallback);
  for (const auto& [key, value] : config.params.members()) {
    if (key == "drop" && config.learner == "lightgbm") continue;  // names, not a number
    std::size_t at = 0;
    while (at < table.size() && key != table[at].name) ++at;
    if (at == table.size()) {
      std::vector<std::string> known;
      for (const ParamRange& range : table) known.emplace_back(range.name);
      std::string hint = base::did_you_mean(key, known);
      if (hint.empty()) hint = "known: " + base::join(known, ", ");
      return fail(Code::kInvalidArgument,
                  "unknown parameter of learner " + config.learner + ": " + key, hint);
    }
    const ParamRange& range = table[at];
    const double number = value.is_bool() ? (value.as_bool() ? 1.0 : 0.0) : value.as_double(NAN);
    if (!(number >= range.low && number <= range.high) ||
        (range.whole && std::floor(number) != number))
      return fail(Code::kInvalidArgument, "parameter out of range: " + key + " = " + value.dump(),
                  std::string(range.whole ? "a whole number" : "a number") + " from " +
                      base::format_double(range.low) + " to " + base::format_double(range.high));
    out.values_[at].second = number;
  }
  return out;
}

double Params::operator[](const std::string& name) const {
  for (const auto& [key, value] : values_)
    if (key == name) return value;
  MARU_CHECK(false && "a parameter outside its table");
  return 0;
}

std::string Config::text() const {
  static const std::vector<std::pair<std::string, std::string>> kShort = {
      {"num_leaves", "leaves"},   {"learning_rate", "lr"},     {"min_data_in_leaf", "min"},
      {"feature_fraction", "ff"}, {"bagging_fraction", "bag"}, {"lambda_l1", "l1"},
      {"lambda_l2", "l2"},        {"max_depth", "depth"},      {"min_gain_to_split", "gain"},
      {"extra_trees", "extra"}};
  std::string out = learner;
  for (const auto& [key, value] : params.members()) {
    std::string name = key;
    for (const auto& [from, to] : kShort)
      if (from == key) name = to;
    std::string number = value.is_string() ? "(" + value.as_string() + ")" : value.dump();
    if (value.is_array()) {
      std::vector<std::string> parts;
      for (const base::Json& item : value.items()) parts.push_back(item.as_string());
      number = base::join(parts, ",");
    }
    if (value.is_double()) {
      // Three significant digits are enough for a table.
      number = base::format_significant(value.as_double(), 3);
    }
    out += " " + name + "=" + number;
  }
  return out;
}

transform::Target feature_target(const std::string& learner) {
  return learner == "linear" ? transform::Target::kLinear : transform::Target::kTrees;
}

}  // namespace maru::train
