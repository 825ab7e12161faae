#include "words.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace maru;
using namespace maru::transform;

namespace {

data::Table messages(std::size_t rows) {
  data::Column text;
  text.name = "message";
  text.type = data::ColumnType::kText;
  for (std::size_t r = 0; r < rows; ++r) {
    const bool spam = r % 3 == 0;
    const char* shout = r % 2 == 0 ? "FREE!" : "free";
    text.codes.push_back(static_cast<std::int32_t>(r));
    text.valid.push_back(1);
    text.dictionary.push_back((spam ? std::string("Win a ") + shout + " prize" : "see you there") +
                              " number" + std::to_string(r));
  }
  data::Table out;
  out.columns.push_back(std::move(text));
  return out;
}

std::vector<double> spam(std::size_t rows) {
  std::vector<double> out;
  for (std::size_t r = 0; r < rows; ++r) out.push_back(r % 3 == 0 ? 1 : 0);
  return out;
}

}  // namespace

TEST_CASE("a text is cut at spaces alone, and a word is what is left without signs around it") {
  const auto pieces = pieces_of("  Win  a\tprize, 서울! ");
  CHECK(pieces == std::vector<std::string_view>{"Win", "a\tprize,", "서울!"});
  CHECK(pieces_of("").empty());
  CHECK(pieces_of("   ").empty());
  CHECK(word_of("\"FREE!!\"") == "free");
  CHECK(word_of("don't") == "don't");
  CHECK(word_of("서울!") == "서울");
  CHECK(word_of("...").empty());
}

TEST_CASE("sentences become 0/1 columns of the words that tell most") {
  const auto plan = fit_features(messages(300), {"message"}, spam(300), {});
  REQUIRE(plan);
  const FeatureColumn& column = plan->columns.front();
  CHECK(column.encoding == Encoding::kWords);
  const auto has = [&](const std::string& word) {
    return std::find(column.vocabulary.begin(), column.vocabulary.end(), word) !=
           column.vocabulary.end();
  };
  CHECK(has("free"));
  CHECK(has("prize"));
  CHECK(has("see"));
  CHECK_FALSE(has("number7"));  // comes once
  // Both spellings are one word.
  std::vector<std::string> free;
  for (std::size_t i = 0; i < column.spellings.size(); ++i)
    if (column.vocabulary[static_cast<std::size_t>(column.spelling_of[i])] == "free")
      free.push_back(column.spellings[i]);
  std::sort(free.begin(), free.end());
  CHECK(free == std::vector<std::string>{"FREE!", "free"});
  CHECK(std::find(plan->feature_names.begin(), plan->feature_names.end(), "message has free") !=
        plan->feature_names.end());
  const auto again = FeaturePlan::from_json(plan->to_json());
  REQUIRE(again);
  CHECK(again->to_json() == plan->to_json());
}

TEST_CASE("spellings that fit no word are refused") {
  base::Json json = fit_features(messages(300), {"message"}, spam(300), {})->to_json();
  base::Json& column = json.members()[0].second.items()[0];
  column.set("spelling_of", base::Json::array({base::Json(99)}));
  CHECK(FeaturePlan::from_json(json).error().code == base::Code::kDataLoss);
}

TEST_CASE("ids and single words are no sentences") {
  data::Table table = messages(60);
  for (std::size_t r = 0; r < 60; ++r) table.columns[0].dictionary[r] = "user-" + std::to_string(r);
  const auto plan = fit_features(table, {"message"}, spam(60), {});
  REQUIRE_FALSE(plan);
  CHECK(plan.error().message.find("an id") != std::string::npos);
}
