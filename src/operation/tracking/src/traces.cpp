#include "maru/tracking/traces.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "maru/base/id.h"
#include "maru/base/text.h"
#include "trace_rows.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using store::params;
using store::Row;
using store::Value;
using store::Writer;

constexpr std::array<store::Migration, 2> kMigrations = {{{1, R"sql(
CREATE TABLE traces (
  number BIGINT NOT NULL, id TEXT PRIMARY KEY, experiment_id TEXT NOT NULL, time_ms BIGINT NOT NULL, duration_ms BIGINT NOT NULL,
  state TEXT NOT NULL, client_request_id TEXT NOT NULL, request_preview TEXT, response_preview TEXT, tags TEXT NOT NULL,
  metadata TEXT NOT NULL, final BIGINT NOT NULL, spans BIGINT NOT NULL, expected BIGINT NOT NULL, assessments BIGINT NOT NULL);
CREATE UNIQUE INDEX traces_by_number ON traces (number);
CREATE INDEX traces_by_time ON traces (experiment_id, time_ms, id);
CREATE TABLE trace_spans (trace BIGINT NOT NULL, span TEXT NOT NULL, otlp BYTEA NOT NULL, PRIMARY KEY (trace, span)) WITHOUT ROWID;
CREATE TABLE trace_runs (run_id TEXT NOT NULL, trace BIGINT NOT NULL, PRIMARY KEY (trace, run_id));
CREATE TABLE trace_assessments (trace BIGINT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (trace, id));
)sql"},
                                                          {2, R"sql(
CREATE TABLE trace_runs_early (trace_id TEXT NOT NULL, run_id TEXT NOT NULL, created_us BIGINT NOT NULL, PRIMARY KEY (trace_id, run_id));
)sql"}}};

constexpr const char* kNameTag = "mlflow.traceName";
constexpr const char* kLocationTag = "mlflow.trace.spansLocation";
constexpr std::int64_t kNsPerMs = 1'000'000;

tl::unexpected<base::Error> no_trace(const std::string& id) {
  return base::fail(Code::kNotFound, "Trace with ID '" + id + "' not found.");
}

Status check_id(const std::string& id) {
  const bool plain = std::all_of(id.begin(), id.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '/' && c != '\\';
  });
  if (!id.empty() && id.size() <= kMaxTraceIdBytes && plain && base::is_valid_utf8(id) &&
      id != "." && id != "..")
    return {};
  return base::fail(Code::kInvalidArgument,
                    "Invalid trace id '" + base::replace_invalid_utf8(id.substr(0, 80)) + "'",
                    "letters, digits, '-', '_', '.' and ':'; at most " +
                        std::to_string(kMaxTraceIdBytes) + " bytes");
}

tl::unexpected<base::Error> too_many_assessments() {
  return base::fail(Code::kInvalidArgument, "a trace cannot have more than " +
                                                std::to_string(kMaxAssessments) + " assessments");
}

Status check_key(const std::string& key) {
  if (!key.empty() && key.size() <= kMaxTraceKeyBytes && base::is_valid_utf8(key)) return {};
  return base::fail(Code::kInvalidArgument,
                    "Invalid tag name '" + base::replace_invalid_utf8(key.substr(0, 80)) +
                        "': it must have 1 to " + std::to_string(kMaxTraceKeyBytes) + " bytes");
}

Status merge(Text& into, const Text& from) {
  for (const auto& [key, value] : from) {
    TRY(check_key(key));
    into[key] = cut(value, kMaxTraceValueBytes);
  }
  if (into.size() > kMaxTraceTags)
    return base::fail(Code::kInvalidArgument, "a trace cannot have more than " +
                                                  std::to_string(kMaxTraceTags) +
                                                  " tags or metadata entries");
  return {};
}

// Links that came before their trace become its own.
Status take_early_links(Writer& writer, const TraceRow& row) {
  const auto cells = params(row.trace.id, row.number);
  TRY_ASSIGN(const auto taken,
             writer.execute("INSERT INTO trace_runs (run_id, trace) SELECT run_id, $2 FROM "
                            "trace_runs_early WHERE trace_id = $1 ON CONFLICT DO NOTHING",
                            cells));
  if (taken == 0) return {};
  const auto key = params(row.trace.id);
  TRY(writer.execute("DELETE FROM trace_runs_early WHERE trace_id = $1", key));
  return {};
}

Result<std::optional<TraceRow>> find(Writer& writer, const std::string& id) {
  const auto key = params(id);
  TRY_ASSIGN(const auto rows, writer.query(std::string(kTraceColumns) + "WHERE id = $1", key));
  if (rows.empty()) return std::optional<TraceRow>();
  return std::optional<TraceRow>(trace_row(rows[0]));
}

Result<TraceRow> find_or_fail(Writer& writer, const std::string& id) {
  TRY_ASSIGN(auto found, find(writer, id));
  if (!found) return no_trace(id);
  return std::move(*found);
}

Value preview_cell(const std::optional<std::string>& text) {
  if (!text) return std::monostate{};
  return cut(*text, kMaxTracePreviewBytes);
}

Status save(Writer& writer, TraceRow& row) {
  const bool added = row.number == 0;
  if (added) {
    TRY_ASSIGN(const auto last, writer.query("SELECT COALESCE(MAX(number), 0) FROM traces"));
    row.number = last[0].integer(0) + 1;
  }
  const Trace& trace = row.trace;
  const auto cells =
      params(row.number, trace.id, trace.experiment_id, trace.time_ms, trace.duration_ms,
             trace.state, trace.client_request_id, preview_cell(trace.request_preview),
             preview_cell(trace.response_preview), text_json(trace.tags).dump(),
             text_json(trace.metadata).dump(), std::int64_t{row.final},
             static_cast<std::int64_t>(trace.spans),
             static_cast<std::int64_t>(trace.expected_spans), row.assessments);
  TRY(writer.execute(
      "INSERT INTO traces (number, id, experiment_id, time_ms, duration_ms, state, "
      "client_request_id, request_preview, response_preview, tags, metadata, final, spans, "
      "expected, assessments) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
      "$15) ON CONFLICT (id) DO UPDATE SET experiment_id = excluded.experiment_id, time_ms = "
      "excluded.time_ms, duration_ms = excluded.duration_ms, state = excluded.state, "
      "client_request_id = excluded.client_request_id, request_preview = "
      "excluded.request_preview, response_preview = excluded.response_preview, tags = "
      "excluded.tags, metadata = excluded.metadata, final = excluded.final, spans = "
      "excluded.spans, expected = excluded.expected, assessments = excluded.assessments",
      cells));
  if (added) return take_early_links(writer, row);
  return {};
}

// How many spans the sender counted (mlflow.trace.sizeStats).
std::uint64_t expected_spans(const Text& metadata) {
  const auto stats = metadata.find("mlflow.trace.sizeStats");
  if (stats == metadata.end()) return 0;
  const auto json = base::parse_json(stats->second);
  return json ? static_cast<std::uint64_t>(std::max<std::int64_t>((*json)["num_spans"].as_int(), 0))
              : 0;
}

// Text of an attribute, as a list shows it.
std::optional<std::string> preview_of(const Json& value) {
  constexpr std::size_t kPreviewBytes = 1000;
  if (value.is_null()) return std::nullopt;
  std::string text = value.is_string() ? value.as_string() : value.dump();
  if (text.size() <= kPreviewBytes) return text;
  return cut(text, kPreviewBytes - 3) + "...";
}

// A string attribute; senders that speak plain OTLP put JSON into it.
std::string plain_text(const Json& value) {
  const std::string& text = value.as_string();
  if (text.size() < 2 || text.front() != '"') return text;
  const auto inner = base::parse_json(text);
  return inner && inner->is_string() ? inner->as_string() : text;
}

// What a root span tells of its trace.
Status read_root(const Span& span, TraceRow& row) {
  Trace& trace = row.trace;
  if (!row.final || trace.state == "IN_PROGRESS" || trace.state == "STATE_UNSPECIFIED")
    trace.state = span.status == SpanStatus::kError ? "ERROR" : "OK";
  Text tags, metadata;
  if (!trace.tags.contains(kNameTag) && !span.name.empty()) tags[kNameTag] = span.name;
  if (!trace.request_preview)
    trace.request_preview = preview_of(span.attributes["mlflow.spanInputs"]);
  if (!trace.response_preview)
    trace.response_preview = preview_of(span.attributes["mlflow.spanOutputs"]);
  for (const auto& [attribute, key] : {std::pair{"session.id", "mlflow.trace.session"},
                                       std::pair{"user.id", "mlflow.trace.user"}}) {
    const std::string value = plain_text(span.attributes[attribute]);
    if (!value.empty() && !trace.metadata.contains(key)) metadata[key] = value;
  }
  constexpr std::string_view kTagPrefix = "mlflow.traceTag.";
  for (const auto& [key, value] : span.attributes.members()) {
    const std::string tag = key.starts_with(kTagPrefix) ? key.substr(kTagPrefix.size()) : "";
    if (!tag.empty() && tag != kLocationTag && tag.size() <= kMaxTraceKeyBytes)
      tags[tag] = plain_text(value);
  }
  TRY(merge(trace.tags, tags));
  return merge(trace.metadata, metadata);
}

// What sent the spans, as tags that the sender has not set; names of MLflow and of the SDK stay out.
Status read_resource(const Json& resource, Trace& trace) {
  Text tags;
  for (const auto& [key, value] : resource.members()) {
    if (key.starts_with("telemetry.sdk.") || key.starts_with("mlflow.") || key.empty() ||
        key.size() > kMaxTraceKeyBytes || trace.tags.contains(key))
      continue;
    tags[key] = value.is_string() ? value.as_string() : value.dump();
  }
  return merge(trace.tags, tags);
}

void read_times(const Span& span, Trace& trace) {
  const auto start = static_cast<std::int64_t>(span.start_ns / kNsPerMs);
  const auto end = static_cast<std::int64_t>(span.end_ns / kNsPerMs);
  const std::int64_t known_end = trace.duration_ms < 0 ? -1 : trace.time_ms + trace.duration_ms;
  if (trace.time_ms == 0 || (start > 0 && start < trace.time_ms)) trace.time_ms = start;
  const std::int64_t last = std::max(end, known_end);
  if (last >= trace.time_ms && last > 0) trace.duration_ms = last - trace.time_ms;
}

Status put_span(Writer& writer, TraceRow& row, const ReceivedSpan& received) {
  const auto cells = params(row.number, received.span.span_id, store::Blob{received.bytes});
  TRY_ASSIGN(const auto added,
             writer.execute("INSERT INTO trace_spans (trace, span, otlp) VALUES ($1, $2, $3) ON "
                            "CONFLICT DO NOTHING",
                            cells));
  row.trace.spans += static_cast<std::uint64_t>(added);
  if (added == 0) {
    TRY(writer.execute("UPDATE trace_spans SET otlp = $3 WHERE trace = $1 AND span = $2", cells));
  }
  return {};
}

Status link(Writer& writer, std::int64_t number, const std::string& run_id) {
  const auto cells = params(run_id, number);
  TRY(writer.execute(
      "INSERT INTO trace_runs (run_id, trace) VALUES ($1, $2) ON CONFLICT DO NOTHING", cells));
  return {};
}

class StoredTraces final : public Traces {
 public:
  StoredTraces(store::Database& db, base::Clock& clock) : db_(db), clock_(clock) {}

  Status log_spans(const std::string& experiment_id, const SpanBatch& batch,
                   const std::string& run_id) override {
    std::map<std::string, std::vector<const ReceivedSpan*>> by_trace;
    for (const auto& received : batch.spans)
      by_trace["tr-" + received.span.trace_id].push_back(&received);
    if (by_trace.empty()) return {};
    return write([&](Writer& writer, Changed& changed) -> Status {
      for (const auto& [id, spans] : by_trace) {
        TRY(log_trace(writer, experiment_id, id, spans, batch, run_id));
        changed.emplace_back(experiment_id, id);
      }
      return {};
    });
  }

  Result<Trace> put(const Trace& wanted) override {
    TRY(check_id(wanted.id));
    if (wanted.assessments.size() > kMaxAssessments) return too_many_assessments();
    TRY(write([&](Writer& writer, Changed& changed) -> Status {
      changed.emplace_back(wanted.experiment_id, wanted.id);
      TRY_ASSIGN(auto found, find(writer, wanted.id));
      TraceRow row = found ? std::move(*found) : TraceRow{};
      Trace& trace = row.trace;
      Text tags = wanted.tags;
      tags.erase(kLocationTag);
      TRY(merge(trace.tags, tags));
      TRY(merge(trace.metadata, wanted.metadata));
      trace.id = wanted.id;
      trace.experiment_id = wanted.experiment_id;
      trace.time_ms = wanted.time_ms;
      trace.duration_ms = wanted.duration_ms;
      trace.state = wanted.state.empty() ? "STATE_UNSPECIFIED" : wanted.state;
      trace.client_request_id = cut(wanted.client_request_id, kMaxTraceValueBytes);
      if (wanted.request_preview) trace.request_preview = wanted.request_preview;
      if (wanted.response_preview) trace.response_preview = wanted.response_preview;
      trace.expected_spans = expected_spans(trace.metadata);
      row.final = true;
      TRY(save(writer, row));
      for (const Json& assessment : wanted.assessments)
        TRY(put_assessment(writer, row, assessment, clock_));
      return {};
    }));
    return get(wanted.id);
  }

  Result<Trace> get(const std::string& id) override {
    TRY_ASSIGN(const TraceRow row, read(id));
    return filled(row);
  }

  Result<std::vector<Span>> spans(const std::string& id) override {
    TRY_ASSIGN(const TraceRow row, read(id));
    std::vector<Span> out;
    const auto cells = params(row.number);
    TRY(db_.read([&](store::Reader& reader) {
      return reader.each("SELECT otlp FROM trace_spans WHERE trace = $1", cells,
                         [&](const store::Cursor& cursor) -> Status {
                           TRY_ASSIGN(Span span, read_span(cursor.bytes(0)));
                           out.push_back(std::move(span));
                           return {};
                         });
    }));
    std::stable_sort(out.begin(), out.end(),
                     [](const Span& a, const Span& b) { return a.start_ns < b.start_ns; });
    return out;
  }

  Result<TracePage> search(const TraceQuery& query) override {
    TRY_ASSIGN(TracePage page, search_traces(db_, query));
    return page;
  }

  Status set_tag(const std::string& id, const std::string& key, const std::string& value) override {
    return change(id, [&](TraceRow& row) -> Status {
      return merge(row.trace.tags, {{key, value}});
    });
  }

  Status remove_tag(const std::string& id, const std::string& key) override {
    return change(id, [&](TraceRow& row) -> Status {
      if (row.trace.tags.erase(key) == 1) return {};
      return base::fail(Code::kNotFound,
                        "No trace tag with key '" + key + "' for trace with ID '" + id + "'");
    });
  }

  Result<std::vector<std::string>> remove(const std::string& experiment_id,
                                          const TraceRemoval& removal) override {
    std::vector<std::string> out;
    TRY(write([&](Writer& writer, Changed& changed) -> Status {
      out.clear();
      TRY_ASSIGN(const auto rows, doomed(writer, experiment_id, removal));
      for (const Row& row : rows) {
        const auto number = params(row.integer(0));
        for (const char* table : {"trace_spans WHERE trace", "trace_runs WHERE trace",
                                  "trace_assessments WHERE trace", "traces WHERE number"})
          TRY(writer.execute(std::string("DELETE FROM ") + table + " = $1", number));
        out.push_back(row.text(1));
        changed.emplace_back(experiment_id, row.text(1));
      }
      return {};
    }));
    return out;
  }

  Status link_to_run(const std::vector<std::string>& ids, const std::string& run_id) override {
    return write([&](Writer& writer, Changed& changed) -> Status {
      for (const std::string& id : ids) {
        TRY_ASSIGN(const auto row, find(writer, id));
        if (row) {
          changed.emplace_back(row->trace.experiment_id, id);
          TRY(link(writer, row->number, run_id));
          continue;
        }
        TRY(check_id(id));
        const auto cells = params(id, run_id, clock_.now_us());
        TRY(
            writer.execute("INSERT INTO trace_runs_early (trace_id, run_id, created_us) VALUES "
                           "($1, $2, $3) ON CONFLICT DO NOTHING",
                           cells));
      }
      return {};
    });
  }

  Result<Json> add_assessment(const std::string& trace_id, const Json& assessment) override {
    Json out;
    TRY(write([&](Writer& writer, Changed& changed) -> Status {
      TRY_ASSIGN(const TraceRow row, find_or_fail(writer, trace_id));
      changed.emplace_back(row.trace.experiment_id, trace_id);
      TRY_ASSIGN(out, put_assessment(writer, row, assessment, clock_));
      return {};
    }));
    return out;
  }

  Result<Json> get_assessment(const std::string& trace_id, const std::string& id) override {
    TRY_ASSIGN(const TraceRow row, read(trace_id));
    TRY_ASSIGN(const auto all, read_assessments(db_, row.number));
    for (const Json& one : all) {
      if (one["assessment_id"].as_string() == id) return one;
    }
    return no_assessment(trace_id, id);
  }

  Result<Json> update_assessment(const std::string& trace_id, const std::string& id,
                                 const Json& changes) override {
    Json out;
    TRY(write([&](Writer& writer, Changed& changed) -> Status {
      TRY_ASSIGN(const TraceRow row, find_or_fail(writer, trace_id));
      changed.emplace_back(row.trace.experiment_id, trace_id);
      TRY_ASSIGN(out, stored(writer, row.number, trace_id, id));
      for (const auto& [key, value] : changes.members()) out.set(key, value);
      out.set("last_update_time", base::format_time_us(clock_.now_us()));
      return rewrite(writer, row.number, id, out);
    }));
    return out;
  }

  Status remove_assessment(const std::string& trace_id, const std::string& id) override {
    return write([&](Writer& writer, Changed& changed) -> Status {
      TRY_ASSIGN(const TraceRow row, find_or_fail(writer, trace_id));
      changed.emplace_back(row.trace.experiment_id, trace_id);
      auto old = stored(writer, row.number, trace_id, id);
      if (!old) return old.error().code == Code::kNotFound ? Status{} : tl::unexpected(old.error());
      const auto key = params(row.number, id);
      TRY(writer.execute("DELETE FROM trace_assessments WHERE trace = $1 AND id = $2", key));
      const std::string overridden = (*old)["overrides"].as_string();
      if (!overridden.empty()) {
        auto before = stored(writer, row.number, trace_id, overridden);
        if (before) {
          TRY(rewrite(writer, row.number, overridden, before->set("valid", true)));
        }
      }
      return recount_assessments(writer, row.number);
    });
  }

  void on_change(Listener listener) override { listener_ = std::move(listener); }

 private:
  using Changed = std::vector<std::pair<std::string, std::string>>;  // experiments and traces
  // One transaction; then the listener hears of what it changed.
  Status write(const std::function<Status(Writer&, Changed&)>& callback) {
    Changed changed;
    TRY(db_.write([&](Writer& writer) {
      changed.clear();
      return callback(writer, changed);
    }));
    if (!listener_) return {};
    for (const auto& [experiment_id, trace_id] : changed) listener_(experiment_id, trace_id);
    return {};
  }
  static tl::unexpected<base::Error> no_assessment(const std::string& trace,
                                                   const std::string& id) {
    return base::fail(Code::kNotFound,
                      "Assessment with ID '" + id + "' not found for trace '" + trace + "'");
  }

  static Result<Json> stored(Writer& writer, std::int64_t trace, const std::string& trace_id,
                             const std::string& id) {
    const auto key = params(trace, id);
    TRY_ASSIGN(
        const auto rows,
        writer.query("SELECT value FROM trace_assessments WHERE trace = $1 AND id = $2", key));
    if (rows.empty()) return no_assessment(trace_id, id);
    return base::parse_json(rows[0].text(0));
  }
  static Status rewrite(Writer& writer, std::int64_t trace, const std::string& id,
                        const Json& value) {
    const auto cells = params(trace, id, value["assessment_name"].as_string(), value.dump());
    TRY(
        writer.execute("UPDATE trace_assessments SET name = $3, value = $4 WHERE trace = $1 AND id "
                       "= $2",
                       cells));
    return {};
  }

  static Status log_trace(Writer& writer, const std::string& experiment_id, const std::string& id,
                          const std::vector<const ReceivedSpan*>& spans, const SpanBatch& batch,
                          const std::string& run_id) {
    TRY_ASSIGN(auto found, find(writer, id));
    TraceRow row = found ? std::move(*found) : TraceRow{};
    if (!found) {
      row.trace.id = id;
      row.trace.experiment_id = experiment_id;
      row.trace.state = "IN_PROGRESS";
      TRY(save(writer, row));
    }
    for (const ReceivedSpan* received : spans) {
      TRY(put_span(writer, row, *received));
      if (!row.final) read_times(received->span, row.trace);
      if (received->span.parent_id.empty()) {
        TRY(read_root(received->span, row));
      }
    }
    TRY(read_resource(batch.resources.at(spans.front()->resource), row.trace));
    if (!run_id.empty()) {
      TRY(link(writer, row.number, run_id));
    }
    return save(writer, row);
  }

  static Result<store::Rows> doomed(Writer& writer, const std::string& experiment_id,
                                    const TraceRemoval& removal) {
    constexpr const char* kSelect = "SELECT number, id FROM traces WHERE experiment_id = $1 AND ";
    if (removal.ids.empty()) {
      const auto cells = params(experiment_id, removal.max_time_ms.value_or(INT64_MAX),
                                std::min(removal.max_traces.value_or(INT64_MAX),
                                         static_cast<std::int64_t>(kMaxTracesPerRemoval)));
      return writer.query(std::string(kSelect) + "time_ms <= $2 ORDER BY time_ms, id LIMIT $3",
                          cells);
    }
    store::Rows out;
    for (const std::string& id : removal.ids) {
      const auto cells = params(experiment_id, id);
      TRY_ASSIGN(auto rows, writer.query(std::string(kSelect) + "id = $2", cells));
      for (Row& row : rows) out.push_back(std::move(row));
    }
    return out;
  }

  Status change(const std::string& id, const std::function<Status(TraceRow&)>& edit) {
    return write([&](Writer& writer, Changed& changed) -> Status {
      TRY_ASSIGN(TraceRow row, find_or_fail(writer, id));
      changed.emplace_back(row.trace.experiment_id, id);
      TRY(edit(row));
      return save(writer, row);
    });
  }

  Result<TraceRow> read(const std::string& id) {
    TRY_ASSIGN(const auto rows,
               db_.query(std::string(kTraceColumns) + "WHERE id = $1", params(id)));
    if (rows.empty()) return no_trace(id);
    return trace_row(rows[0]);
  }

  Result<Trace> filled(const TraceRow& row) {
    Trace out = row.trace;
    if (row.assessments > 0) {
      TRY_ASSIGN(out.assessments, read_assessments(db_, row.number));
    }
    return out;
  }

  store::Database& db_;
  base::Clock& clock_;
  Listener listener_;
};

}  // namespace

