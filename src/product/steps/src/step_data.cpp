#include <algorithm>

#include "maru/base/text.h"
#include "maru/stats/expectation.h"
#include "maru/stats/profile.h"
#include "maru/stats/profiler.h"
#include "maru/stats/schema.h"
#include "step_functions.h"

namespace maru::steps {
namespace {

using base::Code;

// Only what depends on content: outputs feed the cache keys of later tasks.
Json snapshot_outputs(const data::Snapshot& snapshot) {
  return Json::object({{"dataset", snapshot.dataset},
                       {"snapshot", snapshot.id},
                       {"number", snapshot.number},
                       {"rows", static_cast<std::int64_t>(snapshot.rows)},
                       {"columns", static_cast<std::int64_t>(snapshot.columns.size())},
                       {"bytes", static_cast<std::int64_t>(snapshot.bytes)}});
}

base::Result<Json> import_and_report(const Services& services, pipeline::Attempt& attempt,
                                     const data::ImportSpec& spec) {
  TRY_ASSIGN(const data::ImportResult result,
             services.importer == nullptr
                 ? services.datasets->import(spec, *attempt.context, attempt.progress)
                 : services.importer->import(spec, *attempt.context, attempt.progress));
  for (const auto& note : result.notes) say(attempt, note);
  say(attempt, result.snapshot.dataset + "@" + std::to_string(result.snapshot.number) + ": " +
                   base::format_count(static_cast<std::int64_t>(result.snapshot.rows)) + " rows, " +
                   std::to_string(result.snapshot.columns.size()) + " columns, " +
                   base::format_bytes(result.snapshot.bytes) + " in " +
                   base::format_seconds(result.seconds) + (result.unchanged ? " (unchanged)" : ""));
  return snapshot_outputs(result.snapshot);
}

// The saved schema of the dataset, or the one inferred from this first profile, which is then saved.
base::Result<stats::Schema> schema_for(const Services& services, pipeline::Attempt& attempt,
                                       const data::Snapshot& snapshot,
                                       const stats::Profile& profile) {
  auto saved = services.datasets->schema(attempt.project, snapshot.dataset);
  if (saved) return stats::Schema::from_json(*saved);
  if (saved.error().code != Code::kNotFound) return tl::unexpected<base::Error>(saved.error());
  stats::Schema schema = stats::infer_schema(profile);
  TRY(services.datasets->put_schema(attempt.project, snapshot.dataset, schema.to_json()));
  say(attempt, "no schema yet: inferred one from this snapshot and saved it");
  return schema;
}

base::Status refuse_anomalies(const std::vector<stats::Anomaly>& anomalies,
                              const data::Snapshot& snapshot) {
  std::vector<std::string> lines;
  for (const auto& anomaly : anomalies) {
    if (anomaly.severity == stats::Severity::kError)
      lines.push_back(anomaly.column + ": " + anomaly.message);
  }
  if (lines.empty()) return {};
  const std::size_t more = lines.size() > 3 ? lines.size() - 3 : 0;
  lines.resize(std::min<std::size_t>(lines.size(), 3));
  return base::fail(Code::kRefused,
                    "data refused by its schema: " + base::join(lines, "; ") +
                        (more > 0 ? " and " + std::to_string(more) + " more" : ""),
                    "see `maru data validate " + snapshot.dataset +
                        "`; accept the change with `maru schema accept " + snapshot.dataset + "`");
}

base::Status refuse_leaks(const std::vector<stats::Leak>& leaks) {
  if (leaks.empty()) return {};
  std::vector<std::string> lines, names;
  for (const auto& leak : leaks) {
    lines.push_back(leak.column + " (" + leak.reason + ")");
    names.push_back(leak.column);
  }
  return base::fail(Code::kRefused, "label leaks into the features: " + base::join(lines, "; "),
                    "add to `predict.exclude: [" + base::join(names, ", ") +
                        "]`, or to `predict.allow` when it is known before the prediction");
}

}  // namespace

base::Result<Json> run_ingest(const Services& services, pipeline::Attempt& attempt) {
  data::ImportSpec spec;
  spec.project = attempt.project;
  spec.dataset = attempt.params["dataset"].as_string();
  spec.sources = text_list(attempt.params["sources"]);
  spec.run_id = attempt.run_id;
  if (attempt.params.has("header")) {
    spec.detect_header = false;
    spec.header = attempt.params["header"].as_bool(true);
  }
  if (attempt.params.has("ragged"))
    TRY(data::set_ragged(spec, attempt.params["ragged"].as_string()));
  spec.encoding = attempt.params["encoding"].as_string();
  return import_and_report(services, attempt, spec);
}

base::Result<Json> run_join(const Services& services, pipeline::Attempt& attempt) {
  data::ImportSpec spec;
  spec.project = attempt.project;
  spec.dataset = attempt.params["dataset"].as_string();
  spec.sql = attempt.params["sql"].as_string();
  spec.run_id = attempt.run_id;
  for (const auto& [task, outputs] : attempt.inputs.members())
    spec.inputs[outputs["dataset"].as_string()] = outputs["snapshot"].as_string();
  return import_and_report(services, attempt, spec);
}

base::Result<Json> run_profile(const Services& services, pipeline::Attempt& attempt) {
  const Json& input = upstream(attempt);
  TRY_ASSIGN(const data::Snapshot snapshot,
             services.datasets->snapshot(input["snapshot"].as_string()));
  TRY(note_read(services, attempt, snapshot));
  TRY(stats::profile_snapshot(*services.datasets, *services.engine, snapshot, *attempt.context));
  say(attempt, "profiled " + std::to_string(snapshot.columns.size()) + " columns");
  return snapshot_outputs(snapshot);
}

base::Result<Json> run_validate(const Services& services, pipeline::Attempt& attempt) {
  const Json& input = upstream(attempt);
  TRY_ASSIGN(const data::Snapshot snapshot,
             services.datasets->snapshot(input["snapshot"].as_string()));
  TRY(note_read(services, attempt, snapshot));
  TRY_ASSIGN(const Json stored, services.datasets->attachment(snapshot.id, "profile"));
  TRY_ASSIGN(const stats::Profile profile, stats::Profile::from_json(stored));
  TRY_ASSIGN(const stats::Schema schema, schema_for(services, attempt, snapshot, profile));
  TRY_ASSIGN(std::vector<stats::Anomaly> anomalies,
             stats::validate_snapshot(*services.datasets, snapshot, profile, schema, "training"));
  TRY_ASSIGN(const std::string relation, services.datasets->relation(snapshot));
  TRY_ASSIGN(const auto broken,
             stats::check_expectations(*services.engine, relation, schema.expectations, profile,
                                       *attempt.context));
  anomalies.insert(anomalies.end(), broken.begin(), broken.end());
  Json listed = Json::array();
  for (const auto& anomaly : anomalies) {
    listed.push(anomaly.to_json());
    say(attempt, anomaly.column + ": " + anomaly.message +
                     (anomaly.fix.empty() ? "" : " (" + anomaly.fix + ")"));
  }
  TRY(services.datasets->attach(snapshot.id, "anomalies", listed));
  TRY(refuse_anomalies(anomalies, snapshot));
  progress(attempt, "looking for leaks", -1);
  TRY(note_read(services, attempt, snapshot));
  TRY_ASSIGN(const TrainingRows rows,
             load_training_rows(services, snapshot, rows_spec(attempt.params)));
  const auto leaks = stats::find_leaks(rows.table, rows.label_column, rows.features,
                                       rows_spec(attempt.params).allow);
  TRY(refuse_leaks(leaks));
  say(attempt, std::to_string(anomalies.size()) + " anomalies, no leak found in " +
                   std::to_string(rows.features.size()) + " features");
  // Findings stay out of the outputs (they are attached to the snapshot): the rows alone decide whether training is repeated.
  return snapshot_outputs(snapshot);
}

}  // namespace maru::steps
