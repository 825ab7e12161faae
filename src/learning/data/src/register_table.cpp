#include <algorithm>

#include "duckdb_handle.h"
#include "snapshot.h"

namespace maru::data {

namespace {

using base::Code;

duckdb_type engine_type(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return DUCKDB_TYPE_BOOLEAN;
    case ColumnType::kInteger:
      return DUCKDB_TYPE_BIGINT;
    case ColumnType::kFloat:
      return DUCKDB_TYPE_DOUBLE;
    case ColumnType::kText:
      return DUCKDB_TYPE_VARCHAR;
    case ColumnType::kTimestamp:
      return DUCKDB_TYPE_TIMESTAMP;
  }
  return DUCKDB_TYPE_VARCHAR;
}

void fill_vector(const Column& column, std::size_t from, std::size_t rows, duckdb_vector vector) {
  void* data = duckdb_vector_get_data(vector);
  if (column.type == ColumnType::kFloat) {
    std::copy_n(column.reals.begin() + static_cast<std::ptrdiff_t>(from), rows,
                static_cast<double*>(data));
  } else if (column.type == ColumnType::kBool) {
    for (std::size_t i = 0; i < rows; ++i)
      static_cast<bool*>(data)[i] = column.integers[from + i] != 0;
  } else if (column.type == ColumnType::kText) {
    for (std::size_t i = 0; i < rows; ++i) {
      const std::string_view text = column.text(from + i);
      duckdb_vector_assign_string_element_len(vector, i, text.data() != nullptr ? text.data() : "",
                                              text.size());
    }
  } else {
    std::copy_n(column.integers.begin() + static_cast<std::ptrdiff_t>(from), rows,
                static_cast<std::int64_t*>(data));
  }
  const auto missing = [&](std::size_t i) {
    return !column.is_valid(i) || (column.type == ColumnType::kText && column.codes[i] < 0);
  };
  if (column.valid.empty() && column.type != ColumnType::kText) return;
  duckdb_vector_ensure_validity_writable(vector);
  std::uint64_t* validity = duckdb_vector_get_validity(vector);
  for (std::size_t i = 0; i < rows; ++i) {
    if (missing(from + i)) duckdb_validity_set_row_invalid(validity, i);
  }
}

base::Status append_rows(Connection& connection, const std::string& name, const Table& table) {
  duckdb_appender appender = nullptr;
  if (duckdb_appender_create(connection.handle, nullptr, name.c_str(), &appender) !=
      DuckDBSuccess) {
    const char* why = duckdb_appender_error(appender);
    const std::string text = why != nullptr ? why : "";
    duckdb_appender_destroy(&appender);
    return base::fail(Code::kInternal, "cannot append to the table: " + name + ": " + text);
  }
  std::vector<duckdb_logical_type> types;
  for (const auto& column : table.columns)
    types.push_back(duckdb_create_logical_type(engine_type(column.type)));
  const std::size_t step = duckdb_vector_size();
  bool fine = true;
  for (std::size_t from = 0; from < table.rows() && fine; from += step) {
    const std::size_t rows = std::min(step, table.rows() - from);
    duckdb_data_chunk chunk = duckdb_create_data_chunk(types.data(), types.size());
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      fill_vector(table.columns[c], from, rows, duckdb_data_chunk_get_vector(chunk, c));
    duckdb_data_chunk_set_size(chunk, rows);
    fine = duckdb_append_data_chunk(appender, chunk) == DuckDBSuccess;
    duckdb_destroy_data_chunk(&chunk);
  }
  fine = fine && duckdb_appender_close(appender) == DuckDBSuccess;
  const char* why = fine ? nullptr : duckdb_appender_error(appender);
  const std::string text = why != nullptr ? why : "";
  for (auto& type : types) duckdb_destroy_logical_type(&type);
  duckdb_appender_destroy(&appender);
  if (!fine)
    return base::fail(Code::kInvalidArgument, "cannot copy the rows into the SQL engine: " + text);
  return {};
}

}  // namespace

base::Status Engine::register_table(const std::string& name, const Table& table) {
  if (table.columns.empty())
    return base::fail(Code::kInvalidArgument, "a table without columns: " + name);
  TRY(drop(name));
  std::string list;
  for (const auto& column : table.columns) {
    list += (list.empty() ? "" : ", ") + quote_identifier(column.name) + " " +
            std::string(sql_type(column.type));
  }
  TRY(execute("CREATE TABLE " + quote_identifier(name) + " (" + list + ")"));
  TRY_ASSIGN(const auto connection, impl_->connect());
  if (auto appended = append_rows(*connection, name, table); !appended) {
    if (auto dropped = drop(name); !dropped) return dropped;
    return appended;
  }
  return {};
}

}  // namespace maru::data
