#include "maru/data/catalogue.h"

#include "home.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Home;

TEST_CASE("a snapshot is found by number, tag, day, moment and id prefix") {
  Home home;
  base::Context context;
  const auto first = home.add("sales", "1.csv", "a\n1\n");
  home.clock.advance_us(86'400ll * 1'000'000);
  const auto second = home.add("sales", "2.csv", "a\n2\n");
  REQUIRE(second);
  const std::string day_one = base::format_time_us(first->snapshot.created_us).substr(0, 10);
  const std::string moment = base::format_time_us(first->snapshot.created_us).substr(0, 16);
  const auto number = [&](const std::string& selector) {
    const auto found = home.datasets->resolve("default", selector);
    return found ? found->number : -static_cast<int>(found.error().code);
  };
  const int absent = -static_cast<int>(base::Code::kNotFound);
  CHECK(number("sales@1") == 1);
  CHECK(number("sales@" + day_one) == 1);
  CHECK(number("sales@" + moment) == 1);
  CHECK(number("sales@2999-01-01") == 2);
  CHECK(number("sales@2999-01-01T00:00:00+09:00") == 2);
  CHECK(number("sales@1970-01-01") == absent);
  CHECK(number("sales@" + first->snapshot.id.substr(0, 8)) == 1);
  CHECK(number("sales@gold") == absent);
  auto& catalogue = home.datasets->catalogue();
  REQUIRE(catalogue.tag("default", "sales@1", "gold", "kim"));
  CHECK(number("sales@gold") == 1);
  REQUIRE(catalogue.tag("default", "sales", "gold", "lee"));
  CHECK(number("sales@gold") == 2);
  const auto tags = catalogue.tags("default", "sales");
  REQUIRE(tags);
  REQUIRE(tags->size() == 1);
  CHECK(tags->front().by == "lee");
  CHECK(tags->front().number == 2);
  for (const char* wrong : {"3", "latest", "-x", "a b", "", "gold@2", "금"})
    CHECK(catalogue.tag("default", "sales", wrong, "kim").error().code ==
          base::Code::kInvalidArgument);
  CHECK(catalogue.untag("default", "sales", "gild").error().hint.find("gold") != std::string::npos);
  REQUIRE(catalogue.untag("default", "sales", "gold"));
  CHECK(number("sales@gold") == absent);
}

TEST_CASE("what is said about a dataset is kept, checked and found") {
  Home home;
  REQUIRE(home.add("sales", "1.csv", "id,fare,city\n1,2,x\n"));
  REQUIRE(home.add("trips", "2.csv", "id,distance\n1,2\n"));
  auto& catalogue = home.datasets->catalogue();
  const auto value = base::parse_json(
      R"({"owner":"Kim","description":"Daily *revenue*","tags":["finance"],"licence":"CC-BY-4.0","sensitive":{"city":"address"},"columns":{"fare":"in won"}})");
  auto about = DatasetAbout::from_json(*value, {});
  REQUIRE(about);
  REQUIRE(catalogue.describe("default", "sales", *about));
  const auto again = catalogue.about("default", "sales");
  REQUIRE(again);
  CHECK(again->owner == "Kim");
  CHECK(again->sensitive.at("city") == "address");
  const auto changed = DatasetAbout::from_json(*base::parse_json(R"({"owner":"Lee"})"), *again);
  REQUIRE(changed);
  CHECK(changed->description == "Daily *revenue*");
  CHECK(DatasetAbout::from_json(*base::parse_json(R"({"ownr":"x"})"), {}).error().message ==
        "unknown key: ownr");
  CHECK_FALSE(DatasetAbout::from_json(*base::parse_json(R"({"tags":"x"})"), {}));
  CHECK_FALSE(DatasetAbout::from_json(*base::parse_json(R"({"owner":3})"), {}));
  about->columns["frae"] = "?";
  CHECK(catalogue.describe("default", "sales", *about).error().hint.find("fare") !=
        std::string::npos);
  const auto names = [&](const std::string& query) {
    std::string out;
    const auto hits = catalogue.search("default", query);
    REQUIRE(hits);
    for (const auto& hit : *hits) out += hit.dataset + " ";
    return out;
  };
  CHECK(names("sales") == "sales ");
  CHECK(names("revenue") == "sales ");
  CHECK(names("distance") == "trips ");
  CHECK(names("kim finance") == "sales ");
  CHECK(names("kim distance").empty());
  CHECK(names("id") == "sales trips ");
  CHECK(catalogue.search("default", "fare")->front().where ==
        std::vector<std::string>{"column fare"});
}

TEST_CASE("reads are told once, and counted after that") {
  Home home;
  const auto made = home.add("sales", "1.csv", "a\n1\n");
  std::vector<SnapshotRead> told;
  home.datasets->set_read_sink([&](const SnapshotRead& read) -> base::Status {
    told.push_back(read);
    return {};
  });
  for (int i = 0; i < 5; ++i) REQUIRE(home.datasets->note_read(made->snapshot, "kim", "sql"));
  REQUIRE(home.datasets->note_read(made->snapshot, "lee", "sql"));
  REQUIRE(told.size() == 2);
  CHECK(told[0].snapshot == "sales@1");
  home.clock.advance_us(3'600ll * 1'000'000);
  REQUIRE(home.datasets->note_read(made->snapshot, "kim", "sql"));
  REQUIRE(told.size() == 3);
  CHECK(told[2].times == 5);
  REQUIRE(home.datasets->note_read(made->snapshot, "lee", "sql"));
  REQUIRE(home.datasets->note_read(made->snapshot, "lee", "sql"));
  REQUIRE(home.datasets->flush_reads());
  CHECK(told.size() == 5);
  home.datasets->set_read_sink([](const SnapshotRead&) -> base::Status {
    return base::fail(base::Code::kNoSpace, "the trail is full");
  });
  CHECK(home.datasets->note_read(made->snapshot, "kim", "rows").error().code ==
        base::Code::kNoSpace);
}
