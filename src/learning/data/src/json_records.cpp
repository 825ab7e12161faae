#include <algorithm>

#include "byte_source.h"
#include "delimited.h"
#include "encoding.h"
#include "keyed_groups.h"
#include "maru/base/text.h"

// JSON objects as rows: one a line, one behind the other, or a list of them. Objects inside become columns `outer.inner`, lists stay texts of JSON.
namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kMaxNesting = 5;      // objects deeper than this stay texts of JSON
constexpr std::size_t kMaxJsonDepth = 512;  // of anything
constexpr std::string_view kWhat = "one JSON object a line, or a list of objects";

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Finds where top-level values end while bytes come in.
class ValueEnds {
 public:
  // One behind the last whole value of text[from..]; 0 when there is none. Goes on where it was before.
  void look(std::string_view text, std::size_t from) {
    for (std::size_t i = from; i < text.size(); ++i) {
      const char c = text[i];
      if (in_text_) {
        if (escaped_)
          escaped_ = false;
        else if (c == '\\')
          escaped_ = true;
        else if (c == '"')
          in_text_ = false;
        continue;
      }
      if (c == '"') {
        in_text_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if (c == '}' || c == ']') {
        if (depth_ > 0 && --depth_ == 0) last_ = i + 1;
      } else if (depth_ == 0 && c == '\n') {
        last_ = i + 1;
      }
    }
  }
  std::size_t last() const { return last_; }

 private:
  bool in_text_ = false, escaped_ = false;
  std::size_t depth_ = 0, last_ = 0;
};

class JsonParser {
 public:
  JsonParser(std::string& text, bool list, KeyedRows& rows)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), list_(list), rows_(rows) {}

  // "" when all was well, else what was wrong at place().
  std::string run() {
    for (;;) {
      skip();
      while (list_ && at_ != end_ && (*at_ == ',' || *at_ == ']' || *at_ == '[')) {
        ++at_;
        skip();
      }
      if (at_ == end_) return {};
      row_ = at_;
      if (*at_ != '{') return "a row that is no object";
      rows_.begin_row();
      name_.clear();
      if (!object(0)) return what_.empty() ? "a value is broken" : what_;
      rows_.end_row();
    }
  }
  std::size_t place() const { return static_cast<std::size_t>(row_ - begin_); }

 private:
  bool fail(std::string what) {
    if (what_.empty()) what_ = std::move(what);
    return false;
  }
  void skip() {
    while (at_ != end_ && is_space(*at_)) ++at_;
  }

  bool object(std::size_t depth) {
    ++at_;  // {
    const std::size_t prefix = name_.size();
    skip();
    if (at_ != end_ && *at_ == '}') return ++at_, true;
    for (;;) {
      skip();
      std::string_view key;
      if (at_ == end_ || *at_ != '"' || !text(key)) return fail("a key is not in quotes");
      name_.resize(prefix);
      if (prefix > 0) name_ += '.';
      name_ += key;
      skip();
      if (at_ == end_ || *at_ != ':') return fail("no `:` behind the key " + name_);
      ++at_;
      skip();
      if (!value(depth)) return false;
      name_.resize(prefix);
      skip();
      if (at_ == end_) return fail("an object is not closed");
      const char c = *at_++;
      if (c == '}') return true;
      if (c != ',') return fail("neither `,` nor `}` behind a value");
    }
  }

  bool value(std::size_t depth) {
    if (at_ == end_) return fail("the value of " + name_ + " is missing");
    const char c = *at_;
    bool once = true;
    if (c == '"') {
      std::string_view cell;
      if (!text(cell)) return fail("a text is not closed or holds a wrong escape");
      once = rows_.quoted(column(), cell);
    } else if (c == '{' && depth + 1 < kMaxNesting) {
      return object(depth + 1);
    } else if (c == '{' || c == '[') {
      const char* start = at_;
      if (!pass_by()) return fail("a list or an object is not closed");
      once = rows_.nested(column(), {start, static_cast<std::size_t>(at_ - start)});
    } else {
      const char* start = at_;
      while (at_ != end_ && !is_space(*at_) && *at_ != ',' && *at_ != '}' && *at_ != ']') ++at_;
      const std::string_view word(start, static_cast<std::size_t>(at_ - start));
      double number = 0;
      if (word == "null")
        once = rows_.missing(column());
      else if (word == "true" || word == "false" || parse_real_cell(word, number))
        once = rows_.word(column(), word);
      else
        return fail("`" + base::replace_invalid_utf8(word.substr(0, 40)) + "` is no value");
    }
    return once || fail("the key " + name_ + " comes twice in one object");
  }

  std::string_view column() const { return name_.empty() ? std::string_view("c1") : name_; }

  // Steps over a list or an object.
  bool pass_by() {
    std::size_t depth = 0;
    while (at_ != end_) {
      const char c = *at_++;
      if (c == '"') {
        while (at_ != end_ && *at_ != '"') at_ += *at_ == '\\' && at_ + 1 != end_ ? 2 : 1;
        if (at_ == end_) return false;
        ++at_;
      } else if (c == '{' || c == '[') {
        if (++depth > kMaxJsonDepth) return false;
      } else if ((c == '}' || c == ']') && --depth == 0) {
        return true;
      }
    }
    return false;
  }

  // A text without its quotes; escapes are undone in place.
  bool text(std::string_view& out) {
    char* start = ++at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
    char* to = at_;
    while (at_ != end_ && *at_ != '"') {
      if (*at_ != '\\') {
        *to++ = *at_++;
        continue;
      }
      if (++at_ == end_) return false;
      const char c = *at_++;
      if (c == 'u') {
        if (!unicode(to)) return false;
        continue;
      }
      static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
      const std::size_t which = kFrom.find(c);
      if (which == std::string_view::npos) return false;
      *to++ = kTo[which];
    }
    if (at_ == end_) return false;
    ++at_;
    out = {start, static_cast<std::size_t>(to - start)};
    return true;
  }

