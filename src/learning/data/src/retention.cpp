#include "maru/data/retention.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "maru/base/fault.h"
#include "maru/base/text.h"
#include "snapshot.h"

namespace maru::data {

using base::Code;
using base::Json;
using base::Status;
using store::params;

namespace {

constexpr std::int64_t kDayUs = 86'400ll * 1'000'000;
constexpr std::int64_t kMostKept = 1'000'000;
constexpr std::size_t kMostValues = 10'000;

constexpr store::Migration kMigrations[] = {{1, R"sql(
CREATE TABLE data_retention (project TEXT NOT NULL, dataset TEXT NOT NULL, policy TEXT NOT NULL, PRIMARY KEY (project, dataset));
)sql"}};

base::Result<std::int64_t> bounded(const Json& value, const std::string& key) {
  const std::int64_t number = value.as_int(-1);
  if (number < 0 || number > kMostKept)
    return base::fail(Code::kInvalidArgument, "must be a number from 0 to 1000000: " + key);
  return number;
}

class StoredRetention final : public Retention {
 public:
  StoredRetention(store::Database& db, blob::BlobStore& blobs, Engine& engine, Datasets& datasets,
                  base::Clock& clock, Referrers referrers, UsedElsewhere used)
      : db_(db),
        blobs_(blobs),
        engine_(engine),
        datasets_(datasets),
        clock_(clock),
        referrers_(std::move(referrers)),
        used_(std::move(used)) {}
  base::Result<RetentionPolicy> policy(const std::string& project,
                                       const std::string& dataset) override;
  Status set_policy(const std::string& project, const std::string& dataset,
                    const RetentionPolicy& policy) override;
  base::Result<CollectReport> collect(const std::string& project, const std::string& dataset,
                                      bool dry_run, base::Context& context) override;
  base::Result<ErasureReport> erase(const std::string& project, const std::string& dataset,
                                    const std::string& column,
                                    const std::vector<std::string>& values,
                                    base::Context& context) override;

 private:
  Status plan(const DatasetInfo& info, const RetentionPolicy& policy, CollectReport& report);
  Status roll_window(const std::string& project, const std::string& dataset,
                     const RetentionPolicy& policy, base::Context& context);
  Status drop(const Snapshot& snapshot, const std::string& reason);
  base::Result<Snapshot> without_rows(const Snapshot& newest, const std::string& condition,
                                      const std::string& why, base::Context& context);
  Status free_parts(bool dry_run, CollectReport& report, base::Context& context);
  base::Result<bool> held(const std::string& sha256, const std::set<std::string>& going);
  base::Result<std::uint64_t> free_now(const std::set<std::string>& parts);

  store::Database& db_;
  blob::BlobStore& blobs_;
  Engine& engine_;
  Datasets& datasets_;
  base::Clock& clock_;
  const Referrers referrers_;
  const UsedElsewhere used_;
  std::mutex one_at_a_time_;
};

base::Result<RetentionPolicy> StoredRetention::policy(const std::string& project,
                                                      const std::string& dataset) {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT policy FROM data_retention WHERE project = $1 AND dataset = $2",
                       params(project, dataset)));
  if (rows.empty()) return RetentionPolicy{};
  TRY_ASSIGN(const Json stored, base::parse_json(rows[0].text(0)));
  return RetentionPolicy::from_json(stored);
}

Status StoredRetention::set_policy(const std::string& project, const std::string& dataset,
                                   const RetentionPolicy& policy) {
  TRY_ASSIGN(const Snapshot newest, datasets_.resolve(project, dataset));
  if (!policy.window_column.empty()) {
    const auto at = std::find_if(newest.columns.begin(), newest.columns.end(),
                                 [&](const auto& c) { return c.name == policy.window_column; });
    if (at == newest.columns.end() || at->type != ColumnType::kTimestamp)
      return base::fail(Code::kInvalidArgument, "not a column of times: " + policy.window_column,
                        "a rolling window needs a date or a time");
  }
  const std::string text = policy.to_json().dump();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(
        writer.execute("INSERT INTO data_retention (project, dataset, policy) VALUES ($1, $2, $3) "
                       "ON CONFLICT (project, dataset) DO UPDATE SET policy = excluded.policy",
                       params(project, dataset, text)));
    return {};
  });
}

