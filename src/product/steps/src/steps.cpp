#include "maru/steps/steps.h"

#include "maru/base/file.h"
#include "maru/steps/batch.h"
#include "step_functions.h"

namespace maru::steps {

void say(const pipeline::Attempt& attempt, const std::string& line) {
  if (attempt.log) attempt.log(line);
}

void progress(const pipeline::Attempt& attempt, const std::string& stage, double fraction,
              const std::string& detail) {
  if (attempt.progress) attempt.progress({stage, fraction, detail});
}

base::Result<std::shared_ptr<const model::Bundle>> load_version(const Services& services,
                                                                const std::string& project,
                                                                const std::string& model,
                                                                int version,
                                                                const std::string& folder) {
  TRY(services.tracking->registry().export_version(project, model, version, folder));
  return model::Bundle::load(folder);
}

base::Result<model::Predictions> score(const model::Bundle& bundle, const data::Table& table) {
  model::InputBatch batch;
  TRY(model::fill_from_table(bundle.signature(), table, batch));
  model::Predictions out;
  TRY(bundle.evaluator().predict(batch, out));
  return out;
}

std::vector<Step> all_steps(const Services& services) {
  using Function = base::Result<Json> (*)(const Services&, pipeline::Attempt&);
  struct Entry {
    const char* kind;
    const char* version;  // changes when the step's outputs for the same inputs change
    Function function;
  };
  static constexpr Entry kEntries[] = {
      {"maru/ingest", "1", run_ingest},     {"maru/join", "1", run_join},
      {"maru/profile", "1", run_profile},   {"maru/validate", "1", run_validate},
      {"maru/train", "1", run_train},       {"maru/register", "1", run_register},
      {"maru/evaluate", "1", run_evaluate}, {"maru/promote", "1", run_promote},
      {"maru/deploy", "1", run_deploy},     {"maru/watch", "1", run_watch},
      {kBatchKind, "1", run_batch},
  };
  std::vector<Step> out;
  for (const auto& entry : kEntries) {
    const Function function = entry.function;
    out.push_back({entry.kind, entry.version, [services, function](pipeline::Attempt& attempt) {
                     return function(services, attempt);
                   }});
  }
  return out;
}

}  // namespace maru::steps
