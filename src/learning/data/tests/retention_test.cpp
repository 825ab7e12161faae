#include "maru/data/retention.h"

#include "home.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Home;

namespace {

struct Kept : Home {
  std::vector<std::string> referred;  // ids of snapshots that a model learnt from
  std::set<std::string> elsewhere;    // blobs of others
  std::unique_ptr<Retention> retention;

  Kept() {
    auto opened = Retention::open(
        *db, *blobs, *engine, *datasets, clock,
        [this](const Snapshot& snapshot) -> base::Result<std::vector<std::string>> {
          const bool found =
              std::find(referred.begin(), referred.end(), snapshot.id) != referred.end();
          return found ? std::vector<std::string>{"model m/1"} : std::vector<std::string>{};
        },
        [this](const std::string& sha256) -> base::Result<bool> {
          return elsewhere.contains(sha256);
        });
    REQUIRE(opened);
    retention = std::move(*opened);
  }
  ImportResult append(const std::string& csv) {
    AppendSpec spec;
    spec.from.dataset = "s";
    spec.from.sources = {file("part.csv", csv)};
    auto done = datasets->append(spec, context);
    REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
    return std::move(*done);
  }
  CollectReport collect(bool dry_run = false) {
    auto report = retention->collect("default", "s", dry_run, context);
    REQUIRE_MESSAGE(report, (report ? "" : report.error().text()));
    return std::move(*report);
  }
  void keep(std::int64_t last) {
    RetentionPolicy policy;
    policy.keep_all = false;
    policy.keep_last = last;
    REQUIRE(retention->set_policy("default", "s", policy));
  }
  std::uint64_t rows(const std::string& selector) {
    const auto snapshot = datasets->resolve("default", selector);
    if (!snapshot) return 0;
    const auto table = datasets->read(*snapshot);
    REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
    return table->rows();
  }
};

}  // namespace

TEST_CASE("dropping the middle of a chain of appends keeps what is behind it") {
  Kept home;
  for (int i = 0; i < 6; ++i) home.append("n\n" + std::to_string(i) + "\n");
  REQUIRE(home.datasets->catalogue().tag("default", "s@3", "gold", "kim"));
  home.referred.push_back(home.datasets->resolve("default", "s@2")->id);
  CHECK(home.collect().snapshots == 0);  // a lake
  home.keep(1);
  const CollectReport dry = home.collect(true);
  CHECK(dry.snapshots == 3);
  CHECK(dry.steps.size() == 6);
  CHECK(dry.steps[1].reason == "model m/1");
  CHECK(home.rows("s@1") == 1);
  CHECK(home.collect().snapshots == 3);
  CHECK(home.rows("s@2") == 2);
  CHECK(home.rows("s@gold") == 3);
  CHECK(home.rows("s") == 6);
  for (const char* gone : {"s@1", "s@4", "s@5"})
    CHECK(home.datasets->resolve("default", gone).error().code == base::Code::kFailedPrecondition);
  home.append("n\n6\n");
  CHECK(home.rows("s") == 7);
  home.clock.advance_us(2 * Retention::kGraceUs);
  home.collect();
  CHECK(home.rows("s") == 7);
  CHECK(home.rows("s@gold") == 3);
}

TEST_CASE("parts go once nothing reaches them, not before their readers had their time") {
  Kept home;
  const auto first = home.add("s", "1.csv", "n\n1\n"), second = home.add("s", "2.csv", "n\n2\n");
  REQUIRE(home.add("s", "3.csv", "n\n3\n"));
  home.elsewhere.insert(second->snapshot.parts[0].sha256);
  home.keep(1);
  CHECK(home.collect(true).parts == 1);
  const CollectReport report = home.collect();
  CHECK(report.snapshots == 2);
  CHECK(report.parts == 0);
  CHECK(report.waiting == 1);
  CHECK(home.blobs->stat(first->snapshot.parts[0].sha256));
  CHECK(home.blobs->stat(second->snapshot.parts[0].sha256));
  CHECK(home.rows("s") == 1);
}

TEST_CASE("an erasure leaves no snapshot and no part with the rows") {
  Kept home;
  home.append("id,who\n1,kim\n2,lee\n");
  home.append("id,who\n3,ada\n");
  const auto before = home.datasets->resolve("default", "s");
  REQUIRE(home.datasets->catalogue().tag("default", "s@1", "gold", "kim"));
  const auto none = home.retention->erase("default", "s", "who", {"nobody"}, home.context);
  REQUIRE(none);
  CHECK(none->rows == 0);
  CHECK(none->dropped.empty());
  const auto done = home.retention->erase("default", "s", "who", {"kim"}, home.context);
  REQUIRE_MESSAGE(done, (done ? "" : done.error().text()));
  CHECK(done->rows == 1);
  CHECK(done->dropped.size() == 2);
  CHECK(home.rows("s") == 2);
  for (const auto& part : before->parts) CHECK_FALSE(home.blobs->stat(part.sha256));
  CHECK_FALSE(home.datasets->resolve("default", "s@gold"));
  CHECK(home.retention->erase("default", "s", "hwo", {"x"}, home.context).error().code ==
        base::Code::kNotFound);
  CHECK(home.retention->erase("default", "s", "who", {"lee", "ada"}, home.context).error().code ==
        base::Code::kFailedPrecondition);
}

TEST_CASE("a rolling window drops the rows that left it") {
  Kept home;
  const std::string today = base::format_time_us(home.clock.now_us()).substr(0, 10);
  REQUIRE(home.add("s", "1.csv", "n,day\n1,1990-01-01\n2," + today + "\n3," + today + "\n"));
  const auto policy = RetentionPolicy::from_json(
      *base::parse_json(R"({"keep_last": 1, "window_column": "day", "window_days": 30})"));
  REQUIRE(policy);
  REQUIRE(home.retention->set_policy("default", "s", *policy));
  CHECK(home.collect().snapshots == 1);
  CHECK(home.rows("s") == 2);
  CHECK(home.collect().snapshots == 0);
  CHECK_FALSE(RetentionPolicy::from_json(*base::parse_json(R"({"keep_last": -1})")));
  CHECK_FALSE(RetentionPolicy::from_json(*base::parse_json(R"({"keep_lst": 1})")));
  CHECK_FALSE(
      RetentionPolicy::from_json(*base::parse_json(R"({"keep_all": true, "keep_days": 3})")));
}
