#include "transfer/importer.h"

#include <algorithm>
#include <array>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "maru/base/text.h"
#include "maru/store/foreign.h"
#include "transfer/digest.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

constexpr std::array<store::Migration, 1> kMigrations = {{{1, R"sql(
CREATE TABLE imported_objects (
  kind TEXT NOT NULL, id TEXT NOT NULL, local_id TEXT NOT NULL, hash TEXT NOT NULL, stamp TEXT NOT NULL, time_us BIGINT NOT NULL,
  PRIMARY KEY (kind, id)) WITHOUT ROWID;
)sql"}}};

constexpr std::size_t kBatchRuns = 64;
constexpr std::size_t kBatchPoints = 250'000;

bool good_id(const std::string& id) {
  const auto word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
  };
  return !id.empty() && id.size() <= 256 && id.front() != '-' && id.front() != '_' &&
         std::all_of(id.begin(), id.end(), word);
}

// Failures of this home, not of what is imported.
bool is_ours(Code code) {
  return code == Code::kNoSpace || code == Code::kUnavailable || code == Code::kInternal;
}

std::string known_status(const std::string& status) {
  static constexpr std::string_view kKnown[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED",
                                                "KILLED"};
  return std::find(std::begin(kKnown), std::end(kKnown), status) != std::end(kKnown) ? status
                                                                                     : "FINISHED";
}

std::string hash_of_lines(std::vector<std::string>& lines) {
  std::sort(lines.begin(), lines.end());
  base::Sha256 hash;
  for (const auto& line : lines) hash.update(line + "\n");
  return hash.hex_digest();
}

// What `own` lacks of the points.
std::vector<TailEntry::Series> missing(const std::vector<TailEntry::Series>& wanted,
                                       const std::vector<TailEntry::Series>& own) {
  std::vector<TailEntry::Series> out;
  for (const auto& series : wanted) {
    const auto known = std::find_if(own.begin(), own.end(),
                                    [&](const auto& one) { return one.key == series.key; });
    TailEntry::Series fresh{series.key, {}};
    if (known == own.end())
      fresh.points = series.points;
    else
      std::set_difference(series.points.begin(), series.points.end(), known->points.begin(),
                          known->points.end(), std::back_inserter(fresh.points), earlier);
    if (!fresh.points.empty()) out.push_back(std::move(fresh));
  }
  return out;
}

}  // namespace

std::span<const store::Migration> transfer_migrations() { return kMigrations; }

Result<std::optional<Remembered>> Ledger::find(const std::string& kind, const std::string& id) {
  const auto key = params(kind, id);
  TRY_ASSIGN(const auto rows, db_.query("SELECT local_id, hash, stamp FROM imported_objects WHERE "
                                        "kind = $1 AND id = $2",
                                        key));
  if (rows.empty()) return std::optional<Remembered>();
  return std::optional(Remembered{rows[0].text(0), rows[0].text(1), rows[0].text(2)});
}

Status Ledger::put(Writer& writer, const std::string& kind, const std::string& id,
                   const Remembered& what, std::int64_t now_us) {
  const auto cells = params(kind, id, what.local_id, what.hash, what.stamp, now_us);
  TRY(writer.execute(
      "INSERT INTO imported_objects (kind, id, local_id, hash, stamp, time_us) VALUES ($1, $2, $3, "
      "$4, $5, $6) ON CONFLICT (kind, id) DO UPDATE SET local_id = excluded.local_id, hash = "
      "excluded.hash, stamp = excluded.stamp, time_us = excluded.time_us",
      cells));
  return {};
}

void Importer::show(const std::string& what) {
  ++seen_;
  if (progress_ && seen_ % 16 == 1) progress_({"importing", -1, what});
}

void Importer::compared(const std::string& kind, const std::string& id, const std::string& source,
                        const std::string& own) {
  source_lines_.push_back(kind + " " + id + " " + source);
  own_lines_.push_back(kind + " " + id + " " + own);
}

void Importer::count(const WholeRun& whole, TransferCounts& counts) const {
  ++counts.runs;
  counts.params += whole.run.params.size();
  counts.tags += whole.run.tags.size();
  counts.metrics += whole.series.size();
  for (const auto& series : whole.series) counts.points += series.points.size();
  counts.datasets += whole.run.datasets.size();
  counts.artifacts += whole.artifacts.size();
  for (const auto& file : whole.artifacts) counts.artifact_bytes += file.bytes;
}

