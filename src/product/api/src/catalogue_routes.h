#pragma once
#include "routes.h"

namespace maru::api {

// Owners, tags, search, manifests and diffs of datasets.
void add_catalogue_routes(Router& router, const Services& services);
// How long snapshots live, what is collected, what is erased.
void add_retention_routes(Router& router, const Services& services);
// SQL over datasets and samples of them.
void add_sql_routes(Router& router, const Services& services);
// The snapshot that the route's dataset and the query parameter `param` (number, tag, day, moment, id) name.
base::Result<data::Snapshot> pick_snapshot(const Services& services, const Request& request,
                                           std::string_view param);
Json import_json(const data::ImportResult& result);
Json table_json(const data::Table& table);
Json cell_json(const data::Column& column, std::size_t row);

}  // namespace maru::api
