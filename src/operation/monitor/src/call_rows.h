#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "maru/data/table.h"
#include "maru/monitor/monitor.h"

// Logged calls, which keep their values by column, as the rows of a table.
namespace maru::monitor {

// What a call holds in memory, as near as matters for a bound.
std::size_t bytes_of(const LogSchema& schema, const LoggedCall& call);
// The same for a call of this row alone.
std::size_t row_bytes(const LogSchema& schema, const LoggedCall& call, std::size_t row);
// Leaves these rows, which ascend, in the call.
void keep_rows(const LogSchema& schema, const std::vector<std::uint32_t>& rows, LoggedCall& call);

// A table with every logged column, the inputs last.
data::Table rows_table(const LogSchema& schema, const std::vector<const LoggedCall*>& calls);

}  // namespace maru::monitor