// Blobs of the files. Those that did not change since the last import are not read again.
Result<std::vector<Artifact>> Importer::store_files(const std::vector<ForeignFile>& files,
                                                    const std::string& owner,
                                                    const std::optional<Remembered>& before,
                                                    std::string& stamp) {
  base::Sha256 hash;
  for (const auto& file : files)
    hash.update(file.path + '\n' + std::to_string(file.bytes) + ' ' +
                std::to_string(file.changed_ns) + '\n');
  stamp = files.empty() ? std::string() : hash.hex_digest();
  if (before && !stamp.empty() && before->stamp == stamp) {
    auto known = here_.artifacts.list_artifacts(owner);
    if (known && known->size() >= files.size()) {
      std::erase_if(*known, [&](const Artifact& one) {
        return std::none_of(files.begin(), files.end(),
                            [&](const ForeignFile& file) { return file.path == one.path; });
      });
      if (known->size() == files.size()) return std::move(*known);
    }
  }
  std::vector<Artifact> out;
  for (const auto& file : files) {
    TRY(context_.alive());
    const auto stored = here_.blobs.put_file(file.local);
    if (!stored && is_ours(stored.error().code)) return tl::unexpected(stored.error());
    if (!stored)
      damage_.add(file.local, stored.error().text());
    else
      out.push_back({file.path, stored->sha256, stored->bytes});
  }
  return out;
}

Status Importer::take_run(ForeignRun&& foreign, const Experiment& own) {
  TRY(context_.alive());
  show(foreign.run.name);
  Waiting run;
  run.whole.run = std::move(foreign.run);
  run.whole.series = std::move(foreign.series);
  const std::string id = run.whole.run.id;
  if (!good_id(id)) {
    damage_.add("run " + id, "not an id of a run");
    return {};
  }
  TRY_ASSIGN(const auto before, ledger_.find("run", id));
  TRY_ASSIGN(run.whole.artifacts, store_files(foreign.files, id, before, run.stamp));
  for (auto& series : run.whole.series) {
    settle(series.points);
    run.points += series.points.size();
  }
  Run& facts = run.whole.run;
  facts.status = known_status(facts.status);
  if (!(is_remote(facts.artifact_uri) && run.whole.artifacts.empty()))
    facts.artifact_uri = "mlflow-artifacts:/" + own.id + "/" + id + "/artifacts";
  facts.experiment_id = own.id;
  facts.source = "import:" + report_.kind;
  run.hash = digest_of(run.whole);
  count(run.whole, report_.found);
  auto known = here_.runs.whole_run(id);
  if (!known && known.error().code != Code::kNotFound) return tl::unexpected(known.error());
  if (known && before && before->hash == run.hash) {  // compared when it was imported
    ++report_.runs_present;
    compared("run", id, run.hash, before->hash);
    return {};
  }
  if (known && !before) {
    const std::string here = digest_of(*known);
    compared("run", id, run.hash, here == run.hash ? here : "different");
    if (here == run.hash)
      ++report_.runs_present;
    else
      ++report_.runs_different;
    if (here != run.hash)
      damage_.add("run " + id, "is here already with other contents and was left as it is");
    return {};
  }
  run.update = known.has_value();
  if (run.update) {
    facts.experiment_id = known->run.experiment_id;
    run.whole.series = missing(run.whole.series, known->series);
  }
  waiting_points_ += run.points;
  waiting_.push_back(std::move(run));
  if (waiting_.size() >= kBatchRuns || waiting_points_ >= kBatchPoints) return flush();
  return {};
}

Status Importer::write_batch(std::vector<Waiting*> batch) {
  std::vector<WholeRun> runs;
  for (auto* one : batch) runs.push_back(one->whole);
  const std::int64_t now_us = here_.clock.now_us();
  return here_.runs.adopt_runs(runs, [&](Writer& writer) -> Status {
    for (const auto* one : batch) {
      const std::string& id = one->whole.run.id;
      TRY(Ledger::put(writer, "run", id, {id, one->hash, one->stamp}, now_us));
    }
    return {};
  });
}

