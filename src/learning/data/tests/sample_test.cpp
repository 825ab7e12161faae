#include "maru/data/sample.h"

#include <map>

#include "home.h"

using namespace maru;
using namespace maru::data;
using maru::data::test::Home;

namespace {

struct Sampled : Home {
  Sampled() {
    std::string text = "id,user,kind\n";
    for (int i = 0; i < 10'000; ++i)
      text += std::to_string(i) + ",u" + std::to_string(i % 500) + "," +
              (i % 100 == 0 ? "rare"
               : i % 2 == 0 ? "even"
                            : "") +
              "\n";
    REQUIRE(add("s", "1.csv", text));
  }
  base::Result<Table> take(const SampleSpec& spec) {
    TRY_ASSIGN(const auto sample,
               Sample::open(*datasets, *engine, *datasets->resolve("default", "s"), spec, context));
    Table all;
    for (;;) {
      TRY_ASSIGN(Table rows, sample->next(1000));
      if (rows.rows() == 0) return all;
      if (all.columns.empty()) {
        all = std::move(rows);
        continue;
      }
      for (std::size_t c = 0; c < all.columns.size(); ++c) {
        Column& to = all.columns[c];
        for (std::size_t r = 0; r < rows.rows(); ++r) {
          if (to.type == ColumnType::kInteger) {
            to.integers.push_back(rows.columns[c].integers[r]);
          } else {
            const bool known = rows.columns[c].is_valid(r);
            if (known) to.dictionary.emplace_back(rows.columns[c].text(r));
            to.codes.push_back(known ? static_cast<std::int32_t>(to.dictionary.size()) - 1 : -1);
            if (!to.valid.empty() || !known) {
              to.valid.resize(to.codes.size() - 1, 1);
              to.valid.push_back(known ? 1 : 0);
            }
          }
        }
      }
    }
  }
};

}  // namespace

TEST_CASE("a sample has exactly the rows asked for, in order, the same for the same seed") {
  Sampled home;
  SampleSpec spec;
  spec.rows = 777;
  const auto first = home.take(spec), again = home.take(spec);
  REQUIRE_MESSAGE(first, (first ? "" : first.error().text()));
  CHECK(first->rows() == 777);
  CHECK(first->columns[0].integers == again->columns[0].integers);
  CHECK(std::is_sorted(first->columns[0].integers.begin(), first->columns[0].integers.end()));
  CHECK(std::set<std::int64_t>(first->columns[0].integers.begin(), first->columns[0].integers.end())
            .size() == 777);
  spec.seed = 2;
  CHECK(home.take(spec)->columns[0].integers != first->columns[0].integers);
  spec.rows = 20'000;
  CHECK(home.take(spec)->rows() == 10'000);
  // Every row has its chance: the mean of the ids over seeds is the middle's, within five standard errors.
  double sum = 0;
  spec.rows = 100;
  for (spec.seed = 1; spec.seed <= 50; ++spec.seed) {
    const auto some = home.take(spec);
    for (const auto id : some->columns[0].integers) sum += static_cast<double>(id);
  }
  CHECK(sum / 5000 == doctest::Approx(4999.5).epsilon(5 * 2887.0 / 70.7 / 4999.5));
}

TEST_CASE("a stratified sample keeps the shares and misses no value; missing is one") {
  Sampled home;
  SampleSpec spec;
  spec.rows = 50;
  spec.stratify = "kind";
  const auto table = home.take(spec);
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(table->rows() == 50);
  std::map<std::string, int> seen;
  for (std::size_t r = 0; r < table->rows(); ++r) ++seen[table->columns[2].display(r)];
  CHECK(seen["rare"] == 1);
  CHECK(seen["even"] >= 24);
  CHECK(seen[""] >= 24);
  spec.rows = 2;
  CHECK(home.take(spec).error().message.find("more values than rows") != std::string::npos);
}

TEST_CASE("by a key: all rows of a value or none") {
  Sampled home;
  SampleSpec spec;
  spec.rows = 1000;
  spec.by = "user";
  const auto table = home.take(spec);
  REQUIRE_MESSAGE(table, (table ? "" : table.error().text()));
  CHECK(table->rows() <= 1000);
  CHECK(table->rows() >= 900);
  std::map<std::string, int> seen;
  for (std::size_t r = 0; r < table->rows(); ++r) ++seen[table->columns[1].display(r)];
  for (const auto& [user, rows] : seen) CHECK(rows == 20);
  spec.rows = 5;
  CHECK(home.take(spec).error().message.find("no value of user fits") != std::string::npos);
  spec.by = "usr";
  CHECK(home.take(spec).error().hint.find("user") != std::string::npos);
  spec.stratify = "kind";
  CHECK_FALSE(home.take(spec));
}
