#pragma once
#include "maru/tracking/tracking.h"

namespace maru::tracking {

// The audit trail: each entry carries the hash of itself and of the one before, so a changed, missing or inserted row breaks
// the chain there. In the caller's transaction, so that what was done and its entry stand or fall together.
base::Status append_audit(store::Writer& writer, const AuditEntry& entry);
// Walks the whole chain; kDataLoss names the first entry that does not fit. The number of entries.
base::Result<std::uint64_t> check_audit(store::Database& db);

}  // namespace maru::tracking