void read_maps(const Row& row, Trace& trace) {
  trace.tags = text_of(row.text(9));
  trace.metadata = text_of(row.text(10));
}

TraceRow trace_row(const Row& row, bool maps) {
  TraceRow out;
  out.number = row.integer(0);
  Trace& trace = out.trace;
  trace.id = row.text(1);
  trace.experiment_id = row.text(2);
  trace.time_ms = row.integer(3);
  trace.duration_ms = row.integer(4);
  trace.state = row.text(5);
  trace.client_request_id = row.text(6);
  if (!row.null(7)) trace.request_preview = row.text(7);
  if (!row.null(8)) trace.response_preview = row.text(8);
  if (maps) read_maps(row, trace);
  out.final = row.integer(11) != 0;
  trace.spans = static_cast<std::uint64_t>(row.integer(12));
  trace.expected_spans = static_cast<std::uint64_t>(row.integer(13));
  out.assessments = row.integer(14);
  return out;
}

Json text_json(const Text& pairs) {
  Json::Object out;
  for (const auto& [key, value] : pairs) out.emplace_back(key, value);
  return Json::object_of(std::move(out));
}

Text text_of(const std::string& json) {
  Text out;
  if (const auto parsed = base::parse_json(json)) {
    for (const auto& [key, value] : parsed->members()) out[key] = value.as_string();
  }
  return out;
}

