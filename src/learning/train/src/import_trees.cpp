#include "maru/train/import_trees.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "learners.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"
#include "tree_text.h"
#include "ubjson.h"

namespace maru::train {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

constexpr std::size_t kRows = 256, kMostFeatures = 100'000, kMostClasses = 10'000;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

enum class Link : std::uint8_t { kNone, kSigmoid, kSoftmax, kExp };

// What both formats come to.
struct Source {
  Forest forest;
  std::vector<std::string> names;
  std::string format, objective;
  Link link = Link::kNone;
  bool narrow = false;  // features are rounded to float32 first
};

tl::unexpected<base::Error> damaged(const std::string& what) {
  return fail(Code::kInvalidArgument, "the model file is damaged: " + what);
}

tl::unexpected<base::Error> unknown(const std::string& what) {
  return fail(Code::kUnimplemented, "this kind of model cannot be imported: " + what,
              "export it to ONNX (onnxmltools, skl2onnx) and import that");
}

// Children lie behind their parent, so that every walk ends; features are in range.
base::Status check_forest(const Source& source) {
  if (source.names.empty() || source.names.size() > kMostFeatures)
    return damaged("it has " + std::to_string(source.names.size()) + " features");
  for (const Tree& tree : source.forest.trees) {
    const auto splits = static_cast<int>(tree.feature.size());
    std::vector<std::uint8_t> seen(tree.feature.size() + tree.leaf.size(), 0);
    for (std::size_t n = 0; n < tree.feature.size(); ++n) {
      if (tree.feature[n] < 0 || static_cast<std::size_t>(tree.feature[n]) >= source.names.size())
        return damaged("a split is on feature " + std::to_string(tree.feature[n]));
      if (std::isnan(tree.threshold[n])) return damaged("a threshold is not a number");
      for (const int child : {tree.left[n], tree.right[n]}) {
        const int leaf = ~child;
        const bool split = child > static_cast<int>(n) && child < splits;
        if (!split && !(child < 0 && leaf < static_cast<int>(tree.leaf.size())))
          return damaged("a tree is not a tree");
        const auto place = static_cast<std::size_t>(split ? child : splits + leaf);
        if (seen[place]++ != 0) return damaged("a node has two parents");
      }
    }
  }
  return {};
}

// ---- LightGBM

std::string header_of(std::string_view text, std::string_view key) {
  for (const std::string& line : base::split(text.substr(0, text.find("\nTree=")), '\n')) {
    if (line.size() > key.size() && line[key.size()] == '=' &&
        line.compare(0, key.size(), key) == 0)
      return std::string(base::trim(std::string_view(line).substr(key.size() + 1)));
  }
  return "";
}

// "binary sigmoid:1": the word, and what each margin is multiplied with.
base::Status read_lightgbm_objective(const std::string& text, Source& out, double& scale) {
  const std::vector<std::string> words = base::split(text, ' ');
  out.objective = words.front();
  const auto is = [&](std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), out.objective) != names.end();
  };
  if (is({"binary", "cross_entropy", "xentropy"}))
    out.link = Link::kSigmoid;
  else if (is({"multiclass", "softmax"}))
    out.link = Link::kSoftmax;
  else if (is({"poisson", "gamma", "tweedie"}))
    out.link = Link::kExp;
  else if (!is({"", "regression", "regression_l1", "huber", "fair", "quantile", "mape",
                "lambdarank", "rank_xendcg", "custom"}))
    return unknown("LightGBM's objective " + out.objective);
  for (const std::string& word : words) {
    if (word.rfind("sigmoid:", 0) == 0 &&
        std::from_chars(word.data() + 8, word.data() + word.size(), scale).ec != std::errc())
      return damaged(word);
    if (word == "sqrt") return unknown("a target under a square root (reg_sqrt)");
  }
  return {};
}

