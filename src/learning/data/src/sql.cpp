#include "maru/data/sql.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "duckdb_handle.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "sandbox.h"

namespace maru::data {

using base::Code;
using base::Status;

namespace {

constexpr std::chrono::milliseconds kWatchEvery{50};

// Interrupts a connection once the time is over or the caller has gone.
class Watch {
 public:
  Watch(duckdb_connection connection, base::Context& context, std::int64_t timeout_ms)
      : connection_(connection),
        context_(context),
        end_ns_(context.clock->monotonic_ns() + timeout_ms * 1'000'000),
        thread_([this] { run(); }) {}
  ~Watch() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_all();
  }
  bool late() const { return context_.clock->monotonic_ns() >= end_ns_; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kWatchEvery, [this] { return done_; })) {
      if (late() || !context_.alive()) duckdb_interrupt(connection_);
    }
  }
  const duckdb_connection connection_;
  base::Context& context_;
  const std::int64_t end_ns_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::jthread thread_;  // last: it uses the others
};

std::vector<StreamColumn> distinct_names(std::vector<StreamColumn> columns) {
  std::set<std::string> taken;
  for (auto& column : columns) {
    if (column.name.empty()) column.name = "column";
    std::string name = column.name;
    for (int i = 2; !taken.insert(base::to_lower_ascii(name)).second; ++i)
      name = column.name + "_" + std::to_string(i);
    column.name = name;
  }
  return columns;
}

class SandboxedQuery final : public SqlQuery {
 public:
  SandboxedQuery(Datasets& datasets, const SqlOptions& options, base::Context& context)
      : datasets_(datasets), options_(options), context_(context) {}

  Status start(const std::string& sql);
  const std::vector<StreamColumn>& columns() const override { return columns_; }
  const std::map<std::string, Snapshot>& inputs() const override { return inputs_; }
  base::Result<Table> next(std::size_t most) override;
  bool truncated() const override { return truncated_; }

 private:
  Status prepare(const std::string& sql);
  Status with_text_casts(const std::string& sql, duckdb_statement_type type);
  Status execute();
  tl::unexpected<base::Error> failed(const char* why);

  Datasets& datasets_;
  const SqlOptions options_;
  base::Context& context_;
  std::unique_ptr<Sandbox> sandbox_;
  std::map<std::string, Snapshot> inputs_;
  std::vector<StreamColumn> columns_;
  Statement statement_;
  duckdb_pending_result pending_ = nullptr;
  ResultSet result_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<ChunkReader> reader_;  // ends before the result
  std::uint64_t rows_ = 0;
  bool truncated_ = false, ended_ = false;

 public:
  ~SandboxedQuery() override {
    reader_.reset();
    watch_.reset();
    if (pending_ != nullptr) duckdb_destroy_pending(&pending_);
  }
};

tl::unexpected<base::Error> SandboxedQuery::failed(const char* why) {
  const std::string text = why != nullptr ? why : "the statement failed";
  if (watch_ && watch_->late())
    return base::fail(Code::kDeadlineExceeded,
                      "the query took longer than " +
                          base::format_seconds(static_cast<double>(options_.timeout_ms) / 1e3),
                      "ask for less, or allow more time with --timeout");
  if (const Status alive = context_.alive(); !alive)
    return tl::unexpected<base::Error>(alive.error());
  if (const std::string name = missing_table_of(text); !name.empty()) {
    const auto found = datasets_.resolve(options_.project, name);
    if (!found) return tl::unexpected<base::Error>(found.error());
  }
  base::Error error = sandbox_->engine().impl().explain(sandbox_->connection(), text);
  if (text.find("disabled by configuration") != std::string::npos ||
      text.find("has been disabled") != std::string::npos ||
      text.find("configuration has been locked") != std::string::npos) {
    error.code = Code::kPermissionDenied;
    error.message = "SQL reads datasets, no files, settings or other databases: " + error.message;
    error.hint = "import or register the file as a dataset, then name that";
  }
  return tl::unexpected<base::Error>(std::move(error));
}

Status SandboxedQuery::prepare(const std::string& sql) {
  Extracted extracted;
  const idx_t count =
      duckdb_extract_statements(sandbox_->connection().handle, sql.c_str(), &extracted.handle);
  if (count == 0) {
    const char* why = duckdb_extract_statements_error(extracted.handle);
    if (why == nullptr || *why == '\0')
      return base::fail(Code::kInvalidArgument, "no SQL", "for example SELECT 42");
    return failed(why);
  }
  if (count > 1)
    return base::fail(Code::kInvalidArgument,
                      "one statement at a time, not " + std::to_string(count));
  if (duckdb_prepare_extracted_statement(sandbox_->connection().handle, extracted.handle, 0,
                                         &statement_.handle) != DuckDBSuccess)
    return failed(duckdb_prepare_error(statement_.handle));
  const duckdb_statement_type type = duckdb_prepared_statement_type(statement_.handle);
  if (type != DUCKDB_STATEMENT_TYPE_SELECT && type != DUCKDB_STATEMENT_TYPE_EXPLAIN)
    return base::fail(Code::kPermissionDenied, "SQL here only reads: one SELECT or EXPLAIN",
                      "keep a result with --save NAME");
  return with_text_casts(sql, type);
}

