#pragma once
#include <duckdb.h>

#include <string>
#include <string_view>
#include <vector>

#include "delimited_pieces.h"
#include "maru/data/cell_stream.h"

namespace maru::data {

struct CellBlock::Storage {
  TextPiece piece;  // of a delimited file
  CellWindow window;
  std::vector<std::string_view> views;  // column after column
  std::vector<std::vector<std::uint64_t>> valid;
  std::vector<std::vector<std::int64_t>> integers;
  std::vector<std::vector<double>> reals;
  duckdb_data_chunk chunk = nullptr;
  Table table;  // of a source that was read whole
  ~Storage() {
    if (chunk != nullptr) duckdb_destroy_data_chunk(&chunk);
  }
};

// Makes the block show these rows of a table, which stays where it is.
void view_rows(const Table& table, std::size_t from, std::size_t rows, CellBlock& block);

base::Result<std::unique_ptr<CellStream>> open_delimited_cells(
    const std::vector<std::string>& paths, const ImportSpec& spec);

}  // namespace maru::data
