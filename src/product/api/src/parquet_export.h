#pragma once
#include "routes.h"

namespace maru::api {

struct ParquetExport {
  std::string project, folder;           // absolute; absent or empty
  std::vector<std::string> experiments;  // ids; empty: all
};
// Writes experiments, runs, params, tags and metrics-NNNNN.parquet, counts their rows again and says both counts.
base::Result<Json> export_parquet(const Services& services, const ParquetExport& wanted,
                                  Context& context);

}  // namespace maru::api
