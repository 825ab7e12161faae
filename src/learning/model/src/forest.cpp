#include "forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "forest_builder.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using transform::Tensor;

constexpr std::uint16_t kLeafRank = 65535;  // no rank is greater: a leaf stays where it is
constexpr std::uint16_t kMissingRight = 65535;
constexpr std::size_t kMaxThresholds = 65534;  // of one feature
constexpr std::size_t kMaxFeatures = 32767;

template <class T>
const T* get(const transform::Node& node, const char* name) {
  const auto at = node.attributes.find(name);
  return at == node.attributes.end() ? nullptr : std::get_if<T>(&at->second);
}

std::vector<std::int64_t> ints(const transform::Node& node, const char* name) {
  const auto* found = get<std::vector<std::int64_t>>(node, name);
  return found == nullptr ? std::vector<std::int64_t>() : *found;
}

// Doubles come as a tensor, floats as a list.
std::vector<double> reals(const transform::Node& node, const std::string& name) {
  if (const auto* tensor = get<Tensor>(node, (name + "_as_tensor").c_str())) return tensor->reals;
  const auto* list = get<std::vector<double>>(node, name.c_str());
  return list == nullptr ? std::vector<double>() : *list;
}

tl::unexpected<base::Error> corrupt(const char* what) {
  return fail(Code::kDataLoss, std::string("the trees are not valid: ") + what);
}

}  // namespace

std::int64_t Forest::Builder::position(std::int64_t tree, std::int64_t id) const {
  const auto at = std::lower_bound(
      splits.begin(), splits.end(), std::pair(tree, id),
      [](const Split& s, const auto& key) { return std::pair(s.tree, s.id) < key; });
  return at != splits.end() && at->tree == tree && at->id == id ? at - splits.begin() : -1;
}

Status Forest::Builder::read_splits() {
  const auto tree = ints(node, "nodes_treeids"), id = ints(node, "nodes_nodeids"),
             feature = ints(node, "nodes_featureids");
  const auto yes = ints(node, "nodes_truenodeids"), no = ints(node, "nodes_falsenodeids");
  auto missing_yes = ints(node, "nodes_missing_value_tracks_true");
  const auto value = reals(node, "nodes_values");
  auto cover = reals(node, "nodes_hitrates");
  if (cover.size() != tree.size()) cover.clear();
  const auto* modes = get<std::vector<std::string>>(node, "nodes_modes");
  const std::size_t count = tree.size();
  if (missing_yes.empty()) missing_yes.assign(count, 0);
  if (modes == nullptr || modes->size() != count || id.size() != count || feature.size() != count ||
      yes.size() != count || no.size() != count || value.size() != count ||
      missing_yes.size() != count)
    return corrupt("the lists of nodes differ in length");
  if (count > std::numeric_limits<std::uint32_t>::max() / 2) return corrupt("too many nodes");
  splits.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    Split& s = splits[i];
    const std::string& mode = (*modes)[i];
    s.tree = tree[i];
    s.id = id[i];
    s.leaf = mode == "LEAF";
    if (s.leaf && !cover.empty()) s.cover = cover[i];
    if (s.leaf) continue;
    if (feature[i] < 0 || static_cast<std::size_t>(feature[i]) >= features)
      return corrupt("a feature is out of range");
    if (std::isnan(value[i])) return corrupt("a threshold is not a number");
    const bool less = mode == "BRANCH_LT" || mode == "BRANCH_GTE",
               swapped = mode == "BRANCH_GT" || mode == "BRANCH_GTE";
    if (!less && !swapped && mode != "BRANCH_LEQ")
      return fail(Code::kUnimplemented,
                  "trees with this kind of node run in ONNX Runtime: " + mode);
    s.feature = static_cast<std::uint32_t>(feature[i]);
    // x < t is x <= the next smaller double; x > t is the other side of x <= t.
    s.threshold =
        less ? std::nextafter(value[i], -std::numeric_limits<double>::infinity()) : value[i];
    s.left = swapped ? no[i] : yes[i];
    s.right = swapped ? yes[i] : no[i];
    s.missing_left = (missing_yes[i] != 0) != swapped;
  }
  std::sort(splits.begin(), splits.end(), [](const Split& a, const Split& b) {
    return std::pair(a.tree, a.id) < std::pair(b.tree, b.id);
  });
  for (std::size_t i = 1; i < count; ++i)
    if (splits[i].tree == splits[i - 1].tree && splits[i].id == splits[i - 1].id)
      return corrupt("a node is there twice");
  return {};
}

