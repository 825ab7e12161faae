#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "catalogue_routes.h"
#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/text.h"
#include "maru/data/row_format.h"
#include "maru/data/sample.h"
#include "maru/data/sql.h"

namespace maru::api {
namespace {

constexpr std::uint64_t kDefaultRows = 1000, kMaxRows = 100'000;
constexpr std::uint64_t kDefaultSampleRows = 10'000;
constexpr std::uint64_t kMaxAnswerBytes = 64ull << 20;
constexpr std::int64_t kDefaultTimeoutS = 60, kMaxTimeoutS = 3600;
constexpr int kMaxQueries = 4;  // at once; each has an engine of its own
constexpr std::size_t kGroupRows = 122'880, kMaxIdBytes = 100;

// Queries that run now, by the id that their caller chose.
class Running {
 public:
  // Gives its place back when it goes.
  class Place {
   public:
    Place(Running& running, std::string id) : running_(&running), id_(std::move(id)) {}
    Place(Place&& other) noexcept
        : running_(std::exchange(other.running_, nullptr)), id_(std::move(other.id_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (running_ != nullptr) running_->leave(id_);
    }

   private:
    Running* running_;
    std::string id_;
  };

  base::Result<Place> enter(std::string id, const base::CancelToken& cancel) {
    const std::lock_guard lock(mutex_);
    if (running_.size() >= kMaxQueries)
      return base::fail(base::Code::kUnavailable,
                        "too many queries at once: " + std::to_string(running_.size()),
                        "wait for one, or cancel it");
    if (id.empty()) id = "#" + std::to_string(++next_);
    if (!running_.emplace(id, cancel).second)
      return base::fail(base::Code::kAlreadyExists, "a query of this id is running: " + id);
    return Place(*this, id);
  }
  bool cancel(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto at = running_.find(id);
    if (at == running_.end()) return false;
    at->second.cancel();
    return true;
  }

