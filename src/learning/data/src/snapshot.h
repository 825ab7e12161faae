#pragma once
#include "maru/data/dataset.h"

namespace maru::data {

inline constexpr std::string_view kSnapshotColumns =
    "id, project, dataset, number, rows, bytes, parts, columns, source, query, run_id, created_us";

base::Json columns_json(const std::vector<SnapshotColumn>& columns);
base::Json parts_json(const std::vector<SnapshotPart>& parts);
base::Result<Snapshot> snapshot_of(const store::Row& row);  // of a SELECT of kSnapshotColumns
bool same_content(const Snapshot& a, const Snapshot& b);

}  // namespace maru::data
