#include "records.h"

#include <cmath>
#include <limits>

namespace maru::monitor {

using base::Code;
using base::Json;

namespace {

// JSON has no NaN: null is "not known".
Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }
double number_or_nan(const Json& value) {
  return value.is_number() ? value.as_double() : std::numeric_limits<double>::quiet_NaN();
}

Json texts(const std::vector<std::string>& items) {
  Json out = Json::array();
  for (const std::string& item : items) out.push(item);
  return out;
}

std::vector<std::string> text_list(const Json& json) {
  std::vector<std::string> out;
  for (const Json& item : json.items()) out.push_back(item.as_string());
  return out;
}

// Without pictures: windows are kept by the thousand.
Json report_json(const stats::DriftReport& report) {
  Json columns = Json::array();
  for (const auto& column : report.columns) {
    columns.push(Json::object({{"name", column.name},
                               {"drift", column.drift},
                               {"score", number_or_null(column.score)},
                               {"reason", column.reason},
                               {"measures", column.measures},
                               {"questions", column.questions}}));
  }
  return Json::object({{"drift", report.drift},
                       {"rows_old", report.rows_old},
                       {"rows_new", report.rows_new},
                       {"columns", std::move(columns)},
                       {"culprits", report.culprits}});
}

}  // namespace

Json MonitorConfig::to_json() const {
  return Json::object({{"project", project},
                       {"endpoint", endpoint},
                       {"model", model},
                       {"metric", metric},
                       {"task", task},
                       {"classes", texts(classes)},
                       {"label_values", texts(label_values)},
                       {"window_us", window_us},
                       {"window_rows", window_rows},
                       {"min_rows", min_rows},
                       {"drift_columns", texts(drift_columns)},
                       {"performance_drop", performance_drop},
                       {"reference_metric", number_or_null(reference_metric)},
                       {"retrain_on_drift", retrain_on_drift},
                       {"retrain_on_performance", retrain_on_performance},
                       {"cooldown_us", cooldown_us}});
}

base::Result<MonitorConfig> MonitorConfig::from_json(const Json& json) {
  if (!json.is_object())
    return base::fail(Code::kInvalidArgument,
                      "monitor is not an object: " + json.dump().substr(0, 100));
  MonitorConfig out;
  out.project = json["project"].as_string_or(out.project);
  out.endpoint = json["endpoint"].as_string();
  out.model = json["model"].as_string();
  out.metric = json["metric"].as_string_or(out.metric);
  out.task = json["task"].as_string_or("binary");
  out.classes = text_list(json["classes"]);
  out.label_values = text_list(json["label_values"]);
  out.window_us = json["window_us"].as_int(out.window_us);
  out.window_rows =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, json["window_rows"].as_int(0)));
  out.min_rows = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, json["min_rows"].as_int(static_cast<std::int64_t>(out.min_rows))));
  out.drift_columns = text_list(json["drift_columns"]);
  out.performance_drop = json["performance_drop"].as_double(out.performance_drop);
  out.reference_metric = json["reference_metric"].as_double(0);
  out.retrain_on_drift = json["retrain_on_drift"].as_bool(true);
  out.retrain_on_performance = json["retrain_on_performance"].as_bool(true);
  out.cooldown_us = json["cooldown_us"].as_int(out.cooldown_us);
  TRY(check_config(out));
  return out;
}

base::Status check_config(const MonitorConfig& config) {
  if (config.endpoint.empty())
    return base::fail(Code::kInvalidArgument, "monitor names no endpoint");
  if (config.task != "binary" && config.task != "multiclass" && config.task != "regression") {
    return base::fail(Code::kInvalidArgument, "monitor.task is unknown: " + config.task,
                      "use binary, multiclass or regression");
  }
  if (config.window_us < kMinWindowUs)
    return base::fail(Code::kInvalidArgument, "monitor.window is shorter than a second, in µs: " +
                                                  std::to_string(config.window_us));
  if (config.cooldown_us < 0)
    return base::fail(Code::kInvalidArgument,
                      "monitor.cooldown is negative, in µs: " + std::to_string(config.cooldown_us));
  if (!(config.performance_drop >= 0))
    return base::fail(Code::kInvalidArgument, "monitor.performance_drop is not a number from 0 up");
  return {};
}

Json Window::to_json() const {
  Json numbers = Json::array();
  for (const int version : versions) numbers.push(version);
  return Json::object({{"endpoint", endpoint},
                       {"from_us", from_us},
                       {"to_us", to_us},
                       {"rows", rows},
                       {"labelled", labelled},
                       {"versions", std::move(numbers)},
                       {"closed", closed},
                       {"drift", drift},
                       {"realised", number_or_null(realised)},
                       {"low", number_or_null(low)},
                       {"high", number_or_null(high)},
                       {"estimated_mean", number_or_null(estimated_mean)},
                       {"report", report_json(report)}});
}

Window window_from(const Json& json) {
  Window out;
  out.endpoint = json["endpoint"].as_string();
  out.from_us = json["from_us"].as_int();
  out.to_us = json["to_us"].as_int();
  out.rows = static_cast<std::uint64_t>(json["rows"].as_int());
  out.labelled = static_cast<std::uint64_t>(json["labelled"].as_int());
  for (const Json& version : json["versions"].items())
    out.versions.push_back(static_cast<int>(version.as_int()));
  out.closed = json["closed"].as_bool();
  out.drift = json["drift"].as_bool();
  out.realised = number_or_nan(json["realised"]);
  out.low = number_or_nan(json["low"]);
  out.high = number_or_nan(json["high"]);
  out.estimated_mean = number_or_nan(json["estimated_mean"]);
  out.report = stats::DriftReport::from_json(json["report"]);
  return out;
}

Json Alert::to_json() const {
  return Json::object({{"id", id},
                       {"project", project},
                       {"endpoint", endpoint},
                       {"kind", kind},
                       {"message", message},
                       {"severity", severity},
                       {"columns", texts(columns)},
                       {"time_us", time_us},
                       {"acknowledged", acknowledged},
                       {"evidence", evidence}});
}

Alert alert_from(const store::Row& row) {
  Alert out;
  out.id = row.text(0);
  out.project = row.text(1);
  out.endpoint = row.text(2);
  out.kind = row.text(3);
  out.severity = row.text(4);
  out.message = row.text(5);
  if (auto columns = base::parse_json(row.text(6))) out.columns = text_list(*columns);
  if (auto evidence = base::parse_json(row.text(7))) out.evidence = std::move(*evidence);
  out.time_us = row.integer(8);
  out.acknowledged = row.integer(9) != 0;
  return out;
}

}  // namespace maru::monitor
