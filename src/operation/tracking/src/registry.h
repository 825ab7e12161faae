#pragma once
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/blob/blob_store.h"
#include "maru/store/database.h"
#include "maru/tracking/registry.h"

namespace maru::tracking {

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

 private:
  base::Status fill(Model& model);
  base::Result<std::vector<Artifact>> store_files(const std::string& folder,
                                                  const std::string& prefix);
  store::Database& db_;
  blob::BlobStore& blobs_;
  base::Clock& clock_;
};

}  // namespace maru::tracking
