#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"
#include "maru/data/cell_text.h"
#include "maru/data/dataset.h"
#include "maru/data/table.h"

namespace maru::data {

inline constexpr std::size_t kMaxFieldBytes = 1u << 20;
inline constexpr std::size_t kMaxRowBytes = 16u << 20;
inline constexpr std::size_t kMaxColumns = 20'000;

// Cells of one column as they stand in the files; empty or only spaces and tabs is missing.
using Cells = std::vector<std::string_view>;

// Delimited or ARFF text read so far: names and cells, which point into `buffers`.
struct RawTable {
  std::deque<std::string> buffers;
  std::vector<std::string> names;
  std::vector<Cells> columns;
  std::vector<bool> as_text;  // ARFF nominal and string attributes: no number is looked for
  std::vector<std::string> notes;
};

// How a delimited text is written, by its first rows: the delimiter among , ; tab |, and whether quotes are more than characters.
struct Dialect {
  char delimiter = ',';
  bool quotes = true;
};
Dialect find_dialect(std::string_view text, const std::string& name);

// What the beginning of a delimited text says: its dialect, the columns' names (made unique) and where the first row of data starts.
struct HeadOfText {
  Dialect dialect;
  std::vector<std::string> names;
  std::size_t bytes = 0;
};
base::Result<HeadOfText> read_head(std::string_view head, const std::string& name,
                                   const ImportSpec& spec, std::vector<std::string>& notes);

// Reads CSV or TSV (RFC 4180, LF/CRLF/CR, quotes may hold line breaks) and appends its rows to `out`, which must be empty or have the
// same columns (in any order). The delimiter is found among , ; tab |. `limit` rows at most; 0: all. Errors name the file and the line.
base::Status read_delimited(std::string text, const std::string& name, const ImportSpec& spec,
                            std::uint64_t limit, RawTable& out);
// Attribute-relation files (Weka): dense and sparse data, nominal, numeric, string and date attributes, ? is missing.
base::Status read_arff(std::string text, const std::string& name, std::uint64_t limit,
                       RawTable& out);

// Types: integer ([+-]digits without leading zeros, within 64 bits), float, bool (true/false), timestamp (ISO 8601), else text.
// Whole columns are looked at, never a sample. "?" and "NA" are values; 00123 and integers beyond 64 bits stay text.
Column infer_column(std::string name, const Cells& cells, bool as_text = false);
Table infer_table(RawTable raw);

// Makes names unique and not empty: c<k> for an empty one, name_2 for a second `name`.
void repair_names(std::vector<std::string>& names, std::vector<std::string>& notes);
// Whether a file has the first one's columns, in any order: else an error that names what it lacks and has.
base::Status same_names(const std::vector<std::string>& first,
                        const std::vector<std::string>& other, const std::string& path);
// Appends the columns of `part` to `out`, by name; a difference in columns is an error that names both sides.
base::Status append_raw(const std::string& name, std::vector<std::string> names,
                        std::vector<Cells> columns, std::vector<bool> as_text, RawTable& out);

}  // namespace maru::data
