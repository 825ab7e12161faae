#include <algorithm>
#include <atomic>

#include "column_fill.h"
#include "delimited_pieces.h"
#include "maru/base/text.h"
#include "row_groups.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kWindowBytes = 256u << 10;  // with its cells it stays in a core's own cache
constexpr std::size_t kGlimpseRows = 200;
constexpr std::size_t kAllRows = static_cast<std::size_t>(-1);

struct DeadRow {
  std::size_t file = 0, cells = 0;
  std::uint64_t offset = 0;
  std::string text;
};

class DelimitedGroups final : public GroupSource {
 public:
  DelimitedGroups(const std::vector<std::string>& paths, const ImportSpec& spec)
      : spec_(spec), pieces_(paths, spec) {}

  base::Status start() override {
    TRY(pieces_.open());
    if (assumed_.empty()) {
      TRY(guess());
      TRY(pieces_.open());
    }
    kinds_.assign(assumed_.size(), CellKinds());
    spoiled_ = ended_ = false;
    fitted_ = blank_ = 0;
    dead_.clear();
    return {};
  }

  std::vector<StreamColumn> columns() const override {
    std::vector<StreamColumn> out = pieces_.columns();
    for (std::size_t c = 0; c < out.size(); ++c) out[c].type = assumed_[c];
    return out;
  }

  base::Result<bool> next(RowGroup& group) override {
    TextPiece piece;
    for (;;) {
      if (ended_) return false;
      TRY_ASSIGN(const bool more, pieces_.claim(piece, kGroupTextBytes));
      if (!more) return false;
      group.number = piece.number;
      const base::Status read = fill(piece, group);
      if (read) return true;
      if (piece.foreign.empty() || !spec_.encoding.empty()) return tl::unexpected(read.error());
      const std::lock_guard lock(mutex_);  // text in another encoding: all of it is read again
      foreign_file_ = piece.file;
      foreign_ = piece.foreign;
      spoiled_ = ended_ = true;
    }
  }

  bool spoiled() const override { return spoiled_; }
  double fraction() const override { return pieces_.fraction(); }

  base::Result<bool> again() override {
    if (!foreign_.empty()) {
      pieces_.set_encoding(foreign_file_, foreign_);
      foreign_.clear();
      assumed_.clear();
      final_ = false;
      return true;
    }
    if (final_) {
      if (spoiled_)
        return base::fail(Code::kAborted, "the file changed while it was read: " +
                                              base::join(pieces_.paths(), ", "));
      return false;
    }
    std::vector<ColumnType> types;
    for (const auto& kinds : kinds_) types.push_back(kinds.type());
    if (types == assumed_) return false;
    assumed_ = std::move(types);
    return final_ = true;
  }

  std::vector<std::string> notes() const override {
    std::vector<std::string> out;
    for (auto& note : pieces_.notes())
      if (std::find(out.begin(), out.end(), note) == out.end()) out.push_back(std::move(note));
    if (blank_ > 0) out.push_back(std::to_string(blank_) + " empty lines skipped");
    if (fitted_ > 0) out.push_back(std::to_string(fitted_) + " ragged rows cut or filled");
    if (!dead_.empty())
      out.push_back(std::to_string(dead_.size()) + " ragged rows set apart in " + spec_.dataset +
                    "_dead");
    return out;
  }

  Table dead() override {
    std::sort(dead_.begin(), dead_.end(), [](const DeadRow& a, const DeadRow& b) {
      return std::pair(a.file, a.offset) < std::pair(b.file, b.offset);
    });
    Table out;
    for (const char* name : {"file", "line", "reason", "row"}) {
      out.columns.emplace_back();
      out.columns.back().name = name;
      out.columns.back().type =
          std::string_view(name) == "line" ? ColumnType::kInteger : ColumnType::kText;
    }
    TextEncoder files(out.columns[0]), reasons(out.columns[2]), rows(out.columns[3]);
    for (std::size_t i = 0; i < dead_.size();) {
      std::vector<std::uint64_t> offsets;
      const std::size_t file = dead_[i].file, from = i;
      for (; i < dead_.size() && dead_[i].file == file; ++i) offsets.push_back(dead_[i].offset);
      const auto lines = pieces_.lines_of(file, offsets);
      for (std::size_t k = from; k < i; ++k) {
        files.add(pieces_.paths()[file]);
        out.columns[1].integers.push_back(static_cast<std::int64_t>(lines[k - from]));
        reasons.add("the row has " + std::to_string(dead_[k].cells) + " cells, the first row has " +
                    std::to_string(assumed_.size()));
        rows.add(dead_[k].text);
      }
    }
    return out;
  }

