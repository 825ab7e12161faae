#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"

// OpenTelemetry's trace messages (opentelemetry/proto/trace/v1, collector/trace/v1), read and written by hand: only the fields that a
// trace page needs, unknown ones are skipped. Every read is bounded. kInvalidArgument for bytes that are no such
// message, with the place; kFailedPrecondition for a span without proper ids.
namespace maru::tracking {

struct SpanEvent {
  std::string name;
  std::uint64_t time_ns = 0;
  base::Json attributes;
};
struct SpanLink {
  std::string trace_id, span_id;  // hex
  base::Json attributes;
};

enum class SpanStatus : std::uint8_t { kUnset, kOk, kError };
std::string_view span_status_name(SpanStatus status);  // "OK"

struct Span {
  std::string trace_id, span_id;  // 32 and 16 lower-case hex digits
  std::string parent_id;          // "": the root
  std::string name;
  int kind = 0;                            // OTLP's SpanKind
  std::uint64_t start_ns = 0, end_ns = 0;  // since 1970; 0: not said
  SpanStatus status = SpanStatus::kUnset;
  std::string message;
  base::Json attributes = base::Json::object();  // values as JSON; bytes as base64
  std::vector<SpanEvent> events;
  std::vector<SpanLink> links;
};

struct ReceivedSpan {
  Span span;
  std::string bytes;         // OTLP's Span message
  std::size_t resource = 0;  // index into SpanBatch::resources
};
struct SpanBatch {
  std::vector<ReceivedSpan> spans;
  std::vector<base::Json> resources;  // attributes of what sent the spans
};

inline constexpr std::size_t kMaxSpansPerBatch = 100'000;
inline constexpr int kMaxValueDepth = 32;  // arrays and maps inside attributes

base::Result<SpanBatch> read_span_batch(std::string_view protobuf);  // ExportTraceServiceRequest
base::Result<SpanBatch> read_span_batch_json(const base::Json& request);  // OTLP/JSON: ids in hex
base::Result<Span> read_span(std::string_view protobuf);
std::string write_span(const Span& span);  // protobuf; read_span() gives it back
base::Json span_json(const Span& span);    // protobuf's JSON: ids in base64, snake_case names
// The spans of an artifact `traces.json`, as MLflow's clients upload it (2.14 to 3.x).
base::Result<std::vector<Span>> read_trace_file(const base::Json& file);
base::Json trace_file(const std::vector<Span>& spans);  // such a file

}  // namespace maru::tracking
