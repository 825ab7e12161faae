#include "maru/tracking/filter.h"

namespace maru::tracking {
namespace {

constexpr auto kText = Grammar::Type::kText;
constexpr auto kNumber = Grammar::Type::kNumber;

Grammar::Attribute order_only(std::string name, Grammar::Type type) {
  return {.name = std::move(name), .type = type, .filters = false};
}

Grammar::Attribute stored_as(std::string name, Entity entity, std::string key, bool orders) {
  return {
      .name = std::move(name), .orders = orders, .stored = entity, .stored_key = std::move(key)};
}

}  // namespace

std::string_view entity_name(Entity entity) {
  constexpr std::string_view kNames[] = {"attribute", "metric",   "parameter",
                                         "tag",       "dataset",  "metadata",
                                         "span",      "feedback", "expectation"};
  return kNames[static_cast<std::size_t>(entity)];
}

const Grammar& run_grammar() {
  static const Grammar grammar{
      .what = "run",
      .entities = {Entity::kAttribute, Entity::kMetric, Entity::kParam, Entity::kTag,
                   Entity::kDataset},
      .order_entities = {Entity::kAttribute, Entity::kMetric, Entity::kParam, Entity::kTag},
      .attributes = {{.name = "run_id"},
                     {.name = "run_name", .aliases = {"Run name", "run name", "Run Name", "name"}},
                     {.name = "user_id"},
                     {.name = "status"},
                     {.name = "artifact_uri"},
                     {.name = "start_time", .type = kNumber, .aliases = {"created", "Created"}},
                     {.name = "end_time", .type = kNumber}}};
  return grammar;
}

const Grammar& experiment_grammar() {
  static const Grammar grammar{.what = "experiment",
                               .entities = {Entity::kAttribute, Entity::kTag},
                               .order_entities = {Entity::kAttribute},
                               .attributes = {{.name = "name"},
                                              {.name = "experiment_id"},
                                              {.name = "creation_time", .type = kNumber},
                                              {.name = "last_update_time", .type = kNumber}}};
  return grammar;
}

const Grammar& registered_model_grammar() {
  static const Grammar grammar{
      .what = "registered model",
      .entities = {Entity::kAttribute, Entity::kTag},
      .order_entities = {Entity::kAttribute},
      .attributes = {{.name = "name"},
                     {.name = "creation_timestamp", .type = kNumber},
                     {.name = "last_updated_timestamp", .type = kNumber, .aliases = {"timestamp"}}},
      .prompt_tag = true};
  return grammar;
}

const Grammar& model_version_grammar() {
  static const Grammar grammar{.what = "model version",
                               .entities = {Entity::kAttribute, Entity::kTag},
                               .order_entities = {Entity::kAttribute},
                               .attributes = {{.name = "name"},
                                              {.name = "run_id"},
                                              {.name = "source_path"},
                                              {.name = "version_number", .type = kNumber},
                                              {.name = "creation_timestamp", .type = kNumber},
                                              {.name = "last_updated_timestamp", .type = kNumber}},
                               .prompt_tag = true};
  return grammar;
}

const Grammar& logged_model_grammar() {
  static const Grammar grammar{
      .what = "logged model",
      .entities = {Entity::kAttribute, Entity::kMetric, Entity::kParam, Entity::kTag},
      .order_entities = {Entity::kAttribute, Entity::kMetric},
      .attributes = {{.name = "name"},
                     {.name = "model_id"},
                     {.name = "model_type"},
                     {.name = "status"},
                     {.name = "source_run_id"},
                     {.name = "experiment_id"},
                     {.name = "creation_timestamp",
                      .type = kNumber,
                      .aliases = {"creation_time", "creation_timestamp_ms"}},
                     {.name = "last_updated_timestamp",
                      .type = kNumber,
                      .aliases = {"last_updated_time", "last_updated_timestamp_ms"}}},
      .bare_text = true};
  return grammar;
}

const Grammar& trace_grammar() {
  static const Grammar grammar{
      .what = "trace",
      .entities = {Entity::kAttribute, Entity::kTag, Entity::kMetadata, Entity::kSpan,
                   Entity::kFeedback, Entity::kExpectation},
      .order_entities = {Entity::kAttribute, Entity::kTag, Entity::kMetadata},
      .attributes = {{.name = "request_id", .aliases = {"trace_id", "id"}},
                     {.name = "status", .aliases = {"state"}},
                     {.name = "client_request_id"},
                     {.name = "timestamp_ms",
                      .type = kNumber,
                      .aliases = {"timestamp", "request_time", "start_time"}},
                     {.name = "execution_time_ms",
                      .type = kNumber,
                      .aliases = {"execution_time", "execution_duration"}},
                     {.name = "end_time_ms", .type = kNumber, .aliases = {"end_time"}},
                     order_only("experiment_id", kText),
                     stored_as("name", Entity::kTag, "mlflow.traceName", true),
                     stored_as("run_id", Entity::kMetadata, "mlflow.sourceRun", true),
                     stored_as("prompt", Entity::kTag, "mlflow.linkedPrompts", false),
                     stored_as("text", Entity::kSpan, "content", false)}};
  return grammar;
}

}  // namespace maru::tracking
