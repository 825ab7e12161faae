#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duckdb_handle.h"
#include "maru/data/dataset.h"
#include "snapshot.h"
#include "stored_catalogue.h"

namespace maru::data {

// A Parquet file on its way into the blob store; gone with its owner.
class PartFile {
 public:
  PartFile(std::string path, std::uint64_t rows) : path_(std::move(path)), rows_(rows) {}
  PartFile(PartFile&& other) noexcept : path_(std::exchange(other.path_, {})), rows_(other.rows_) {}
  PartFile& operator=(PartFile&& other) noexcept {
    std::swap(path_, other.path_);
    rows_ = other.rows_;
    return *this;
  }
  ~PartFile();
  const std::string& path() const { return path_; }
  std::uint64_t rows() const { return rows_; }
  void set_rows(std::uint64_t rows) { rows_ = rows; }

 private:
  std::string path_;
  std::uint64_t rows_;
};

// Rows that are written and not yet stored.
struct Prepared {
  std::vector<PartFile> parts;  // in the order of the rows, all of the same columns
  std::vector<SnapshotColumn> columns;
  std::uint64_t rows = 0, source_bytes = 0;
  std::string source;
  Table dead;  // rows of the source that were set apart
};

// Datasets over store, blob and Engine: dataset.cpp takes rows in, append.cpp adds to what is there, compact.cpp merges parts,
// dataset_reads.cpp answers.
class StoredDatasets final : public Datasets {
 public:
  StoredDatasets(store::Database& db, blob::BlobStore& blobs, Engine& engine, base::Clock& clock)
      : db_(db), blobs_(blobs), engine_(engine), clock_(clock), catalogue_(db, *this, clock) {}
  base::Status open();
  Catalogue& catalogue() override { return catalogue_; }
  base::Status note_read(const Snapshot& snapshot, const std::string& principal,
                         const std::string& how) override;
  base::Status flush_reads() override;
  void set_read_sink(ReadSink sink) override { read_sink_ = std::move(sink); }

  base::Result<ImportResult> import(const ImportSpec& spec, base::Context& context,
                                    const base::ProgressSink& progress) override;
  base::Result<ImportResult> append(const AppendSpec& spec, base::Context& context,
                                    const base::ProgressSink& progress) override;
  base::Result<std::uint64_t> compact(const std::string& project, const std::string& dataset,
                                      base::Context& context) override;
  base::Result<std::uint64_t> compact_ragged(base::Context& context) override;
  base::Result<std::vector<DatasetInfo>> list(const std::string& project) override;
  base::Result<DatasetInfo> get(const std::string& project, const std::string& dataset) override;
  base::Result<Snapshot> resolve(const std::string& project, const std::string& selector) override;
  base::Result<Snapshot> snapshot(const std::string& id) override;
  base::Result<bool> uses(const std::string& sha256) override;
  base::Result<Table> read(const Snapshot& snapshot, const std::vector<std::string>& columns,
                           std::uint64_t limit) override;
  base::Result<std::string> relation(const Snapshot& snapshot) override;
  base::Result<std::vector<std::string>> files(const Snapshot& snapshot) override;
  base::Status attach(const std::string& snapshot_id, const std::string& kind,
                      const base::Json& value) override;
  base::Result<base::Json> attachment(const std::string& snapshot_id,
                                      const std::string& kind) override;
  base::Status put_schema(const std::string& project, const std::string& dataset,
                          const base::Json& schema) override;
  base::Result<base::Json> schema(const std::string& project, const std::string& dataset) override;

 private:
  using Query =
      std::function<base::Result<store::Rows>(std::string_view, std::span<const store::Value>)>;
  Query reading() {
    return [this](std::string_view sql, std::span<const store::Value> values) {
      return db_.query(sql, values);
    };
  }
  static Query within(store::Writer& writer) {
    return [&writer](std::string_view sql, std::span<const store::Value> values) {
      return writer.query(sql, values);
    };
  }
  base::Status index_parts();
  static base::Result<std::vector<Snapshot>> snapshots_where(const Query& query,
                                                             std::string_view where,
                                                             std::vector<store::Value> values);
  base::Result<std::optional<Snapshot>> find_snapshot(const std::string& project,
                                                      const std::string& dataset,
                                                      const std::string& which);
  static base::Result<std::optional<Snapshot>> newest(const Query& query,
                                                      const std::string& project,
                                                      const std::string& dataset);
  // All parts of a snapshot, by its chain and the layouts that compaction left in it.
  static base::Result<std::vector<SnapshotPart>> parts_of(const Query& query,
                                                          const Snapshot& snapshot);
  base::Result<Snapshot> with_parts(Snapshot snapshot);
  base::Result<Snapshot> living(Snapshot snapshot);  // with its parts; refused when it was dropped
  base::Error no_such_dataset(const std::string& project, const std::string& dataset);

  base::Result<std::string> make_part_path();
  base::Result<Prepared> prepare(const ImportSpec& spec, base::Context& context,
                                 std::vector<std::string>& notes,
                                 const base::ProgressSink& progress);
  base::Result<Prepared> write_files(const ImportSpec& spec, base::Context& context,
                                     std::vector<std::string>& notes,
                                     const base::ProgressSink& progress);
  base::Status keep_dead(const Prepared& prepared, const Snapshot& made, base::Context& context);
  base::Result<Prepared> write_query(const ImportSpec& spec, base::Context& context);
  base::Result<Prepared> write_rows(const AppendSpec& spec);
  base::Result<Prepared> copy_relation(Connection& connection, const std::string& select,
                                       base::Context& context);
  base::Result<std::vector<SnapshotPart>> store_parts(const Prepared& prepared);
  base::Status record(Snapshot& fresh, bool& unchanged);
  static base::Status note_use(store::Writer& writer, const std::string& snapshot_id,
                               const std::vector<SnapshotPart>& parts);
  static base::Status insert(store::Writer& writer, Snapshot& fresh);

  // The snapshot that an append with this key made; nothing when there is none, or no key.
  static base::Result<std::optional<Snapshot>> earlier_append(const Query& query,
                                                              const AppendSpec& spec);
  base::Result<Prepared> refit(Prepared prepared, const ColumnFit& fit, base::Context& context);
  // One try: false when the dataset's columns changed meanwhile.
  base::Result<bool> try_append(const AppendSpec& spec, Prepared& prepared, ImportResult& out,
                                base::Context& context);
  base::Status store_layout(const Snapshot& snapshot, const std::vector<SnapshotPart>& before,
                            const std::vector<SnapshotPart>& layout);
  base::Result<std::vector<SnapshotPart>> merge_parts(const Snapshot& snapshot,
                                                      std::vector<SnapshotPart> parts,
                                                      base::Context& context);

  store::Database& db_;
  blob::BlobStore& blobs_;
  Engine& engine_;
  base::Clock& clock_;
  StoredCatalogue catalogue_;
  ReadSink read_sink_;
  struct Reads {
    SnapshotRead read;
    std::int64_t told_ns = 0;  // when the sink last heard of it
  };
  std::mutex reads_mutex_;
  std::map<std::string, Reads> reads_;
  std::mutex ragged_mutex_;
  // Appends by project and dataset since this process last compacted it.
  std::map<std::pair<std::string, std::string>, std::size_t> appended_;
};

base::Status check_dataset_name(const std::string& name);

}  // namespace maru::data
