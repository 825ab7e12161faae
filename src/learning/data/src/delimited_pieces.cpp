#include "delimited_pieces.h"

#include <algorithm>
#include <fstream>
#include <unordered_map>

#include "encoding.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "row_reader.h"
#include "stop_scanner.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kSlack = 64;  // what a scanner may read behind the end
constexpr std::size_t kNoQuote = static_cast<std::size_t>(-1);

// One behind the last row end in [from, to); 0 when there is none.
std::size_t end_within(const std::string& text, std::size_t from, std::size_t to) {
  for (std::size_t i = to; i > from; --i) {
    const char c = text[i - 1];
    if (c == '\n') return i;
    if (c == '\r' && i < text.size() && text[i] != '\n') return i;  // an old Mac's line end
  }
  return 0;
}

// The stretches of a text outside of quotes.
class PlainStretches {
 public:
  void add(std::size_t from, std::size_t to) {
    if (from < to)
      kept_.emplace_back(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to));
  }
  std::size_t last_end(const std::string& text) const {
    for (auto it = kept_.rbegin(); it != kept_.rend(); ++it)
      if (const std::size_t end = end_within(text, it->first, it->second)) return end;
    return 0;
  }

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> kept_;
};

std::string_view unquote(char* data, std::size_t size, std::size_t at, std::size_t& stop,
                         StopScanner& scanner) {
  const std::size_t begin = ++at;
  char* to = data + begin;
  while (at < size) {
    const char c = data[at++];
    if (c == '"') {
      if (at >= size || data[at] != '"') break;
      ++at;
    }
    *to++ = c;
  }
  // The scanner may hold stops of before; only bytes ahead of `at` are asked for.
  stop = scanner.next(at);
  while (at < stop) *to++ = data[at++];
  return {data + begin, static_cast<std::size_t>(to - (data + begin))};
}

void grow(CellWindow& window, std::size_t width) {
  std::vector<std::string_view> wider(window.capacity * 2 * width);
  for (std::size_t c = 0; c < width; ++c)
    std::copy_n(window.views.begin() + static_cast<std::ptrdiff_t>(c * window.capacity),
                window.rows, wider.begin() + static_cast<std::ptrdiff_t>(c * window.capacity * 2));
  window.views = std::move(wider);
  window.capacity *= 2;
}

}  // namespace

DelimitedPieces::DelimitedPieces(std::vector<std::string> paths, ImportSpec spec,
                                 PieceOptions options)
    : paths_(std::move(paths)),
      spec_(std::move(spec)),
      options_(options),
      encodings_(paths_.size(), spec_.encoding) {}

void DelimitedPieces::set_encoding(std::size_t file, std::string encoding) {
  encodings_[file] = std::move(encoding);
}

std::vector<std::string> DelimitedPieces::notes() const {
  const std::lock_guard lock(mutex_);
  return notes_;
}

double DelimitedPieces::fraction() const {
  const std::lock_guard lock(mutex_);
  double done = 0, all = 0;
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    const auto bytes = static_cast<double>(sizes_[i]);
    all += bytes;
    if (i < file_)
      done += bytes;
    else if (i == file_)
      done += std::min(bytes, static_cast<double>(offset_));
  }
  return all == 0 ? 1 : done / all;
}

base::Status DelimitedPieces::open() {
  const std::lock_guard lock(mutex_);
  file_ = next_ = 0;
  columns_.clear();
  notes_.clear();
  sizes_.clear();
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    TRY_ASSIGN(const FileMark mark, file_mark(paths_[i]));
    sizes_.push_back(mark.bytes);
    if (marks_.size() <= i) marks_.push_back(mark);
    if (!(marks_[i] == mark))
      return base::fail(Code::kAborted, "the file changed while it was read: " + paths_[i],
                        "copy it to a place where nothing writes, then import the copy");
  }
  return start_file();
}

base::Status DelimitedPieces::start_file() {
  const std::string& path = paths_[file_];
  std::string note;
  TRY_ASSIGN(source_, ByteSource::open_text(path, encodings_[file_], note));
  if (!note.empty()) notes_.push_back(note);
  const std::string_view head = source_->head();
  if (base::trim(head).empty())
    return base::fail(Code::kInvalidArgument, "the file is empty: " + path,
                      "a table needs a header and at least one row");
  TRY_ASSIGN(const HeadOfText first, read_head(head, path, spec_, notes_));
  dialect_ = first.dialect;
  carry_.clear();
  ended_ = any_rows_ = false;
  std::string skipped(first.bytes, '\0');
  TRY(source_->read(skipped.data(), skipped.size()));
  offset_ = first.bytes;
  return place_columns(first.names, path);
}

base::Status DelimitedPieces::place_columns(const std::vector<std::string>& names,
                                            const std::string& path) {
  if (columns_.empty())
    for (const auto& name : names) columns_.push_back({name, ColumnType::kText});
  std::vector<std::string> known;
  for (const auto& column : columns_) known.push_back(column.name);
  TRY(same_names(known, names, path));
  std::unordered_map<std::string, std::size_t> at;
  for (std::size_t c = 0; c < known.size(); ++c) at.emplace(known[c], c);
  place_.clear();
  for (const auto& name : names) place_.push_back(at.at(name));
  return {};
}

