#pragma once
#include <string>
#include <vector>

#include "maru/store/database.h"
#include "maru/tracking/traces.h"

namespace maru::tracking {

// A trace with its row's number, by which its spans are kept.
struct TraceRow {
  std::int64_t number = 0;
  Trace trace;
  bool final = false;  // its sender has said what it is
  std::int64_t assessments = 0;
};

inline constexpr const char* kTraceColumns =
    "SELECT number, id, experiment_id, time_ms, duration_ms, state, client_request_id, "
    "request_preview, response_preview, tags, metadata, final, spans, expected, assessments FROM "
    "traces ";
// Without its tags and metadata when `maps` is false; read_maps() adds them.
TraceRow trace_row(const store::Row& row, bool maps = true);
void read_maps(const store::Row& row, Trace& trace);

base::Json text_json(const Text& pairs);
Text text_of(const std::string& json);
// At most `most` bytes, cut where a code point begins.
std::string cut(const std::string& text, std::size_t most);

base::Result<TracePage> search_traces(store::Database& db, const TraceQuery& query);

// Assessments, in the caller's transaction.
base::Result<base::Json> put_assessment(store::Writer& writer, const TraceRow& row,
                                        const base::Json& assessment, const base::Clock& clock);
base::Result<std::vector<base::Json>> read_assessments(store::Database& db, std::int64_t trace);
base::Status recount_assessments(store::Writer& writer, std::int64_t trace);

}  // namespace maru::tracking
