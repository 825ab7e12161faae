#pragma once
#include <vector>

#include "mlflow/wire.h"

// How traces look on MLflow's wire (V3, and V2 of clients before 3.0) and in Maru's own API.
namespace maru::api::mlflow {

inline constexpr const char* kSpansLocation = "mlflow.trace.spansLocation";
inline constexpr const char* kTraceArtifacts = "mlflow.artifactLocation";
inline constexpr const char* kTraceName = "mlflow.traceName";
inline constexpr const char* kSourceRun = "mlflow.sourceRun";

// Where a client uploads what it keeps in files: below the artifact proxy.
std::string trace_folder(const tracking::Trace& trace);
// TraceInfoV3. It names the tracking store as the place of the spans only while every span is there: a client that does not read this
// uploads its spans as a file, so none is lost.
Json trace_info_json(const tracking::Trace& trace);
Json trace_info_v2_json(const tracking::Trace& trace);
Json trace_json(const tracking::Trace& trace, const std::vector<tracking::Span>& spans);
// Reads TraceInfoV3; a failure is left in `info`.
tracking::Trace read_trace_info(Fields& info);
// "1.5s" in milliseconds; -1 when it is none.
std::int64_t read_duration(const std::string& text);

// Maru's own: a row of the list, and spans depth first, each with its depth, its time from the start and its inputs and outputs.
Json own_trace_json(const tracking::Trace& trace);
Json own_spans_json(const tracking::Trace& trace, const std::vector<tracking::Span>& spans);

}  // namespace maru::api::mlflow
