#include "run_index.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>

namespace maru::tracking {

using base::Status;
using store::params;

std::uint32_t TextColumn::code(const std::string& word) {
  const auto [found, fresh] = code_of.try_emplace(word, static_cast<std::uint32_t>(words.size()));
  if (fresh) words.push_back(word);
  return found->second;
}

std::optional<std::size_t> ExperimentColumns::row_of(std::int64_t number) const {
  const auto found = std::lower_bound(numbers.begin(), numbers.end(), number);
  if (found == numbers.end() || *found != number) return std::nullopt;
  return static_cast<std::size_t>(found - numbers.begin());
}

namespace {

void set_attributes(ExperimentColumns& columns, std::size_t row, const RunRow& run) {
  columns.start_us[row] = run.start_us;
  columns.end_us[row] = run.end_us;
  columns.id.codes[row] = columns.id.code(run.id);
  columns.name.codes[row] = columns.name.code(run.name);
  columns.status.codes[row] = columns.status.code(run.status);
  columns.user.codes[row] = columns.user.code(run.user);
  columns.state.codes[row] = columns.state.code(run.state);
  columns.artifact_uri.codes[row] = columns.artifact_uri.code(run.artifact_uri);
}

void add_row(ExperimentColumns& columns, std::int64_t number) {
  columns.numbers.push_back(number);
  const std::size_t rows = columns.rows();
  columns.start_us.resize(rows);
  columns.end_us.resize(rows);
  for (TextColumn* column : {&columns.id, &columns.name, &columns.status, &columns.user,
                             &columns.state, &columns.artifact_uri})
    column->codes.resize(rows);
  for (auto& [key, column] : columns.metrics) {
    column.points.resize(rows);
    column.present.resize(rows);
  }
  for (auto* texts : {&columns.params, &columns.tags})
    for (auto& [key, column] : *texts) column.codes.resize(rows);
}

void set_point(NumberColumn& column, std::size_t row, const Point& point) {
  if (column.present[row] && !earlier(column.points[row], point)) return;
  column.points[row] = point;
  column.present[row] = true;
}

void make_change(ExperimentColumns& columns, const RunChange& change) {
  auto row = columns.row_of(change.row.number);
  if (change.kind == RunChange::Kind::kRun) {
    if (!row) {
      // Numbers grow, so a new run is the last one.
      if (!columns.numbers.empty() && columns.numbers.back() > change.row.number) return;
      add_row(columns, change.row.number);
      row = columns.rows() - 1;
    }
    return set_attributes(columns, *row, change.row);
  }
  if (!row) return;
  if (change.kind == RunChange::Kind::kMetric) {
    const auto found = columns.metrics.find(change.key);
    if (found != columns.metrics.end()) set_point(found->second, *row, change.point);
    return;
  }
  auto& texts = change.value_kind == ValueKind::kParam ? columns.params : columns.tags;
  const auto found = texts.find(change.key);
  if (found == texts.end()) return;
  found->second.codes[*row] =
      change.kind == RunChange::Kind::kRemoveText ? 0 : found->second.code(change.value);
}

}  // namespace

std::shared_ptr<RunIndex::Held> RunIndex::held(const std::string& experiment_id) {
  const std::lock_guard lock(mutex_);
  auto& found = held_[experiment_id];
  if (found == nullptr) {
    found = std::make_shared<Held>();
    found->columns.experiment_id = experiment_id;
  }
  found->used_ms = clock_.monotonic_ns() / 1'000'000;
  if (!watcher_.joinable())
    watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  return found;
}

Status RunIndex::load_rows(ExperimentColumns& columns) {
  const auto key = params(columns.experiment_id);
  return db_.read([&](store::Reader& reader) {
    return reader.each(
        "SELECT number, id, name, status, user_name, state, artifact_uri, start_us, end_us FROM "
        "runs WHERE experiment_id = $1 ORDER BY number",
        key, [&](const store::Cursor& row) -> Status {
          RunRow run;
          run.id = row.text(1);
          run.name = row.text(2);
          run.status = row.text(3);
          run.user = row.text(4);
          run.state = row.text(5);
          run.artifact_uri = row.text(6);
          run.start_us = row.integer(7);
          run.end_us = row.integer(8);
          add_row(columns, row.integer(0));
          set_attributes(columns, columns.rows() - 1, run);
          return {};
        });
  });
}

Status RunIndex::load_metric(ExperimentColumns& columns, const std::string& key) {
  NumberColumn column;
  column.points.resize(columns.rows());
  column.present.resize(columns.rows());
  TRY(db_.read([&](store::Reader& reader) -> Status {
    for (std::size_t i = 0; i < columns.rows(); ++i) {
      const auto cells = params(columns.numbers[i], key);
      TRY(reader.each("SELECT value, step, time_ms FROM run_metrics WHERE run = $1 AND key = $2",
                      cells, [&](const store::Cursor& row) -> Status {
                        set_point(column, i, {read_metric(row, 0), row.integer(1), row.integer(2)});
                        return {};
                      }));
    }
    return {};
  }));
  metrics_.visit_tail_latest([&](std::int64_t run, const std::string& name, const Point& point) {
    if (name != key) return;
    if (const auto row = columns.row_of(run)) set_point(column, *row, point);
  });
  columns.metrics[key] = std::move(column);
  return {};
}

Status RunIndex::load_texts(ExperimentColumns& columns, ValueKind kind, const std::string& key) {
  TextColumn column;
  column.codes.resize(columns.rows());
  TRY(db_.read([&](store::Reader& reader) -> Status {
    for (std::size_t i = 0; i < columns.rows(); ++i) {
      const auto cells = params(columns.numbers[i], static_cast<std::int64_t>(kind), key);
      TRY(reader.each("SELECT value FROM run_values WHERE run = $1 AND kind = $2 AND key = $3",
                      cells, [&](const store::Cursor& row) -> Status {
                        column.codes[i] = column.code(std::string(row.text(0)));
                        return {};
                      }));
    }
    return {};
  }));
  (kind == ValueKind::kParam ? columns.params : columns.tags)[key] = std::move(column);
  return {};
}

// Makes the changes that came since; the caller holds the columns alone.
void RunIndex::settle(Held& held) {
  std::vector<RunChange> changes;
  {
    const std::lock_guard lock(held.pending_mutex);
    changes.swap(held.pending);
    if (held.overflowed) {
      held.overflowed = false;
      held.loaded = false;
    }
  }
  if (held.loaded)
    for (const auto& change : changes) make_change(held.columns, change);
}

// A change that comes while a column is being read waits in `pending` and is made after: each says what is true now, so making one that
// the tables already showed changes nothing.
Status RunIndex::prepare(Held& held, const Needs& needs) {
  settle(held);
  if (!held.loaded) {
    const std::string id = held.columns.experiment_id;
    held.columns = {};
    held.columns.experiment_id = id;
    TRY(load_rows(held.columns));
    held.loaded = true;
  }
  for (const auto& key : needs.metrics)
    if (!held.columns.metrics.contains(key)) TRY(load_metric(held.columns, key));
  for (const auto& key : needs.params)
    if (!held.columns.params.contains(key)) TRY(load_texts(held.columns, ValueKind::kParam, key));
  for (const auto& key : needs.tags)
    if (!held.columns.tags.contains(key)) TRY(load_texts(held.columns, ValueKind::kTag, key));
  settle(held);
  return {};
}

Status RunIndex::with(const std::vector<std::string>& experiments, const Needs& needs,
                      const Use& use) {
  const auto ready = [&](Held& held) {
    const std::lock_guard lock(held.pending_mutex);
    return held.loaded && held.pending.empty() && !held.overflowed;
  };
  const auto has_all = [&](const ExperimentColumns& columns) {
    const auto in = [](const auto& map) {
      return [&map](const std::string& key) { return map.contains(key); };
    };
    return std::all_of(needs.metrics.begin(), needs.metrics.end(), in(columns.metrics)) &&
           std::all_of(needs.params.begin(), needs.params.end(), in(columns.params)) &&
           std::all_of(needs.tags.begin(), needs.tags.end(), in(columns.tags));
  };
  // Always in the same order, so that two searches never wait for each other.
  std::vector<std::string> ids = experiments;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<std::shared_ptr<Held>> kept;
  for (const auto& id : ids) kept.push_back(held(id));
  for (const auto& one : kept) {
    {
      const std::shared_lock look(one->mutex);
      if (ready(*one) && has_all(one->columns)) continue;
    }
    const std::unique_lock lock(one->mutex);
    TRY(prepare(*one, needs));
  }
  std::vector<std::shared_lock<std::shared_mutex>> locks;
  std::vector<const ExperimentColumns*> columns;
  for (const auto& one : kept) {
    locks.emplace_back(one->mutex);
    // Dropped or reloaded in between: rare, and then read again alone.
    if (!one->loaded || !has_all(one->columns)) {
      locks.back().unlock();
      {
        const std::unique_lock lock(one->mutex);
        TRY(prepare(*one, needs));
      }
      locks.back().lock();
    }
    columns.push_back(&one->columns);
  }
  TRY(use(columns));
  locks.clear();
  drop_excess();
  return {};
}

void RunIndex::apply(RunChange change) {
  std::shared_ptr<Held> found;
  std::shared_ptr<const Listener> listener;
  {
    const std::lock_guard lock(mutex_);
    listener = listener_;
    const auto at = held_.find(change.row.experiment_id);
    if (at != held_.end()) found = at->second;
  }
  if (listener) (*listener)(change.row);
  if (!found) return;
  const std::lock_guard lock(found->pending_mutex);
  if (found->pending.size() >= kMaxPending) {
    found->pending.clear();
    found->overflowed = true;
  }
  found->pending.push_back(std::move(change));
}

void RunIndex::apply(std::vector<RunChange> changes) {
  for (auto& change : changes) apply(std::move(change));
}

void RunIndex::listen(Listener listener) {
  auto kept = std::make_shared<const Listener>(std::move(listener));
  const std::lock_guard lock(mutex_);
  listener_ = std::move(kept);
}

void RunIndex::drop(const std::string& experiment_id) {
  const std::lock_guard lock(mutex_);
  const auto at = held_.find(experiment_id);
  if (at == held_.end()) return;
  const std::lock_guard pending(at->second->pending_mutex);
  at->second->overflowed = true;
}

std::size_t RunIndex::drop_idle() {
  const std::int64_t before_ms = clock_.monotonic_ns() / 1'000'000 - kIdleMs;
  const std::lock_guard lock(mutex_);
  return std::erase_if(held_, [&](const auto& entry) { return entry.second->used_ms < before_ms; });
}

// Columns are many small pieces: what they leave free among others goes back to the system only when it is asked to.
void RunIndex::watch(const std::stop_token& stop) {
  std::mutex own;
  std::unique_lock lock(own);
  while (!stop.stop_requested()) {
    stopped_.wait_for(lock, stop, std::chrono::milliseconds(kLookMs), [] { return false; });
    if (!stop.stop_requested() && drop_idle() > 0) ::malloc_trim(0);
  }
}

void RunIndex::drop_excess() {
  const std::lock_guard lock(mutex_);
  const auto cells = [](Held& held) -> std::size_t {
    const std::shared_lock look(held.mutex, std::try_to_lock);
    if (!look) return 0;
    const auto& c = held.columns;
    return c.rows() * (8 + 2 * c.metrics.size() + c.params.size() + c.tags.size());
  };
  std::size_t total = 0;
  for (const auto& [id, one] : held_) total += cells(*one);
  while (total > kMaxCells && held_.size() > 1) {
    const auto oldest = std::min_element(
        held_.begin(), held_.end(),
        [](const auto& a, const auto& b) { return a.second->used_ms < b.second->used_ms; });
    total -= std::min(total, cells(*oldest->second));
    held_.erase(oldest);
  }
}

}  // namespace maru::tracking
