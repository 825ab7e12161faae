#include "metric_store.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

#include "maru/base/fault.h"
#include "maru/base/log.h"

namespace maru::tracking {

using base::Result;
using base::Status;
using store::params;
using store::Value;
using store::Writer;

namespace {

Point point_of(const store::Row& row) {
  const bool nan = std::holds_alternative<std::string>(row.cells()[0]);
  return {nan ? std::numeric_limits<double>::quiet_NaN() : row.real(0), row.integer(1),
          row.integer(2)};
}

void sort_unique(std::vector<Point>& points) {
  std::sort(points.begin(), points.end(), earlier);
  points.erase(std::unique(points.begin(), points.end()), points.end());
}

// Puts the points from `begin` on, ordered and unlike each other, in order among those before, which are so too. Chunks mostly follow one
// another, or overlap a little.
void merge_tail(std::vector<Point>& points, std::size_t begin) {
  if (begin == 0 || begin == points.size() || earlier(points[begin - 1], points[begin])) return;
  const auto middle = points.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto from = std::lower_bound(points.begin(), middle, *middle, earlier);
  std::inplace_merge(from, middle, points.end(), earlier);
  points.erase(std::unique(from, points.end()), points.end());
}

}  // namespace

Value metric_cell(double value) {
  return std::isnan(value) ? Value(std::string("NaN")) : Value(value);
}

double read_metric(const store::Cursor& row, int column) {
  return row.is_text(column) ? std::numeric_limits<double>::quiet_NaN() : row.real(column);
}

MetricStore::~MetricStore() {
  thread_.request_stop();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status MetricStore::start() {
  TRY(db_.read([&](store::Reader& reader) {
    return reader.each("SELECT number, data FROM metric_tail ORDER BY number", {},
                       [&](const store::Cursor& row) -> Status {
                         TRY_ASSIGN(const TailEntry entry, decode_entry(row.bytes(1)));
                         add(tail_, entry);
                         for (const auto& series : entry.series)
                           tail_points_ += series.points.size();
                         applied_entry_ = row.integer(0);
                         return {};
                       });
  }));
  next_entry_ = applied_entry_ + 1;
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
  return {};
}

void MetricStore::add(Tail& tail, const TailEntry& entry) {
  auto& run = tail[entry.run];
  for (const auto& series : entry.series) {
    if (series.points.empty()) continue;
    auto [found, fresh] = run.try_emplace(series.key);
    Series& kept = found->second;
    if (fresh) kept.latest = series.points.front();
    for (const auto& point : series.points)
      if (earlier(kept.latest, point)) kept.latest = point;
    kept.points.insert(kept.points.end(), series.points.begin(), series.points.end());
  }
}

Result<std::int64_t> MetricStore::append(Writer& writer, const TailEntry& entry) {
  const std::int64_t number = next_entry_++;
  const auto cells = params(number, store::Blob{encode_entry(entry)});
  TRY(writer.execute("INSERT INTO metric_tail (number, data) VALUES ($1, $2)", cells));
  return number;
}

void MetricStore::applied(const TailEntry& entry, std::int64_t number) {
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    add(tail_, entry);
    for (const auto& series : entry.series) tail_points_ += series.points.size();
    applied_entry_ = number;
    full = tail_points_ >= kFoldPoints;
  }
  if (full) wake_.notify_one();
}

void MetricStore::forget(std::int64_t run) {
  const std::lock_guard not_while_folding(fold_mutex_);
  const std::lock_guard lock(mutex_);
  tail_.erase(run);
  folding_.erase(run);
}

MetricStore::Latest MetricStore::tail_latest(std::int64_t run) const {
  Latest out;
  const std::lock_guard lock(mutex_);
  for (const Tail* tail : {&folding_, &tail_}) {
    const auto found = tail->find(run);
    if (found == tail->end()) continue;
    for (const auto& [key, series] : found->second) {
      const auto [at, fresh] = out.try_emplace(key, series.latest);
      if (!fresh && earlier(at->second, series.latest)) at->second = series.latest;
    }
  }
  return out;
}

void MetricStore::visit_tail_latest(
    const std::function<void(std::int64_t, const std::string&, const Point&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const Tail* tail : {&folding_, &tail_}) {
    for (const auto& [run, keys] : *tail)
      for (const auto& [key, series] : keys) visit(run, key, series.latest);
  }
}

std::vector<Point> MetricStore::tail_points(std::int64_t run, const std::string& key) const {
  std::vector<Point> out;
  const std::lock_guard lock(mutex_);
  for (const Tail* tail : {&folding_, &tail_}) {
    const auto found = tail->find(run);
    if (found == tail->end()) continue;
    const auto series = found->second.find(key);
    if (series == found->second.end()) continue;
    out.insert(out.end(), series->second.points.begin(), series->second.points.end());
  }
  return out;
}

Status MetricStore::read_series(std::int64_t run, const std::string& key, const Begin& begin,
                                std::vector<Point>& points, const Appended& appended) {
  std::vector<Point> rest = tail_points(run, key);
  const auto cells = params(run, key);
  return db_.read([&](store::Reader& reader) -> Status {
    TRY(reader.each("SELECT value, step, time_ms FROM run_metrics WHERE run = $1 AND key = $2",
                    cells, [&](const store::Cursor& row) -> Status {
                      rest.push_back({read_metric(row, 0), row.integer(1), row.integer(2)});
                      return {};
                    }));
    sort_unique(rest);
    TRY(reader.each("SELECT SUM(points) FROM metric_chunks WHERE run = $1 AND key = $2", cells,
                    [&](const store::Cursor& row) -> Status {
                      begin(static_cast<std::size_t>(row.integer(0)) + rest.size());
                      return {};
                    }));
    bool more = true;
    TRY(reader.each("SELECT data FROM metric_chunks WHERE run = $1 AND key = $2 ORDER BY chunk",
                    cells, [&](const store::Cursor& row) -> Status {
                      if (!more) return {};
                      const std::size_t from = points.size();
                      TRY(decode_points(row.bytes(0), points));
                      more = appended(from);
                      return {};
                    }));
    if (!more) return {};
    const std::size_t from = points.size();
    points.insert(points.end(), rest.begin(), rest.end());
    appended(from);
    return {};
  });
}

Result<std::vector<Point>> MetricStore::history(std::int64_t run, const std::string& key) {
  std::vector<Point> out;
  TRY(read_series(
      run, key, [&](std::size_t count) { out.reserve(count); }, out,
      [&](std::size_t from) {
        merge_tail(out, from);
        return true;
      }));
  return out;
}

Result<bool> MetricStore::visit_history(std::int64_t run, const std::string& key,
                                        const Begin& begin, const Piece& piece) {
  std::vector<Point> points;
  std::optional<Point> before;
  bool ordered = true;
  TRY(read_series(run, key, begin, points, [&](std::size_t) {
    if (points.empty()) return true;
    ordered = !before || earlier(*before, points.front());
    before = points.back();
    if (ordered) piece(points);
    points.clear();
    return ordered;
  }));
  return ordered;
}

// The latest point stands in run_metrics alone; what was the latest before goes to the chunks with the rest.
Status MetricStore::fold_series(Writer& writer, std::int64_t run, const std::string& key,
                                const Series& series) {
  const auto name = params(run, key);
  TRY_ASSIGN(const auto known,
             writer.query(
                 "SELECT value, step, time_ms FROM run_metrics WHERE run = $1 AND key = $2", name));
  std::vector<Point> older = series.points;
  Point latest = series.latest;
  if (!known.empty()) {
    const Point before = point_of(known[0]);
    older.push_back(before);
    if (!earlier(before, latest)) latest = before;
  }
  sort_unique(older);
  older.erase(std::remove(older.begin(), older.end(), latest), older.end());
  const auto row = params(run, key, metric_cell(latest.value), latest.step, latest.time_ms);
  TRY(writer.execute(
      "INSERT INTO run_metrics (run, key, value, step, time_ms) VALUES ($1, $2, $3, $4, $5) ON "
      "CONFLICT (run, key) DO UPDATE SET value = excluded.value, step = excluded.step, time_ms = "
      "excluded.time_ms",
      row));
  if (older.empty()) return {};
  TRY_ASSIGN(const auto last,
             writer.query("SELECT chunk, points, data FROM metric_chunks WHERE run = $1 AND key = "
                          "$2 ORDER BY chunk DESC LIMIT 1",
                          name));
  std::int64_t chunk = last.empty() ? 0 : last[0].integer(0);
  if (!last.empty() && static_cast<std::size_t>(last[0].integer(1)) < kChunkPoints) {
    std::vector<Point> points;
    TRY(decode_points(last[0].bytes(2), points));
    points.insert(points.end(), older.begin(), older.end());
    sort_unique(points);
    older = std::move(points);
  } else {
    ++chunk;
  }
  for (std::size_t begin = 0; begin < older.size(); begin += kChunkPoints, ++chunk) {
    const std::size_t size = std::min(kChunkPoints, older.size() - begin);
    std::string data;
    encode_points(std::span(older).subspan(begin, size), data);
    const auto cells =
        params(run, key, chunk, static_cast<std::int64_t>(size), store::Blob{std::move(data)});
    TRY(writer.execute(
        "INSERT INTO metric_chunks (run, key, chunk, points, data) VALUES ($1, $2, $3, $4, $5) ON "
        "CONFLICT (run, key, chunk) DO UPDATE SET points = excluded.points, data = excluded.data",
        cells));
  }
  return {};
}

Status MetricStore::adopt(Writer& writer, std::int64_t run, const std::string& key,
                          const std::vector<Point>& points) {
  if (points.empty()) return {};
  return fold_series(writer, run, key,
                     {points, *std::max_element(points.begin(), points.end(), earlier)});
}

Status MetricStore::fold() {
  const std::lock_guard one_at_a_time(fold_mutex_);
  std::int64_t upto = 0;
  struct Item {
    std::int64_t run;
    const std::string* key;
    const Series* series;
  };
  std::vector<Item> items;
  {
    const std::lock_guard lock(mutex_);
    if (folding_.empty()) {
      folding_.swap(tail_);
      tail_points_ = 0;
    } else {  // a former fold failed on the way: its points are still to be folded
      for (auto& [run, keys] : tail_) {
        for (auto& [key, series] : keys) {
          TailEntry entry{run, {}};
          entry.series.push_back({key, std::move(series.points)});
          add(folding_, entry);
        }
      }
      tail_.clear();
      tail_points_ = 0;
    }
    upto = applied_entry_;
    for (const auto& [run, keys] : folding_)
      for (const auto& [key, series] : keys) items.push_back({run, &key, &series});
  }
  if (items.empty()) return {};
  // Neighbours in the tables are written together.
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.run != b.run ? a.run < b.run : *a.key < *b.key;
  });
  for (std::size_t begin = 0; begin < items.size(); begin += kSlicePairs) {
    const std::size_t end = std::min(items.size(), begin + kSlicePairs);
    TRY(db_.write([&](Writer& writer) -> Status {
      for (std::size_t i = begin; i < end; ++i)
        TRY(fold_series(writer, items[i].run, *items[i].key, *items[i].series));
      return {};
    }));
    static_cast<void>(base::fault_point("tracking.fold"));
  }
  TRY(db_.write([&](Writer& writer) -> Status {
    const auto cells = params(upto);
    TRY(writer.execute("DELETE FROM metric_tail WHERE number <= $1", cells));
    return {};
  }));
  const std::lock_guard lock(mutex_);
  folding_.clear();
  return {};
}

void MetricStore::loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, stop, [this] { return !tail_.empty(); });
      if (stop.stop_requested()) return;
      wake_.wait_for(lock, stop, std::chrono::milliseconds(kFoldAfterMs),
                     [this] { return tail_points_ >= kFoldPoints; });
    }
    if (stop.stop_requested()) return;
    const Status folded = fold();
    if (!folded) {
      base::log_warn("metric points stay in the tail for now", {{"reason", folded.error().text()}});
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, std::chrono::milliseconds(kFoldAfterMs), [] { return false; });
    }
  }
}

}  // namespace maru::tracking
