#pragma once
#include "distribution.h"
#include "maru/base/json.h"

namespace maru::stats {

// What chance alone does to each figure with these many rows, learnt from chunks of the reference: NannyML's rule (mean + 3 deviations of
// the chunks' distance from the whole), scaled from the chunk's size to the sizes compared.
struct ChunkNoise {
  double mean = 0, spread = 0, mode = 0, symmetry = 0, skewness = 0, likelihood = 0;
  std::size_t chunks = 0, chunk_rows = 0;
};
ChunkNoise learn_noise(const Sample& reference, double rows_new);

// Where values repeat, the most frequent one; else the middle of the fullest of 40 bins between the 1st and 99th percentile.
double mode_of(const Sample& sample);
double symmetry_of(const Sample& sample);  // (q90 + q10 - 2 q50) / (q90 - q10)

// The five questions of old versus new: {old, new, value, limit, reason, verdict}. A limit is what is visible at all or what chance reaches,
// whichever is more, and says which.
base::Json number_questions(const Side& before, const Side& after, const NumberMeasures& measures,
                            const ChunkNoise& noise);
base::Json category_questions(const Counts& before, const Counts& after, const CategoryTest& test);
// What a picture needs: {edges, old, new} shares in equal-width bins of the middle 99 % (the ends hold the rest), or {values, old, new}.
base::Json number_picture(const Sample& before, const Sample& after);
base::Json category_picture(const Counts& before, const Counts& after);

}  // namespace maru::stats
