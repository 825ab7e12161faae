#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/blob/blob_store.h"
#include "maru/store/database.h"
#include "maru/tracking/artifacts.h"
#include "maru/tracking/logged_models.h"
#include "maru/tracking/registry.h"
#include "maru/tracking/runs.h"
#include "maru/tracking/traces.h"
#include "maru/tracking/transfer.h"
#include "maru/tracking/trash.h"
#include "maru/tracking/webhooks.h"

namespace maru::tracking {

struct AuditEntry {
  std::int64_t time_us = 0;
  std::string principal, action, object, detail;
};

// Experiments, runs, metrics, artifacts, the model registry and the audit trail. Every successful write is durable (store::Database::write).
// Names: 1..250 bytes of valid UTF-8 without '/', control characters or leading/trailing space. Thread safe.
class Tracking {
 public:
  // `key` seals the secrets of webhooks.
  static base::Result<std::unique_ptr<Tracking>> open(store::Database& db, blob::BlobStore& blobs,
                                                      base::Clock& clock,
                                                      std::optional<base::SealKey> key = {});
  virtual ~Tracking() = default;

  virtual Runs& runs() = 0;
  virtual Artifacts& artifacts() = 0;
  virtual Registry& registry() = 0;
  virtual LoggedModels& logged_models() = 0;
  virtual Traces& traces() = 0;
  virtual Webhooks& webhooks() = 0;
  virtual Transfer& transfer() = 0;
  virtual Trash& trash() = 0;

  virtual base::Status audit(const AuditEntry& entry) = 0;
  virtual base::Result<std::vector<AuditEntry>> audit_log(std::size_t limit) = 0;
  // Walks the hash chain of all entries: their number, or kDataLoss that names the first changed, missing or inserted one.
  virtual base::Result<std::uint64_t> verify_audit() = 0;

  // Small durable documents of other rooms' wiring ("endpoint", "monitor" configurations), by kind and name.
  virtual base::Status put_document(const std::string& project, const std::string& kind,
                                    const std::string& name, const base::Json& value) = 0;
  virtual base::Result<base::Json> get_document(const std::string& project, const std::string& kind,
                                                const std::string& name) = 0;
  virtual base::Result<std::vector<std::pair<std::string, base::Json>>> list_documents(
      const std::string& project, const std::string& kind) = 0;
  virtual base::Status remove_document(const std::string& project, const std::string& kind,
                                       const std::string& name) = 0;
};

}  // namespace maru::tracking