// Says of every living snapshot whether it goes and why.
Status StoredRetention::plan(const DatasetInfo& info, const RetentionPolicy& policy,
                             CollectReport& report) {
  if (policy.keep_all) return {};
  TRY_ASSIGN(const auto tags, datasets_.catalogue().tags(info.project, info.name));
  const std::int64_t oldest_us = clock_.now_us() - policy.keep_days * kDayUs;
  std::int64_t place = 0;
  std::vector<RetentionStep> steps;
  for (const auto& snapshot : info.snapshots) {  // newest first
    if (!snapshot.dropped.empty()) continue;
    ++place;
    RetentionStep step{info.name, snapshot.id, "", snapshot.number, snapshot.rows, false};
    const auto tag = std::find_if(tags.begin(), tags.end(),
                                  [&](const auto& one) { return one.snapshot_id == snapshot.id; });
    if (place == 1) {
      step.reason = "the newest";
    } else if (tag != tags.end()) {
      step.reason = "tagged " + tag->name;
    } else if (policy.keep_last > 0 && place <= policy.keep_last) {
      step.reason = "one of the last " + std::to_string(policy.keep_last);
    } else if (policy.keep_days > 0 && snapshot.created_us >= oldest_us) {
      step.reason = "younger than " + std::to_string(policy.keep_days) + " days";
    } else {
      TRY_ASSIGN(const auto referrers, referrers_(snapshot));
      step.drop = referrers.empty();
      step.reason = step.drop ? "retention: no rule keeps it" : base::join(referrers, ", ");
    }
    steps.push_back(std::move(step));
  }
  std::reverse(steps.begin(), steps.end());
  if (std::any_of(steps.begin(), steps.end(), [](const auto& step) { return step.drop; }))
    report.steps.insert(report.steps.end(), steps.begin(), steps.end());
  return {};
}

// One transaction: the snapshot that continues this one gets a layout of its own, this one's parts become candidates, and it is marked.
Status StoredRetention::drop(const Snapshot& snapshot, const std::string& reason) {
  const std::int64_t now_us = clock_.now_us();
  const auto next = datasets_.resolve(snapshot.project,
                                      snapshot.dataset + "@" + std::to_string(snapshot.number + 1));
  TRY_ASSIGN(const Snapshot whole, datasets_.snapshot(snapshot.id));
  return db_.write([&](store::Writer& writer) -> Status {
    if (next && next->chain_start == snapshot.chain_start) {
      TRY_ASSIGN(const auto laid,
                 writer.query("SELECT 1 FROM data_snapshot WHERE id = $1 AND layout <> ''",
                              params(next->id)));
      if (laid.empty()) {
        TRY(writer.execute("UPDATE data_snapshot SET layout = $2 WHERE id = $1",
                           params(next->id, parts_json(next->parts).dump())));
        for (const auto& part : next->parts)
          TRY(writer.execute(
              "INSERT INTO data_part_use (sha256, snapshot_id, bytes) VALUES ($1, $2, $3) ON "
              "CONFLICT (sha256, snapshot_id) DO NOTHING",
              params(part.sha256, next->id, static_cast<std::int64_t>(part.bytes))));
      }
    }
    for (const auto& part : whole.parts)
      TRY(
          writer.execute("INSERT INTO data_unused_part (sha256, since_us) VALUES ($1, $2) ON "
                         "CONFLICT (sha256) DO NOTHING",
                         params(part.sha256, now_us)));
    TRY(writer.execute("DELETE FROM data_part_use WHERE snapshot_id = $1", params(snapshot.id)));
    TRY(writer.execute("DELETE FROM data_attachment WHERE snapshot_id = $1", params(snapshot.id)));
    TRY(writer.execute("DELETE FROM data_tag WHERE snapshot_id = $1", params(snapshot.id)));
    TRY(writer.execute(
        "UPDATE data_snapshot SET dropped = $2, dropped_us = $3, layout = '' WHERE id = $1",
        params(snapshot.id, reason, now_us)));
    return {};
  });
}

