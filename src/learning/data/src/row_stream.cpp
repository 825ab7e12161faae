#include "maru/data/row_stream.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "delimited_stream.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "sources.h"
#include "streaming_query.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kEdgeBytes = 64u
                                   << 10;  // of each end of a file; a footer of Parquet is there

// The first and the last bytes of a file.
std::string edges(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string head(kEdgeBytes, '\0'), tail(kEdgeBytes, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  file.clear();
  file.seekg(0, std::ios::end);
  const auto size = static_cast<std::size_t>(file.tellg());
  tail.resize(std::min(size, tail.size()));
  file.seekg(static_cast<std::streamoff>(size - tail.size()));
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  return head + tail;
}

// A statement that is read while it runs.
class SqlStream final : public RowStream {
 public:
  SqlStream(Engine& engine, std::string select, std::uint64_t rows)
      : query_(engine, std::move(select)), total_(rows) {}

  base::Status open() {
    TRY(query_.start());
    reader_ = std::make_unique<ChunkReader>(query_.result());
    return {};
  }

  const std::vector<StreamColumn>& columns() const override { return query_.columns(); }
  double fraction() const override {
    return total_ == 0 ? 1 : static_cast<double>(seen_) / static_cast<double>(total_);
  }

  base::Result<Table> next(std::size_t most, std::vector<RowProblem>& problems) override {
    problems.clear();
    TRY_ASSIGN(Table out, reader_->take(most));
    TRY(query_.state());
    seen_ += out.rows();
    if (out.rows() == 0 && seen_ != total_)
      return base::fail(Code::kDataLoss,
                        "the input ended after " + std::to_string(seen_) + " of " +
                            std::to_string(total_) + " rows",
                        "is a file damaged, or was it changed meanwhile?");
    return out;
  }

 private:
  StreamingQuery query_;
  const std::uint64_t total_;
  std::uint64_t seen_ = 0;
  std::unique_ptr<ChunkReader> reader_;  // ends before the query
};

// A table that is already in memory.
class TableStream final : public RowStream {
 public:
  explicit TableStream(Table table) : table_(std::move(table)) {
    for (const auto& column : table_.columns) columns_.push_back({column.name, column.type});
  }
  const std::vector<StreamColumn>& columns() const override { return columns_; }
  double fraction() const override {
    return table_.rows() == 0 ? 1 : static_cast<double>(at_) / static_cast<double>(table_.rows());
  }
  base::Result<Table> next(std::size_t most, std::vector<RowProblem>& problems) override {
    problems.clear();
    const std::size_t rows = std::min(most, table_.rows() - at_);
    Table out = table_.slice(at_, rows);
    at_ += rows;
    return out;
  }

 private:
  Table table_;
  std::vector<StreamColumn> columns_;
  std::size_t at_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<RowStream>> RowStream::open_relation(Engine& engine,
                                                                  const std::string& relation) {
  TRY_ASSIGN(const std::string select, normalised_select(engine, relation));
  TRY_ASSIGN(const Table count, engine.query("SELECT count(*) FROM " + relation));
  auto out = std::make_unique<SqlStream>(
      engine, select, static_cast<std::uint64_t>(count.columns.at(0).integers.at(0)));
  TRY(out->open());
  return out;
}

base::Result<std::unique_ptr<RowStream>> RowStream::open_files(
    Engine& engine, const std::vector<std::string>& sources, base::Context& context) {
  TRY_ASSIGN(const SourceFiles files, find_sources(sources));
  if (files.kind == FileKind::kDelimited) return open_delimited(files.paths);
  if (files.kind == FileKind::kParquet) {
    TRY_ASSIGN(const std::string relation, parquet_relation(engine, files.paths));
    return open_relation(engine, relation);
  }
  ImportSpec spec;
  spec.sources = sources;
  TRY_ASSIGN(Table table, read_files(engine, spec, context));
  return std::make_unique<TableStream>(std::move(table));
}

base::Result<std::string> files_mark(const std::vector<std::string>& sources) {
  TRY_ASSIGN(const SourceFiles files, find_sources(sources));
  base::Sha256 hash;
  for (const auto& path : files.paths) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
      return base::fail(Code::kNotFound, "no such file: " + path);
    hash.update(path + '\0' + std::to_string(info.st_size) + ' ' +
                std::to_string(info.st_mtim.tv_sec) + '.' + std::to_string(info.st_mtim.tv_nsec) +
                '\n');
    hash.update(edges(path));
  }
  return hash.hex_digest();
}

}  // namespace maru::data
