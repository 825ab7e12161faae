#include <algorithm>
#include <cmath>

#include "maru/base/clock.h"
#include "maru/base/config.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "meter.h"

namespace maru::evaluate {
namespace {

using base::Code;
using base::fail;
using base::Json;
using Gates = std::vector<GateResult>;

std::string show(double value) { return base::format_significant(value, 6); }

std::string show_us(double us) {
  return us < 1000 ? base::format_significant(us, 3) + " us"
                   : base::format_significant(us / 1000, 3) + " ms";
}

base::Status unknown_key(const std::string& what, const std::string& key,
                         const std::vector<std::string>& known) {
  std::string hint = base::did_you_mean(key, known);
  if (hint.empty()) hint = "known: " + base::join(known, ", ");
  return fail(Code::kInvalidArgument, "unknown " + what + ": " + key, hint);
}

base::Status check_metric_rule(const std::string& metric, const Json& rule) {
  if (rule.is_number()) return {};
  if (!rule.is_object() || rule.size() == 0)
    return fail(Code::kInvalidArgument, "a gate is a number or {min, max, not_worse_than}: " +
                                            metric + " = " + rule.dump());
  for (const auto& [key, value] : rule.members()) {
    if (key == "min" || key == "max") {
      if (!value.is_number())
        return fail(Code::kInvalidArgument, "a gate's bound must be a number: " + metric + "." +
                                                key + " = " + value.dump());
    } else if (key == "not_worse_than") {
      if (!value.is_string())
        return fail(Code::kInvalidArgument,
                    "not_worse_than names an alias or a version: " + value.dump(), "champion");
    } else {
      return unknown_key("key of gate " + metric, key, {"min", "max", "not_worse_than"});
    }
  }
  return {};
}

base::Result<std::int64_t> latency_bound_us(const std::string& gate, const Json& rule) {
  auto bound = rule.is_string()
                   ? base::parse_duration_us(rule.as_string())
                   : fail(Code::kInvalidArgument, "a duration needs a unit: " + rule.dump());
  if (!bound) return base::wrap(bound.error(), "reading gate " + gate, "write it as 2ms");
  return bound;
}

base::Result<std::int64_t> memory_bound(const Json& rule) {
  if (rule.is_number()) return rule.as_int();
  auto bound = rule.is_string() ? base::parse_bytes(rule.as_string())
                                : fail(Code::kInvalidArgument, "not a size: " + rule.dump());
  if (!bound) return base::wrap(bound.error(), "reading gate memory", "write it as 256MiB");
  return bound;
}

// Names and shapes; `whose` is what the metrics belong to.
base::Status check_rules(const Json& gates, const std::vector<std::string>& metrics,
                         const std::string& whose) {
  if (gates.is_null()) return {};
  if (!gates.is_object())
    return fail(Code::kInvalidArgument,
                "evaluate.gates is a map of metric to rule: " + gates.dump());
  std::vector<std::string> known = metrics;
  known.insert(known.end(), {"latency_p50", "latency_p99", "memory"});
  for (const auto& [key, rule] : gates.members()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      return unknown_key("gate" + whose, key, known);
    if (key == "latency_p99" || key == "latency_p50") {
      TRY(latency_bound_us(key, rule));
    } else if (key == "memory") {
      TRY(memory_bound(rule));
    } else {
      TRY(check_metric_rule(key, rule));
    }
  }
  return {};
}

// min and max are inclusive. A metric that could not be measured fails.
void add_bound(const std::string& metric, bool lower, double bound, const Report& report,
               Gates& out) {
  GateResult gate;
  gate.name = metric + (lower ? ".min" : ".max");
  gate.bound = show(bound);
  const auto at = report.metrics.find(metric);
  if (at == report.metrics.end()) {
    gate.reason = metric + " could not be measured on the test rows";
  } else {
    const Interval& measured = at->second;
    gate.value = show(measured.value);
    gate.ok = lower ? measured.value >= bound : measured.value <= bound;
    gate.reason = metric + " is " + show(measured.value) + " [" + show(measured.low) + ", " +
                  show(measured.high) + "], " + (lower ? "at least " : "at most ") + gate.bound +
                  (gate.ok ? " was asked" : " is required");
  }
  out.push_back(std::move(gate));
}

void add_comparison(const std::string& metric, const std::string& rival,
                    const Comparison* comparison, Gates& out) {
  GateResult gate;
  gate.name = metric + ".not_worse_than";
  gate.bound = rival;
  if (comparison == nullptr) {
    gate.ok = true;
    gate.reason = "there is no " + rival + " yet";
  } else if (comparison->metric != metric) {
    gate.reason = "the models were compared by " + comparison->metric + ", not by " + metric;
  } else {
    gate.ok = !comparison->worse;
    gate.value = show(comparison->candidate);
    gate.bound = rival + " " + show(comparison->champion);
    const Interval& d = comparison->difference;
    gate.reason = "difference " + show(d.value) + " [" + show(d.low) + ", " + show(d.high) +
                  "] on the same rows (positive is better): " +
                  (gate.ok ? d.low > 0 ? "better" : "not worse beyond chance" : "worse");
  }
  out.push_back(std::move(gate));
}

void check_metric(const std::string& metric, const Json& rule, const Report& report,
                  const Comparison* comparison, Gates& out) {
  if (rule.is_number())
    return add_bound(metric, larger_is_better(metric), rule.as_double(), report, out);
  for (const auto& [key, value] : rule.members()) {
    if (key == "not_worse_than") {
      add_comparison(metric, value.as_string(), comparison, out);
    } else {
      add_bound(metric, key == "min", value.as_double(), report, out);
    }
  }
}

base::Status check_latency(const std::string& name, const Json& rule, const model::Bundle& bundle,
                           Gates& out) {
  TRY_ASSIGN(const std::int64_t bound_us, latency_bound_us(name, rule));
  TRY_ASSIGN(const Latency latency, measure_latency(bundle));
  const double measured = name == "latency_p99" ? latency.p99_us : latency.p50_us;
  GateResult gate;
  gate.name = name;
  gate.ok = measured <= static_cast<double>(bound_us);
  gate.value = show_us(measured);
  gate.bound = rule.as_string();
  gate.reason = "one row takes p50 " + show_us(latency.p50_us) + ", p99 " + show_us(latency.p99_us);
  out.push_back(std::move(gate));
  return {};
}

base::Status check_memory(const Json& rule, const model::Bundle& bundle, Gates& out) {
  TRY_ASSIGN(const std::int64_t bound, memory_bound(rule));
  const auto allowed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, bound));
  GateResult gate;
  gate.name = "memory";
  gate.ok = bundle.memory_bytes() <= allowed;
  gate.value = base::format_bytes(bundle.memory_bytes());
  gate.bound = rule.is_string() ? rule.as_string() : base::format_bytes(allowed);
  gate.reason = "the loaded model takes " + gate.value;
  out.push_back(std::move(gate));
  return {};
}

}  // namespace

