#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/data/row_format.h"
#include "stored_datasets.h"

namespace maru::data {

using base::Code;
using base::Status;
using store::params;

namespace {

constexpr std::size_t kRowGroup = 122'880;
constexpr std::size_t kMaxKeyBytes = 512;
constexpr int kMostTries = 8;
// Small parts behind each other from which on a dataset is worth compacting, and from which on an append does it itself: where no
// background task runs.
constexpr std::size_t kRaggedParts = 16, kVeryRaggedParts = 256;
constexpr std::uint64_t kSmallPartBytes = 32ull << 20, kLargePartRows = 4'000'000;

bool same_columns(const std::vector<SnapshotColumn>& a, const std::vector<SnapshotColumn>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.name == y.name && x.type == y.type;
  });
}

bool same_parts(const std::vector<SnapshotPart>& a, const std::vector<SnapshotPart>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.sha256 == y.sha256; });
}

std::string list_of(const std::vector<PartFile>& parts) {
  std::string list;
  for (const auto& part : parts) list += (list.empty() ? "" : ", ") + quote_literal(part.path());
  return "read_parquet([" + list + "])";
}

// Where the small parts begin that are worth one merge: the parts at the end of which each is not larger than all behind it twice over,
// so that a row is rewritten a logarithmic number of times. The size of `parts` when it is not worth it yet.
std::size_t ragged_from(const std::vector<SnapshotPart>& parts) {
  std::size_t from = parts.size();
  std::uint64_t behind = 0;
  while (from > 0) {
    const SnapshotPart& part = parts[from - 1];
    const bool small = part.bytes < kSmallPartBytes && part.rows < kLargePartRows;
    if (!small || (from < parts.size() && part.bytes > 2 * behind)) break;
    behind += part.bytes;
    --from;
  }
  return parts.size() - from >= kRaggedParts ? from : parts.size();
}

}  // namespace

base::Result<Prepared> StoredDatasets::write_rows(const AppendSpec& spec) {
  const Table& rows = *spec.rows;
  Prepared out;
  std::vector<StreamColumn> columns;
  for (const auto& column : rows.columns) {
    columns.push_back({column.name, column.type});
    out.columns.push_back({column.name, column.type});
  }
  if (columns.empty() || rows.rows() == 0)
    return base::fail(Code::kInvalidArgument, "no rows to append to: " + spec.from.dataset);
  TRY_ASSIGN(const std::string path, make_part_path());
  out.parts.emplace_back(path, rows.rows());
  TRY_ASSIGN(const auto format, RowFormat::open(path, columns));
  std::string bytes = format->head();
  std::vector<base::Json> layouts;
  for (std::size_t from = 0; from < rows.rows(); from += kRowGroup) {
    const bool whole = from == 0 && rows.rows() <= kRowGroup;
    TRY_ASSIGN(EncodedRows group, format->encode(whole ? rows : rows.slice(from, kRowGroup)));
    bytes += group.bytes;
    layouts.push_back(std::move(group.layout));
  }
  bytes += format->tail(layouts);
  TRY(base::write_file_atomic(path, bytes));
  out.rows = rows.rows();
  out.source = spec.source;
  return out;
}

base::Result<std::optional<Snapshot>> StoredDatasets::earlier_append(const Query& query,
                                                                     const AppendSpec& spec) {
  if (spec.key.empty()) return std::optional<Snapshot>();
  const auto key = params(spec.from.project, spec.from.dataset, spec.key);
  TRY_ASSIGN(const auto rows, query("SELECT snapshot_id FROM data_append WHERE project = $1 AND "
                                    "dataset = $2 AND append_key = $3",
                                    key));
  if (rows.empty()) return std::optional<Snapshot>();
  TRY_ASSIGN(auto found, snapshots_where(query, "id = $1", params(rows[0].text(0))));
  if (found.empty())
    return base::fail(Code::kFailedPrecondition,
                      "the snapshot of this append is gone: " + spec.key);
  TRY_ASSIGN(found.front().parts, parts_of(query, found.front()));
  return std::optional<Snapshot>(std::move(found.front()));
}

// The prepared rows with the columns that `fit` gives them.
base::Result<Prepared> StoredDatasets::refit(Prepared prepared, const ColumnFit& fit,
                                             base::Context& context) {
  TRY_ASSIGN(const auto connection, engine_.impl().connect());
  TRY_ASSIGN(Prepared out,
             copy_relation(*connection, "SELECT " + fit.select + " FROM " + list_of(prepared.parts),
                           context));
  out.source_bytes = prepared.source_bytes;
  out.source = std::move(prepared.source);
  out.dead = std::move(prepared.dead);
  return out;
}

