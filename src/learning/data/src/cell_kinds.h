#pragma once
#include <string_view>

#include "maru/data/table.h"

namespace maru::data {

// What every cell of a column so far allows its type to be; starts with everything. The order of the cells does not matter.
struct CellKinds {
  bool integer = true, digits = true, real = true, boolean = true, time = true;
  bool any_value = false, any_finite = false;

  void restrict(std::string_view cell);  // not blank
  void restrict_quoted(
      std::string_view cell);  // a text in JSON: a time, or a text even if it is "12"
  void merge(const CellKinds& other);
  bool none() const { return !integer && !digits && !real && !boolean && !time; }
  ColumnType type() const;  // integer, float, bool, timestamp, else text
  // Whether another cell that parses as `as` leaves these flags as they are.
  bool settled(ColumnType as) const;
};

}  // namespace maru::data
