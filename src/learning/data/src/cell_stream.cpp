#include "maru/data/cell_stream.h"

#include <algorithm>
#include <mutex>

#include "cell_storage.h"
#include "row_groups.h"
#include "sources.h"
#include "streaming_query.h"

namespace maru::data {

CellBlock::CellBlock() = default;
CellBlock::~CellBlock() = default;
CellBlock::CellBlock(CellBlock&&) noexcept = default;
CellBlock& CellBlock::operator=(CellBlock&&) noexcept = default;

namespace {

using base::Code;

constexpr std::size_t kTableRows = 2048;

bool holds(const std::uint64_t* valid, std::size_t row) {
  return valid == nullptr || (valid[row / 64] >> (row % 64) & 1u) != 0;
}

// A statement's result, a chunk of the engine a block.
class SqlCells final : public CellStream {
 public:
  SqlCells(Engine& engine, std::string select) : query_(engine, std::move(select)) {}
  base::Status open() { return query_.start(); }
  const std::vector<StreamColumn>& columns() const override { return query_.columns(); }
  bool raw() const override { return false; }

  base::Result<bool> next(CellBlock& block) override {
    if (!block.storage) block.storage = std::make_unique<CellBlock::Storage>();
    CellBlock::Storage& storage = *block.storage;
    if (storage.chunk != nullptr) duckdb_destroy_data_chunk(&storage.chunk);
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return false;
      storage.chunk = duckdb_fetch_chunk(query_.result());
      block.number = next_++;
      ended_ = storage.chunk == nullptr || duckdb_data_chunk_get_size(storage.chunk) == 0;
      if (ended_) {
        TRY(query_.state());
        return false;
      }
    }
    block.rows = duckdb_data_chunk_get_size(storage.chunk);
    view(block);
    return true;
  }

 private:
  void view(CellBlock& block) {
    CellBlock::Storage& storage = *block.storage;
    const std::vector<StreamColumn>& columns = query_.columns();
    const std::size_t width = columns.size();
    storage.integers.resize(width);
    std::size_t texts = 0;
    for (const auto& column : columns) texts += column.type == ColumnType::kText ? 1 : 0;
    storage.views.resize(std::max(storage.views.size(), texts * block.rows));
    std::string_view* free_views = storage.views.data();
    block.columns.assign(width, {});
    for (std::size_t c = 0; c < width; ++c) {
      duckdb_vector vector = duckdb_data_chunk_get_vector(storage.chunk, c);
      CellColumn& out = block.columns[c];
      out.valid = duckdb_vector_get_validity(vector);
      void* data = duckdb_vector_get_data(vector);
      if (columns[c].type == ColumnType::kFloat) {
        out.reals = static_cast<const double*>(data);
      } else if (columns[c].type == ColumnType::kText) {
        auto* from = static_cast<duckdb_string_t*>(data);
        for (std::size_t i = 0; i < block.rows; ++i)
          free_views[i] = holds(out.valid, i) ? std::string_view(duckdb_string_t_data(&from[i]),
                                                                 duckdb_string_t_length(from[i]))
                                              : std::string_view();
        out.texts = free_views;
        out.valid = nullptr;
        free_views += block.rows;
      } else if (query_.types()[c] == DUCKDB_TYPE_BOOLEAN) {
        const auto* from = static_cast<const std::uint8_t*>(data);
        auto& integers = storage.integers[c];
        integers.resize(block.rows);
        for (std::size_t i = 0; i < block.rows; ++i) integers[i] = from[i] != 0 ? 1 : 0;
        out.integers = integers.data();
      } else {
        out.integers = static_cast<const std::int64_t*>(data);
      }
    }
  }

  StreamingQuery query_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  bool ended_ = false;
};

// A table that is in memory, its own or another's.
class TableCells final : public CellStream {
 public:
  TableCells(const Table* table, Table own) : own_(std::move(own)), table_(table ? *table : own_) {
    for (const auto& column : table_.columns) columns_.push_back({column.name, column.type});
  }
  const std::vector<StreamColumn>& columns() const override { return columns_; }
  bool raw() const override { return false; }

  base::Result<bool> next(CellBlock& block) override {
    if (!block.storage) block.storage = std::make_unique<CellBlock::Storage>();
    {
      const std::lock_guard lock(mutex_);
      block.number = next_++;
    }
    const std::size_t from = block.number * kTableRows;
    if (from >= table_.rows()) return false;
    block.rows = std::min(kTableRows, table_.rows() - from);
    view_rows(table_, from, block.rows, block);
    return true;
  }

 private:
  const Table own_;
  const Table& table_;
  std::vector<StreamColumn> columns_;
  std::mutex mutex_;
  std::size_t next_ = 0;
};

}  // namespace

void view_rows(const Table& table, std::size_t from, std::size_t rows, CellBlock& block) {
  CellBlock::Storage& storage = *block.storage;
  const std::size_t width = table.columns.size();
  std::size_t texts = 0;
  for (const auto& column : table.columns) texts += column.type == ColumnType::kText ? 1 : 0;
  block.rows = rows;
  storage.valid.resize(width);
  storage.views.resize(std::max(storage.views.size(), texts * rows));
  std::string_view* views = storage.views.data();
  block.columns.assign(width, {});
  for (std::size_t c = 0; c < width; ++c) {
    const Column& column = table.columns[c];
    CellColumn& out = block.columns[c];
    if (column.type == ColumnType::kText) {
      for (std::size_t i = 0; i < rows; ++i) views[i] = column.text(from + i);
      out.texts = views;
      views += rows;
      continue;
    }
    if (column.type == ColumnType::kFloat)
      out.reals = column.reals.data() + from;
    else
      out.integers = column.integers.data() + from;
    if (column.valid.empty()) continue;
    auto& bits = storage.valid[c];
    bits.assign((rows + 63) / 64, 0);
    for (std::size_t i = 0; i < rows; ++i)
      bits[i / 64] |= static_cast<std::uint64_t>(column.valid[from + i] != 0) << (i % 64);
    out.valid = bits.data();
  }
}

base::Result<std::unique_ptr<CellStream>> CellStream::open_relation(Engine& engine,
                                                                    const std::string& relation) {
  TRY_ASSIGN(std::string select, normalised_select(engine, relation));
  auto out = std::make_unique<SqlCells>(engine, std::move(select));
  TRY(out->open());
  return out;
}

base::Result<std::unique_ptr<CellStream>> CellStream::open_files(Engine& engine,
                                                                 const ImportSpec& spec,
                                                                 base::Context& context) {
  TRY_ASSIGN(const SourceFiles files, find_sources(spec.sources));
  if (files.kind == FileKind::kDelimited) return open_delimited_cells(files.paths, spec);
  if (files.kind == FileKind::kParquet) {
    TRY_ASSIGN(const std::string relation, parquet_relation(engine, files.paths));
    return open_relation(engine, relation);
  }
  if (files.kind != FileKind::kArff) {
    TRY_ASSIGN(auto source, open_groups(engine, spec, files, context));
    return group_cells(std::move(source), context);
  }
  std::vector<std::string> notes;
  TRY_ASSIGN(Table table, read_text_sources(spec, files, context, notes, 0));
  return std::make_unique<TableCells>(nullptr, std::move(table));
}

std::unique_ptr<CellStream> CellStream::of(const Table& table) {
  return std::make_unique<TableCells>(&table, Table{});
}

}  // namespace maru::data
