#include "artifacts.h"

#include <array>
#include <cstdlib>

#include "maru/base/hash.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"
#include "names.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

// Beside the table `artifacts` of the first schema, whose run_id is any owner.
constexpr std::array<store::Migration, 2> kMigrations = {{{1, R"sql(
CREATE TABLE uploads (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, path TEXT NOT NULL, parts BIGINT NOT NULL, state TEXT NOT NULL, created_us BIGINT NOT NULL);
CREATE TABLE upload_parts (
  upload TEXT NOT NULL, number BIGINT NOT NULL, sha256 TEXT NOT NULL, bytes BIGINT NOT NULL, PRIMARY KEY (upload, number));
CREATE TABLE artifact_keys (name TEXT PRIMARY KEY, value TEXT NOT NULL);
)sql"},
                                                          {2, R"sql(
CREATE INDEX artifacts_by_content ON artifacts (sha256);
)sql"}}};

// Every path below `folder` is above folder + '/' and below folder + the character after '/'.
std::string above(const std::string& folder) { return folder + "/"; }
std::string below(const std::string& folder) { return folder + "0"; }

Status check_owner(Writer& writer, const std::string& owner) {
  if (owner == Artifacts::kFreeOwner) return {};
  const auto key = params(owner);
  TRY_ASSIGN(const auto rows,
             writer.query("SELECT 1 FROM runs WHERE id = $1 UNION ALL SELECT 1 FROM logged_models "
                          "WHERE id = $1",
                          key));
  if (rows.empty()) return base::fail(Code::kNotFound, "no run has this id: " + owner);
  return {};
}

Status check_names(Writer& writer, const std::string& owner, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const auto key = params(owner, path.substr(0, slash));
    TRY_ASSIGN(const auto file,
               writer.query("SELECT 1 FROM artifacts WHERE run_id = $1 AND path = $2", key));
    if (!file.empty())
      return base::fail(
          Code::kInvalidArgument,
          "an artifact is a file, so nothing can be below it: " + path.substr(0, slash));
  }
  const auto key = params(owner, above(path), below(path));
  TRY_ASSIGN(const auto inside,
             writer.query("SELECT 1 FROM artifacts WHERE run_id = $1 AND path > $2 AND path < $3 "
                          "LIMIT 1",
                          key));
  if (!inside.empty())
    return base::fail(Code::kInvalidArgument,
                      "an artifact is a folder, so it cannot be a file: " + path);
  return {};
}

class StoredWriter final : public ArtifactWriter {
 public:
  StoredWriter(store::Database& db, std::unique_ptr<blob::BlobWriter> blob, std::string owner,
               std::string path)
      : db_(db), blob_(std::move(blob)), owner_(std::move(owner)), path_(std::move(path)) {}
  Status write(std::string_view bytes) override { return blob_->write(bytes); }
  Status write_owned(std::string_view bytes, std::shared_ptr<const void> owner) override {
    return blob_->write_owned(bytes, std::move(owner));
  }
  Result<Artifact> commit() override {
    TRY_ASSIGN(const blob::BlobInfo info, blob_->commit());
    const Artifact artifact{path_, info.sha256, info.bytes};
    const Status named =
        db_.write([&](Writer& writer) { return put_artifact_row(writer, owner_, artifact); });
    if (named) return artifact;
    // Nobody names the bytes, unless they are somebody else's too: the collector looks.
    const auto key = params(info.sha256);
    TRY(db_.write([&](Writer& writer) -> Status {
      TRY(writer.execute("INSERT INTO freed_blobs (sha256) VALUES ($1) ON CONFLICT DO NOTHING",
                         key));
      return {};
    }));
    return tl::unexpected<base::Error>(named.error());
  }

 private:
  store::Database& db_;
  std::unique_ptr<blob::BlobWriter> blob_;
  std::string owner_, path_;
};

// The rows of one owner: what stands before further conditions on `path`, and its parameters.
struct Rows {
  std::string from;
  std::vector<store::Value> cells;
  std::string cell(std::string value) {  // the name of one more parameter
    cells.emplace_back(std::move(value));
    return "$" + std::to_string(cells.size());
  }
};

constexpr std::string_view kVersionOwner = "models:/";

// An owner "models:/<model>/<number>" is a version of the registry.
Rows rows_of(const std::string& owner) {
  const std::size_t slash = owner.rfind('/');
  if (owner.rfind(kVersionOwner, 0) != 0 || slash < kVersionOwner.size())
    return {"artifacts WHERE run_id = $1", params(owner)};
  const std::string model = owner.substr(kVersionOwner.size(), slash - kVersionOwner.size());
  return {"version_files WHERE project = 'default' AND model = $1 AND version = $2",
          params(model, std::int64_t{std::atoi(owner.c_str() + slash + 1)})};
}

}  // namespace

