#pragma once
#include <mutex>

#include "transfer/importer.h"
#include "transfer/mlruns_export.h"

namespace maru::tracking {

// Imports one at a time: two of the same source would meet at every run. Thread safe.
class TransferTables final : public Transfer {
 public:
  explicit TransferTables(Here here) : here_(here) {}
  base::Result<TransferReport> import_from(const ImportOptions& options, base::Context& context,
                                           const base::ProgressSink& progress) override;
  base::Result<TransferReport> export_to(const ExportOptions& options, base::Context& context,
                                         const base::ProgressSink& progress) override;

 private:
  Here here_;
  std::mutex mutex_;
};

}  // namespace maru::tracking
