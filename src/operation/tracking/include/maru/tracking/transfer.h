#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"

namespace maru::tracking {

struct TransferCounts {
  std::uint64_t experiments = 0, runs = 0, params = 0, tags = 0, metrics = 0;  // metrics: keys
  std::uint64_t points = 0, datasets = 0, logged_models = 0, models = 0, versions = 0, aliases = 0;
  std::uint64_t artifacts = 0, artifact_bytes = 0;
  bool operator==(const TransferCounts&) const = default;
  base::Json json() const;
};

struct Skipped {
  std::string what;  // a file, a run, a key
  std::string why;
};

struct ImportOptions {
  std::string project = "default";
  // Absolute: an mlruns folder, a SQLite file, a folder with event files; or the URL of a PostgreSQL database.
  std::string path = {};
  std::string kind = {};  // mlruns | sqlite | postgresql | tensorboard; "": found out
  std::string
      artifact_root;  // where "mlflow-artifacts:/..." and moved files are; "": beside `path`
  std::string experiment = {};  // tensorboard: the experiment's name; "": the folder's
};

struct ExportOptions {
  std::string project = "default";
  std::string path = {};                      // absolute; must be absent or empty
  std::vector<std::string> experiments = {};  // ids; empty: all
  bool deleted = true;                        // also what is in the trash
};

struct TransferReport {
  std::string kind, path;
  TransferCounts found;              // in the source
  TransferCounts written;            // by this pass; the rest was there already
  std::uint64_t runs_present = 0;    // imported before and unchanged
  std::uint64_t runs_updated = 0;    // imported before, since then continued in the source
  std::uint64_t runs_different = 0;  // an own run has this id but other contents: left alone
  // SHA-256 over the contents of every run, logged model and version: as read from the source, as read back here.
  std::string source_hash, own_hash;
  bool equal = false;
  std::uint64_t skipped = 0;
  std::vector<Skipped> skips;  // the first kMaxSkips
  double seconds = 0;
  base::Json json() const;
};

// Brings what other tracking servers recorded into this home, and writes it out in MLflow's folder format.
// Import: ids, names, times, states, parameters, tags, full histories, datasets, logged models, the registry and artifacts stay what
// they are; an experiment joins the one of the same name. Nothing is imported twice, and an interrupted import goes on when it is
// repeated: every run is one transaction that also remembers its source. What is damaged is named and left out. Thread safe.
class Transfer {
 public:
  static constexpr std::size_t kMaxSkips = 200;
  virtual ~Transfer() = default;
  virtual base::Result<TransferReport> import_from(const ImportOptions& options,
                                                   base::Context& context,
                                                   const base::ProgressSink& progress) = 0;
  virtual base::Result<TransferReport> export_to(const ExportOptions& options,
                                                 base::Context& context,
                                                 const base::ProgressSink& progress) = 0;
};

}  // namespace maru::tracking