Json GateResult::to_json() const {
  Json out = Json::object();
  out.set("name", name).set("ok", ok).set("value", value).set("bound", bound).set("reason", reason);
  return out;
}

base::Status check_gate_rules(const Json& gates) {
  std::vector<std::string> metrics;
  for (const auto task :
       {model::Task::kBinary, model::Task::kMulticlass, model::Task::kRegression}) {
    for (std::string& name : metric_names(task)) {
      if (std::find(metrics.begin(), metrics.end(), name) == metrics.end())
        metrics.push_back(std::move(name));
    }
  }
  return check_rules(gates, metrics, "");
}

base::Result<std::vector<GateResult>> check_gates(const Json& gates, const Report& report,
                                                  const Comparison* comparison,
                                                  const model::Bundle& bundle) {
  TRY(check_rules(gates, metric_names(report.task),
                  " for a " + std::string(model::task_name(report.task)) + " model"));
  Gates out;
  if (gates.is_null()) return out;
  for (const auto& [key, rule] : gates.members()) {
    if (key == "latency_p99" || key == "latency_p50") {
      TRY(check_latency(key, rule, bundle, out));
    } else if (key == "memory") {
      TRY(check_memory(rule, bundle, out));
    } else {
      check_metric(key, rule, report, comparison, out);
    }
  }
  return out;
}

base::Result<Latency> measure_latency(const model::Bundle& bundle, int calls) {
  const data::Table& sample = bundle.sample();
  if (sample.rows() == 0 || calls <= 0)
    return fail(Code::kFailedPrecondition,
                "latency needs sample rows: the bundle has " + std::to_string(sample.rows()));
  std::vector<model::InputBatch> rows(std::min<std::size_t>(sample.rows(), 256));
  for (std::size_t r = 0; r < rows.size(); ++r)
    TRY(model::fill_from_table(bundle.signature(), sample.slice(r, 1), rows[r]));
  model::Predictions answer;
  const base::Clock& clock = base::system_clock();
  std::vector<double> taken_us;
  const int warm_up = std::min(calls, 100);
  for (int i = -warm_up; i < calls; ++i) {
    const model::InputBatch& row = rows[static_cast<std::size_t>(i + warm_up) % rows.size()];
    const std::int64_t from_ns = clock.monotonic_ns();
    TRY(bundle.evaluator().predict(row, answer));
    if (i >= 0) taken_us.push_back(static_cast<double>(clock.monotonic_ns() - from_ns) / 1000);
  }
  std::sort(taken_us.begin(), taken_us.end());
  const auto at = [&taken_us](double p) {
    return taken_us[static_cast<std::size_t>(p * static_cast<double>(taken_us.size() - 1))];
  };
  return Latency{at(0.5), at(0.99)};
}

}  // namespace maru::evaluate