base::Result<bool> StoredDatasets::try_append(const AppendSpec& spec, Prepared& prepared,
                                              ImportResult& out, base::Context& context) {
  TRY_ASSIGN(const auto before, newest(reading(), spec.from.project, spec.from.dataset));
  ColumnFit fit;
  fit.columns = prepared.columns;
  if (before && !same_columns(before->columns, prepared.columns)) {
    TRY_ASSIGN(const std::string older, relation(*before));
    TRY_ASSIGN(fit, fit_columns(engine_, *before, older, prepared.columns, list_of(prepared.parts),
                                spec.fill_missing));
    if (!fit.select.empty()) {
      TRY_ASSIGN(prepared, refit(std::move(prepared), fit, context));
    }
  }
  Snapshot fresh;
  fresh.project = spec.from.project;
  fresh.dataset = spec.from.dataset;
  TRY_ASSIGN(fresh.added, store_parts(prepared));
  fresh.columns = fit.columns;
  fresh.source = prepared.source;
  fresh.query = spec.from.shown_query.empty() ? spec.from.sql : spec.from.shown_query;
  fresh.run_id = spec.from.run_id;
  fresh.created_us = clock_.now_us();
  bool raced = false;
  TRY(db_.write([&](store::Writer& writer) -> Status {
    TRY_ASSIGN(auto earlier, earlier_append(within(writer), spec));
    out.unchanged = earlier.has_value();
    if (earlier) {
      fresh = std::move(*earlier);
      return {};
    }
    TRY_ASSIGN(const auto now, newest(within(writer), fresh.project, fresh.dataset));
    raced = before.has_value() != now.has_value() ||
            (now && !same_columns(now->columns, before->columns));
    if (raced) return {};
    fresh.number = now ? now->number + 1 : 1;
    fresh.chain_start = now ? now->chain_start : 1;
    fresh.parent = now ? now->id : "";
    fresh.rows = (now ? now->rows : 0) + prepared.rows;
    fresh.bytes = now ? now->bytes : 0;
    for (const auto& part : fresh.added) fresh.bytes += part.bytes;
    fresh.widened = fit.widened || (now && now->widened);
    TRY(insert(writer, fresh));
    if (!spec.key.empty())
      TRY(
          writer.execute("INSERT INTO data_append (project, dataset, append_key, snapshot_id) "
                         "VALUES ($1, $2, $3, $4)",
                         params(fresh.project, fresh.dataset, spec.key, fresh.id)));
    if (spec.in_transaction) TRY(spec.in_transaction(writer, fresh));
    return {};
  }));
  if (raced) return false;
  out.notes.insert(out.notes.end(), fit.notes.begin(), fit.notes.end());
  out.snapshot = std::move(fresh);
  return true;
}

base::Result<ImportResult> StoredDatasets::append(const AppendSpec& spec, base::Context& context,
                                                  const base::ProgressSink& progress) {
  const std::int64_t start_ns = clock_.monotonic_ns();
  TRY(check_dataset_name(spec.from.dataset));
  if (spec.key.size() > kMaxKeyBytes)
    return base::fail(
        Code::kInvalidArgument,
        "the key of an append is too long: " + std::to_string(spec.key.size()) + " bytes",
        "at most 512");
  ImportResult out;
  TRY_ASSIGN(auto earlier, earlier_append(reading(), spec));
  if (earlier) {
    out.unchanged = true;
    out.snapshot = std::move(*earlier);
    return out;
  }
  if (progress) progress({"reading", 0.0, base::join(spec.from.sources, ", ")});
  TRY_ASSIGN(Prepared prepared, spec.rows != nullptr
                                    ? write_rows(spec)
                                    : prepare(spec.from, context, out.notes, progress));
  if (!spec.source.empty()) prepared.source = spec.source;
  out.source_bytes = prepared.source_bytes;
  TRY(context.alive());
  if (progress)
    progress(
        {"storing", 0.8, base::format_count(static_cast<std::int64_t>(prepared.rows)) + " rows"});
  bool done = false;
  for (int i = 0; i < kMostTries && !done; ++i) {
    TRY_ASSIGN(done, try_append(spec, prepared, out, context));
  }
  if (!done)
    return base::fail(Code::kAborted, "the dataset's columns keep changing: " + spec.from.dataset,
                      "append again");
  if (out.unchanged) return out;
  TRY(keep_dead(prepared, out.snapshot, context));
  std::size_t small = 0;
  {
    const std::lock_guard lock(ragged_mutex_);
    small = ++appended_[{spec.from.project, spec.from.dataset}];
  }
  if (small >= kVeryRaggedParts) TRY(compact(spec.from.project, spec.from.dataset, context));
  out.seconds = static_cast<double>(clock_.monotonic_ns() - start_ns) * 1e-9;
  return out;
}

