#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "call_rows.h"
#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/log.h"
#include "maru/data/engine.h"
#include "maru/data/row_format.h"
#include "segments.h"

namespace maru::monitor {
namespace {

using base::Code;

constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::size_t kChunkRows = 1024;    // what a reader may have to copy while append() waits
constexpr std::size_t kMergeSegments = 16;  // so many neighbours of one size become one
constexpr std::int64_t kRetentionEveryUs = 60'000'000;
constexpr const char* kNewerColumns =
    "select null::varchar as trace_id, null::bigint as features_us, null::bigint as post_us, "
    "null::double as cpu_us where false";
const std::vector<std::string> kReadColumns = {"id",    "time",       "version",
                                               "score", "prediction", "total_us"};

constexpr std::size_t kChunkBytes = 1u << 20;

struct Chunk {
  std::shared_ptr<const LogSchema> schema;
  std::vector<LoggedCall> calls;
  std::size_t rows = 0, bytes = 0;
};
using ChunkPtr = std::shared_ptr<const Chunk>;

struct Channel {
  Chunk open;
  std::deque<ChunkPtr> waiting;   // sealed
  std::vector<ChunkPtr> writing;  // with the writer, still in no published segment
  std::vector<Segment> segments;  // by number
  std::uint64_t next = 1;         // number of the next write
  LogCounts counts;
  std::uint64_t shed_reported = 0;
  void seal() {
    if (open.calls.empty()) return;
    Chunk full;
    full.schema = open.schema;
    full.calls.swap(open.calls);
    full.rows = std::exchange(open.rows, 0);
    full.bytes = std::exchange(open.bytes, 0);
    waiting.push_back(std::make_shared<const Chunk>(std::move(full)));
  }
};

// What a reader works on, taken under the lock in one go.
struct Snapshot {
  std::vector<Segment> segments;
  std::vector<ChunkPtr> chunks;
};

bool overlaps(const Segment& segment, std::int64_t from_us, std::int64_t to_us) {
  return segment.max_us >= from_us && segment.min_us < to_us;
}
bool inside(const Segment& segment, std::int64_t from_us, std::int64_t to_us) {
  return segment.min_us >= from_us && segment.max_us < to_us;
}
int tier_of(const Segment& segment) {
  int tier = 0;
  for (std::uint64_t n = segment.last - segment.first + 1; n >= kMergeSegments; n /= kMergeSegments)
    ++tier;
  return tier;
}

// The time in a UUIDv7's first 48 bits; -1 when the text is none.
std::int64_t time_in_id(const std::string& id) {
  if (id.size() < 32 || !base::is_id(std::string_view(id).substr(0, 32)) || id[12] != '7')
    return -1;
  return static_cast<std::int64_t>(std::stoull(id.substr(0, 12), nullptr, 16)) * 1000;
}

data::Table empty_table() {
  data::Table out;
  for (const std::string& name : kReadColumns) {
    data::Column column;
    column.name = name;
    column.type = name == "time"                            ? data::ColumnType::kTimestamp
                  : name == "score"                         ? data::ColumnType::kFloat
                  : name == "version" || name == "total_us" ? data::ColumnType::kInteger
                                                            : data::ColumnType::kText;
    out.columns.push_back(std::move(column));
  }
  return out;
}

std::string file_list(const std::vector<Segment>& segments) {
  std::string out = "read_parquet([";
  for (const Segment& segment : segments)
    out += (out.back() == '[' ? "" : ",") + data::quote_literal(segment.path);
  return out + "], union_by_name=true)";
}

tl::unexpected<base::Error> not_written(base::Error&& error, const Segment& segment) {
  return base::wrap(std::move(error),
                    "prediction log segment could not be written: " + segment.path);
}

class Log final : public PredictionLog {
 public:
  explicit Log(const Options& options) : options_(options) {}
  ~Log() override;
  base::Status start();

