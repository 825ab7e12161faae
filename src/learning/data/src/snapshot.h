#pragma once
#include "maru/data/dataset.h"

namespace maru::data {

inline constexpr std::string_view kSnapshotColumns =
    "id, project, dataset, number, rows, bytes, parts, columns, source, query, run_id, created_us, "
    "parent, chain_start, widened, dropped";

base::Json columns_json(const std::vector<SnapshotColumn>& columns);
base::Json parts_json(const std::vector<SnapshotPart>& parts);
base::Result<std::vector<SnapshotPart>> parse_parts(const std::string& json);
// Of a SELECT of kSnapshotColumns; `parts` stays empty.
base::Result<Snapshot> snapshot_of(const store::Row& row);
bool same_content(const Snapshot& a, const Snapshot& b);

// How the columns of new rows go behind those of an older snapshot.
struct ColumnFit {
  std::vector<SnapshotColumn> columns;  // of the new snapshot
  bool widened = false;                 // the older rows need evening out
  std::string
      select;  // the new rows with casts, as a SELECT list; "" when they are right as they stand
  std::vector<std::string> notes;
};
// `older` and `fresh` are relations; both are looked at only where columns differ. kInvalidArgument names what does not fit.
base::Result<ColumnFit> fit_columns(Engine& engine, const Snapshot& before,
                                    const std::string& older,
                                    const std::vector<SnapshotColumn>& columns,
                                    const std::string& fresh, bool fill_missing);

// The SQL type of a column in a part.
std::string_view sql_type(ColumnType type);

}  // namespace maru::data
