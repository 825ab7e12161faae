#include <algorithm>

#include "maru/base/text.h"
#include "stored_datasets.h"

namespace maru::data {

using base::Code;
using base::Json;
using base::Status;
using store::params;

namespace {

constexpr std::size_t kMinIdPrefix = 6;
constexpr std::size_t kIdBytes = 64;
constexpr std::int64_t kTellReadsNs = 3'600'000'000'000;

std::string select_snapshots(std::string_view where) {
  return "SELECT " + std::string(kSnapshotColumns) + " FROM data_snapshot WHERE " +
         std::string(where);
}

}  // namespace

base::Result<std::vector<Snapshot>> StoredDatasets::snapshots_where(
    const Query& query, std::string_view where, std::vector<store::Value> values) {
  TRY_ASSIGN(const auto rows, query(select_snapshots(where), values));
  std::vector<Snapshot> out;
  out.reserve(rows.size());
  for (const auto& row : rows) {
    TRY_ASSIGN(Snapshot one, snapshot_of(row));
    out.push_back(std::move(one));
  }
  return out;
}

base::Result<std::optional<Snapshot>> StoredDatasets::newest(const Query& query,
                                                             const std::string& project,
                                                             const std::string& dataset) {
  TRY_ASSIGN(auto found,
             snapshots_where(query, "project = $1 AND dataset = $2 ORDER BY number DESC LIMIT 1",
                             params(project, dataset)));
  if (found.empty()) return std::optional<Snapshot>();
  return std::optional<Snapshot>(std::move(found.front()));
}

base::Result<std::vector<SnapshotPart>> StoredDatasets::parts_of(const Query& query,
                                                                 const Snapshot& snapshot) {
  const auto values = params(snapshot.project, snapshot.dataset, std::int64_t{snapshot.number},
                             std::int64_t{snapshot.chain_start});
  TRY_ASSIGN(const auto rows,
             query("SELECT parts, layout FROM data_snapshot WHERE project = $1 AND dataset = $2 "
                   "AND number <= $3 AND number >= (SELECT coalesce(max(number), $4) FROM "
                   "data_snapshot WHERE project = $1 AND dataset = $2 AND number <= $3 AND number "
                   ">= $4 AND layout <> '') ORDER BY number",
                   values));
  std::vector<SnapshotPart> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool laid_out = i == 0 && !rows[i].text(1).empty();
    TRY_ASSIGN(auto parts, parse_parts(rows[i].text(laid_out ? 1 : 0)));
    out.insert(out.end(), std::make_move_iterator(parts.begin()),
               std::make_move_iterator(parts.end()));
  }
  return out;
}

base::Result<Snapshot> StoredDatasets::with_parts(Snapshot snapshot) {
  TRY_ASSIGN(snapshot.parts, parts_of(reading(), snapshot));
  return snapshot;
}

namespace {

constexpr std::string_view kSelectDatasets =
    "SELECT d.name, d.created_us, d.updated_us, (SELECT count(*) FROM data_snapshot s WHERE "
    "s.project = d.project AND s.dataset = d.name), (SELECT coalesce(sum(bytes), 0) FROM (SELECT "
    "DISTINCT u.sha256, u.bytes FROM data_part_use u JOIN data_snapshot s ON s.id = u.snapshot_id "
    "WHERE s.project = d.project AND s.dataset = d.name) AS parts) FROM data_dataset d WHERE "
    "d.project = $1";

DatasetInfo dataset_of(const std::string& project, const store::Row& row) {
  DatasetInfo out;
  out.project = project;
  out.name = row.text(0);
  out.created_us = row.integer(1);
  out.updated_us = row.integer(2);
  out.snapshot_count = static_cast<std::uint64_t>(row.integer(3));
  out.stored_bytes = static_cast<std::uint64_t>(row.integer(4));
  return out;
}

}  // namespace

