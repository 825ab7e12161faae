#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "cell_storage.h"
#include "keyed_groups.h"
#include "maru/base/text.h"
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
  if (files.kind == FileKind::kArrow) return arrow_groups(files.paths);
  if (files.kind == FileKind::kJson)
    return keyed_groups(json_records(files.paths, spec.encoding), base::join(files.paths, ", "));
  if (files.kind == FileKind::kTfRecord)
    return keyed_groups(tf_records(files.paths), base::join(files.paths, ", "));
  std::vector<std::string> notes;
  TRY_ASSIGN(Table table, read_text_sources(spec, files, context, notes, 0));
  return table_groups(std::move(table));
}

namespace {

// Behind what is there; texts get the codes of the first table.
class TableJoiner {
 public:
  void add(Table part) {
    if (table_.columns.empty()) {
      table_ = std::move(part);
      return;
    }
    for (std::size_t c = 0; c < table_.columns.size(); ++c)
      add(table_.columns[c], part.columns[c], c);
  }
  std::size_t rows() const { return table_.rows(); }
  Table take() { return std::move(table_); }

 private:
  void add(Column& to, const Column& from, std::size_t c) {
    const std::size_t had = to.rows(), more = from.rows();
    if (!to.valid.empty() || !from.valid.empty()) {
      to.valid.resize(had, 1);
      for (std::size_t i = 0; i < more; ++i) to.valid.push_back(from.is_valid(i) ? 1 : 0);
    }
    to.integers.insert(to.integers.end(), from.integers.begin(), from.integers.end());
    to.reals.insert(to.reals.end(), from.reals.begin(), from.reals.end());
    if (to.type != ColumnType::kText) return;
    auto& places = words_[c];
    for (std::size_t k = places.size(); k < to.dictionary.size(); ++k)
      places.emplace(to.dictionary[k], static_cast<std::int32_t>(k));
    std::vector<std::int32_t> codes;
    for (const auto& word : from.dictionary) {
      const auto [at, fresh] =
          places.emplace(word, static_cast<std::int32_t>(to.dictionary.size()));
      if (fresh) to.dictionary.push_back(word);
      codes.push_back(at->second);
    }
    for (const std::int32_t code : from.codes)
      to.codes.push_back(code < 0 ? -1 : codes[static_cast<std::size_t>(code)]);
  }

  Table table_;
  std::map<std::size_t, std::unordered_map<std::string, std::int32_t>> words_;
};

// Reads until the types hold, then stands at the first row.
base::Status settle(GroupSource& source, base::Context& context) {
  for (;;) {
    TRY(source.start());
    RowGroup group;
    for (;;) {
      TRY(context.alive());
      TRY_ASSIGN(const bool more, source.next(group));
      if (!more) break;
    }
    TRY_ASSIGN(const bool again, source.again());
    if (!again) return source.start();
  }
}

class GroupCells final : public CellStream {
 public:
  explicit GroupCells(std::unique_ptr<GroupSource> source) : source_(std::move(source)) {
    columns_ = source_->columns();
  }
  const std::vector<StreamColumn>& columns() const override { return columns_; }
  bool raw() const override { return false; }
  std::vector<std::string> notes() const override { return source_->notes(); }
  base::Result<bool> next(CellBlock& block) override {
    if (!block.storage) block.storage = std::make_unique<CellBlock::Storage>();
    RowGroup group;
    TRY_ASSIGN(const bool more, source_->next(group));
    if (!more) return false;
    block.number = group.number;
    block.storage->table = std::move(group.rows);
    view_rows(block.storage->table, 0, block.storage->table.rows(), block);
    return true;
  }

 private:
  const std::unique_ptr<GroupSource> source_;
  std::vector<StreamColumn> columns_;
};

}  // namespace

base::Result<Table> read_groups(GroupSource& source, std::uint64_t limit, base::Context& context) {
  for (;;) {
    TRY(source.start());
    TableJoiner rows;
    RowGroup group;
    for (;;) {
      TRY(context.alive());
      TRY_ASSIGN(const bool more, source.next(group));
      if (!more) break;
      if (source.spoiled()) continue;
      rows.add(std::move(group.rows));
      // The types of the first rows are good enough for who asks for them only.
      if (limit != 0 && rows.rows() >= limit) return rows.take().slice(0, limit);
    }
    TRY_ASSIGN(const bool again, source.again());
    if (again) continue;
    if (rows.rows() == 0)
      return base::fail(base::Code::kInvalidArgument, "no rows", "a table needs at least one row");
    return rows.take();
  }
}

base::Result<std::unique_ptr<CellStream>> group_cells(std::unique_ptr<GroupSource> source,
                                                      base::Context& context) {
  TRY(settle(*source, context));
  return std::make_unique<GroupCells>(std::move(source));
}

}  // namespace maru::data