Result<Source> read_lightgbm(std::string_view text) {
  Source out;
  out.format = "LightGBM text";
  auto forest = parse_lightgbm_text(text);
  if (!forest) {
    if (forest.error().code == Code::kUnimplemented) return unknown(forest.error().message);
    return damaged(forest.error().message);
  }
  out.forest = std::move(*forest);
  if (out.forest.width == 0 || out.forest.width > kMostClasses)
    return damaged("it has " + std::to_string(out.forest.width) + " trees a round");
  if (text.substr(0, text.find("\nTree=")).find("\naverage_output") != std::string_view::npos)
    return unknown("LightGBM's averaged forest");
  out.names = base::split(header_of(text, "feature_names"), ' ');
  if (out.names.size() != out.forest.features)
    return damaged("names and features differ in number");
  double scale = 1;
  TRY(read_lightgbm_objective(header_of(text, "objective"), out, scale));
  if (scale != 1)
    for (Tree& tree : out.forest.trees)
      for (double& leaf : tree.leaf) leaf *= scale;
  return out;
}

// ---- XGBoost

std::optional<double> number_of(const Json& value) {
  if (value.is_number()) return value.as_double();
  const std::string& text = value.as_string();
  double out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  return out;
}

// "5E-1", or since 3.1 "[5E-1,2E-1]": one a class, or one for all.
Result<std::vector<double>> base_scores(const Json& value) {
  std::vector<double> out;
  std::string text = value.as_string();
  if (!text.empty() && text.front() == '[' && text.back() == ']')
    text = text.substr(1, text.size() - 2);
  for (const std::string& part : base::split(text, ',')) {
    const auto number = number_of(value.is_number() ? value : Json(std::string(base::trim(part))));
    if (!number) return damaged("base_score " + value.dump());
    out.push_back(*number);
  }
  return out;
}

Result<std::vector<double>> numbers_of(const Json& tree, const char* key, std::size_t count) {
  const Json& values = tree[key];
  if (values.size() != count) return damaged(std::string("lists of a tree differ: ") + key);
  std::vector<double> out;
  for (const Json& value : values.items()) {
    if (!value.is_number() && !value.is_bool()) return damaged(std::string("no number in ") + key);
    out.push_back(value.is_bool() ? (value.as_bool() ? 1 : 0) : value.as_double());
  }
  return out;
}

// XGBoost keeps splits and leaves in one list; here splits come first, each behind its parent.
class TreeReader {
 public:
  Result<Tree> read(const Json& json) {
    const std::size_t count = json["left_children"].size();
    if (count == 0) return damaged("a tree without nodes");
    TRY_ASSIGN(left_, numbers_of(json, "left_children", count));
    TRY_ASSIGN(right_, numbers_of(json, "right_children", count));
    TRY_ASSIGN(index_, numbers_of(json, "split_indices", count));
    TRY_ASSIGN(value_, numbers_of(json, "split_conditions", count));
    TRY_ASSIGN(default_left_, numbers_of(json, "default_left", count));
    if (json["sum_hessian"].size() == count) {
      TRY_ASSIGN(cover_, numbers_of(json, "sum_hessian", count));
    }
    for (const Json& kind : json["split_type"].items())
      if (kind.as_int() != 0) return unknown("categorical splits of XGBoost");
    places_.assign(count, kUnseen);
    TRY(place_nodes());
    for (const std::size_t node : splits_) {
      tree_.feature.push_back(static_cast<int>(index_[node]));
      tree_.threshold.push_back(double{static_cast<float>(value_[node])});
      tree_.decision.push_back((default_left_[node] != 0 ? 2 : 0) | 2 << 2);  // missing is NaN
      tree_.left.push_back(places_[static_cast<std::size_t>(left_[node])]);
      tree_.right.push_back(places_[static_cast<std::size_t>(right_[node])]);
    }
    return std::move(tree_);
  }

 private:
  static constexpr int kUnseen = std::numeric_limits<int>::min();

