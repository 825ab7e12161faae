#include "delimited.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "maru/base/text.h"
#include "row_reader.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kSniffRows = 200;
constexpr std::size_t kSniffBytes = 1u << 20;

// The first rows, from a copy because reading undoes quotes in place.
struct Sample {
  std::string text;
  std::vector<std::vector<std::string_view>> rows;
  bool open_quote = false;
};

void read_sample(std::string_view text, char delimiter, bool quotes, Sample& out) {
  out.text = text.substr(0, kSniffBytes);
  RowReader reader(out.text.data(), out.text.data() + out.text.size(), delimiter, quotes);
  std::vector<std::string_view> cells;
  while (!reader.done() && out.rows.size() < kSniffRows) {
    reader.next(cells);
    if (reader.done() && text.size() > kSniffBytes && !out.rows.empty())
      break;  // a row that the cut went through
    if (!blank_row(cells)) out.rows.push_back(cells);
  }
  out.open_quote = reader.open_quote();
}

// The delimiter whose rows agree most often with the first row's number of cells.
char find_delimiter(std::string_view text, const std::string& name) {
  const bool tabs = name.find(".tsv") != std::string::npos;
  char best = tabs ? '\t' : ',';
  double best_score = 0;
  for (const char candidate : {tabs ? '\t' : ',', tabs ? ',' : '\t', ';', '|'}) {
    Sample sample;
    read_sample(text, candidate, true, sample);
    if (sample.rows.empty() || sample.rows[0].size() < 2) continue;
    const std::size_t width = sample.rows[0].size();
    const auto same =
        static_cast<double>(std::count_if(sample.rows.begin(), sample.rows.end(),
                                          [&](const auto& row) { return row.size() == width; }));
    double score = same / static_cast<double>(sample.rows.size());
    if (tabs && candidate == '\t') score += 1;
    if (score > best_score + 1e-9) {
      best = candidate;
      best_score = score;
    }
  }
  return best;
}

// Free text in tab-separated files often starts with a quote that nothing closes; then quotes are plain characters.
bool quotes_are_plain(std::string_view text, char delimiter) {
  if (delimiter != '\t') return false;
  bool start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (start && c == '"') {
      std::size_t j = i + 1;
      for (; j < text.size() && text[j] != '\n'; ++j) {
        if (text[j] != '"') continue;
        if (j + 1 < text.size() && text[j + 1] == '"')
          ++j;
        else
          break;
      }
      if (j >= text.size() || text[j] == '\n') return true;
      const char after = j + 1 < text.size() ? text[j + 1] : '\n';
      if (after != '\t' && after != '\n' && after != '\r') return true;
      i = j;
    }
    start = c == '\t' || c == '\n';
  }
  return false;
}

bool number_cell(std::string_view cell) {
  double real = 0;
  std::int64_t time_us = 0;
  return parse_real_cell(cell, real) || parse_time_cell(cell, time_us);
}

// -1: the first row is data, 1: it names the columns, 0: this column does not say.
int header_vote(const std::vector<std::vector<std::string_view>>& rows, std::size_t column) {
  const std::string_view first = rows[0][column];
  bool all_numbers = true, any = false, repeated = false;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    if (column >= rows[r].size() || is_blank(rows[r][column])) continue;
    any = true;
    all_numbers = all_numbers && number_cell(rows[r][column]);
    repeated = repeated || rows[r][column] == first;
  }
  if (is_blank(first)) return 0;
  if (number_cell(first)) return !any || all_numbers ? -1 : 0;
  if (!any) return 0;
  if (all_numbers) return 1;
  return repeated ? -1 : 0;
}

bool looks_like_header(const std::vector<std::vector<std::string_view>>& rows) {
  int votes = 0;
  for (std::size_t c = 0; c < rows[0].size(); ++c) votes += header_vote(rows, c);
  if (votes != 0) return votes > 0;
  std::set<std::string_view> unique;
  for (const auto cell : rows[0]) {
    if (cell.size() > 128 || (rows[0].size() == 1 && is_blank(cell))) return false;
    unique.insert(cell);
  }
  return unique.size() * 2 > rows[0].size();
}

struct Reading {
  const std::string& name;
  const ImportSpec& spec;
  std::uint64_t limit;
  char delimiter = ',';
  bool quotes = true;
  bool header = true;
  std::vector<std::string> names;
  std::vector<Cells> columns;
  std::uint64_t skipped = 0, fitted = 0;
};

std::string place(const Reading& reading, std::size_t line) {
  return reading.name + " line " + std::to_string(line);
}

base::Status check_sizes(const Reading& reading, const RowReader& reader,
                         const std::vector<std::string_view>& cells) {
  if (reader.row_bytes() > kMaxRowBytes) {
    return base::fail(
        Code::kTooLarge,
        "a row over " + base::format_bytes(kMaxRowBytes) + ": " + place(reading, reader.line()),
        "is a line break or a quote missing?");
  }
  for (const auto cell : cells) {
    if (cell.size() > kMaxFieldBytes) {
      return base::fail(Code::kTooLarge,
                        "a field over " + base::format_bytes(kMaxFieldBytes) + ": " +
                            place(reading, reader.line()),
                        "is a closing quote missing?");
    }
  }
  return {};
}

base::Status start_columns(Reading& reading, const std::vector<std::string_view>& first,
                           std::vector<std::string>& notes) {
  if (first.size() > kMaxColumns)
    return base::fail(Code::kTooLarge,
                      "too many columns: " + std::to_string(first.size()) + " in " + reading.name,
                      "at most " + std::to_string(kMaxColumns));
  for (std::size_t c = 0; c < first.size(); ++c) {
    reading.names.push_back(reading.header ? std::string(first[c]) : "c" + std::to_string(c + 1));
  }
  repair_names(reading.names, notes);
  reading.columns.resize(first.size());
  return {};
}

