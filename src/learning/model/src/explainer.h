#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/model/explain.h"
#include "plan.h"

namespace maru::model {

// Finds in a plan what Maru's own graphs end with (trees or weights over features, a link, a mix of two) and which input column each feature comes from.
// Immutable after it is made; thread safe.
class Explainer {
 public:
  Explainer(const Plan& plan, std::size_t inputs, const InputBatch* background);
  base::Status explain(const Plan& plan, const InputBatch& batch, Explanation& out) const;

 private:
  enum class Link : std::uint8_t { kNone, kSigmoid, kSoftmax, kExp };
  struct Part {
    double share = 1;
    Link link = Link::kNone;
    bool trees = false;
    std::uint32_t forest = 0;
    Ref features;
    std::vector<std::int32_t> columns;  // by feature; < 0: a constant
    std::uint32_t weights = 0;          // of a linear part, in the plan's constants
    std::vector<double> means;          // of its features
    std::vector<double> base;           // by output
  };
  class Finder;
  struct Work;

  void measure(const Plan& plan, const InputBatch* background);
  void explain_row(const Plan& plan, const Part& part, const double* features, Work& work) const;
  static void through_link(const Part& part, std::size_t columns, Work& work);

  std::vector<Part> parts_;
  bool mixed_links_ = false;  // several parts, each with a link of its own
  std::size_t width_ = 1, columns_ = 0;
  std::string why_not_;
};

}  // namespace maru::model
