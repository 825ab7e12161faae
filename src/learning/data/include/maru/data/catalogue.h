#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::data {

// What people say about a dataset.
struct DatasetAbout {
  std::string owner, description, licence;       // the description is Markdown
  std::vector<std::string> tags;                 // words to find it by
  std::map<std::string, std::string> sensitive;  // column -> what it holds ("email")
  std::map<std::string, std::string> columns;    // column -> what it means
  std::int64_t updated_us = 0;
  std::string updated_by;
  base::Json to_json() const;
  // Keys that are absent keep what `before` has. kInvalidArgument names the key that is unknown, wrong or too long.
  static base::Result<DatasetAbout> from_json(const base::Json& value, const DatasetAbout& before);
};

// A name for one snapshot, moved at will: "sales@gold".
struct SnapshotTag {
  std::string name, snapshot_id, by;
  int number = 0;
  std::int64_t created_us = 0;
};

struct CatalogueHit {
  std::string dataset;
  double score = 0;
  std::vector<std::string>
      where;  // "name", "column fare", "description", "owner", "tag", "snapshot tag gold"
};

// The catalogue: owners, descriptions, tags, search. Every change is durable. Thread safe.
class Catalogue {
 public:
  virtual ~Catalogue() = default;
  virtual base::Result<DatasetAbout> about(
      const std::string& project,
      const std::string& dataset) = 0;  // empty when never said
  virtual base::Status describe(const std::string& project, const std::string& dataset,
                                const DatasetAbout& about) = 0;
  // Sets or moves; a tag keeps its snapshot from retention. Tags begin with a letter: letters, digits, `.`, `_`, `-`; at most 64 bytes; not `latest`.
  virtual base::Status tag(const std::string& project, const std::string& selector,
                           const std::string& tag, const std::string& by) = 0;
  virtual base::Status untag(const std::string& project, const std::string& dataset,
                             const std::string& tag) = 0;  // kNotFound with near names
  virtual base::Result<std::vector<SnapshotTag>> tags(const std::string& project,
                                                      const std::string& dataset) = 0;
  // Datasets in which every word of `query` occurs, best first: in names before columns before descriptions.
  virtual base::Result<std::vector<CatalogueHit>> search(const std::string& project,
                                                         const std::string& query,
                                                         std::size_t limit = 50) = 0;
};

}  // namespace maru::data
