#pragma once
#include "maru/steps/steps.h"
#include "training_rows.h"

namespace maru::steps {

using base::Json;

// One function a kind; see all_steps().
base::Result<Json> run_ingest(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_join(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_profile(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_validate(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_train(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_register(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_evaluate(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_promote(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_deploy(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_batch(const Services& services, pipeline::Attempt& attempt);
base::Result<Json> run_watch(const Services& services, pipeline::Attempt& attempt);

// An artifact of a training's run: [{"run": id of a trial's run, "report": evaluate::Report}].
inline constexpr const char* kFinalistsFile = "finalists.json";

// The outputs of the only dependency.
inline const Json& upstream(const pipeline::Attempt& attempt) {
  static const Json none;
  const auto& members = attempt.inputs.members();
  return members.empty() ? none : members.front().second;
}

// For the audit trail: this task reads the snapshot's rows.
inline base::Status note_read(const Services& services, const pipeline::Attempt& attempt,
                              const data::Snapshot& snapshot) {
  return services.datasets->note_read(snapshot, attempt.context->principal.name,
                                      attempt.task + " of run " + attempt.run_id);
}

void say(const pipeline::Attempt& attempt, const std::string& line);
void progress(const pipeline::Attempt& attempt, const std::string& stage, double fraction,
              const std::string& detail = {});

// A registered version's bundle, written below the attempt's folder and loaded.
base::Result<std::shared_ptr<const model::Bundle>> load_version(const Services& services,
                                                                const std::string& project,
                                                                const std::string& model,
                                                                int version,
                                                                const std::string& folder);
// Scores of `table` by `bundle`.
base::Result<model::Predictions> score(const model::Bundle& bundle, const data::Table& table);

}  // namespace maru::steps
