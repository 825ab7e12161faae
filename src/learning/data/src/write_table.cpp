#include "duckdb_handle.h"
#include "maru/base/file.h"
#include "maru/base/json.h"
#include "maru/base/text.h"
#include "maru/data/dataset.h"
#include "text_rows.h"

namespace maru::data {

namespace {

using base::Code;

void append_csv(std::string& out, std::string_view cell) {
  if (cell.find_first_of(",\"\n\r") == std::string_view::npos &&
      (cell.empty() || (cell.front() != ' ' && cell.back() != ' '))) {
    out += cell;
    return;
  }
  out += '"';
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace

std::string csv_head(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t c = 0; c < names.size(); ++c) {
    if (c > 0) out += ',';
    append_csv(out, names[c]);
  }
  return out + '\n';
}

std::string csv_rows(const Table& table) {
  std::string out;
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const std::size_t start = out.size();
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      if (c > 0) out += ',';
      append_csv(out, table.columns[c].display(r));
    }
    if (out.size() == start)
      out += "\"\"";  // one missing cell alone must not read as an empty line
    out += '\n';
  }
  return out;
}

namespace {

base::Json cell_json(const Column& column, std::size_t row) {
  if (!column.is_valid(row)) return {};
  switch (column.type) {
    case ColumnType::kBool:
      return column.integers[row] != 0;
    case ColumnType::kInteger:
      return column.integers[row];
    case ColumnType::kFloat:
      return column.reals[row];
    default:
      return column.display(row);
  }
}

}  // namespace

std::string json_lines(const Table& table) {
  std::string out;
  for (std::size_t r = 0; r < table.rows(); ++r) {
    base::Json line = base::Json::object();
    for (const auto& column : table.columns) line.set(column.name, cell_json(column, r));
    line.append_to(out);
    out += '\n';
  }
  return out;
}

base::Status write_table(Engine& engine, const Table& table, const std::string& path) {
  const std::string name = base::to_lower_ascii(path);
  const auto ends = [&](std::string_view end) {
    return name.size() >= end.size() &&
           name.compare(name.size() - end.size(), end.size(), end) == 0;
  };
  if (ends(".csv")) {
    std::vector<std::string> names;
    for (const auto& column : table.columns) names.push_back(column.name);
    return base::write_file_atomic(path, csv_head(names) + csv_rows(table));
  }
  if (ends(".jsonl") || ends(".ndjson") || ends(".json"))
    return base::write_file_atomic(path, json_lines(table));
  if (!ends(".parquet"))
    return base::fail(Code::kInvalidArgument, "unknown kind of output file: " + path,
                      "use .csv, .jsonl or .parquet");
  const std::string scratch = engine.impl().scratch_name();
  TRY(engine.register_table(scratch, table));
  const base::Status written = engine.write_parquet("SELECT * FROM " + scratch, path);
  TRY(engine.drop(scratch));
  return written;
}

}  // namespace maru::data
