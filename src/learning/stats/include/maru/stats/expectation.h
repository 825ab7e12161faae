#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/engine.h"
#include "maru/stats/profile.h"
#include "maru/stats/schema.h"

namespace maru::stats {

// How a kind of expectation is judged, and what it takes.
struct ExpectationKind {
  std::string name;
  std::string
      judges;  // "rows": each row passes or not, `mostly` counts; "number": one number of a column within min and max; "table"
  std::string takes;  // keys of `value`
  std::string help;
};
// All kinds, in groups.
const std::vector<ExpectationKind>& expectation_kinds();

// Checks every expectation against a relation ("read_parquet([...])"), out of core: rows are never held. Those that judge rows share one scan. A failed one is an anomaly of
// its kind: how many rows, the first five of them, the slice that most of them lie in (a value of a column of `profile` with few values), what to do, and in
// `proposal` the expectation as it would pass. An expectation that cannot be judged (no such column, bad SQL) is kInvalidArgument and names it.
base::Result<std::vector<Anomaly>> check_expectations(data::Engine& engine,
                                                      const std::string& relation,
                                                      const std::vector<Expectation>& expectations,
                                                      const Profile& profile,
                                                      base::Context& context);

// What the data itself suggests, with how sure one can be that the next rows keep it: of n rows that all passed, the share that fails is below 1 − 0.05^(1/n) at 95 %
// (rule of three), else Wilson's bound; `mostly` is set to that bound. Columns of fewer than 20 rows suggest nothing.
std::vector<Expectation> suggest_expectations(const Profile& profile);

// "WHERE" of the rows that break an expectation that judges rows, over the relation's columns; kInvalidArgument for other kinds.
base::Result<std::string> bad_rows_condition(const Expectation& expectation);

}  // namespace maru::stats