base::Status add_row(Reading& reading, const RowReader& reader,
                     std::vector<std::string_view>& cells) {
  const std::size_t width = reading.columns.size();
  if (cells.size() != width) {
    if (reading.spec.reject_ragged) {
      return base::fail(Code::kInvalidArgument,
                        "ragged row: " + place(reading, reader.line()) + " has " +
                            std::to_string(cells.size()) + " cells, the first row has " +
                            std::to_string(width),
                        "quote cells that hold the delimiter, or fix the row");
    }
    cells.resize(width);
    ++reading.fitted;
  }
  for (std::size_t c = 0; c < width; ++c) reading.columns[c].push_back(cells[c]);
  return {};
}

base::Status read_rows(Reading& reading, std::string& text, std::vector<std::string>& notes) {
  RowReader reader(text.data(), text.data() + text.size(), reading.delimiter, reading.quotes);
  std::vector<std::string_view> cells;
  while (!reader.done()) {
    reader.next(cells);
    if (reader.open_quote()) {
      return base::fail(Code::kInvalidArgument,
                        "a quote is never closed: " + place(reading, reader.line()),
                        "double a quote that is part of the text");
    }
    TRY(check_sizes(reading, reader, cells));
    const bool first = reading.columns.empty();
    if (blank_row(cells) && (first || reading.columns.size() > 1 || reader.done())) {
      ++reading.skipped;
      continue;
    }
    if (first) {
      TRY(start_columns(reading, cells, notes));
      if (reading.header) continue;
    }
    TRY(add_row(reading, reader, cells));
    if (reading.limit != 0 && reading.columns[0].size() >= reading.limit) break;
  }
  return {};
}

}  // namespace

Dialect find_dialect(std::string_view text, const std::string& name) {
  Dialect out;
  out.delimiter = find_delimiter(text, name);
  out.quotes = !quotes_are_plain(text, out.delimiter);
  return out;
}

base::Result<HeadOfText> read_head(std::string_view head, const std::string& name,
                                   const ImportSpec& spec, std::vector<std::string>& notes) {
  HeadOfText out;
  out.dialect = find_dialect(head, name);
  Sample sample;
  read_sample(head, out.dialect.delimiter, out.dialect.quotes, sample);
  Reading reading{name, spec, 0, out.dialect.delimiter, out.dialect.quotes, spec.header, {},
                  {},   0,    0};
  if (spec.detect_header && !sample.rows.empty()) reading.header = looks_like_header(sample.rows);
  std::string copy(head);
  RowReader reader(copy.data(), copy.data() + copy.size(), reading.delimiter, reading.quotes);
  std::vector<std::string_view> cells;
  do reader.next(cells);
  while (blank_row(cells) && !reader.done());
  if (reader.done() && head.size() >= kSniffBytes)
    return base::fail(
        Code::kTooLarge, "the first row is over " + base::format_bytes(kSniffBytes) + ": " + name,
        reader.open_quote() ? "is a closing quote missing?" : "is a line break missing?");
  if (reader.open_quote())
    return base::fail(Code::kInvalidArgument,
                      "a quote is never closed: " + place(reading, reader.line()),
                      "double a quote that is part of the text");
  TRY(check_sizes(reading, reader, cells));
  TRY(start_columns(reading, cells, notes));
  out.names = std::move(reading.names);
  if (reading.header) out.bytes = copy.size() - reader.left();
  if (reading.delimiter != ',' && reading.delimiter != '\t')
    notes.push_back(std::string("delimiter ") + reading.delimiter);
  if (!reading.header)
    notes.push_back("no header: columns are c1 to c" + std::to_string(out.names.size()));
  if (!out.dialect.quotes) notes.push_back("quotes read as plain text");
  return out;
}

base::Status read_delimited(std::string text, const std::string& name, const ImportSpec& spec,
                            std::uint64_t limit, RawTable& out) {
  if (base::trim(text).empty())
    return base::fail(Code::kInvalidArgument, "the file is empty: " + name,
                      "a table needs a header and at least one row");
  out.buffers.push_back(std::move(text));
  std::string& kept = out.buffers.back();
  const Dialect dialect = find_dialect(kept, name);
  Reading reading{name, spec, limit, dialect.delimiter, dialect.quotes, spec.header, {}, {}, 0, 0};
  if (spec.detect_header) {
    Sample sample;
    read_sample(kept, reading.delimiter, reading.quotes, sample);
    if (!sample.rows.empty()) reading.header = looks_like_header(sample.rows);
  }
  TRY(read_rows(reading, kept, out.notes));
  if (reading.columns.empty())
    return base::fail(Code::kInvalidArgument, "no columns: " + name,
                      "a table needs a header and at least one row");
  if (reading.columns[0].empty())
    return base::fail(Code::kInvalidArgument, "a header but no rows: " + name,
                      "a table needs at least one row");
  if (reading.delimiter != ',' && reading.delimiter != '\t')
    out.notes.push_back(std::string("delimiter ") + reading.delimiter);
  if (!reading.header)
    out.notes.push_back("no header: columns are c1 to c" + std::to_string(reading.columns.size()));
  if (!reading.quotes) out.notes.push_back("quotes read as plain text");
  if (reading.skipped > 0)
    out.notes.push_back(std::to_string(reading.skipped) + " empty lines skipped");
  if (reading.fitted > 0)
    out.notes.push_back(std::to_string(reading.fitted) + " ragged rows cut or filled");
  std::vector<bool> as_text(reading.columns.size(), false);
  return append_raw(name, std::move(reading.names), std::move(reading.columns), std::move(as_text),
                    out);
}

}  // namespace maru::data