 private:
  void leave(const std::string& id) {
    const std::lock_guard lock(mutex_);
    running_.erase(id);
  }
  std::mutex mutex_;
  std::map<std::string, base::CancelToken> running_;
  std::uint64_t next_ = 0;
};

struct Asked {
  std::string sql, format = "json", id;
  data::SqlOptions options;
};

base::Result<Asked> asked(const Services& s, const Request& request) {
  Asked out;
  std::int64_t rows = -1, timeout_s = kDefaultTimeoutS;
  if (request.method == Method::kGet) {
    out.sql = std::string(request.query_param("sql"));
    out.format = std::string(request.query_param("format", "json"));
    out.id = std::string(request.query_param("id"));
    TRY_ASSIGN(const std::uint64_t most, number_param(request, "limit", UINT32_MAX, UINT32_MAX));
    if (most != UINT32_MAX) rows = static_cast<std::int64_t>(most);
    TRY_ASSIGN(const std::uint64_t seconds,
               number_param(request, "timeout_s", kDefaultTimeoutS, kMaxTimeoutS));
    timeout_s = static_cast<std::int64_t>(seconds);
  } else {
    TRY_ASSIGN(const Json body, body_json(request));
    out.sql = body["sql"].as_string();
    if (!body["format"].is_null()) out.format = body["format"].as_string();
    out.id = body["id"].as_string();
    rows = body["limit"].as_int(-1);
    timeout_s = body["timeout_s"].as_int(kDefaultTimeoutS);
  }
  if (out.sql.empty())
    return base::fail(base::Code::kInvalidArgument, "no SQL",
                      R"(send {"sql": "SELECT * FROM sales LIMIT 10"})");
  if (out.id.size() > kMaxIdBytes || (!out.id.empty() && out.id.front() == '#'))
    return base::fail(base::Code::kInvalidArgument, "not an id: " + out.id.substr(0, 20));
  const std::vector<std::string> formats = {"json", "csv", "jsonl", "parquet"};
  if (std::find(formats.begin(), formats.end(), out.format) == formats.end())
    return base::fail(base::Code::kInvalidArgument, "unknown format: " + out.format,
                      base::join(formats, ", "));
  if (timeout_s < 1 || timeout_s > kMaxTimeoutS)
    return base::fail(base::Code::kInvalidArgument,
                      "`timeout_s` is out of range: " + std::to_string(timeout_s), "1 to 3600");
  out.options.timeout_ms = timeout_s * 1000;
  if (out.format == "json") {
    if (rows < 0) rows = kDefaultRows;
    if (rows < 1 || rows > static_cast<std::int64_t>(kMaxRows))
      return base::fail(base::Code::kInvalidArgument,
                        "`limit` is out of range: " + std::to_string(rows),
                        "1 to 100000; csv, jsonl and parquet have none");
  }
  out.options.max_rows = rows < 0 ? 0 : static_cast<std::uint64_t>(rows);
  out.options.project = project_of(request);
  out.options.temp_folder = base::join_path(s.home, "tmp");
  return out;
}

base::Status note_inputs(const Services& s, const data::SqlQuery& query, const Context& context) {
  for (const auto& [name, snapshot] : query.inputs())
    TRY(s.datasets->note_read(snapshot, context.principal.name, "sql"));
  return {};
}

Json columns_of(const data::SqlQuery& query) {
  Json out = Json::array();
  for (const auto& column : query.columns())
    out.push(
        Json::object({{"name", column.name}, {"type", std::string(data::type_name(column.type))}}));
  return out;
}

base::Result<Response> answer_json(const Services& s, data::SqlQuery& query,
                                   std::int64_t start_ns) {
  Json rows = Json::array();
  std::uint64_t bytes = 0;
  bool whole = true;
  for (;;) {
    TRY_ASSIGN(const data::Table table, query.next(kGroupRows));
    if (table.rows() == 0) break;
    for (std::size_t r = 0; r < table.rows() && whole; ++r) {
      Json cells = Json::array();
      for (const auto& column : table.columns) {
        bytes += 8 + (column.type == data::ColumnType::kText ? column.text(r).size() : 0);
        cells.push(cell_json(column, r));
      }
      rows.push(std::move(cells));
      whole = bytes <= kMaxAnswerBytes;
    }
    if (!whole) break;
  }
  Json inputs = Json::array();
  for (const auto& [name, snapshot] : query.inputs())
    inputs.push(Json::object({{"name", name},
                              {"dataset", snapshot.dataset},
                              {"number", snapshot.number},
                              {"snapshot", snapshot.id}}));
  const double seconds = static_cast<double>(s.clock->monotonic_ns() - start_ns) * 1e-9;
  const std::int64_t shown = static_cast<std::int64_t>(rows.size());
  return answer(Json::object({{"columns", columns_of(query)},
                              {"rows", std::move(rows)},
                              {"row_count", shown},
                              {"truncated", query.truncated() || !whole},
                              {"inputs", inputs},
                              {"seconds", seconds}}));
}

std::string media_type(const std::string& format) {
  if (format == "csv") return "text/csv; charset=utf-8";
  if (format == "jsonl") return "application/x-ndjson";
  return "application/vnd.apache.parquet";
}

// What a body that is written while the query runs keeps alive.
struct Stream {
  Context context;
  std::unique_ptr<data::SqlQuery> query;
  std::unique_ptr<data::RowFormat> format;
  data::Table first;
  Running::Place place;
};

// The same of a sample.
struct SampleStream {
  Context context;
  std::unique_ptr<data::Sample> sample;
  std::unique_ptr<data::RowFormat> format;
  data::Table first;
};

// `first`, then what `next` gives until it gives no rows, as one file.
template <class Next>
base::Status write_file(const data::RowFormat& format, data::Table first, Next next,
                        http::BodyWriter& out) {
  TRY(out.write(format.head()));
  std::vector<Json> layouts;
  for (data::Table rows = std::move(first); rows.rows() > 0;) {
    TRY_ASSIGN(data::EncodedRows group, format.encode(rows));
    TRY(out.write(group.bytes));
    layouts.push_back(std::move(group.layout));
    TRY_ASSIGN(rows, next());
  }
  const std::string tail = format.tail(layouts);
  return tail.empty() ? base::Status() : out.write(tail);
}

base::Status write_rows(Stream& stream, http::BodyWriter& out) {
  return write_file(
      *stream.format, std::move(stream.first), [&] { return stream.query->next(kGroupRows); }, out);
}

base::Result<Response> answer_stream(const std::string& format, std::shared_ptr<Stream> stream) {
  TRY_ASSIGN(stream->format, data::RowFormat::open("result." + format, stream->query->columns()));
  TRY_ASSIGN(stream->first, stream->query->next(kGroupRows));
  Response response;
  response.headers.set("Content-Type", media_type(format));
  response.headers.set("Content-Disposition", "attachment; filename=\"result." + format + "\"");
  response.stream = [stream = std::move(stream)](http::BodyWriter& out) {
    return write_rows(*stream, out);
  };
  return response;
}

base::Result<Response> run_sql(const Services& s, Running& running, const Request& request,
                               Context& context) {
  const std::int64_t start_ns = s.clock->monotonic_ns();
  TRY_ASSIGN(const Asked wanted, asked(s, request));
  TRY_ASSIGN(auto place, running.enter(wanted.id, context.cancel));
  if (wanted.format == "json") {
    TRY_ASSIGN(const auto query,
               data::SqlQuery::open(*s.datasets, wanted.sql, wanted.options, context));
    TRY(note_inputs(s, *query, context));
    return answer_json(s, *query, start_ns);
  }
  auto stream = std::make_shared<Stream>(Stream{context, nullptr, nullptr, {}, std::move(place)});
  TRY_ASSIGN(stream->query,
             data::SqlQuery::open(*s.datasets, wanted.sql, wanted.options, stream->context));
  TRY(note_inputs(s, *stream->query, context));
  return answer_stream(wanted.format, std::move(stream));
}

// Keeps a result as a new snapshot of a dataset; `append` puts it behind the newest.
base::Result<Response> save_result(const Services& s, Running& running, const Request& request,
                                   Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string dataset(request.param("dataset"));
  data::SqlOptions options;
  options.project = project_of(request);
  options.temp_folder = base::join_path(s.home, "tmp");
  options.timeout_ms = kMaxTimeoutS * 1000;
  TRY_ASSIGN(const auto place, running.enter({}, context.cancel));
  data::MaterialiseSpec spec;
  spec.project = options.project;
  spec.dataset = dataset;
  spec.sql = body["sql"].as_string();
  spec.append = body["append"].as_bool(false);
  spec.run_id = {};
  if (spec.sql.empty()) return base::fail(base::Code::kInvalidArgument, "no SQL");
  TRY_ASSIGN(const auto inputs, data::sql_inputs(*s.datasets, spec.sql, spec.project));
  for (const auto& [name, snapshot] : inputs)
    TRY(s.datasets->note_read(snapshot, context.principal.name, "sql"));
  TRY_ASSIGN(const data::ImportResult result,
             data::materialise(*s.datasets, spec, options, context));
  TRY(audit(s, context, "dataset.sql", dataset + "@" + std::to_string(result.snapshot.number),
            spec.sql.substr(0, 500)));
  s.events->publish("project:" + spec.project, R"({"type":"changed","kind":"dataset"})");
  return answer(import_json(result));
}

base::Result<std::shared_ptr<SampleStream>> open_sample(const Services& s, const Request& request,
                                                        Context& context) {
  TRY_ASSIGN(const data::Snapshot snapshot, pick_snapshot(s, request, "snapshot"));
  data::SampleSpec spec;
  TRY_ASSIGN(spec.rows, number_param(request, "rows", kDefaultSampleRows, UINT32_MAX));
  TRY_ASSIGN(spec.seed, number_param(request, "seed", 1, UINT64_MAX / 2));
  spec.by = std::string(request.query_param("by"));
  spec.stratify = std::string(request.query_param("stratify"));
  TRY(s.datasets->note_read(snapshot, context.principal.name, "sample"));
  auto out = std::make_shared<SampleStream>(SampleStream{context, nullptr, nullptr, {}});
  TRY_ASSIGN(out->sample, data::Sample::open(*s.datasets, *s.engine, snapshot, spec, out->context));
  return out;
}

base::Status write_sample(SampleStream& stream, http::BodyWriter& out) {
  return write_file(
      *stream.format, std::move(stream.first), [&] { return stream.sample->next(kGroupRows); },
      out);
}

base::Result<Response> get_sample(const Services& s, const Request& request, Context& context) {
  const std::string format(request.query_param("format", "csv"));
  if (format != "csv" && format != "jsonl" && format != "parquet")
    return base::fail(base::Code::kInvalidArgument, "unknown format: " + format,
                      "csv, jsonl, parquet");
  TRY_ASSIGN(auto stream, open_sample(s, request, context));
  TRY_ASSIGN(stream->format, data::RowFormat::open("sample." + format, stream->sample->columns()));
  TRY_ASSIGN(stream->first, stream->sample->next(kGroupRows));
  Response response;
  response.headers.set("Content-Type", media_type(format));
  response.headers.set("Content-Disposition", "attachment; filename=\"sample." + format + "\"");
  response.stream = [stream = std::move(stream)](http::BodyWriter& out) {
    return write_sample(*stream, out);
  };
  return response;
}

// What an editor completes: datasets, their columns, their tags.
base::Result<Response> get_names(const Services& s, const Request& request) {
  TRY_ASSIGN(const auto datasets, s.datasets->list(project_of(request)));
  Json out = Json::array();
  for (const auto& info : datasets) {
    if (info.snapshots.empty()) continue;
    Json columns = Json::array(), tags = Json::array();
    for (const auto& column : info.snapshots.front().columns)
      columns.push(Json::object(
          {{"name", column.name}, {"type", std::string(data::type_name(column.type))}}));
    TRY_ASSIGN(const auto known, s.datasets->catalogue().tags(project_of(request), info.name));
    for (const auto& tag : known) tags.push(tag.name);
    out.push(Json::object({{"name", info.name},
                           {"number", info.snapshots.front().number},
                           {"rows", count(info.snapshots.front().rows)},
                           {"columns", columns},
                           {"tags", tags}}));
  }
  return answer(Json::object({{"datasets", out}}));
}

}  // namespace

void add_sql_routes(Router& router, const Services& s) {
  const auto running = std::make_shared<Running>();
  for (const Method method : {Method::kGet, Method::kPost})
    router.add(method, "/api/v1/sql", {Permission::kRead, RunOn::kWork},
               [s, running](const Request& request, Context& context) {
                 return run_sql(s, *running, request, context);
               });
  router.add(Method::kPost, "/api/v1/sql/{id}/cancel", {Permission::kRead, RunOn::kInline},
             [running](const Request& request, Context&) -> base::Result<Response> {
               const std::string id(request.param("id"));
               if (!running->cancel(id))
                 return base::fail(base::Code::kNotFound, "no such query runs: " + id);
               return Response::empty();
             });
  router.add(Method::kGet, "/api/v1/sql/names", {Permission::kRead},
             [s](const Request& request, Context&) { return get_names(s, request); });
  router.add(
      Method::kGet, "/api/v1/datasets/{dataset}/sample", {Permission::kRead, RunOn::kWork},
      [s](const Request& request, Context& context) { return get_sample(s, request, context); });
  router.add(Method::kPost, "/api/v1/datasets/{dataset}/sql", {Permission::kWrite, RunOn::kWork},
             [s, running](const Request& request, Context& context) {
               return save_result(s, *running, request, context);
             });
}

}  // namespace maru::api