Status Forest::Builder::read_leaves(std::size_t targets) {
  const auto tree = ints(node, "target_treeids"), id = ints(node, "target_nodeids"),
             target = ints(node, "target_ids");
  const auto weight = reals(node, "target_weights");
  if (id.size() != tree.size() || target.size() != tree.size() || weight.size() != tree.size())
    return corrupt("the lists of leaves differ in length");
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const std::int64_t at = position(tree[i], id[i]);
    if (at < 0 || !splits[static_cast<std::size_t>(at)].leaf)
      return corrupt("a weight belongs to no leaf");
    if (target[i] < 0 || static_cast<std::size_t>(target[i]) >= targets)
      return corrupt("a target is out of range");
    Split& s = splits[static_cast<std::size_t>(at)];
    if (s.target >= 0)
      return fail(Code::kUnimplemented, "trees with several targets a leaf run in ONNX Runtime");
    s.target = target[i];
    s.value = weight[i];
  }
  return {};
}

Status Forest::Builder::walk(std::size_t root, std::vector<std::uint8_t>& seen) {
  std::vector<std::size_t> order{root}, levels{0};
  std::size_t depth = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (seen[order[i]]++ != 0) return corrupt("a node has two parents");
    const Split& s = splits[order[i]];
    if (s.leaf) continue;
    depth = std::max(depth, levels[i] + 1);
    for (const std::int64_t child : {s.left, s.right}) {
      order.push_back(static_cast<std::size_t>(child));
      levels.push_back(levels[i] + 1);
    }
  }
  trees.push_back(std::move(order));
  depths.push_back(static_cast<std::uint32_t>(depth));
  return {};
}

Status Forest::Builder::link() {
  std::vector<std::uint8_t> child(splits.size(), 0), seen(splits.size(), 0);
  for (Split& s : splits) {
    if (s.leaf) continue;
    s.left = position(s.tree, s.left);
    s.right = position(s.tree, s.right);
    if (s.left < 0 || s.right < 0 || s.left == s.right) return corrupt("a child is missing");
    child[static_cast<std::size_t>(s.left)] = child[static_cast<std::size_t>(s.right)] = 1;
  }
  std::int64_t last = 0;
  for (std::size_t i = 0; i < splits.size(); ++i) {
    if (child[i] != 0) continue;
    if (!trees.empty() && splits[i].tree == last) return corrupt("a tree has two roots");
    last = splits[i].tree;
    TRY(walk(i, seen));
  }
  // What no root reaches is a cycle.
  if (std::find(seen.begin(), seen.end(), 0) != seen.end()) return corrupt("nodes in a cycle");
  return {};
}

