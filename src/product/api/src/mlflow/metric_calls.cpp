#include <algorithm>
#include <array>
#include <charconv>

#include "mlflow/limits.h"
#include "mlflow/run_shapes.h"

// Metric histories. Source: protos/service.proto, GetMetricHistory and its bulk forms.
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::size_t kMaxBulkRuns = 100;
constexpr std::size_t kMaxSampled = 2500;
constexpr std::size_t kDefaultSampled = 320;
constexpr std::size_t kPointBytes = 80;  // of a point as text, less its key: room for most

void append_integer(std::string& out, std::int64_t value) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_point(std::string& out, const tracking::HistoryPoint& point, const std::string& key,
                  const std::string* run_id) {
  out += out.back() == '[' ? "{\"key\":" : ",{\"key\":";
  out += key;
  out += ",\"value\":";
  const double value = finite(point.value);
  if (value != value)
    out += "\"NaN\"";
  else
    base::append_json_number(out, value);
  out += ",\"timestamp\":";
  append_integer(out, point.time_ms);
  out += ",\"step\":";
  append_integer(out, point.step);
  if (run_id != nullptr) {
    out += ",\"run_id\":\"";
    out += *run_id;
    out += '"';
  }
  out += '}';
}

std::string quoted(const std::string& text) {
  std::string out;
  base::append_json_string(out, text);
  return out;
}

// By (timestamp, step, value), as MLflow's server answers.
void order_by_time(std::vector<tracking::HistoryPoint>& points) {
  const auto before = [](const auto& a, const auto& b) {
    return a.time_ms != b.time_ms ? a.time_ms < b.time_ms
           : a.step != b.step     ? a.step < b.step
                                  : a.value < b.value;
  };
  if (!std::is_sorted(points.begin(), points.end(), before))
    std::stable_sort(points.begin(), points.end(), before);
}

// Written as text: a hundred thousand points as Json values would cost more than reading them.
Result<Response> history(const Services& s, const Request& request) {
  TRY_ASSIGN(Fields fields, Fields::of(request));
  std::string id = fields.text("run_id");
  if (id.empty()) id = fields.text("run_uuid");
  if (id.empty()) id = fields.required_text("run_id");
  const std::string key = fields.required_text("metric_key"), token = fields.text("page_token");
  const bool paged = fields.has("max_results");
  const std::size_t limit = max_results(fields, kMaxHistory, kMaxHistory);
  TRY(fields.status());
  TRY(check_run_id(id));
  const std::string identity = "history\n" + id + "\n" + key;
  TRY_ASSIGN(const std::uint64_t offset, page_offset(token, identity));
  TRY_ASSIGN(auto points, s.tracking->runs().metric_history(id, key));
  order_by_time(points);
  const std::size_t begin = std::min<std::size_t>(offset, points.size());
  const std::size_t end = paged ? std::min(points.size(), begin + limit) : points.size();
  std::string out = "{";
  if (end > begin) {
    const std::string name = quoted(key);
    out.reserve((end - begin) * (name.size() + kPointBytes));
    out += "\"metrics\":[";
    for (std::size_t i = begin; i < end; ++i) append_point(out, points[i], name, nullptr);
    out += "]";
  }
  if (end < points.size()) out += ",\"next_page_token\":\"" + page_token(end, identity) + "\"";
  out += "}";
  return Response::json_text(std::move(out));
}

Result<std::vector<std::string>> bulk_runs(Fields& fields) {
  auto ids = fields.texts("run_id");
  TRY(fields.status());
  if (ids.empty())
    return base::fail(Code::kInvalidArgument,
                      "GetMetricHistoryBulk request must specify at least one run_id.");
  if (ids.size() > kMaxBulkRuns)
    return base::fail(Code::kInvalidArgument,
                      "GetMetricHistoryBulk request cannot specify more than 100 run_ids. "
                      "Received " +
                          std::to_string(ids.size()) + " run_ids.");
  for (const auto& id : ids) TRY(check_run_id(id));
  return ids;
}

Result<Response> bulk(const Services& s, const Request& request) {
  TRY_ASSIGN(Fields fields, Fields::of(request));
  TRY_ASSIGN(auto ids, bulk_runs(fields));
  const std::string key = fields.text("metric_key");
  const std::size_t limit = max_results(fields, kMaxHistory, kMaxHistory);
  TRY(fields.status());
  if (key.empty())
    return base::fail(Code::kInvalidArgument,
                      "GetMetricHistoryBulk request must specify a metric_key.");
  std::sort(ids.begin(), ids.end());
  std::string out = "{\"metrics\":[";
  const std::string name = quoted(key);
  std::size_t left = limit;
  for (const auto& id : ids) {
    TRY_ASSIGN(auto points, s.tracking->runs().metric_history(id, key));
    order_by_time(points);
    for (std::size_t i = 0; i < points.size() && left > 0; ++i, --left)
      append_point(out, points[i], name, &id);
  }
  out += "]}";
  return Response::json_text(std::move(out));
}

Result<Response> interval(const Services& s, const Request& request) {
  TRY_ASSIGN(Fields fields, Fields::of(request));
  tracking::SampleQuery query;
  query.run_ids = fields.texts("run_ids");
  if (query.run_ids.empty()) fields.required_text("run_ids");
  query.key = fields.required_text("metric_key");
  query.start_step = fields.integer("start_step");
  query.end_step = fields.integer("end_step");
  const std::int64_t limit = fields.integer("max_results").value_or(kDefaultSampled);
  TRY(fields.status());
  if (query.run_ids.size() > kMaxBulkRuns)
    return base::fail(
        Code::kInvalidArgument,
        "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received " +
            std::to_string(query.run_ids.size()) + " run_ids.");
  for (const auto& id : query.run_ids) TRY(check_run_id(id));
  if (limit < 1 || limit > static_cast<std::int64_t>(kMaxSampled))
    return base::fail(Code::kInvalidArgument, "max_results must be between 1 and 2500. Received " +
                                                  std::to_string(limit) + ".");
  query.limit = static_cast<std::size_t>(limit);
  if (query.start_step.has_value() != query.end_step.has_value())
    return base::fail(Code::kInvalidArgument,
                      "If either start step or end step are specified, both must be specified.");
  if (query.start_step && *query.start_step > *query.end_step)
    return base::fail(Code::kInvalidArgument,
                      "end_step must be greater than start_step. Found start_step=" +
                          std::to_string(*query.start_step) +
                          " and end_step=" + std::to_string(*query.end_step) + ".");
  TRY_ASSIGN(const auto points, s.tracking->runs().sample_metric(query));
  std::string out = "{\"metrics\":[";
  const std::string name = quoted(query.key);
  for (const auto& point : points)
    append_point(out, {point.value, point.step, point.time_ms}, name, &point.run_id);
  out += "]}";
  return Response::json_text(std::move(out));
}

}  // namespace

void add_metric_calls(Router& router, const Services& s) {
  using Function = Result<Response> (*)(const Services&, const Request&);
  const auto add = [&](const char* path, Function function) {
    for (const char* root : {"/api/2.0/mlflow/metrics/", "/ajax-api/2.0/mlflow/metrics/"})
      router.add(Method::kGet, std::string(root) + path, options(Permission::kRead),
                 [s, function](const Request& request, Context&) { return function(s, request); });
  };
  add("get-history", history);
  add("get-history-bulk", bulk);
  add("get-history-bulk-interval", interval);
}

}  // namespace maru::api::mlflow
