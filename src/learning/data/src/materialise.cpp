#include <unistd.h>

#include <cstdio>

#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/text.h"
#include "maru/data/row_format.h"
#include "maru/data/sql.h"

namespace maru::data {

using base::Code;
using base::Status;

namespace {

constexpr std::size_t kGroupRows = 122'880;

// A file of this process alone; gone with its owner.
class ResultFile {
 public:
  explicit ResultFile(std::string path) : path_(std::move(path)) {}
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;
  ~ResultFile() {
    if (file_ != nullptr) std::fclose(file_);
    static_cast<void>(base::remove_tree(path_));
  }
  Status open() {
    file_ = std::fopen(path_.c_str(), "wbx");
    if (file_ == nullptr) return base::fail(Code::kInternal, "a result cannot be kept: " + path_);
    return {};
  }
  Status write(std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size())
      return base::fail(Code::kNoSpace, "a result cannot be kept: the disk is full");
    return {};
  }
  Status close() {
    if (std::fclose(std::exchange(file_, nullptr)) != 0)
      return base::fail(Code::kNoSpace, "a result cannot be kept: the disk is full");
    return {};
  }

 private:
  const std::string path_;
  std::FILE* file_ = nullptr;
};

base::Result<std::uint64_t> write_result(SqlQuery& query, ResultFile& file) {
  TRY_ASSIGN(const auto format, RowFormat::open("result.parquet", query.columns()));
  TRY(file.write(format->head()));
  std::vector<base::Json> layouts;
  std::uint64_t rows = 0;
  for (;;) {
    TRY_ASSIGN(const Table table, query.next(kGroupRows));
    if (table.rows() == 0) break;
    rows += table.rows();
    TRY_ASSIGN(EncodedRows group, format->encode(table));
    TRY(file.write(group.bytes));
    layouts.push_back(std::move(group.layout));
  }
  TRY(file.write(format->tail(layouts)));
  TRY(file.close());
  return rows;
}

}  // namespace

base::Result<ImportResult> materialise(Datasets& datasets, const MaterialiseSpec& spec,
                                       const SqlOptions& options, base::Context& context) {
  TRY_ASSIGN(const auto query, SqlQuery::open(datasets, spec.sql, options, context));
  std::vector<std::string> names;
  for (const auto& [name, snapshot] : query->inputs())
    names.push_back(snapshot.dataset + "@" + std::to_string(snapshot.number));
  TRY(base::make_folders(options.temp_folder));
  const std::string path =
      base::join_path(options.temp_folder, "sql-" + base::new_id(*context.clock) + ".parquet");
  ResultFile file(path);
  TRY(file.open());
  TRY_ASSIGN(const std::uint64_t rows, write_result(*query, file));
  if (rows == 0)
    return base::fail(Code::kInvalidArgument, "the SQL gave no rows", "check its WHERE and JOIN");
  AppendSpec append;
  append.from.project = spec.project;
  append.from.dataset = spec.dataset;
  append.from.sources = {path};
  append.from.run_id = spec.run_id;
  append.from.shown_source = names.empty() ? "SQL" : base::join(names, ", ");
  append.from.shown_query = spec.sql;
  if (!spec.append) return datasets.import(append.from, context);
  append.key = spec.key;
  append.in_transaction = spec.in_transaction;
  return datasets.append(append, context);
}

}  // namespace maru::data