  bool in_range(double child) const {
    return child > 0 && child < static_cast<double>(places_.size()) && child == std::floor(child);
  }

  // From the root on, breadth first.
  base::Status place_nodes() {
    std::vector<std::size_t> order = {0};
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t node = order[i];
      if (places_[node] != kUnseen) return damaged("a node has two parents");
      if (left_[node] == -1) {
        places_[node] = ~static_cast<int>(tree_.leaf.size());
        tree_.leaf.push_back(double{static_cast<float>(value_[node])});
        if (!cover_.empty()) tree_.cover.push_back(cover_[node]);
        continue;
      }
      if (!in_range(left_[node]) || !in_range(right_[node])) return damaged("a child out of range");
      if (!(index_[node] >= 0 && index_[node] < 1e9)) return damaged("a feature out of range");
      places_[node] = static_cast<int>(splits_.size());
      splits_.push_back(node);
      order.push_back(static_cast<std::size_t>(left_[node]));
      order.push_back(static_cast<std::size_t>(right_[node]));
      if (order.size() > places_.size()) return damaged("a tree is not a tree");
    }
    return {};
  }

  std::vector<double> left_, right_, index_, value_, default_left_, cover_;
  std::vector<int> places_;
  std::vector<std::size_t> splits_;
  Tree tree_;
};

// The link, and what the base score is before it.
base::Status read_xgboost_objective(const std::string& name, Source& out,
                                    std::vector<double>& bases) {
  out.objective = name;
  const auto is = [&](std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is({"binary:logistic", "reg:logistic"}))
    out.link = Link::kSigmoid;
  else if (is({"multi:softprob", "multi:softmax"}))
    out.link = Link::kSoftmax;
  else if (is({"count:poisson", "reg:gamma", "reg:tweedie"}))
    out.link = Link::kExp;
  else if (!is({"reg:squarederror", "reg:linear", "reg:absoluteerror", "reg:pseudohubererror",
                "reg:quantileerror", "reg:squaredlogerror", "binary:logitraw", "rank:pairwise",
                "rank:ndcg", "rank:map"}))
    return unknown("XGBoost's objective " + name);
  for (double& base : bases) {
    if (out.link == Link::kSigmoid || name == "binary:logitraw") {
      if (!(base > 0 && base < 1)) return damaged("base_score " + base::format_double(base));
      base = std::log(base / (1 - base));
    }
    if (out.link == Link::kExp) {
      if (!(base > 0)) return damaged("base_score " + base::format_double(base));
      base = std::log(base);
    }
  }
  return {};
}

base::Status read_xgboost_trees(const Json& booster, Source& out) {
  const std::string kind = booster["name"].as_string();
  if (kind != "gbtree") return unknown("XGBoost's booster " + kind);
  const Json& model = booster["model"];
  const Json& trees = model["trees"];
  if (trees.size() == 0 || model["tree_info"].size() != trees.size())
    return damaged("it has " + std::to_string(trees.size()) + " trees");
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const Json& json = trees.at(i);
    if (number_of(json["tree_param"]["size_leaf_vector"]).value_or(1) > 1)
      return unknown("trees of several targets");
    TRY_ASSIGN(Tree tree, TreeReader().read(json));
    const std::int64_t target = model["tree_info"].at(i).as_int();
    if (target < 0 || static_cast<std::size_t>(target) >= out.forest.width)
      return damaged("a tree of class " + std::to_string(target));
    out.forest.trees.push_back(std::move(tree));
    out.forest.targets.push_back(static_cast<std::size_t>(target));
  }
  return {};
}

