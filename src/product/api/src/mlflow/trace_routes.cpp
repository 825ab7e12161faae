#include <algorithm>

#include "maru/base/id.h"
#include "maru/base/text.h"
#include "mlflow/trace_shapes.h"

// Traces: OpenTelemetry's /v1/traces, MLflow's V3 and V2 routes (mlflow.md §1.8), Maru's own reads for the page.
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using base::Status;
using tracking::Span;
using tracking::Trace;

constexpr std::size_t kMaxTracesPerPage = 500;
constexpr std::size_t kMaxTracesPerBatch = 500;
constexpr const char* kDefaultExperiment = "0";

Status check_experiment(const Services& s, const std::string& id) {
  TRY_ASSIGN(const tracking::Experiment experiment, s.tracking->runs().get_experiment(id));
  if (experiment.state != "deleted") return {};
  return base::fail(
      Code::kFailedPrecondition,
      "The experiment " + id + " must be in the 'active' state. Current state is deleted.");
}

// ---- /v1/traces

Result<tracking::SpanBatch> read_batch(const Request& request) {
  const std::string_view header = request.headers.get("Content-Type");
  const std::string type = base::to_lower_ascii(base::trim(header.substr(0, header.find(';'))));
  if (type == "application/x-protobuf") return tracking::read_span_batch(request.body);
  if (type != "application/json")
    return base::fail(Code::kInvalidArgument,
                      "Invalid Content-Type: " + std::string(header) +
                          ". Expected: application/x-protobuf or application/json");
  TRY_ASSIGN(const Json body, base::parse_json(request.body));
  return tracking::read_span_batch_json(body);
}

// As MLflow's server answers what can be read but not taken.
Response unprocessable(const base::Error& failure, const Request& request, const Context& context) {
  Response response = error(failure, request, context);
  response.status = 422;
  return response;
}

Result<Response> take_spans(const Services& s, const Request& request, const Context& context) {
  const std::string experiment(request.headers.get("x-mlflow-experiment-id"));
  if (experiment.empty())
    return unprocessable(
        {Code::kInvalidArgument, "Missing value for required header 'x-mlflow-experiment-id'.", "",
         nullptr},
        request, context);
  const auto read = read_batch(request);
  if (!read && read.error().code == Code::kFailedPrecondition)
    return unprocessable(read.error(), request, context);
  if (!read) return tl::unexpected(read.error());
  const tracking::SpanBatch& batch = *read;

  if (batch.resources.empty())
    return base::fail(Code::kInvalidArgument, "Invalid OpenTelemetry format - no spans found");

  TRY(check_experiment(s, experiment));
  const std::string run(request.headers.get("x-mlflow-run-id"));
  TRY(s.tracking->traces().log_spans(experiment, batch, run));
  const bool json = request.headers.get("Content-Type").starts_with("application/json");
  // ExportTraceServiceResponse without a partial failure: no field at all.
  return Response::text(json ? "{}" : "", 200,
                        json ? "application/json" : "application/x-protobuf");
}

// ---- spans that a client has kept in a file

Result<std::vector<Span>> spans_of(const Services& s, const Trace& trace) {
  TRY_ASSIGN(auto spans, s.tracking->traces().spans(trace.id));
  if (trace.complete()) return spans;
  TRY_ASSIGN(const auto place, s.tracking->artifacts().place(trace_folder(trace) + "/traces.json"));
  const auto file = s.tracking->artifacts().read_artifact(place.owner, place.path);
  if (!file) return spans;  // nothing was uploaded (yet)
  TRY_ASSIGN(const Json json, base::parse_json(*file));
  TRY_ASSIGN(auto kept, tracking::read_trace_file(json));
  for (Span& span : kept) {
    const bool known = std::any_of(spans.begin(), spans.end(),
                                   [&](const Span& it) { return it.span_id == span.span_id; });
    if (!known) spans.push_back(std::move(span));
  }
  std::stable_sort(spans.begin(), spans.end(),
                   [](const Span& a, const Span& b) { return a.start_ns < b.start_ns; });
  return spans;
}

