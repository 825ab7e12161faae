#pragma once
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/data/table.h"
#include "maru/model/model.h"

// Logged predictions asked again of a version, and what differs.
namespace maru::api {

inline constexpr std::size_t kReplayRows = 10'000;      // at most, of one call
inline constexpr std::size_t kReplayDifferences = 100;  // told one by one: the largest

struct ReplayRow {
  std::string id;
  std::int64_t time_us = 0;
  std::int64_t version = 0;  // that answered
  base::Json logged, now;    // {"prediction", "score"}, or the tensors by name
  double difference = 0;  // of scores, or the largest of any element; NaN where one has no number
  std::int64_t model_ns = 0;  // of the call that answered it; shared by the rows of one call
  bool other_class = false;
  bool same_bits = false;
  std::string error;  // the version could not answer
};

struct Replay {
  std::vector<ReplayRow> rows;
  std::vector<std::string> missing, unused,
      retyped;  // inputs: not logged, not taken, of another type now
};

// `table`: rows of the prediction log with every column (monitor::LogQuery::whole). The inputs are given as they were logged, those that the version wants and the log lacks as
// missing. Counts in no statistics and is not logged. kFailedPrecondition when the log holds tensors and the version takes columns, or the other way round.
base::Result<Replay> replay(const model::Bundle& bundle, const data::Table& table,
                            const base::Clock& clock = base::system_clock());

// The report: counts, by version that answered, and the rows that differ by more than `tolerance` (of the value's size, above 1).
base::Json replay_json(const Replay& replay, double tolerance);

}  // namespace maru::api
