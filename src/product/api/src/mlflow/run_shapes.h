#pragma once
#include "mlflow/wire.h"

// How experiments and runs look on MLflow's wire.
namespace maru::api::mlflow {

Json experiment_json(const tracking::Experiment& experiment);
Json metric_json(const tracking::MetricPoint& point);
Json info_json(const tracking::Run& run);
Json run_json(const tracking::Run& run);
// Milliseconds to microseconds, kept within 64 bits.
std::int64_t us_of_ms(std::int64_t ms);
// MLflow's store keeps infinities as the largest numbers.
double finite(double value);
// A page token names the query it belongs to and the last object of its page. after_of: kInvalidArgument when it is another query's.
std::string after_token(const std::string& after, const std::string& query);
base::Result<std::string> after_of(const std::string& token, const std::string& query);
// "quiet-otter-417" for a run that nobody named.
std::string generated_name(const std::string& seed);

}  // namespace maru::api::mlflow
