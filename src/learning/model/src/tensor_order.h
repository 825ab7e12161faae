#pragma once
#include <string>
#include <vector>

#include "maru/base/text.h"
#include "maru/model/tensor.h"

namespace maru::model {

// The names of specs or tensors, for an error's hint.
template <class Spec>
std::string names_of(const std::vector<Spec>& specs) {
  std::vector<std::string> names;
  for (const auto& spec : specs) names.push_back(spec.name);
  return base::join(names, ", ");
}

}  // namespace maru::model
