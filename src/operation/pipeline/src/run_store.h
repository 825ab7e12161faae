#pragma once
#include <string>
#include <vector>

#include "maru/pipeline/pipeline.h"
#include "maru/store/database.h"

namespace maru::pipeline {

// The tables of runs, tasks and cached outputs. Every call is one durable write or one read. After next_epoch() every write
// is fenced: kAborted once another scheduler has taken a later epoch. Thread safe.
class RunStore {
 public:
  explicit RunStore(store::Database& db) : db_(db) {}
  base::Status migrate();
  base::Result<std::uint64_t> next_epoch();  // larger than any before

  base::Status insert(
      const Run& run,
      const store::Database::Write& also);  // both in one transaction; `also` may be empty
  base::Status save_run(const Run& run);    // state, times, error
  // The task's row as it stands in `run`; both in one transaction when `with_run`.
  base::Status save_task(const Run& run, const TaskRun& task, std::uint64_t epoch, bool with_run);
  // Marks the task succeeded and publishes its outputs, if this attempt still owns it: kAborted when an older epoch or attempt asks.
  base::Status commit_success(const Run& run, const TaskRun& task, std::uint64_t epoch,
                              std::int64_t now_us);
  base::Result<base::Json> cached(const std::string& key);  // kNotFound

  base::Result<Run> load(const std::string& run_id);
  base::Result<std::vector<Run>> list(const std::string& project, const std::string& pipeline,
                                      std::size_t limit, std::size_t offset);
  base::Result<std::vector<std::string>> unfinished();
  store::Database& db() { return db_; }

 private:
  base::Status check_epoch(store::Writer& writer) const;
  base::Status load_tasks(Run& run, bool with_documents);
  store::Database& db_;
  std::int64_t epoch_ = 0;  // 0: not a scheduler's
};

}  // namespace maru::pipeline
