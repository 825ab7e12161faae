#include "forest_masks.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace maru::model {
namespace {

constexpr std::size_t kVectorBytes = 64;
constexpr std::size_t kMostLeaves = 64, kMostNarrow = 32;

// What a kernel walks; vectors of one cache line, whatever the machine makes of them.
struct Walk {
  const std::uint16_t* node_ranks;
  const std::uint32_t* node_trees;
  std::uint32_t from, to;
  const std::uint16_t* lane_ranks;
};

template <class Mask, class Signed>
[[gnu::always_inline]] inline void walk(const Walk& w, const Mask* kept, std::uint64_t* all) {
  typedef Signed Lanes __attribute__((vector_size(kVectorBytes)));
  constexpr std::size_t kLanes = kVectorBytes / sizeof(Mask);
  Lanes ranks;
  std::uint16_t most = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    ranks[lane] = w.lane_ranks[lane];
    most = std::max(most, w.lane_ranks[lane]);
  }
  char* const bits = reinterpret_cast<char*>(all);
  for (std::uint32_t n = w.from; n < w.to && w.node_ranks[n] < most; ++n) {
    char* const at = bits + std::size_t{w.node_trees[n]} * kVectorBytes;
    Lanes now;
    std::memcpy(&now, at, sizeof now);
    const Lanes right = ranks > static_cast<Signed>(w.node_ranks[n]);  // all ones, or none
    now &= static_cast<Signed>(kept[n]) | ~right;
    std::memcpy(at, &now, sizeof now);
  }
}

void walk_narrow(const Walk& w, const std::uint32_t* kept, std::uint64_t* bits) {
  walk<std::uint32_t, std::int32_t>(w, kept, bits);
}
void walk_wide(const Walk& w, const std::uint64_t* kept, std::uint64_t* bits) {
  walk<std::uint64_t, std::int64_t>(w, kept, bits);
}

struct Kernels {
  void (*narrow)(const Walk&, const std::uint32_t*, std::uint64_t*);
  void (*wide)(const Walk&, const std::uint64_t*, std::uint64_t*);
};

#if defined(__x86_64__)
[[gnu::target("avx2")]] void narrow_avx2(const Walk& w, const std::uint32_t* kept,
                                         std::uint64_t* bits) {
  walk<std::uint32_t, std::int32_t>(w, kept, bits);
}
[[gnu::target("avx2")]] void wide_avx2(const Walk& w, const std::uint64_t* kept,
                                       std::uint64_t* bits) {
  walk<std::uint64_t, std::int64_t>(w, kept, bits);
}
[[gnu::target("avx512f")]] void narrow_avx512(const Walk& w, const std::uint32_t* kept,
                                              std::uint64_t* bits) {
  walk<std::uint32_t, std::int32_t>(w, kept, bits);
}
[[gnu::target("avx512f")]] void wide_avx512(const Walk& w, const std::uint64_t* kept,
                                            std::uint64_t* bits) {
  walk<std::uint64_t, std::int64_t>(w, kept, bits);
}
#endif

// The widest that this machine has: whole numbers, so all give the same bits.
const Kernels& kernels() {
  static const Kernels chosen = [] {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return Kernels{narrow_avx512, wide_avx512};
    if (__builtin_cpu_supports("avx2")) return Kernels{narrow_avx2, wide_avx2};
#endif
    return Kernels{walk_narrow, walk_wide};
  }();
  return chosen;
}

}  // namespace

void ForestMasks::fill(std::vector<Node> nodes, const std::vector<std::vector<double>>& leaves,
                       const std::vector<std::uint32_t>& targets, std::size_t slots) {
  std::size_t most = 0;
  for (const auto& tree : leaves) most = std::max(most, tree.size());
  if (most > kMostLeaves) return;
  narrow_ = most <= kMostNarrow;
  std::stable_sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) {
    return std::pair(a.slot, a.rank) < std::pair(b.slot, b.rank);
  });
  for (std::uint32_t n = 0; n < nodes.size(); ++n) {
    const Node& node = nodes[n];
    if (node.slot >= slots) return;
    if (runs_.empty() || runs_.back().slot != node.slot) runs_.push_back({node.slot, n, n});
    runs_.back().to = n + 1;
    ranks_.push_back(node.rank);
    trees_.push_back(node.tree);
    if (narrow_)
      kept_narrow_.push_back(static_cast<std::uint32_t>(~node.left));
    else
      kept_.push_back(~node.left);
  }
  targets_ = targets;
  for (const auto& tree : leaves) {
    tree_leaves_.push_back(static_cast<std::uint32_t>(leaves_.size()));
    leaves_.insert(leaves_.end(), tree.begin(), tree.end());
  }
}

void ForestMasks::sum(const std::uint16_t* ranks, std::size_t targets, Scratch& scratch) const {
  const std::size_t width = lanes(), trees = tree_leaves_.size();
  scratch.bits.assign(trees * (kVectorBytes / 8), ~std::uint64_t{0});
  for (const Run& run : runs_) {
    const Walk w{ranks_.data(), trees_.data(), run.from, run.to, ranks + run.slot * width};
    if (narrow_)
      kernels().narrow(w, kept_narrow_.data(), scratch.bits.data());
    else
      kernels().wide(w, kept_.data(), scratch.bits.data());
  }
  scratch.sums.assign(targets * width, 0.0);
  const char* bits = reinterpret_cast<const char*>(scratch.bits.data());
  for (std::size_t t = 0; t < trees; ++t, bits += kVectorBytes) {
    double* const out = scratch.sums.data() + (targets == 1 ? 0 : targets_[t] * width);
    const double* const values = leaves_.data() + tree_leaves_[t];
    if (narrow_) {
      std::uint32_t left[16];
      std::memcpy(left, bits, sizeof left);
      for (std::size_t lane = 0; lane < 16; ++lane)
        out[lane] += values[std::countr_zero(left[lane])];
    } else {
      std::uint64_t left[8];
      std::memcpy(left, bits, sizeof left);
      for (std::size_t lane = 0; lane < 8; ++lane)
        out[lane] += values[std::countr_zero(left[lane])];
    }
  }
}

std::size_t ForestMasks::bytes() const {
  return runs_.capacity() * sizeof(Run) + ranks_.capacity() * 2 +
         (trees_.capacity() + kept_narrow_.capacity() + tree_leaves_.capacity() +
          targets_.capacity()) *
             4 +
         (kept_.capacity() + leaves_.capacity()) * 8;
}

}  // namespace maru::model
