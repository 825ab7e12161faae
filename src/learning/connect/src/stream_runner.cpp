#include "stream_runner.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "maru/base/log.h"

namespace maru::connect {
namespace {

using base::Code;
using base::Status;

constexpr std::size_t kMaxBatchBytes = 32u << 20;
constexpr std::size_t kMostAPoll = 20'000;
constexpr int kPollMs = 100;
constexpr std::int64_t kFirstPauseMs = 250;
constexpr std::int64_t kLongestPauseMs = 15'000;
constexpr std::int64_t kLagNs = 1'000'000'000;     // between two looks
constexpr std::int64_t kDrainNs = 10'000'000'000;  // dead letters reach their dataset within this
constexpr std::size_t kDeadAtOnce = 10'000;
constexpr double kRateWeight = 0.3;  // of the newest batch in the rate

bool passes(const base::Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded ||
         error.code == Code::kNoSpace || error.code == Code::kAborted ||
         error.code == Code::kResourceExhausted;
}

}  // namespace

StreamRunner::StreamRunner(StreamStatus status, const Streams::Options& options, StreamStore& store)
    : spec_(status.spec), options_(options), store_(store), next_(std::move(status.next)) {
  received_ = next_;
  thread_ = std::thread([this] { work(); });
}

StreamRunner::~StreamRunner() { stop(); }

void StreamRunner::stop() {
  stop_.store(true, std::memory_order_release);
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void StreamRunner::rest(std::int64_t wait_ms) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return stopping(); });
}

void StreamRunner::describe(StreamStatus& status) const {
  const std::lock_guard lock(mutex_);
  status.state = state_;
  status.error = error_;
  status.lag = lag_;
  const double idle_s = static_cast<double>(options_.clock->monotonic_ns() - last_flush_ns_) * 1e-9;
  const double batch_s = static_cast<double>(spec_.batch_us) * 1e-6;
  status.rows_per_second = last_flush_ns_ != 0 && idle_s < std::max(60.0, 3 * batch_s) ? rate_ : 0;
}

void StreamRunner::set_state(const char* state, const std::string& error) {
  const std::lock_guard lock(mutex_);
  if (!error.empty() && error != error_)
    base::log_warn("stream", {{"stream", spec_.name}, {"state", state}, {"error", error}});
  state_ = state;
  error_ = error;
}

base::Result<std::unique_ptr<Feed>> StreamRunner::open_feed() {
  if (spec_.address == "push") return open_push_feed(*options_.db, spec_, next_);
  if (spec_.address.starts_with("nats://")) return open_nats_feed(spec_, options_.settings, next_);
  return open_kafka_feed(spec_, options_.settings, next_, stop_);
}

