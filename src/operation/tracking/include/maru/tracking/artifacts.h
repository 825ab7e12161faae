#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::tracking {

struct Artifact {
  std::string path;  // "model/MLmodel": relative, '/'-separated, never "..", unique in its owner
  std::string sha256;
  std::uint64_t bytes = 0;
};

struct ArtifactEntry {  // of one folder
  std::string name;
  bool folder = false;
  std::uint64_t bytes = 0;  // of a file
};

struct ArtifactFile {
  Artifact artifact;
  std::string local_path;  // read-only bytes, for sending without holding them in memory
};

// Where a path of the artifact proxy ("<experiment>/<run>/artifacts/model/MLmodel") leads.
struct ArtifactPlace {
  std::string owner;  // a run, a logged model, or kFreeOwner
  std::string path;   // within the owner; "" is its root
};

// Receives the bytes of one artifact, or of one part of it. Without commit nothing remains. One thread at a time.
class ArtifactWriter {
 public:
  virtual ~ArtifactWriter() = default;
  virtual base::Status write(std::string_view bytes) = 0;
  // The same for bytes that `owner` keeps: they may still be hashed after the call.
  virtual base::Status write_owned(std::string_view bytes, std::shared_ptr<const void> owner) = 0;
  virtual base::Result<Artifact> commit() = 0;  // durable, and seen by every later call
};

struct UploadPart {
  int number = 0;  // from 1
  std::string etag;
};

// Files that belong to a run or a logged model: rows that name blobs. A name is either a file or a folder, never both.
// A write is durable when it returns. Thread safe.
class Artifacts {
 public:
  // Owner of what the proxy was given below a path that names no run and no model.
  static constexpr const char* kFreeOwner = "/";
  // "model-versions/<model>/<number>/..." of the proxy: the files of a version that the registry keeps itself. Only for reading.
  static constexpr const char* kVersionsFolder = "model-versions";
  static constexpr int kMaxParts = 10'000;  // of one upload

  virtual ~Artifacts() = default;
  virtual base::Status put_artifact(const std::string& owner, const std::string& path,
                                    std::string_view bytes) = 0;
  virtual base::Result<std::vector<Artifact>> list_artifacts(const std::string& owner) = 0;
  virtual base::Result<std::string> read_artifact(const std::string& owner,
                                                  const std::string& path) = 0;
  // Runs and logged models that have a file of this content and this name, in whatever folder; at most so many.
  virtual base::Result<std::vector<std::string>> owners_of(const std::string& sha256,
                                                           const std::string& file_name,
                                                           std::size_t most) = 0;

  // Never fails for a path that check_path() takes.
  virtual base::Result<ArtifactPlace> place(const std::string& proxy_path) = 0;
  virtual base::Result<std::unique_ptr<ArtifactWriter>> create(const std::string& owner,
                                                               const std::string& path) = 0;
  // kNotFound when there is nothing, kInvalidArgument for a folder.
  virtual base::Result<ArtifactFile> open(const std::string& owner, const std::string& path) = 0;
  // One level, by name; "" is the root. Empty for a folder that is not there, and for a file.
  virtual base::Result<std::vector<ArtifactEntry>> list(const std::string& owner,
                                                        const std::string& folder) = 0;
  // The file, or everything below the folder; "" is all that the owner has. Absent is fine.
  virtual base::Status remove(const std::string& owner, const std::string& path) = 0;

  // Uploads in parts 1..parts. Parts may come in any order, at the same time and again; complete() puts them together while it
  // reads them, checks every etag, and may be repeated. kNotFound for an upload that is not known (any more).
  virtual base::Result<std::string> begin_upload(const std::string& owner, const std::string& path,
                                                 int parts) = 0;
  virtual base::Result<std::unique_ptr<ArtifactWriter>> create_part(const std::string& upload,
                                                                    int number) = 0;
  virtual base::Status complete_upload(const std::string& upload, const ArtifactPlace& place,
                                       const std::vector<UploadPart>& parts) = 0;
  virtual base::Status abort_upload(const std::string& upload) = 0;
  // Frees what uploads left that were begun before `before_us`; how many.
  virtual base::Result<std::size_t> collect_uploads(std::int64_t before_us) = 0;

  // A signature of `text` by a key that this home keeps: who holds it was given it here.
  virtual base::Result<std::string> sign(std::string_view text) = 0;
};

}  // namespace maru::tracking
