#pragma once
#include <span>

#include "maru/base/json.h"
#include "maru/model/model.h"

namespace maru::model {

// Rows [from, from + count) of a table; fill_from_table is the whole of it.
base::Status fill_table_rows(const Signature& signature, const data::Table& table, std::size_t from,
                             std::size_t count, InputBatch& out);

// One JSON value into one cell of the batch; null leaves it missing.
base::Status fill_cell(const Input& input, const base::Json& value, std::size_t row,
                       InputColumn& column);

// One JSON object into one row. `seen` is scratch of the signature's size.
base::Status fill_row(const Signature& signature, const base::Json& object, std::size_t row,
                      InputBatch& out);

// How a value looks in a message: short, and no longer than needed.
std::string shown(const base::Json& value);
// nullptr when `out` is set (NaN, or untouched: missing), else what was expected.
const char* read_number(InputKind kind, const base::Json& value, double& out);
const char* read_time(const base::Json& value, std::int64_t& out);

bool is_ignored(const Signature& signature, std::string_view name);

}  // namespace maru::model
