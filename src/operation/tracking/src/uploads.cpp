// Artifacts that come in parts. A part's blob begins with random bytes of its own, so that no other object shares it: it can be
// removed as soon as nobody needs the part, whatever else is stored.
#include <algorithm>

#include "artifacts.h"
#include "maru/base/id.h"
#include "maru/base/rng.h"
#include "names.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;
using store::params;
using store::Writer;

constexpr std::size_t kSaltBytes = 16;
constexpr std::int64_t kUploadUs =
    std::int64_t{48} * 3600 * 1'000'000;  // twice what a part's address lives

tl::unexpected<base::Error> unknown(const std::string& upload) {
  return base::fail(Code::kNotFound, "no upload has this id: " + upload.substr(0, 64));
}

class PartWriter final : public ArtifactWriter {
 public:
  PartWriter(store::Database& db, blob::BlobStore& blobs, std::unique_ptr<blob::BlobWriter> blob,
             std::string upload, int number)
      : db_(db),
        blobs_(blobs),
        blob_(std::move(blob)),
        upload_(std::move(upload)),
        number_(number) {}
  Status write(std::string_view bytes) override { return blob_->write(bytes); }
  Status write_owned(std::string_view bytes, std::shared_ptr<const void> owner) override {
    return blob_->write_owned(bytes, std::move(owner));
  }

  Result<Artifact> commit() override {
    TRY_ASSIGN(const blob::BlobInfo info, blob_->commit());
    const Artifact part{std::to_string(number_), info.sha256, info.bytes - kSaltBytes};
    std::string replaced;
    const Status named = db_.write([&](Writer& writer) -> Status {
      const auto key = params(upload_, std::int64_t{number_});
      TRY_ASSIGN(const auto open,
                 writer.query("SELECT parts FROM uploads WHERE id = $1 AND state = 'open' AND "
                              "parts >= $2",
                              key));
      if (open.empty()) return unknown(upload_);
      TRY_ASSIGN(
          const auto old,
          writer.query("SELECT sha256 FROM upload_parts WHERE upload = $1 AND number = $2", key));
      replaced = old.empty() ? "" : old[0].text(0);
      const auto cells = params(upload_, std::int64_t{number_}, part.sha256,
                                static_cast<std::int64_t>(part.bytes));
      TRY(writer.execute(
          "INSERT INTO upload_parts (upload, number, sha256, bytes) VALUES ($1, $2, $3, $4) ON "
          "CONFLICT (upload, number) DO UPDATE SET sha256 = excluded.sha256, bytes = "
          "excluded.bytes",
          cells));
      return {};
    });
    if (!named) {
      TRY(blobs_.remove(part.sha256));
      return tl::unexpected<base::Error>(named.error());
    }
    if (!replaced.empty()) TRY(blobs_.remove(replaced));
    return part;
  }

 private:
  store::Database& db_;
  blob::BlobStore& blobs_;
  std::unique_ptr<blob::BlobWriter> blob_;
  std::string upload_;
  int number_;
};

}  // namespace

Result<std::string> ArtifactTables::begin_upload(const std::string& owner, const std::string& path,
                                                 int parts) {
  TRY(check_path(path));
  if (parts < 1 || parts > kMaxParts)
    return base::fail(Code::kInvalidArgument, "an upload has 1 to " + std::to_string(kMaxParts) +
                                                  " parts: " + std::to_string(parts));
  if (owner != kFreeOwner) {
    TRY_ASSIGN(const bool known, known_owner(owner));
    if (!known) return base::fail(Code::kNotFound, "no run has this id: " + owner);
  }
  // Who begins one clears up after those that nobody finished.
  TRY(collect_uploads(clock_.now_us() - kUploadUs));
  const std::string id = base::new_id(clock_);
  TRY(db_.write([&](Writer& writer) -> Status {
    const auto cells =
        params(id, owner, path, std::int64_t{parts}, std::string("open"), clock_.now_us());
    TRY(
        writer.execute("INSERT INTO uploads (id, owner, path, parts, state, created_us) VALUES "
                       "($1, $2, $3, $4, $5, $6)",
                       cells));
    return {};
  }));
  return id;
}

Result<std::unique_ptr<ArtifactWriter>> ArtifactTables::create_part(const std::string& upload,
                                                                    int number) {
  const auto key = params(upload, std::int64_t{number});
  TRY_ASSIGN(
      const auto rows,
      db_.query("SELECT 1 FROM uploads WHERE id = $1 AND state = 'open' AND parts >= $2", key));
  if (rows.empty() || number < 1) return unknown(upload);
  TRY_ASSIGN(auto blob, blobs_.create());
  std::uint8_t salt[kSaltBytes];
  base::secure_random(salt);
  TRY(blob->write(std::string_view(reinterpret_cast<const char*>(salt), sizeof salt)));
  return std::unique_ptr<ArtifactWriter>(
      std::make_unique<PartWriter>(db_, blobs_, std::move(blob), upload, number));
}

