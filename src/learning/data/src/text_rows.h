#pragma once
#include <string>
#include <vector>

#include "maru/data/table.h"

namespace maru::data {

// Rows as text, each ended by a line feed.
std::string csv_head(const std::vector<std::string>& names);
std::string csv_rows(const Table& table);
std::string json_lines(const Table& table);

}  // namespace maru::data
