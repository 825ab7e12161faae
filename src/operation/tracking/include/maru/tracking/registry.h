#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/tracking/artifacts.h"

namespace maru::tracking {

struct ModelVersion {
  std::string model;
  int version = 0;
  std::string state;  // pending | ready | failed | archived
  std::string run_id, snapshot;
  base::Json metrics;  // {"roc_auc": {"value","low","high"}, ...}
  base::Json gates;    // [{"name","ok","value","bound","reason"}]
  base::Json card;     // what the model card shows (evaluation report)
  std::string description, reason;
  std::int64_t created_us = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> aliases;
};

struct Model {
  std::string project, name, task, description;
  std::int64_t created_us = 0, updated_us = 0;
  std::vector<ModelVersion> versions;  // newest first
  std::map<std::string, int> aliases;
};

struct AliasChange {
  std::string alias;
  int from = 0, to = 0;  // 0: none
  std::string reason, principal;
  std::int64_t time_us = 0;
};

// Registered models, their numbered immutable versions, and movable aliases. Every successful write is durable. Thread safe.
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
};

}  // namespace maru::tracking
