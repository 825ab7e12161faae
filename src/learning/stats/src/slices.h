#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "maru/data/table.h"

namespace maru::stats {

// Rows drawn by a hash of their number, in order: at most about `most`.
std::vector<std::uint32_t> drawn_rows(std::size_t rows, std::size_t most);

// A column cut into groups: the group of every drawn row, -1 where it has none.
struct Grouping {
  std::string column;
  std::vector<std::string> names;
  std::vector<int> before, after;
};

// Both tables cut by every column that has few enough values. Looked at once, asked for every drifting column.
class Slices {
 public:
  Slices(const data::Table& before, const data::Table& after);
  const std::vector<std::uint32_t>& old_rows() const { return old_rows_; }
  const std::vector<std::uint32_t>& new_rows() const { return new_rows_; }
  const std::vector<Grouping>& groupings() const { return groupings_; }
  const Grouping* find(const std::string& column) const;

 private:
  std::vector<std::uint32_t> old_rows_, new_rows_;
  std::vector<Grouping> groupings_;
};

// A group without which most of a change is gone.
struct GroupFound {
  const Grouping* grouping = nullptr;
  int group = -1;
  double explained = 0;          // share of the change that is gone without it
  double score = 0;              // that, times how far the group itself changed
  double before = 0, after = 0;  // of flags: their share inside, old and new
  std::string where() const;     // "company: Top Cab"
};

// Of flags a drawn row (missing, a word, one value): by the difference of their shares.
GroupFound find_flagged(const Slices& slices, const std::string& column,
                        const std::vector<std::uint8_t>& before,
                        const std::vector<std::uint8_t>& after);
// Of numbers (NaN: none): by Wasserstein's distance in deviations of the reference.
GroupFound find_moved(const Slices& slices, const std::string& column,
                      const std::vector<double>& before, const std::vector<double>& after);
// Of codes below `codes` (-1: none): by total variation.
GroupFound find_recoded(const Slices& slices, const std::string& column,
                        const std::vector<int>& before, const std::vector<int>& after,
                        std::size_t codes);

}  // namespace maru::stats
