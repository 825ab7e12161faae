#include <doctest/doctest.h>
#include <stdlib.h>

#include "maru/base/file.h"
#include "maru/data/dataset.h"
#include "maru/stats/profiler.h"
#include "maru/stats/schema.h"

// A stored snapshot is judged by its profile where that says enough: then its rows are not read at all.
using namespace maru;
using namespace maru::stats;

namespace {

std::string listed(const std::vector<Anomaly>& anomalies) {
  std::string out;
  for (const auto& one : anomalies) {
    out += one.to_json().dump();
    out += '\n';
  }
  return out;
}

}  // namespace

TEST_CASE(
    "a snapshot's rules are judged from its profile, and its rows are read only where that does "
    "not do") {
  std::string folder = "/tmp/maru_validate_XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  base::ManualClock clock;
  store::DatabaseOptions options;
  options.path = folder + "/maru.db";
  const auto db = store::Database::open(options);
  const auto blobs = blob::BlobStore::open_local(folder + "/blobs");
  const auto engine = data::Engine::open({folder + "/tmp", 1, 1ull << 30});
  REQUIRE((db && blobs && engine));
  const auto datasets = data::Datasets::open(**db, **blobs, **engine, clock);
  REQUIRE(datasets);
  base::Context context;
  std::string text = "id,age,city,score,when\n";
  for (int i = 0; i < 500; ++i)
    text += std::to_string(i) + "," + std::to_string(20 + i % 50) + "," +
            (i % 3 == 0 ? "Seoul" : "Busan") + "," + std::to_string(i * 0.25) + ",2024-01-0" +
            std::to_string(1 + i % 9) + "\n";
  REQUIRE(base::write_file_atomic(folder + "/t.csv", text));
  data::ImportSpec spec;
  spec.dataset = "t";
  spec.sources = {folder + "/t.csv"};
  const auto made = (*datasets)->import(spec, context);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  const auto profile = profile_snapshot(**datasets, **engine, made->snapshot, context);
  REQUIRE(profile);
  const Schema schema = infer_schema(*profile);
  const auto table = (*datasets)->read(made->snapshot);
  REQUIRE(table);

  std::vector<Schema> broken(6, schema);
  const auto rule = [](Schema& of, const std::string& name) -> ColumnRule& {
    for (auto& one : of.columns)
      if (one.name == name) return one;
    REQUIRE_MESSAGE(false, name);
    return of.columns.front();
  };
  rule(broken[0], "age").max = 60;
  rule(broken[1], "city").domain = {"Seoul", "Daegu"};
  rule(broken[2], "score").type = data::ColumnType::kText;
  rule(broken[3], "city").unique = true;
  rule(broken[4], "age").name = "Age";
  broken[5].rows_min = 1000;
  for (const auto& one : broken) {
    const auto stored = validate_snapshot(**datasets, made->snapshot, *profile, one);
    REQUIRE_MESSAGE(stored, (stored ? "" : stored.error().text()));
    CHECK_FALSE(stored->empty());
    CHECK(listed(*stored) == listed(validate(*table, *profile, one)));
  }
  // Without its rows the snapshot still keeps its rules, and only a rule that needs rows says that they are gone.
  REQUIRE(base::remove_tree(folder + "/blobs"));
  const auto kept = validate_snapshot(**datasets, made->snapshot, *profile, schema);
  REQUIRE_MESSAGE(kept, (kept ? "" : kept.error().text()));
  CHECK(listed(*kept) == listed(validate(*table, *profile, schema)));
  CHECK_FALSE(validate_snapshot(**datasets, made->snapshot, *profile, broken[0]));
  REQUIRE(base::remove_tree(folder));
}
