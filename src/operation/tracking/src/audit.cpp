#include "audit.h"

#include "maru/base/hash.h"

namespace maru::tracking {
namespace {

using base::Json;
using store::params;

constexpr std::int64_t kPage = 1000;

std::string chained(const std::string& before, std::int64_t number, const AuditEntry& entry) {
  return base::sha256_hex(Json::object({{"before", before},
                                        {"number", number},
                                        {"time_us", entry.time_us},
                                        {"principal", entry.principal},
                                        {"action", entry.action},
                                        {"object", entry.object},
                                        {"detail", entry.detail}})
                              .dump());
}

}  // namespace

base::Status append_audit(store::Writer& writer, const AuditEntry& entry) {
  TRY_ASSIGN(const auto last,
             writer.query("SELECT number, chain FROM audit_entries ORDER BY number DESC LIMIT 1"));
  const std::int64_t number = last.empty() ? 1 : last[0].integer(0) + 1;
  const std::string chain = chained(last.empty() ? std::string() : last[0].text(1), number, entry);
  const auto cells = params(number, entry.time_us, entry.principal, entry.action, entry.object,
                            entry.detail, chain);
  TRY(writer.execute(
      "INSERT INTO audit_entries (number, time_us, principal, action, object, detail, chain) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      cells));
  return {};
}

base::Result<std::uint64_t> check_audit(store::Database& db) {
  std::string before;
  std::int64_t expected = 1;
  for (;;) {
    const auto from = params(expected, kPage);
    TRY_ASSIGN(const auto rows,
               db.query("SELECT number, time_us, principal, action, object, detail, chain FROM "
                        "audit_entries WHERE number >= $1 ORDER BY number LIMIT $2",
                        from));
    if (rows.empty()) return static_cast<std::uint64_t>(expected - 1);
    for (const auto& row : rows) {
      const AuditEntry entry{row.integer(1), row.text(2), row.text(3), row.text(4), row.text(5)};
      const std::string chain = chained(before, expected, entry);
      if (row.integer(0) != expected || row.text(6) != chain) {
        return base::fail(base::Code::kDataLoss,
                          "the audit trail was changed at entry " + std::to_string(expected),
                          "compare it with a backup");
      }
      before = chain;
      ++expected;
    }
  }
}

}  // namespace maru::tracking
