#include <algorithm>
#include <mutex>

#include "row_groups.h"
#include "streaming_query.h"

namespace maru::data {

namespace {

class TableGroups final : public GroupSource {
 public:
  explicit TableGroups(Table table) : table_(std::move(table)) {}
  base::Status start() override {
    next_ = 0;
    return {};
  }
  std::vector<StreamColumn> columns() const override {
    std::vector<StreamColumn> out;
    for (const auto& column : table_.columns) out.push_back({column.name, column.type});
    return out;
  }
  base::Result<bool> next(RowGroup& group) override {
    {
      const std::lock_guard lock(mutex_);
      group.number = next_++;
    }
    if (group.number * kGroupRows >= table_.rows()) return false;
    group.rows = table_.slice(group.number * kGroupRows, kGroupRows);
    return true;
  }

 private:
  const Table table_;
  std::mutex mutex_;
  std::size_t next_ = 0;
};

// A statement's rows; the engine decodes them on its own threads, whoever takes them turns them into columns.
class SqlGroups final : public GroupSource {
 public:
  SqlGroups(Engine& engine, std::string select) : engine_(engine), select_(std::move(select)) {}
  base::Status start() override {
    reader_.reset();
    query_ = std::make_unique<StreamingQuery>(engine_, select_);
    TRY(query_->start());
    reader_ = std::make_unique<ChunkReader>(query_->result());
    next_ = 0;
    return {};
  }
  std::vector<StreamColumn> columns() const override { return query_->columns(); }
  base::Result<bool> next(RowGroup& group) override {
    Chunks chunks;
    {
      const std::lock_guard lock(mutex_);
      group.number = next_;
      TRY_ASSIGN(chunks, reader_->fetch(kGroupRows, kGroupValueBytes));
      TRY(query_->state());
      if (chunks.list.empty()) return false;
      ++next_;
    }
    TRY_ASSIGN(group.rows, reader_->convert(chunks));
    return true;
  }

 private:
  Engine& engine_;
  const std::string select_;
  std::unique_ptr<StreamingQuery> query_;
  std::unique_ptr<ChunkReader> reader_;  // ends before the query
  std::mutex mutex_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<GroupSource> table_groups(Table table) {
  return std::make_unique<TableGroups>(std::move(table));
}

std::unique_ptr<GroupSource> sql_groups(Engine& engine, std::string select) {
  return std::make_unique<SqlGroups>(engine, std::move(select));
}

base::Result<std::unique_ptr<GroupSource>> open_groups(Engine& engine, const ImportSpec& spec,
                                                       const SourceFiles& files,
                                                       base::Context& context) {
  if (files.kind == FileKind::kDelimited) return delimited_groups(files.paths, spec);
  if (files.kind == FileKind::kParquet) {
    TRY_ASSIGN(const std::string relation, parquet_relation(engine, files.paths));
    TRY_ASSIGN(std::string select, normalised_select(engine, relation));
    return sql_groups(engine, std::move(select));
  }
  std::vector<std::string> notes;
  TRY_ASSIGN(Table table, read_text_sources(engine, spec, files, context, notes, 0));
  return table_groups(std::move(table));
}

}  // namespace maru::data
