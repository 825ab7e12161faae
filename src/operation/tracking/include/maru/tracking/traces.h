#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/store/database.h"
#include "maru/tracking/otlp.h"
#include "maru/tracking/runs.h"

namespace maru::tracking {

// One trace (MLflow's TraceInfoV3). Times in milliseconds since 1970.
struct Trace {
  std::string id;  // "tr-" and the 32 hex digits of OpenTelemetry's trace id
  std::string experiment_id, client_request_id;
  std::optional<std::string> request_preview, response_preview;
  std::int64_t time_ms = 0;
  std::int64_t duration_ms = -1;  // -1: not known (yet)
  std::string state;              // OK | ERROR | IN_PROGRESS | STATE_UNSPECIFIED
  Text tags, metadata;
  std::vector<base::Json> assessments;  // MLflow's Assessment, by creation
  std::uint64_t spans = 0;              // stored here
  std::uint64_t expected_spans = 0;     // as its sender counted; 0: it did not say
  // Every span that the sender has is stored here; otherwise it must keep them elsewhere (the artifact traces.json).
  bool complete() const { return spans > 0 && spans >= expected_spans; }
};

struct TraceQuery {
  std::vector<std::string> experiment_ids;
  std::string filter;                 // trace_grammar()
  std::vector<std::string> order_by;  // default: newest first
  std::size_t limit = 100;
  std::string page_token;  // of the page before, made by the same query
};
struct TracePage {
  std::vector<Trace> traces;
  std::string next_page_token;  // "": the last page
};

struct TraceRemoval {  // by ids, or the oldest up to a time, at most so many
  std::vector<std::string> ids;
  std::optional<std::int64_t> max_time_ms;
  std::optional<std::int64_t> max_traces;
};

inline constexpr std::size_t kMaxTraceIdBytes = 256;
inline constexpr std::size_t kMaxTraceKeyBytes = 250;
inline constexpr std::size_t kMaxTraceValueBytes = 8000;      // longer ones are cut at a code point
inline constexpr std::size_t kMaxTraceTags = 1000;            // also of metadata
inline constexpr std::size_t kMaxTracePreviewBytes = 10'000;  // likewise
inline constexpr std::size_t kMaxAssessments = 1000;          // of one trace
inline constexpr std::size_t kMaxTracesPerRemoval = 10'000;

// Traces: one row each with what a list shows, and their spans as they came (OpenTelemetry's bytes). Spans may come before the trace,
// after it, in any order and again; a span that comes again replaces itself. Every successful write is durable. Thread safe.
class Traces {
 public:
  static base::Result<std::unique_ptr<Traces>> open(store::Database& db, base::Clock& clock);
  virtual ~Traces() = default;

  // Stores the spans, makes the traces that are not there, and fills what the sender of a trace has not said itself: times, state,
  // name, previews. All or nothing. `run_id` may be "".
  virtual base::Status log_spans(const std::string& experiment_id, const SpanBatch& batch,
                                 const std::string& run_id) = 0;
  // What the sender says of the trace as a whole; it wins over what its spans said. Again is harmless.
  virtual base::Result<Trace> put(const Trace& trace) = 0;
  virtual base::Result<Trace> get(const std::string& id) = 0;                // kNotFound
  virtual base::Result<std::vector<Span>> spans(const std::string& id) = 0;  // by start
  virtual base::Result<TracePage> search(const TraceQuery& query) = 0;
  virtual base::Status set_tag(const std::string& id, const std::string& key,
                               const std::string& value) = 0;
  virtual base::Status remove_tag(const std::string& id, const std::string& key) = 0;
  // The ids of what was removed.
  virtual base::Result<std::vector<std::string>> remove(const std::string& experiment_id,
                                                        const TraceRemoval& removal) = 0;
  // A trace that is not there yet is linked when it comes.
  virtual base::Status link_to_run(const std::vector<std::string>& ids,
                                   const std::string& run_id) = 0;

  // Assessments in MLflow's JSON. One that overrides another makes that one invalid, until it is removed.
  virtual base::Result<base::Json> add_assessment(const std::string& trace_id,
                                                  const base::Json& assessment) = 0;
  virtual base::Result<base::Json> get_assessment(const std::string& trace_id,
                                                  const std::string& id) = 0;
  virtual base::Result<base::Json> update_assessment(const std::string& trace_id,
                                                     const std::string& id,
                                                     const base::Json& changes) = 0;
  virtual base::Status remove_assessment(const std::string& trace_id, const std::string& id) = 0;

  // Told of every trace that a durable write made, changed or removed, on the thread that wrote; set once, before the first write.
  using Listener =
      std::function<void(const std::string& experiment_id, const std::string& trace_id)>;
  virtual void on_change(Listener listener) = 0;
};

}  // namespace maru::tracking
