#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/dataset.h"

namespace maru::data {

// How long snapshots of a dataset live. A lake keeps all (the default); else a snapshot lives while one of the rules keeps it. The newest one and tagged ones
// live always.
struct RetentionPolicy {
  bool keep_all = true;
  std::int64_t keep_last = 0;  // 0: the rule is off
  std::int64_t keep_days = 0;
  std::string
      window_column;  // a warehouse's rolling window: rows older than `window_days` by this time column go
  std::int64_t window_days = 0;
  base::Json to_json() const;
  static base::Result<RetentionPolicy> from_json(const base::Json& value);
};

struct RetentionStep {
  std::string dataset, snapshot_id, reason;  // why it goes, or why it stays
  int number = 0;
  std::uint64_t rows = 0;
  bool drop = false;
};

struct CollectReport {
  std::vector<RetentionStep> steps;    // of datasets whose policy drops something, oldest first
  std::uint64_t snapshots = 0;         // dropped, or that would be
  std::uint64_t parts = 0, bytes = 0;  // freed, or that would be
  std::uint64_t waiting = 0;  // freed parts that readers may still hold: they go at a later time
  base::Json to_json() const;
};

struct ErasureReport {
  Snapshot fresh;                 // without the rows; as it was when no row matched
  std::uint64_t rows = 0;         // erased from the newest snapshot
  std::vector<Snapshot> dropped;  // older ones that held the rows
  std::uint64_t files = 0;        // parts that nothing names any more
};

// Ends snapshots and frees what nothing reaches. A dropped snapshot keeps its number, its manifest and the reason; its rows are gone. What is dropped and
// what the remaining snapshots read are one transaction; files go after it, and only those that no living snapshot and nobody else names, so a crash at any moment
// leaves every reachable part. Thread safe.
class Retention {
 public:
  // Names what refers to a snapshot from outside ("model churn/3"): such a snapshot stays. Whether a blob is somebody else's too.
  using Referrers = std::function<base::Result<std::vector<std::string>>(const Snapshot&)>;
  using UsedElsewhere = std::function<base::Result<bool>(const std::string& sha256)>;
  static base::Result<std::unique_ptr<Retention>> open(store::Database& db, blob::BlobStore& blobs,
                                                       Engine& engine, Datasets& datasets,
                                                       base::Clock& clock, Referrers referrers,
                                                       UsedElsewhere used);
  virtual ~Retention() = default;
  virtual base::Result<RetentionPolicy> policy(const std::string& project,
                                               const std::string& dataset) = 0;
  virtual base::Status set_policy(const std::string& project, const std::string& dataset,
                                  const RetentionPolicy& policy) = 0;
  // What the policies of a project (or of one dataset) would do, or do.
  virtual base::Result<CollectReport> collect(const std::string& project,
                                              const std::string& dataset, bool dry_run,
                                              base::Context& context) = 0;
  // Removes the rows whose `column` is one of `values` from the newest snapshot, and drops every older snapshot that held one, whatever refers to it: a request to be
  // forgotten. Their profiles go with them.
  virtual base::Result<ErasureReport> erase(const std::string& project, const std::string& dataset,
                                            const std::string& column,
                                            const std::vector<std::string>& values,
                                            base::Context& context) = 0;
  // The age below which a freed part stays, for readers that hold its path.
  static constexpr std::int64_t kGraceUs = 3'600'000'000;
};

}  // namespace maru::data
