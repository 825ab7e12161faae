#include <algorithm>
#include <charconv>

#include "delimited.h"
#include "maru/base/text.h"

namespace maru::data {

namespace {

using base::Code;

// Reads one word (quoted with ' or ", or up to a stop character) from a line; quotes are undone in place.
class LineReader {
 public:
  LineReader(char* begin, char* end) : at_(begin), end_(end) {}
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool done() {
    skip_space();
    return at_ == end_;
  }
  char peek() const { return at_ == end_ ? '\0' : *at_; }
  void skip() { ++at_; }
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }

  // `closed` becomes false for a quote that nothing closes.
  std::string_view word(std::string_view stops, bool& closed) {
    skip_space();
    if (at_ != end_ && (*at_ == '\'' || *at_ == '"')) return quoted(closed);
    char* start = at_;
    while (at_ != end_ && stops.find(*at_) == std::string_view::npos) ++at_;
    return base::trim({start, static_cast<std::size_t>(at_ - start)});
  }

 private:
  std::string_view quoted(bool& closed) {
    const char quote = *at_++;
    char* start = at_;
    char* to = start;
    while (at_ != end_ && *at_ != quote) {
      if (*at_ == '\\' && at_ + 1 != end_) ++at_;
      *to++ = *at_++;
    }
    closed = at_ != end_;
    if (closed) ++at_;
    return {start, static_cast<std::size_t>(to - start)};
  }

