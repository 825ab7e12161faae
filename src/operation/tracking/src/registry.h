#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/blob/blob_store.h"
#include "maru/store/database.h"
#include "maru/tracking/registry.h"

namespace maru::tracking {

// Whether a version of these files can be served: in this process when a model.onnx is beside its MLmodel, else by Python.
bool is_mlflow_model(const std::vector<Artifact>& files);

// Models, versions, aliases. Thread safe.
class RegistryTables final : public Registry {
 public:
  RegistryTables(store::Database& db, blob::BlobStore& blobs, base::Clock& clock)
      : db_(db), blobs_(blobs), clock_(clock) {}
  base::Result<ModelVersion> register_version(const std::string& project, const std::string& model,
                                              const std::string& task, const std::string& folder,
                                              const ModelVersion& facts) override;
  base::Result<std::vector<Model>> list_models(const std::string& project) override;
  base::Result<Model> get_model(const std::string& project, const std::string& name) override;
  base::Result<std::vector<Artifact>> version_files(const std::string& project,
                                                    const std::string& model, int version) override;
  base::Status export_version(const std::string& project, const std::string& model, int version,
                              const std::string& folder) override;
  base::Result<int> resolve(const std::string& project, const std::string& model,
                            const std::string& selector) override;
  base::Status set_alias(const std::string& project, const std::string& model,
                         const std::string& alias, int version, const std::string& reason,
                         const std::string& principal) override;
  base::Result<std::vector<AliasChange>> alias_history(const std::string& project,
                                                       const std::string& model,
                                                       std::size_t limit) override;
  base::Status update_version(const std::string& project, const std::string& model, int version,
                              const base::Json& changes) override;
  base::Result<Model> create_model(const std::string& project, const std::string& name,
                                   const std::string& description, const Text& tags) override;
  base::Result<Model> get_head(const std::string& project, const std::string& name) override;
  base::Status describe_model(const std::string& project, const std::string& name,
                              const std::string& description) override;
  base::Status rename_model(const std::string& project, const std::string& name,
                            const std::string& new_name) override;
  base::Status remove_model(const std::string& project, const std::string& name) override;
  base::Status set_model_tag(const std::string& project, const std::string& name,
                             const std::string& key, const std::string& value) override;
  base::Status remove_model_tag(const std::string& project, const std::string& name,
                                const std::string& key) override;
  base::Result<ModelPage> search_models(const std::string& project,
                                        const RegistryQuery& query) override;
  base::Result<ModelVersion> create_version(const std::string& project, const std::string& model,
                                            const NewVersion& version) override;
  base::Result<ModelVersion> get_version(const std::string& project, const std::string& model,
                                         int version) override;
  base::Status set_stage(const std::string& project, const std::string& model, int version,
                         const std::string& stage, bool archive) override;
  base::Status remove_version(const std::string& project, const std::string& model,
                              int version) override;
  base::Status set_version_tag(const std::string& project, const std::string& model, int version,
                               const std::string& key, const std::string& value) override;
  base::Status remove_version_tag(const std::string& project, const std::string& model, int version,
                                  const std::string& key) override;
  base::Result<ModelVersion> version_of_alias(const std::string& project, const std::string& model,
                                              const std::string& alias) override;
  base::Result<VersionPage> search_versions(const std::string& project,
                                            const RegistryQuery& query) override;

 private:
  base::Status fill(Model& model, bool heads_only = false);
  base::Result<Model> find_model(const std::string& project, const std::string& name,
                                 bool heads_only);
  base::Status add_tags(std::vector<ModelVersion>& versions, const std::string& project,
                        const std::string& model);
  base::Result<std::vector<Artifact>> store_files(const std::string& folder,
                                                  const std::string& prefix);
  store::Database& db_;
  blob::BlobStore& blobs_;
  base::Clock& clock_;
};

// The columns of a version that read_version() takes, in its order.
inline constexpr const char* kVersionColumns =
    "SELECT model, version, state, run_id, snapshot, metrics, gates, card, description, reason, "
    "created_us, bytes, source, storage, user_id, run_link, model_id, stage, updated_us FROM "
    "model_versions ";
base::Result<ModelVersion> read_version(const store::Row& row);
base::Status insert_version(store::Writer& writer, const std::string& project,
                            const ModelVersion& version, const std::vector<Artifact>& files);
base::Result<int> next_version(store::Writer& writer, const std::string& project,
                               const std::string& model);
// kNotFound with MLflow's words.
tl::unexpected<base::Error> no_model(const std::string& name);
tl::unexpected<base::Error> no_version(const std::string& name, int version);
inline constexpr std::string_view kPromptTag = "mlflow.prompt.is_prompt";

std::span<const store::Migration> registry_migrations();

}  // namespace maru::tracking