Status Importer::check_written(const Waiting& run) {
  const std::string& id = run.whole.run.id;
  TRY_ASSIGN(const WholeRun here, here_.runs.whole_run(id));
  const std::string own = digest_of(here);
  compared("run", id, run.hash, own);
  count(here, report_.written);
  if (run.update) {
    ++report_.runs_updated;
    return {};
  }
  return {};
}

Status Importer::flush() {
  std::vector<Waiting*> all;
  for (auto& one : waiting_) all.push_back(&one);
  if (all.empty()) return {};
  std::vector<Waiting*> written = all;
  if (const Status batch = write_batch(all); !batch) {
    if (is_ours(batch.error().code)) return batch;
    written.clear();  // one of them cannot be kept: each for itself, so that it can be named
    for (auto* one : all) {
      const Status alone = write_batch({one});
      if (!alone && is_ours(alone.error().code)) return alone;
      if (alone)
        written.push_back(one);
      else
        damage_.add("run " + one->whole.run.id, alone.error().text());
    }
  }
  for (const auto* one : written) TRY(check_written(*one));
  waiting_.clear();
  waiting_points_ = 0;
  return {};
}

Status Importer::take_experiment(Source& source, const Experiment& experiment) {
  Experiment wanted = experiment;
  wanted.project = options_.project;
  if (!is_remote(wanted.artifact_location)) wanted.artifact_location.clear();
  bool fresh = false;
  const auto own = here_.runs.adopt_experiment(wanted, fresh);
  if (!own) {
    if (is_ours(own.error().code)) return tl::unexpected(own.error());
    damage_.add("experiment " + experiment.id, own.error().text());
    return {};
  }
  ++report_.found.experiments;
  if (fresh) ++report_.written.experiments;
  TRY(source.each_run(experiment,
                      [&](ForeignRun&& run) { return take_run(std::move(run), *own); }));
  TRY(flush());
  return source.each_logged_model(
      experiment, [&](ForeignModel&& model) { return take_model(std::move(model), *own); });
}

Result<TransferReport> Importer::run() {
  const std::int64_t begin_ns = here_.clock.monotonic_ns();
  std::string path = options_.path;
  if (path.rfind("sqlite:///", 0) == 0) path.erase(0, 10);
  if (path.rfind("mysql", 0) == 0 || path.rfind("mssql", 0) == 0)
    return base::fail(
        Code::kUnimplemented,
        "only SQLite and PostgreSQL databases can be imported: " + store::without_password(path),
        "write the database's contents into a SQLite file first");
  const bool server = store::is_server_url(path);
  if (!server && (path.empty() || path.front() != '/'))
    return base::fail(Code::kInvalidArgument, "`path` must be an absolute path: " + path);
  while (!server && path.size() > 1 && path.back() == '/') path.pop_back();
  report_.path = store::without_password(path);
  report_.kind = options_.kind;
  if (report_.kind.empty()) {
    TRY_ASSIGN(report_.kind, kind_of(path));
  }
  const SourceOptions where{path, options_.artifact_root, options_.experiment};
  std::unique_ptr<Source> source;
  if (report_.kind == "mlruns") {
    TRY_ASSIGN(source, open_mlruns(where, damage_));
  } else if (report_.kind == "sqlite" || report_.kind == "postgresql") {
    TRY_ASSIGN(source, open_mlflow_tables(where, damage_));
  } else if (report_.kind == "tensorboard") {
    TRY_ASSIGN(source, open_event_files(where, damage_));
  } else {
    return base::fail(Code::kInvalidArgument, "not a kind of source: " + report_.kind,
                      "mlruns, sqlite, postgresql or tensorboard");
  }
  TRY_ASSIGN(const auto experiments, source->experiments());
  for (const auto& experiment : experiments) TRY(take_experiment(*source, experiment));
  TRY(source->each_registered([&](Model&& model) { return take_registered(std::move(model)); }));
  report_.source_hash = hash_of_lines(source_lines_);
  report_.own_hash = hash_of_lines(own_lines_);
  report_.equal = report_.source_hash == report_.own_hash;
  report_.skipped = damage_.count();
  report_.skips = damage_.named();
  report_.seconds = static_cast<double>(here_.clock.monotonic_ns() - begin_ns) / 1e9;
  return report_;
}

}  // namespace maru::tracking
