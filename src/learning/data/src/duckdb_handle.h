#pragma once
#include <duckdb.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "maru/base/result.h"
#include "maru/data/engine.h"

namespace maru::data {

// Owners of DuckDB handles; each frees in its destructor. One thread at a time.
struct Connection {
  duckdb_connection handle = nullptr;
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (handle != nullptr) duckdb_disconnect(&handle);
  }
};
struct ResultSet {
  duckdb_result handle{};
  ResultSet() = default;
  ResultSet(const ResultSet&) = delete;
  ResultSet& operator=(const ResultSet&) = delete;
  ~ResultSet() { duckdb_destroy_result(&handle); }
};
struct Statement {
  duckdb_prepared_statement handle = nullptr;
  Statement() = default;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() {
    if (handle != nullptr) duckdb_destroy_prepare(&handle);
  }
};

struct Extracted {
  duckdb_extracted_statements handle = nullptr;
  Extracted() = default;
  Extracted(const Extracted&) = delete;
  Extracted& operator=(const Extracted&) = delete;
  ~Extracted() {
    if (handle != nullptr) duckdb_destroy_extracted(&handle);
  }
};

struct Engine::Impl {
  duckdb_database database =
      nullptr;  // opened by the first connection: 40 MiB that an idle server does not need
  std::mutex starting;
  EngineOptions options;
  std::string temp_folder;
  std::atomic<std::uint64_t> next_name{1};

  ~Impl() {
    if (database != nullptr) duckdb_close(&database);
  }
  base::Status start();
  base::Result<std::unique_ptr<Connection>> connect();
  // Runs one statement to the end; the context's cancel and deadline interrupt it.
  base::Status run(Connection& connection, std::string_view sql, ResultSet& out,
                   base::Context* context);
  base::Error explain(Connection& connection, std::string text);
  std::string scratch_name();  // unique within the engine
};

// Chunks of a result that were fetched and not yet read; freed with their owner.
struct Chunks {
  std::vector<duckdb_data_chunk> list;
  Chunks() = default;
  Chunks(Chunks&& other) noexcept : list(std::exchange(other.list, {})) {}
  Chunks& operator=(Chunks&& other) noexcept {
    std::swap(list, other.list);
    return *this;
  }
  ~Chunks() {
    for (auto& chunk : list) duckdb_destroy_data_chunk(&chunk);
  }
};

// Takes a result's rows as tables, piece by piece; a piece ends with a chunk of the engine. One thread fetches at a time, any may convert.
class ChunkReader {
 public:
  explicit ChunkReader(duckdb_result& result);
  ~ChunkReader();
  base::Result<Table> take(std::size_t most);  // at least one chunk; no rows at the end
  // Up to `rows` rows and about `bytes` of values, but at least one chunk; none at the end.
  base::Result<Chunks> fetch(std::size_t rows, std::size_t bytes);
  base::Result<Table> convert(const Chunks& chunks) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Appends every row of `result` to a table. Types outside bool/numbers/date/time stamps must have been cast to VARCHAR.
base::Result<Table> fetch_table(duckdb_result& result);
base::Result<ColumnType> column_type(duckdb_type type);
bool needs_text_cast(duckdb_type type);

}  // namespace maru::data
