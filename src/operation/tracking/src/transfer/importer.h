#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/blob/blob_store.h"
#include "maru/store/database.h"
#include "maru/tracking/transfer.h"
#include "runs.h"
#include "transfer/source.h"

namespace maru::tracking {

std::span<const store::Migration> transfer_migrations();

// What an import needs of this home.
struct Here {
  store::Database& db;
  blob::BlobStore& blobs;
  base::Clock& clock;
  RunTables& runs;
  Artifacts& artifacts;
  LoggedModels& logged_models;
  Registry& registry;
};

// What was imported before, by its name in the source.
struct Remembered {
  std::string local_id, hash, stamp;
};
class Ledger {
 public:
  explicit Ledger(store::Database& db) : db_(db) {}
  base::Result<std::optional<Remembered>> find(const std::string& kind, const std::string& id);
  static base::Status put(store::Writer& writer, const std::string& kind, const std::string& id,
                          const Remembered& what, std::int64_t now_us);

 private:
  store::Database& db_;
};

// One import. Runs come in batches: a batch is one transaction, then it is read back and compared.
class Importer {
 public:
  Importer(Here here, const ImportOptions& options, base::Context& context,
           const base::ProgressSink& progress)
      : here_(here), options_(options), context_(context), progress_(progress), ledger_(here.db) {}
  base::Result<TransferReport> run();

 private:
  struct Waiting {  // a run of the batch
    WholeRun whole;
    std::string hash, stamp;
    bool update = false;
    std::size_t points = 0;
  };
  base::Status take_experiment(Source& source, const Experiment& experiment);
  base::Status take_run(ForeignRun&& foreign, const Experiment& own);
  base::Status flush();
  base::Status write_batch(std::vector<Waiting*> batch);
  base::Status check_written(const Waiting& run);
  base::Status take_model(ForeignModel&& foreign, const Experiment& own);
  base::Status write_model(const ForeignModel& foreign, const std::vector<Artifact>& files,
                           const Remembered& memory);
  base::Status take_registered(Model&& model);
  base::Status take_version(const Model& model, ModelVersion version, std::map<int, int>& numbers);
  base::Status place_files(ModelVersion& version, std::vector<Artifact>& files);
  base::Result<std::vector<Artifact>> store_files(const std::vector<ForeignFile>& files,
                                                  const std::string& owner,
                                                  const std::optional<Remembered>& before,
                                                  std::string& stamp);
  void count(const WholeRun& whole, TransferCounts& counts) const;
  void compared(const std::string& kind, const std::string& id, const std::string& source,
                const std::string& own);
  void show(const std::string& what);

  Here here_;
  const ImportOptions& options_;
  base::Context& context_;
  const base::ProgressSink& progress_;
  Ledger ledger_;
  Damage damage_;
  TransferReport report_;
  std::vector<Waiting> waiting_;
  std::size_t waiting_points_ = 0;
  std::vector<std::string> source_lines_, own_lines_;  // "kind id digest", for the final comparison
  std::uint64_t seen_ = 0;
};

}  // namespace maru::tracking