void StreamRunner::work() {
  std::int64_t wait_ms = kFirstPauseMs;
  while (!stopping()) {
    events_.clear();
    event_bytes_ = 0;
    duplicates_ = 0;
    received_ = next_;
    const std::int64_t begin_ns = options_.clock->monotonic_ns();
    Status status;
    if (auto feed = open_feed())
      status = serve(**feed);
    else
      status = tl::unexpected(feed.error());
    if (status) return;
    if (!passes(status.error())) return set_state("failed", status.error().text());
    set_state("waiting", status.error().text());
    if (options_.clock->monotonic_ns() - begin_ns > 60'000'000'000) wait_ms = kFirstPauseMs;
    rest(wait_ms);
    wait_ms = std::min(wait_ms * 2, kLongestPauseMs);
  }
}

Status StreamRunner::serve(Feed& feed) {
  TRY(learn_types());
  while (!stopping()) {
    TRY(gather(feed));
    const std::int64_t now_ns = options_.clock->monotonic_ns();
    if (now_ns - last_lag_ns_ > kLagNs) {
      last_lag_ns_ = now_ns;
      const std::int64_t lag = feed.lag(next_);
      const std::lock_guard lock(mutex_);
      lag_ = lag;
    }
    const bool full = events_.size() >= spec_.batch_rows || event_bytes_ >= kMaxBatchBytes;
    const bool due = !events_.empty() && (now_ns - first_ns_) / 1000 >= spec_.batch_us;
    if (full || due) TRY(flush(feed));
    if (dead_waiting_ && now_ns - last_drain_ns_ > kDrainNs) TRY(drain_dead());
    set_state("running", {});
  }
  TRY(flush(feed));
  return drain_dead();
}

Status StreamRunner::gather(Feed& feed) {
  const std::size_t before = events_.size();
  const std::size_t most = std::min<std::size_t>(
      kMostAPoll, static_cast<std::size_t>(spec_.batch_rows) -
                      std::min(before, static_cast<std::size_t>(spec_.batch_rows)));
  if (most == 0) return {};
  TRY(feed.poll(most, kPollMs, events_));
  if (before == 0 && !events_.empty()) first_ns_ = options_.clock->monotonic_ns();
  // What a source sends again is known by its offset.
  std::size_t kept = before;
  for (std::size_t i = before; i < events_.size(); ++i) {
    Event& event = events_[i];
    auto [at, fresh] = received_.try_emplace(event.partition, event.offset);
    if (!fresh && event.offset < at->second) {
      ++duplicates_;
      continue;
    }
    at->second = event.offset + 1;
    event_bytes_ += event.bytes.size();
    if (kept != i) events_[kept] = std::move(event);
    ++kept;
  }
  events_.resize(kept);
  return {};
}

Status StreamRunner::learn_types() {
  known_.clear();
  types_known_ = false;
  const auto newest = options_.datasets->resolve(spec_.project, spec_.dataset);
  if (!newest && newest.error().code != Code::kNotFound) return tl::unexpected(newest.error());
  if (newest)
    for (const auto& column : newest->columns) known_[column.name] = column.type;
  types_known_ = true;
  return {};
}

Status StreamRunner::drop_seen(EventRows& rows, BatchChange& change) {
  if (spec_.event_key.empty() || rows.keys.empty()) return {};
  TRY_ASSIGN(const auto known, store_.seen(spec_, rows.keys));
  std::set<std::string> seen(known.begin(), known.end());
  std::vector<std::uint32_t> kept;
  for (std::size_t i = 0; i < rows.keys.size(); ++i) {
    const std::string& key = rows.keys[i];
    if (!key.empty() && !seen.insert(key).second) {
      ++change.duplicates;
      continue;
    }
    kept.push_back(static_cast<std::uint32_t>(i));
    change.keys.push_back(key);
  }
  if (kept.size() < rows.keys.size()) rows.table = rows.table.take(kept);
  return {};
}

Status StreamRunner::append(Feed& feed, EventRows& rows, BatchChange& change) {
  const auto record = [&](store::Writer& writer) -> Status {
    TRY(store_.record(writer, spec_, change));
    return feed.forget(writer, change.next);
  };
  if (rows.table.rows() == 0) return options_.db->write(record);
  data::AppendSpec spec;
  spec.from.project = spec_.project;
  spec.from.dataset = spec_.dataset;
  spec.rows = &rows.table;
  spec.source = "stream " + spec_.name + " (" + shown_address(spec_.address) + ")";
  spec.fill_missing = true;
  spec.in_transaction = [&](store::Writer& writer, const data::Snapshot&) {
    return record(writer);
  };
  base::Context context;
  auto done = options_.datasets->append(spec, context);
  if (!done) return tl::unexpected(done.error());
  known_.clear();
  for (const auto& column : done->snapshot.columns) known_[column.name] = column.type;
  return {};
}

Status StreamRunner::flush(Feed& feed) {
  if (events_.empty() && duplicates_ == 0) return {};
  if (!types_known_) TRY(learn_types());
  BatchChange change;
  StreamSpec spec = spec_;
  Status done;
  std::map<int, std::int64_t> latest;
  // A batch that the dataset refuses is read again: somebody else may have widened it; then without widening, so that only the events at fault are set apart.
  for (int turn = 0; turn < 3; ++turn) {
    change = {};
    change.next = received_;
    change.now_us = options_.clock->now_us();
    latest = latest_;
    EventRows rows = read_events(spec, known_, events_, change.now_us, latest);
    change.duplicates = duplicates_;
    TRY(drop_seen(rows, change));
    change.rows = rows.table.rows();
    change.out_of_order = rows.out_of_order;
    change.future = rows.future;
    change.dead = std::move(rows.dead);
    done = append(feed, rows, change);
    if (done || done.error().code != Code::kInvalidArgument) break;
    TRY(learn_types());
    if (turn == 1) spec.on_change = OnChange::kDead;
  }
  if (!done) {
    types_known_ = false;
    return done;
  }
  latest_ = std::move(latest);
  next_ = received_;
  feed.taken(next_);
  dead_waiting_ = dead_waiting_ || !change.dead.empty();
  events_.clear();
  event_bytes_ = 0;
  duplicates_ = 0;
  StreamStatus told;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t now_ns = options_.clock->monotonic_ns();
    const std::int64_t since_ns = now_ns - (last_flush_ns_ == 0 ? first_ns_ : last_flush_ns_);
    const double rate =
        static_cast<double>(change.rows) / std::max(1e-3, static_cast<double>(since_ns) * 1e-9);
    rate_ = last_flush_ns_ == 0 ? rate : kRateWeight * rate + (1 - kRateWeight) * rate_;
    last_flush_ns_ = now_ns;
  }
  if (options_.on_batch) {
    told.spec = spec_;
    told.rows = change.rows;
    options_.on_batch(told);
  }
  return {};
}

Status StreamRunner::drain_dead() {
  last_drain_ns_ = options_.clock->monotonic_ns();
  for (;;) {
    TRY_ASSIGN(const auto dead, store_.dead(spec_, kDeadAtOnce));
    dead_waiting_ = !dead.empty();
    if (dead.empty()) return {};
    const data::Table table = dead_table(dead, options_.clock->now_us());
    data::AppendSpec spec;
    spec.from.project = spec_.project;
    spec.from.dataset = spec_.dataset + "_dead";
    spec.rows = &table;
    spec.source = "dead letters of stream " + spec_.name;
    spec.fill_missing = true;
    spec.in_transaction = [&](store::Writer& writer, const data::Snapshot&) {
      return store_.forget_dead(writer, spec_, dead);
    };
    base::Context context;
    auto done = options_.datasets->append(spec, context);
    if (!done) return tl::unexpected(done.error());
  }
}

}  // namespace maru::connect