// Takes the names, and prepares again with casts where a type has no column of its own.
Status SandboxedQuery::with_text_casts(const std::string& sql, duckdb_statement_type type) {
  const idx_t width = duckdb_prepared_statement_column_count(statement_.handle);
  std::string list, aliases;
  bool any = false;
  for (idx_t c = 0; c < width; ++c) {
    const duckdb_type kind = duckdb_prepared_statement_column_type(statement_.handle, c);
    const char* name = duckdb_prepared_statement_column_name(statement_.handle, c);
    StreamColumn column;
    column.name = name != nullptr ? name : "";
    duckdb_free(const_cast<char*>(name));
    const char* cast = "";
    if (kind ==
        DUCKDB_TYPE_HUGEINT) {  // of a sum: its digits matter more than numbers beyond 64 bits
      cast = "::BIGINT";
      column.type = ColumnType::kInteger;
    } else if (needs_text_cast(kind) || kind == DUCKDB_TYPE_UBIGINT) {
      cast = "::VARCHAR";
      column.type = ColumnType::kText;
    } else {
      TRY_ASSIGN(column.type, column_type(kind));
    }
    any = any || *cast != '\0';
    const std::string alias = "c" + std::to_string(c);
    list += (c > 0 ? ", " : "") + alias + cast;
    aliases += (c > 0 ? ", " : "") + alias;
    columns_.push_back(std::move(column));
  }
  columns_ = distinct_names(std::move(columns_));
  if (!any || type != DUCKDB_STATEMENT_TYPE_SELECT) return {};
  std::string body(base::trim(sql));
  while (!body.empty() && (body.back() == ';' || body.back() == ' ' || body.back() == '\n'))
    body.pop_back();
  duckdb_destroy_prepare(&statement_.handle);
  const std::string cast =
      "SELECT " + list + " FROM (" + body + "\n) AS maru_query(" + aliases + ")";
  if (duckdb_prepare(sandbox_->connection().handle, cast.c_str(), &statement_.handle) !=
      DuckDBSuccess)
    return failed(duckdb_prepare_error(statement_.handle));
  return {};
}

Status SandboxedQuery::execute() {
  if (duckdb_pending_prepared_streaming(statement_.handle, &pending_) != DuckDBSuccess)
    return failed(duckdb_pending_error(pending_));
  if (duckdb_execute_pending(pending_, &result_.handle) != DuckDBSuccess)
    return failed(duckdb_result_error(&result_.handle));
  reader_ = std::make_unique<ChunkReader>(result_.handle);
  return {};
}

Status SandboxedQuery::start(const std::string& sql) {
  if (sql.size() > kMaxSqlBytes)
    return base::fail(Code::kTooLarge, "the SQL is too long: " + base::format_bytes(sql.size()),
                      "at most 1 MiB");
  if (!base::is_valid_utf8(sql) || sql.find('\0') != std::string::npos)
    return base::fail(Code::kInvalidArgument, "the SQL is not UTF-8");
  TRY_ASSIGN(inputs_, sql_inputs(datasets_, sql, options_.project));
  TRY(context_.alive());
  TRY_ASSIGN(sandbox_, Sandbox::open(options_));
  TRY(sandbox_->show(datasets_, inputs_));
  watch_ = std::make_unique<Watch>(sandbox_->connection().handle, context_, options_.timeout_ms);
  TRY(prepare(sql));
  return execute();
}

base::Result<Table> SandboxedQuery::next(std::size_t most) {
  Table out;
  if (!ended_) {
    TRY_ASSIGN(out, reader_->take(most));
    const char* why = duckdb_result_error(&result_.handle);
    if (why != nullptr && *why != '\0') return failed(why);
    ended_ = out.rows() == 0;
  }
  if (out.columns.size() == columns_.size()) {
    for (std::size_t c = 0; c < columns_.size(); ++c) out.columns[c].name = columns_[c].name;
  }
  if (options_.max_rows > 0 && rows_ + out.rows() > options_.max_rows) {
    out = out.slice(0, options_.max_rows - rows_);
    truncated_ = ended_ = true;
  }
  rows_ += out.rows();
  return out;
}

}  // namespace

base::Result<std::unique_ptr<SqlQuery>> SqlQuery::open(Datasets& datasets, const std::string& sql,
                                                       const SqlOptions& options,
                                                       base::Context& context) {
  auto out = std::make_unique<SandboxedQuery>(datasets, options, context);
  TRY(out->start(sql));
  return out;
}

base::Result<std::map<std::string, Snapshot>> sql_inputs(Datasets& datasets, const std::string& sql,
                                                         const std::string& project) {
  return Sandbox::named(sql,
                        [&](const std::string& name) { return datasets.resolve(project, name); });
}

}  // namespace maru::data
