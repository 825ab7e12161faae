#include "maru/tracking/webhooks.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "maru/base/file.h"
#include "maru/base/text.h"

namespace {

using namespace maru::tracking;
using maru::base::Code;
using maru::base::Json;
using maru::base::ManualClock;
using maru::base::Result;
using maru::base::Rng;
using maru::base::Status;
using maru::store::Database;
using maru::store::Writer;

// Answers from a list, then 200; keeps what it was sent.
class FakeSender final : public WebhookSender {
 public:
  Result<WebhookAnswer> send(const WebhookMessage& message) override {
    const std::lock_guard lock(mutex);
    sent.push_back(message);
    arrived.notify_all();
    if (answers.empty()) return WebhookAnswer{200, "ok", 0};
    auto answer = answers.front();
    answers.erase(answers.begin());
    return answer;
  }
  std::vector<WebhookMessage> sent;
  std::vector<Result<WebhookAnswer>> answers;
  std::mutex mutex;
  std::condition_variable arrived;
};

struct Fixture {
  Fixture() {
    db = *Database::open({.path = ":memory:", .readers = 1});
    webhooks = *Webhooks::open(*db, clock);
  }
  Webhook add(std::vector<WebhookEvent> events = {{"model_version", "created"}},
              const std::string& secret = "s3cret") {
    Webhook wanted;
    wanted.name = "hook";
    wanted.url = "https://example.com/in?a=b";
    wanted.events = std::move(events);
    const auto made = webhooks->create(wanted, secret);
    REQUIRE(made);
    return *made;
  }
  Status event(const char* entity, const char* action, const Json& payload = Json::object()) {
    return db->write([&](Writer& writer) {
      return enqueue_event(writer, clock.now_us(), entity, action, payload);
    });
  }
  std::size_t deliver() { return webhooks->deliver_due(sender, rng, 100).value(); }
  Delivery only(const Webhook& hook) {
    const auto all = webhooks->deliveries(hook.id, 10);
    REQUIRE(all);
    REQUIRE(all->size() == 1);
    return all->front();
  }
  ManualClock clock;
  Rng rng{1};
  std::unique_ptr<Database> db;
  std::unique_ptr<Webhooks> webhooks;
  FakeSender sender;
};

std::string header(const WebhookMessage& message, const std::string& name) {
  for (const auto& [key, value] : message.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST_CASE(
    "a webhook's secret rests sealed, also one of an older home; without its key nothing is sent "
    "unsigned") {
  ManualClock clock;
  const std::string folder = "/tmp/maru-hooks-" + std::to_string(::getpid());
  REQUIRE(maru::base::make_folders(folder).has_value());
  auto db = *Database::open({.path = ":memory:", .readers = 1});
  const auto resting = [&] { return db->query("SELECT secret FROM webhooks")->at(0).text(0); };
  Webhook wanted;
  wanted.name = "hook";
  wanted.url = "https://example.com/in";
  wanted.events = {{"model_version", "created"}};
  auto webhooks = *Webhooks::open(*db, clock);
  const std::string id = webhooks->create(wanted, "s3cret")->id;
  CHECK(resting() == "s3cret");
  const auto key = *maru::base::SealKey::open(folder + "/key");
  webhooks = *Webhooks::open(*db, clock, key);
  CHECK(resting() != "s3cret");
  CHECK(*key.unseal(resting(), id) == "s3cret");
  FakeSender sender;
  REQUIRE(webhooks->test(id, {}, sender).has_value());
  const auto signature = [](const WebhookMessage& message) {
    for (const auto& [name, value] : message.headers)
      if (name == "X-MLflow-Signature") return value;
    return std::string();
  };
  CHECK(!signature(sender.sent.back()).empty());
  WebhookChange change;
  change.secret = "other";
  REQUIRE(webhooks->update(id, change).has_value());
  CHECK(*key.unseal(resting(), id) == "other");
  change.secret.reset();
  change.name = "renamed";
  REQUIRE(webhooks->update(id, change).has_value());
  CHECK(*key.unseal(resting(), id) == "other");
  webhooks = *Webhooks::open(*db, clock, *maru::base::SealKey::open(folder + "/lost"));
  CHECK(webhooks->test(id, {}, sender).error().code == maru::base::Code::kDataLoss);
  CHECK(sender.sent.size() == 1);
  static_cast<void>(maru::base::remove_tree(folder));
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "webhooks: made, read, changed, removed; the secret stays inside") {
  const Webhook made = add();
  CHECK(made.active);
  CHECK(webhooks->get(made.id)->url == made.url);
  WebhookChange change;
  change.active = false;
  change.events = std::vector<WebhookEvent>{{"run", "created"}, {"prompt", "created"}};
  const auto changed = webhooks->update(made.id, change);
  REQUIRE(changed);
  CHECK(!changed->active);
  CHECK(changed->events == *change.events);
  CHECK(changed->updated_ms > made.updated_ms);
  CHECK(changed->name == "hook");
  CHECK(webhooks->list()->size() == 1);
  CHECK(webhooks->remove(made.id));
  CHECK(webhooks->get(made.id).error().code == Code::kNotFound);
  CHECK(webhooks->remove(made.id).error().code == Code::kNotFound);
  CHECK(webhooks->update(made.id, {}).error().code == Code::kNotFound);
}

TEST_CASE_FIXTURE(Fixture, "webhooks: what is refused") {
  Webhook good;
  good.name = "a";
  good.url = "http://example.com";
  good.events = {{"run", "created"}};
  CHECK(webhooks->create(good, std::string(kMaxWebhookSecretBytes, 's')));
  CHECK(!webhooks->create(good, std::string(kMaxWebhookSecretBytes + 1, 's')));
  for (const char* url : {"", "ftp://x", "example.com", "http://", "https:///path", "http://:80",
                          "http://user:pw@example.com", "http://a b", "file:///etc/passwd",
                          "http://x\\y", "   ", "http://[invalid"}) {
    Webhook bad = good;
    bad.url = url;
    CHECK_MESSAGE(!webhooks->create(bad, ""), url);
  }
  for (const std::string& name : {std::string(), std::string("-a"), std::string("a b"),
                                  std::string(64, 'a'), std::string("a/b")}) {
    Webhook bad = good;
    bad.name = name;
    CHECK_MESSAGE(!webhooks->create(bad, ""), name);
  }
  good.name = std::string(63, 'a');
  CHECK(webhooks->create(good, ""));
  good.url = "http://e.com/" + std::string(kMaxWebhookUrlBytes - 13, 'a');
  CHECK(webhooks->create(good, ""));
  good.url += "a";
  CHECK(!webhooks->create(good, ""));
  good.url = "http://e.com";
  good.events = {};
  CHECK(!webhooks->create(good, ""));
  good.events = {{"registered_model", "deleted"}};
  CHECK(!webhooks->create(good, ""));
}

TEST_CASE_FIXTURE(Fixture, "webhooks: an event is delivered once, signed, and logged") {
  const Webhook hook = add();
  REQUIRE(event("model_version", "created", Json::object({{"name", "m"}, {"version", "1"}})));
  REQUIRE(event("run", "created"));  // nobody asked for it
  CHECK(deliver() == 1);
  CHECK(deliver() == 0);
  const WebhookMessage& message = sender.sent.at(0);
  const Json body = *maru::base::parse_json(message.body);
  CHECK(body["entity"].as_string() == "model_version");
  CHECK(body["data"]["name"].as_string() == "m");
  CHECK(header(message, "X-MLflow-Signature") ==
        webhook_signature("s3cret", header(message, "X-MLflow-Delivery-Id"),
                          header(message, "X-MLflow-Timestamp"), message.body));
  const Delivery done = only(hook);
  CHECK(done.state == "delivered");
  CHECK(done.response_status == 200);
  CHECK(done.id == header(message, "X-MLflow-Delivery-Id"));
}

TEST_CASE("webhooks: the signature is the one that MLflow's documentation verifies") {
  // Computed with Python's hmac and base64 from the same values.
  CHECK(webhook_signature("key", "id", "123", "{}") ==
        "v1,HB1z5BJgiVlKD+gGtngcyfrAV/zsBAnM7sf+acUK/2U=");
}

TEST_CASE_FIXTURE(Fixture, "webhooks: an event of a transaction that fails never was") {
  const Webhook hook = add();
  CHECK(!db->write([&](Writer& writer) -> Status {
    TRY(enqueue_event(writer, clock.now_us(), "model_version", "created", Json::object()));
    return maru::base::fail(Code::kAborted, "no");
  }));
  CHECK(deliver() == 0);
  CHECK(webhooks->deliveries(hook.id, 10)->empty());
  WebhookChange off;
  off.active = false;
  REQUIRE(webhooks->update(hook.id, off));
  REQUIRE(event("model_version", "created"));
  CHECK(deliver() == 0);
}

TEST_CASE_FIXTURE(Fixture, "webhooks: failures are tried again later and later, then given up") {
  const Webhook hook = add();
  REQUIRE(event("model_version", "created"));
  for (int i = 0; i < kMaxDeliveryAttempts; ++i) {
    if (i % 2 == 0)
      sender.answers.emplace_back(WebhookAnswer{503, "", 0});
    else
      sender.answers.emplace_back(maru::base::fail(Code::kUnavailable, "refused"));
  }
  std::int64_t last_wait = 0;
  for (int attempt = 1; attempt < kMaxDeliveryAttempts; ++attempt) {
    CHECK(deliver() == 1);
    const Delivery waiting = only(hook);
    REQUIRE(waiting.state == "waiting");
    CHECK(waiting.attempts == attempt);
    const std::int64_t wait = waiting.next_us - clock.now_us();
    CHECK(wait >= std::min<std::int64_t>(1'000'000LL << (attempt - 1), kMaxDeliveryDelayUs));
    CHECK(wait <= kMaxDeliveryDelayUs + 1'000'000);
    CHECK(wait + 1'000'000 >= last_wait);
    last_wait = wait;
    clock.advance_us(wait - 1);
    CHECK(deliver() == 0);
    clock.advance_us(1);
  }
  CHECK(deliver() == 1);
  CHECK(only(hook).state == "failed");
  CHECK(only(hook).attempts == kMaxDeliveryAttempts);
  std::map<std::string, int> ids;
  for (const auto& message : sender.sent) ++ids[header(message, "X-MLflow-Delivery-Id")];
  CHECK(ids.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "webhooks: a refusal is final, Retry-After is heeded") {
  const Webhook hook = add();
  REQUIRE(event("model_version", "created"));
  sender.answers.emplace_back(WebhookAnswer{429, "", 120'000});
  CHECK(deliver() == 1);
  CHECK(only(hook).next_us >= clock.now_us() + 120'000'000);
  clock.advance_us(130'000'000);
  sender.answers.emplace_back(maru::base::fail(Code::kRefused, "a private address"));
  CHECK(deliver() == 1);
  CHECK(only(hook).state == "failed");
  REQUIRE(webhooks->remove(hook.id));
  const Webhook other = add();
  REQUIRE(event("model_version", "created"));
  sender.answers.emplace_back(WebhookAnswer{404, "", 0});
  CHECK(deliver() == 1);
  CHECK(only(other).state == "failed");
}

TEST_CASE_FIXTURE(Fixture, "webhooks: finished deliveries are kept to a number") {
  const Webhook hook = add({{"run", "created"}});
  for (std::size_t i = 0; i < kKeptDeliveries + 20; ++i) {
    clock.advance_us(1);
    REQUIRE(event("run", "created"));
    if (i % 50 == 49) webhooks->deliver_due(sender, rng, 1000).value();
  }
  webhooks->deliver_due(sender, rng, 5000).value();
  CHECK(webhooks->deliveries(hook.id, 5000)->size() <= kKeptDeliveries);
  CHECK(sender.sent.size() == kKeptDeliveries + 20);
}

TEST_CASE_FIXTURE(Fixture, "webhooks: every event has an example that can be tested") {
  const Webhook hook = add(webhook_events(), "");
  for (const auto& each : webhook_events()) {
    const auto answer = webhooks->test(hook.id, each, sender);
    REQUIRE(answer);
    CHECK(answer->status == 200);
    const Json body = *maru::base::parse_json(sender.sent.back().body);
    CHECK(body["data"].size() >= 2);
    CHECK(header(sender.sent.back(), "X-MLflow-Signature").empty());
  }
  CHECK(webhooks->deliveries(hook.id, 10)->empty());
}

TEST_CASE_FIXTURE(Fixture, "webhooks: the worker delivers by itself and stops") {
  const Webhook hook = add();
  auto owned = std::make_unique<FakeSender>();
  FakeSender& mine = *owned;
  {
    WebhookWorker worker(*webhooks, std::move(owned), 1);
    REQUIRE(event("model_version", "created"));
    std::unique_lock lock(mine.mutex);
    mine.arrived.wait(lock, [&] { return !mine.sent.empty(); });
  }
  CHECK(only(hook).state == "delivered");
}
