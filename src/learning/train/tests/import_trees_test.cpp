#include "maru/train/import_trees.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "ubjson.h"

using namespace maru;

namespace {

// One tree: f1 < 0.5 (missing goes right) ? 1 : (f0 < 2 (missing left) ? 2 : 4). `with` replaces a part.
std::string xgboost_json(const std::string& part = "", const std::string& with = "") {
  std::string out = R"({"version":[3,2,0],"learner":{"feature_names":[],"feature_types":[],
    "gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{
      "left_children":[1,-1,3,-1,-1],"right_children":[2,-1,4,-1,-1],"split_indices":[1,0,0,0,0],
      "split_conditions":[0.5,1,2,2,4],"default_left":[0,0,1,0,0],"split_type":[0,0,0,0,0],
      "tree_param":{"size_leaf_vector":"1"}}]}},
    "learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"2","num_target":"1"},
    "objective":{"name":"reg:squarederror"}}})";
  const std::size_t at = out.find(part);
  REQUIRE(at != std::string::npos);
  return part.empty() ? out : out.replace(at, part.size(), with);
}

double predict(const train::ImportedTrees& trees, double f0, double f1) {
  const auto evaluator = model::compile_native(trees.graph, trees.signature);
  REQUIRE(evaluator);
  model::InputBatch batch;
  batch.reset(trees.signature, 1);
  batch.columns[0].numbers = {f0};
  batch.columns[1].numbers = {f1};
  model::Predictions out;
  REQUIRE((*evaluator)->predict(batch, out));
  return out.scores[0];
}

template <std::size_t N>
std::string raw(const char (&bytes)[N]) {  // zero bytes count
  return {bytes, N - 1};
}

base::Error refused(const std::string& bytes) {
  const auto out = train::import_trees(bytes);
  REQUIRE_FALSE(out);
  return out.error();
}

}  // namespace

TEST_CASE("XGBoost's JSON: less than, missing values, float32, the base score") {
  const auto trees = train::import_trees(xgboost_json());
  REQUIRE_MESSAGE(trees, trees.error().text());
  CHECK(trees->signature.inputs[1].name == "f1");
  CHECK(predict(*trees, 0, 0.4) == 1.5);
  CHECK(predict(*trees, 1.9, 0.5) == 2.5);  // 0.5 is not less than 0.5
  CHECK(predict(*trees, 2, 0.5) == 4.5);
  // The nearest float32 of this double is 2.
  CHECK(predict(*trees, 1.9999999999, 0.5) == 4.5);
  CHECK(predict(*trees, std::nan(""), std::nan("")) == 2.5);
  CHECK(trees->expected.rows == trees->rows.rows());
  const auto logistic = train::import_trees(xgboost_json("reg:squarederror", "binary:logistic"));
  REQUIRE(logistic);
  CHECK(logistic->signature.task == model::Task::kBinary);
  CHECK(predict(*logistic, 0, 0.4) == doctest::Approx(1 / (1 + std::exp(-1.0))));
  const auto counts = train::import_trees(xgboost_json("reg:squarederror", "count:poisson"));
  REQUIRE(counts);
  CHECK(predict(*counts, 0, 0.4) == doctest::Approx(std::exp(1.0 + std::log(0.5))));
}

TEST_CASE("damaged and unknown trees are refused with a reason") {
  for (const auto& [part, with] : std::initializer_list<std::pair<const char*, const char*>>{
           {"[1,-1,3,-1,-1]", "[0,-1,3,-1,-1]"},   // its own child
           {"[1,-1,3,-1,-1]", "[2,-1,3,-1,-1]"},   // two parents
           {"[1,-1,3,-1,-1]", "[1,-1,3,-1]"},      // lists differ
           {"[1,-1,3,-1,-1]", "[99,-1,3,-1,-1]"},  // out of range
           {"[1,0,0,0,0]", "[7,0,0,0,0]"},         // no such feature
           {R"("tree_info":[0])", R"("tree_info":[3])"},
           {R"("[5E-1]")", R"("half")"},
           {R"("num_feature":"2")", R"("num_feature":"-2")"}}) {
    CAPTURE(with);
    CHECK(refused(xgboost_json(part, with)).code == base::Code::kInvalidArgument);
  }
  CHECK(refused(xgboost_json("gbtree", "dart")).code == base::Code::kUnimplemented);
  CHECK(refused(xgboost_json("reg:squarederror", "survival:aft")).code ==
        base::Code::kUnimplemented);
  CHECK(refused(xgboost_json("\"split_type\":[0", "\"split_type\":[1")).code ==
        base::Code::kUnimplemented);
  CHECK(refused("hello").code == base::Code::kInvalidArgument);
  CHECK(refused("tree\nversion=v4\n").code == base::Code::kInvalidArgument);
}

TEST_CASE("UBJSON is read, and what is damaged is not") {
  const auto read =
      train::parse_ubjson(raw("{L\0\0\0\0\0\0\0\1a[$d#i\2\x3f\x80\0\0\xc0\0\0\0i\1b{"
                              "i\1cSi\2hiU\1dTi\1eZ}i\1f[l\0\0\1\0I\xff\xfe]}"));
  REQUIRE_MESSAGE(read, read.error().text());
  CHECK(read->dump() == R"({"a":[1.0,-2.0],"b":{"c":"hi","d":true,"e":null},"f":[256,-2]})");
  for (const std::string& bad :
       {raw("{"), raw("[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff"), raw("{i\1a"), raw("Si\5abc"),
        raw("[$d]"), raw("{}x"), std::string(1000, '[')}) {
    CHECK_FALSE(train::parse_ubjson(bad));
  }
}
