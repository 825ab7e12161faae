#pragma once
#include <string>

#include "maru/data/dataset.h"
#include "maru/stats/drift.h"
#include "routes.h"

namespace maru::api {

// What changed between two snapshots by "maru", "evidently" or "tfdv": by their rows once, then from what was stored with the later one.
base::Result<stats::DriftReport> compared(const Services& services, const data::Snapshot& before,
                                          const data::Snapshot& after, const std::string& rule);
void add_compare_routes(Router& router, const Services& services);

}  // namespace maru::api