  void append(const std::string& endpoint, const std::shared_ptr<const LogSchema>& schema,
              LoggedCall&& call) override;
  base::Status flush() override;
  LogCounts counts(const std::string& endpoint) const override;
  base::Result<data::Table> read(const std::string& endpoint, std::int64_t from_us,
                                 std::int64_t to_us, std::uint64_t limit) override;
  base::Result<data::Table> find(const std::string& endpoint,
                                 const std::vector<std::string>& ids) override;
  base::Result<data::Table> query(const std::string& endpoint, const LogQuery& query) override;
  base::Result<std::uint64_t> count(const std::string& endpoint, std::int64_t from_us,
                                    std::int64_t to_us) override;
  std::int64_t first_time(const std::string& endpoint, std::int64_t from_us) const override;

 private:
  // A table registered with the engine for as long as a query needs it.
  class Registered {
   public:
    Registered(data::Engine& engine, std::string name) : engine_(engine), name_(std::move(name)) {}
    ~Registered() { (void)engine_.drop(name_); }
    Registered(const Registered&) = delete;
    Registered& operator=(const Registered&) = delete;

   private:
    data::Engine& engine_;
    std::string name_;
  };

  void run();
  base::Status pass();
  base::Status write_channel(const std::string& endpoint, Channel& channel);
  std::string place_of(const std::string& endpoint, const Segment& segment) const;
  std::vector<std::uint32_t> rows_that_fit(const LogSchema& schema, const LoggedCall& call,
                                           LogCounts& counts) const;
  base::Result<Segment> write_segment(const std::string& endpoint, const LogSchema& schema,
                                      const std::vector<const LoggedCall*>& calls,
                                      std::uint64_t number);
  base::Result<Segment> publish(const std::string& endpoint, const std::string& select,
                                Segment segment);
  void merge_small(const std::string& endpoint, Channel& channel);
  void expire();
  Snapshot snapshot(const std::string& endpoint, std::int64_t from_us, std::int64_t to_us) const;
  base::Result<data::Table> run_query(const std::string& endpoint, const LogQuery& query,
                                      const std::string& where, std::int64_t hint_from_us,
                                      std::int64_t hint_to_us);
  std::string fresh_name() { return "maru_log_" + std::to_string(names_.fetch_add(1)); }

  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Channel>> channels_;  // never removed
  std::size_t queued_ = 0, queued_bytes_ = 0;
  std::condition_variable wake_, passed_;
  std::uint64_t asked_ = 0, answered_ = 0;  // flushes
  base::Status last_pass_;
  bool stopping_ = false;
  std::int64_t expired_us_ = 0;
  std::mutex
      files_;  // one at a time changes the set of segments; readers hold it shared in effect by retrying
  std::atomic<std::uint64_t> names_{1};
  std::thread writer_;
};

base::Status Log::start() {
  if (options_.engine == nullptr || options_.folder.empty())
    return base::fail(Code::kInvalidArgument, "prediction log needs a folder and an engine");
  TRY(base::make_folders(options_.folder));
  TRY_ASSIGN(const auto folders, base::list_folder(options_.folder));
  for (const std::string& folder : folders) {
    const std::string path = base::join_path(options_.folder, folder);
    if (!base::is_folder(path)) continue;
    auto channel = std::make_unique<Channel>();
    TRY_ASSIGN(channel->segments, recover_segments(path));
    for (const Segment& segment : channel->segments)
      channel->next = std::max(channel->next, segment.last + 1);
    channels_.emplace(unescape_folder(folder), std::move(channel));
  }
  writer_ = std::thread([this] { run(); });
  return {};
}

Log::~Log() {
  if (!writer_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  writer_.join();
  if (queued_ > 0)
    base::log_error("prediction log lost rows that could not be written",
                    {{"rows", std::to_string(queued_)}});
}

// By the rows' own sizes and what still fits into the queue; the others are counted.
std::vector<std::uint32_t> Log::rows_that_fit(const LogSchema& schema, const LoggedCall& call,
                                              LogCounts& counts) const {
  std::vector<std::uint32_t> out;
  std::size_t waiting = queued_bytes_;
  for (std::uint32_t row = 0; row < call.rows; ++row) {
    const std::size_t bytes = row_bytes(schema, call, row);
    ShedReason reason = ShedReason::kRowBytes;
    if (bytes <= kLogRowBytes) {
      if (queued_ + out.size() >= kLogQueueRows) {
        reason = ShedReason::kQueueRows;
      } else if (waiting + bytes > kLogQueueBytes) {
        reason = ShedReason::kQueueBytes;
      } else {
        waiting += bytes;
        out.push_back(row);
        continue;
      }
    }
    ++counts.shed;
    ++counts.shed_by[static_cast<std::size_t>(reason)];
  }
  return out;
}

void Log::append(const std::string& endpoint, const std::shared_ptr<const LogSchema>& schema,
                 LoggedCall&& call) {
  if (call.rows == 0) return;
  std::size_t bytes = bytes_of(*schema, call);
  const std::lock_guard lock(mutex_);
  auto& slot = channels_[endpoint];
  if (!slot) slot = std::make_unique<Channel>();
  Channel& channel = *slot;
  if (bytes > kLogRowBytes || queued_ + call.rows > kLogQueueRows ||
      queued_bytes_ + bytes > kLogQueueBytes) {
    const auto rows = rows_that_fit(*schema, call, channel.counts);
    if (rows.empty()) return;
    if (rows.size() < call.rows) {
      keep_rows(*schema, rows, call);
      bytes = bytes_of(*schema, call);
    }
  }
  Chunk& open = channel.open;
  if (open.schema != schema) {
    if (open.schema && !(*open.schema == *schema)) channel.seal();
    open.schema = schema;
  }
  const bool was_small = queued_ < kSegmentRows;
  channel.counts.accepted += call.rows;
  queued_ += call.rows;
  queued_bytes_ += bytes;
  open.rows += call.rows;
  open.bytes += bytes;
  open.calls.push_back(std::move(call));
  if (open.rows >= kChunkRows || open.bytes >= kChunkBytes) channel.seal();
  if (was_small && queued_ >= kSegmentRows) wake_.notify_all();
}

base::Status Log::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++asked_;
  wake_.notify_all();
  passed_.wait(lock, [&] { return answered_ >= mine || stopping_; });
  return last_pass_;
}

LogCounts Log::counts(const std::string& endpoint) const {
  const std::lock_guard lock(mutex_);
  const auto found = channels_.find(endpoint);
  return found == channels_.end() ? LogCounts() : found->second->counts;
}

void Log::run() {
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    wake_.wait_for(lock, std::chrono::milliseconds(options_.flush_ms), [&] {
      return stopping_ || asked_ > answered_ || (queued_ >= kSegmentRows && last_pass_);
    });
    last = stopping_;
    const std::uint64_t asked = asked_;
    lock.unlock();
    base::Status done = pass();
    if (!done)
      base::log_error("prediction log could not be written; its rows wait",
                      {{"error", done.error().text()}});
    lock.lock();
    last_pass_ = std::move(done);
    answered_ = asked;
    passed_.notify_all();
  }
}

// Writes everything accepted before the call.
base::Status Log::pass() {
  std::vector<std::pair<std::string, Channel*>> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, channel] : channels_) {
      channel->seal();
      if (channel->counts.shed > channel->shed_reported) {
        base::log_warn("rows were shed: the prediction log is full, or they are too large",
                       {{"endpoint", name},
                        {"rows", std::to_string(channel->counts.shed - channel->shed_reported)}});
        channel->shed_reported = channel->counts.shed;
      }
      if (!channel->waiting.empty()) due.emplace_back(name, channel.get());
    }
  }
  base::Status first;
  for (const auto& [name, channel] : due) {
    const std::lock_guard files(files_);
    base::Status done = write_channel(name, *channel);
    if (done)
      merge_small(name, *channel);
    else if (first)
      first = std::move(done);
  }
  expire();
  return first;
}

