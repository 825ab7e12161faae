#include <algorithm>
#include <cmath>

#include "meter.h"
#include "slices.h"

namespace maru::evaluate {
namespace {

using base::Code;
using base::fail;
using base::Json;

constexpr std::size_t kMaxConfusionClasses = 100;

std::vector<Interval> bootstrap(const Meter& meter, int resamples, base::Rng rng) {
  const std::vector<double> values = meter.measure(nullptr);
  std::vector<std::vector<double>> draws(values.size());
  Weights weights(meter.rows());
  const int count = meter.rows() > 0 ? affordable_resamples(resamples, meter.rows()) : 0;
  for (int i = 0; i < count; ++i) {
    draw_weights(rng, weights);
    const std::vector<double> drawn = meter.measure(&weights);
    for (std::size_t m = 0; m < drawn.size(); ++m) draws[m].push_back(drawn[m]);
  }
  std::vector<Interval> out;
  for (std::size_t m = 0; m < values.size(); ++m)
    out.push_back(interval_of(values[m], std::move(draws[m])));
  return out;
}

Interval interval_from(const Json& json) {
  return {json["value"].as_double(), json["low"].as_double(), json["high"].as_double()};
}

Json slice_json(const SliceResult& slice) {
  Json out = Json::object();
  out.set("column", slice.column)
      .set("value", slice.value)
      .set("rows", slice.rows)
      .set("share", slice.share);
  return out.set("metric", slice.metric.to_json());
}

}  // namespace

base::Result<Report> evaluate(const model::Signature& signature, const std::vector<double>& labels,
                              const model::Predictions& predictions, const data::Table& rows,
                              const EvaluateOptions& options) {
  Report out;
  out.task = signature.task;
  out.metric = options.metric.empty() ? default_metric(signature.task) : options.metric;
  TRY(known_metric(out.metric, out.task));
  if (predictions.task != signature.task)
    return fail(Code::kInvalidArgument,
                "the predictions are for another task than the signature says");
  out.threshold = options.threshold >= 0 ? options.threshold : signature.threshold;
  TRY_ASSIGN(const Meter meter, Meter::make(labels, predictions, out.threshold));
  if (meter.rows() == 0)
    return fail(Code::kInvalidArgument,
                "there are no labelled rows to evaluate on: " + std::to_string(labels.size()) +
                    " rows without a known label");
  out.rows = meter.rows();
  out.classes = signature.classes;
  base::Rng rng(options.seed);
  const std::vector<Interval> intervals = bootstrap(meter, options.bootstrap, rng.split());
  for (std::size_t m = 0; m < intervals.size(); ++m)
    if (!std::isnan(intervals[m].value)) out.metrics[meter.names()[m]] = intervals[m];
  if (meter.classes() > 0 && meter.classes() <= kMaxConfusionClasses) {
    const std::vector<double> table = meter.confusion(nullptr);
    out.confusion.assign(meter.classes(), std::vector<std::uint64_t>(meter.classes()));
    for (std::size_t i = 0; i < table.size(); ++i)
      out.confusion[i / meter.classes()][i % meter.classes()] =
          static_cast<std::uint64_t>(table[i]);
  }
  if (!options.slices.empty() && rows.rows() != labels.size())
    return fail(Code::kInvalidArgument,
                "slices need the evaluated rows: " + std::to_string(rows.rows()) + " rows for " +
                    std::to_string(labels.size()) + " labels");
  for (const std::string& column : options.slices) {
    TRY_ASSIGN(const std::vector<Slice> slices, slices_of(rows, column));
    for (const Slice& slice : slices) {
      TRY_ASSIGN(const Meter part,
                 Meter::make(labels, predictions, out.threshold, &slice.rows, out.metric));
      SliceResult result;
      result.column = slice.column;
      result.value = slice.value;
      result.rows = part.rows();
      result.share = static_cast<double>(part.rows()) / static_cast<double>(meter.rows());
      result.metric = bootstrap(part, options.bootstrap, rng.split()).front();
      out.slices.push_back(std::move(result));
    }
  }
  out.curves = curves_of(meter, out.task);
  return out;
}

Json Report::to_json() const {
  Json out = Json::object();
  out.set("task", model::task_name(task)).set("metric", metric).set("rows", rows);
  Json values = Json::object();
  for (const auto& [name, interval] : metrics) values.set(name, interval.to_json());
  out.set("metrics", std::move(values)).set("threshold", threshold);
  Json table = Json::array(), names = Json::array(), parts = Json::array();
  for (const auto& row : confusion) {
    Json line = Json::array();
    for (std::uint64_t n : row) line.push(n);
    table.push(std::move(line));
  }
  for (const std::string& name : classes) names.push(name);
  for (const SliceResult& slice : slices) parts.push(slice_json(slice));
  out.set("confusion", std::move(table))
      .set("classes", std::move(names))
      .set("slices", std::move(parts))
      .set("curves", curves);
  return out;
}

base::Result<Report> Report::from_json(const Json& json) {
  if (!json.is_object())
    return fail(Code::kInvalidArgument, "an evaluation report is a JSON object");
  Report out;
  TRY_ASSIGN(out.task, model::parse_task(json["task"].as_string()));
  out.metric = json["metric"].as_string();
  out.rows = static_cast<std::uint64_t>(json["rows"].as_int());
  out.threshold = json["threshold"].as_double(0.5);
  for (const auto& [name, interval] : json["metrics"].members())
    out.metrics[name] = interval_from(interval);
  for (const Json& line : json["confusion"].items()) {
    out.confusion.emplace_back();
    for (const Json& n : line.items())
      out.confusion.back().push_back(static_cast<std::uint64_t>(n.as_int()));
  }
  for (const Json& name : json["classes"].items()) out.classes.push_back(name.as_string());
  for (const Json& part : json["slices"].items()) {
    SliceResult slice;
    slice.column = part["column"].as_string();
    slice.value = part["value"].as_string();
    slice.rows = static_cast<std::uint64_t>(part["rows"].as_int());
    slice.share = part["share"].as_double();
    slice.metric = interval_from(part["metric"]);
    out.slices.push_back(std::move(slice));
  }
  out.curves = json["curves"];
  return out;
}

double choose_threshold(const std::vector<double>& labels, const model::Predictions& predictions) {
  std::vector<std::pair<double, bool>> rows;
  double positives = 0;
  for (std::size_t i = 0; i < labels.size() && i < predictions.rows; ++i) {
    if (!(labels[i] >= 0)) continue;
    rows.emplace_back(predictions.score(i), labels[i] > 0);
    positives += labels[i] > 0 ? 1 : 0;
  }
  if (predictions.task != model::Task::kBinary || positives == 0 ||
      positives == static_cast<double>(rows.size()))
    return 0.5;
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  double hits = 0, best = -1, threshold = 0.5;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    hits += rows[i].second ? 1 : 0;
    if (i + 1 < rows.size() && rows[i + 1].first == rows[i].first) continue;
    const double f1 = 2 * hits / (static_cast<double>(i + 1) + positives);
    if (f1 <= best) continue;
    best = f1;
    // Half way to the next score, so that a last bit decides nothing.
    threshold = i + 1 < rows.size() ? 0.5 * (rows[i].first + rows[i + 1].first) : rows[i].first;
    if (threshold <= (i + 1 < rows.size() ? rows[i + 1].first : -1)) threshold = rows[i].first;
  }
  return threshold;
}

}  // namespace maru::evaluate
