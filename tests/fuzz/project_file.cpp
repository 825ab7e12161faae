// maru.yaml from anybody: parsed or refused, and what is parsed compiles into a pipeline or is refused.
#include "maru/steps/project_file.h"
#include "driver.h"

void fuzz_one(std::string_view input) {
  const auto file = maru::steps::parse_project(input, "/");
  if (file) static_cast<void>(maru::steps::compile_project(*file));
}

std::vector<std::string> fuzz_seeds() {
  return {R"(project: flights
data:
  flights: {source: "a_*.parquet", time: time_hour}
  weather: {source: w.parquet, time: time_hour}
  training:
    sql: select f.*, w.temp from flights f left join weather w using (origin, time_hour)
predict:
  label: arr_delay > 15
  at: departure
  exclude: [dep_time, dep_delay]
split: {by: time_hour, test: 20%}
train: {automl: {budget: 60s, metric: roc_auc}}
evaluate:
  slices: [origin, carrier]
  gates: {roc_auc: {min: 0.68, not_worse_than: champion}, latency_p99: 2ms, memory: 256MiB}
serve: {endpoint: flights, rollout: {canary: [5%, 25%, 100%], rollback_on: [errors]}}
monitor: {window: 1d, label_delay: 1d, drift: {columns: all}, retrain: {when: [drift], cooldown: 1d}}
schedule: "0 3 * * *"
)",
          "project: p\ndata: {d: {source: x.csv}}\npredict: {label: y}\n"};
}
