#include "maru/connect/secrets.h"

#include <cstdlib>

#include "maru/base/text.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using store::params;

constexpr std::size_t kMaxNameBytes = 100;
constexpr std::size_t kMaxValueBytes = 16u << 10;

constexpr store::Migration kMigrations[] = {{1, R"sql(
CREATE TABLE connect_secret (name TEXT PRIMARY KEY, value TEXT NOT NULL, host TEXT NOT NULL, updated_us BIGINT NOT NULL);
)sql"}};

bool is_name(std::string_view name) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !name.empty() && name.size() <= kMaxNameBytes &&
         name.find_first_not_of(kLetters) == std::string_view::npos;
}

class StoredSecrets final : public Secrets {
 public:
  StoredSecrets(store::Database& db, base::SealKey key, base::Clock& clock)
      : db_(db), key_(key), clock_(clock) {}

  base::Status put(const std::string& name, const std::string& value,
                   const std::string& host) override {
    if (!is_name(name))
      return fail(Code::kInvalidArgument,
                  "not a name of a secret: " + name.substr(0, kMaxNameBytes),
                  "letters, digits, - _ . and at most 100 of them");
    if (value.empty() || value.size() > kMaxValueBytes)
      return fail(Code::kInvalidArgument,
                  value.empty() ? "the secret is empty" : "the secret is longer than 16 KiB");
    if (host.empty())
      return fail(Code::kInvalidArgument, "a secret needs the host that it is for",
                  "for example --host db.example.com; it is sent to no other");
    return db_.write([&](store::Writer& writer) -> base::Status {
      TRY(writer.execute(
          "INSERT INTO connect_secret (name, value, host, updated_us) VALUES ($1, $2, $3, $4) ON "
          "CONFLICT (name) DO UPDATE SET value = excluded.value, host = excluded.host, updated_us "
          "= excluded.updated_us",
          params(name, key_.seal(value, owner(name)), base::to_lower_ascii(host),
                 clock_.now_us())));
      return {};
    });
  }

  base::Result<std::vector<SecretInfo>> list() override {
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT name, host, updated_us FROM connect_secret ORDER BY name"));
    std::vector<SecretInfo> out;
    for (const auto& row : rows) out.push_back({row.text(0), row.text(1), row.integer(2)});
    return out;
  }

  base::Status remove(const std::string& name) override {
    return db_.write([&](store::Writer& writer) -> base::Status {
      TRY_ASSIGN(const std::int64_t gone,
                 writer.execute("DELETE FROM connect_secret WHERE name = $1", params(name)));
      if (gone == 0) return fail(Code::kNotFound, "no such secret: " + name);
      return {};
    });
  }

  base::Result<std::string> value(const std::string& name, const std::string& host) override {
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT value, host FROM connect_secret WHERE name = $1", params(name)));
    if (!rows.empty()) {
      if (rows[0].text(1) != base::to_lower_ascii(host))
        return fail(Code::kPermissionDenied,
                    "the secret `" + name + "` is for another host than " + host,
                    "it is for " + rows[0].text(1));
      return key_.unseal(rows[0].text(0), owner(name));
    }
    if (is_name(name)) {
      std::string variable = "MARU_SECRET_";
      for (const char c : name) {
        const bool lower = c >= 'a' && c <= 'z';
        variable += lower ? static_cast<char>(c - 'a' + 'A') : c == '-' || c == '.' ? '_' : c;
      }
      if (const char* given = std::getenv(variable.c_str()); given != nullptr)
        return std::string(given);
    }
    TRY_ASSIGN(const auto all, list());
    std::vector<std::string> names;
    for (const auto& one : all) names.push_back(one.name);
    const std::string near = base::did_you_mean(name, names);
    return fail(Code::kNotFound, "no such secret: " + name,
                near.empty() ? "maru secret set " + name + " --host HOST" : near);
  }

 private:
  static std::string owner(const std::string& name) { return "connect:" + name; }
  store::Database& db_;
  const base::SealKey key_;
  base::Clock& clock_;
};

}  // namespace

base::Result<std::unique_ptr<Secrets>> Secrets::open(store::Database& db, base::SealKey key,
                                                     base::Clock& clock) {
  TRY(db.migrate("connect_secret", kMigrations));
  return std::unique_ptr<Secrets>(std::make_unique<StoredSecrets>(db, key, clock));
}

}  // namespace maru::connect
