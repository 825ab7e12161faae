#pragma once
#include <memory>
#include <string>
#include <vector>

#include "maru/tracking/webhooks.h"

namespace maru::app {

// Sends webhooks over the HTTP client: only to public addresses, and to the hosts named here. Follows no redirect; keeps the first
// bytes of an answer.
std::unique_ptr<tracking::WebhookSender> make_webhook_sender(std::vector<std::string> hosts);

}  // namespace maru::app
