#include <algorithm>
#include <map>
#include <mutex>

#include "maru/base/log.h"
#include "maru/base/text.h"
#include "stream_runner.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr std::size_t kMaxStreams = 64;
constexpr std::uint64_t kMaxPushEvents = 100'000;

void put_event(std::string& body, std::string_view bytes) {
  body += std::to_string(bytes.size());
  body += ' ';
  body += bytes;
}

// Pushed bytes as events: an object, a list, or lines.
base::Result<std::uint64_t> split_push(const StreamSpec& spec, std::string_view text,
                                       std::string& body) {
  std::uint64_t events = 0;
  const std::string_view trimmed = base::trim(text);
  if (spec.format == EventFormat::kJson && trimmed.starts_with('[')) {
    auto list = base::parse_json(trimmed);
    if (!list)
      return fail(Code::kInvalidArgument,
                  "the list of events is not JSON: " + list.error().message);
    for (const auto& item : list->items()) put_event(body, item.dump()), ++events;
    return events;
  }
  if (spec.format == EventFormat::kJson && trimmed.find('\n') != std::string_view::npos &&
      base::parse_json(trimmed)) {
    put_event(body, trimmed);  // one object over several lines
    return 1;
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = base::trim(rest.substr(0, end));
    if (!line.empty()) put_event(body, line), ++events;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return events;
}

class StoredStreams final : public Streams {
 public:
  explicit StoredStreams(Options options) : options_(std::move(options)), store_(*options_.db) {}
  ~StoredStreams() override { stop_all(); }
  Status prepare() { return store_.migrate(); }

  void run() override {
    const auto all = store_.load("");
    if (!all) {
      base::log_error("streams could not be listed", {{"error", all.error().text()}});
      return;
    }
    const std::lock_guard lock(mutex_);
    running_ = true;
    for (const auto& one : *all)
      if (one.state == "running") begin(one);
  }

  void stop_all() override {
    std::map<Key, std::unique_ptr<StreamRunner>> ending;
    {
      const std::lock_guard lock(mutex_);
      running_ = false;
      ending.swap(runners_);
    }
    ending.clear();
  }

  Status add(const StreamSpec& spec) override {
    TRY_ASSIGN(const auto all, store_.load(""));
    if (all.size() >= kMaxStreams)
      return fail(Code::kResourceExhausted,
                  "there are " + std::to_string(kMaxStreams) + " streams already");
    for (const auto& one : all)
      if (one.spec.project == spec.project && one.spec.dataset == spec.dataset &&
          one.spec.name != spec.name)
        base::log_info("two streams feed one dataset",
                       {{"dataset", spec.dataset}, {"streams", one.spec.name + ", " + spec.name}});
    TRY(store_.insert(spec, options_.clock->now_us()));
    const std::lock_guard lock(mutex_);
    if (!running_) return {};
    TRY_ASSIGN(const auto fresh, store_.load(spec.project, spec.name));
    begin(fresh.front());
    return {};
  }

  base::Result<std::vector<StreamStatus>> list(const std::string& project) override {
    TRY_ASSIGN(auto all, store_.load(project));
    for (auto& one : all) describe(one);
    return all;
  }

  base::Result<StreamStatus> get(const std::string& project, const std::string& name) override {
    TRY_ASSIGN(auto found, store_.load(project, name));
    if (found.empty()) return missing(project, name);
    describe(found.front());
    return std::move(found.front());
  }

  Status start(const std::string& project, const std::string& name) override {
    TRY_ASSIGN(const auto found, store_.load(project, name));
    if (found.empty()) return missing(project, name);
    TRY(store_.set_active(found.front().spec, true));
    take(found.front().spec).reset();  // one that failed is begun again, from what is durable
    TRY_ASSIGN(const auto now, store_.load(project, name));
    const std::lock_guard lock(mutex_);
    if (running_ && !now.empty()) begin(now.front());
    return {};
  }

  Status stop(const std::string& project, const std::string& name) override {
    TRY_ASSIGN(const auto found, store_.load(project, name));
    if (found.empty()) return missing(project, name);
    TRY(store_.set_active(found.front().spec, false));
    take(found.front().spec).reset();
    return {};
  }

  Status remove(const std::string& project, const std::string& name) override {
    TRY_ASSIGN(const auto found, store_.load(project, name));
    if (found.empty()) return missing(project, name);
    take(found.front().spec).reset();
    return store_.remove(found.front().spec);
  }

  base::Result<PushResult> push(const std::string& project, const std::string& name,
                                std::string_view text, const std::string& request_key) override {
    TRY_ASSIGN(const auto found, store_.load(project, name));
    if (found.empty()) return missing(project, name);
    const StreamSpec& spec = found.front().spec;
    if (spec.address != "push")
      return fail(Code::kFailedPrecondition,
                  "the stream reads from elsewhere, nothing is pushed to it: " + name,
                  "its address is " + shown_address(spec.address));
    std::string body;
    TRY_ASSIGN(const std::uint64_t events, split_push(spec, text, body));
    if (events == 0) return fail(Code::kInvalidArgument, "no event in the request");
    if (events > kMaxPushEvents)
      return fail(Code::kTooLarge, "too many events in one request: " + std::to_string(events),
                  "at most " + std::to_string(kMaxPushEvents));
    PushResult out;
    TRY_ASSIGN(out.accepted,
               store_.push(spec, events, body, request_key, options_.clock->now_us()));
    out.duplicates = events - out.accepted;
    return out;
  }

  std::string metrics_text() override {
    const auto all = list("");
    if (!all || all->empty()) return {};
    std::string out;
    const auto family = [&](const char* name, const char* type, const char* help,
                            const auto& value) {
      out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
      for (const auto& one : *all)
        out += std::string(name) + "{stream=\"" + one.spec.name + "\"} " + value(one) + "\n";
    };
    const auto text = [](auto value) { return std::to_string(value); };
    family("maru_stream_rows_total", "counter", "Rows in the dataset that came by this stream",
           [&](const auto& s) { return text(s.rows); });
    family("maru_stream_dead_total", "counter", "Events that became dead letters",
           [&](const auto& s) { return text(s.dead); });
    family("maru_stream_duplicates_total", "counter",
           "Events that came a second time and were dropped",
           [&](const auto& s) { return text(s.duplicates); });
    family("maru_stream_out_of_order_total", "counter",
           "Events whose time is before an earlier event's of their partition",
           [&](const auto& s) { return text(s.out_of_order); });
    family("maru_stream_future_total", "counter", "Events whose time is ahead of the clock",
           [&](const auto& s) { return text(s.future); });
    family("maru_stream_batches_total", "counter", "Batches that were committed",
           [&](const auto& s) { return text(s.batches); });
    family("maru_stream_lag", "gauge", "Events that wait at the source; -1: not known",
           [&](const auto& s) { return text(s.lag); });
    family("maru_stream_rows_per_second", "gauge", "Over the last batches",
           [&](const auto& s) { return base::format_double(s.rows_per_second); });
    family("maru_stream_up", "gauge", "1 while it runs, 0 while it is stopped, waits or has failed",
           [&](const auto& s) { return std::string(s.state == "running" ? "1" : "0"); });
    return out;
  }

 private:
  using Key = std::pair<std::string, std::string>;
  static Key key_of(const StreamSpec& spec) { return {spec.project, spec.name}; }

  tl::unexpected<base::Error> missing(const std::string& project, const std::string& name) {
    std::vector<std::string> names;
    if (const auto all = store_.load(project))
      for (const auto& one : *all) names.push_back(one.spec.name);
    const std::string near = base::did_you_mean(name, names);
    return fail(Code::kNotFound, "no such stream: " + name,
                near.empty() ? "see `maru stream list`" : near);
  }

  // With the mutex held.
  void begin(const StreamStatus& status) {
    auto& there = runners_[key_of(status.spec)];
    if (there == nullptr) there = std::make_unique<StreamRunner>(status, options_, store_);
  }
  std::unique_ptr<StreamRunner> take(const StreamSpec& spec) {
    const std::lock_guard lock(mutex_);
    const auto found = runners_.find(key_of(spec));
    if (found == runners_.end()) return nullptr;
    auto out = std::move(found->second);
    runners_.erase(found);
    return out;
  }
  void describe(StreamStatus& status) {
    const std::lock_guard lock(mutex_);
    const auto found = runners_.find(key_of(status.spec));
    if (found != runners_.end()) found->second->describe(status);
  }

  const Options options_;
  StreamStore store_;
  std::mutex mutex_;
  bool running_ = false;
  std::map<Key, std::unique_ptr<StreamRunner>> runners_;
};

}  // namespace

base::Result<std::unique_ptr<Streams>> Streams::open(Options options) {
  auto streams = std::make_unique<StoredStreams>(std::move(options));
  TRY(streams->prepare());
  return std::unique_ptr<Streams>(std::move(streams));
}

}  // namespace maru::connect
