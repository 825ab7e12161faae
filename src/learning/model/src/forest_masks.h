#pragma once
#include <cstdint>
#include <vector>

namespace maru::model {

// Trees of at most 64 leaves for many rows at once. Each leaf of a tree is a bit, from left to right; a node whose test sends a row to the right takes the bits of
// its left subtree away; the lowest bit that stays is the row's leaf (QuickScorer: Lucchese and others, SIGIR 2015; by lanes: SIGIR 2016). Nodes stand by slot
// and ascending rank, so a slot's walk ends where no row of the lanes goes right any more. The sums are Forest's, to the bit. Immutable once filled.
class ForestMasks {
 public:
  struct Node {
    std::uint16_t slot, rank;
    std::uint32_t tree;
    std::uint64_t left;  // the leaves of its left subtree
  };
  struct Scratch {
    std::vector<std::uint16_t> ranks;  // of the lanes, as Forest ranks one row
    std::vector<std::uint64_t> bits;
    std::vector<double> sums;
  };
  // `leaves`: values by tree, from left to right. Too many leaves in a tree: it stays empty.
  void fill(std::vector<Node> nodes, const std::vector<std::vector<double>>& leaves,
            const std::vector<std::uint32_t>& targets, std::size_t slots);
  bool empty() const { return tree_leaves_.empty(); }
  std::size_t lanes() const { return narrow_ ? 16 : 8; }
  // `ranks`: of lanes() rows, [slot][lane]. Sums in double in the order of the trees, [target][lane].
  void sum(const std::uint16_t* ranks, std::size_t targets, Scratch& scratch) const;
  std::size_t bytes() const;

 private:
  bool narrow_ = true;  // no tree has more than 32 leaves
  struct Run {
    std::uint32_t slot, from, to;
  };
  std::vector<Run> runs_;  // the slots that have nodes
  std::vector<std::uint16_t> ranks_;
  std::vector<std::uint32_t> trees_;
  std::vector<std::uint64_t> kept_;         // masks: all but the left subtree's leaves
  std::vector<std::uint32_t> kept_narrow_;  // the same in 32 bits
  std::vector<std::uint32_t> tree_leaves_;  // where a tree's leaves begin
  std::vector<std::uint32_t> targets_;
  std::vector<double> leaves_;
};

}  // namespace maru::model