base::Result<std::vector<SnapshotPart>> StoredDatasets::merge_parts(const Snapshot& snapshot,
                                                                    std::vector<SnapshotPart> parts,
                                                                    base::Context& context) {
  Snapshot tail = snapshot;
  tail.parts = std::move(parts);
  std::uint64_t rows = 0;
  for (const auto& part : tail.parts) rows += part.rows;
  TRY_ASSIGN(const std::string from, relation(tail));
  TRY_ASSIGN(const auto connection, engine_.impl().connect());
  TRY_ASSIGN(const Prepared merged, copy_relation(*connection, "SELECT * FROM " + from, context));
  if (merged.rows != rows)
    return base::fail(Code::kDataLoss,
                      "parts of the snapshot have other rows than it says: " + snapshot.dataset +
                          "@" + std::to_string(snapshot.number));
  return store_parts(merged);
}

// Makes `layout` where the snapshot's rows lie, unless that changed since `before` was read; the parts that nothing needs any more become candidates for collection.
Status StoredDatasets::store_layout(const Snapshot& snapshot,
                                    const std::vector<SnapshotPart>& before,
                                    const std::vector<SnapshotPart>& layout) {
  const std::int64_t now_us = clock_.now_us();
  return db_.write([&](store::Writer& writer) -> Status {
    TRY_ASSIGN(const auto now, parts_of(within(writer), snapshot));
    if (!same_parts(now, before)) return {};
    TRY(writer.execute("UPDATE data_snapshot SET layout = $2 WHERE id = $1",
                       params(snapshot.id, parts_json(layout).dump())));
    TRY(writer.execute(
        "INSERT INTO data_unused_part (sha256, since_us) SELECT sha256, $2 FROM data_part_use "
        "WHERE snapshot_id = $1 ON CONFLICT (sha256) DO NOTHING",
        params(snapshot.id, now_us)));
    TRY(writer.execute("DELETE FROM data_part_use WHERE snapshot_id = $1", params(snapshot.id)));
    return note_use(writer, snapshot.id, layout);
  });
}

base::Result<std::uint64_t> StoredDatasets::compact(const std::string& project,
                                                    const std::string& dataset,
                                                    base::Context& context) {
  TRY_ASSIGN(const auto latest, newest(reading(), project, dataset));
  if (!latest) return tl::unexpected(no_such_dataset(project, dataset));
  {
    const std::lock_guard lock(ragged_mutex_);
    appended_.erase({project, dataset});
  }
  TRY_ASSIGN(const Snapshot whole, with_parts(*latest));
  const std::size_t from = ragged_from(whole.parts);
  if (from == whole.parts.size()) return std::uint64_t{0};
  const auto at = whole.parts.begin() + static_cast<std::ptrdiff_t>(from);
  std::vector<SnapshotPart> layout(whole.parts.begin(), at);
  TRY_ASSIGN(const auto merged, merge_parts(whole, {at, whole.parts.end()}, context));
  layout.insert(layout.end(), merged.begin(), merged.end());
  TRY(store_layout(whole, whole.parts, layout));
  return std::uint64_t{whole.parts.size() - layout.size()};
}

base::Result<std::uint64_t> StoredDatasets::compact_ragged(base::Context& context) {
  std::vector<std::pair<std::string, std::string>> todo;
  {
    const std::lock_guard lock(ragged_mutex_);
    for (const auto& [dataset, appends] : appended_) {
      if (appends >= kRaggedParts) todo.push_back(dataset);
    }
  }
  std::uint64_t gone = 0;
  for (const auto& [project, dataset] : todo) {
    TRY_ASSIGN(const std::uint64_t here, compact(project, dataset, context));
    gone += here;
  }
  return gone;
}

}  // namespace maru::data