base::Status Log::write_channel(const std::string& endpoint, Channel& channel) {
  for (;;) {
    std::uint64_t number = 0;
    std::size_t taken = 0, taken_bytes = 0;
    {
      const std::lock_guard lock(mutex_);
      while (!channel.waiting.empty() && taken < kSegmentRows) {
        taken += channel.waiting.front()->rows;
        taken_bytes += channel.waiting.front()->bytes;
        channel.writing.push_back(std::move(channel.waiting.front()));
        channel.waiting.pop_front();
      }
      number = channel.next;
    }
    if (taken == 0) return {};
    std::vector<Segment> made;
    base::Status failed;
    for (std::size_t at = 0; at < channel.writing.size() && failed;) {
      const LogSchema& schema = *channel.writing[at]->schema;
      std::map<std::int64_t, std::vector<const LoggedCall*>> by_hour;
      for (; at < channel.writing.size() && *channel.writing[at]->schema == schema; ++at) {
        for (const LoggedCall& call : channel.writing[at]->calls)
          by_hour[call.time_us / kHourUs].push_back(&call);
      }
      for (const auto& [hour, calls] : by_hour) {
        auto segment = write_segment(endpoint, schema, calls, number);
        if (!segment) {
          failed = tl::unexpected<base::Error>(std::move(segment.error()));
          break;
        }
        made.push_back(std::move(*segment));
        ++number;
      }
    }
    // All or nothing: rows go back to the queue only when none of them stays in a file.
    if (!failed) {
      for (const Segment& segment : made) (void)base::remove_tree(segment.path);
    }
    const std::lock_guard lock(mutex_);
    if (!failed) {
      channel.waiting.insert(channel.waiting.begin(), channel.writing.begin(),
                             channel.writing.end());
      channel.writing.clear();
      return failed;
    }
    channel.writing.clear();
    channel.next = number;
    channel.segments.insert(channel.segments.end(), made.begin(), made.end());
    channel.counts.written += taken;
    queued_ -= taken;
    queued_bytes_ -= taken_bytes;
  }
}

