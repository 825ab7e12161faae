#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/context.h"
#include "maru/tracking/logged_models.h"
#include "maru/tracking/registry.h"
#include "maru/tracking/runs.h"
#include "maru/tracking/transfer.h"
#include "metric_codec.h"

// What other tracking servers keep, one run at a time.
namespace maru::tracking {

// What could not be read; counted, the first named. One thread.
class Damage {
 public:
  void add(std::string what, std::string why);
  std::uint64_t count() const { return count_; }
  const std::vector<Skipped>& named() const { return named_; }

 private:
  std::uint64_t count_ = 0;
  std::vector<Skipped> named_;
};

struct ForeignFile {
  std::string path;   // relative
  std::string local;  // where it is
  std::uint64_t bytes = 0;
  std::int64_t changed_ns = 0;
};

struct ForeignRun {
  Run run;  // as the source has it; `latest` is not filled
  std::vector<TailEntry::Series> series;
  std::vector<ForeignFile> files;
};

struct ForeignModel {
  LoggedModel model;
  bool deleted = false;
  std::vector<ForeignFile> files;
};

struct SourceOptions {
  std::string path, artifact_root, experiment;
};

class Source {
 public:
  template <class T>
  using Visit = std::function<base::Status(T&&)>;
  virtual ~Source() = default;
  virtual base::Result<std::vector<Experiment>> experiments() = 0;
  virtual base::Status each_run(const Experiment& experiment, const Visit<ForeignRun>& visit) = 0;
  virtual base::Status each_logged_model(const Experiment& experiment,
                                         const Visit<ForeignModel>& visit) = 0;
  // Versions of any state; a deleted one has the state "deleted".
  virtual base::Status each_registered(const Visit<Model>& visit) = 0;
};

base::Result<std::unique_ptr<Source>> open_mlruns(const SourceOptions& options, Damage& damage);
// MLflow's tables in a SQLite file or in PostgreSQL, by its URL.
base::Result<std::unique_ptr<Source>> open_mlflow_tables(const SourceOptions& options,
                                                         Damage& damage);
base::Result<std::unique_ptr<Source>> open_event_files(const SourceOptions& options,
                                                       Damage& damage);
// What a path is: mlruns, sqlite, postgresql or tensorboard.
base::Result<std::string> kind_of(const std::string& path);

// Every plain file below `folder`, by path. What is neither file nor folder, or has a name that no artifact may have, is damage.
std::vector<ForeignFile> files_below(const std::string& folder, Damage& damage);
// The local path that an artifact URI of MLflow means: file URIs and plain paths as they are, else looked for below the roots by the last
// parts of the URI that name the object. "" when nothing is there.
struct ArtifactRoots {
  std::vector<std::string> folders;
  std::string base;  // of relative paths
  std::string find(const std::string& uri, const std::string& tail) const;
};
// s3://, gs://, hdfs://, ...: a store that clients read themselves.
bool is_remote(const std::string& uri);

// As base::read_file, for many small files: it takes no more memory than the file has bytes.
base::Result<std::string> read_whole(const std::string& path, std::size_t max_bytes);

std::int64_t us_from_ms(std::int64_t ms);

}  // namespace maru::tracking
