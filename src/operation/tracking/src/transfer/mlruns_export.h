#pragma once
#include <string>
#include <vector>

#include "transfer/importer.h"

namespace maru::tracking {

// Writes the folder that MLflow's FileStore reads, then reads it back and compares.
class MlrunsExport {
 public:
  MlrunsExport(Here here, const ExportOptions& options, base::Context& context,
               const base::ProgressSink& progress)
      : here_(here), options_(options), context_(context), progress_(progress) {}
  base::Result<TransferReport> run();

 private:
  base::Status check_target();
  base::Status write_experiment(const Experiment& experiment);
  base::Status write_run(const std::string& folder, const WholeRun& whole);
  base::Status write_inputs(const std::string& folder, const std::string& experiment_folder,
                            const Run& run);
  base::Status write_models(const std::string& folder, const Experiment& experiment);
  base::Status write_registry();
  base::Status write_version(const std::string& folder, const ModelVersion& version);
  base::Status write_artifacts(const std::string& folder, const std::vector<Artifact>& files);
  void write_texts(const std::string& folder, const Text& texts);
  std::string storage_of(const ModelVersion& version);
  base::Status read_back();

  Here here_;
  const ExportOptions& options_;
  base::Context& context_;
  const base::ProgressSink& progress_;
  Damage damage_;
  TransferReport report_;
  std::vector<std::string> own_lines_, written_lines_;
};

}  // namespace maru::tracking
