#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/context.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/data/table.h"

namespace maru::data {

struct EngineOptions {
  std::string temp_folder;
  std::size_t threads = 2;
  std::uint64_t memory_limit_bytes = 4ull << 30;
};

struct SqlColumn {
  std::string name;
  std::string sql_type;  // the engine's word: "VARCHAR", "DOUBLE", ...
  ColumnType type;
};

// SQL over files and tables in memory (DuckDB inside, no network, no extension loading). query() may run from several threads (own connection each).
// Errors carry the engine's sentence without its stack; a missing column or table comes with near names.
class Engine {
 public:
  // Costs nothing: DuckDB itself starts with the first statement.
  static base::Result<std::unique_ptr<Engine>> open(const EngineOptions& options);
  Engine();  // not yet open: use open()
  ~Engine();
  base::Result<Table> query(std::string_view sql, base::Context* context = nullptr);
  base::Status execute(std::string_view sql, base::Context* context = nullptr);
  base::Result<std::vector<SqlColumn>> describe(
      std::string_view sql);  // of a SELECT, without running it
  base::Status register_table(const std::string& name, const Table& table);  // copied in, replaces
  base::Status register_parquet(const std::string& name,
                                const std::vector<std::string>& files);  // a view, replaces
  base::Status drop(const std::string& name);
  base::Status write_parquet(std::string_view select_sql, const std::string& file);
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

std::string quote_identifier(std::string_view name);  // "a""b"
std::string quote_literal(std::string_view text);     // 'a''b'

}  // namespace maru::data
