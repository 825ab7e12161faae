#include <algorithm>
#include <cmath>
#include <map>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/model/postprocess.h"
#include "maru/stats/profile.h"
#include "step_functions.h"

namespace maru::steps {
namespace {

using base::Code;

constexpr std::size_t kSampleRows = 256;
constexpr std::size_t kReplayRows =
    4'000;  // asked of the stored graph before the bundle is accepted
// What storing and replaying the bundle takes, so that the whole step ends on time: measured on forests of 100 to 400 trees.
constexpr double kStoreSeconds = 0.05, kReplaySecondsARow = 30e-6;
// Reports of trials: of no more rows than these, of about so many trials, and what one takes.
constexpr std::size_t kReportRows = 50'000, kReports = 4;
constexpr double kReportSeconds = 0.003, kReportSecondsARow = 0.3e-6;

struct TrainingJob {
  const Services& services;
  pipeline::Attempt& attempt;
  std::string experiment_id;
  std::string run_id;
};

// The id of the run that it made.
base::Result<std::string> record_trial(const TrainingJob& job, const tune::Trial& trial,
                                       const std::string& metric) {
  tracking::Tracking& tracking = *job.services.tracking;
  const std::string name = trial.config.learner + "-" + std::to_string(trial.number);
  TRY_ASSIGN(const tracking::Run run,
             tracking.runs().create_run({.experiment_id = job.experiment_id,
                                         .name = name,
                                         .source = "pipeline:" + job.attempt.run_id,
                                         .tags = {{"mlflow.parentRunId", job.run_id}}}));
  tracking::RunBatch batch;
  batch.params["learner"] = trial.config.learner;
  for (const auto& [key, value] : trial.config.params.members())
    batch.params[key] = value.is_string() ? value.as_string() : value.dump();
  const std::int64_t now_ms = job.services.clock->now_us() / 1000;
  auto point = [&](const std::string& key, double value, std::int64_t step) {
    if (std::isfinite(value)) batch.metrics.push_back({key, value, step, now_ms});
  };
  for (const auto& item : trial.curve.items()) {
    point("train_" + metric, item["train"].as_double(NAN), item["round"].as_int());
    point("valid_" + metric, item["valid"].as_double(NAN), item["round"].as_int());
  }
  point(metric, trial.valid, 0);
  point("seconds", trial.seconds, 0);
  point("model_bytes", static_cast<double>(trial.bytes), 0);
  point("latency_us", trial.latency_us, 0);
  TRY(tracking.runs().log(run.id, batch));
  TRY(tracking.runs().finish_run(run.id, trial.state == "failed" ? "FAILED" : "FINISHED"));
  return run.id;
}

// Every so many of the rows, so that all times and classes are among them.
void thin(tune::SearchResult::Finalist& one) {
  const std::size_t step = (one.labels.size() + kReportRows - 1) / kReportRows;
  if (step <= 1) return;
  const std::size_t width = std::max<std::size_t>(1, one.answers.width);
  std::size_t kept = 0;
  for (std::size_t r = 0; r < one.labels.size(); r += step, ++kept) {
    one.labels[kept] = one.labels[r];
    for (std::size_t k = 0; k < width; ++k)
      one.answers.scores[kept * width + k] = one.answers.scores[r * width + k];
  }
  one.labels.resize(kept);
  one.answers.scores.resize(kept * width);
  one.answers.rows = kept;
}

// What a comparison of runs draws: confusion, ROC, PR and calibration of the trials that came furthest, on the rows that judged them. One file
// here, as the budget runs; the evaluation, which has none, gives each trial its own.
base::Status report_finalists(const TrainingJob& job, tune::SearchResult& found,
                              const std::map<int, std::string>& runs, const std::string& metric) {
  Json reports = Json::array();
  for (tune::SearchResult::Finalist& one : found.finalists) {
    const auto run = runs.find(one.trial);
    if (run == runs.end()) continue;
    thin(one);
    evaluate::EvaluateOptions options;
    options.metric = metric;
    options.bootstrap = 0;
    if (found.signature.task == model::Task::kBinary)
      options.threshold = evaluate::choose_threshold(one.labels, one.answers);
    const auto report =
        evaluate::evaluate(found.signature, one.labels, one.answers, data::Table(), options);
    if (!report) continue;  // nothing to draw, such as one class alone
    reports.push(Json::object({{"run", run->second}, {"report", report->to_json()}}));
  }
  return job.services.tracking->artifacts().put_artifact(job.run_id, kFinalistsFile,
                                                         reports.dump());
}

tune::SearchSpec search_spec(const TrainingRows& rows, const Json& params,
                             const Services& services) {
  tune::SearchSpec spec;
  spec.train = rows.rows(rows.split.train);
  spec.valid = rows.rows(rows.split.valid);
  spec.features = rows.features;
  spec.labels = rows.labels;
  spec.labels.values = rows.label_values(rows.split.train);
  spec.valid_labels = rows.label_values(rows.split.valid);
  spec.label_text = rows.label_column.name;
  spec.metric = params["metric"].as_string();
  spec.learners = text_list(params["learners"]);
  spec.budget_seconds = params["budget_seconds"].as_double(60);
  spec.max_trials = static_cast<int>(params["max_trials"].as_int(1000));
  spec.seed = static_cast<std::uint64_t>(params["seed"].as_int(1));
  spec.threads = services.train_threads;
  spec.folds = rows.folds;
  spec.refit = true;
  return spec;
}

Json leaderboard_json(const std::vector<tune::Trial>& trials) {
  Json out = Json::array();
  for (const auto& trial : trials) {
    Json row = trial.to_json();
    row.set("curve", trial.curve);
    out.push(std::move(row));
  }
  return out;
}

Json features_json(const transform::FeaturePlan& plan) {
  Json out = Json::array();
  const Json described = plan.to_json();
  for (const auto& column : described["columns"].items()) {
    out.push(Json::object({{"name", column["name"]},
                           {"encoding", column["encoding"]},
                           {"reason", column["reason"]}}));
  }
  return out;
}

Json importance_json(const train::Trained& best) {
  Json out = Json::array();
  for (const auto& [name, share] : best.importance) {
    Json pair = Json::array();
    pair.push(name);
    pair.push(share);
    out.push(std::move(pair));
  }
  return out;
}

// What the model card shows of training; evaluation adds its report.
Json card_json(const TrainingRows& rows, const tune::SearchResult& found,
               const data::Snapshot& snapshot, const Json& params) {
  const auto count = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  Json card = Json::object({{"task", std::string(model::task_name(rows.labels.task))},
                            {"label", rows.label_column.name},
                            {"learner", found.best.config.learner},
                            {"config", found.best.config.text()},
                            {"features", features_json(found.plan)},
                            {"importance", importance_json(found.best)},
                            {"snapshot", snapshot.id},
                            {"dataset", snapshot.dataset + "@" + std::to_string(snapshot.number)},
                            {"seed", params["seed"]}});
  card.set("rows", Json::object({{"train", count(rows.split.train.size())},
                                 {"valid", count(rows.split.valid.size())},
                                 {"test", count(rows.split.test.size())},
                                 {"unlabelled", static_cast<std::int64_t>(rows.unlabelled)}}));
  if (!rows.time_column.empty()) card.set("split", Json::object({{"by", rows.time_column}}));
  card.set("leaderboard", leaderboard_json(found.trials));
  return card;
}

// How a plain linear model made from the same rows does on the test rows: what the winner has to justify itself against. Null when the
// search had no time for one, or when one won.
base::Result<Json> baseline_json(const TrainingRows& rows, const tune::SearchResult& found,
                                 const std::string& metric) {
  if (found.baseline == nullptr || rows.split.test.empty()) return Json();
  const auto& plain = *found.baseline;
  const data::Table test = rows.rows(rows.split.test);
  TRY_ASSIGN(const auto evaluator, model::compile_native(plain.graph, plain.signature));
  model::InputBatch batch;
  TRY(model::fill_from_table(plain.signature, test, batch));
  model::Predictions predictions;
  TRY(evaluator->predict(batch, predictions));
  evaluate::EvaluateOptions options;
  options.metric = metric;
  TRY_ASSIGN(const auto report,
             evaluate::evaluate(plain.signature, test_labels(rows, plain.signature), predictions,
                                test, options));
  return Json::object({{"learner", plain.config.learner},
                       {"config", plain.config.text()},
                       {"metric", metric},
                       {"test", report.metrics.at(metric).to_json()}});
}

base::Status store_bundle(const TrainingJob& job, const std::string& folder) {
  TRY_ASSIGN(const auto names, base::list_folder(folder));
  for (const auto& name : names) {
    const std::string path = base::join_path(folder, name);
    if (base::is_folder(path)) continue;
    TRY_ASSIGN(const std::string bytes, base::read_file(path));
    TRY(job.services.tracking->artifacts().put_artifact(job.run_id, "model/" + name, bytes));
  }
  return {};
}

base::Status write_bundle(const TrainingJob& job, const TrainingRows& rows,
                          const tune::SearchSpec& spec, const tune::SearchResult& found,
                          const Json& card) {
  model::BundleFacts facts;
  facts.signature = found.signature;
  facts.metadata = Json::object({{"learner", found.best.config.learner},
                                 {"config", found.best.config.params},
                                 {"snapshot", card["snapshot"]},
                                 {"label", rows.label_column.name},
                                 {"rounds", found.best.rounds}});
  facts.sample = spec.train.slice(0, std::min(kSampleRows, spec.train.rows()));
  const std::string folder = base::join_path(job.attempt.work_folder, "bundle");
  const std::size_t replayed = std::min(kReplayRows, spec.valid.rows());
  model::Predictions expected = found.valid_predictions;
  expected.rows = replayed;
  expected.scores.resize(replayed * std::max<std::size_t>(1, expected.width));
  TRY(model::Bundle::create(folder, found.graph, facts, spec.valid.slice(0, replayed), expected));
  TRY(store_bundle(job, folder));
  return job.services.tracking->artifacts().put_artifact(job.run_id, "card.json", card.dump());
}

// Behind the winner's scores: calibrated on the rows that judged it, then as declared.
base::Status add_postprocess(model::Postprocess& post, tune::SearchResult& found, Json& card) {
  if (post.calibration == model::Postprocess::Calibration::kWanted) {
    if (found.finalists.empty())
      return base::fail(Code::kFailedPrecondition, "there are no held-back rows to calibrate on");
    TRY(post.fit(found.finalists.front().labels, found.finalists.front().answers));
  }
  TRY(post.append(found.graph, found.signature));
  post.apply(found.valid_predictions);
  if (const Json declared = post.to_json(); !declared.is_null()) card.set("postprocess", declared);
  return {};
}

base::Status log_winner(const TrainingJob& job, const tune::SearchResult& found,
                        const std::string& metric) {
  tracking::RunBatch batch;
  batch.params["learner"] = found.best.config.learner;
  batch.params["config"] = found.best.config.text();
  const std::int64_t now_ms = job.services.clock->now_us() / 1000;
  batch.metrics.push_back({metric, found.trials.front().valid, 0, now_ms});
  batch.metrics.push_back({"trials", static_cast<double>(found.trials.size()), 0, now_ms});
  batch.metrics.push_back({"seconds", found.seconds, 0, now_ms});
  return job.services.tracking->runs().log(job.run_id, batch);
}

base::Result<tune::SearchResult> search_and_record(const TrainingJob& job, tune::SearchSpec& spec,
                                                   const std::string& metric) {
  base::Status recorded;
  std::map<int, std::string> runs;
  spec.on_trial = [&](const tune::Trial& trial) {
    say(job.attempt, "trial " + std::to_string(trial.number) + " " + trial.config.text() + ": " +
                         metric + " " + base::format_double(std::round(trial.valid * 1e5) / 1e5) +
                         " in " + base::format_seconds(trial.seconds) +
                         (trial.state == "failed" ? " failed: " + trial.error : ""));
    if (!recorded) return;
    auto run = record_trial(job, trial, metric);
    if (run)
      runs[trial.number] = std::move(*run);
    else
      recorded = tl::unexpected<base::Error>(run.error());
  };
  TRY_ASSIGN(tune::SearchResult found,
             tune::search(spec, *job.attempt.context, job.attempt.progress));
  TRY(recorded);
  TRY(report_finalists(job, found, runs, metric));
  say(job.attempt, std::to_string(found.trials.size()) + " trials, stopped by " + found.stopped +
                       "; best " + found.best.config.text());
  return found;
}

}  // namespace

base::Result<Json> run_train(const Services& services, pipeline::Attempt& attempt) {
  const Json& params = attempt.params;
  const std::int64_t began_ns = services.clock->monotonic_ns();
  TRY_ASSIGN(const data::Snapshot snapshot,
             services.datasets->snapshot(upstream(attempt)["snapshot"].as_string()));
  progress(attempt, "reading rows", 0);
  TRY(note_read(services, attempt, snapshot));
  TRY_ASSIGN(const TrainingRows rows, load_training_rows(services, snapshot, rows_spec(params)));
  TRY_ASSIGN(model::Postprocess post, model::Postprocess::from_json(params["postprocess"]));
  TRY(post.check(rows.labels.task, rows.labels.classes));
  tune::SearchSpec spec = search_spec(rows, params, services);
  const std::string metric =
      spec.metric.empty() ? evaluate::default_metric(rows.labels.task) : spec.metric;
  TRY_ASSIGN(const auto experiment, services.tracking->runs().ensure_experiment(
                                        attempt.project, params["experiment"].as_string()));
  TRY_ASSIGN(const auto run, services.tracking->runs().create_run(
                                 {.experiment_id = experiment.id,
                                  .name = params["model"].as_string() + " " +
                                          attempt.run_id.substr(attempt.run_id.size() - 6),
                                  .source = "pipeline:" + attempt.run_id,
                                  .tags = {{"snapshot", snapshot.id}}}));
  const TrainingJob job{services, attempt, experiment.id, run.id};
  // The budget is the whole step's: reading the rows and storing the bundle come out of it, up to a half.
  const double around_s =
      static_cast<double>(services.clock->monotonic_ns() - began_ns) / 1e9 + kStoreSeconds +
      kReplaySecondsARow * static_cast<double>(std::min(kReplayRows, spec.valid.rows())) +
      kReports * (kReportSeconds + kReportSecondsARow * static_cast<double>(std::min(
                                                            kReportRows, spec.valid.rows())));
  spec.budget_seconds -= std::min(around_s, spec.budget_seconds / 2);
  auto found = search_and_record(job, spec, metric);
  if (!found) {
    TRY(services.tracking->runs().finish_run(run.id, "FAILED"));
    return tl::unexpected<base::Error>(found.error());
  }
  progress(attempt, "writing the bundle", 1);
  Json card = card_json(rows, *found, snapshot, params);
  TRY_ASSIGN(const Json baseline, baseline_json(rows, *found, metric));
  card.set("baseline", baseline);
  TRY(add_postprocess(post, *found, card));
  TRY(write_bundle(job, rows, spec, *found, card));
  TRY(log_winner(job, *found, metric));
  TRY(services.tracking->runs().finish_run(run.id, "FINISHED"));
  return Json::object({{"run", run.id},
                       {"snapshot", snapshot.id},
                       {"task", std::string(model::task_name(rows.labels.task))},
                       {"metric", metric},
                       {"valid", found->trials.front().valid},
                       {"learner", found->best.config.learner},
                       {"config", found->best.config.text()},
                       {"trials", static_cast<std::int64_t>(found->trials.size())},
                       {"seconds", found->seconds},
                       {"budget_seconds", params["budget_seconds"]}});
}

}  // namespace maru::steps
