#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/pipeline/pipeline.h"

namespace maru::steps {

struct SourceEntry {
  std::string name;
  std::vector<std::string> sources;  // absolute paths or globs
  std::string sql;                   // instead of sources; names other entries as tables
  std::string time;                  // the column that orders rows, "" when none
  std::string ragged, encoding;      // as of `maru data import`; "" when not said
  bool header = true;
  bool detect_header = true;
};

// maru.yaml (DESIGN §5), checked and with every default filled in.
struct ProjectFile {
  std::string project;
  std::string model;  // registered name; default: project
  std::vector<SourceEntry> data;
  std::string label, at, task;  // task "" is inferred
  std::vector<std::string> exclude, allow;
  base::Json
      postprocess;       // what is done to the score before it is the answer (model/postprocess.h)
  std::string split_by;  // time column or "" for random
  double test_share = 0.2;
  double valid_share = 0.2;  // of what is not test: stops training early and ranks trials
  double budget_seconds = 60;
  std::string metric;  // "" is the task's default
  std::vector<std::string> learners;
  std::uint64_t seed = 1;
  int max_trials = 1000;
  std::vector<std::string> slices;
  base::Json gates = base::Json::object();
  std::string endpoint;  // "" : no endpoint
  base::Json
      rollout;  // null, or {"canary", "rollback_on", "step_seconds", "step_requests", "reward"}
  std::int64_t window_us = 86'400'000'000;
  std::uint64_t window_rows = 0;
  std::int64_t label_delay_us = 0;  // labels are expected this long after the prediction
  std::vector<std::string> drift_columns;
  bool retrain_on_drift = false, retrain_on_performance = false;
  std::int64_t cooldown_us = 86'400'000'000;
  std::string schedule;

  // The entry that rows are learnt from: `training` where it exists, else the only one.
  const SourceEntry& training() const;
};

// Parses the text; relative sources are taken from `folder`. Errors name line and column; an unknown key comes with the nearest known one.
base::Result<ProjectFile> parse_project(std::string_view yaml, const std::string& folder);
// The pipeline that the file means: ingest per source, then training, profile, validate, train, register, evaluate, promote, deploy, watch.
base::Result<pipeline::PipelineSpec> compile_project(const ProjectFile& file);
// "60s", "20%", "0.2" as numbers; used by the file and by flags.
base::Result<double> parse_share(std::string_view text);
base::Result<double> parse_seconds(std::string_view text);

}  // namespace maru::steps