std::span<const store::Migration> artifact_migrations() { return kMigrations; }

Status put_artifact_row(Writer& writer, const std::string& owner, const Artifact& artifact) {
  TRY(check_owner(writer, owner));
  TRY(check_names(writer, owner, artifact.path));
  const auto former = params(owner, artifact.path, artifact.sha256);
  TRY(
      writer.execute("INSERT INTO freed_blobs (sha256) SELECT sha256 FROM artifacts WHERE run_id = "
                     "$1 AND path = $2 AND sha256 <> $3 ON CONFLICT DO NOTHING",
                     former));
  const auto cells =
      params(owner, artifact.path, artifact.sha256, static_cast<std::int64_t>(artifact.bytes));
  TRY(writer.execute(
      "INSERT INTO artifacts (run_id, path, sha256, bytes) VALUES ($1, $2, $3, $4) ON CONFLICT "
      "(run_id, path) DO UPDATE SET sha256 = excluded.sha256, bytes = excluded.bytes",
      cells));
  return {};
}

Status ArtifactTables::put_artifact(const std::string& owner, const std::string& path,
                                    std::string_view bytes) {
  TRY_ASSIGN(const auto writer, create(owner, path));
  TRY(writer->write(bytes));
  TRY(writer->commit());
  return {};
}

Result<std::unique_ptr<ArtifactWriter>> ArtifactTables::create(const std::string& owner,
                                                               const std::string& path) {
  TRY(check_path(path));
  if (owner != kFreeOwner) {
    TRY_ASSIGN(const bool known, known_owner(owner));
    if (!known) return base::fail(Code::kNotFound, "no run has this id: " + owner);
  }
  TRY_ASSIGN(auto blob, blobs_.create());
  return std::unique_ptr<ArtifactWriter>(
      std::make_unique<StoredWriter>(db_, std::move(blob), owner, path));
}

Result<std::vector<Artifact>> ArtifactTables::list_artifacts(const std::string& owner) {
  const Rows source = rows_of(owner);
  TRY_ASSIGN(
      const auto rows,
      db_.query("SELECT path, sha256, bytes FROM " + source.from + " ORDER BY path", source.cells));
  std::vector<Artifact> out;
  for (const auto& row : rows)
    out.push_back({row.text(0), row.text(1), static_cast<std::uint64_t>(row.integer(2))});
  return out;
}

Result<std::vector<std::string>> ArtifactTables::owners_of(const std::string& sha256,
                                                           const std::string& file_name,
                                                           std::size_t most) {
  const auto cells = params(sha256, "/" + file_name, kFreeOwner, static_cast<std::int64_t>(most));
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT DISTINCT run_id FROM artifacts WHERE sha256 = $1 AND substr('/' || "
                       "path, length(path) - length($2) + 2) = $2 AND run_id <> $3 ORDER BY run_id "
                       "LIMIT $4",
                       cells));
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.text(0));
  return out;
}

Result<std::string> ArtifactTables::read_artifact(const std::string& owner,
                                                  const std::string& path) {
  TRY_ASSIGN(const ArtifactFile file, open(owner, path));
  return blobs_.read(file.artifact.sha256);
}

Result<bool> ArtifactTables::known_owner(const std::string& id) {
  const auto key = params(id);
  TRY_ASSIGN(const auto rows,
             db_.query("SELECT 1 FROM runs WHERE id = $1 UNION ALL SELECT 1 FROM logged_models "
                       "WHERE id = $1",
                       key));
  return !rows.empty();
}

// ".../<run or model>/artifacts[/...]": the first id that is known; everything else is free.
Result<ArtifactPlace> ArtifactTables::place(const std::string& proxy_path) {
  if (!proxy_path.empty()) TRY(check_path(proxy_path));
  if (const auto parts = base::split(proxy_path, '/');
      parts.size() >= 3 && parts[0] == kVersionsFolder) {
    const auto key = params(parts[1], std::int64_t{std::atoi(parts[2].c_str())});
    TRY_ASSIGN(const auto rows,
               db_.query("SELECT 1 FROM version_files WHERE project = 'default' AND model = $1 AND "
                         "version = $2 LIMIT 1",
                         key));
    const std::size_t used = parts[0].size() + parts[1].size() + parts[2].size() + 3;
    if (!rows.empty())
      return ArtifactPlace{std::string(kVersionOwner) + parts[1] + "/" + parts[2],
                           used < proxy_path.size() ? proxy_path.substr(used) : ""};
  }
  static constexpr std::string_view kFolder = "/artifacts";
  for (std::size_t at = proxy_path.find(kFolder); at != std::string::npos;
       at = proxy_path.find(kFolder, at + 1)) {
    const std::size_t end = at + kFolder.size();
    if (end != proxy_path.size() && proxy_path[end] != '/') continue;
    const std::size_t slash = proxy_path.rfind('/', at == 0 ? 0 : at - 1);
    const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
    const std::string id = proxy_path.substr(begin, at - begin);
    TRY_ASSIGN(const bool known, known_owner(id));
    if (known) return ArtifactPlace{id, end == proxy_path.size() ? "" : proxy_path.substr(end + 1)};
  }
  return ArtifactPlace{kFreeOwner, proxy_path};
}