Result<Forest> Forest::compile(const transform::Node& node, std::size_t features) {
  const auto* aggregate = get<std::string>(node, "aggregate_function");
  const auto* post = get<std::string>(node, "post_transform");
  const auto* targets = get<std::int64_t>(node, "n_targets");
  if ((aggregate != nullptr && *aggregate != "SUM") || (post != nullptr && *post != "NONE"))
    return fail(Code::kUnimplemented, "trees that do more than sum run in ONNX Runtime");
  if (targets == nullptr || *targets < 1 || *targets > 100'000)
    return corrupt("the number of targets");
  if (features > kMaxFeatures)
    return fail(Code::kUnimplemented,
                "trees on so many features run in ONNX Runtime: " + std::to_string(features));
  Builder builder{node, features, {}, {}, {}};
  TRY(builder.read_splits());
  TRY(builder.read_leaves(static_cast<std::size_t>(*targets)));
  TRY(builder.link());

  Forest out;
  out.slots_ = features * 2;
  out.base_.assign(static_cast<std::size_t>(*targets), 0.0);
  if (const auto base_values = reals(node, "base_values"); !base_values.empty()) {
    if (base_values.size() != out.base_.size()) return corrupt("the base values");
    out.base_ = base_values;
  }
  TRY(out.lay_out(builder));
  out.keep_covers(builder);
  return out;
}

Status Forest::lay_out(const Builder& builder) {
  std::vector<std::vector<double>> by_feature(builder.features);
  for (const Split& s : builder.splits)
    if (!s.leaf) by_feature[s.feature].push_back(s.threshold);
  for (std::size_t f = 0; f < by_feature.size(); ++f) {
    auto& list = by_feature[f];
    if (list.empty()) continue;
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    if (list.size() > kMaxThresholds)
      return fail(Code::kUnimplemented, "trees with so many thresholds run in ONNX Runtime: " +
                                            std::to_string(list.size()));
    used_.push_back({static_cast<std::uint32_t>(f), static_cast<std::uint32_t>(thresholds_.size()),
                     static_cast<std::uint32_t>(list.size())});
    thresholds_.insert(thresholds_.end(), list.begin(), list.end());
  }

  // Node 0 is a leaf of nothing: it fills up the last group.
  nodes_.reserve(builder.splits.size() + 1);
  leaf_values_.reserve(builder.splits.size() + 1);
  nodes_.push_back({0, kLeafRank, 0});
  leaf_values_.push_back(0.0);
  std::vector<std::uint32_t> roots;
  std::vector<std::uint32_t> place(builder.splits.size(), 0);
  for (const std::vector<std::size_t>& tree : builder.trees) {
    auto next = static_cast<std::uint32_t>(nodes_.size());
    roots.push_back(next);
    place[tree.front()] = next++;
    std::int64_t target = -1;
    for (const std::size_t at : tree) {
      const Split& s = builder.splits[at];
      if (s.leaf) {
        nodes_.push_back({0, kLeafRank, place[at]});
        leaf_values_.push_back(s.value);
        if (s.target < 0) continue;
        if (target >= 0 && target != s.target)
          return fail(Code::kUnimplemented,
                      "trees with several targets a tree run in ONNX Runtime");
        target = s.target;
        continue;
      }
      // Breadth-first: the children's places follow in the order in which their parents come.
      place[static_cast<std::size_t>(s.left)] = next;
      place[static_cast<std::size_t>(s.right)] = next + 1;
      const auto& list = by_feature[s.feature];
      const auto rank = std::lower_bound(list.begin(), list.end(), s.threshold) - list.begin();
      nodes_.push_back({static_cast<std::uint16_t>(s.feature * 2 + (s.missing_left ? 0 : 1)),
                        static_cast<std::uint16_t>(rank), next});
      leaf_values_.push_back(0.0);
      next += 2;
    }
    tree_targets_.push_back(static_cast<std::uint32_t>(std::max<std::int64_t>(target, 0)));
  }

  fill_masks(builder, by_feature);
  order_.resize(roots.size());
  std::iota(order_.begin(), order_.end(), 0u);
  std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return builder.depths[a] < builder.depths[b];
  });
  for (std::size_t i = 0; i < order_.size(); i += 8) {
    Group group{};
    for (std::size_t lane = 0; lane < 8 && i + lane < order_.size(); ++lane) {
      group.roots[lane] = roots[order_[i + lane]];
      group.depth = std::max(group.depth, builder.depths[order_[i + lane]]);
    }
    groups_.push_back(group);
  }
  return {};
}

void Forest::fill_masks(const Builder& builder,
                        const std::vector<std::vector<double>>& thresholds) {
  std::vector<ForestMasks::Node> nodes;
  std::vector<std::vector<double>> leaves(builder.trees.size());
  for (std::size_t t = 0; t < builder.trees.size(); ++t) {
    if (builder.trees[t].size() > 2 * 64) return;  // over 64 leaves
    // Depth first, left before right; a node is met again when its left subtree is done.
    struct Step {
      std::size_t at;
      std::size_t first_leaf;
      bool done;
    };
    std::vector<Step> stack{{builder.trees[t].front(), 0, false}};
    while (!stack.empty()) {
      const Step step = stack.back();
      stack.pop_back();
      const Split& s = builder.splits[step.at];
      if (s.leaf) {
        leaves[t].push_back(s.value);
        continue;
      }
      const std::size_t next = leaves[t].size();
      if (!step.done) {
        stack.push_back({step.at, next, true});
        stack.push_back({static_cast<std::size_t>(s.left), 0, false});
        continue;
      }
      if (next > 64) return;
      const auto& list = thresholds[s.feature];
      const auto rank = std::lower_bound(list.begin(), list.end(), s.threshold) - list.begin();
      const std::uint64_t below = next >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << next) - 1;
      nodes.push_back({static_cast<std::uint16_t>(s.feature * 2 + (s.missing_left ? 0 : 1)),
                       static_cast<std::uint16_t>(rank), static_cast<std::uint32_t>(t),
                       below & ~((std::uint64_t{1} << step.first_leaf) - 1)});
      stack.push_back({static_cast<std::size_t>(s.right), 0, false});
    }
  }
  masks_.fill(std::move(nodes), leaves, tree_targets_, slots_);
}