std::string Log::place_of(const std::string& endpoint, const Segment& segment) const {
  const std::string folder = base::join_path(
      base::join_path(options_.folder, escape_folder(endpoint)), hour_folder(segment.min_us));
  return base::join_path(folder, segment.name());
}

base::Result<Segment> Log::write_segment(const std::string& endpoint, const LogSchema& schema,
                                         const std::vector<const LoggedCall*>& calls,
                                         std::uint64_t number) {
  Segment segment;
  segment.first = segment.last = number;
  segment.min_us = segment.max_us = calls.front()->time_us;
  for (const LoggedCall* call : calls) {
    segment.rows += call->rows;
    segment.min_us = std::min(segment.min_us, call->time_us);
    segment.max_us = std::max(segment.max_us, call->time_us);
  }
  segment.path = place_of(endpoint, segment);
  const data::Table table = rows_table(schema, calls);
  std::vector<data::StreamColumn> columns;
  for (const data::Column& column : table.columns) columns.push_back({column.name, column.type});
  const auto steps = [&]() -> base::Status {
    TRY_ASSIGN(const auto format, data::RowFormat::open(segment.path, std::move(columns)));
    TRY_ASSIGN(const data::EncodedRows rows, format->encode(table));
    TRY(base::make_folders(base::parent_path(segment.path)));
    return base::write_file_atomic(segment.path,
                                   format->head() + rows.bytes + format->tail({rows.layout}));
  };
  if (auto done = steps(); !done) return not_written(std::move(done.error()), segment);
  return segment;
}

