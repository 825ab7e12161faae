#include "maru/tracking/webhooks.h"

#include <algorithm>
#include <array>
#include <set>

#include "maru/base/hash.h"
#include "maru/base/id.h"
#include "maru/base/text.h"
#include "webhook_examples.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using store::params;
using store::Row;
using store::Writer;

constexpr std::array<store::Migration, 3> kMigrations = {{{1, R"sql(
CREATE TABLE webhooks (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL, active BIGINT NOT NULL,
  created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL);
CREATE TABLE webhook_events (entity TEXT NOT NULL, action TEXT NOT NULL, webhook_id TEXT NOT NULL, PRIMARY KEY (entity, action, webhook_id));
CREATE TABLE webhook_deliveries (
  id TEXT PRIMARY KEY, webhook_id TEXT NOT NULL, entity TEXT NOT NULL, action TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL,
  attempts BIGINT NOT NULL, response_status BIGINT NOT NULL, error TEXT NOT NULL, created_us BIGINT NOT NULL, tried_us BIGINT NOT NULL,
  next_us BIGINT NOT NULL);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (state, next_us);
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (webhook_id, created_us);
)sql"},
                                                          {2, R"sql(
ALTER TABLE webhook_events ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
)sql"},
                                                          {3, R"sql(
ALTER TABLE webhooks ADD COLUMN sealed BIGINT NOT NULL DEFAULT 0;
)sql"}}};

constexpr const char* kDeliveryColumns =
    "SELECT id, webhook_id, entity, action, state, attempts, response_status, error, created_us, "
    "tried_us, next_us FROM webhook_deliveries ";

std::string uuid_of(const base::Clock& clock) {
  const std::string id = base::new_id(clock);
  std::string out;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    out += id[i];
  }
  return out;
}

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Status check_name(const std::string& name) {
  const bool inside = std::all_of(name.begin(), name.end(), [](char c) {
    return letter_or_digit(c) || c == '_' || c == '.' || c == '-';
  });
  if (!name.empty() && name.size() <= kMaxWebhookNameChars && inside &&
      letter_or_digit(name.front()) && letter_or_digit(name.back()))
    return {};
  return base::fail(Code::kInvalidArgument,
                    "Webhook name '" + base::replace_invalid_utf8(name.substr(0, 80)) +
                        "' is invalid. It must start and end with a letter or digit, be at most " +
                        std::to_string(kMaxWebhookNameChars) +
                        " characters, and contain only letters, digits, '_', '.' and '-'.");
}

// The address itself is judged when it is called: a name may mean another one by then.
Status check_url(const std::string& url) {
  if (base::trim(url).empty())
    return base::fail(Code::kInvalidArgument,
                      "Webhook URL cannot be empty or just whitespace: '" + url + "'");
  const std::string lower = base::to_lower_ascii(url);
  const std::size_t start = lower.starts_with("https://")  ? 8
                            : lower.starts_with("http://") ? 7
                                                           : 0;
  if (start == 0)
    return base::fail(Code::kInvalidArgument, "Invalid webhook URL scheme: '" +
                                                  url.substr(0, url.find(':')) +
                                                  "'. Allowed schemes are: http, https");
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '\\';
  });
  const std::string host = url.substr(start, url.find_first_of("/?#", start) - start);
  const bool open = (host.find('[') == std::string::npos) != (host.find(']') == std::string::npos);
  if (!plain || url.size() > kMaxWebhookUrlBytes || host.empty() || host.front() == ':' || open)
    return base::fail(Code::kInvalidArgument,
                      "Invalid webhook URL: it must include a hostname, at most " +
                          std::to_string(kMaxWebhookUrlBytes) + " bytes without spaces");
  if (host.find('@') != std::string::npos)
    return base::fail(Code::kInvalidArgument, "Webhook URL must not hold a user or a password",
                      "sign the messages with a secret instead");
  return {};
}