namespace {

struct StoredPart {
  std::int64_t number = 0;
  std::string sha256;
};

// The stored parts 1..count, when they are the ones that the client names.
Result<std::vector<StoredPart>> match_parts(store::Database& db, const std::string& upload,
                                            std::int64_t count,
                                            const std::vector<UploadPart>& named) {
  const auto key = params(upload);
  TRY_ASSIGN(
      const auto rows,
      db.query("SELECT number, sha256 FROM upload_parts WHERE upload = $1 ORDER BY number", key));
  std::vector<StoredPart> out;
  for (const auto& row : rows) out.push_back({row.integer(0), row.text(1)});
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (at >= out.size() || out[at].number != i + 1)
      return base::fail(Code::kInvalidArgument,
                        "a part of the upload is missing: " + std::to_string(i + 1));
    const auto told = std::find_if(named.begin(), named.end(), [&](const UploadPart& part) {
      return part.number == out[at].number;
    });
    if (told == named.end() || (!told->etag.empty() && told->etag != out[at].sha256))
      return base::fail(
          Code::kInvalidArgument,
          "a part of the upload is not the one that was stored: " + std::to_string(i + 1));
  }
  if (named.size() != out.size())
    return base::fail(Code::kInvalidArgument,
                      "the upload has another number of parts: " + std::to_string(named.size()));
  return out;
}

Result<Artifact> join_parts(blob::BlobStore& blobs, const std::string& path,
                            const std::vector<StoredPart>& parts) {
  TRY_ASSIGN(const auto whole, blobs.create());
  for (const auto& part : parts) {
    std::size_t skip = kSaltBytes;
    TRY(blobs.read_to(part.sha256, [&](std::string_view piece) -> Status {
      const std::size_t cut = std::min(skip, piece.size());
      skip -= cut;
      return whole->write(piece.substr(cut));
    }));
  }
  TRY_ASSIGN(const blob::BlobInfo info, whole->commit());
  return Artifact{path, info.sha256, info.bytes};
}

}  // namespace

Status ArtifactTables::complete_upload(const std::string& upload, const ArtifactPlace& place,
                                       const std::vector<UploadPart>& parts) {
  const auto key = params(upload);
  const auto state_of = [&]() -> Result<store::Rows> {
    return db_.query("SELECT owner, path, parts, state FROM uploads WHERE id = $1", key);
  };
  TRY_ASSIGN(const auto rows, state_of());
  if (rows.empty() || rows[0].text(0) != place.owner || rows[0].text(1) != place.path)
    return unknown(upload);
  if (rows[0].text(3) == "done") return {};  // the answer to the first call was lost
  const auto matched = match_parts(db_, upload, rows[0].integer(2), parts);
  auto joined = matched ? join_parts(blobs_, place.path, *matched)
                        : Result<Artifact>(tl::unexpected<base::Error>(matched.error()));
  if (!joined) {
    TRY_ASSIGN(const auto now, state_of());  // another call may have completed it meanwhile
    if (!now.empty() && now[0].text(3) == "done") return {};
    return tl::unexpected<base::Error>(joined.error());
  }
  TRY(db_.write([&](Writer& writer) -> Status {
    TRY(put_artifact_row(writer, place.owner, *joined));
    TRY(writer.execute("UPDATE uploads SET state = 'done' WHERE id = $1", key));
    return {};
  }));
  return free_parts(upload);
}

Status ArtifactTables::free_parts(const std::string& upload) {
  const auto key = params(upload);
  TRY_ASSIGN(const auto parts, db_.query("SELECT sha256 FROM upload_parts WHERE upload = $1", key));
  for (const auto& part : parts) TRY(blobs_.remove(part.text(0)));
  return db_.write([&](Writer& writer) -> Status {
    TRY(writer.execute("DELETE FROM upload_parts WHERE upload = $1", key));
    return {};
  });
}

Status ArtifactTables::abort_upload(const std::string& upload) {
  const auto key = params(upload);
  std::int64_t changed = 0;
  TRY(db_.write([&](Writer& writer) -> Status {
    TRY_ASSIGN(changed,
               writer.execute("UPDATE uploads SET state = 'aborted' WHERE id = $1 AND state <> "
                              "'done'",
                              key));
    return {};
  }));
  if (changed == 0) {
    TRY_ASSIGN(const auto rows, db_.query("SELECT 1 FROM uploads WHERE id = $1", key));
    if (rows.empty()) return unknown(upload);
    return base::fail(Code::kFailedPrecondition, "the upload is complete already: " + upload);
  }
  return free_parts(upload);
}

Result<std::size_t> ArtifactTables::collect_uploads(std::int64_t before_us) {
  const auto before = params(before_us);
  // From here on no part can be added to them.
  TRY(db_.write([&](Writer& writer) -> Status {
    TRY(writer.execute(
        "UPDATE uploads SET state = 'aborted' WHERE created_us < $1 AND state = 'open'", before));
    return {};
  }));
  TRY_ASSIGN(const auto old,
             db_.query("SELECT id FROM uploads WHERE created_us < $1 ORDER BY id", before));
  for (const auto& row : old) {
    TRY(free_parts(row.text(0)));
    const auto key = params(row.text(0));
    TRY(db_.write([&](Writer& writer) -> Status {
      TRY(writer.execute("DELETE FROM uploads WHERE id = $1", key));
      return {};
    }));
  }
  return old.size();
}

}  // namespace maru::tracking