std::string DelimitedPieces::place_in(std::size_t file, std::uint64_t offset) const {
  const std::size_t line = lines_at(paths_[file], encodings_[file], {offset}).front();
  return paths_[file] + (line == 0 ? std::string() : " line " + std::to_string(line));
}

std::vector<std::size_t> DelimitedPieces::lines_of(
    std::size_t file, const std::vector<std::uint64_t>& offsets) const {
  return lines_at(paths_[file], encodings_[file], offsets);
}

std::string DelimitedPieces::place_of(const TextPiece& piece, std::size_t at) const {
  return place_in(piece.file, piece.offset + at);
}

base::Result<bool> DelimitedPieces::claim(TextPiece& piece, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  for (;;) {
    if (file_ >= paths_.size()) return false;
    TRY_ASSIGN(const bool any, fill(piece, bytes));
    if (any) break;
    if (!any_rows_ && options_.need_rows)
      return base::fail(Code::kInvalidArgument, "a header but no rows: " + paths_[file_],
                        "a table needs at least one row");
    if (++file_ < paths_.size()) TRY(start_file());
  }
  piece.number = next_++;
  piece.file = file_;
  piece.dialect = dialect_;
  piece.place = place_;
  piece.at = 0;
  piece.checked = false;
  piece.foreign.clear();
  return true;
}

base::Result<bool> DelimitedPieces::fill(TextPiece& piece, std::size_t bytes) {
  std::string& text = piece.text;
  text.assign(carry_);
  carry_.clear();
  for (std::size_t want = bytes;;) {
    if (!ended_) {
      const std::size_t had = text.size();
      text.resize(had + want);
      TRY_ASSIGN(const std::size_t got, source_->read(text.data() + had, want));
      text.resize(had + got);
      ended_ = got < want;
    }
    if (text.empty()) return false;
    std::size_t open = kNoQuote;
    const std::size_t end = last_row_end(piece, open, ended_);
    if (ended_ && open != kNoQuote)
      return base::fail(Code::kInvalidArgument,
                        "a quote is never closed: " + place_in(file_, offset_ + open),
                        "double a quote that is part of the text");
    if (ended_ || end > 0) {
      piece.bytes = ended_ ? text.size() : end;
      piece.last = ended_;
      piece.offset = offset_;
      offset_ += piece.bytes;
      carry_.assign(text, piece.bytes, std::string::npos);
      text.resize(piece.bytes);
      // Of one column, an empty line is a row without a value.
      any_rows_ = any_rows_ || columns_.size() == 1 ||
                  text.find_first_not_of(" \t\r\n") != std::string::npos;
      text.append(kSlack, '\0');
      return true;
    }
    if (text.size() > kMaxRowBytes)
      return base::fail(
          Code::kTooLarge,
          open == kNoQuote
              ? "a row over " + base::format_bytes(kMaxRowBytes) + ": " + place_in(file_, offset_)
              : "a quote is not closed within " + base::format_bytes(kMaxRowBytes) + ": " +
                    place_in(file_, offset_ + open),
          "is a line break or a closing quote missing?");
    // A row that is longer than a piece: no more than it takes to know that it is too long.
    want = std::min(std::max(text.size(), bytes), kMaxRowBytes + 1 - text.size());
  }
}

// One behind the last row end outside of quotes; `open`: where the quote stands that the end of the text is in.
std::size_t DelimitedPieces::last_row_end(TextPiece& piece, std::size_t& open,
                                          bool to_the_end) const {
  const std::string& text = piece.text;
  const char delimiter = dialect_.delimiter;
  PlainStretches plain;
  std::size_t from = 0;
  piece.quotes_inside = false;
  while (dialect_.quotes) {
    const std::size_t quote = text.find('"', from);
    if (quote == std::string::npos) break;
    plain.add(from, quote);
    piece.quotes_inside = true;
    const char before = quote == 0 ? '\n' : text[quote - 1];
    from = quote + 1;
    if (before != delimiter && before != '\n' && before != '\r') continue;
    for (;;) {
      const std::size_t close = text.find('"', from);
      if (close == std::string::npos) {
        open = quote;
        return to_the_end ? 0 : plain.last_end(text);
      }
      from = close + 1;
      if (from < text.size() && text[from] == '"') {
        ++from;
        continue;
      }
      break;
    }
  }
  if (to_the_end) return 0;
  plain.add(from, text.size());
  return plain.last_end(text);
}

base::Status DelimitedPieces::check_text(TextPiece& piece) const {
  const std::string_view text(piece.text.data(), piece.bytes);
  piece.checked = true;
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return base::fail(Code::kInvalidArgument, "a NUL byte in a text file: " + place_of(piece, nul),
                      "the file is binary or damaged; export it again as UTF-8");
  if (is_utf8(text)) return {};
  std::string note;
  const std::size_t line =
      lines_at(paths_[piece.file], encodings_[piece.file], {piece.offset}).front();
  auto found = find_encoding(text, true, paths_[piece.file], line, note);
  if (!found) return tl::unexpected(found.error());
  piece.foreign = *found;
  return base::fail(Code::kInvalidArgument,
                    "a byte that is not UTF-8 far inside a text: " + paths_[piece.file],
                    "it reads as " + *found + ": --encoding " + *found);
}

