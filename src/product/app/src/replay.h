#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"

namespace maru::app {

// One row as the caller of an endpoint sends it, with the answer that will be known later.
struct ReplayRow {
  std::string body;  // {"instances":[{...}]}
  bool label = false;
};

struct ReplayTotals {
  std::uint64_t sent = 0, failed = 0;
  std::vector<double> latency_us;
  std::vector<double> scores, labels;
  std::vector<std::string> ids;
};

// Rows of `table` as request bodies; `label` is a 0/1 or bool column that is not sent.
std::vector<ReplayRow> replay_rows(const data::Table& table, const std::string& label);

struct ReplayOptions {
  std::string url, endpoint;
  std::size_t connections = 2;
  double per_second = 0;              // 0: as fast as answers come
  std::size_t feedback_every = 2000;  // labels are sent in lists of this many
};

// Sends every row over HTTP on kept-alive connections, one request a row, and the labels behind them as feedback. Every request is counted; none is retried.
base::Result<ReplayTotals> replay(const std::vector<ReplayRow>& rows, const ReplayOptions& options);
void add(ReplayTotals& into, const ReplayTotals& from);
double percentile(std::vector<double> values, double p);  // NaN when empty

}  // namespace maru::app
