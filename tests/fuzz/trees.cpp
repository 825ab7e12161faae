// Models of trees of anybody: refused, or a graph that answers its own rows as its trees do.
#include <cmath>

#include "driver.h"
#include "maru/base/check.h"
#include "maru/train/import_trees.h"

using namespace maru;

namespace {
template <std::size_t N>
std::string raw(const char (&bytes)[N]) {  // zero bytes count
  return {bytes, N - 1};
}
}  // namespace

void fuzz_one(std::string_view input) {
  const auto trees = train::import_trees(input);
  if (!trees) {
    MARU_CHECK(trees.error().code == base::Code::kInvalidArgument ||
               trees.error().code == base::Code::kUnimplemented);
    return;
  }
  const auto evaluator = model::compile_native(trees->graph, trees->signature);
  MARU_CHECK(evaluator.has_value());
  model::InputBatch batch;
  MARU_CHECK(model::fill_from_table(trees->signature, trees->rows, batch).has_value());
  model::Predictions out;
  MARU_CHECK((*evaluator)->predict(batch, out).has_value());
  MARU_CHECK(out.scores.size() == trees->expected.scores.size());
}

std::vector<std::string> fuzz_seeds() {
  const std::string json =
      R"({"version":[3,2,0],"learner":{"feature_names":["a","b"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,3,-1,-1],"right_children":[2,-1,4,-1,-1],"split_indices":[1,0,0,0,0],"split_conditions":[0.5,1,2,2,4],"default_left":[0,0,1,0,0],"split_type":[0,0,0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic"}}})";
  const std::string ubj = raw(
      "{L\0\0\0\0\0\0\0\7learner{i\x10gradient_booster{i\4nameSi\6gbtreei\5model{i\x09tree_info[$l#"
      "i\1\0\0\0\0"
      "i\5trees[{i\x0dleft_children[$l#i\3\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xffi\x0eright_"
      "children[$l#i\3\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff"
      "i\x0dsplit_indices[$l#i\3\0\0\0\0\0\0\0\0\0\0\0\0i\x10split_conditions[$d#"
      "i\3\x3f\x80\0\0\0\0\0\0\x3f\x80\0\0i\x0c"
      "default_left[$U#i\3\0\0\0}]}}"
      "i\x13learner_model_param{i\x0a"
      "base_scoreSi\4"
      "5E-1i\x0bnum_featureSi\1"
      "1i\x09num_classSi\1"
      "0}i\x09objective{i\4nameSi\x0ereg:logistic  }}}");
  const std::string text =
      "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective="
      "binary sigmoid:1\nfeature_names=a b\n\n"
      "Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\nthreshold=0.5 1.5\ndecision_type=10 "
      "8\nleft_child=1 -1\nright_child=-2 -3\n"
      "leaf_value=0.1 0.2 0.3\nis_linear=0\n\nend of trees\n";
  return {json, ubj, text, text};
}
