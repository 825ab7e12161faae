#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/tracking/artifacts.h"
#include "maru/tracking/runs.h"

namespace maru::tracking {

struct ModelVersion {
  std::string model;
  int version = 0;
  // pending | ready | failed | archived | foreign: kept whole for the clients that know its format, but no bundle that Maru can serve.
  std::string state;
  std::string run_id, snapshot;
  base::Json metrics;  // {"roc_auc": {"value","low","high"}, ...}
  base::Json gates;    // [{"name","ok","value","bound","reason"}]
  base::Json card;     // what the model card shows (evaluation report)
  std::string description, reason;
  std::int64_t created_us = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> aliases;
  // MLflow's side of a version.
  std::string source;   // as the client told it
  std::string storage;  // URI of its files
  std::string user_id, run_link, model_id;
  std::string stage = "None";  // None | Staging | Production | Archived
  Text tags;
  std::int64_t updated_us = 0;
};

// A version that a client names rather than sends: its files are artifacts already.
struct NewVersion {
  std::string source, storage, run_id, run_link, description, user_id, model_id;
  Text tags;
  std::vector<Artifact> files;  // what is below `storage` now; empty when it is kept elsewhere
};

struct Model {
  std::string project, name, task, description;
  std::int64_t created_us = 0, updated_us = 0;
  std::vector<ModelVersion> versions;  // newest first
  std::map<std::string, int> aliases;
  Text tags;
};

struct RegistryQuery {
  std::string filter;  // MLflow's grammar (mlflow.md §1.10)
  std::vector<std::string> order_by;
  std::size_t limit = 100;
  std::size_t offset = 0;
};
struct ModelPage {
  std::vector<Model> models;  // as get_head() gives them
  bool more = false;
};
struct VersionPage {
  std::vector<ModelVersion> versions;
  bool more = false;
};

struct AliasChange {
  std::string alias;
  int from = 0, to = 0;  // 0: none
  std::string reason, principal;
  std::int64_t time_us = 0;
};

// Registered models, their numbered immutable versions, and movable aliases. Every successful write is durable. Numbers are never used
// twice within a model. A prompt is a model with the tag mlflow.prompt.is_prompt; list_models() leaves prompts out. Thread safe.
class Registry {
 public:
  virtual ~Registry() = default;
  // Registers the files below `folder` as the next version of `model` (created when absent): blobs first, then one transaction. State "ready".
  virtual base::Result<ModelVersion> register_version(const std::string& project,
                                                      const std::string& model,
                                                      const std::string& task,
                                                      const std::string& folder,
                                                      const ModelVersion& facts) = 0;
  virtual base::Result<std::vector<Model>> list_models(const std::string& project) = 0;
  virtual base::Result<Model> get_model(const std::string& project,
                                        const std::string& name) = 0;  // kNotFound with near names
  virtual base::Result<std::vector<Artifact>> version_files(const std::string& project,
                                                            const std::string& model,
                                                            int version) = 0;
  // Writes the version's files below `folder` (hash verified).
  virtual base::Status export_version(const std::string& project, const std::string& model,
                                      int version, const std::string& folder) = 0;
  // "" -> champion, else newest ready; "3" -> 3; an alias -> its version.
  virtual base::Result<int> resolve(const std::string& project, const std::string& model,
                                    const std::string& selector) = 0;
  // Atomic; version 0 removes the alias. Recorded in the alias history and the audit trail.
  virtual base::Status set_alias(const std::string& project, const std::string& model,
                                 const std::string& alias, int version, const std::string& reason,
                                 const std::string& principal) = 0;
  virtual base::Result<std::vector<AliasChange>> alias_history(const std::string& project,
                                                               const std::string& model,
                                                               std::size_t limit) = 0;
  virtual base::Status update_version(
      const std::string& project, const std::string& model, int version,
      const base::Json& changes) = 0;  // metrics, gates, card, description, state, reason

  // What MLflow's clients do to the same objects. Names may have up to 256 characters, but no '/' and no ':'.
  virtual base::Result<Model> create_model(const std::string& project, const std::string& name,
                                           const std::string& description, const Text& tags) = 0;
  // As get_model(), but only with the newest version of each stage.
  virtual base::Result<Model> get_head(const std::string& project, const std::string& name) = 0;
  virtual base::Status describe_model(const std::string& project, const std::string& name,
                                      const std::string& description) = 0;
  virtual base::Status rename_model(const std::string& project, const std::string& name,
                                    const std::string& new_name) = 0;
  virtual base::Status remove_model(const std::string& project, const std::string& name) = 0;
  virtual base::Status set_model_tag(const std::string& project, const std::string& name,
                                     const std::string& key, const std::string& value) = 0;
  virtual base::Status remove_model_tag(const std::string& project, const std::string& name,
                                        const std::string& key) = 0;
  virtual base::Result<ModelPage> search_models(const std::string& project,
                                                const RegistryQuery& query) = 0;

  // State ready when `files` has an MLmodel and a model.onnx beside it, else foreign.
  virtual base::Result<ModelVersion> create_version(const std::string& project,
                                                    const std::string& model,
                                                    const NewVersion& version) = 0;
  virtual base::Result<ModelVersion> get_version(const std::string& project,
                                                 const std::string& model, int version) = 0;
  // Any case of the stage's name. With `archive` the other versions of an active stage become Archived.
  virtual base::Status set_stage(const std::string& project, const std::string& model, int version,
                                 const std::string& stage, bool archive) = 0;
  // Hides the version, forgets its source, files and aliases; its number stays used.
  virtual base::Status remove_version(const std::string& project, const std::string& model,
                                      int version) = 0;
  virtual base::Status set_version_tag(const std::string& project, const std::string& model,
                                       int version, const std::string& key,
                                       const std::string& value) = 0;
  virtual base::Status remove_version_tag(const std::string& project, const std::string& model,
                                          int version, const std::string& key) = 0;
  // "latest" is the highest number. kInvalidArgument for an alias that is not set (as MLflow has it).
  virtual base::Result<ModelVersion> version_of_alias(const std::string& project,
                                                      const std::string& model,
                                                      const std::string& alias) = 0;
  virtual base::Result<VersionPage> search_versions(const std::string& project,
                                                    const RegistryQuery& query) = 0;
};

// Whether MLflow's clients may set this alias: letters, digits, '_' and '-', but not "latest" and not "v1".
base::Status check_new_alias(const std::string& alias);

}  // namespace maru::tracking
