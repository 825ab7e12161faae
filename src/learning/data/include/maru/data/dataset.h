#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/clock.h"
#include "maru/base/context.h"
#include "maru/base/json.h"
#include "maru/base/progress.h"
#include "maru/base/result.h"
#include "maru/blob/blob_store.h"
#include "maru/data/catalogue.h"
#include "maru/data/engine.h"
#include "maru/data/table.h"
#include "maru/store/database.h"

namespace maru::data {

struct SnapshotPart {
  std::string sha256;
  std::uint64_t rows = 0, bytes = 0;
};
struct SnapshotColumn {
  std::string name;
  ColumnType type;
};

// One immutable version of a dataset: SHA-256-named Parquet parts and a manifest whose own hash is the version. An appended snapshot's manifest names its parent
// and the parts it adds, so appending costs what is new; its rows are the parent's rows and then its own.
struct Snapshot {
  std::string project, dataset;
  std::string id;  // SHA-256 of the manifest
  int number = 0;  // 1, 2, ... within the dataset, for people: "flights@3"
  // Where its rows lie now, in order; compaction changes this and never the rows. Filled by import(), resolve() and snapshot();
  // empty after append() and in lists.
  std::vector<SnapshotPart> parts;
  std::vector<SnapshotPart>
      added;            // what the manifest names: all parts, or those beyond the parent's
  std::string parent;   // id of the snapshot that this one continues; "" when it stands alone
  int chain_start = 0;  // number of the snapshot where its chain of appends begins
  bool widened =
      false;  // older parts have fewer or narrower columns than `columns` says; relation() evens them out
  std::vector<SnapshotColumn> columns;
  std::uint64_t rows = 0, bytes = 0;
  std::string source, query, run_id;
  std::int64_t created_us = 0;
  std::string
      dropped;  // why it was dropped; "" while it lives. A dropped one keeps its number and has no rows any more
  base::Json manifest() const;
};

// One read of a snapshot's rows, for the audit trail.
struct SnapshotRead {
  std::string principal, snapshot, how;  // "sales@3", "sql"
  std::uint64_t times = 1;
};

struct DatasetInfo {
  std::string project, name;
  std::int64_t created_us = 0, updated_us = 0;
  std::uint64_t snapshot_count = 0;
  std::uint64_t stored_bytes = 0;   // of all parts once, however many snapshots share them
  std::vector<Snapshot> snapshots;  // newest first; list() gives the newest alone
};

struct ImportSpec {
  std::string project = "default", dataset;
  std::vector<std::string>
      sources;  // paths or globs: .csv .tsv .txt .json .jsonl .ndjson .parquet .arff, optionally .gz or .zst
  std::string sql;                            // instead of sources: SELECT over `inputs`
  std::map<std::string, std::string> inputs;  // table name in `sql` -> snapshot id
  std::string run_id;
  std::string shown_source;   // what the snapshot says it came from; empty: `sources` as they are
  std::string shown_query;    // the same of `sql`
  bool header = true;         // of CSV/TSV; false names columns c1..cN
  bool detect_header = true;  // look at the file to decide
  bool reject_ragged =
      true;  // a ragged row is an error that names file and line; false pads or cuts and counts
  bool ragged_apart =
      false;             // ragged rows of CSV/TSV are left out and kept in the dataset NAME_dead
  std::string encoding;  // of text files, one of iconv's names; "" finds UTF-8, UTF-16 and CP949
};

// New rows behind those of the newest snapshot; of a dataset that is not there yet, its first ones.
struct AppendSpec {
  ImportSpec from;  // files or SQL, and the dataset; or
  const Table* rows =
      nullptr;  // rows in memory instead (alive during the call); `source` tells where they are from
  std::string source;
  // The same key again is the same append: nothing is added, the snapshot that it made is answered and `in_transaction` does not run.
  std::string key;
  // A column that the new rows lack is filled with missing values instead of being refused.
  bool fill_missing = false;
  // Runs in the transaction that makes the snapshot visible (its number and id are set): both become durable, or neither. A failure undoes the append.
  std::function<base::Status(store::Writer&, const Snapshot&)> in_transaction;
};

// "reject", "pad" or "dead", as the command line and project files say it; kInvalidArgument for another word.
base::Status set_ragged(ImportSpec& spec, std::string_view policy);

struct ImportResult {
  Snapshot snapshot;
  bool unchanged =
      false;  // same content as the newest snapshot (or the same append): no new one was made
  std::uint64_t source_bytes = 0;
  double seconds = 0;
  std::vector<std::string> notes;  // "read as CP949", "delimiter ;", "3 empty lines skipped"
};

// Datasets and snapshots over store + blob + Engine. Bad input is one clear error: missing file, empty file, header only, ragged rows, a field over 1 MiB,
// a row over 16 MiB, wrong encoding (CP949/EUC-KR and UTF-16 are detected and read, others named), duplicate column names, no columns. Thread safe.
class Datasets {
 public:
  static base::Result<std::unique_ptr<Datasets>> open(store::Database& db, blob::BlobStore& blobs,
                                                      Engine& engine, base::Clock& clock);
  virtual ~Datasets() = default;
  virtual base::Result<ImportResult> import(const ImportSpec& spec, base::Context& context,
                                            const base::ProgressSink& progress = {}) = 0;
  // Costs what is new, however large the dataset is. Columns are matched by name: a new one is added (missing in older rows), an integer column becomes float when
  // the new rows need it and no integer is beyond 2^53, whole numbers go into float and text columns; every other difference is kInvalidArgument
  // that names the columns. Several appends at once are all kept, in some order.
  virtual base::Result<ImportResult> append(const AppendSpec& spec, base::Context& context,
                                            const base::ProgressSink& progress = {}) = 0;
  // Rewrites the small parts that appends left at the end of the newest snapshot into larger ones; the rows, their order and the snapshot's id stay. The number
  // of parts that went; 0 when nothing was worth it. Each row is rewritten a logarithmic number of times.
  virtual base::Result<std::uint64_t> compact(const std::string& project,
                                              const std::string& dataset,
                                              base::Context& context) = 0;
  // compact() for every dataset that appends have made ragged since; for a background task.
  virtual base::Result<std::uint64_t> compact_ragged(base::Context& context) = 0;
  virtual base::Result<std::vector<DatasetInfo>> list(const std::string& project) = 0;
  virtual base::Result<DatasetInfo> get(
      const std::string& project, const std::string& dataset) = 0;  // kNotFound with near names
  // "name", "name@3", "name@<id prefix>", "name@<tag>", "name@2026-11-01" (the newest of that day or before, UTC), "name@2026-11-01T10:00" (the newest of that moment),
  // or a whole snapshot id. A dropped one is kFailedPrecondition with the reason.
  virtual base::Result<Snapshot> resolve(const std::string& project,
                                         const std::string& selector) = 0;
  virtual base::Result<Snapshot> snapshot(const std::string& id) = 0;
  virtual Catalogue& catalogue() = 0;
  // Whoever reads rows says so before. The first read of a snapshot by a principal in a way is told to the sink at once, and its failure is returned; more of
  // the same are counted and told once an hour, and by flush_reads().
  virtual base::Status note_read(const Snapshot& snapshot, const std::string& principal,
                                 const std::string& how) = 0;
  virtual base::Status flush_reads() = 0;
  using ReadSink = std::function<base::Status(const SnapshotRead&)>;
  virtual void set_read_sink(ReadSink sink) = 0;  // before the first read
  // Whether a part of any snapshot is this blob.
  virtual base::Result<bool> uses(const std::string& sha256) = 0;
  // Reads into memory; empty names: all columns. Row order is the snapshot's.
  virtual base::Result<Table> read(const Snapshot& snapshot,
                                   const std::vector<std::string>& columns = {},
                                   std::uint64_t limit = 0) = 0;
  // "read_parquet([...])" text for SQL over this snapshot.
  virtual base::Result<std::string> relation(const Snapshot& snapshot) = 0;
  // The files that relation() reads.
  virtual base::Result<std::vector<std::string>> files(const Snapshot& snapshot) = 0;
  // Small JSON documents stored beside a snapshot (profile, ...), by kind.
  virtual base::Status attach(const std::string& snapshot_id, const std::string& kind,
                              const base::Json& value) = 0;
  virtual base::Result<base::Json> attachment(const std::string& snapshot_id,
                                              const std::string& kind) = 0;
  // Saved, editable schemas by dataset (see stats); newest wins, history kept.
  virtual base::Status put_schema(const std::string& project, const std::string& dataset,
                                  const base::Json& schema) = 0;
  virtual base::Result<base::Json> schema(const std::string& project,
                                          const std::string& dataset) = 0;
};

// A table straight from files without storing anything (maru predict, maru init).
base::Result<Table> read_files(Engine& engine, const ImportSpec& spec, base::Context& context,
                               std::vector<std::string>* notes = nullptr, std::uint64_t limit = 0);
// A table from the text of a CSV or TSV with a header, every cell as text: what a request brings. Errors name the line.
base::Result<Table> read_delimited_text(std::string text);
// Writes CSV (RFC 4180), JSON lines or Parquet by the file's extension.
base::Status write_table(Engine& engine, const Table& table, const std::string& path);

}  // namespace maru::data
