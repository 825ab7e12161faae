#pragma once
#include <string_view>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::train {

// Universal Binary JSON, draft 12, with its typed containers: as XGBoost writes models. Depth and sizes are checked against what is there before anything is
// reserved. kInvalidArgument with the place for what is damaged.
base::Result<base::Json> parse_ubjson(std::string_view bytes);

}  // namespace maru::train
