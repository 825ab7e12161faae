#include "webhook_sender.h"

#include <algorithm>
#include <charconv>

#include "maru/http/client.h"

namespace maru::app {
namespace {

constexpr std::int64_t kTimeoutMs = 10'000;
constexpr std::size_t kKeptBytes = 16u << 10;
constexpr std::int64_t kMaxRetryAfterSeconds = 86'400;

class HttpWebhookSender final : public tracking::WebhookSender {
 public:
  explicit HttpWebhookSender(http::EgressPolicy policy) : client_(std::move(policy)) {}

  base::Result<tracking::WebhookAnswer> send(const tracking::WebhookMessage& message) override {
    http::ClientRequest request;
    request.method = http::Method::kPost;
    request.url = message.url;
    for (const auto& [name, value] : message.headers) request.headers.set(name, value);
    request.body = message.body;
    request.timeout_ms = kTimeoutMs;
    std::string kept;
    request.on_body = [&kept](std::string_view bytes) -> base::Status {
      kept += bytes.substr(0, kKeptBytes - std::min(kKeptBytes, kept.size()));
      return {};
    };
    TRY_ASSIGN(const http::ClientResponse response, client_.send(request));
    tracking::WebhookAnswer out{response.status, std::move(kept), 0};
    const std::string_view after = response.headers.get("Retry-After");
    std::int64_t seconds = 0;
    std::from_chars(after.data(), after.data() + after.size(), seconds);
    out.retry_after_ms = std::clamp<std::int64_t>(seconds, 0, kMaxRetryAfterSeconds) * 1000;
    return out;
  }

 private:
  http::Client client_;
};

}  // namespace

std::unique_ptr<tracking::WebhookSender> make_webhook_sender(std::vector<std::string> hosts) {
  http::EgressPolicy policy;
  policy.allowed_hosts = std::move(hosts);
  policy.max_redirects = 0;
  return std::make_unique<HttpWebhookSender>(std::move(policy));
}

}  // namespace maru::app