base::Result<std::vector<DatasetInfo>> StoredDatasets::list(const std::string& project) {
  TRY_ASSIGN(const auto rows,
             db_.query(std::string(kSelectDatasets) + " ORDER BY d.name", params(project)));
  TRY_ASSIGN(auto snapshots,
             snapshots_where(reading(),
                             "project = $1 AND number = (SELECT max(number) FROM data_snapshot n "
                             "WHERE n.project = data_snapshot.project AND n.dataset = "
                             "data_snapshot.dataset) ORDER BY dataset",
                             params(project)));
  std::vector<DatasetInfo> out;
  std::size_t next = 0;
  for (const auto& row : rows) {
    DatasetInfo info = dataset_of(project, row);
    for (; next < snapshots.size() && snapshots[next].dataset <= info.name; ++next) {
      if (snapshots[next].dataset == info.name) info.snapshots.push_back(snapshots[next]);
    }
    out.push_back(std::move(info));
  }
  return out;
}

base::Error StoredDatasets::no_such_dataset(const std::string& project,
                                            const std::string& dataset) {
  std::vector<std::string> names;
  if (const auto all =
          db_.query("SELECT name FROM data_dataset WHERE project = $1", params(project))) {
    for (const auto& row : *all) names.push_back(row.text(0));
  }
  const std::string near = base::did_you_mean(dataset, names);
  return base::Error{Code::kNotFound, "no such dataset: " + dataset,
                     near.empty() ? "see `maru data list`" : near, nullptr};
}

base::Result<DatasetInfo> StoredDatasets::get(const std::string& project,
                                              const std::string& dataset) {
  TRY_ASSIGN(const auto rows, db_.query(std::string(kSelectDatasets) + " AND d.name = $2",
                                        params(project, dataset)));
  if (rows.empty()) return tl::unexpected(no_such_dataset(project, dataset));
  DatasetInfo out = dataset_of(project, rows[0]);
  TRY_ASSIGN(out.snapshots,
             snapshots_where(reading(), "project = $1 AND dataset = $2 ORDER BY number DESC",
                             params(project, dataset)));
  return out;
}

namespace {

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 10 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The last microsecond that a date, a minute, a second or an exact time names, in UTC.
std::optional<std::int64_t> moment_of(const std::string& text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  std::size_t digits = text.size();  // of the text before the zone
  for (const char* zone : {"Z", "+"}) digits = std::min(digits, text.find(zone));
  digits = std::min(digits, text.find('-', 10));
  std::string whole = text;
  if (digits == 16) whole.insert(16, ":00");
  const auto start_us = base::parse_time_us(whole);
  if (!start_us) return std::nullopt;
  constexpr std::int64_t kSecondUs = 1'000'000;
  if (digits == 10) return *start_us + 86'400 * kSecondUs - 1;
  if (digits == 16) return *start_us + 60 * kSecondUs - 1;
  if (digits == 19) return *start_us + kSecondUs - 1;
  return *start_us;
}

}  // namespace

base::Result<Snapshot> StoredDatasets::resolve(const std::string& project,
                                               const std::string& selector) {
  if (selector.size() == kIdBytes && is_hex(selector)) {
    if (auto found = snapshot(selector); found || found.error().code != Code::kNotFound)
      return found;
  }
  const auto at = selector.rfind('@');
  const std::string name = selector.substr(0, at);
  TRY_ASSIGN(auto latest, newest(reading(), project, name));
  if (!latest) {
    TRY(get(project, name));  // names near ones
    return base::fail(Code::kNotFound, "the dataset has no snapshot: " + name,
                      "import one: maru data import FILE --name " + name);
  }
  if (at == std::string::npos) return with_parts(std::move(*latest));
  const std::string which = selector.substr(at + 1);
  if (which == "latest" || which == "newest") return with_parts(std::move(*latest));
  TRY_ASSIGN(auto found, find_snapshot(project, name, which));
  if (!found)
    return base::fail(Code::kNotFound, "no such snapshot: " + selector,
                      "the newest is " + name + "@" + std::to_string(latest->number));
  return living(std::move(*found));
}

