#include "reward_book.h"

namespace maru::serve {
namespace {

using store::params;

constexpr store::Migration kMigrations[] = {
    {1, R"sql(
CREATE TABLE serve_rewards (
  endpoint TEXT NOT NULL,
  id TEXT NOT NULL,
  version BIGINT NOT NULL,
  segment BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  predicted_us BIGINT NOT NULL,
  PRIMARY KEY (endpoint, id)
) WITHOUT ROWID;
CREATE TABLE serve_experiments (
  endpoint TEXT PRIMARY KEY,
  route TEXT NOT NULL,
  from_us BIGINT NOT NULL,
  state TEXT NOT NULL
);
CREATE TABLE serve_shares (
  endpoint TEXT NOT NULL,
  time_us BIGINT NOT NULL,
  shares TEXT NOT NULL,
  PRIMARY KEY (endpoint, time_us)
);
)sql"},
};

}  // namespace

base::Result<std::unique_ptr<RewardBook>> RewardBook::open(store::Database& db) {
  TRY(db.migrate("serve", kMigrations));
  return std::make_unique<RewardBook>(Key{}, db);
}

base::Result<std::vector<bool>> RewardBook::add(const std::string& endpoint,
                                                const std::vector<RewardRow>& rows) {
  std::vector<bool> fresh;
  TRY(db_.write([&](store::Writer& writer) -> base::Status {
    fresh.clear();
    for (const RewardRow& row : rows) {
      TRY_ASSIGN(const std::int64_t changed,
                 writer.execute(
                     "INSERT INTO serve_rewards (endpoint, id, version, segment, value, "
                     "predicted_us) VALUES ($1, $2, $3, $4, $5, $6) "
                     "ON CONFLICT DO NOTHING",
                     params(endpoint, row.id, std::int64_t{row.version},
                            static_cast<std::int64_t>(row.segment), row.value, row.predicted_us)));
      fresh.push_back(changed > 0);
    }
    return {};
  }));
  return fresh;
}

base::Result<RewardSums> RewardBook::sums(const std::string& endpoint,
                                          std::int64_t predicted_from_us) {
  TRY_ASSIGN(const store::Rows rows,
             db_.query("SELECT version, segment, COUNT(*), SUM(value), SUM(value * value) FROM "
                       "serve_rewards WHERE endpoint = $1 AND predicted_us >= $2 "
                       "GROUP BY version, segment",
                       params(endpoint, predicted_from_us)));
  RewardSums out;
  for (const store::Row& row : rows)
    out[{static_cast<int>(row.integer(0)), static_cast<std::size_t>(row.integer(1))}] = {
        static_cast<std::uint64_t>(row.integer(2)), row.real(3), row.real(4)};
  return out;
}

base::Result<RewardBook::Standing> RewardBook::stand(const std::string& endpoint,
                                                     const std::string& key, std::int64_t now_us) {
  Standing out;
  TRY(db_.write([&](store::Writer& writer) -> base::Status {
    TRY_ASSIGN(const store::Rows rows,
               writer.query("SELECT from_us, state FROM serve_experiments WHERE endpoint = $1 AND "
                            "route = $2",
                            params(endpoint, key)));
    if (!rows.empty()) {
      out.from_us = rows[0].integer(0);
      TRY_ASSIGN(out.state, base::parse_json(rows[0].text(1)));
      return {};
    }
    out = {now_us, base::Json()};
    for (const char* old : {"DELETE FROM serve_rewards WHERE endpoint = $1 AND predicted_us < $2",
                            "DELETE FROM serve_shares WHERE endpoint = $1 AND time_us < $2"})
      TRY(writer.execute(old, params(endpoint, now_us - kKeepRewardsUs)));
    TRY(
        writer.execute("INSERT INTO serve_experiments (endpoint, route, from_us, state) VALUES "
                       "($1, $2, $3, 'null') ON CONFLICT (endpoint) DO UPDATE SET route = $2, "
                       "from_us = $3, state = 'null'",
                       params(endpoint, key, now_us)));
    return {};
  }));
  return out;
}

base::Status RewardBook::keep(const std::string& endpoint, const base::Json& state) {
  return db_.write([&](store::Writer& writer) -> base::Status {
    TRY(writer.execute("UPDATE serve_experiments SET state = $2 WHERE endpoint = $1",
                       params(endpoint, state.dump())));
    return {};
  });
}

base::Status RewardBook::forget(const std::string& endpoint) {
  return db_.write([&](store::Writer& writer) -> base::Status {
    TRY(writer.execute("DELETE FROM serve_experiments WHERE endpoint = $1", params(endpoint)));
    return {};
  });
}

base::Status RewardBook::erase(const std::string& endpoint) {
  return db_.write([&](store::Writer& writer) -> base::Status {
    for (const char* table : {"serve_rewards", "serve_experiments", "serve_shares"})
      TRY(writer.execute("DELETE FROM " + std::string(table) + " WHERE endpoint = $1",
                         params(endpoint)));
    return {};
  });
}

base::Status RewardBook::note_shares(const std::string& endpoint, std::int64_t time_us,
                                     const base::Json& shares) {
  return db_.write([&](store::Writer& writer) -> base::Status {
    TRY(
        writer.execute("INSERT INTO serve_shares (endpoint, time_us, shares) VALUES ($1, $2, $3) "
                       "ON CONFLICT (endpoint, time_us) DO UPDATE SET shares = $3",
                       params(endpoint, time_us, shares.dump())));
    return {};
  });
}

base::Result<base::Json> RewardBook::shares_at(const std::string& endpoint, std::int64_t time_us) {
  TRY_ASSIGN(const store::Rows rows,
             db_.query("SELECT time_us, shares FROM serve_shares WHERE endpoint = $1 AND "
                       "time_us <= $2 ORDER BY time_us DESC LIMIT 1",
                       params(endpoint, time_us)));
  if (rows.empty())
    return base::fail(base::Code::kNotFound, "nothing is noted of the route at that time");
  TRY_ASSIGN(base::Json out, base::parse_json(rows[0].text(1)));
  return out.set("from_us", rows[0].integer(0));
}

}  // namespace maru::serve
