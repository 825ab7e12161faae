#include <algorithm>

#include "maru/base/text.h"
#include "mlflow/wire.h"

// Webhooks (mlflow.md §1.6) and, in Maru's own API, what became of their deliveries.
namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using tracking::Webhook;
using tracking::WebhookEvent;

constexpr std::size_t kMaxPerPage = 1000;
constexpr std::size_t kMaxShownAnswer = 10'000;

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

Json event_json(const WebhookEvent& event) {
  return Json::object({{"entity", upper(event.entity)}, {"action", upper(event.action)}});
}

Json webhook_json(const Webhook& webhook) {
  Json events = Json::array();
  for (const auto& event : webhook.events) events.push(event_json(event));
  Json out = Json::object({{"webhook_id", webhook.id}, {"name", webhook.name}});
  set_text(out, "description", webhook.description);
  out.set("url", webhook.url);
  out.set("events", std::move(events));
  out.set("status", webhook.active ? "ACTIVE" : "DISABLED");
  out.set("creation_timestamp", webhook.created_ms);
  out.set("last_updated_timestamp", webhook.updated_ms);
  return out;
}

Json answer_of(const Webhook& webhook) {
  return Json::object({{"webhook", webhook_json(webhook)}});
}

WebhookEvent read_event(Fields& event) {
  return {base::to_lower_ascii(event.required_text("entity")),
          base::to_lower_ascii(event.required_text("action"))};
}

std::vector<WebhookEvent> read_events(Fields& in) {
  std::vector<WebhookEvent> out;
  for (auto& event : in.objects("events")) {
    WebhookEvent read = read_event(event);
    in.adopt(event);
    if (std::find(out.begin(), out.end(), read) == out.end()) out.push_back(std::move(read));
  }
  return out;
}

std::optional<bool> read_status(Fields& in) {
  const auto status = in.optional_text("status");
  if (!status) return std::nullopt;
  if (*status == "ACTIVE" || *status == "DISABLED") return *status == "ACTIVE";
  in.refuse("status", *status, "Valid values are ACTIVE, DISABLED");
  return std::nullopt;
}

Result<Json> create(const Services& s, Fields& in) {
  Webhook wanted;
  wanted.name = in.required_text("name");
  wanted.url = in.required_text("url");
  wanted.description = in.text("description");
  wanted.events = read_events(in);
  wanted.active = read_status(in).value_or(true);
  const std::string secret = in.text("secret");
  if (!in.has("events")) in.required_text("events");
  TRY(in.status());
  TRY_ASSIGN(const Webhook made, s.tracking->webhooks().create(wanted, secret));
  return answer_of(made);
}

Result<Json> list(const Services& s, Fields& in) {
  const std::size_t most = max_results(in, 100, kMaxPerPage);
  const std::string token = in.text("page_token");
  TRY(in.status());
  TRY_ASSIGN(const auto begin, page_offset(token, "webhooks"));
  TRY_ASSIGN(const auto all, s.tracking->webhooks().list());
  Json webhooks = Json::array(), out = Json::object();
  const std::size_t end = std::min<std::size_t>(all.size(), begin + most);
  for (std::size_t i = begin; i < end; ++i) webhooks.push(webhook_json(all[i]));
  if (webhooks.size() > 0) out.set("webhooks", std::move(webhooks));
  if (end < all.size()) out.set("next_page_token", page_token(end, "webhooks"));
  return out;
}

Result<Json> update(const Services& s, Fields& in) {
  const std::string id = in.required_text("webhook_id");
  tracking::WebhookChange change;
  change.name = in.optional_text("name");
  change.url = in.optional_text("url");
  change.description = in.optional_text("description");
  change.secret = in.optional_text("secret");
  change.active = read_status(in);
  auto events = read_events(in);
  if (!events.empty()) change.events = std::move(events);
  TRY(in.status());
  TRY_ASSIGN(const Webhook changed, s.tracking->webhooks().update(id, change));
  return answer_of(changed);
}

// Whatever the other side does is a result, not a failure of the call.
Result<Json> test(const Services& s, Fields& in) {
  const std::string id = in.required_text("webhook_id");
  std::optional<WebhookEvent> event;
  if (auto wanted = in.object("event")) {
    event = read_event(*wanted);
    in.adopt(*wanted);
  }
  TRY(in.status());
  if (s.webhook_sender == nullptr)
    return base::fail(Code::kUnavailable, "this server sends no webhooks");
  const auto sent = s.tracking->webhooks().test(id, event, *s.webhook_sender);
  Json result = Json::object();
  if (sent) {
    result.set("success", sent->status < 400);
    result.set("response_status", sent->status);
    result.set("response_body", base::replace_invalid_utf8(sent->body.substr(0, kMaxShownAnswer)));
  } else if (sent.error().code == Code::kNotFound || sent.error().code == Code::kInvalidArgument) {
    return tl::unexpected(sent.error());
  } else {
    result.set("success", false);
    result.set("error_message", "Failed to test webhook: " + sent.error().text());
  }
  return Json::object({{"result", std::move(result)}});
}

Result<Response> deliveries(const Services& s, const Request& request) {
  TRY_ASSIGN(const auto limit, number_param(request, "limit", 100, tracking::kKeptDeliveries));
  TRY_ASSIGN(const auto all,
             s.tracking->webhooks().deliveries(std::string(request.param("id")), limit));
  Json out = Json::array();
  for (const auto& one : all) {
    Json row = Json::object({{"id", one.id},
                             {"entity", one.event.entity},
                             {"action", one.event.action},
                             {"state", one.state},
                             {"attempts", one.attempts},
                             {"created_us", one.created_us}});
    if (one.response_status != 0) row.set("response_status", one.response_status);
    set_text(row, "error", one.error);
    if (one.tried_us != 0) row.set("tried_us", one.tried_us);
    if (one.state == "waiting") row.set("next_us", one.next_us);
    out.push(std::move(row));
  }
  return answer(Json::object({{"deliveries", std::move(out)}}));
}

}  // namespace

void add_webhook_routes(Router& router, const Services& s) {
  constexpr auto kAdmin = Permission::kAdmin;
  const auto call = [&](Method method, const char* path,
                        Result<Json> (*act)(const Services&, Fields&)) {
    add_call(router, 2, method, path, kAdmin,
             [s, act](Fields& in, Context&) { return act(s, in); });
  };
  call(Method::kPost, "webhooks", create);
  call(Method::kGet, "webhooks", list);
  call(Method::kPatch, "webhooks/{webhook_id}", update);
  call(Method::kPost, "webhooks/{webhook_id}/test", test);
  add_call(router, 2, Method::kGet, "webhooks/{webhook_id}", kAdmin,
           [s](Fields& in, Context&) -> Result<Json> {
             TRY_ASSIGN(const Webhook found, s.tracking->webhooks().get(in.text("webhook_id")));
             return answer_of(found);
           });
  add_call(router, 2, Method::kDelete, "webhooks/{webhook_id}", kAdmin,
           [s](Fields& in, Context&) -> Result<Json> {
             TRY(s.tracking->webhooks().remove(in.text("webhook_id")));
             return Json::object();
           });
  router.add(Method::kGet, "/api/v1/webhooks/{id}/deliveries", {kAdmin},
             [s](const Request& request, Context&) { return deliveries(s, request); });
}

}  // namespace maru::api::mlflow
