#pragma once
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/train/train.h"

namespace maru::train {

struct ParamRange {
  const char* name;
  double fallback, low, high;
  bool whole = false;
};

// Reads one learner's parameters, checked against a table; unknown keys come with the nearest known one.
class Params {
 public:
  static base::Result<Params> read(const Config& config, const std::vector<ParamRange>& table);
  double operator[](const std::string& name) const;  // must be in the table

 private:
  std::vector<std::pair<std::string, double>> values_;
};

const std::vector<ParamRange>& lightgbm_params();
const std::vector<ParamRange>& linear_params();

}  // namespace maru::train
