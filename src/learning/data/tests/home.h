#pragma once
#include <set>
#include <string>

#include "maru/base/clock.h"
#include "scratch.h"

namespace maru::data::test {

// A folder with a store, blobs and datasets.
struct Home : Scratch {
  base::ManualClock clock;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<Datasets> datasets;

  Home() {
    store::DatabaseOptions options;
    options.path = path("maru.db");
    auto database = store::Database::open(options);
    REQUIRE(database);
    db = std::move(*database);
    auto store = blob::BlobStore::open_local(path("blobs"));
    REQUIRE(store);
    blobs = std::move(*store);
    auto opened = Datasets::open(*db, *blobs, *engine, clock);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
    datasets = std::move(*opened);
  }
  base::Result<ImportResult> add(const std::string& name, const std::string& file_name,
                                 std::string_view text) {
    ImportSpec spec;
    spec.dataset = name;
    spec.sources = {file(file_name, text)};
    return datasets->import(spec, context);
  }
};

}  // namespace maru::data::test
