#pragma once
#include "routes.h"

namespace maru::api {

// Schemas and expectations: save, suggest, validate, accept, set rows apart, take over from other tools.
void add_schema_routes(Router& router, const Services& services);

}  // namespace maru::api
