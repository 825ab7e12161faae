#include "streaming_query.h"

#include <utility>

namespace maru::data {

StreamingQuery::~StreamingQuery() {
  if (pending_ != nullptr) duckdb_destroy_pending(&pending_);
}

base::Status StreamingQuery::start() {
  TRY_ASSIGN(connection_, engine_.impl().connect());
  if (duckdb_prepare(connection_->handle, select_.c_str(), &statement_.handle) != DuckDBSuccess)
    return failed(duckdb_prepare_error(statement_.handle));
  for (idx_t c = 0; c < duckdb_prepared_statement_column_count(statement_.handle); ++c) {
    const char* name = duckdb_prepared_statement_column_name(statement_.handle, c);
    StreamColumn column;
    column.name = name != nullptr ? name : "";
    duckdb_free(const_cast<char*>(name));
    types_.push_back(duckdb_prepared_statement_column_type(statement_.handle, c));
    TRY_ASSIGN(column.type, column_type(types_.back()));
    columns_.push_back(std::move(column));
  }
  if (duckdb_pending_prepared_streaming(statement_.handle, &pending_) != DuckDBSuccess)
    return failed(duckdb_pending_error(pending_));
  if (duckdb_execute_pending(pending_, &result_.handle) != DuckDBSuccess)
    return failed(duckdb_result_error(&result_.handle));
  return {};
}

base::Status StreamingQuery::state() {
  const char* why = duckdb_result_error(&result_.handle);
  if (why != nullptr && *why != '\0') return failed(why);
  return {};
}

tl::unexpected<base::Error> StreamingQuery::failed(const char* why) {
  return base::wrap(
      engine_.impl().explain(*connection_, why != nullptr ? why : "the statement failed"),
      "the input cannot be read", "is every file whole?");
}

}  // namespace maru::data
