#pragma once
#include <string>

namespace maru::base {

// Numbers for people; JSON and files take format_double (maru/base/json.h).
std::string format_significant(double value, int digits);  // as %g: 0.1234, 1.234e+07
std::string format_fixed(double value, int decimals);      // as %f: 0.12

}  // namespace maru::base