// Rows of other segments, as one.
base::Result<Segment> Log::publish(const std::string& endpoint, const std::string& select,
                                   Segment segment) {
  segment.path = place_of(endpoint, segment);
  const std::string folder = base::parent_path(segment.path);
  TRY(base::make_folders(folder));
  const std::string draft =
      base::join_path(folder, ".tmp-" + base::new_id(*options_.clock) + ".parquet");
  const auto steps = [&]() -> base::Status {
    TRY(options_.engine->write_parquet(select, draft));
    TRY(base::sync_file(draft));
    return base::rename_durable(draft, segment.path);
  };
  if (auto done = steps(); !done) {
    (void)base::remove_tree(draft);
    return not_written(std::move(done.error()), segment);
  }
  return segment;
}

// Sixteen neighbours of one hour and size become one; a failure leaves them as they are.
void Log::merge_small(const std::string& endpoint, Channel& channel) {
  for (;;) {
    std::vector<Segment> sources;
    {
      const std::lock_guard lock(mutex_);
      const auto& all = channel.segments;
      if (all.size() < kMergeSegments) return;
      sources.assign(all.end() - kMergeSegments, all.end());
    }
    Segment merged;
    merged.first = sources.front().first;
    merged.last = sources.back().last;
    merged.min_us = sources.front().min_us;
    merged.max_us = sources.front().max_us;
    for (const Segment& source : sources) {
      if (tier_of(source) != tier_of(sources.front()) ||
          base::parent_path(source.path) != base::parent_path(sources.front().path))
        return;
      merged.rows += source.rows;
      merged.min_us = std::min(merged.min_us, source.min_us);
      merged.max_us = std::max(merged.max_us, source.max_us);
    }
    if (merged.rows > kSegmentRows) return;
    auto made = publish(endpoint, "select * from " + file_list(sources), merged);
    if (!made) {
      base::log_warn("prediction log segments could not be merged",
                     {{"error", made.error().text()}});
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      channel.segments.resize(channel.segments.size() - kMergeSegments);
      channel.segments.push_back(std::move(*made));
    }
    for (const Segment& source : sources) (void)base::remove_tree(source.path);
  }
}

void Log::expire() {
  const std::int64_t now = options_.clock->now_us();
  if (now - expired_us_ < kRetentionEveryUs) return;
  expired_us_ = now;
  const std::lock_guard files(files_);
  std::vector<Segment> old;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, channel] : channels_) {
      const auto expired = [&](const Segment& segment) {
        return segment.max_us < now - options_.keep_us;
      };
      std::copy_if(channel->segments.begin(), channel->segments.end(), std::back_inserter(old),
                   expired);
      std::erase_if(channel->segments, expired);
    }
  }
  std::set<std::string> folders;
  for (const Segment& segment : old) {
    if (auto removed = base::remove_tree(segment.path); !removed)
      base::log_warn("old prediction log segment stays",
                     {{"path", segment.path}, {"error", removed.error().text()}});
    folders.insert(base::parent_path(segment.path));
  }
  for (const std::string& folder : folders) {
    const auto left = base::list_folder(folder);
    if (left && left->empty()) (void)base::remove_tree(folder);
  }
}

Snapshot Log::snapshot(const std::string& endpoint, std::int64_t from_us,
                       std::int64_t to_us) const {
  Snapshot out;
  const std::lock_guard lock(mutex_);
  const auto found = channels_.find(endpoint);
  if (found == channels_.end()) return out;
  const Channel& channel = *found->second;
  for (const Segment& segment : channel.segments) {
    if (overlaps(segment, from_us, to_us)) out.segments.push_back(segment);
  }
  out.chunks.assign(channel.writing.begin(), channel.writing.end());
  out.chunks.insert(out.chunks.end(), channel.waiting.begin(), channel.waiting.end());
  if (!channel.open.calls.empty())
    out.chunks.push_back(std::make_shared<const Chunk>(channel.open));
  return out;
}

base::Result<data::Table> Log::read(const std::string& endpoint, std::int64_t from_us,
                                    std::int64_t to_us, std::uint64_t limit) {
  LogQuery wanted;
  wanted.from_us = from_us;
  wanted.to_us = to_us;
  wanted.limit = limit;
  return query(endpoint, wanted);
}

