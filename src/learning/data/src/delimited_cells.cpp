#include <algorithm>

#include "cell_storage.h"
#include "delimited_pieces.h"

namespace maru::data {

namespace {

constexpr std::size_t kBlockBytes = 256u << 10;  // with its cells it stays in a core's own cache
constexpr std::size_t kRaggedShown = 5;
constexpr std::size_t kAllRows = static_cast<std::size_t>(-1);

class DelimitedCells final : public CellStream {
 public:
  DelimitedCells(const std::vector<std::string>& paths, const ImportSpec& spec)
      : pieces_(paths, spec) {}

  base::Status open() { return pieces_.open(); }
  const std::vector<StreamColumn>& columns() const override { return pieces_.columns(); }
  bool raw() const override { return true; }
  std::vector<std::string> notes() const override { return pieces_.notes(); }

  base::Result<bool> next(CellBlock& block) override {
    if (!block.storage) block.storage = std::make_unique<CellBlock::Storage>();
    TextPiece& piece = block.storage->piece;
    CellWindow& window = block.storage->window;
    TRY_ASSIGN(const bool more, pieces_.claim(piece, kBlockBytes));
    if (!more) return false;
    TRY(pieces_.split(piece, piece.bytes, kAllRows, window));
    block.number = piece.number;
    block.rows = window.rows;
    block.ragged = window.ragged.size();
    block.ragged_rows.clear();
    for (std::size_t i = 0; i < std::min(kRaggedShown, window.ragged.size()); ++i)
      block.ragged_rows.push_back(window.ragged[i].row);
    block.columns.assign(columns().size(), {});
    for (std::size_t c = 0; c < block.columns.size(); ++c)
      block.columns[c].texts = window.column(c);
    return true;
  }

 private:
  DelimitedPieces pieces_;
};

}  // namespace

base::Result<std::unique_ptr<CellStream>> open_delimited_cells(
    const std::vector<std::string>& paths, const ImportSpec& spec) {
  auto out = std::make_unique<DelimitedCells>(paths, spec);
  TRY(out->open());
  return out;
}

}  // namespace maru::data