base::Result<Snapshot> StoredRetention::without_rows(const Snapshot& newest,
                                                     const std::string& condition,
                                                     const std::string& why,
                                                     base::Context& context) {
  ImportSpec spec;
  spec.project = newest.project;
  spec.dataset = newest.dataset;
  spec.inputs["t"] = newest.id;
  spec.sql = "SELECT * FROM t WHERE (" + condition + ") IS NOT TRUE";
  spec.shown_query = why;
  TRY_ASSIGN(const ImportResult made, datasets_.import(spec, context));
  return made.snapshot;
}

// Rows that have left the window make a new snapshot without them.
Status StoredRetention::roll_window(const std::string& project, const std::string& dataset,
                                    const RetentionPolicy& policy, base::Context& context) {
  TRY_ASSIGN(const Snapshot newest, datasets_.resolve(project, dataset));
  const std::int64_t oldest_us = clock_.now_us() - policy.window_days * kDayUs;
  const std::string condition = quote_identifier(policy.window_column) + " < make_timestamp(" +
                                std::to_string(oldest_us) + ")";
  TRY_ASSIGN(const std::string relation, datasets_.relation(newest));
  TRY_ASSIGN(const Table old,
             engine_.query("SELECT count(*) FROM " + relation + " WHERE " + condition, &context));
  const auto rows = static_cast<std::uint64_t>(old.columns[0].integers[0]);
  if (rows == 0 || rows == newest.rows) return {};  // a table without rows is no snapshot
  TRY(without_rows(
      newest, condition,
      "rows of the last " + std::to_string(policy.window_days) + " days by " + policy.window_column,
      context));
  return {};
}

// Whether a living snapshot, those in `going` aside, or somebody else names the part.
base::Result<bool> StoredRetention::held(const std::string& sha256,
                                         const std::set<std::string>& going) {
  TRY_ASSIGN(const auto users,
             db_.query("SELECT snapshot_id FROM data_part_use WHERE sha256 = $1", params(sha256)));
  for (const auto& row : users)
    if (!going.contains(row.text(0))) return true;
  return used_(sha256);
}

Status StoredRetention::free_parts(bool dry_run, CollectReport& report, base::Context& context) {
  std::set<std::string> going, seen;
  std::vector<std::pair<std::string, std::int64_t>> candidates;
  TRY_ASSIGN(const auto waiting,
             db_.query("SELECT sha256, since_us FROM data_unused_part ORDER BY sha256"));
  for (const auto& row : waiting) {
    candidates.emplace_back(row.text(0), row.integer(1));
    seen.insert(row.text(0));
  }
  for (const auto& step : report.steps) {
    if (!dry_run || !step.drop) continue;
    going.insert(step.snapshot_id);
    TRY_ASSIGN(const auto whole, datasets_.snapshot(step.snapshot_id));
    for (const auto& part : whole.parts)
      if (seen.insert(part.sha256).second) candidates.emplace_back(part.sha256, 0);
  }
  for (const auto& [sha256, since_us] : candidates) {
    TRY(context.alive());
    TRY_ASSIGN(const bool needed, held(sha256, going));
    const auto stat = blobs_.stat(sha256);
    if (!needed && stat) {
      if (!dry_run) {
        static_cast<void>(base::fault_point("retention.free"));
        base::Result<bool> removed = false;
        if (since_us <= clock_.now_us() - kGraceUs)
          removed = blobs_.remove_unused(sha256, kGraceUs);
        if (!removed) return tl::unexpected<base::Error>(removed.error());
        if (!*removed) {
          ++report.waiting;
          continue;
        }
      }
      ++report.parts;
      report.bytes += stat->bytes;
    }
    if (dry_run) continue;
    TRY(db_.write([&](store::Writer& writer) -> Status {
      TRY(writer.execute("DELETE FROM data_unused_part WHERE sha256 = $1", params(sha256)));
      return {};
    }));
  }
  return {};
}

