#pragma once
#include <map>
#include <string>
#include <vector>

#include "maru/data/table.h"
#include "maru/stats/drift.h"
#include "maru/stats/measures.h"
#include "maru/stats/profile.h"

namespace maru::stats {

// Categories with their counts.
struct Counts {
  std::map<std::string, double> values;
  double total = 0, distinct = 0;
  bool complete =
      true;  // false: too many values were seen to keep all; `values` is empty or a part

  static Counts of(const data::Column& column);
  static Counts of(const ColumnProfile& profile);
  std::string mode() const;
  double share(const std::string& value) const;
  double evenness() const;  // entropy over its maximum; 1 when all values are equally frequent
  bool identifies() const { return distinct > 50 && distinct > 0.5 * total; }  // says who, not what
};

struct CategoryTest {
  BinMeasures measures;  // all values, in UTF-8 order
  // Values expected in fewer than 5 rows of a side count as one: so small cells cannot fake a change. V is bias-corrected (Bergsma 2013).
  double pooled_p = 1, pooled_v = 0, pooled_dof = 0;
  double fresh_share = 0, likelihood_old = 0, likelihood_new = 0;
  double fresh_p =
      1;  // the commonest value that is new: chance of meeting it in b alone, times the number of values
  std::vector<std::string> fresh, vanished;  // commonest first
};
CategoryTest compare_counts(const Counts& a, const Counts& b);

// One column of one side: of rows, or what a profile kept of them.
struct Side {
  std::string name;
  data::ColumnType type = data::ColumnType::kFloat;
  bool numeric = false;
  double rows = 0, missing = 0;
  Sample sample;  // numeric
  Counts
      counts;  // text and bool; numbers of at most kFewValues values; of times the hours of the day
  Sample lengths;  // of text, in bytes
  // Text that is mostly numbers: cells that are not, of those present.
  double unparsable = 0;
  std::vector<std::string> words;
  // From a profile: the distribution function is known at the sample's values only.
  bool coarse = false;
  double present() const { return rows - missing; }
};
inline constexpr std::size_t kFewValues = 24;

Side side_of(const data::Column& column);
Side side_of(const ColumnProfile& profile);
// A text column as the numbers in it.
Side number_side_of(const data::Column& text);
// `sample` on the points of a coarse one: every value counts at the next point at or above it. Moments stay exact.
Sample coarsened(const Sample& sample, const Sample& points);

}  // namespace maru::stats
