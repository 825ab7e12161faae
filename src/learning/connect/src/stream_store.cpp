#include "stream_store.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Status;
using store::params;

constexpr std::int64_t kKeepKeysUs = 7ll * 86'400'000'000;  // how long a second one is known as one
constexpr std::int64_t kMaxBacklogBytes = 1ll << 30;  // of pushed events that are not yet rows
constexpr std::size_t kKeysAtOnce = 400;

constexpr store::Migration kMigrations[] = {{1, R"sql(
CREATE TABLE connect_stream (project TEXT NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL, active BIGINT NOT NULL, created_us BIGINT NOT NULL, last_batch_us BIGINT NOT NULL,
  rows BIGINT NOT NULL, dead BIGINT NOT NULL, duplicates BIGINT NOT NULL, out_of_order BIGINT NOT NULL, future BIGINT NOT NULL, batches BIGINT NOT NULL, PRIMARY KEY (project, name));
CREATE TABLE connect_offset (project TEXT NOT NULL, stream TEXT NOT NULL, part BIGINT NOT NULL, next BIGINT NOT NULL, PRIMARY KEY (project, stream, part));
CREATE TABLE connect_dead (project TEXT NOT NULL, stream TEXT NOT NULL, part BIGINT NOT NULL, at BIGINT NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (project, stream, part, at));
CREATE TABLE connect_key (project TEXT NOT NULL, stream TEXT NOT NULL, key TEXT NOT NULL, seen_us BIGINT NOT NULL, PRIMARY KEY (project, stream, key)) WITHOUT ROWID;
CREATE INDEX connect_key_seen ON connect_key (seen_us);
CREATE TABLE connect_push (project TEXT NOT NULL, stream TEXT NOT NULL, first BIGINT NOT NULL, events BIGINT NOT NULL, bytes BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (project, stream, first));
CREATE TABLE connect_request (project TEXT NOT NULL, stream TEXT NOT NULL, key TEXT NOT NULL, seen_us BIGINT NOT NULL, PRIMARY KEY (project, stream, key)) WITHOUT ROWID;
)sql"}};

constexpr const char* kTables[] = {"connect_offset", "connect_dead", "connect_key", "connect_push",
                                   "connect_request"};

std::int64_t as_int(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

Status StreamStore::migrate() { return db_.migrate("connect_stream", kMigrations); }

Status StreamStore::insert(const StreamSpec& spec, std::int64_t now_us) {
  return db_.write([&](store::Writer& writer) -> Status {
    TRY_ASSIGN(const std::int64_t added,
               writer.execute("INSERT INTO connect_stream (project, name, spec, active, "
                              "created_us, last_batch_us, rows, dead, duplicates, out_of_order, "
                              "future, batches) VALUES ($1, $2, $3, 1, $4, 0, 0, 0, 0, 0, 0, 0) ON "
                              "CONFLICT (project, name) DO NOTHING",
                              params(spec.project, spec.name, spec.to_json().dump(), now_us)));
    if (added == 0)
      return fail(Code::kAlreadyExists, "there is a stream of that name: " + spec.name,
                  "maru stream remove " + spec.name);
    return {};
  });
}

base::Result<std::vector<StreamStatus>> StreamStore::load(const std::string& project,
                                                          const std::string& name) {
  std::vector<StreamStatus> out;
  TRY(db_.read([&](store::Reader& reader) -> Status {
    out.clear();
    const auto which = params(project, name);
    const std::string where = " WHERE ($1 = '' OR project = $1) AND ($2 = '' OR NAME = $2)";
    Status parsed;
    TRY(reader.each(
        "SELECT project, name, spec, active, created_us, last_batch_us, rows, dead, duplicates, "
        "out_of_order, future, batches FROM connect_stream" +
            where + " ORDER BY name",
        which, [&](const store::Cursor& row) -> Status {
          TRY_ASSIGN(const base::Json json, base::parse_json(row.text(2)));
          StreamStatus one;
          TRY_ASSIGN(one.spec, StreamSpec::from_json(json));
          one.spec.project = row.text(0);
          one.state = row.integer(3) != 0 ? "running" : "stopped";
          const auto at = [&](int i) { return static_cast<std::uint64_t>(row.integer(i)); };
          one.created_us = row.integer(4), one.last_batch_us = row.integer(5);
          one.rows = at(6), one.dead = at(7), one.duplicates = at(8), one.out_of_order = at(9);
          one.future = at(10), one.batches = at(11);
          out.push_back(std::move(one));
          return {};
        }));
    for (StreamStatus& one : out) {
      const auto key = params(one.spec.project, one.spec.name);
      TRY(reader.each("SELECT part, next FROM connect_offset WHERE project = $1 AND stream = $2",
                      key, [&](const store::Cursor& row) -> Status {
                        one.next[static_cast<int>(row.integer(0))] = row.integer(1);
                        return {};
                      }));
      TRY(reader.each("SELECT count(*) FROM connect_dead WHERE project = $1 AND stream = $2", key,
                      [&](const store::Cursor& row) -> Status {
                        one.dead_waiting = static_cast<std::uint64_t>(row.integer(0));
                        return {};
                      }));
    }
    return {};
  }));
  return out;
}

Status StreamStore::set_active(const StreamSpec& spec, bool active) {
  return db_.write([&](store::Writer& writer) -> Status {
    TRY(writer.execute("UPDATE connect_stream SET active = $3 WHERE project = $1 AND name = $2",
                       params(spec.project, spec.name, std::int64_t{active})));
    return {};
  });
}

Status StreamStore::remove(const StreamSpec& spec) {
  return db_.write([&](store::Writer& writer) -> Status {
    const auto key = params(spec.project, spec.name);
    for (const char* table : kTables)
      TRY(writer.execute(
          "DELETE FROM " + std::string(table) + " WHERE project = $1 AND stream = $2", key));
    TRY(writer.execute("DELETE FROM connect_stream WHERE project = $1 AND name = $2", key));
    return {};
  });
}

Status StreamStore::record(store::Writer& writer, const StreamSpec& spec,
                           const BatchChange& change) {
  TRY_ASSIGN(
      const std::int64_t there,
      writer.execute(
          "UPDATE connect_stream SET last_batch_us = $3, rows = rows + $4, dead = dead + $5, "
          "duplicates = duplicates + $6, out_of_order = out_of_order + $7, future = future + $8, "
          "batches = batches + 1 WHERE project = $1 AND name = $2",
          params(spec.project, spec.name, change.now_us, as_int(change.rows),
                 as_int(change.dead.size()), as_int(change.duplicates), as_int(change.out_of_order),
                 as_int(change.future))));
  if (there == 0) return fail(Code::kAborted, "the stream was removed: " + spec.name);
  for (const auto& [part, next] : change.next)
    TRY(
        writer.execute("INSERT INTO connect_offset (project, stream, part, next) VALUES ($1, $2, "
                       "$3, $4) ON CONFLICT (project, stream, part) DO UPDATE SET next = "
                       "excluded.next",
                       params(spec.project, spec.name, std::int64_t{part}, next)));
  for (const auto& dead : change.dead)
    TRY(
        writer.execute("INSERT INTO connect_dead (project, stream, part, at, reason, body) VALUES "
                       "($1, $2, $3, $4, $5, $6) ON CONFLICT (project, stream, part, at) DO "
                       "NOTHING",
                       params(spec.project, spec.name, std::int64_t{dead.partition}, dead.offset,
                              dead.reason, store::Blob{dead.bytes})));
  for (const auto& key : change.keys)
    if (!key.empty())
      TRY(
          writer.execute("INSERT INTO connect_key (project, stream, key, seen_us) VALUES ($1, $2, "
                         "$3, $4) ON CONFLICT (project, stream, key) DO NOTHING",
                         params(spec.project, spec.name, key, change.now_us)));
  if (!change.keys.empty())
    TRY(writer.execute("DELETE FROM connect_key WHERE seen_us < $1",
                       params(change.now_us - kKeepKeysUs)));
  return {};
}

base::Result<std::vector<std::string>> StreamStore::seen(const StreamSpec& spec,
                                                         const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  for (std::size_t from = 0; from < keys.size(); from += kKeysAtOnce) {
    auto values = params(spec.project, spec.name);
    std::string list;
    for (std::size_t i = from; i < std::min(keys.size(), from + kKeysAtOnce); ++i) {
      values.emplace_back(keys[i]);
      list += (list.empty() ? "$" : ", $") + std::to_string(values.size());
    }
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT key FROM connect_key WHERE project = $1 AND stream = $2 AND key "
                         "IN (" +
                             list + ")",
                         values));
    for (const auto& row : rows) out.push_back(row.text(0));
  }
  return out;
}

