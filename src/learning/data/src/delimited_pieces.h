#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "byte_source.h"
#include "delimited.h"
#include "maru/data/row_stream.h"

namespace maru::data {

// Whole rows of one file, as text, and what it takes to split them.
struct TextPiece {
  std::size_t number = 0;    // 0, 1, ... in the order of the rows
  std::size_t file = 0;      // which of the paths
  std::string text;          // rows, then kSlack bytes
  std::size_t bytes = 0;     // of the rows
  std::size_t at = 0;        // the row to be split next
  std::uint64_t offset = 0;  // of the first row in its file's text
  Dialect dialect;
  std::vector<std::size_t> place;  // of each cell among the columns
  bool quotes_inside = false, last = false, checked = false;
  std::string foreign;  // after an error: the encoding that the piece's bytes seem to have
};

struct RaggedRow {
  std::size_t row = 0, cells = 0;  // row of the window; how many cells it has
  std::size_t at = 0, bytes = 0;   // its text within the piece
};

// Some rows of a piece: cells by column, pointing into the piece.
struct CellWindow {
  std::vector<std::string_view> views;
  std::size_t capacity = 0, rows = 0;
  std::vector<RaggedRow> ragged;  // padded or cut
  std::uint64_t blank_lines = 0;
  const std::string_view* column(std::size_t c) const { return views.data() + c * capacity; }
};

struct PieceOptions {
  bool need_rows = true;  // a file without rows is an error
};

// Delimited files, one after the other, in pieces of whole rows. claim() and split() may be called by several threads, each with a piece and a window
// of its own; the pieces do not depend on who claims them. Memory: a piece, plus a row that is cut off.
class DelimitedPieces {
 public:
  DelimitedPieces(std::vector<std::string> paths, ImportSpec spec, PieceOptions options = {});
  base::Status open();
  const std::vector<StreamColumn>& columns() const { return columns_; }
  const std::vector<std::string>& paths() const { return paths_; }
  std::vector<std::string> notes() const;
  // The encoding of one file from now on; open() again then.
  void set_encoding(std::size_t file, std::string encoding);
  base::Result<bool> claim(TextPiece& piece, std::size_t bytes);
  // The next rows of the piece, up to `bytes` of text (and at least one row) or `most` rows; false when the piece has none left.
  base::Result<bool> split(TextPiece& piece, std::size_t bytes, std::size_t most,
                           CellWindow& window) const;
  // "FILE line N", reading the file again.
  std::string place_of(const TextPiece& piece, std::size_t at) const;
  std::vector<std::size_t> lines_of(std::size_t file,
                                    const std::vector<std::uint64_t>& offsets) const;  // rising
  double fraction() const;  // of the files' bytes that were claimed, packed ones by the file
  // Cells of a few places of the plain files, to guess types from: not all are real rows.
  std::vector<std::vector<std::string>> glimpses(std::size_t rows) const;

 private:
  base::Status start_file();
  base::Status place_columns(const std::vector<std::string>& names, const std::string& path);
  base::Result<bool> fill(TextPiece& piece, std::size_t bytes);
  std::size_t last_row_end(TextPiece& piece, std::size_t& open, bool to_the_end) const;
  base::Status check_text(TextPiece& piece) const;
  base::Status check_row(const TextPiece& piece, const CellWindow& window, std::size_t begin,
                         std::size_t end) const;
  std::string place_in(std::size_t file, std::uint64_t offset) const;
  template <bool kQuotes, class Scanner>
  std::size_t row(TextPiece& piece, std::size_t at, Scanner& scanner, CellWindow& window,
                  std::size_t& cells) const;

  const std::vector<std::string> paths_;
  const ImportSpec spec_;
  const PieceOptions options_;
  std::vector<std::string> encodings_;
  std::vector<std::uint64_t> sizes_;
  std::vector<FileMark> marks_;
  std::vector<StreamColumn> columns_;
  std::vector<std::string> notes_;
  mutable std::mutex mutex_;
  std::size_t file_ = 0, next_ = 0;
  std::uint64_t offset_ = 0;
  bool ended_ = false, any_rows_ = false;
  std::unique_ptr<ByteSource> source_;
  std::string carry_;
  Dialect dialect_;
  std::vector<std::size_t> place_;
};

}  // namespace maru::data