 private:
  // Types by the first rows and by what stands elsewhere in the file: only where every row agrees in the end is the first reading used.
  base::Status guess() {
    std::vector<CellKinds> kinds(pieces_.columns().size());
    TextPiece piece;
    CellWindow window;
    TRY_ASSIGN(const bool any, pieces_.claim(piece, kWindowBytes));
    if (any) {
      const auto more = pieces_.split(piece, kWindowBytes, kAllRows, window);
      if (more && *more)
        for (std::size_t c = 0; c < kinds.size(); ++c)
          look(window.column(c), window.rows, kinds[c]);
    }
    for (const auto& row : pieces_.glimpses(kGlimpseRows))
      for (std::size_t c = 0; c < kinds.size(); ++c)
        if (!is_blank(row[c])) kinds[c].restrict(row[c]);
    for (const auto& one : kinds) assumed_.push_back(one.type());
    return {};
  }

  static void look(const std::string_view* cells, std::size_t rows, CellKinds& kinds) {
    for (std::size_t i = 0; i < rows && !kinds.none(); ++i)
      if (!is_blank(cells[i])) kinds.restrict(cells[i]);
  }

  base::Status fill(TextPiece& piece, RowGroup& group) {
    const auto& columns = pieces_.columns();
    std::vector<CellKinds> kinds(columns.size());
    std::vector<std::unique_ptr<ColumnFill>> fills;
    for (std::size_t c = 0; c < columns.size(); ++c)
      fills.push_back(
          std::make_unique<ColumnFill>(columns[c].name, assumed_[c], kinds[c], final_.load()));
    CellWindow window;
    std::uint64_t fitted = 0, blank = 0;
    std::vector<DeadRow> dead;
    for (;;) {
      TRY_ASSIGN(const bool more, pieces_.split(piece, kWindowBytes, kAllRows, window));
      if (!more) break;
      blank += window.blank_lines;
      TRY(sort_out(piece, window, fitted, dead));
      for (std::size_t c = 0; c < fills.size(); ++c) add(window, c, *fills[c]);
    }
    group.rows.columns.clear();
    bool fits = true;
    for (auto& one : fills) {
      fits = fits && one->fits();
      group.rows.columns.push_back(one->take());
    }
    const std::lock_guard lock(mutex_);
    if (!fits) spoiled_ = true;
    for (std::size_t c = 0; c < kinds.size(); ++c) kinds_[c].merge(kinds[c]);
    fitted_ += fitted;
    blank_ += blank;
    std::move(dead.begin(), dead.end(), std::back_inserter(dead_));
    if (dead_.size() > kMaxDeadRows)
      return base::fail(Code::kInvalidArgument,
                        "more than " + std::to_string(kMaxDeadRows) +
                            " ragged rows: " + pieces_.paths()[piece.file],
                        "is the delimiter another one?");
    return {};
  }

  // What becomes of the rows with another number of cells.
  base::Status sort_out(const TextPiece& piece, const CellWindow& window, std::uint64_t& fitted,
                        std::vector<DeadRow>& dead) const {
    if (window.ragged.empty()) return {};
    const RaggedRow& first = window.ragged.front();
    if (spec_.ragged_apart) {
      for (const auto& row : window.ragged) {
        std::string text = piece.text.substr(row.at, row.bytes);
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
        dead.push_back({piece.file, row.cells, piece.offset + row.at, std::move(text)});
      }
    } else if (spec_.reject_ragged) {
      return base::fail(Code::kInvalidArgument,
                        "ragged row: " + pieces_.place_of(piece, first.at) + " has " +
                            std::to_string(first.cells) + " cells, the first row has " +
                            std::to_string(assumed_.size()),
                        "quote cells that hold the delimiter, or fix the row");
    } else {
      fitted += window.ragged.size();
    }
    return {};
  }

  void add(const CellWindow& window, std::size_t c, ColumnFill& fill) const {
    const std::string_view* cells = window.column(c);
    std::size_t at = 0;
    if (spec_.ragged_apart) {
      for (const auto& row : window.ragged) {
        fill.add(cells + at, row.row - at);
        at = row.row + 1;
      }
    }
    fill.add(cells + at, window.rows - at);
  }

  const ImportSpec spec_;
  DelimitedPieces pieces_;
  std::vector<ColumnType> assumed_;
  std::atomic<bool> final_{false};  // the types are those of all rows
  std::mutex mutex_;
  std::vector<CellKinds> kinds_;
  std::atomic<bool> spoiled_{false}, ended_{false};
  std::uint64_t fitted_ = 0, blank_ = 0;
  std::vector<DeadRow> dead_;
  std::size_t foreign_file_ = 0;
  std::string foreign_;
};

}  // namespace

std::unique_ptr<GroupSource> delimited_groups(const std::vector<std::string>& paths,
                                              const ImportSpec& spec) {
  return std::make_unique<DelimitedGroups>(paths, spec);
}

}  // namespace maru::data
