#include <doctest/doctest.h>

#include <limits>

#include "maru/train/train.h"

namespace {

using namespace maru;
using Texts = std::vector<std::string>;

data::Column text_column(const Texts& values) {
  data::Column out;
  out.name = "y";
  out.type = data::ColumnType::kText;
  for (const std::string& value : values) {
    std::size_t code = 0;
    while (code < out.dictionary.size() && out.dictionary[code] != value) ++code;
    if (code == out.dictionary.size()) out.dictionary.push_back(value);
    out.codes.push_back(static_cast<std::int32_t>(code));
  }
  return out;
}

data::Column integers(std::vector<std::int64_t> values) {
  data::Column out;
  out.name = "y";
  out.type = data::ColumnType::kInteger;
  out.integers = std::move(values);
  return out;
}

data::Column reals(std::vector<double> values) {
  data::Column out;
  out.name = "y";
  out.type = data::ColumnType::kFloat;
  out.reals = std::move(values);
  return out;
}

}  // namespace

TEST_CASE("the positive class is the one that means yes, else the rarer one") {
  const auto yes = train::encode_labels(text_column({"yes", "yes", "no", "yes", "no"}));
  REQUIRE(yes.has_value());
  CHECK(yes->task == model::Task::kBinary);
  CHECK(yes->classes == Texts{"no", "yes"});
  CHECK(yes->values == std::vector<double>{1, 1, 0, 1, 0});
  const auto income =
      train::encode_labels(text_column({"<=50K", ">50K", "<=50K", "<=50K", ">50K"}));
  CHECK(income->classes == Texts{"<=50K", ">50K"});
  const auto spam = train::encode_labels(text_column({"spam", "ham", "ham", "spam", "ham"}));
  CHECK(spam->classes == Texts{"ham", "spam"});
  const auto numbers = train::encode_labels(integers({0, 1, 1, 1, 0}));
  CHECK(numbers->classes == Texts{"0", "1"});
  const auto whole_reals = train::encode_labels(reals({1, 0, 0, 1}));
  CHECK(whole_reals->task == model::Task::kBinary);
  data::Column flags = integers({1, 1, 0, 1, 0});
  flags.type = data::ColumnType::kBool;
  CHECK(train::encode_labels(flags)->classes == Texts{"false", "true"});
}

TEST_CASE("the task follows from the values") {
  CHECK(train::encode_labels(integers({3, 4, 5, 3, 4, 5}))->task == model::Task::kMulticlass);
  CHECK(train::encode_labels(integers({10, 9, 10, 9, 2, 2}))->classes == Texts{"2", "9", "10"});
  CHECK(train::encode_labels(integers({3, 4, 5, 6, 7, 8}))->task == model::Task::kRegression);
  CHECK(train::encode_labels(reals({0.5, 1.5, 0.5, 1.5}))->task == model::Task::kRegression);
  CHECK(train::encode_labels(text_column({"a", "b", "c", "a", "b", "c"}))->task ==
        model::Task::kMulticlass);
  std::vector<std::int64_t> many;
  for (int i = 0; i < 200; ++i) many.push_back(i % 21);
  CHECK(train::encode_labels(integers(many))->task == model::Task::kRegression);
  CHECK(train::encode_labels(integers(many), "multiclass")->classes.size() == 21);
  CHECK(train::encode_labels(integers({0, 1, 1, 0}), "regression")->task ==
        model::Task::kRegression);
}

TEST_CASE("labels that cannot be learned are refused by name") {
  const auto constant = train::encode_labels(text_column({"a", "a", "a"}));
  CHECK(constant.error().message.find("constant") != std::string::npos);
  data::Column empty = reals({0, 0});
  empty.valid = {0, 0};
  CHECK(train::encode_labels(empty).error().message.find("missing in every row") !=
        std::string::npos);
  const auto lonely = train::encode_labels(text_column({"a", "a", "b", "c", "c"}));
  CHECK(lonely.error().message.find("y = b") != std::string::npos);
  CHECK(train::encode_labels(text_column({"a", "b", "a", "b"}), "regression").error().code ==
        base::Code::kInvalidArgument);
  CHECK(train::encode_labels(integers({1, 2, 3, 1, 2, 3}), "binary").error().hint.find("y > 0") !=
        std::string::npos);
  CHECK_FALSE(train::encode_labels(integers({1, 2, 1, 2}), "binery").has_value());
  Texts ids;
  for (int i = 0; i < 2200; ++i) ids.push_back(std::to_string(i / 2));
  CHECK(train::encode_labels(text_column(ids)).error().message.find("too many classes") !=
        std::string::npos);
  CHECK_FALSE(train::encode_labels(reals({1.5, std::numeric_limits<double>::quiet_NaN(), 3.5}))
                  .has_value());
}

TEST_CASE("later rows are encoded by the known classes") {
  const auto known = train::encode_labels(text_column({"no", "yes", "no", "yes"}));
  data::Column later = text_column({"yes", "maybe", "no", "yes"});
  later.valid = {1, 1, 1, 0};
  CHECK(train::encode_with(later, *known) == std::vector<double>{1, -1, 0, -1});
  const auto numbers = train::encode_labels(integers({1, 2, 1, 2, 1}));
  CHECK(train::encode_with(reals({2.0, 1.0, 3.0}), *numbers) == std::vector<double>{1, 0, -1});
}