Result<Source> read_xgboost(const Json& document, const char* format) {
  const Json& learner = document["learner"];
  if (!learner.is_object()) return damaged("it has no `learner`");
  Source out;
  out.format = format;
  out.narrow = out.forest.less = true;
  const Json& param = learner["learner_model_param"];
  const double classes = number_of(param["num_class"]).value_or(0),
               features = number_of(param["num_feature"]).value_or(0);
  if (number_of(param["num_target"]).value_or(1) > 1) return unknown("several targets");
  if (!(features >= 1 && features <= static_cast<double>(kMostFeatures)))
    return damaged("it has " + base::format_double(features) + " features");
  if (!(classes >= 0 && classes <= static_cast<double>(kMostClasses)))
    return damaged("it has " + base::format_double(classes) + " classes");
  out.forest.features = static_cast<std::size_t>(features);
  out.forest.width = std::max<std::size_t>(1, static_cast<std::size_t>(classes));
  TRY_ASSIGN(std::vector<double> bases, base_scores(param["base_score"]));
  TRY(read_xgboost_objective(learner["objective"]["name"].as_string(), out, bases));
  if (bases.size() == 1) bases.resize(out.forest.width, bases.front());
  if (bases.size() != out.forest.width) return damaged("base scores and classes differ in number");
  for (std::size_t k = 0; k < bases.size(); ++k) {  // the base score is a tree of one leaf
    Tree base;
    base.leaf = {bases[k]};
    out.forest.trees.push_back(std::move(base));
    out.forest.targets.push_back(k);
  }
  TRY(read_xgboost_trees(learner["gradient_booster"], out));
  for (const Json& name : learner["feature_names"].items()) out.names.push_back(name.as_string());
  if (out.names.empty())
    for (std::size_t f = 0; f < out.forest.features; ++f)
      out.names.push_back("f" + std::to_string(f));
  if (out.names.size() != out.forest.features)
    return damaged("names and features differ in number");
  return out;
}

// ---- both

model::Task task_of(const Source& source) {
  if (source.link == Link::kSoftmax) return model::Task::kMulticlass;
  return source.link == Link::kSigmoid ? model::Task::kBinary : model::Task::kRegression;
}

// Rows around thresholds: at one, just above it, or missing.
data::Table make_rows(const Source& source) {
  std::vector<std::vector<double>> thresholds(source.names.size());
  for (const Tree& tree : source.forest.trees)
    for (std::size_t n = 0; n < tree.feature.size(); ++n)
      thresholds[static_cast<std::size_t>(tree.feature[n])].push_back(tree.threshold[n]);
  base::Rng rng(1);
  data::Table out;
  for (std::size_t f = 0; f < source.names.size(); ++f) {
    data::Column column;
    column.name = source.names[f];
    column.type = data::ColumnType::kFloat;
    for (std::size_t r = 0; r < kRows; ++r) {
      double value = 0;
      if (!thresholds[f].empty()) value = thresholds[f][rng.below(thresholds[f].size())];
      if (rng.uniform() < 0.5)
        value = source.narrow ? double{std::nextafter(static_cast<float>(value), 1e38f)}
                              : std::nextafter(value, 1e300);
      const bool missing = rng.uniform() < 0.1 || !std::isfinite(value);
      column.reals.push_back(missing ? kNan : value);
      column.valid.push_back(missing ? 0 : 1);
    }
    out.columns.push_back(std::move(column));
  }
  return out;
}

double leaf_of(const Forest& forest, const Tree& tree, const data::Table& rows, std::size_t row) {
  int at = tree.feature.empty() ? ~0 : 0;
  while (at >= 0) {
    const auto n = static_cast<std::size_t>(at);
    const data::Column& column = rows.columns[static_cast<std::size_t>(tree.feature[n])];
    const double value = column.is_valid(row) ? column.reals[row] : kNan;
    at = goes_left(tree, n, value, forest.less) ? tree.left[n] : tree.right[n];
  }
  return tree.leaf[static_cast<std::size_t>(~at)];
}

