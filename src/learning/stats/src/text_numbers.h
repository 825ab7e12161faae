#pragma once
#include <string>
#include <vector>

#include "maru/data/table.h"

namespace maru::stats {

// A column of text read as numbers, surrounding blanks aside: what became of a number column in which some cells are words.
struct TextNumbers {
  std::vector<double> values;      // finite ones
  double present = 0;              // cells that are not blank
  double unparsable = 0;           // of them
  std::vector<std::string> words;  // the commonest unparsable ones, at most 5
};
TextNumbers numbers_in_text(const data::Column& column);

}  // namespace maru::stats
