#include "maru/http/sse.h"

#include <algorithm>
#include <charconv>
#include <deque>

#include "event_stream.h"
#include "maru/base/id.h"

namespace maru::http {

struct EventHub::Impl {
  std::mutex mutex;
  // Names this run of the process: a number of an earlier run must not be taken for one of ours.
  std::string epoch = base::new_id(base::system_clock()).substr(0, 16);
  std::uint64_t last = 0;
  std::deque<Event> replay;
  std::vector<std::weak_ptr<EventStream>> streams;
  std::size_t open = 0;
  bool closed = false;
};

namespace {

bool topic_matches(std::string_view wanted, std::string_view topic) {
  if (wanted.ends_with('*')) return topic.starts_with(wanted.substr(0, wanted.size() - 1));
  return wanted == topic;
}

void append_event(std::string& out, const Event& event, std::string_view epoch) {
  out += "id: ";
  out += epoch;
  out += '-';
  out += std::to_string(event.number);
  out += "\nevent: ";
  out += event.topic;
  std::string_view left = event.data;
  for (bool more = true; more;) {
    const std::size_t end = left.find('\n');
    more = end != std::string_view::npos;
    out += "\ndata: ";
    out += left.substr(0, end);
    if (more) left.remove_prefix(end + 1);
  }
  out += "\n\n";
}

// A topic or a line of data must not end the field that it stands in.
std::string without_breaks(std::string_view text, bool keep_lf) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '\r' || c == '\0' || (c == '\n' && !keep_lf)) continue;
    out += c;
  }
  return out;
}

}  // namespace

EventStream::EventStream(std::vector<std::string> topics, std::string epoch)
    : topics_(std::move(topics)), epoch_(std::move(epoch)) {}

EventStream::~EventStream() {
  if (const auto owner = hub.lock()) {
    const std::lock_guard lock(owner->mutex);
    --owner->open;
  }
}

bool EventStream::wants(std::string_view topic) const {
  return std::any_of(topics_.begin(), topics_.end(),
                     [&](const std::string& wanted) { return topic_matches(wanted, topic); });
}

void EventStream::push(const Event& event) {
  std::unique_lock lock(mutex_);
  if (closed_) return;
  std::erase_if(pending_, [&](const Event& old) { return old.topic == event.topic; });
  if (pending_.size() >= kMaxPending) pending_.pop_front();
  pending_.push_back(event);
  notify(lock);
}

void EventStream::push_raw(std::string text) {
  std::unique_lock lock(mutex_);
  raw_ += text;
  notify(lock);
}

void EventStream::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  notify(lock);
}

void EventStream::notify(std::unique_lock<std::mutex>& lock) {
  if (!hungry_ || !wake_) return;
  hungry_ = false;
  const std::function<void()> wake = wake_;
  lock.unlock();
  wake();
}

bool EventStream::take(std::string& out) {
  const std::lock_guard lock(mutex_);
  out.clear();
  out.swap(raw_);
  for (const Event& event : pending_) append_event(out, event, epoch_);
  pending_.clear();
  if (out.empty() && !closed_) hungry_ = true;
  return !out.empty() || !closed_;
}

void EventStream::set_wake(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

EventHub::EventHub() : impl_(std::make_shared<Impl>()) {}
EventHub::~EventHub() { close(); }

void EventHub::publish(std::string_view topic, std::string_view json) {
  Event event{0, without_breaks(topic, false), without_breaks(json, true)};
  std::vector<std::shared_ptr<EventStream>> targets;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->closed) return;
    event.number = ++impl_->last;
    impl_->replay.push_back(event);
    if (impl_->replay.size() > kReplayEvents) impl_->replay.pop_front();
    std::erase_if(impl_->streams, [](const auto& weak) { return weak.expired(); });
    // Kept in `targets` to the end: the last owner of a stream must not be here, for its destructor takes this lock.
    for (const auto& weak : impl_->streams) {
      if (auto stream = weak.lock()) targets.push_back(std::move(stream));
    }
    // Under the lock, so that every subscriber sees the events in one order.
    for (const auto& stream : targets) {
      if (stream->wants(event.topic)) stream->push(event);
    }
  }
}

base::Result<Response> EventHub::subscribe(std::vector<std::string> topics,
                                           std::string_view last_event_id) {
  if (topics.empty()) {
    return base::fail(base::Code::kInvalidArgument, "no topic to follow",
                      "name at least one, such as run:ID");
  }
  auto stream = std::make_shared<EventStream>(std::move(topics), impl_->epoch);
  const std::lock_guard lock(impl_->mutex);
  if (impl_->closed)
    return base::fail(base::Code::kUnavailable, "the server is stopping",
                      "connect again in a moment");
  if (impl_->open >= kMaxSubscribers) {
    return base::fail(base::Code::kUnavailable,
                      "too many live event streams: " + std::to_string(impl_->open),
                      "close some pages, or ask again later");
  }
  stream->push_raw("retry: 2000\n\n");
  if (!last_event_id.empty()) {
    const std::size_t dash = last_event_id.find('-');
    const std::string_view digits =
        dash == std::string_view::npos ? std::string_view() : last_event_id.substr(dash + 1);
    std::uint64_t seen = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), seen);
    const bool ours = last_event_id.substr(0, dash) == impl_->epoch && parsed.ec == std::errc() &&
                      seen <= impl_->last;
    const bool whole = ours && (impl_->replay.empty() || impl_->replay.front().number <= seen + 1);
    // What was missed is lost: the subscriber must fetch the state anew.
    if (!whole) stream->push_raw("event: resync\ndata: {}\n\n");
    for (const Event& event : impl_->replay) {
      if (ours && event.number > seen && stream->wants(event.topic)) stream->push(event);
    }
  }
  stream->hub = impl_;
  ++impl_->open;
  impl_->streams.push_back(stream);
  Response out;
  out.headers.add("Content-Type", "text/event-stream");
  out.headers.add("Cache-Control", "no-store");
  out.headers.add("X-Accel-Buffering", "no");
  out.events = std::move(stream);
  return out;
}

void EventHub::close() {
  std::vector<std::shared_ptr<EventStream>> all;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
    for (const auto& weak : impl_->streams) {
      if (auto stream = weak.lock()) all.push_back(std::move(stream));
    }
    impl_->streams.clear();
  }
  for (const auto& stream : all) stream->close();
}

}  // namespace maru::http