// The same at once: what is to be forgotten does not wait for readers.
base::Result<std::uint64_t> StoredRetention::free_now(const std::set<std::string>& parts) {
  std::uint64_t freed = 0;
  for (const auto& sha256 : parts) {
    TRY_ASSIGN(const bool needed, held(sha256, {}));
    if (needed) continue;
    TRY(blobs_.remove(sha256));
    ++freed;
  }
  return freed;
}

base::Result<CollectReport> StoredRetention::collect(const std::string& project,
                                                     const std::string& dataset, bool dry_run,
                                                     base::Context& context) {
  const std::lock_guard lock(one_at_a_time_);
  std::vector<std::string> names;
  if (!dataset.empty()) {
    names.push_back(dataset);
  } else {
    TRY_ASSIGN(const auto all, datasets_.list(project));
    for (const auto& info : all) names.push_back(info.name);
  }
  CollectReport report;
  for (const auto& name : names) {
    TRY(context.alive());
    TRY_ASSIGN(const RetentionPolicy rules, policy(project, name));
    if (!dry_run && !rules.window_column.empty()) TRY(roll_window(project, name, rules, context));
    TRY_ASSIGN(const DatasetInfo info, datasets_.get(project, name));
    TRY(plan(info, rules, report));
  }
  for (const auto& step : report.steps) report.snapshots += step.drop ? 1 : 0;
  if (!dry_run) {
    for (const auto& step : report.steps) {
      if (!step.drop) continue;
      TRY_ASSIGN(const Snapshot going, datasets_.snapshot(step.snapshot_id));
      TRY(drop(going, step.reason));
      static_cast<void>(base::fault_point("retention.dropped"));
    }
  }
  TRY(free_parts(dry_run, report, context));
  return report;
}

base::Result<ErasureReport> StoredRetention::erase(const std::string& project,
                                                   const std::string& dataset,
                                                   const std::string& column,
                                                   const std::vector<std::string>& values,
                                                   base::Context& context) {
  const std::lock_guard lock(one_at_a_time_);
  if (values.empty() || values.size() > kMostValues)
    return base::fail(Code::kInvalidArgument,
                      "an erasure names 1 to 10000 values, not " + std::to_string(values.size()));
  TRY_ASSIGN(const Snapshot newest, datasets_.resolve(project, dataset));
  std::vector<std::string> known;
  for (const auto& one : newest.columns) known.push_back(one.name);
  if (std::find(known.begin(), known.end(), column) == known.end())
    return base::fail(Code::kNotFound, "no such column: " + column + " in " + dataset,
                      base::did_you_mean(column, known));
  std::string list;
  for (const auto& value : values) list += (list.empty() ? "" : ", ") + quote_literal(value);
  const std::string condition = quote_identifier(column) + "::VARCHAR IN (" + list + ")";
  const auto matching = [&](const Snapshot& snapshot) -> base::Result<std::uint64_t> {
    const bool has = std::any_of(snapshot.columns.begin(), snapshot.columns.end(),
                                 [&](const auto& one) { return one.name == column; });
    if (!has) return std::uint64_t{0};
    TRY_ASSIGN(const std::string relation, datasets_.relation(snapshot));
    TRY_ASSIGN(const Table found,
               engine_.query("SELECT count(*) FROM " + relation + " WHERE " + condition, &context));
    return static_cast<std::uint64_t>(found.columns[0].integers[0]);
  };
  ErasureReport report;
  TRY_ASSIGN(report.rows, matching(newest));
  if (report.rows == newest.rows)
    return base::fail(Code::kFailedPrecondition, "every row would go: " + dataset,
                      "a dataset keeps at least one row");
  const std::string why =
      "erased: rows by " + column;  // never the values: they are what is to be forgotten
  report.fresh = newest;
  if (report.rows > 0) {
    TRY_ASSIGN(report.fresh, without_rows(newest, condition, why, context));
  }
  TRY_ASSIGN(const DatasetInfo info, datasets_.get(project, dataset));
  std::set<std::string> parts;
  for (auto at = info.snapshots.rbegin(); at != info.snapshots.rend(); ++at) {
    if (!at->dropped.empty() || at->id == report.fresh.id) continue;
    TRY_ASSIGN(const std::uint64_t rows, matching(*at));
    if (rows == 0) continue;
    TRY_ASSIGN(const Snapshot whole, datasets_.snapshot(at->id));
    for (const auto& part : whole.parts) parts.insert(part.sha256);
    TRY(drop(*at, why));
    report.dropped.push_back(*at);
  }
  // Parts of snapshots that were dropped before may hold the rows as well.
  TRY_ASSIGN(const auto waiting, db_.query("SELECT sha256 FROM data_unused_part"));
  for (const auto& row : waiting) parts.insert(row.text(0));
  TRY_ASSIGN(report.files, free_now(parts));
  return report;
}

}  // namespace

