#pragma once
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"

namespace maru::model {

// A few rows as JSON by column; every value comes back as it was (64-bit integers, doubles bit for bit; NaN becomes missing).
base::Json table_to_json(const data::Table& table);
base::Result<data::Table> table_from_json(const base::Json& json);
std::size_t table_bytes(const data::Table& table);

}  // namespace maru::model
