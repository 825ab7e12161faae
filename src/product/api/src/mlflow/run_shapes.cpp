#include "mlflow/run_shapes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "maru/base/hash.h"

namespace maru::api::mlflow {
namespace {

constexpr std::size_t kHashDigits = 12;

void set_time(Json& object, std::string_view name, std::int64_t us) {
  if (us != 0) object.set(name, us / 1000);
}

Json dataset_json(const tracking::DatasetInput& input) {
  Json dataset = Json::object({{"name", input.dataset.name}, {"digest", input.dataset.digest}});
  set_text(dataset, "source_type", input.dataset.source_type);
  set_text(dataset, "source", input.dataset.source);
  set_text(dataset, "schema", input.dataset.schema);
  set_text(dataset, "profile", input.dataset.profile);
  Json out = Json::object();
  if (!input.tags.empty()) out.set("tags", pairs_json(input.tags));
  return out.set("dataset", dataset);
}

}  // namespace

std::int64_t us_of_ms(std::int64_t ms) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 1000;
  return std::clamp(ms, -kMost, kMost) * 1000;
}

double finite(double value) {
  return std::isinf(value) ? std::copysign(std::numeric_limits<double>::max(), value) : value;
}

Json experiment_json(const tracking::Experiment& experiment) {
  Json out = Json::object({{"experiment_id", experiment.id},
                           {"name", experiment.name},
                           {"artifact_location", experiment.artifact_location},
                           {"lifecycle_stage", experiment.state}});
  set_time(out, "last_update_time", experiment.updated_us);
  set_time(out, "creation_time", experiment.created_us);
  if (!experiment.tags.empty()) out.set("tags", pairs_json(experiment.tags));
  return out;
}

Json metric_json(const tracking::MetricPoint& point) {
  Json out = Json::object();
  out.set("key", point.key).set("value", finite(point.value));
  out.set("timestamp", point.time_ms).set("step", point.step);
  return out;
}

Json info_json(const tracking::Run& run) {
  Json out = Json::object();
  out.set("run_uuid", run.id).set("experiment_id", run.experiment_id);
  out.set("run_name", run.name).set("user_id", run.user).set("status", run.status);
  set_time(out, "start_time", run.start_us);
  set_time(out, "end_time", run.end_us);
  out.set("artifact_uri", run.artifact_uri).set("lifecycle_stage", run.state);
  out.set("run_id", run.id);
  return out;  // not what set() answers: that would be copied
}

Json run_json(const tracking::Run& run) {
  Json data = Json::object(), inputs = Json::object();
  if (!run.latest.empty()) {
    Json metrics = Json::array();
    for (const auto& [key, point] : run.latest) metrics.push(metric_json(point));
    data.set("metrics", std::move(metrics));
  }
  if (!run.params.empty()) data.set("params", pairs_json(run.params));
  if (!run.tags.empty()) data.set("tags", pairs_json(run.tags));
  if (!run.datasets.empty()) {
    Json datasets = Json::array();
    for (const auto& input : run.datasets) datasets.push(dataset_json(input));
    inputs.set("dataset_inputs", std::move(datasets));
  }
  if (!run.input_models.empty()) {
    Json models = Json::array();
    for (const auto& id : run.input_models) models.push(Json::object({{"model_id", id}}));
    inputs.set("model_inputs", std::move(models));
  }
  Json out = Json::object();  // not as a list, which would copy its members
  out.set("info", info_json(run)).set("data", std::move(data)).set("inputs", std::move(inputs));
  if (!run.output_models.empty()) {
    Json models = Json::array();
    for (const auto& model : run.output_models)
      models.push(Json::object({{"model_id", model.model_id}, {"step", model.step}}));
    out.set("outputs", Json::object({{"model_outputs", models}}));
  }
  return out;
}

std::string after_token(const std::string& after, const std::string& query) {
  return base::sha256_hex(query).substr(0, kHashDigits) + "." + after;
}

base::Result<std::string> after_of(const std::string& token, const std::string& query) {
  if (token.empty()) return std::string();
  if (token.size() < kHashDigits + 2 || token[kHashDigits] != '.')
    return base::fail(base::Code::kInvalidArgument, "Invalid page token, could not be decoded");
  if (token.substr(0, kHashDigits) != base::sha256_hex(query).substr(0, kHashDigits))
    return base::fail(base::Code::kInvalidArgument,
                      "Invalid page token: it belongs to another query",
                      "repeat the query that made it, or begin without a token");
  return token.substr(kHashDigits + 1);
}

std::string generated_name(const std::string& seed) {
  static constexpr std::string_view kFirst[] = {
      "amber", "bold",   "brisk",  "calm",   "clever", "cosmic", "crisp",  "dapper",
      "eager", "fancy",  "gentle", "glad",   "grand",  "happy",  "humble", "jolly",
      "keen",  "lively", "lucky",  "mellow", "merry",  "nimble", "proud",  "quiet",
      "rapid", "silent", "smooth", "sunny",  "swift",  "vivid",  "warm",   "witty"};
  static constexpr std::string_view kSecond[] = {
      "otter", "crane", "tiger", "finch", "hare",  "lynx",  "heron", "magpie",
      "moose", "newt",  "owl",   "panda", "quail", "raven", "robin", "seal",
      "shrew", "skate", "sloth", "snail", "stork", "swan",  "tapir", "toad",
      "trout", "viper", "whale", "wolf",  "wren",  "yak",   "bear",  "carp"};
  const std::string hash = base::sha256_hex(seed);
  const auto number = [&](std::size_t at, unsigned long modulus) {
    return std::stoul(hash.substr(at, 6), nullptr, 16) % modulus;
  };
  return std::string(kFirst[number(0, std::size(kFirst))]) + "-" +
         std::string(kSecond[number(6, std::size(kSecond))]) + "-" +
         std::to_string(number(12, 1000));
}

}  // namespace maru::api::mlflow
