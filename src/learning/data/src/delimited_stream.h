#pragma once
#include <memory>
#include <string>
#include <vector>

#include "maru/data/row_stream.h"

namespace maru::data {

// CSV and TSV files, one in memory at a time; columns of later files may stand in another order.
base::Result<std::unique_ptr<RowStream>> open_delimited(const std::vector<std::string>& paths);

}  // namespace maru::data
