#include "maru/tracking/transfer.h"

#include "transfer/transfer.h"

namespace maru::tracking {

using base::Json;
using base::Result;

namespace {

Json number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

Json TransferCounts::json() const {
  return Json::object({{"experiments", number(experiments)},
                       {"runs", number(runs)},
                       {"params", number(params)},
                       {"tags", number(tags)},
                       {"metrics", number(metrics)},
                       {"points", number(points)},
                       {"datasets", number(datasets)},
                       {"logged_models", number(logged_models)},
                       {"models", number(models)},
                       {"versions", number(versions)},
                       {"aliases", number(aliases)},
                       {"artifacts", number(artifacts)},
                       {"artifact_bytes", number(artifact_bytes)}});
}

Json TransferReport::json() const {
  Json named = Json::array();
  for (const auto& one : skips) named.push(Json::object({{"what", one.what}, {"why", one.why}}));
  return Json::object({{"kind", kind},
                       {"path", path},
                       {"found", found.json()},
                       {"written", written.json()},
                       {"runs_present", number(runs_present)},
                       {"runs_updated", number(runs_updated)},
                       {"runs_different", number(runs_different)},
                       {"source_hash", source_hash},
                       {"own_hash", own_hash},
                       {"equal", equal},
                       {"skipped", number(skipped)},
                       {"skips", named},
                       {"seconds", seconds}});
}

Result<TransferReport> TransferTables::import_from(const ImportOptions& options,
                                                   base::Context& context,
                                                   const base::ProgressSink& progress) {
  const std::lock_guard one_at_a_time(mutex_);
  return Importer(here_, options, context, progress).run();
}

Result<TransferReport> TransferTables::export_to(const ExportOptions& options,
                                                 base::Context& context,
                                                 const base::ProgressSink& progress) {
  return MlrunsExport(here_, options, context, progress).run();
}

}  // namespace maru::tracking