base::Result<std::vector<DeadLetter>> StreamStore::dead(const StreamSpec& spec, std::size_t most) {
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT part, at, reason, body FROM connect_dead WHERE project = $1 AND "
                       "stream = $2 ORDER BY part, at LIMIT $3",
                       params(spec.project, spec.name, as_int(most))));
  std::vector<DeadLetter> out;
  for (const auto& row : rows)
    out.push_back({static_cast<int>(row.integer(0)), row.integer(1), row.text(2), row.bytes(3)});
  return out;
}

Status StreamStore::forget_dead(store::Writer& writer, const StreamSpec& spec,
                                const std::vector<DeadLetter>& dead) {
  for (const auto& one : dead)
    TRY(
        writer.execute("DELETE FROM connect_dead WHERE project = $1 AND stream = $2 AND part = $3 "
                       "AND at = $4",
                       params(spec.project, spec.name, std::int64_t{one.partition}, one.offset)));
  return {};
}

base::Result<std::uint64_t> StreamStore::push(const StreamSpec& spec, std::uint64_t events,
                                              const std::string& body,
                                              const std::string& request_key, std::int64_t now_us) {
  std::uint64_t accepted = 0;
  TRY(db_.write([&](store::Writer& writer) -> Status {
    accepted = 0;
    const auto key = params(spec.project, spec.name);
    TRY_ASSIGN(const auto ends,
               writer.query("SELECT coalesce(sum(bytes), 0), coalesce(max(first + events), 0) FROM "
                            "connect_push WHERE project = $1 AND stream = $2",
                            key));
    if (ends[0].integer(0) > kMaxBacklogBytes)
      return fail(Code::kResourceExhausted,
                  "too many events wait to become rows: stream " + spec.name,
                  "send slower; `maru stream show " + spec.name + "` tells why they wait");
    TRY_ASSIGN(const auto taken,
               writer.query("SELECT next FROM connect_offset WHERE project = $1 AND stream = $2 "
                            "AND part = 0",
                            key));
    const std::int64_t first =
        std::max(ends[0].integer(1), taken.empty() ? std::int64_t{0} : taken[0].integer(0));
    if (!request_key.empty()) {
      TRY(
          writer.execute("DELETE FROM connect_request WHERE project = $1 AND stream = $2 AND "
                         "seen_us < $3",
                         params(spec.project, spec.name, now_us - kKeepKeysUs)));
      TRY_ASSIGN(const std::int64_t fresh,
                 writer.execute("INSERT INTO connect_request (project, stream, key, seen_us) "
                                "VALUES ($1, $2, $3, $4) ON CONFLICT (project, stream, key) DO "
                                "NOTHING",
                                params(spec.project, spec.name, request_key, now_us)));
      if (fresh == 0) return {};
    }
    TRY(
        writer.execute("INSERT INTO connect_push (project, stream, first, events, bytes, body) "
                       "VALUES ($1, $2, $3, $4, $5, $6)",
                       params(spec.project, spec.name, first, as_int(events), as_int(body.size()),
                              store::Blob{body})));
    accepted = events;
    return {};
  }));
  return accepted;
}

}  // namespace maru::connect
