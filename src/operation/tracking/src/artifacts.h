#pragma once
#include <string>
#include <vector>

#include "maru/blob/blob_store.h"
#include "maru/store/database.h"
#include "maru/tracking/artifacts.h"

namespace maru::tracking {

// Artifacts as rows over blobs: the blob is durable before its row exists. Thread safe.
class ArtifactTables final : public Artifacts {
 public:
  ArtifactTables(store::Database& db, blob::BlobStore& blobs) : db_(db), blobs_(blobs) {}
  base::Status put_artifact(const std::string& run_id, const std::string& path,
                            std::string_view bytes) override;
  base::Result<std::vector<Artifact>> list_artifacts(const std::string& run_id) override;
  base::Result<std::string> read_artifact(const std::string& run_id,
                                          const std::string& path) override;

 private:
  store::Database& db_;
  blob::BlobStore& blobs_;
};

}  // namespace maru::tracking
