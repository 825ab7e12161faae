#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/base/rng.h"
#include "maru/base/seal.h"
#include "maru/store/database.h"

// Webhooks: who wants to hear of which events, a durable outbox, and what became of every delivery. MLflow's events and signature
// (mlflow.md §1.6), and those of runs. An event is stored in the transaction that caused it, so none is lost and none is invented;
// delivery is at least once, and a repeated delivery keeps its id.
namespace maru::tracking {

struct WebhookEvent {
  std::string entity;  // "registered_model", "model_version", "run", ...
  std::string action;  // "created", "updated", "set", "deleted"
  bool operator==(const WebhookEvent&) const = default;
};
// All that exist, in a fixed order.
const std::vector<WebhookEvent>& webhook_events();

// The secret is never read back.
struct Webhook {
  std::string id, name, description, url;
  std::vector<WebhookEvent> events;
  bool active = true;
  std::int64_t created_ms = 0, updated_ms = 0;
};

struct WebhookChange {  // what is not set stays
  std::optional<std::string> name, description, url, secret;
  std::optional<std::vector<WebhookEvent>> events;
  std::optional<bool> active;
};

struct Delivery {
  std::string id, webhook_id;
  WebhookEvent event;
  std::string state;  // waiting | delivered | failed
  int attempts = 0;
  int response_status = 0;  // of the last attempt; 0: none
  std::string error;        // of the last attempt
  std::int64_t created_us = 0;
  std::int64_t tried_us = 0;  // 0: never
  std::int64_t next_us = 0;   // when it is tried (again), while it waits
};

struct WebhookMessage {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
struct WebhookAnswer {
  int status = 0;
  std::string body;
  std::int64_t retry_after_ms = 0;  // 0: not said
};
// Sends one POST. kRefused and kPermissionDenied are final (an address that may not be called), other errors are tried again.
class WebhookSender {
 public:
  virtual ~WebhookSender() = default;
  virtual base::Result<WebhookAnswer> send(const WebhookMessage& message) = 0;
};

inline constexpr std::size_t kMaxWebhookNameChars = 63;
inline constexpr std::size_t kMaxWebhookUrlBytes = 500;
inline constexpr std::size_t kMaxWebhookDescriptionBytes = 1000;
inline constexpr std::size_t kMaxWebhookSecretBytes = 1000;
inline constexpr std::size_t kMaxWebhooks = 1000;
inline constexpr int kMaxDeliveryAttempts = 12;  // 1 s, 2 s, 4 s, ... 30 min: about three hours
inline constexpr std::int64_t kMaxDeliveryDelayUs = 1'800'000'000;
inline constexpr std::size_t kKeptDeliveries = 1000;  // finished ones, of one webhook

// Stores the event for every active webhook that asked for it, inside the caller's transaction. Cheap when nobody did.
// `payload` is MLflow's ("name", "version", ...). kInvalidArgument for an event that does not exist.
base::Status enqueue_event(store::Writer& writer, std::int64_t now_us, std::string_view entity,
                           std::string_view action, const base::Json& payload);

// "v1," and the base64 of HMAC-SHA256(secret, "<delivery id>.<timestamp>.<body>").
std::string webhook_signature(std::string_view secret, std::string_view delivery_id,
                              std::string_view timestamp, std::string_view body);

// Every successful write is durable. Thread safe.
class Webhooks {
 public:
  // With a key no secret rests in plain text, also not one that was written before.
  static base::Result<std::unique_ptr<Webhooks>> open(store::Database& db, base::Clock& clock,
                                                      std::optional<base::SealKey> key = {});
  virtual ~Webhooks() = default;
  // kInvalidArgument for a bad name, URL (http or https with a host), event list or a limit.
  virtual base::Result<Webhook> create(const Webhook& webhook, const std::string& secret) = 0;
  virtual base::Result<Webhook> get(const std::string& id) = 0;  // kNotFound
  virtual base::Result<std::vector<Webhook>> list() = 0;         // newest first
  virtual base::Result<Webhook> update(const std::string& id, const WebhookChange& change) = 0;
  virtual base::Status remove(const std::string& id) = 0;  // with its deliveries
  // Sends an example of `event` (its first when not given) once, now, and logs nothing.
  virtual base::Result<WebhookAnswer> test(const std::string& id,
                                           const std::optional<WebhookEvent>& event,
                                           WebhookSender& sender) = 0;
  virtual base::Result<std::vector<Delivery>> deliveries(const std::string& id,
                                                         std::size_t limit) = 0;  // newest first
  // Tries what is due, oldest first, at most `limit`; how many it tried. One caller at a time.
  virtual base::Result<std::size_t> deliver_due(WebhookSender& sender, base::Rng& rng,
                                                std::size_t limit) = 0;
};

// One thread that calls deliver_due until it is destroyed. An answer that is slow delays the others, no caller of Maru's.
class WebhookWorker {
 public:
  WebhookWorker(Webhooks& webhooks, std::unique_ptr<WebhookSender> sender, std::uint64_t seed);
  ~WebhookWorker();
  WebhookSender& sender();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maru::tracking
