#pragma once
#include <memory>
#include <vector>

#include "maru/data/row_format.h"

namespace maru::data {

std::unique_ptr<RowFormat> parquet_format(std::vector<StreamColumn> columns);

}  // namespace maru::data