Json RetentionPolicy::to_json() const {
  Json out = Json::object({{"keep_all", keep_all}});
  out.set("keep_last", keep_last).set("keep_days", keep_days);
  out.set("window_column", window_column).set("window_days", window_days);
  return out;
}

base::Result<RetentionPolicy> RetentionPolicy::from_json(const Json& value) {
  if (!value.is_object())
    return base::fail(Code::kInvalidArgument, "a retention policy must be an object");
  RetentionPolicy out;
  for (const auto& [key, item] : value.members()) {
    if (key == "keep_all") {
      out.keep_all = item.as_bool(true);
    } else if (key == "keep_last") {
      TRY_ASSIGN(out.keep_last, bounded(item, key));
    } else if (key == "keep_days") {
      TRY_ASSIGN(out.keep_days, bounded(item, key));
    } else if (key == "window_days") {
      TRY_ASSIGN(out.window_days, bounded(item, key));
    } else if (key == "window_column") {
      out.window_column = item.as_string();
    } else {
      return base::fail(Code::kInvalidArgument, "unknown key: " + key,
                        "keep_all, keep_last, keep_days, window_column, window_days");
    }
  }
  if (!value.has("keep_all")) out.keep_all = out.keep_last == 0 && out.keep_days == 0;
  if (out.keep_all && (out.keep_last > 0 || out.keep_days > 0))
    return base::fail(Code::kInvalidArgument, "keeping all and keeping some exclude each other");
  if (!out.keep_all && out.keep_last == 0 && out.keep_days == 0)
    return base::fail(Code::kInvalidArgument, "no rule keeps anything",
                      "give keep_last or keep_days");
  if (out.window_column.empty() != (out.window_days == 0))
    return base::fail(Code::kInvalidArgument, "a window needs a column and days");
  return out;
}

Json CollectReport::to_json() const {
  Json list = Json::array();
  for (const auto& step : steps)
    list.push(Json::object({{"dataset", step.dataset},
                            {"number", step.number},
                            {"rows", static_cast<std::int64_t>(step.rows)},
                            {"drop", step.drop},
                            {"reason", step.reason}}));
  return Json::object({{"steps", list},
                       {"snapshots", static_cast<std::int64_t>(snapshots)},
                       {"parts", static_cast<std::int64_t>(parts)},
                       {"bytes", static_cast<std::int64_t>(bytes)},
                       {"waiting", static_cast<std::int64_t>(waiting)}});
}

base::Result<std::unique_ptr<Retention>> Retention::open(store::Database& db,
                                                         blob::BlobStore& blobs, Engine& engine,
                                                         Datasets& datasets, base::Clock& clock,
                                                         Referrers referrers, UsedElsewhere used) {
  TRY(db.migrate("retention", kMigrations));
  return std::make_unique<StoredRetention>(db, blobs, engine, datasets, clock, std::move(referrers),
                                           std::move(used));
}

}  // namespace maru::data