model::Predictions walk(const Source& source, const data::Table& rows) {
  model::Predictions out;
  out.task = task_of(source);
  out.rows = rows.rows();
  out.width = source.forest.width;
  out.scores.assign(out.rows * out.width, 0);
  for (std::size_t r = 0; r < out.rows; ++r)
    for (std::size_t t = 0; t < source.forest.trees.size(); ++t)
      out.scores[r * out.width + source.forest.target(t)] +=
          leaf_of(source.forest, source.forest.trees[t], rows, r);
  for (double& score : out.scores) score = double{static_cast<float>(score)};  // as the graph sums
  if (source.link == Link::kExp)
    for (double& score : out.scores) score = std::exp(score);
  link_scores(out.task, out.width, out.scores);
  return out;
}

base::Status build_graph(const Source& source, ImportedTrees& out) {
  transform::Graph& graph = out.graph;
  std::vector<std::string> columns;
  for (const std::string& name : source.names) {
    if (out.signature.index_of(name) >= 0) return damaged("two features have the name " + name);
    out.signature.inputs.push_back({name, model::InputKind::kNumber, false, Json(0.0)});
    graph.inputs.push_back({name, transform::TensorType::kDouble, {-1, 1}});
    columns.push_back(name);
  }
  std::string features = graph.fresh("features");
  graph.add("Concat", columns, {features}).attributes["axis"] = std::int64_t{1};
  if (source.narrow) {
    const std::string narrow = graph.fresh("narrow"), wide = graph.fresh("wide");
    graph.add("Cast", {features}, {narrow}).attributes["to"] = std::int64_t{1};
    graph.add("Cast", {narrow}, {wide}).attributes["to"] = std::int64_t{11};
    features = wide;
  }
  return append_forest(source.forest, task_of(source), graph, features, source.link == Link::kExp);
}

}  // namespace

bool looks_like_trees(std::string_view head) {
  if (head.substr(0, 5) == "tree\n" || head.substr(0, 6) == "tree\r\n") return true;
  if (head.empty() || head.front() != '{') return false;
  return head.find("learner") != std::string_view::npos ||
         head.find("\"version\"") != std::string_view::npos;
}

base::Result<ImportedTrees> import_trees(std::string_view bytes) {
  Source source;
  if (!looks_like_trees(bytes.substr(0, 4096)))
    return fail(Code::kInvalidArgument,
                "not a model of trees: neither LightGBM's text nor XGBoost's JSON or UBJSON",
                "XGBoost: save_model(\"m.json\") or (\"m.ubj\"); LightGBM: save_model(\"m.txt\")");
  if (bytes.front() == 't') {
    TRY_ASSIGN(source, read_lightgbm(bytes));
  } else if (const auto second = bytes.substr(1).find_first_not_of(" \t\r\n");
             second != std::string_view::npos && bytes[second + 1] == '"') {
    auto document = base::parse_json(bytes);
    if (!document) return damaged(document.error().message);
    TRY_ASSIGN(source, read_xgboost(*document, "XGBoost JSON"));
  } else {
    TRY_ASSIGN(const Json document, parse_ubjson(bytes));
    TRY_ASSIGN(source, read_xgboost(document, "XGBoost UBJSON"));
  }
  TRY(check_forest(source));
  ImportedTrees out;
  out.signature.task = task_of(source);
  if (source.link == Link::kSigmoid) out.signature.classes = {"0", "1"};
  if (source.link == Link::kSoftmax)
    for (std::size_t k = 0; k < source.forest.width; ++k)
      out.signature.classes.push_back(std::to_string(k));
  if (source.link != Link::kSoftmax && source.forest.width > 1)
    return unknown("several outputs that are no classes");
  out.signature.label = "score";
  TRY(build_graph(source, out));
  out.rows = make_rows(source);
  out.expected = walk(source, out.rows);
  out.metadata = Json::object({{"learner", source.format.substr(0, source.format.find(' '))},
                               {"format", source.format},
                               {"objective", source.objective},
                               {"trees", static_cast<std::int64_t>(source.forest.trees.size())},
                               {"features", static_cast<std::int64_t>(source.names.size())}});
  return out;
}

}  // namespace maru::train
