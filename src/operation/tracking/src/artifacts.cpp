#include "artifacts.h"

#include "names.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

Status check_run(Writer& writer, const std::string& run_id) {
  const auto key = params(run_id);
  TRY_ASSIGN(const auto rows, writer.query("SELECT id FROM runs WHERE id = $1", key));
  if (rows.empty()) return base::fail(Code::kNotFound, "no run has this id: " + run_id);
  return {};
}

}  // namespace

Status ArtifactTables::put_artifact(const std::string& run_id, const std::string& path,
                                    std::string_view bytes) {
  TRY(check_path(path));
  TRY_ASSIGN(const blob::BlobInfo info, blobs_.put(bytes));
  return db_.write([&](Writer& writer) -> Status {
    TRY(check_run(writer, run_id));
    const auto cells = params(run_id, path, info.sha256, static_cast<std::int64_t>(info.bytes));
    TRY(writer.execute(
        "INSERT INTO artifacts (run_id, path, sha256, bytes) VALUES ($1, $2, $3, $4) ON CONFLICT "
        "(run_id, path) DO UPDATE SET sha256 = excluded.sha256, bytes = excluded.bytes",
        cells));
    return {};
  });
}

Result<std::vector<Artifact>> ArtifactTables::list_artifacts(const std::string& run_id) {
  const auto key = params(run_id);
  TRY_ASSIGN(
      const auto rows,
      db_.query("SELECT path, sha256, bytes FROM artifacts WHERE run_id = $1 ORDER BY path", key));
  std::vector<Artifact> out;
  for (const auto& row : rows)
    out.push_back({row.text(0), row.text(1), static_cast<std::uint64_t>(row.integer(2))});
  return out;
}

Result<std::string> ArtifactTables::read_artifact(const std::string& run_id,
                                                  const std::string& path) {
  const auto key = params(run_id, path);
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT sha256 FROM artifacts WHERE run_id = $1 AND path = $2", key));
  if (rows.empty()) return base::fail(Code::kNotFound, "run has no artifact at: " + path);
  return blobs_.read(rows[0].text(0));
}

}  // namespace maru::tracking
