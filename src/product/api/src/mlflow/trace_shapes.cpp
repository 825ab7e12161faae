#include "mlflow/trace_shapes.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "maru/base/text.h"

namespace maru::api::mlflow {
namespace {

using tracking::Span;
using tracking::Trace;

constexpr std::int64_t kMsPerSecond = 1000;
constexpr double kNsPerMs = 1e6;

std::string duration_text(std::int64_t ms) {
  std::string fraction = std::to_string(ms % kMsPerSecond);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(ms / kMsPerSecond) + "." + fraction + "s";
}

tracking::Text shown_tags(const Trace& trace) {
  tracking::Text tags = trace.tags;
  tags[kTraceArtifacts] = "mlflow-artifacts:/" + trace_folder(trace);
  if (trace.complete()) tags[kSpansLocation] = "TRACKING_STORE";
  return tags;
}

Json map_json(const tracking::Text& pairs) {
  Json::Object out;
  for (const auto& [key, value] : pairs) out.emplace_back(key, value);
  return Json::object_of(std::move(out));
}

tracking::Text read_map(Fields& info, std::string_view name) {
  tracking::Text out;
  auto map = info.object(name);
  if (!map) return out;
  for (const auto& [key, value] : map->json().members()) {
    if (value.is_string())
      out[key] = value.as_string();
    else
      map->refuse(key, value, "Value must be a string");
  }
  info.adopt(*map);
  return out;
}

std::string value_of(const tracking::Text& pairs, const std::string& key) {
  const auto found = pairs.find(key);
  return found == pairs.end() ? "" : found->second;
}

// An attribute as a person reads it: JSON that was packed into a string is unpacked.
Json readable(const Json& value) {
  if (!value.is_string() || value.as_string().empty()) return value;
  if (std::string_view("{[\"").find(value.as_string().front()) == std::string_view::npos)
    return value;
  auto inner = base::parse_json(value.as_string());
  return inner ? std::move(*inner) : value;
}

Json own_span(const Span& span, std::uint64_t start_ns) {
  const auto since = [start_ns](std::uint64_t ns) {
    return (static_cast<double>(ns) - static_cast<double>(start_ns)) / kNsPerMs;
  };
  Json attributes = Json::object(), out = Json::object({{"id", span.span_id}});
  if (!span.parent_id.empty()) out.set("parent_id", span.parent_id);
  out.set("name", span.name);
  out.set("type", readable(span.attributes["mlflow.spanType"]));
  out.set("status", std::string(tracking::span_status_name(span.status)));
  if (!span.message.empty()) out.set("message", span.message);
  out.set("start_us", static_cast<std::int64_t>(span.start_ns / 1000));
  out.set("start_ms", span.start_ns == 0 ? 0.0 : since(span.start_ns));
  if (span.end_ns >= span.start_ns && span.end_ns != 0)
    out.set("duration_ms", static_cast<double>(span.end_ns - span.start_ns) / kNsPerMs);
  for (const auto& [key, value] : span.attributes.members()) {
    if (key == "mlflow.spanInputs")
      out.set("inputs", readable(value));
    else if (key == "mlflow.spanOutputs")
      out.set("outputs", readable(value));
    else if (key != "mlflow.spanType" && key != "mlflow.traceRequestId")
      attributes.members().emplace_back(key, readable(value));
  }
  out.set("attributes", std::move(attributes));
  Json events = Json::array();
  for (const auto& event : span.events)
    events.push(Json::object({{"name", event.name},
                              {"at_ms", event.time_ns == 0 ? 0.0 : since(event.time_ns)},
                              {"attributes", event.attributes}}));
  out.set("events", std::move(events));
  return out;
}

}  // namespace

std::string trace_folder(const Trace& trace) {
  return trace.experiment_id + "/traces/" + trace.id + "/artifacts";
}

Json trace_info_json(const Trace& trace) {
  Json out = Json::object({{"trace_id", trace.id}});
  set_text(out, "client_request_id", trace.client_request_id);
  out.set("trace_location",
          Json::object(
              {{"type", "MLFLOW_EXPERIMENT"},
               {"mlflow_experiment", Json::object({{"experiment_id", trace.experiment_id}})}}));
  if (trace.request_preview) out.set("request_preview", *trace.request_preview);
  if (trace.response_preview) out.set("response_preview", *trace.response_preview);
  out.set("request_time", base::format_time_us(trace.time_ms * 1000));
  if (trace.duration_ms >= 0) out.set("execution_duration", duration_text(trace.duration_ms));
  out.set("state", trace.state);
  out.set("trace_metadata", map_json(trace.metadata));
  out.set("tags", map_json(shown_tags(trace)));
  if (!trace.assessments.empty()) out.set("assessments", Json::array(trace.assessments));
  return out;
}

Json trace_info_v2_json(const Trace& trace) {
  return Json::object(
      {{"request_id", trace.id},
       {"experiment_id", trace.experiment_id},
       {"timestamp_ms", trace.time_ms},
       {"execution_time_ms", std::max<std::int64_t>(trace.duration_ms, 0)},
       {"status", trace.state == "STATE_UNSPECIFIED" ? "TRACE_STATUS_UNSPECIFIED" : trace.state},
       {"request_metadata", pairs_json(trace.metadata)},
       {"tags", pairs_json(shown_tags(trace))}});
}

Json trace_json(const Trace& trace, const std::vector<Span>& spans) {
  Json list = Json::array();
  for (const Span& span : spans) list.push(tracking::span_json(span));
  return Json::object({{"trace_info", trace_info_json(trace)}, {"spans", std::move(list)}});
}

std::int64_t read_duration(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr double kMost = 1e12;
  if (error != std::errc() || std::string_view(end, text.data() + text.size()) != "s" ||
      !(seconds >= 0 && seconds < kMost))
    return -1;
  return std::llround(seconds * static_cast<double>(kMsPerSecond));
}

Trace read_trace_info(Fields& info) {
  static const std::vector<std::string> kStates = {"STATE_UNSPECIFIED", "OK", "ERROR",
                                                   "IN_PROGRESS"};
  Trace out;
  out.id = info.required_text("trace_id");
  out.client_request_id = info.text("client_request_id");
  if (auto place = info.object("trace_location")) {
    if (auto experiment = place->object("mlflow_experiment")) {
      out.experiment_id = experiment->required_text("experiment_id");
      place->adopt(*experiment);
    }
    info.adopt(*place);
  }
  if (out.experiment_id.empty())
    info.refuse("trace_location", info.json()["trace_location"],
                "It must name an MLflow experiment");
  out.request_preview = info.optional_text("request_preview");
  out.response_preview = info.optional_text("response_preview");
  const std::string time = info.text("request_time");
  const auto parsed = time.empty() ? base::Result<std::int64_t>(0) : base::parse_time_us(time);
  if (!parsed) info.refuse("request_time", time, "Value must be an RFC 3339 time");
  out.time_ms = parsed.value_or(0) / 1000;
  const std::string duration = info.text("execution_duration");
  if (!duration.empty()) {
    out.duration_ms = read_duration(duration);
    if (out.duration_ms < 0)
      info.refuse("execution_duration", duration, "Value must be seconds such as \"1.5s\"");
  }
  const Json& state = info.json()["state"];
  out.state = state.is_int() && state.as_int() >= 0 && state.as_int() < 4
                  ? kStates[static_cast<std::size_t>(state.as_int())]
                  : state.as_string();
  if (!state.is_null() && std::find(kStates.begin(), kStates.end(), out.state) == kStates.end())
    info.refuse("state", state, "Valid values are " + base::join(kStates, ", "));
  out.tags = read_map(info, "tags");
  out.metadata = read_map(info, "trace_metadata");
  for (auto& assessment : info.objects("assessments")) out.assessments.push_back(assessment.json());
  return out;
}

Json own_trace_json(const Trace& trace) {
  Json out = Json::object({{"id", trace.id},
                           {"experiment_id", trace.experiment_id},
                           {"name", value_of(trace.tags, kTraceName)},
                           {"state", trace.state},
                           {"start_ms", trace.time_ms}});
  if (trace.duration_ms >= 0) out.set("duration_ms", trace.duration_ms);
  if (trace.request_preview) out.set("request", *trace.request_preview);
  if (trace.response_preview) out.set("response", *trace.response_preview);
  set_text(out, "run_id", value_of(trace.metadata, kSourceRun));
  set_text(out, "session", value_of(trace.metadata, "mlflow.trace.session"));
  set_text(out, "user", value_of(trace.metadata, "mlflow.trace.user"));
  out.set("spans", count(trace.spans));
  out.set("expected_spans", count(std::max(trace.spans, trace.expected_spans)));
  out.set("tags", map_json(trace.tags));
  out.set("metadata", map_json(trace.metadata));
  out.set("assessments", Json::array(trace.assessments));
  return out;
}

Json own_spans_json(const Trace& trace, const std::vector<Span>& spans) {
  std::map<std::string, std::vector<std::size_t>> children;
  std::map<std::string, std::size_t> known;
  std::uint64_t start_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(trace.time_ms, 0)) *
                           static_cast<std::uint64_t>(kNsPerMs);
  for (std::size_t i = 0; i < spans.size(); ++i) known[spans[i].span_id] = i;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const bool inner = known.contains(spans[i].parent_id);
    children[inner ? spans[i].parent_id : ""].push_back(i);
    if (spans[i].start_ns != 0) start_ns = std::min(start_ns, spans[i].start_ns);
  }
  Json out = Json::array();
  std::vector<bool> seen(spans.size(), false);
  std::vector<std::pair<std::size_t, int>> stack;
  const auto push = [&](const std::string& parent, int depth) {
    const auto& below = children[parent];
    for (std::size_t i = below.size(); i-- > 0;) stack.emplace_back(below[i], depth);
  };
  push("", 0);
  // A ring of parents has no root: whatever is left begins a tree of its own.
  for (std::size_t next = 0; !stack.empty() || next < spans.size();) {
    if (stack.empty()) {
      if (!seen[next]) stack.emplace_back(next, 0);
      ++next;
      continue;
    }
    const auto [at, depth] = stack.back();
    stack.pop_back();
    if (seen[at]) continue;
    seen[at] = true;
    Json span = own_span(spans[at], start_ns);
    span.set("depth", depth);
    out.push(std::move(span));
    push(spans[at].span_id, depth + 1);
  }
  return out;
}

}  // namespace maru::api::mlflow