base::Result<data::Table> Log::find(const std::string& endpoint,
                                    const std::vector<std::string>& ids) {
  if (ids.empty()) return empty_table();
  LogQuery wanted;
  wanted.from_us = INT64_MAX;
  wanted.to_us = INT64_MIN;
  wanted.whole = true;
  wanted.oldest_first = true;
  std::string list;
  for (const std::string& id : ids) {
    const std::int64_t at = time_in_id(id);
    wanted.from_us = std::min(wanted.from_us, at < 0 ? INT64_MIN : at - kIdSlackUs);
    wanted.to_us = std::max(wanted.to_us, at < 0 ? INT64_MAX : at + kIdSlackUs);
    list += (list.empty() ? "" : ",") + data::quote_literal(id);
  }
  const std::string where =
      " and (id in (" + list + ") or regexp_replace(id, '-[0-9]+$', '') in (" + list + "))";
  return run_query(endpoint, wanted, where, wanted.from_us, wanted.to_us);
}

base::Result<data::Table> Log::query(const std::string& endpoint, const LogQuery& wanted) {
  LogQuery query = wanted;
  std::string where;
  if (query.sample > 0) {
    TRY_ASSIGN(const std::uint64_t rows, count(endpoint, query.from_us, query.to_us));
    constexpr std::uint64_t kParts = 1 << 20;
    if (rows > query.sample)
      where = " and hash(id) % " + std::to_string(kParts) + " < " +
              std::to_string(kParts * query.sample / rows + 1);
  }
  std::int64_t from = query.from_us;
  if (query.limit > 0 && !query.oldest_first && where.empty() && query.trace_id.empty()) {
    // The newest rows lie in the newest segments: go back only until whole segments have enough.
    Snapshot state = snapshot(endpoint, query.from_us, query.to_us);
    std::sort(state.segments.begin(), state.segments.end(),
              [](const Segment& a, const Segment& b) { return a.max_us > b.max_us; });
    std::uint64_t rows = 0;
    std::int64_t oldest = INT64_MAX;
    for (const Segment& segment : state.segments) {
      if (rows >= query.limit && segment.max_us < oldest) {
        from = std::max(from, oldest);
        break;
      }
      if (inside(segment, query.from_us, query.to_us)) {
        rows += segment.rows;
        oldest = std::min(oldest, segment.min_us);
      }
    }
  }
  return run_query(endpoint, query, where, from, query.to_us);
}

base::Result<data::Table> Log::run_query(const std::string& endpoint, const LogQuery& query,
                                         const std::string& where, std::int64_t hint_from_us,
                                         std::int64_t hint_to_us) {
  for (int attempt = 0;; ++attempt) {
    Snapshot state = snapshot(endpoint, hint_from_us, hint_to_us);
    std::vector<std::unique_ptr<Registered>> registered;
    std::string from;
    if (!state.segments.empty()) from = "select * from " + file_list(state.segments);
    std::vector<std::pair<const LogSchema*, std::vector<const LoggedCall*>>> memory;
    for (const ChunkPtr& chunk : state.chunks) {
      for (const LoggedCall& call : chunk->calls) {
        if (call.time_us < query.from_us || call.time_us >= query.to_us) continue;
        if (memory.empty() || !(*memory.back().first == *chunk->schema))
          memory.emplace_back(chunk->schema.get(), std::vector<const LoggedCall*>());
        memory.back().second.push_back(&call);
      }
    }
    for (const auto& [schema, calls] : memory) {
      const std::string name = fresh_name();
      TRY(options_.engine->register_table(name, rows_table(*schema, calls)));
      registered.push_back(std::make_unique<Registered>(*options_.engine, name));
      from += (from.empty() ? "" : " union all by name ") + std::string("select * from ") + name;
    }
    if (from.empty())
      return query.columns.empty() ? empty_table() : empty_table().select(query.columns);
    std::string columns;
    for (const std::string& name : query.columns)
      columns += (columns.empty() ? "" : ", ") + data::quote_identifier(name);
    if (columns.empty()) {
      std::string fixed;
      for (const char* name : kLogColumns) {
        fixed += (fixed.empty() ? "" : ", ") + std::string(name);
        if (query.whole) columns += std::string(name) + ", ";
      }
      for (const std::string& name : kReadColumns)
        if (!query.whole) columns += name + ", ";
      columns += "* exclude (" + fixed + ")";
    }
    // Files of earlier versions lack some of the fixed columns.
    from += " union all by name " + std::string(kNewerColumns);
    std::string sql = "select " + columns + " from (" + from + ") where true" + where;
    if (!query.trace_id.empty()) sql += " and trace_id = " + data::quote_literal(query.trace_id);
    if (query.from_us != INT64_MIN)
      sql += " and epoch_us(time) >= " + std::to_string(query.from_us);
    if (query.to_us != INT64_MAX) sql += " and epoch_us(time) < " + std::to_string(query.to_us);
    sql += query.oldest_first ? " order by time, id" : " order by time desc, id desc";
    if (query.limit > 0) sql += " limit " + std::to_string(query.limit);
    auto table = options_.engine->query(sql);
    if (table) return table;
    // A segment may have been merged or expired between the snapshot and the read.
    const bool moved =
        std::any_of(state.segments.begin(), state.segments.end(),
                    [](const Segment& segment) { return !base::path_exists(segment.path); });
    if (!moved || attempt >= 3)
      return base::wrap(std::move(table.error()), "prediction log could not be read: " + endpoint);
  }
}

