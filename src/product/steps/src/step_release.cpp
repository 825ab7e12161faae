#include <algorithm>
#include <cmath>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/evaluate/evaluate.h"
#include "maru/model/postprocess.h"
#include "maru/stats/profile.h"
#include "rollout.h"
#include "step_functions.h"

namespace maru::steps {
namespace {

using base::Code;

constexpr const char* kChampion = "champion";

Json gates_json(const std::vector<evaluate::GateResult>& gates) {
  Json out = Json::array();
  for (const auto& gate : gates) out.push(gate.to_json());
  return out;
}

Json metrics_json(const evaluate::Report& report) {
  Json out = Json::object();
  for (const auto& [name, interval] : report.metrics) out.set(name, interval.to_json());
  return out;
}

struct Candidate {
  std::shared_ptr<const model::Bundle> bundle;
  evaluate::Report report;
  model::Predictions predictions;
  std::vector<double> labels;
};

base::Result<Candidate> evaluate_candidate(const Services& services, pipeline::Attempt& attempt,
                                           const TrainingRows& rows, const data::Table& test,
                                           int version) {
  Candidate out;
  TRY_ASSIGN(out.bundle,
             load_version(services, attempt.project, attempt.params["model"].as_string(), version,
                          base::join_path(attempt.work_folder, "candidate")));
  TRY_ASSIGN(out.predictions, score(*out.bundle, test));
  model::to_label_unit(out.bundle->signature(), out.predictions);
  out.labels = test_labels(rows, out.bundle->signature());
  evaluate::EvaluateOptions options;
  options.metric = attempt.params["metric"].as_string();
  options.slices = text_list(attempt.params["slices"]);
  options.seed = static_cast<std::uint64_t>(attempt.params["seed"].as_int(1));
  TRY_ASSIGN(out.report, evaluate::evaluate(out.bundle->signature(), out.labels, out.predictions,
                                            test, options));
  return out;
}

// The champion on the same rows; nothing when there is none, or when the candidate is the champion.
base::Result<std::vector<evaluate::Comparison>> compare_champion(const Services& services,
                                                                 pipeline::Attempt& attempt,
                                                                 const Candidate& candidate,
                                                                 const data::Table& test,
                                                                 int version) {
  std::vector<evaluate::Comparison> out;
  const std::string& name = attempt.params["model"].as_string();
  auto champion = services.tracking->registry().resolve(attempt.project, name, kChampion);
  if (!champion || *champion == version) return out;
  TRY_ASSIGN(const auto bundle, load_version(services, attempt.project, name, *champion,
                                             base::join_path(attempt.work_folder, "champion")));
  TRY_ASSIGN(model::Predictions predictions, score(*bundle, test));
  model::to_label_unit(bundle->signature(), predictions);
  TRY_ASSIGN(evaluate::Comparison comparison,
             evaluate::compare(candidate.report.metric, candidate.labels, candidate.predictions,
                               predictions, candidate.bundle->signature().threshold,
                               bundle->signature().threshold,
                               static_cast<std::uint64_t>(attempt.params["seed"].as_int(1))));
  say(attempt, "champion v" + std::to_string(*champion) + " on the same rows: " +
                   base::format_double(std::round(comparison.champion * 1e5) / 1e5));
  out.push_back(std::move(comparison));
  return out;
}

base::Result<Json> finish_card(const Services& services, const std::string& run_id,
                               const Candidate& candidate) {
  TRY_ASSIGN(const std::string text,
             services.tracking->artifacts().read_artifact(run_id, "card.json"));
  TRY_ASSIGN(Json card, base::parse_json(text));
  TRY_ASSIGN(const evaluate::Latency latency, evaluate::measure_latency(*candidate.bundle));
  card.set("metric", candidate.report.metric);
  card.set("report", candidate.report.to_json());
  card.set("latency", Json::object({{"p50_us", latency.p50_us}, {"p99_us", latency.p99_us}}));
  card.set("memory_bytes", static_cast<std::int64_t>(candidate.bundle->memory_bytes()));
  card.set("engine", std::string(candidate.bundle->evaluator().engine()));
  return card;
}

base::Status log_test_metrics(const Services& services, const std::string& run_id,
                              const evaluate::Report& report) {
  tracking::RunBatch batch;
  const std::int64_t now_ms = services.clock->now_us() / 1000;
  for (const auto& [name, interval] : report.metrics) {
    if (std::isfinite(interval.value))
      batch.metrics.push_back({"test_" + name, interval.value, 0, now_ms});
  }
  return services.tracking->runs().log(run_id, batch);
}

// Each trial that came far gets the report that training made of it: here, where no budget runs. Again is harmless.
base::Status store_trial_reports(const Services& services, const std::string& run_id) {
  tracking::Artifacts& artifacts = services.tracking->artifacts();
  const auto text = artifacts.read_artifact(run_id, kFinalistsFile);
  if (!text && text.error().code == base::Code::kNotFound) return {};  // trained by an older maru
  if (!text) return tl::unexpected<base::Error>(text.error());
  TRY_ASSIGN(const Json reports, base::parse_json(*text));
  for (const Json& one : reports.items()) {
    // Its rows are not those of the version's own report.
    const Json kept = Json::object({{"rows_of", "validation"}, {"report", one["report"]}});
    const base::Status stored =
        artifacts.put_artifact(one["run"].as_string(), "evaluation.json", kept.dump());
    if (!stored && stored.error().code != base::Code::kNotFound) return stored;  // else deleted
  }
  return {};
}

Json comparison_json(const std::vector<evaluate::Comparison>& comparisons) {
  if (comparisons.empty()) return {};
  const auto& c = comparisons.front();
  return Json::object({{"metric", c.metric},
                       {"candidate", c.candidate},
                       {"champion", c.champion},
                       {"difference", c.difference.to_json()}});
}

std::string failed_gates(const Json& gates) {
  std::vector<std::string> lines;
  for (const auto& gate : gates.items()) {
    if (!gate["ok"].as_bool())
      lines.push_back(gate["name"].as_string() + " is " + gate["value"].as_string() + ", needs " +
                      gate["bound"].as_string());
  }
  return base::join(lines, "; ");
}

// Rows the monitor compares with: training features, and the scores of rows that training did not fit.
struct References {
  stats::Profile inputs, scores;
};

base::Result<References> monitor_references(const Services& services, pipeline::Attempt& attempt,
                                            const model::Bundle& bundle,
                                            const data::Snapshot& snapshot) {
  TRY(note_read(services, attempt, snapshot));
  TRY_ASSIGN(const TrainingRows rows,
             load_training_rows(services, snapshot, rows_spec(attempt.params)));
  std::vector<std::string> names;
  for (const auto& input : bundle.signature().inputs) names.push_back(input.name);
  References out;
  out.inputs = stats::profile_table(rows.rows(rows.split.train).select(names));
  TRY_ASSIGN(const model::Predictions predictions, score(bundle, rows.rows(rows.split.valid)));
  data::Column column;
  column.name = "prediction";
  column.type = data::ColumnType::kFloat;
  for (std::size_t row = 0; row < predictions.rows; ++row) {
    const std::size_t k =
        predictions.width > 1 ? model::predicted_class(bundle.signature(), predictions, row) : 0;
    column.reals.push_back(predictions.score(row, k));
  }
  data::Table table;
  table.columns.push_back(std::move(column));
  out.scores = stats::profile_table(table);
  return out;
}

// Timestamps move on by themselves; they say nothing about drift unless asked for by name.
std::vector<std::string> watched_columns(const Json& params, const model::Signature& signature) {
  std::vector<std::string> named = text_list(params["drift_columns"]);
  if (!named.empty()) return named;
  for (const auto& input : signature.inputs) {
    if (input.kind != model::InputKind::kTimestamp) named.push_back(input.name);
  }
  return named;
}

}  // namespace

base::Result<Json> run_register(const Services& services, pipeline::Attempt& attempt) {
  const Json& trained = upstream(attempt);
  const std::string run_id = trained["run"].as_string();
  const std::string folder = base::join_path(attempt.work_folder, "bundle");
  TRY(base::make_folders(folder));
  TRY_ASSIGN(const auto artifacts, services.tracking->artifacts().list_artifacts(run_id));
  const std::string prefix = "model/";
  for (const auto& artifact : artifacts) {
    if (artifact.path.rfind(prefix, 0) != 0) continue;
    TRY_ASSIGN(const std::string bytes,
               services.tracking->artifacts().read_artifact(run_id, artifact.path));
    TRY(base::write_file_atomic(base::join_path(folder, artifact.path.substr(prefix.size())),
                                bytes));
  }
  tracking::ModelVersion facts;
  facts.state = "ready";
  facts.run_id = run_id;
  facts.snapshot = trained["snapshot"].as_string();
  facts.description = trained["config"].as_string();
  TRY_ASSIGN(const auto version, services.tracking->registry().register_version(
                                     attempt.project, attempt.params["model"].as_string(),
                                     trained["task"].as_string(), folder, facts));
  say(attempt, version.model + " v" + std::to_string(version.version) + ", " +
                   base::format_bytes(version.bytes));
  return Json::object({{"model", version.model},
                       {"version", version.version},
                       {"run", run_id},
                       {"snapshot", facts.snapshot}});
}

base::Result<Json> run_evaluate(const Services& services, pipeline::Attempt& attempt) {
  const Json& registered = upstream(attempt);
  const int version = static_cast<int>(registered["version"].as_int());
  const std::string& run_id = registered["run"].as_string();
  TRY_ASSIGN(const data::Snapshot snapshot,
             services.datasets->snapshot(registered["snapshot"].as_string()));
  TRY(note_read(services, attempt, snapshot));
  TRY_ASSIGN(const TrainingRows rows,
             load_training_rows(services, snapshot, rows_spec(attempt.params)));
  const data::Table test = rows.rows(rows.split.test);
  progress(attempt, "scoring test rows", 0.2);
  TRY_ASSIGN(const Candidate candidate, evaluate_candidate(services, attempt, rows, test, version));
  TRY_ASSIGN(const auto comparisons, compare_champion(services, attempt, candidate, test, version));
  TRY_ASSIGN(const auto gates,
             evaluate::check_gates(attempt.params["gates"], candidate.report,
                                   comparisons.empty() ? nullptr : &comparisons.front(),
                                   *candidate.bundle));
  TRY_ASSIGN(Json card, finish_card(services, run_id, candidate));
  card.set("comparison", comparison_json(comparisons));
  const Json gate_list = gates_json(gates);
  TRY(services.tracking->registry().update_version(
      attempt.project, attempt.params["model"].as_string(), version,
      Json::object(
          {{"metrics", metrics_json(candidate.report)}, {"gates", gate_list}, {"card", card}})));
  TRY(log_test_metrics(services, run_id, candidate.report));
  TRY(store_trial_reports(services, run_id));
  for (const auto& gate : gates)
    say(attempt, (gate.ok ? "pass  " : "FAIL  ") + gate.name + ": " + gate.value + " (bound " +
                     gate.bound + ")");
  const auto& primary = candidate.report.metrics.at(candidate.report.metric);
  return Json::object({{"model", registered["model"]},
                       {"version", version},
                       {"run", run_id},
                       {"snapshot", snapshot.id},
                       {"metric", candidate.report.metric},
                       {"score", primary.to_json()},
                       {"test", metrics_json(candidate.report)},
                       {"gates", gate_list},
                       {"comparison", comparison_json(comparisons)},
                       {"rows", static_cast<std::int64_t>(test.rows())}});
}

base::Result<Json> run_promote(const Services& services, pipeline::Attempt& attempt) {
  const Json& evaluated = upstream(attempt);
  const std::string& name = evaluated["model"].as_string();
  const int version = static_cast<int>(evaluated["version"].as_int());
  Json out = Json::object({{"model", name},
                           {"version", version},
                           {"run", evaluated["run"]},
                           {"snapshot", evaluated["snapshot"]}});
  const std::string refused = failed_gates(evaluated["gates"]);
  auto champion = services.tracking->registry().resolve(attempt.project, name, kChampion);
  const bool has_champion = champion.has_value();
  out.set("previous", has_champion ? *champion : 0);
  if (!refused.empty()) {
    say(attempt, "not promoted: " + refused);
    TRY(services.tracking->registry().update_version(
        attempt.project, name, version, Json::object({{"reason", "not promoted: " + refused}})));
    return out.set("promoted", false).set("reason", "gates failed: " + refused);
  }
  if (has_champion && *champion == version)
    return out.set("promoted", true).set("reason", "already the champion");
  if (has_champion && rolls_out(services, attempt, attempt.params)) {
    say(attempt, name + " v" + std::to_string(version) + " becomes the champion step by step");
    return out.set("promoted", true).set("reason", "gates passed").set("rollout", true);
  }
  TRY(services.tracking->registry().set_alias(attempt.project, name, kChampion, version,
                                              "gates passed in run " + attempt.run_id,
                                              attempt.context->principal.name));
  TRY(services.server->refresh(name));
  say(attempt, name + " v" + std::to_string(version) + " is the champion");
  return out.set("promoted", true).set("reason", "gates passed");
}

base::Result<Json> run_deploy(const Services& services, pipeline::Attempt& attempt) {
  const Json& promoted = upstream(attempt);
  serve::EndpointConfig config;
  config.project = attempt.project;
  config.name = attempt.params["endpoint"].as_string();
  config.model = attempt.params["model"].as_string();
  const int version = static_cast<int>(promoted["version"].as_int());
  Json out = Json::object({{"endpoint", config.name},
                           {"version", promoted["version"]},
                           {"snapshot", promoted["snapshot"]},
                           {"promoted", promoted["promoted"]}});
  if (!promoted["promoted"].as_bool() && promoted["previous"].as_int() == 0) {
    say(attempt, "nothing to serve: no version has passed its gates yet");
    return out.set("state", "empty");
  }
  // What is stored decides: the server may already answer under this name for the model's own sake, which a restart forgets.
  auto stored = services.tracking->get_document(attempt.project, "endpoint", config.name);
  if (!stored && stored.error().code != Code::kNotFound)
    return tl::unexpected<base::Error>(stored.error());
  bool kept = false;
  if (stored && stored->is_object()) {
    TRY_ASSIGN(const auto existing, serve::EndpointConfig::from_json(*stored));
    kept = existing.model == config.model;
    if (kept) config = existing;
  }
  if (!kept) {
    TRY(services.tracking->put_document(attempt.project, "endpoint", config.name,
                                        config.to_json()));
  }
  if (promoted["rollout"].as_bool()) {
    TRY_ASSIGN(const std::string fault, roll_out(services, attempt, config, version));
    if (!fault.empty()) {
      say(attempt, "v" + std::to_string(version) + " went back: " + fault);
      TRY(services.tracking->registry().update_version(
          attempt.project, config.model, version,
          Json::object({{"reason", "rolled back: " + fault}})));
      return out.set("promoted", false).set("state", "rolled back").set("reason", fault);
    }
  } else {
    TRY(services.server->put_endpoint(config));
  }
  TRY_ASSIGN(const auto status, services.server->status(config.name));
  say(attempt, "endpoint " + config.name + " is " + status.state);
  return out.set("state", status.state);
}

base::Result<Json> run_watch(const Services& services, pipeline::Attempt& attempt) {
  const Json& deployed = upstream(attempt);
  if (deployed["state"].as_string() == "empty" || !deployed["promoted"].as_bool())
    return Json::object({{"watching", false}});
  const Json& params = attempt.params;
  const std::string& name = params["model"].as_string();
  const int version = static_cast<int>(deployed["version"].as_int());
  TRY_ASSIGN(const auto bundle, load_version(services, attempt.project, name, version,
                                             base::join_path(attempt.work_folder, "bundle")));
  TRY_ASSIGN(const data::Snapshot snapshot,
             services.datasets->snapshot(deployed["snapshot"].as_string()));
  TRY_ASSIGN(const References references, monitor_references(services, attempt, *bundle, snapshot));
  TRY_ASSIGN(const auto registered, services.tracking->registry().get_model(attempt.project, name));
  monitor::MonitorConfig config;
  config.project = attempt.project;
  config.endpoint = params["endpoint"].as_string();
  config.model = name;
  config.task = std::string(model::task_name(bundle->signature().task));
  config.classes = bundle->signature().classes;
  config.label_values = bundle->signature().label_values;
  // The log keeps one score a row: of a multiclass answer only its rightness can be judged later.
  config.metric = bundle->signature().task == model::Task::kMulticlass
                      ? "accuracy"
                      : evaluate::default_metric(bundle->signature().task);
  config.window_us = params["window_us"].as_int();
  config.window_rows = static_cast<std::uint64_t>(params["window_rows"].as_int());
  config.drift_columns = watched_columns(params, bundle->signature());
  config.retrain_on_drift = params["retrain_on_drift"].as_bool();
  config.retrain_on_performance = params["retrain_on_performance"].as_bool();
  config.cooldown_us = params["cooldown_us"].as_int();
  for (const auto& entry : registered.versions) {
    if (entry.version == version)
      config.reference_metric = entry.metrics[config.metric]["value"].as_double(0);
  }
  TRY(services.monitor->watch(config, references.inputs, references.scores));
  say(attempt, "watching " + std::to_string(config.drift_columns.size()) +
                   " inputs and the prediction of " + config.endpoint);
  return Json::object({{"watching", true}, {"endpoint", config.endpoint}});
}

}  // namespace maru::steps