base::Result<std::optional<Snapshot>> StoredDatasets::find_snapshot(const std::string& project,
                                                                    const std::string& dataset,
                                                                    const std::string& which) {
  const auto one = [&](std::string_view where,
                       store::Value value) -> base::Result<std::optional<Snapshot>> {
    TRY_ASSIGN(auto found,
               snapshots_where(reading(), "project = $1 AND dataset = $2 AND " + std::string(where),
                               params(project, dataset, std::move(value))));
    if (found.size() > 1)
      return base::fail(Code::kInvalidArgument, "several snapshots start with: " + which,
                        "give more digits");
    if (found.empty()) return std::optional<Snapshot>();
    return std::optional<Snapshot>(std::move(found.front()));
  };
  if (is_number(which)) {
    TRY_ASSIGN(auto found, one("number = $3", std::int64_t{std::stoi(which)}));
    if (found) return found;
  }
  TRY_ASSIGN(auto tagged,
             one("id = (SELECT snapshot_id FROM data_tag t WHERE t.project = "
                 "data_snapshot.project AND t.dataset = data_snapshot.dataset AND t.tag = $3)",
                 which));
  if (tagged) return tagged;
  if (const auto moment_us = moment_of(which)) {
    TRY_ASSIGN(auto found,
               one("created_us <= $3 ORDER BY created_us DESC, number DESC LIMIT 1", *moment_us));
    if (!found)
      return base::fail(Code::kNotFound, "no snapshot of " + dataset + " is as old as " + which,
                        "see `maru data log " + dataset + "`");
    return found;
  }
  if (which.size() >= kMinIdPrefix && is_hex(which)) return one("id LIKE $3 LIMIT 2", which + "%");
  return std::optional<Snapshot>();
}

base::Result<Snapshot> StoredDatasets::living(Snapshot snapshot) {
  if (!snapshot.dropped.empty())
    return base::fail(Code::kFailedPrecondition,
                      "the rows of " + snapshot.dataset + "@" + std::to_string(snapshot.number) +
                          " are gone: " + snapshot.dropped,
                      "see `maru data log " + snapshot.dataset + "`");
  return with_parts(std::move(snapshot));
}

base::Result<Snapshot> StoredDatasets::snapshot(const std::string& id) {
  TRY_ASSIGN(auto found, snapshots_where(reading(), "id = $1", params(id)));
  if (found.empty())
    return base::fail(Code::kNotFound, "no such snapshot: " + id, "see `maru data list`");
  return living(std::move(found[0]));
}

base::Result<bool> StoredDatasets::uses(const std::string& sha256) {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT 1 FROM data_part_use WHERE sha256 = $1 LIMIT 1", params(sha256)));
  return !rows.empty();
}

base::Result<std::vector<std::string>> StoredDatasets::files(const Snapshot& snapshot) {
  if (snapshot.parts.empty()) {  // of a list
    TRY_ASSIGN(const Snapshot whole, with_parts(snapshot));
    if (!whole.parts.empty()) return files(whole);
  }
  std::vector<std::string> out;
  for (const auto& part : snapshot.parts) {
    auto path = blobs_.checked_path(part.sha256);
    if (!path)
      return base::wrap(path.error(),
                        "a part of the snapshot is gone or damaged: " + snapshot.dataset + "@" +
                            std::to_string(snapshot.number),
                        "restore the home folder from a backup");
    out.push_back(std::move(*path));
  }
  return out;
}

base::Result<std::string> StoredDatasets::relation(const Snapshot& snapshot) {
  TRY_ASSIGN(const auto paths, files(snapshot));
  std::string list;
  for (const auto& path : paths) list += (list.empty() ? "" : ", ") + quote_literal(path);
  if (!snapshot.widened) return "read_parquet([" + list + "])";
  std::string columns, none;  // the parts at hand may lack some columns altogether
  for (const auto& column : snapshot.columns) {
    const std::string name = quote_identifier(column.name);
    const std::string cast = "::" + std::string(sql_type(column.type)) + " AS " + name;
    columns += (columns.empty() ? "" : ", ") + name + cast;
    none += (none.empty() ? "NULL" : ", NULL") + cast;
  }
  return "(SELECT " + columns + " FROM (SELECT * FROM read_parquet([" + list +
         "], union_by_name = true) UNION ALL BY NAME SELECT " + none + " WHERE false))";
}