base::Result<std::uint64_t> Log::count(const std::string& endpoint, std::int64_t from_us,
                                       std::int64_t to_us) {
  Snapshot state = snapshot(endpoint, from_us, to_us);
  std::uint64_t out = 0;
  std::vector<Segment> partly;
  for (const Segment& segment : state.segments) {
    if (inside(segment, from_us, to_us))
      out += segment.rows;
    else
      partly.push_back(segment);
  }
  for (const ChunkPtr& chunk : state.chunks) {
    for (const LoggedCall& call : chunk->calls)
      if (call.time_us >= from_us && call.time_us < to_us) out += call.rows;
  }
  if (partly.empty()) return out;
  auto table = options_.engine->query("select count(*) as n from " + file_list(partly) +
                                      " where epoch_us(time) >= " + std::to_string(from_us) +
                                      " and epoch_us(time) < " + std::to_string(to_us));
  if (!table) {
    // Merged or expired meanwhile: what replaced it is counted by reading.
    LogQuery all;
    all.from_us = from_us;
    all.to_us = to_us;
    all.columns = {"version"};
    TRY_ASSIGN(const data::Table rows, query(endpoint, all));
    return static_cast<std::uint64_t>(rows.rows());
  }
  return out + static_cast<std::uint64_t>(table->columns.at(0).number(0));
}

std::int64_t Log::first_time(const std::string& endpoint, std::int64_t from_us) const {
  const Snapshot state = snapshot(endpoint, from_us, INT64_MAX);
  std::int64_t out = INT64_MAX;
  for (const Segment& segment : state.segments)
    out = std::min(out, std::max(segment.min_us, from_us));
  for (const ChunkPtr& chunk : state.chunks) {
    for (const LoggedCall& call : chunk->calls) {
      if (call.time_us >= from_us) out = std::min(out, call.time_us);
    }
  }
  return out;
}

}  // namespace

std::string_view shed_reason_name(ShedReason reason) {
  switch (reason) {
    case ShedReason::kQueueRows:
      return "queue_rows";
    case ShedReason::kQueueBytes:
      return "queue_bytes";
    case ShedReason::kRowBytes:
      return "row_bytes";
  }
  return "queue_rows";
}

base::Result<std::unique_ptr<PredictionLog>> PredictionLog::open(const Options& options) {
  auto log = std::make_unique<Log>(options);
  TRY(log->start());
  return std::unique_ptr<PredictionLog>(std::move(log));
}

}  // namespace maru::monitor
