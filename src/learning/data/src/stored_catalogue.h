#pragma once
#include "maru/base/clock.h"
#include "maru/data/catalogue.h"
#include "maru/data/dataset.h"
#include "maru/store/database.h"

namespace maru::data {

// The catalogue over the tables that Datasets migrates.
class StoredCatalogue final : public Catalogue {
 public:
  StoredCatalogue(store::Database& db, Datasets& datasets, base::Clock& clock)
      : db_(db), datasets_(datasets), clock_(clock) {}
  base::Result<DatasetAbout> about(const std::string& project, const std::string& dataset) override;
  base::Status describe(const std::string& project, const std::string& dataset,
                        const DatasetAbout& about) override;
  base::Status tag(const std::string& project, const std::string& selector, const std::string& tag,
                   const std::string& by) override;
  base::Status untag(const std::string& project, const std::string& dataset,
                     const std::string& tag) override;
  base::Result<std::vector<SnapshotTag>> tags(const std::string& project,
                                              const std::string& dataset) override;
  base::Result<std::vector<CatalogueHit>> search(const std::string& project,
                                                 const std::string& query,
                                                 std::size_t limit) override;

 private:
  store::Database& db_;
  Datasets& datasets_;
  base::Clock& clock_;
};

}  // namespace maru::data
