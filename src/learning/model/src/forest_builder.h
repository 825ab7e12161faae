#pragma once
#include <cstdint>
#include <vector>

#include "forest.h"

namespace maru::model {

// A node as the file has it, with children as positions in the same list; made to be `value <= threshold` whatever its mode was.
struct Forest::Split {
  std::int64_t tree = 0, id = 0;
  bool leaf = false, missing_left = false;
  std::uint32_t feature = 0;
  double threshold = 0, value = 0;
  std::int64_t left = -1, right = -1;
  std::int64_t target = -1;
  double cover = 0;  // of a leaf: training rows, where the file tells
};

struct Forest::Builder {
  const transform::Node& node;
  std::size_t features;
  std::vector<Split> splits;
  std::vector<std::vector<std::size_t>> trees;  // positions breadth-first from the root
  std::vector<std::uint32_t> depths;

  base::Status read_splits();
  base::Status read_leaves(std::size_t targets);
  base::Status link();
  base::Status walk(std::size_t root, std::vector<std::uint8_t>& seen);
  std::int64_t position(std::int64_t tree, std::int64_t id) const;
};

}  // namespace maru::model
