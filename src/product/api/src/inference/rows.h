#pragma once
#include "maru/base/json.h"
#include "maru/data/table.h"
#include "maru/model/model.h"
#include "maru/model/tensor.h"

// Rows of named columns in the shapes that foreign clients send them.
namespace maru::api::inference {

// {column: [values]} as rows; lists of one length.
base::Result<base::Json> rows_of_columns(const base::Json& columns);
// {"columns": [names], "data": [[cells]]} as rows.
base::Result<base::Json> rows_of_split(const base::Json& split);
// Rows that may be bare lists in the order of the model's columns, or bare values of a model with one column; a value may be a list of one.
base::Result<base::Json> plain_rows(const model::Signature& signature, const base::Json& rows);

// A table of texts as rows, each cell as the input of its name, or the only one, wants it; one that is empty is null where a number is wanted.
base::Json rows_of_table(const std::vector<model::TensorSpec>& specs, const data::Table& table);

}  // namespace maru::api::inference