// The spans as a file, as MLflow's page and clients before 3.0 ask for them.
Result<Response> trace_file(const Services& s, const Request& request) {
  TRY_ASSIGN(Fields in, Fields::of(request));
  const std::string id = in.required_text("request_id");
  TRY(in.status());
  TRY_ASSIGN(const Trace trace, s.tracking->traces().get(id));
  TRY_ASSIGN(const auto spans, spans_of(s, trace));
  Response response = Response::json(tracking::trace_file(spans));
  response.headers.set("Content-Disposition", "attachment; filename=traces.json");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

// ---- V3

Json info_answer(const Trace& trace) {
  return Json::object({{"trace", Json::object({{"trace_info", trace_info_json(trace)}})}});
}

Result<Json> start_trace(const Services& s, Fields& in) {
  auto trace = in.object("trace");
  auto info = trace ? trace->object("trace_info") : std::nullopt;
  if (!info) in.required_text("trace");
  TRY(in.status());
  if (!info)
    return base::fail(Code::kInvalidArgument,
                      "Missing value for required parameter 'trace.trace_info'.");
  const Trace wanted = read_trace_info(*info);
  TRY(info->status());
  TRY(check_experiment(s, wanted.experiment_id));
  TRY_ASSIGN(const Trace made, s.tracking->traces().put(wanted));
  return info_answer(made);
}

Result<Json> get_info(const Services& s, Fields& in) {
  TRY_ASSIGN(const Trace trace, s.tracking->traces().get(in.required_text("trace_id")));
  return info_answer(trace);
}

Result<Json> get_trace(const Services& s, Fields& in) {
  const std::string id = in.required_text("trace_id");
  TRY(in.status());
  TRY_ASSIGN(const Trace trace, s.tracking->traces().get(id));
  TRY_ASSIGN(const auto spans, spans_of(s, trace));
  return Json::object({{"trace", trace_json(trace, spans)}});
}

// Traces that are not there are left out, as MLflow does.
Result<Json> get_traces(const Services& s, Fields& in, bool with_spans) {
  const auto ids = in.texts("trace_ids");
  if (ids.empty()) in.required_text("trace_ids");
  TRY(in.status());
  if (ids.size() > kMaxTracesPerBatch)
    return base::fail(Code::kInvalidArgument, "more than " + std::to_string(kMaxTracesPerBatch) +
                                                  " trace ids in one request");
  Json out = Json::array();
  for (const std::string& id : ids) {
    const auto trace = s.tracking->traces().get(id);
    if (!trace && trace.error().code == Code::kNotFound) continue;
    if (!trace) return tl::unexpected(trace.error());
    if (!with_spans) {
      out.push(trace_info_json(*trace));
      continue;
    }
    TRY_ASSIGN(const auto spans, spans_of(s, *trace));
    out.push(trace_json(*trace, spans));
  }
  return Json::object({{with_spans ? "traces" : "trace_infos", std::move(out)}});
}

Result<Json> search(const Services& s, Fields& in, bool v3) {
  tracking::TraceQuery query;
  if (v3) {
    for (auto& place : in.objects("locations")) {
      if (auto experiment = place.object("mlflow_experiment"))
        query.experiment_ids.push_back(experiment->text("experiment_id"));
      in.adopt(place);
    }
    if (!in.has("locations")) in.required_text("locations");
  } else {
    query.experiment_ids = in.texts("experiment_ids");
  }
  query.filter = in.text("filter");
  query.order_by = in.texts("order_by");
  query.limit = max_results(in, 100, kMaxTracesPerPage);
  query.page_token = in.text("page_token");
  TRY(in.status());
  TRY_ASSIGN(const auto page, s.tracking->traces().search(query));
  Json out = Json::object(), traces = Json::array();
  for (const Trace& trace : page.traces)
    traces.push(v3 ? trace_info_json(trace) : trace_info_v2_json(trace));
  if (traces.size() > 0) out.set("traces", std::move(traces));
  set_text(out, "next_page_token", page.next_page_token);
  return out;
}

Status check_tag(const std::string& key, const char* done) {
  if (key != kSpansLocation && key != kTraceArtifacts) return {};
  return base::fail(Code::kInvalidArgument,
                    "Tag '" + key + "' is immutable and cannot be " + done + " on a trace.");
}

Result<Json> set_tag(const Services& s, Fields& in) {
  const std::string id = in.required_text("trace_id"), key = in.required_text("key");
  const std::string value = in.text("value");
  TRY(in.status());
  TRY(check_tag(key, "set"));
  TRY(s.tracking->traces().set_tag(id, key, value));
  return Json::object();
}

Result<Json> remove_tag(const Services& s, Fields& in) {
  const std::string id = in.required_text("trace_id"), key = in.required_text("key");
  TRY(in.status());
  TRY(check_tag(key, "deleted"));
  TRY(s.tracking->traces().remove_tag(id, key));
  return Json::object();
}

Result<Json> remove_traces(const Services& s, Fields& in) {
  const std::string experiment = in.required_text("experiment_id");
  tracking::TraceRemoval removal;
  removal.ids = in.texts("request_ids");
  removal.max_time_ms = in.integer("max_timestamp_millis");
  removal.max_traces = in.integer("max_traces");
  TRY(in.status());
  if (removal.max_time_ms.has_value() == !removal.ids.empty())
    return base::fail(Code::kInvalidArgument,
                      "Either `max_timestamp_millis` or `trace_ids` must be specified, but not "
                      "both.");
  if (removal.max_traces && (*removal.max_traces <= 0 || !removal.ids.empty()))
    return base::fail(Code::kInvalidArgument,
                      "`max_traces` must be a positive integer, and cannot be specified together "
                      "with `trace_ids`.");
  TRY_ASSIGN(const auto removed, s.tracking->traces().remove(experiment, removal));
  for (const std::string& id : removed) {
    Trace trace;
    trace.id = id;
    trace.experiment_id = experiment;
    TRY_ASSIGN(const auto place, s.tracking->artifacts().place(trace_folder(trace)));
    TRY(s.tracking->artifacts().remove(place.owner, place.path));
  }
  return Json::object({{"traces_deleted", count(removed.size())}});
}

Result<Json> link_to_run(const Services& s, Fields& in) {
  const auto ids = in.texts("trace_ids");
  const std::string run = in.required_text("run_id");
  if (ids.empty()) in.required_text("trace_ids");
  TRY(in.status());
  if (ids.size() > 100)
    return base::fail(Code::kInvalidArgument,
                      "Cannot link more than 100 traces to a run in one "
                      "request.");
  TRY(s.tracking->runs().get_run(run));
  // A client may send this before the trace itself: its spans wait in a queue there.
  TRY(s.tracking->traces().link_to_run(ids, run));
  return Json::object();
}

Result<Json> link_prompts(const Services& s, Fields& in) {
  constexpr const char* kTag = "mlflow.linkedPrompts";
  const std::string id = in.required_text("trace_id");
  auto versions = in.objects("prompt_versions");
  TRY(in.status());
  TRY_ASSIGN(const Trace trace, s.tracking->traces().get(id));
  const auto known = trace.tags.find(kTag);
  auto list =
      known == trace.tags.end() ? Result<Json>(Json::array()) : base::parse_json(known->second);
  if (!list || !list->is_array()) list = Json::array();
  for (auto& version : versions) {
    const Json item = Json::object(
        {{"name", version.required_text("name")}, {"version", version.required_text("version")}});
    TRY(version.status());
    const auto& items = std::as_const(*list).items();
    if (std::find(items.begin(), items.end(), item) == items.end()) list->push(item);
  }
  TRY(s.tracking->traces().set_tag(id, kTag, list->dump()));
  return Json::object();
}

// ---- assessments

Json assessment_answer(Json assessment) {
  return Json::object({{"assessment", std::move(assessment)}});
}

// MLflow keeps an expectation that is no plain value as JSON text.
void pack_expectation(Json& assessment) {
  const Json value = assessment["expectation"]["value"];
  if (!value.is_object() && !value.is_array()) return;
  assessment.set(
      "expectation",
      Json::object({{"serialized_value", Json::object({{"serialization_format", "JSON_FORMAT"},
                                                       {"value", value.dump()}})}}));
}

Result<Json> add_assessment(const Services& s, Fields& in) {
  const std::string trace = in.required_text("trace_id");
  auto wanted = in.object("assessment");
  if (!wanted) in.required_text("assessment");
  TRY(in.status());
  if (wanted) wanted->required_text("assessment_name");
  TRY(wanted->status());
  Json body = wanted->json();
  body.set("assessment_id", nullptr);  // the server gives it
  pack_expectation(body);
  TRY_ASSIGN(Json made, s.tracking->traces().add_assessment(trace, body));
  return assessment_answer(std::move(made));
}

// The names in a field mask: "assessmentName,feedback", or {"paths": [...]}.
std::vector<std::string> mask_paths(const Json& mask) {
  std::vector<std::string> out;
  if (mask.is_string()) out = base::split(mask.as_string(), ',');
  for (const Json& path : mask["paths"].items()) out.push_back(path.as_string());
  for (std::string& path : out) {
    std::string snake;
    for (const char c : path) {
      if (c >= 'A' && c <= 'Z') snake += '_';
      snake += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    path = std::move(snake);
  }
  return out;
}

Result<Json> update_assessment(const Services& s, Fields& in) {
  static const std::vector<std::string> kFields = {"assessment_name", "expectation", "feedback",
                                                   "rationale",       "metadata",    "valid"};
  const std::string trace = in.required_text("trace_id"), id = in.required_text("assessment_id");
  auto wanted = in.object("assessment");
  if (!wanted) in.required_text("assessment");
  if (!in.has("update_mask")) in.required_text("update_mask");
  TRY(in.status());
  Json changes = Json::object();
  for (const std::string& path : mask_paths(in.json()["update_mask"])) {
    if (std::find(kFields.begin(), kFields.end(), path) != kFields.end())
      changes.set(path, wanted->json()[path]);
  }
  pack_expectation(changes);
  TRY_ASSIGN(Json changed, s.tracking->traces().update_assessment(trace, id, changes));
  return assessment_answer(std::move(changed));
}

// ---- V2, of clients before 3.0: the trace is opened and closed by two calls, its spans are a file

tracking::Text pairs_of(Fields& in, std::string_view name) {
  tracking::Text out;
  for (auto& [key, value] : pairs(in, name)) out[key] = value;
  return out;
}

Result<Json> start_v2(const Services& s, Fields& in) {
  Trace wanted;
  wanted.id = "tr-" + base::new_id(*s.clock);
  wanted.experiment_id = in.text("experiment_id");
  if (wanted.experiment_id.empty()) wanted.experiment_id = kDefaultExperiment;
  wanted.time_ms = in.integer("timestamp_ms").value_or(s.clock->now_ms());
  wanted.state = "IN_PROGRESS";
  wanted.metadata = pairs_of(in, "request_metadata");
  wanted.tags = pairs_of(in, "tags");
  TRY(in.status());
  TRY(check_experiment(s, wanted.experiment_id));
  TRY_ASSIGN(const Trace made, s.tracking->traces().put(wanted));
  return Json::object({{"trace_info", trace_info_v2_json(made)}});
}

Result<Json> end_v2(const Services& s, Fields& in) {
  const std::string id = in.required_text("trace_id");
  const auto end_ms = in.integer("timestamp_ms");
  const std::string status = in.text("status");
  const auto metadata = pairs_of(in, "request_metadata"), tags = pairs_of(in, "tags");
  TRY(in.status());
  TRY_ASSIGN(Trace trace, s.tracking->traces().get(id));
  if (end_ms) trace.duration_ms = std::max<std::int64_t>(*end_ms - trace.time_ms, 0);
  if (status == "OK" || status == "ERROR" || status == "IN_PROGRESS") trace.state = status;
  for (const auto& [key, value] : metadata) trace.metadata[key] = value;
  for (const auto& [key, value] : tags) trace.tags[key] = value;
  trace.assessments.clear();
  TRY_ASSIGN(const Trace made, s.tracking->traces().put(trace));
  return Json::object({{"trace_info", trace_info_v2_json(made)}});
}

// ---- Maru's own

Result<Response> list_own(const Services& s, const Request& request) {
  tracking::TraceQuery query;
  for (const auto& [name, value] : request.query) {
    if (name == "experiment") query.experiment_ids.push_back(value);
    if (name == "order_by") query.order_by.push_back(value);
  }
  if (query.experiment_ids.empty()) {
    TRY_ASSIGN(const auto all, s.tracking->runs().list_experiments(project_of(request)));
    for (const auto& experiment : all) query.experiment_ids.push_back(experiment.id);
  }
  query.filter = std::string(request.query_param("filter"));
  query.page_token = std::string(request.query_param("page_token"));
  TRY_ASSIGN(query.limit, number_param(request, "limit", 100, kMaxTracesPerPage));
  TRY_ASSIGN(const auto page, s.tracking->traces().search(query));
  Json traces = Json::array();
  for (const Trace& trace : page.traces) traces.push(own_trace_json(trace));
  Json out = Json::object({{"traces", std::move(traces)}});
  set_text(out, "next_page_token", page.next_page_token);
  return answer(std::move(out));
}

Result<Response> show_own(const Services& s, const Request& request) {
  TRY_ASSIGN(const Trace trace, s.tracking->traces().get(std::string(request.param("id"))));
  TRY_ASSIGN(const auto spans, spans_of(s, trace));
  return answer(
      Json::object({{"trace", own_trace_json(trace)}, {"spans", own_spans_json(trace, spans)}}));
}

}  // namespace

void add_trace_routes(Router& router, const Services& s) {
  constexpr auto kRead = Permission::kRead, kWrite = Permission::kWrite;
  const auto call = [&](int major, Method method, const char* path, Permission permission,
                        Result<Json> (*act)(const Services&, Fields&)) {
    add_call(router, major, method, path, permission,
             [s, act](Fields& in, Context&) { return act(s, in); });
  };
  router.add(
      Method::kPost, "/v1/traces", options(kWrite),
      [s](const Request& request, Context& context) { return take_spans(s, request, context); });

  call(3, Method::kPost, "traces", kWrite, start_trace);
  call(3, Method::kGet, "traces/{trace_id}", kRead, get_info);
  call(3, Method::kGet, "traces/get", kRead, get_trace);
  add_call(router, 3, Method::kGet, "traces/batchGet", kRead,
           [s](Fields& in, Context&) { return get_traces(s, in, true); });
  add_call(router, 3, Method::kPost, "traces/batchGetInfos", kRead,
           [s](Fields& in, Context&) { return get_traces(s, in, false); });
  add_call(router, 3, Method::kPost, "traces/search", kRead,
           [s](Fields& in, Context&) { return search(s, in, true); });
  add_call(router, 2, Method::kGet, "traces", kRead,
           [s](Fields& in, Context&) { return search(s, in, false); });
  call(2, Method::kPost, "traces", kWrite, start_v2);
  call(2, Method::kPatch, "traces/{trace_id}", kWrite, end_v2);
  add_call(router, 2, Method::kGet, "traces/{trace_id}/info", kRead,
           [s](Fields& in, Context&) -> Result<Json> {
             TRY_ASSIGN(const Trace trace, s.tracking->traces().get(in.text("trace_id")));
             return Json::object({{"trace_info", trace_info_v2_json(trace)}});
           });
  for (const int major : {2, 3}) {
    call(major, Method::kPatch, "traces/{trace_id}/tags", kWrite, set_tag);
    call(major, Method::kDelete, "traces/{trace_id}/tags", kWrite, remove_tag);
    call(major, Method::kPost, "traces/delete-traces", kWrite, remove_traces);
  }
  call(2, Method::kPost, "traces/link-to-run", kWrite, link_to_run);
  call(2, Method::kPost, "traces/link-prompts", kWrite, link_prompts);

  call(3, Method::kPost, "traces/{trace_id}/assessments", kWrite, add_assessment);
  constexpr const char* kOne = "traces/{trace_id}/assessments/{assessment_id}";
  add_call(router, 3, Method::kGet, kOne, kRead, [s](Fields& in, Context&) -> Result<Json> {
    TRY_ASSIGN(Json found,
               s.tracking->traces().get_assessment(in.text("trace_id"), in.text("assessment_id")));
    return assessment_answer(std::move(found));
  });
  call(3, Method::kPatch, kOne, kWrite, update_assessment);
  add_call(router, 3, Method::kDelete, kOne, kWrite, [s](Fields& in, Context&) -> Result<Json> {
    TRY(s.tracking->traces().remove_assessment(in.text("trace_id"), in.text("assessment_id")));
    return Json::object();
  });

  router.add(Method::kGet, "/ajax-api/2.0/mlflow/get-trace-artifact", options(kRead),
             [s](const Request& request, Context&) { return trace_file(s, request); });
  router.add(Method::kGet, "/api/v1/traces", {kRead},
             [s](const Request& request, Context&) { return list_own(s, request); });
  router.add(Method::kGet, "/api/v1/traces/{id}", {kRead},
             [s](const Request& request, Context&) { return show_own(s, request); });
}

}  // namespace maru::api::mlflow