  char* at_;
  char* end_;
};

struct Arff {
  std::string name;
  std::uint64_t limit = 0;
  std::vector<std::string> names;
  std::vector<bool> as_text;
  std::vector<std::string> defaults;  // what a sparse row leaves out: 0, or the first nominal value
  std::vector<Cells> columns;
  bool in_data = false;
};

tl::unexpected<base::Error> broken(const Arff& arff, std::size_t line, const std::string& what) {
  return base::fail(Code::kInvalidArgument,
                    "broken ARFF: " + what + ": " + arff.name + " line " + std::to_string(line),
                    "see the ARFF format of Weka");
}

base::Status read_attribute(Arff& arff, LineReader& reader, std::size_t line) {
  bool closed = true;
  const std::string_view name = reader.word(" \t{", closed);
  reader.skip_space();
  const std::string type = base::to_lower_ascii(base::trim(reader.rest()));
  if (!closed || name.empty() || type.empty())
    return broken(arff, line, "an attribute needs a name and a type");
  if (arff.names.size() >= kMaxColumns)
    return base::fail(Code::kTooLarge, "too many columns: " + arff.name);
  const bool nominal = type.front() == '{';
  const bool number = type == "numeric" || type == "real" || type == "integer";
  if (!nominal && !number && type.rfind("string", 0) != 0 && type.rfind("date", 0) != 0)
    return broken(
        arff, line,
        "unknown attribute type `" + base::replace_invalid_utf8(type.substr(0, 40)) + "`");
  arff.names.emplace_back(name);
  arff.as_text.push_back(nominal || type.rfind("string", 0) == 0);
  std::string first = "0";
  if (nominal) {
    reader.skip();
    first = std::string(reader.word(",}", closed));
  }
  arff.defaults.push_back(first);
  return {};
}

std::string_view cell_value(std::string_view word, bool was_quoted) {
  return !was_quoted && word == "?" ? std::string_view{} : word;
}

base::Status read_dense(Arff& arff, LineReader& reader, std::size_t line) {
  std::vector<std::string_view> cells;
  for (;;) {
    reader.skip_space();
    const bool was_quoted = reader.peek() == '\'' || reader.peek() == '"';
    bool closed = true;
    const std::string_view word = reader.word(",", closed);
    if (!closed) return broken(arff, line, "a quote is never closed");
    if (word.size() > kMaxFieldBytes)
      return base::fail(Code::kTooLarge,
                        "a field over 1 MB: " + arff.name + " line " + std::to_string(line));
    cells.push_back(cell_value(word, was_quoted));
    if (reader.done()) break;
    if (reader.peek() != ',') return broken(arff, line, "text after a closing quote");
    reader.skip();
  }
  if (cells.size() != arff.names.size()) {
    return base::fail(Code::kInvalidArgument,
                      "ragged row: " + arff.name + " line " + std::to_string(line) + " has " +
                          std::to_string(cells.size()) + " cells, the header has " +
                          std::to_string(arff.names.size()));
  }
  for (std::size_t c = 0; c < cells.size(); ++c) arff.columns[c].push_back(cells[c]);
  return {};
}

base::Status read_sparse(Arff& arff, LineReader& reader, std::size_t line,
                         const std::vector<std::string_view>& defaults) {
  std::vector<std::string_view> cells(defaults);
  reader.skip();
  while (!reader.done() && reader.peek() != '}') {
    bool closed = true;
    const std::string_view number = reader.word(" \t,}", closed);
    std::size_t at = 0;
    const auto end = std::from_chars(number.data(), number.data() + number.size(), at);
    if (end.ec != std::errc() || end.ptr != number.data() + number.size() || at >= cells.size())
      return broken(arff, line, "a sparse cell needs the number of a column");
    reader.skip_space();
    const bool was_quoted = reader.peek() == '\'' || reader.peek() == '"';
    const std::string_view word = reader.word(",}", closed);
    if (!closed) return broken(arff, line, "a quote is never closed");
    cells[at] = cell_value(word, was_quoted);
    reader.skip_space();
    if (reader.peek() == ',')
      reader.skip();
    else if (reader.peek() != '}')
      return broken(arff, line, "a sparse row is not closed");
  }
  if (reader.peek() != '}') return broken(arff, line, "a sparse row is not closed");
  for (std::size_t c = 0; c < cells.size(); ++c) arff.columns[c].push_back(cells[c]);
  return {};
}

base::Status read_line(Arff& arff, char* begin, char* end, std::size_t line,
                       const std::vector<std::string_view>& defaults) {
  LineReader reader(begin, end);
  if (reader.done() || reader.peek() == '%') return {};
  if (arff.in_data)
    return reader.peek() == '{' ? read_sparse(arff, reader, line, defaults)
                                : read_dense(arff, reader, line);
  if (reader.peek() != '@') return broken(arff, line, "expected @relation, @attribute or @data");
  bool closed = true;
  const std::string word = base::to_lower_ascii(reader.word(" \t", closed));
  if (word == "@attribute") return read_attribute(arff, reader, line);
  if (word == "@data") {
    arff.in_data = true;
    arff.columns.resize(arff.names.size());
    return arff.names.empty() ? base::Status(broken(arff, line, "no @attribute before @data"))
                              : base::Status();
  }
  return word == "@relation"
             ? base::Status()
             : base::Status(
                   broken(arff, line,
                          "unknown word `" + base::replace_invalid_utf8(word.substr(0, 40)) + "`"));
}

}  // namespace

base::Status read_arff(std::string text, const std::string& name, std::uint64_t limit,
                       RawTable& out) {
  if (base::trim(text).empty())
    return base::fail(Code::kInvalidArgument, "the file is empty: " + name);
  out.buffers.push_back(std::move(text));
  std::string& kept = out.buffers.back();
  Arff arff;
  arff.name = name;
  arff.limit = limit;
  std::vector<std::string_view> defaults;
  std::size_t line = 0;
  for (std::size_t at = 0; at < kept.size();) {
    const std::size_t end = std::min(kept.find('\n', at), kept.size());
    ++line;
    TRY(read_line(arff, kept.data() + at, kept.data() + end, line, defaults));
    if (arff.in_data && defaults.empty()) {
      for (const auto& value : arff.defaults) {
        out.buffers.push_back(value);
        defaults.emplace_back(out.buffers.back());
      }
    }
    at = end + 1;
    if (limit != 0 && arff.in_data && arff.columns[0].size() >= limit) break;
  }
  if (!arff.in_data) return broken(arff, line, "no @data");
  if (arff.columns[0].empty())
    return base::fail(Code::kInvalidArgument, "a header but no rows: " + name);
  repair_names(arff.names, out.notes);
  return append_raw(name, std::move(arff.names), std::move(arff.columns), std::move(arff.as_text),
                    out);
}

}  // namespace maru::data