std::string cut(const std::string& text, std::size_t most) {
  if (text.size() <= most)
    return base::is_valid_utf8(text) ? text : base::replace_invalid_utf8(text);
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return base::replace_invalid_utf8(text.substr(0, end));
}

Status recount_assessments(Writer& writer, std::int64_t trace) {
  const auto key = params(trace);
  TRY(
      writer.execute("UPDATE traces SET assessments = (SELECT COUNT(*) FROM trace_assessments "
                     "WHERE trace = $1) WHERE number = $1",
                     key));
  return {};
}

Result<Json> put_assessment(Writer& writer, const TraceRow& row, const Json& assessment,
                            const base::Clock& clock) {
  Json out = assessment;
  std::string id = out["assessment_id"].as_string();
  if (id.empty()) id = "a-" + base::new_id(clock);
  const std::string name = out["assessment_name"].as_string();
  TRY(check_key(name));
  TRY(check_key(id));
  const bool value = out.has("feedback") || out.has("expectation") || out.has("issue");
  if (!value)
    return base::fail(Code::kInvalidArgument,
                      "an assessment needs a feedback or an expectation: '" + name + "'");
  if (row.assessments >= static_cast<std::int64_t>(kMaxAssessments)) return too_many_assessments();
  const std::string now = base::format_time_us(clock.now_us());
  out.set("assessment_id", id);
  out.set("trace_id", row.trace.id);
  if (out["create_time"].is_null()) out.set("create_time", now);
  if (out["last_update_time"].is_null()) out.set("last_update_time", now);
  if (out["valid"].is_null()) out.set("valid", true);
  const std::string overridden = out["overrides"].as_string();
  if (!overridden.empty()) {
    const auto key = params(row.number, overridden);
    TRY_ASSIGN(
        const auto old,
        writer.query("SELECT value FROM trace_assessments WHERE trace = $1 AND id = $2", key));
    if (old.empty())
      return base::fail(Code::kNotFound, "Assessment with ID '" + overridden +
                                             "' not found for trace '" + row.trace.id + "'");
    TRY_ASSIGN(Json before, base::parse_json(old[0].text(0)));
    const auto cells = params(row.number, overridden, before.set("valid", false).dump());
    TRY(writer.execute("UPDATE trace_assessments SET value = $3 WHERE trace = $1 AND id = $2",
                       cells));
  }
  const auto cells = params(row.number, id, name, out.dump());
  TRY(
      writer.execute("INSERT INTO trace_assessments (trace, id, name, value) VALUES ($1, $2, $3, "
                     "$4) ON CONFLICT (trace, id) DO UPDATE SET name = excluded.name, value = "
                     "excluded.value",
                     cells));
  TRY(recount_assessments(writer, row.number));
  return out;
}

Result<std::vector<Json>> read_assessments(store::Database& db, std::int64_t trace) {
  TRY_ASSIGN(const auto rows,
             db.query("SELECT value FROM trace_assessments WHERE trace = $1", params(trace)));
  std::vector<Json> out;
  for (const Row& row : rows) {
    TRY_ASSIGN(Json one, base::parse_json(row.text(0)));
    out.push_back(std::move(one));
  }
  std::stable_sort(out.begin(), out.end(), [](const Json& a, const Json& b) {
    return a["create_time"].as_string() < b["create_time"].as_string();
  });
  return out;
}

Result<std::unique_ptr<Traces>> Traces::open(store::Database& db, base::Clock& clock) {
  TRY(db.migrate("tracking.traces", kMigrations));
  return std::unique_ptr<Traces>(std::make_unique<StoredTraces>(db, clock));
}

}  // namespace maru::tracking
