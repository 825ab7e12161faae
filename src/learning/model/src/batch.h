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

bool is_ignored(const Signature& signature, std::string_view name);

}  // namespace maru::model
