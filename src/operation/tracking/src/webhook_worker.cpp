#include <condition_variable>
#include <mutex>
#include <thread>

#include "maru/base/log.h"
#include "maru/tracking/webhooks.h"

namespace maru::tracking {
namespace {

constexpr std::size_t kBatch = 32;
constexpr auto kPoll = std::chrono::milliseconds(250);  // an indexed look-up that finds nothing

}  // namespace

struct WebhookWorker::Impl {
  Impl(Webhooks& hooks, std::unique_ptr<WebhookSender> out, std::uint64_t seed)
      : webhooks(hooks), sender(std::move(out)), rng(seed), thread([this] { run(); }) {}

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      const auto tried = webhooks.deliver_due(*sender, rng, kBatch);
      if (!tried && !complained) base::log_warn("webhooks wait", {{"error", tried.error().text()}});
      complained = !tried;
      lock.lock();
      if (tried && *tried == kBatch) continue;
      wake.wait_for(lock, kPoll, [this] { return stopping; });
    }
  }

  Webhooks& webhooks;
  std::unique_ptr<WebhookSender> sender;
  base::Rng rng;
  bool complained = false;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::thread thread;  // last: it uses the others
};

WebhookWorker::WebhookWorker(Webhooks& webhooks, std::unique_ptr<WebhookSender> sender,
                             std::uint64_t seed)
    : impl_(std::make_unique<Impl>(webhooks, std::move(sender), seed)) {}

WebhookWorker::~WebhookWorker() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

WebhookSender& WebhookWorker::sender() { return *impl_->sender; }

}  // namespace maru::tracking