  bool four(std::uint32_t& code) {
    code = 0;
    if (end_ - at_ < 4) return false;
    for (int i = 0; i < 4; ++i) {
      const char c = *at_++;
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      code = code << 4 | static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  // Half a pair alone becomes U+FFFD, so that every cell is UTF-8.
  bool unicode(char*& to) {
    std::uint32_t code = 0;
    if (!four(code)) return false;
    if (code >= 0xd800 && code < 0xdc00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
      char* const before = at_;
      at_ += 2;
      std::uint32_t low = 0;
      if (!four(low)) return false;
      if (low >= 0xdc00 && low < 0xe000)
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      else
        at_ = before;
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    const auto put = [&](std::uint32_t byte) { *to++ = static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6);
      put(0x80 | (code & 63));
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12);
      put(0x80 | (code >> 6 & 63));
      put(0x80 | (code & 63));
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 63));
      put(0x80 | (code >> 6 & 63));
      put(0x80 | (code & 63));
    }
    return true;
  }

  char* const begin_;
  char* at_;
  char* const end_;
  char* row_ = nullptr;
  const bool list_;
  KeyedRows& rows_;
  std::string name_, what_;
};

class JsonRecords final : public RecordFormat {
 public:
  JsonRecords(std::vector<std::string> paths, std::string encoding)
      : paths_(std::move(paths)), encoding_(std::move(encoding)) {}

  base::Status start() override {
    file_ = 0;
    notes_.clear();
    return start_file();
  }
  std::vector<std::string> notes() const override { return notes_; }

  base::Result<bool> claim(std::size_t bytes, Piece& piece) override {
    for (;;) {
      if (file_ >= paths_.size()) return false;
      TRY_ASSIGN(const bool any, fill(bytes, piece));
      if (any) return true;
      if (++file_ < paths_.size()) TRY(start_file());
    }
  }

  base::Status parse(Piece& piece, KeyedRows& rows) const override {
    if (!is_utf8(piece.text))
      return base::fail(Code::kInvalidArgument,
                        "a byte that is not UTF-8: " + place(piece.file, piece.offset),
                        "name the encoding: --encoding NAME");
    JsonParser parser(piece.text, lists_[piece.file], rows);
    const std::string wrong = parser.run();
    if (wrong.empty()) return {};
    return base::fail(
        Code::kInvalidArgument,
        "cannot read JSON: " + wrong + ": " + place(piece.file, piece.offset + parser.place()),
        std::string(kWhat));
  }

 private:
  std::string place(std::size_t file, std::uint64_t offset) const {
    const std::size_t line = lines_at(paths_[file], encoding_, {offset}).front();
    return paths_[file] + (line == 0 ? std::string() : " line " + std::to_string(line));
  }

  base::Status start_file() {
    const std::string& path = paths_[file_];
    std::string note;
    TRY_ASSIGN(source_, ByteSource::open_text(path, encoding_, note));
    if (!note.empty() && std::find(notes_.begin(), notes_.end(), note) == notes_.end())
      notes_.push_back(note);
    const std::string_view head = base::trim(source_->head());
    if (head.empty())
      return base::fail(Code::kInvalidArgument, "the file is empty: " + path, std::string(kWhat));
    // The bracket around all rows is stepped over; commas between them, too.
    lists_.resize(paths_.size());
    lists_[file_] = head.front() == '[';
    opened_ = !lists_[file_];
    carry_.clear();
    offset_ = 0;
    ended_ = false;
    return {};
  }

  base::Result<bool> fill(std::size_t bytes, Piece& piece) {
    std::string& text = piece.text;
    text = std::move(carry_);
    carry_.clear();
    ValueEnds ends;
    std::size_t looked = 0;
    for (std::size_t want = bytes;;) {
      if (!ended_) {
        const std::size_t had = text.size();
        text.resize(had + want);
        TRY_ASSIGN(const std::size_t got, source_->read(text.data() + had, want));
        text.resize(had + got);
        ended_ = got < want;
      }
      if (!opened_) {
        const std::size_t bracket = text.find('[');
        if (bracket == std::string::npos) return false;
        text[bracket] = ' ';
        opened_ = true;
      }
      if (text.empty()) return false;
      ends.look(text, looked);
      looked = text.size();
      const std::size_t end = ended_ ? text.size() : ends.last();
      if (end > 0) {
        piece.file = file_;
        piece.offset = offset_;
        offset_ += end;
        carry_.assign(text, end, std::string::npos);
        text.resize(end);
        return true;
      }
      if (text.size() > kMaxRowBytes)
        return base::fail(
            Code::kTooLarge,
            "a JSON value over " + base::format_bytes(kMaxRowBytes) + ": " + place(file_, offset_),
            "is a quote or a bracket not closed?");
      want = std::min(text.size(), kMaxRowBytes + 1 - text.size());
    }
  }

  const std::vector<std::string> paths_;
  const std::string encoding_;
  std::vector<char> lists_;  // by file
  std::vector<std::string> notes_;
  std::size_t file_ = 0;
  std::uint64_t offset_ = 0;
  bool ended_ = false, opened_ = false;
  std::unique_ptr<ByteSource> source_;
  std::string carry_;
};

}  // namespace

std::unique_ptr<RecordFormat> json_records(std::vector<std::string> paths, std::string encoding) {
  return std::make_unique<JsonRecords>(std::move(paths), std::move(encoding));
}

}  // namespace maru::data