base::Result<Table> StoredDatasets::read(const Snapshot& snapshot,
                                         const std::vector<std::string>& columns,
                                         std::uint64_t limit) {
  std::vector<std::string> known;
  for (const auto& column : snapshot.columns) known.push_back(column.name);
  std::string list;
  for (const auto& name : columns) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return base::fail(Code::kNotFound, "no such column: " + name + " in " + snapshot.dataset,
                        base::did_you_mean(name, known));
    }
    list += (list.empty() ? "" : ", ") + quote_identifier(name);
  }
  TRY_ASSIGN(const std::string from, relation(snapshot));
  auto table = engine_.query("SELECT " + (list.empty() ? std::string("*") : list) + " FROM " +
                             from + (limit == 0 ? "" : " LIMIT " + std::to_string(limit)));
  if (table) return table;
  TRY_ASSIGN(const auto parts, parts_of(reading(), snapshot));
  for (const auto& part : parts)
    TRY(blobs_.verify(part.sha256));  // a damaged part is named as such
  return base::wrap(table.error(), "cannot read the snapshot: " + snapshot.dataset + "@" +
                                       std::to_string(snapshot.number));
}

Status StoredDatasets::attach(const std::string& snapshot_id, const std::string& kind,
                              const Json& value) {
  const std::string text = value.dump();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(
        writer.execute("INSERT INTO data_attachment (snapshot_id, kind, value) VALUES ($1, $2, $3) "
                       "ON CONFLICT (snapshot_id, kind) DO UPDATE SET value = excluded.value",
                       params(snapshot_id, kind, text)));
    return {};
  });
}

base::Result<Json> StoredDatasets::attachment(const std::string& snapshot_id,
                                              const std::string& kind) {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT value FROM data_attachment WHERE snapshot_id = $1 AND kind = $2",
                       params(snapshot_id, kind)));
  if (rows.empty())
    return base::fail(Code::kNotFound, "the snapshot has no " + kind + ": " + snapshot_id);
  return base::parse_json(rows[0].text(0));
}

Status StoredDatasets::put_schema(const std::string& project, const std::string& dataset,
                                  const Json& schema) {
  const std::string text = schema.dump();
  const std::int64_t now_us = clock_.now_us();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(
        writer.execute("INSERT INTO data_schema (project, dataset, number, value, created_us) "
                       "SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4 FROM data_schema WHERE "
                       "project = $1 AND dataset = $2",
                       params(project, dataset, text, now_us)));
    return {};
  });
}

base::Result<Json> StoredDatasets::schema(const std::string& project, const std::string& dataset) {
  TRY_ASSIGN(const auto rows, db_.query("SELECT value FROM data_schema WHERE project = $1 AND "
                                        "dataset = $2 ORDER BY number DESC LIMIT 1",
                                        params(project, dataset)));
  if (rows.empty())
    return base::fail(Code::kNotFound, "the dataset has no schema: " + dataset,
                      "infer one: maru schema infer " + dataset);
  return base::parse_json(rows[0].text(0));
}

Status StoredDatasets::note_read(const Snapshot& snapshot, const std::string& principal,
                                 const std::string& how) {
  if (!read_sink_) return {};
  SnapshotRead read{principal, snapshot.dataset + "@" + std::to_string(snapshot.number), how};
  const std::int64_t now_ns = clock_.monotonic_ns();
  {
    const std::lock_guard lock(reads_mutex_);
    const std::string key = principal + "\n" + snapshot.id + "\n" + how;
    const auto [at, fresh] = reads_.try_emplace(key, Reads{read, now_ns});
    if (fresh) {
      at->second.read.times = 0;
    } else {
      ++at->second.read.times;
      if (now_ns - at->second.told_ns < kTellReadsNs) return {};
      read.times = std::exchange(at->second.read.times, 0);
      at->second.told_ns = now_ns;
    }
  }
  return read_sink_(read);
}

Status StoredDatasets::flush_reads() {
  if (!read_sink_) return {};
  std::vector<SnapshotRead> waiting;
  {
    const std::lock_guard lock(reads_mutex_);
    for (const auto& [key, reads] : reads_)
      if (reads.read.times > 0) waiting.push_back(reads.read);
    reads_.clear();
  }
  for (const auto& read : waiting) TRY(read_sink_(read));
  return {};
}

}  // namespace maru::data
