#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "cell_storage.h"
#include "delimited.h"
#include "encoding.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "sources.h"
#include "stop_scanner.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kBlockBytes = 256u << 10;  // with its cells it stays in a core's own cache
constexpr std::size_t kSniffBytes = 1u << 20;
constexpr std::size_t kSlack = 64;  // what a scanner may read behind the end
constexpr std::size_t kRaggedShown = 5;

// Where the bytes of one file come from: the file itself, or its text once it had to be unpacked or converted.
class ByteSource {
 public:
  ~ByteSource() {
    if (handle_ >= 0) ::close(handle_);
  }
  base::Status open(const std::string& path, std::vector<std::string>& notes) {
    path_ = path;
    handle_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (handle_ < 0) return base::fail(Code::kNotFound, "no such file: " + path);
    std::string head(kSniffBytes, '\0');
    TRY_ASSIGN(const std::size_t got, read(head.data(), head.size()));
    head.resize(got);
    if (plain(head)) {
      sniffed_ = head.substr(head.rfind("\xEF\xBB\xBF", 0) == 0 ? 3 : 0);
      return {};
    }
    return read_whole(notes);
  }
  // Reads everything and converts it: a byte that is not UTF-8 was met.
  base::Status read_whole(std::vector<std::string>& notes) {
    TRY_ASSIGN(std::string bytes, read_unpacked(path_, kMaxTextFileBytes));
    std::string note;
    TRY_ASSIGN(text_, to_utf8(std::move(bytes), path_, note));
    if (!note.empty()) notes.push_back(note);
    whole_ = true;
    sniffed_.clear();
    given_ = 0;
    return {};
  }
  std::string_view head() const {
    return whole_ ? std::string_view(text_).substr(0, kSniffBytes) : std::string_view(sniffed_);
  }
  bool whole() const { return whole_; }
  // Fewer than `most` only at the end.
  base::Result<std::size_t> take(char* to, std::size_t most) {
    const std::string& ready = whole_ ? text_ : sniffed_;
    const std::size_t count = std::min(most, ready.size() - given_);
    std::copy_n(ready.data() + given_, count, to);
    given_ += count;
    if (whole_ || count == most) return count;
    TRY_ASSIGN(const std::size_t got, read(to + count, most - count));
    return count + got;
  }