base::Status DelimitedPieces::check_row(const TextPiece& piece, const CellWindow& window,
                                        std::size_t begin, std::size_t end) const {
  if (end - begin <= kMaxFieldBytes) return {};
  for (std::size_t c = 0; c < columns_.size(); ++c)
    if (window.column(c)[window.rows].size() > kMaxFieldBytes)
      return base::fail(
          Code::kTooLarge,
          "a field over " + base::format_bytes(kMaxFieldBytes) + ": " + place_of(piece, begin),
          "is a closing quote missing?");
  if (end - begin > kMaxRowBytes)
    return base::fail(
        Code::kTooLarge,
        "a row over " + base::format_bytes(kMaxRowBytes) + ": " + place_of(piece, begin),
        "is a line break or a closing quote missing?");
  return {};
}

base::Result<bool> DelimitedPieces::split(TextPiece& piece, std::size_t bytes, std::size_t most,
                                          CellWindow& window) const {
  if (!piece.checked) TRY(check_text(piece));
  if (piece.at >= piece.bytes) return false;
  const std::size_t width = columns_.size();
  window.capacity = std::max<std::size_t>(window.views.size() / width, 256);
  window.views.resize(window.capacity * width);
  window.rows = 0;
  window.ragged.clear();
  window.blank_lines = 0;
  StopScanner scanner(piece.text.data(), piece.bytes, piece.dialect.delimiter);
  const std::size_t stop = std::min(piece.bytes, piece.at + bytes);
  while (piece.at < stop && window.rows < most) {
    if (window.rows == window.capacity) grow(window, width);
    std::size_t cells = 0;
    const std::size_t begin = piece.at;
    piece.at = piece.quotes_inside ? row<true>(piece, begin, scanner, window, cells)
                                   : row<false>(piece, begin, scanner, window, cells);
    if (cells == 1 && (width > 1 || (piece.last && piece.at == piece.bytes)) &&
        is_blank(window.column(piece.place[0])[window.rows])) {
      ++window.blank_lines;
      continue;
    }
    for (std::size_t c = cells; c < width; ++c)
      window.views[piece.place[c] * window.capacity + window.rows] = {};
    TRY(check_row(piece, window, begin, piece.at));
    if (cells != width) window.ragged.push_back({window.rows, cells, begin, piece.at - begin});
    ++window.rows;
  }
  return true;
}

// Splits the row at `at` and returns where the next one starts.
template <bool kQuotes, class Scanner>
std::size_t DelimitedPieces::row(TextPiece& piece, std::size_t at, Scanner& scanner,
                                 CellWindow& window, std::size_t& cells) const {
  const std::size_t width = piece.place.size(), size = piece.bytes;
  char* data = piece.text.data();
  const auto put = [&](std::string_view cell) {
    if (cells < width) window.views[piece.place[cells] * window.capacity + window.rows] = cell;
    ++cells;
  };
  for (;;) {
    std::size_t stop = 0;
    if (kQuotes && at < size && data[at] == '"') {
      put(unquote(data, size, at, stop, scanner));
    } else {
      stop = scanner.next(at);
      put({data + at, stop - at});
    }
    if (stop >= size) return size;
    const char c = data[stop];
    at = stop + 1;
    if (c == piece.dialect.delimiter) {
      if (at < size) continue;
      put({});
      return size;
    }
    return c == '\r' && at < size && data[at] == '\n' ? at + 1 : at;
  }
}

std::vector<std::vector<std::string>> DelimitedPieces::glimpses(std::size_t rows) const {
  constexpr std::size_t kPlaces = 7, kBytes = 64u << 10;
  std::vector<std::vector<std::string>> out;
  const std::lock_guard lock(mutex_);
  if (paths_.size() > 1 || !source_ || !source_->plain() || sizes_[0] < 16 * kHeadBytes) return out;
  std::ifstream file(paths_[0], std::ios::binary);
  std::string text(kBytes, '\0');
  for (std::size_t i = 1; i <= kPlaces && file; ++i) {
    file.seekg(static_cast<std::streamoff>(sizes_[0] / (kPlaces + 1) * i));
    if (!file.read(text.data(), static_cast<std::streamsize>(text.size()))) break;
    const std::size_t first = text.find('\n'), last = text.rfind('\n');
    if (first == std::string::npos || first == last) continue;
    RowReader reader(text.data() + first + 1, text.data() + last + 1, dialect_.delimiter,
                     dialect_.quotes);
    std::vector<std::string_view> cells;
    for (std::size_t row = 0; row < rows && !reader.done(); ++row) {
      reader.next(cells);
      if (cells.size() == columns_.size() && !reader.open_quote())
        out.emplace_back(cells.begin(), cells.end());
    }
  }
  return out;
}

}  // namespace maru::data