std::size_t Forest::bytes() const {
  return masks_.bytes() + nodes_.capacity() * sizeof(Node) +
         leaf_values_.capacity() * sizeof(double) + groups_.capacity() * sizeof(Group) +
         (order_.capacity() + tree_targets_.capacity()) * sizeof(std::uint32_t) +
         (base_.capacity() + thresholds_.capacity() + expected_.capacity()) * sizeof(double) +
         covers_.capacity() * sizeof(float) + used_.capacity() * sizeof(Thresholds);
}

void Forest::rank_features(const double* features, std::uint16_t* ranks) const {
  for (const Thresholds& t : used_) {
    const double x = features[t.feature];
    const double* at = thresholds_.data() + t.from;
    const double* const begin = at;
    for (std::uint32_t n = t.count; n > 1;) {
      const std::uint32_t half = n / 2;
      at += at[half - 1] < x ? half : 0;
      n -= half;
    }
    const auto below = static_cast<std::uint16_t>(
        at - begin + (*at < x ? 1 : 0));  // thresholds smaller than x; 0 for NaN
    ranks[t.feature * 2] = below;
    ranks[t.feature * 2 + 1] = std::isnan(x) ? kMissingRight : below;
  }
}

void Forest::evaluate(const double* features, double* out, Scratch& scratch) const {
  if (scratch.ranks.size() < slots_ + 1) scratch.ranks.resize(slots_ + 1);
  if (scratch.leaves.size() < order_.size() + 8) scratch.leaves.resize(order_.size() + 8);
  std::uint16_t* const ranks = scratch.ranks.data();
  rank_features(features, ranks);
  const Node* const nodes = nodes_.data();
  std::size_t at = 0;
  for (const Group& group : groups_) {
    std::uint32_t i[8];
#pragma GCC unroll 8
    for (int lane = 0; lane < 8; ++lane) i[lane] = group.roots[lane];
    for (std::uint32_t step = 0; step < group.depth; ++step) {
#pragma GCC unroll 8
      for (int lane = 0; lane < 8; ++lane) {
        const Node node = nodes[i[lane]];
        i[lane] = node.child + (ranks[node.slot] > node.rank ? 1u : 0u);
      }
    }
    const std::size_t lanes = std::min<std::size_t>(8, order_.size() - at);
    for (std::size_t lane = 0; lane < lanes; ++lane, ++at)
      scratch.leaves[order_[at]] = leaf_values_[i[lane]];
  }
  const std::size_t targets = base_.size();
  if (targets == 1) {
    double sum = 0;
    for (std::size_t t = 0; t < order_.size(); ++t) sum += scratch.leaves[t];
    out[0] = static_cast<double>(static_cast<float>(sum + base_[0]));
    return;
  }
  std::fill(out, out + targets, 0.0);
  for (std::size_t t = 0; t < order_.size(); ++t) out[tree_targets_[t]] += scratch.leaves[t];
  for (std::size_t k = 0; k < targets; ++k)
    out[k] = static_cast<double>(static_cast<float>(out[k] + base_[k]));
}

void Forest::evaluate_rows(const double* features, std::size_t row, std::size_t rows, double* out,
                           std::size_t out_row, Scratch& scratch) const {
  std::size_t at = 0;
  const std::size_t lanes = masks_.lanes(), targets = base_.size();
  if (!masks_.empty() && rows >= lanes / 2) {
    auto& ranks = scratch.masks.ranks;
    if (scratch.ranks.size() < slots_ + 1) scratch.ranks.resize(slots_ + 1);
    if (ranks.size() < slots_ * lanes) ranks.resize(slots_ * lanes);
    // A rest of less than half the lanes is walked row by row.
    for (; rows - at >= lanes / 2; at += std::min(lanes, rows - at)) {
      const std::size_t count = std::min(lanes, rows - at);
      if (count < lanes) std::fill(ranks.begin(), ranks.end(), std::uint16_t{0});
      for (std::size_t lane = 0; lane < count; ++lane) {
        rank_features(features + (at + lane) * row, scratch.ranks.data());
        for (const Thresholds& t : used_)
          for (const std::size_t slot : {t.feature * 2, t.feature * 2 + 1})
            ranks[slot * lanes + lane] = scratch.ranks[slot];
      }
      masks_.sum(ranks.data(), targets, scratch.masks);
      for (std::size_t lane = 0; lane < count; ++lane)
        for (std::size_t k = 0; k < targets; ++k)
          out[(at + lane) * out_row + k] = static_cast<double>(
              static_cast<float>(scratch.masks.sums[k * lanes + lane] + base_[k]));
    }
  }
  for (; at < rows; ++at) evaluate(features + at * row, out + at * out_row, scratch);
}

}  // namespace maru::model
