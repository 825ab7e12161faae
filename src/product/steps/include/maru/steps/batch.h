#pragma once
#include <string>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/pipeline/pipeline.h"
#include "maru/steps/steps.h"

namespace maru::steps {

inline constexpr const char* kBatchKind = "maru/batch";

// A batch prediction as a pipeline of one task. `body`: {"model", "selector", "input": [absolute paths and patterns, or one dataset], "output": an absolute path,
// "errors", "columns": "all" | "none" | [names], "overwrite", "shard_rows", "threads"}. In `output` and `errors`, {time}, {date} and {run} stand for when the run was
// made and its id. What can be known to fail already is refused here: an unknown model or input, a kind of file, an output that exists. `name` is the
// pipeline's; a schedule has `repeats`, and then every run needs an output of its own or may overwrite.
base::Result<pipeline::PipelineSpec> batch_pipeline(const Services& services,
                                                    const base::Json& body, const std::string& name,
                                                    bool repeats);

// "/out/{date}.csv" of a run, whose id holds the moment it was made at (UTC).
std::string expand_output(const std::string& pattern, const std::string& run_id);

}  // namespace maru::steps
