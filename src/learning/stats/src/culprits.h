#pragma once
#include "maru/stats/drift.h"

namespace maru::stats {

// What is behind the drifting columns: which slice is out of line and how, ranked by the share of the change that is gone once it is undone.
// kind: scale, shift, mirrored, stretched, rounded, missing, renamed, recoded, swapped, truncated, timezone, words, spike, moved.
base::Json find_culprits(const data::Table& reference, const data::Table& current,
                         const DriftReport& report, const base::Json& relations);
// Pairs of columns that did not move alone, but whose association did (Cramér's V, and Pearson's test of the joint cells at alpha / pairs): what no look at single
// columns can see. Strongest first, at most 5, as culprits of kind "relation" with the other column as `slice`.
base::Json find_broken_relations(const data::Table& reference, const data::Table& current,
                                 const DriftReport& report, const DriftOptions& options);
// How well boosted trees tell the two sides apart, out of fold, and on which columns.
base::Json compare_together(const data::Table& reference, const data::Table& current,
                            const DriftOptions& options);

}  // namespace maru::stats