 private:
  base::Result<std::size_t> read(char* to, std::size_t most) {
    std::size_t have = 0;
    while (have < most) {
      const ssize_t got = ::read(handle_, to + have, most - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return base::fail(Code::kDataLoss, "cannot be read: " + path_);
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    return have;
  }
  // UTF-8 as far as it was looked at, and not packed.
  static bool plain(std::string_view head) {
    if (head.substr(0, 2) == "\x1F\x8B" || head.substr(0, 4) == "\x28\xB5\x2F\xFD") return false;
    if (head.find('\0') != std::string_view::npos) return false;
    std::size_t end = head.size();
    while (end > 0 && head.size() - end < 4 &&
           (static_cast<unsigned char>(head[end - 1]) & 0x80) != 0)
      --end;  // a character that the cut went through
    return base::is_valid_utf8(head.substr(0, end));
  }

  std::string path_, text_, sniffed_;
  int handle_ = -1;
  bool whole_ = false;
  std::size_t given_ = 0;
};

class DelimitedCells final : public CellStream {
 public:
  DelimitedCells(std::vector<std::string> paths, ImportSpec spec)
      : paths_(std::move(paths)), spec_(std::move(spec)) {}

  base::Status open() { return start_file(); }
  const std::vector<StreamColumn>& columns() const override { return columns_; }
  bool raw() const override { return true; }
  std::vector<std::string> notes() const override { return notes_; }

  base::Result<bool> next(CellBlock& block) override {
    if (!block.storage) block.storage = std::make_unique<CellBlock::Storage>();
    Job job;
    TRY_ASSIGN(const bool more, claim(block, job));
    if (!more) return false;
    TRY(split(block, job));
    return true;
  }

 private:
  // What a claimed piece of text needs to be split by: a later file may have another dialect.
  struct Job {
    Dialect dialect;
    std::vector<std::size_t> place;
    std::string path;
    bool quotes_inside = false;
  };

  base::Status start_file() {
    const std::string& path = paths_[file_];
    source_ = std::make_unique<ByteSource>();
    TRY(source_->open(path, notes_));
    return start_text();
  }

  base::Status start_text() {
    const std::string& path = paths_[file_];
    const std::string_view head = source_->head();
    if (base::trim(head).empty())
      return base::fail(Code::kInvalidArgument, "the file is empty: " + path,
                        "a table needs a header and at least one row");
    job_.path = path;
    TRY_ASSIGN(const HeadOfText first, read_head(head, path, spec_, notes_));
    job_.dialect = first.dialect;
    carry_.clear();
    skip_ = first.bytes;
    ended_ = false;
    return place(first.names, path);
  }

  base::Status place(const std::vector<std::string>& names, const std::string& path) {
    if (columns_.empty())
      for (const auto& name : names) columns_.push_back({name, ColumnType::kText});
    job_.place.clear();
    for (const auto& name : names) {
      const auto found = std::find_if(columns_.begin(), columns_.end(),
                                      [&](const StreamColumn& c) { return c.name == name; });
      if (found == columns_.end() || names.size() != columns_.size())
        return base::fail(Code::kInvalidArgument,
                          "other columns than the first file: " + path + " has " + name,
                          "import files of one shape together");
      job_.place.push_back(static_cast<std::size_t>(found - columns_.begin()));
    }
    return {};
  }

  // Takes whole rows of the file into the block.
  base::Result<bool> claim(CellBlock& block, Job& job) {
    const std::lock_guard lock(mutex_);
    std::string& text = block.storage->text;
    for (;;) {
      if (file_ >= paths_.size()) return false;
      TRY_ASSIGN(const bool any, fill(text));
      if (any) break;
      if (++file_ < paths_.size()) TRY(start_file());
    }
    block.number = next_++;
    job = job_;
    return true;
  }

  base::Result<bool> fill(std::string& text) {
    text.assign(carry_);
    carry_.clear();
    std::size_t want = kBlockBytes;
    for (;;) {
      if (!ended_) {
        const std::size_t had = text.size();
        text.resize(had + want);
        TRY_ASSIGN(const std::size_t got, source_->take(text.data() + had, want));
        text.resize(had + got);
        ended_ = got < want;
        const std::size_t cut = std::min(skip_, text.size());
        text.erase(0, cut);
        skip_ -= cut;
      }
      if (text.empty() && ended_) return false;
      bool open = false;
      const std::size_t end = last_row_end(text, open, ended_);
      if (ended_) {
        if (open)
          return base::fail(Code::kInvalidArgument, "a quote is never closed: " + job_.path,
                            "double a quote that is part of the text");
        return true;
      }
      if (end > 0) {
        carry_.assign(text, end, std::string::npos);
        text.resize(end);
        return true;
      }
      if (text.size() > kMaxRowBytes)
        return base::fail(Code::kTooLarge,
                          "a row over " + base::format_bytes(kMaxRowBytes) + ": " + job_.path,
                          "is a line break or a closing quote missing?");
      want = text.size();  // a row that is longer than a block
    }
  }

  // One behind the last row end outside of quotes; `open`: the text ends within quotes.
  std::size_t last_row_end(const std::string& text, bool& open, bool to_the_end) {
    const char delimiter = job_.dialect.delimiter;
    std::size_t from = 0, last = 0;
    job_.quotes_inside = false;
    while (job_.dialect.quotes) {
      const std::size_t quote = text.find('"', from);
      const std::size_t plain_end = quote == std::string::npos ? text.size() : quote;
      if (!to_the_end) note_end(text, from, plain_end, last);
      if (quote == std::string::npos) return last;
      job_.quotes_inside = true;
      const char before = quote == 0 ? '\n' : text[quote - 1];
      from = quote + 1;
      if (before != delimiter && before != '\n' && before != '\r') continue;
      for (;;) {
        const std::size_t close = text.find('"', from);
        if (close == std::string::npos) {
          open = true;
          return last;
        }
        from = close + 1;
        if (from < text.size() && text[from] == '"') {
          ++from;
          continue;
        }
        break;
      }
    }
    if (!to_the_end) note_end(text, from, text.size(), last);
    return last;
  }

  static void note_end(const std::string& text, std::size_t from, std::size_t to,
                       std::size_t& last) {
    for (std::size_t i = to; i > from; --i) {
      const char c = text[i - 1];
      if (c == '\n') {
        last = i;
        return;
      }
      if (c == '\r' && i < text.size() && text[i] != '\n') {  // an old Mac's line end
        last = i;
        return;
      }
    }
  }

  base::Status split(CellBlock& block, const Job& job) {
    std::string& text = block.storage->text;
    if (!base::is_valid_utf8(text))
      return base::fail(Code::kInvalidArgument,
                        "a byte that is not UTF-8 far inside a text: " + job.path,
                        "convert the file first: iconv -f CP949 -t UTF-8 FILE > NEW");
    const std::size_t size = text.size();
    text.append(kSlack, '\0');
    const std::size_t width = columns_.size();
    auto& views = block.storage->views;
    std::size_t capacity = std::max<std::size_t>(views.size() / width, 256);
    views.resize(capacity * width);
    block.rows = 0;
    block.ragged = 0;
    block.ragged_rows.clear();
    StopScanner scanner(text.data(), size, job.dialect.delimiter);
    std::size_t at = 0;
    while (at < size) {
      if (block.rows == capacity) grow(views, width, capacity);
      std::size_t cells = 0;
      const std::size_t begin = at;
      at = job.quotes_inside
               ? row<true>(text, size, at, scanner, job, views, capacity, block, cells)
               : row<false>(text, size, at, scanner, job, views, capacity, block, cells);
      if (cells == 1 && width > 1 && is_blank(views[job.place[0] * capacity + block.rows]))
        continue;
      if (at - begin > kMaxRowBytes)
        return base::fail(Code::kTooLarge,
                          "a row over " + base::format_bytes(kMaxRowBytes) + ": " + job.path,
                          "is a line break or a closing quote missing?");
      if (cells != width) {
        for (std::size_t c = cells; c < width; ++c)
          views[job.place[c] * capacity + block.rows] = {};
        if (block.ragged++ < kRaggedShown) block.ragged_rows.push_back(block.rows);
      }
      ++block.rows;
    }
    block.columns.assign(width, {});
    for (std::size_t c = 0; c < width; ++c) block.columns[c].texts = views.data() + c * capacity;
    return {};
  }

  // Splits the row at `at` and returns where the next one starts.
  template <bool kQuotes>
  static std::size_t row(std::string& text, std::size_t size, std::size_t at, StopScanner& scanner,
                         const Job& job, std::vector<std::string_view>& views, std::size_t capacity,
                         const CellBlock& block, std::size_t& cells) {
    const std::size_t width = job.place.size();
    char* data = text.data();
    for (;;) {
      std::size_t stop = 0;
      std::string_view cell;
      if (kQuotes && at < size && data[at] == '"') {
        cell = unquote(data, size, at, stop, scanner);
      } else {
        stop = scanner.next(at);
        cell = {data + at, stop - at};
      }
      if (cells < width) views[job.place[cells] * capacity + block.rows] = cell;
      ++cells;
      if (stop >= size) return size;
      const char c = data[stop];
      at = stop + 1;
      if (c == job.dialect.delimiter) {
        if (at < size) continue;
        if (cells < width) views[job.place[cells] * capacity + block.rows] = {};
        ++cells;
        return size;
      }
      return c == '\r' && at < size && data[at] == '\n' ? at + 1 : at;
    }
  }

  static std::string_view unquote(char* data, std::size_t size, std::size_t at, std::size_t& stop,
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

  static void grow(std::vector<std::string_view>& views, std::size_t width, std::size_t& capacity) {
    std::vector<std::string_view> wider(capacity * 2 * width);
    for (std::size_t c = 0; c < width; ++c)
      std::copy_n(views.begin() + static_cast<std::ptrdiff_t>(c * capacity), capacity,
                  wider.begin() + static_cast<std::ptrdiff_t>(c * capacity * 2));
    views = std::move(wider);
    capacity *= 2;
  }

  const std::vector<std::string> paths_;
  const ImportSpec spec_;
  std::vector<StreamColumn> columns_;
  std::vector<std::string> notes_;
  std::mutex mutex_;
  std::size_t file_ = 0, next_ = 0, skip_ = 0;
  bool ended_ = false;
  std::unique_ptr<ByteSource> source_;
  std::string carry_;
  Job job_;
};

}  // namespace

base::Result<std::unique_ptr<CellStream>> open_delimited_cells(
    const std::vector<std::string>& paths, const ImportSpec& spec) {
  auto out = std::make_unique<DelimitedCells>(paths, spec);
  TRY(out->open());
  return out;
}

}  // namespace maru::data