Status check_events(const std::vector<WebhookEvent>& events) {
  if (events.empty())
    return base::fail(Code::kInvalidArgument,
                      "Webhook events must be a non-empty list of WebhookEvent objects");
  const auto& known = webhook_events();
  for (const auto& event : events) {
    if (std::find(known.begin(), known.end(), event) == known.end())
      return base::fail(Code::kInvalidArgument,
                        "Invalid action '" + event.action + "' for entity '" + event.entity + "'");
  }
  return {};
}

Status check_texts(const std::string& description, const std::string& secret) {
  if (description.size() > kMaxWebhookDescriptionBytes)
    return base::fail(Code::kInvalidArgument, "The webhook's description is longer than " +
                                                  std::to_string(kMaxWebhookDescriptionBytes) +
                                                  " bytes");
  if (secret.size() > kMaxWebhookSecretBytes)
    return base::fail(
        Code::kInvalidArgument,
        "The webhook's secret is longer than " + std::to_string(kMaxWebhookSecretBytes) + " bytes");
  return {};
}

Status put_events(Writer& writer, const std::string& id, const std::vector<WebhookEvent>& events) {
  std::int64_t position = 0;
  for (const auto& event : events) {
    const auto cells = params(event.entity, event.action, id, position++);
    TRY(
        writer.execute("INSERT INTO webhook_events (entity, action, webhook_id, position) VALUES "
                       "($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                       cells));
  }
  return {};
}

tl::unexpected<base::Error> no_webhook(const std::string& id) {
  return base::fail(Code::kNotFound, "Webhook with ID " + id + " not found.");
}

Webhook webhook_of(const Row& row) {
  Webhook out{row.text(0), row.text(1),         row.text(2),           row.text(3),
              {},          row.integer(4) != 0, row.integer(5) / 1000, row.integer(6) / 1000};
  return out;
}

Delivery delivery_of(const Row& row) {
  return {row.text(0),
          row.text(1),
          {row.text(2), row.text(3)},
          row.text(4),
          static_cast<int>(row.integer(5)),
          static_cast<int>(row.integer(6)),
          row.text(7),
          row.integer(8),
          row.integer(9),
          row.integer(10)};
}

std::string body_of(const WebhookEvent& event, std::int64_t now_us, const Json& payload) {
  return Json::object({{"entity", event.entity},
                       {"action", event.action},
                       {"timestamp", base::format_time_us(now_us)},
                       {"data", payload}})
      .dump();
}

WebhookMessage message_of(const std::string& url, const std::string& secret,
                          const std::string& delivery_id, std::int64_t now_us, std::string body) {
  const std::string timestamp = std::to_string(now_us / 1'000'000);
  WebhookMessage out{url,
                     {{"Content-Type", "application/json"},
                      {"User-Agent", "maru-webhook"},
                      {"X-MLflow-Delivery-Id", delivery_id},
                      {"X-MLflow-Timestamp", timestamp}},
                     std::move(body)};
  if (!secret.empty())
    out.headers.emplace_back("X-MLflow-Signature",
                             webhook_signature(secret, delivery_id, timestamp, out.body));
  return out;
}

// What an attempt means for its delivery.
struct Outcome {
  std::string state;
  int status = 0;
  std::string error;
  std::int64_t delay_us = 0;
};

Outcome judge(const Result<WebhookAnswer>& answer, int attempts, base::Rng& rng) {
  Outcome out;
  bool final = attempts >= kMaxDeliveryAttempts;
  if (answer) {
    out.status = answer->status;
    if (answer->status >= 200 && answer->status < 300) return {"delivered", answer->status, "", 0};
    out.error = "answered " + std::to_string(answer->status);
    final |= answer->status < 500 && answer->status != 408 && answer->status != 429;
  } else {
    out.error = answer.error().message;
    final |= answer.error().code == Code::kRefused ||
             answer.error().code == Code::kPermissionDenied ||
             answer.error().code == Code::kInvalidArgument;
  }
  out.state = final ? "failed" : "waiting";
  if (final) return out;
  constexpr std::int64_t kSecondUs = 1'000'000;
  const std::int64_t doubled = kSecondUs << std::min(attempts - 1, 20);
  const std::int64_t asked = answer ? answer->retry_after_ms * 1000 : 0;
  out.delay_us = std::min(std::max(doubled, asked), kMaxDeliveryDelayUs) +
                 static_cast<std::int64_t>(rng.below(kSecondUs));
  return out;
}

class StoredWebhooks final : public Webhooks {
 public:
  StoredWebhooks(store::Database& db, base::Clock& clock, std::optional<base::SealKey> key)
      : db_(db), clock_(clock), key_(std::move(key)) {}

  // Secrets that were written before there was a key.
  Status seal_plain() {
    if (!key_) return {};
    return db_.write([&](Writer& writer) -> Status {
      TRY_ASSIGN(const auto rows,
                 writer.query("SELECT id, secret FROM webhooks WHERE sealed = 0 AND secret <> ''"));
      for (const Row& row : rows) {
        const auto cells = params(row.text(0), kept(row.text(0), row.text(1)));
        TRY(writer.execute("UPDATE webhooks SET secret = $2, sealed = 1 WHERE id = $1", cells));
      }
      return {};
    });
  }

  Result<Webhook> create(const Webhook& webhook, const std::string& secret) override {
    TRY(check_name(webhook.name));
    TRY(check_url(webhook.url));
    TRY(check_events(webhook.events));
    TRY(check_texts(webhook.description, secret));
    const std::string id = uuid_of(clock_);
    TRY(db_.write([&](Writer& writer) -> Status {
      TRY_ASSIGN(const auto rows, writer.query("SELECT COUNT(*) FROM webhooks"));
      if (rows[0].integer(0) >= static_cast<std::int64_t>(kMaxWebhooks))
        return base::fail(Code::kResourceExhausted,
                          "there are already " + std::to_string(kMaxWebhooks) + " webhooks");
      const auto now = clock_.now_us();
      const auto cells =
          params(id, webhook.name, webhook.description, webhook.url, kept(id, secret),
                 std::int64_t{webhook.active}, now, now, std::int64_t{key_.has_value()});
      TRY(
          writer.execute("INSERT INTO webhooks (id, name, description, url, secret, active, "
                         "created_us, updated_us, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
                         "$9)",
                         cells));
      return put_events(writer, id, webhook.events);
    }));
    return get(id);
  }

  Result<Webhook> get(const std::string& id) override {
    TRY_ASSIGN(auto found, read("WHERE id = $1", params(id)));
    if (found.empty()) return no_webhook(id);
    return std::move(found.front());
  }

  Result<std::vector<Webhook>> list() override {
    return read("ORDER BY created_us DESC, id DESC", {});
  }

  Result<Webhook> update(const std::string& id, const WebhookChange& change) override {
    if (change.name) {
      TRY(check_name(*change.name));
    }
    if (change.url) {
      TRY(check_url(*change.url));
    }
    if (change.events) {
      TRY(check_events(*change.events));
    }
    TRY(check_texts(change.description.value_or(""), change.secret.value_or("")));
    TRY(db_.write([&](Writer& writer) -> Status {
      const auto key = params(id);
      TRY_ASSIGN(
          const auto rows,
          writer.query("SELECT name, description, url, secret, active, updated_us FROM webhooks "
                       "WHERE id = $1",
                       key));
      if (rows.empty()) return no_webhook(id);
      const Row& old = rows[0];
      const auto cells = params(
          id, change.name.value_or(old.text(0)), change.description.value_or(old.text(1)),
          change.url.value_or(old.text(2)), change.secret ? kept(id, *change.secret) : old.text(3),
          std::int64_t{change.active.value_or(old.integer(4) != 0)},
          std::max(clock_.now_us(), old.integer(5) + 1000));  // later, in milliseconds too
      TRY(
          writer.execute("UPDATE webhooks SET name = $2, description = $3, url = $4, secret = $5, "
                         "active = $6, updated_us = $7 WHERE id = $1",
                         cells));
      if (!change.events) return {};
      TRY(writer.execute("DELETE FROM webhook_events WHERE webhook_id = $1", key));
      return put_events(writer, id, *change.events);
    }));
    return get(id);
  }

  Status remove(const std::string& id) override {
    return db_.write([&](Writer& writer) -> Status {
      const auto key = params(id);
      TRY_ASSIGN(const auto removed, writer.execute("DELETE FROM webhooks WHERE id = $1", key));
      if (removed == 0) return no_webhook(id);
      TRY(writer.execute("DELETE FROM webhook_events WHERE webhook_id = $1", key));
      TRY(writer.execute("DELETE FROM webhook_deliveries WHERE webhook_id = $1", key));
      return {};
    });
  }

  Result<WebhookAnswer> test(const std::string& id, const std::optional<WebhookEvent>& event,
                             WebhookSender& sender) override {
    TRY_ASSIGN(const Webhook webhook, get(id));
    if (event) {
      TRY(check_events({*event}));
    }
    const WebhookEvent chosen = event.value_or(webhook.events.front());
    TRY_ASSIGN(const auto rows, db_.query("SELECT secret FROM webhooks WHERE id = $1", params(id)));
    if (rows.empty()) return no_webhook(id);
    TRY_ASSIGN(const std::string secret, told(id, rows[0].text(0)));
    const std::int64_t now = clock_.now_us();
    return sender.send(
        message_of(webhook.url, secret, uuid_of(clock_), now,
                   body_of(chosen, now, example_payload(chosen.entity, chosen.action))));
  }

  Result<std::vector<Delivery>> deliveries(const std::string& id, std::size_t limit) override {
    TRY(get(id));
    TRY_ASSIGN(const auto rows,
               db_.query(std::string(kDeliveryColumns) +
                             "WHERE webhook_id = $1 ORDER BY created_us DESC, id DESC LIMIT $2",
                         params(id, static_cast<std::int64_t>(limit))));
    std::vector<Delivery> out;
    for (const Row& row : rows) out.push_back(delivery_of(row));
    return out;
  }

  Result<std::size_t> deliver_due(WebhookSender& sender, base::Rng& rng,
                                  std::size_t limit) override {
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT d.id, d.webhook_id, d.attempts, d.body, w.url, w.secret FROM "
                         "webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE "
                         "d.state = 'waiting' AND d.next_us <= $1 ORDER BY d.next_us, d.id LIMIT "
                         "$2",
                         params(clock_.now_us(), static_cast<std::int64_t>(limit))));
    for (const Row& row : rows) {
      const int attempts = static_cast<int>(row.integer(2)) + 1;
      const auto secret = told(row.text(1), row.text(5));
      // Never unsigned: what cannot be signed waits for the key to come back.
      const auto answer = secret ? sender.send(message_of(row.text(4), *secret, row.text(0),
                                                          clock_.now_us(), row.text(3)))
                                 : Result<WebhookAnswer>(tl::unexpected(secret.error()));
      TRY(record(row.text(0), row.text(1), attempts, judge(answer, attempts, rng)));
    }
    return rows.size();
  }

 private:
  // A secret as it rests; "" stays "", so that it is known that there is none.
  std::string kept(const std::string& id, const std::string& secret) const {
    return key_ && !secret.empty() ? key_->seal(secret, id) : secret;
  }
  Result<std::string> told(const std::string& id, const std::string& resting) const {
    if (!key_ || resting.empty()) return resting;
    return key_->unseal(resting, id);
  }
  Status record(const std::string& id, const std::string& webhook_id, int attempts,
                const Outcome& outcome) {
    return db_.write([&](Writer& writer) -> Status {
      const auto now = clock_.now_us();
      const auto cells =
          params(id, outcome.state, std::int64_t{attempts}, std::int64_t{outcome.status},
                 outcome.error, now, now + outcome.delay_us);
      TRY(
          writer.execute("UPDATE webhook_deliveries SET state = $2, attempts = $3, "
                         "response_status = $4, error = $5, tried_us = $6, next_us = $7 WHERE id "
                         "= $1",
                         cells));
      if (outcome.state == "waiting") return {};
      const auto kept = params(webhook_id, static_cast<std::int64_t>(kKeptDeliveries));
      TRY(writer.execute(
          "DELETE FROM webhook_deliveries WHERE webhook_id = $1 AND state <> 'waiting' AND "
          "created_us < (SELECT MIN(created_us) FROM (SELECT created_us FROM webhook_deliveries "
          "WHERE webhook_id = $1 ORDER BY created_us DESC LIMIT $2) AS kept)",
          kept));
      return {};
    });
  }

  Result<std::vector<Webhook>> read(const std::string& tail,
                                    const std::vector<store::Value>& cells) {
    TRY_ASSIGN(const auto rows, db_.query("SELECT id, name, description, url, active, created_us, "
                                          "updated_us FROM webhooks " +
                                              tail,
                                          cells));
    std::vector<Webhook> out;
    for (const Row& row : rows) {
      Webhook webhook = webhook_of(row);
      TRY_ASSIGN(const auto events,
                 db_.query("SELECT entity, action FROM webhook_events WHERE webhook_id = $1 "
                           "ORDER BY position",
                           params(webhook.id)));
      for (const Row& event : events) webhook.events.push_back({event.text(0), event.text(1)});
      out.push_back(std::move(webhook));
    }
    return out;
  }

  store::Database& db_;
  base::Clock& clock_;
  std::optional<base::SealKey> key_;
};

}  // namespace

