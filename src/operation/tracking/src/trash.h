#pragma once
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "maru/blob/blob_store.h"
#include "maru/store/database.h"
#include "maru/tracking/trash.h"
#include "runs.h"

namespace maru::tracking {

// Candidates are remembered in a table until their blob is gone, so that a crash between rows and files loses none.
class TrashTables final : public Trash {
 public:
  TrashTables(store::Database& db, blob::BlobStore& blobs, RunTables& runs)
      : db_(db), blobs_(blobs), runs_(runs) {}
  base::Result<std::vector<TrashItem>> list(std::size_t limit) override;
  base::Result<TrashReport> empty(std::int64_t before_us, const UsedElsewhere& used) override;
  base::Result<bool> uses(const std::string& sha256) override;

 private:
  base::Status remove_runs(std::int64_t before_us, TrashReport& report);
  base::Status remove_traces(const std::string& experiment_id, const std::set<std::string>* runs,
                             TrashReport& report);
  base::Status remove_early_links(std::int64_t before_us);
  base::Status remove_models(std::int64_t before_us, TrashReport& report);
  base::Status remove_experiments(std::int64_t before_us, TrashReport& report);
  base::Status remove_blobs(const UsedElsewhere& used, TrashReport& report);

  store::Database& db_;
  blob::BlobStore& blobs_;
  RunTables& runs_;
  std::mutex one_at_a_time_;
};

std::span<const store::Migration> trash_migrations();

}  // namespace maru::tracking
