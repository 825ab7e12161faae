#include <fcntl.h>
#include <sys/stat.h>

#include "house.h"

namespace maru::tracking {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

base::Result<bool> unused(const std::string&) { return false; }

std::int64_t count(store::Database& db, const std::string& table) {
  return db.query("SELECT COUNT(*) FROM " + table)->at(0).integer(0);
}

// As if every blob had been written long ago.
void age_blobs(TestHouse& house) {
  const auto blobs = *house.blobs->list();
  for (const auto& blob : blobs) {
    const timespec old[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
    REQUIRE(::utimensat(AT_FDCWD, house.blobs->local_path(blob.sha256)->c_str(), old, 0) == 0);
  }
}

}  // namespace

TEST_CASE("what was deleted long enough ago goes with its values, points, files and blobs") {
  TestHouse house;
  const std::string e = house.experiment("e");
  const std::string kept = house.run(e, "kept"), gone = house.run(e, "gone", {{"a", "b"}});
  for (const auto& run : {kept, gone}) {
    REQUIRE(
        house.runs().log(run, {{{"p", "1"}}, {}, {{"m", 1, 1, 1}, {"m", 2, 2, 2}}}).has_value());
    REQUIRE(house.tracking->artifacts().put_artifact(run, "shared.txt", "same bytes").has_value());
    REQUIRE(house.tracking->artifacts().put_artifact(run, "own.txt", "of " + run).has_value());
  }
  REQUIRE(house.runs().delete_run(gone).has_value());
  age_blobs(house);
  auto& trash = house.tracking->trash();
  CHECK(trash.empty(house.clock.now_us() - kDayUs, unused)->runs == 0);  // deleted just now
  CHECK(house.runs().get_run(gone).has_value());
  house.clock.advance_us(2 * kDayUs);
  const auto report = *trash.empty(house.clock.now_us() - kDayUs, unused);
  CHECK(report.runs == 1);
  CHECK(report.blobs == 1);  // the shared one is still named
  CHECK(house.runs().get_run(gone).error().code == base::Code::kNotFound);
  CHECK(house.runs().get_run(kept)->latest.at("m").value == 2);
  CHECK(*house.tracking->artifacts().read_artifact(kept, "shared.txt") == "same bytes");
  CHECK(count(*house.db, "runs") == 1);
  CHECK(count(*house.db, "freed_blobs") == 0);
  CHECK(house.blobs->list()->size() == 2);
  RunQuery query;
  query.view = View::kAll;
  CHECK(house.runs().search_runs("default", query)->total == 1);
}

TEST_CASE("a blob that another room uses, or that is young, stays") {
  TestHouse house;
  const std::string run = house.run(house.experiment("e"), "r");
  REQUIRE(house.tracking->artifacts().put_artifact(run, "a", "one").has_value());
  REQUIRE(house.tracking->artifacts().put_artifact(run, "b", "two").has_value());
  REQUIRE(house.runs().delete_run(run).has_value());
  house.clock.advance_us(2 * kDayUs);
  auto& trash = house.tracking->trash();
  CHECK(trash.empty(house.clock.now_us(), unused)->blobs == 0);  // written a moment ago
  CHECK(count(*house.db, "freed_blobs") == 2);                   // and not forgotten
  age_blobs(house);
  const std::string one = house.blobs->put("one")->sha256;  // written again: young again
  const auto elsewhere = [](const std::string&) -> base::Result<bool> { return true; };
  age_blobs(house);
  CHECK(trash.empty(house.clock.now_us(), elsewhere)->blobs == 0);
  CHECK(house.blobs->list()->size() == 2);
  CHECK(count(*house.db, "freed_blobs") == 0);  // they are somebody else's now
  CHECK(house.blobs->stat(one).has_value());
}

TEST_CASE("a deleted experiment goes after its last run; a restored one stays") {
  TestHouse house;
  const std::string a = house.experiment("a"), b = house.experiment("b");
  house.run(a, "r");
  house.run(b, "r");
  REQUIRE(house.runs().delete_experiment(a).has_value());
  REQUIRE(house.runs().delete_experiment(b).has_value());
  REQUIRE(house.runs().restore_experiment(b).has_value());
  house.clock.advance_us(2 * kDayUs);
  const auto report = *house.tracking->trash().empty(house.clock.now_us(), unused);
  CHECK(report.runs == 1);
  CHECK(report.experiments == 1);
  CHECK(house.runs().get_experiment(a).error().code == base::Code::kNotFound);
  CHECK(house.runs().get_experiment(b)->state == "active");
  CHECK(house.experiment("a") != a);  // the name is free again
}

}  // namespace maru::tracking