Result<ArtifactFile> ArtifactTables::open(const std::string& owner, const std::string& path) {
  TRY(check_path(path));
  Rows source = rows_of(owner);
  const std::string name = source.cell(path);
  TRY_ASSIGN(
      const auto rows,
      db_.query("SELECT sha256, bytes FROM " + source.from + " AND path = " + name, source.cells));
  if (!rows.empty()) {
    ArtifactFile out{{path, rows[0].text(0), static_cast<std::uint64_t>(rows[0].integer(1))}, ""};
    TRY_ASSIGN(out.local_path, blobs_.local_path(out.artifact.sha256));
    return out;
  }
  Rows folder = rows_of(owner);
  const std::string from = folder.cell(above(path)), to = folder.cell(below(path));
  TRY_ASSIGN(const auto inside, db_.query("SELECT 1 FROM " + folder.from + " AND path > " + from +
                                              " AND path < " + to + " LIMIT 1",
                                          folder.cells));
  if (!inside.empty())
    return base::fail(Code::kInvalidArgument,
                      "Artifact path refers to a directory, not a file: '" + path + "'");
  return base::fail(Code::kNotFound, "No such artifact: '" + path + "'");
}

Result<std::vector<ArtifactEntry>> ArtifactTables::list(const std::string& owner,
                                                        const std::string& folder) {
  if (!folder.empty()) TRY(check_path(folder));
  const std::size_t skip = folder.empty() ? 0 : folder.size() + 1;
  Rows source = rows_of(owner);
  // All text lies between "" and a byte that UTF-8 never has.
  const std::string from = source.cell(folder.empty() ? "" : above(folder));
  const std::string to = source.cell(folder.empty() ? "\xff" : below(folder));
  std::vector<ArtifactEntry> out;
  TRY(db_.read([&](store::Reader& reader) -> Status {
    return reader.each(
        "SELECT path, bytes FROM " + source.from + " AND path > " + from + " AND path < " + to +
            " ORDER BY path",
        source.cells, [&](const store::Cursor& row) -> Status {
          const std::string_view name = row.text(0).substr(skip);
          const std::size_t slash = name.find('/');
          if (slash == std::string_view::npos) {
            out.push_back({std::string(name), false, static_cast<std::uint64_t>(row.integer(1))});
          } else if (out.empty() || !out.back().folder ||
                     out.back().name != name.substr(0, slash)) {
            out.push_back({std::string(name.substr(0, slash)), true, 0});
          }
          return {};
        });
  }));
  return out;
}

Status ArtifactTables::remove(const std::string& owner, const std::string& path) {
  if (!path.empty()) TRY(check_path(path));
  // The collector of the trash looks whether anybody else still names the bytes.
  const std::string rows =
      path.empty()
          ? "FROM artifacts WHERE run_id = $1"
          : "FROM artifacts WHERE run_id = $1 AND (path = $2 OR (path > $3 AND path < $4))";
  const auto cells = path.empty() ? params(owner) : params(owner, path, above(path), below(path));
  return db_.write([&](Writer& writer) -> Status {
    TRY(writer.execute("INSERT INTO freed_blobs (sha256) SELECT DISTINCT sha256 " + rows +
                           " ON CONFLICT DO NOTHING",
                       cells));
    TRY(writer.execute("DELETE " + rows, cells));
    return {};
  });
}

Result<std::string> ArtifactTables::sign(std::string_view text) {
  const std::lock_guard lock(key_mutex_);
  if (key_.empty()) {
    std::uint8_t random[32];
    base::secure_random(random);
    const std::string fresh =
        base::hex(std::string_view(reinterpret_cast<const char*>(random), sizeof random));
    TRY(db_.write([&](Writer& writer) -> Status {
      const auto cells = params(std::string("urls"), fresh);
      TRY(writer.execute(
          "INSERT INTO artifact_keys (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", cells));
      TRY_ASSIGN(const auto rows,
                 writer.query("SELECT value FROM artifact_keys WHERE name = 'urls'"));
      key_ = rows.at(0).text(0);
      return {};
    }));
  }
  return base::hex(base::hmac_sha256(key_, text));
}

}  // namespace maru::tracking
