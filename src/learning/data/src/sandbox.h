#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "duckdb_handle.h"
#include "maru/data/sql.h"
#include "snapshot.h"

namespace maru::data {

// An engine for text that strangers wrote: after show() it reads the parts of the shown snapshots and nothing else, and no statement can change that.
class Sandbox {
 public:
  static base::Result<std::unique_ptr<Sandbox>> open(const SqlOptions& options);
  // What the text reads, as it writes the names; `resolve` says which snapshot a name is. The text is bound over empty tables and does not run. Names that are
  // nothing, and text that is wrong, end the search without an error: preparing it in earnest says it better.
  using Resolve = std::function<base::Result<Snapshot>(const std::string&)>;
  static base::Result<std::map<std::string, Snapshot>> named(const std::string& sql,
                                                             const Resolve& resolve);
  base::Status show(Datasets& datasets, const std::map<std::string, Snapshot>& snapshots);
  Engine& engine() { return *engine_; }
  Connection& connection() { return *connection_; }

 private:
  base::Status run(const std::string& statement);
  base::Status lock(const std::string& paths);
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Connection> connection_;  // ends before the engine
};

// "sales" of the engine's sentence that a table does not exist; else "".
std::string missing_table_of(std::string_view text);

}  // namespace maru::data
