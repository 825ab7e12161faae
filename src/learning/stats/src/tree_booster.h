#pragma once
#include <cstdint>
#include <vector>

namespace maru::stats {

// A column as one byte a row: 0 is missing, numbers are in ascending bins, categories in any order.
struct ByteColumn {
  std::vector<std::uint8_t> bins;
  std::size_t used = 1;  // bins, with 0
  bool category = false;
};

// Boosted trees for two classes: leaf by leaf, 15 leaves, 60 trees, rate 0.1, at least 20 rows a leaf (scikit-learn's histogram booster).
// Categories are split by the order of their gradients. Deterministic.
class BoostedTrees {
 public:
  // `labels` 0/1; learns from `rows` of the columns.
  static BoostedTrees learn(const std::vector<ByteColumn>& columns,
                            const std::vector<std::uint8_t>& labels,
                            const std::vector<std::uint32_t>& rows);
  // The raw score of a row; `swapped` >= 0 reads that column from the row `from` instead.
  double score(const std::vector<ByteColumn>& columns, std::uint32_t row, int swapped = -1,
               std::uint32_t from = 0) const;

  struct Node {
    int column = -1;  // -1: a leaf
    int left = 0, right = 0;
    double value = 0;
    std::vector<std::uint8_t> goes_left;  // by bin
  };

 private:
  std::vector<std::vector<Node>> trees_;
  double start_ = 0;
};

// Area under the ROC curve; ties count half.
double area_under_curve(const std::vector<double>& scores, const std::vector<std::uint8_t>& labels);

}  // namespace maru::stats
