#pragma once
#include <doctest/doctest.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "maru/base/file.h"
#include "maru/tracking/tracking.h"

namespace maru::tracking {

// A tracking room over a database file that can be closed and opened again.
struct TestHouse {
  std::string folder;
  base::ManualClock clock;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<Tracking> tracking;
  explicit TestHouse(const std::string& where = "/tmp") : folder(where + "/maru-tracking-XXXXXX") {
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    clock.advance_us(1'700'000'000'000'000);
    open();
  }
  ~TestHouse() {
    close();
    static_cast<void>(base::remove_tree(folder));
  }
  void open() {
    store::DatabaseOptions options;
    options.path = folder + "/maru.db";
    db = std::move(*store::Database::open(options));
    blobs = std::move(*blob::BlobStore::open_local(folder + "/blobs"));
    tracking = std::move(*Tracking::open(*db, *blobs, clock));
  }
  void close() {
    tracking.reset();
    blobs.reset();
    db.reset();
  }
  Runs& runs() { return tracking->runs(); }
  std::string experiment(const std::string& name) {
    return runs().ensure_experiment("default", name)->id;
  }
  std::string run(const std::string& experiment_id, const std::string& name,
                  const Text& tags = {}) {
    clock.advance_us(1'000'000);
    const auto made = runs().create_run(
        {.experiment_id = experiment_id, .name = name, .source = "test", .tags = tags});
    REQUIRE(made.has_value());
    return made->id;
  }
};

}  // namespace maru::tracking