const std::vector<WebhookEvent>& webhook_events() {
  static const std::vector<WebhookEvent> events = {{"registered_model", "created"},
                                                   {"model_version", "created"},
                                                   {"model_version_tag", "set"},
                                                   {"model_version_tag", "deleted"},
                                                   {"model_version_alias", "created"},
                                                   {"model_version_alias", "deleted"},
                                                   {"prompt", "created"},
                                                   {"prompt_version", "created"},
                                                   {"prompt_tag", "set"},
                                                   {"prompt_tag", "deleted"},
                                                   {"prompt_version_tag", "set"},
                                                   {"prompt_version_tag", "deleted"},
                                                   {"prompt_alias", "created"},
                                                   {"prompt_alias", "deleted"},
                                                   {"run", "created"},
                                                   {"run", "updated"},
                                                   {"run", "deleted"}};
  return events;
}

Status enqueue_event(Writer& writer, std::int64_t now_us, std::string_view entity,
                     std::string_view action, const Json& payload) {
  const WebhookEvent event{std::string(entity), std::string(action)};
  const auto cells = params(event.entity, event.action);
  TRY_ASSIGN(const auto rows,
             writer.query("SELECT e.webhook_id FROM webhook_events e JOIN webhooks w ON w.id = "
                          "e.webhook_id WHERE e.entity = $1 AND e.action = $2 AND w.active = 1",
                          cells));
  if (rows.empty()) return {};
  TRY(check_events({event}));
  const std::string body = body_of(event, now_us, payload);
  base::ManualClock clock(now_us);
  for (const Row& row : rows) {
    const auto delivery =
        params(uuid_of(clock), row.text(0), event.entity, event.action, body, now_us, now_us);
    TRY(writer.execute(
        "INSERT INTO webhook_deliveries (id, webhook_id, entity, action, body, state, attempts, "
        "response_status, error, created_us, tried_us, next_us) VALUES ($1, $2, $3, $4, $5, "
        "'waiting', 0, 0, '', $6, 0, $7)",
        delivery));
  }
  return {};
}

std::string webhook_signature(std::string_view secret, std::string_view delivery_id,
                              std::string_view timestamp, std::string_view body) {
  std::string content(delivery_id);
  content += '.';
  content += timestamp;
  content += '.';
  content += body;
  std::string out = "v1,";
  out += base::base64(base::hmac_sha256(secret, content));
  return out;
}

Result<std::unique_ptr<Webhooks>> Webhooks::open(store::Database& db, base::Clock& clock,
                                                 std::optional<base::SealKey> key) {
  TRY(db.migrate("tracking.webhooks", kMigrations));
  auto out = std::make_unique<StoredWebhooks>(db, clock, std::move(key));
  TRY(out->seal_plain());
  return std::unique_ptr<Webhooks>(std::move(out));
}

}  // namespace maru::tracking
