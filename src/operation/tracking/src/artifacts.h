#pragma once
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/blob/blob_store.h"
#include "maru/store/database.h"
#include "maru/tracking/artifacts.h"

namespace maru::tracking {

// Artifacts as rows over blobs: the blob is durable before its row exists. Thread safe.
class ArtifactTables final : public Artifacts {
 public:
  ArtifactTables(store::Database& db, blob::BlobStore& blobs, base::Clock& clock)
      : db_(db), blobs_(blobs), clock_(clock) {}
  base::Status put_artifact(const std::string& owner, const std::string& path,
                            std::string_view bytes) override;
  base::Result<std::vector<Artifact>> list_artifacts(const std::string& owner) override;
  base::Result<std::vector<std::string>> owners_of(const std::string& sha256,
                                                   const std::string& file_name,
                                                   std::size_t most) override;
  base::Result<std::string> read_artifact(const std::string& owner,
                                          const std::string& path) override;
  base::Result<ArtifactPlace> place(const std::string& proxy_path) override;
  base::Result<std::unique_ptr<ArtifactWriter>> create(const std::string& owner,
                                                       const std::string& path) override;
  base::Result<ArtifactFile> open(const std::string& owner, const std::string& path) override;
  base::Result<std::vector<ArtifactEntry>> list(const std::string& owner,
                                                const std::string& folder) override;
  base::Status remove(const std::string& owner, const std::string& path) override;
  base::Result<std::string> begin_upload(const std::string& owner, const std::string& path,
                                         int parts) override;
  base::Result<std::unique_ptr<ArtifactWriter>> create_part(const std::string& upload,
                                                            int number) override;
  base::Status complete_upload(const std::string& upload, const ArtifactPlace& place,
                               const std::vector<UploadPart>& parts) override;
  base::Status abort_upload(const std::string& upload) override;
  base::Result<std::size_t> collect_uploads(std::int64_t before_us) override;
  base::Result<std::string> sign(std::string_view text) override;

 private:
  base::Result<bool> known_owner(const std::string& id);
  base::Status free_parts(const std::string& upload);
  store::Database& db_;
  blob::BlobStore& blobs_;
  base::Clock& clock_;
  std::mutex key_mutex_;
  std::string key_;
};

// Names `blob` in the caller's transaction. kNotFound for an owner that is not known, kInvalidArgument when a file is where a folder
// should be or the other way round.
base::Status put_artifact_row(store::Writer& writer, const std::string& owner,
                              const Artifact& artifact);

std::span<const store::Migration> artifact_migrations();

}  // namespace maru::tracking
