#pragma once
#include <mutex>
#include <string>

#include "maru/model/python.h"
#include "maru/pipeline/pipeline.h"
#include "maru/steps/project_file.h"
#include "maru/steps/steps.h"

namespace maru::app {

// Project files as pipeline runs: submitting them, keeping the newest text of each (document kind "project"), running them again when a monitor asks,
// and the JSON calls of the learning rooms. Thread safe.
class ProjectRuns {
 public:
  ProjectRuns(steps::Services services, pipeline::Scheduler& scheduler,
              pipeline::Scheduling& scheduling, std::string temp_folder,
              model::PythonOptions python);
  base::Result<std::string> submit(const base::Json& body, base::Context& context);
  base::Result<base::Json> init(const base::Json& body, base::Context& context);
  base::Result<base::Json> predict(const base::Json& body, base::Context& context);
  base::Result<base::Json> import_model(const base::Json& body, base::Context& context);
  // True when a run was submitted: the project that serves `endpoint` exists and has no run under way.
  bool retrain(const std::string& project, const std::string& endpoint, const std::string& why);

 private:
  base::Result<bool> try_retrain(const std::string& project, const std::string& endpoint,
                                 const std::string& why);

  steps::Services services_;
  pipeline::Scheduler& scheduler_;
  pipeline::Scheduling& scheduling_;
  const std::string temp_folder_;
  const model::PythonOptions python_;
  std::mutex retrain_mutex_;  // one decision at a time
};

}  // namespace maru::app
