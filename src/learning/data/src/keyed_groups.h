#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "column_fill.h"
#include "row_groups.h"

namespace maru::data {

// Rows whose values come by name, as in JSON or tf.Example: which columns there are is known when every row was seen.
class KeyedRows {
 public:
  struct Known {
    std::vector<std::string> names;
    std::vector<ColumnType> types;
    std::unordered_map<std::string, std::size_t> places;
    bool final = false;  // names and types are those of all rows
  };
  // A column beyond the known ones.
  struct Found {
    std::string name;
    CellKinds kinds;
    std::size_t row = 0;  // its last one
  };
  explicit KeyedRows(const Known& known);

  void begin_row() { next_ = 0; }
  // False when the row has a value of this name already.
  bool missing(std::string_view name);
  bool word(std::string_view name, std::string_view text);    // a number, true or false
  bool quoted(std::string_view name, std::string_view text);  // a text
  bool nested(std::string_view name, std::string_view json);  // a text of JSON, never a time
  void end_row() { ++rows_; }

  std::size_t rows() const { return rows_; }
  bool fits() const;  // names and types are the known ones
  const std::vector<CellKinds>& kinds() const { return kinds_; }
  const std::vector<Found>& found() const { return found_; }  // by first appearance
  Table take();

 private:
  static constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);
  // The column's place; kUnknown with `found` for a new one.
  std::size_t place(std::string_view name, Found*& found);
  bool ready(std::size_t c);

  const Known& known_;
  std::vector<CellKinds> kinds_;
  std::vector<std::unique_ptr<ColumnFill>> fills_;
  std::vector<Found> found_;
  std::unordered_map<std::string, std::size_t> found_places_;
  std::vector<std::size_t> order_;  // places as the last rows had them
  std::size_t next_ = 0, rows_ = 0;
  std::string name_;
};

// Cuts files into pieces of whole records and reads them. claim() is called by one thread at a time, parse() by any.
class RecordFormat {
 public:
  struct Piece {
    std::size_t file = 0;
    std::uint64_t offset = 0;  // of the first byte in the file's text
    std::string text;          // whole records
  };
  virtual ~RecordFormat() = default;
  virtual base::Status start() = 0;
  virtual base::Result<bool> claim(std::size_t bytes, Piece& piece) = 0;
  virtual base::Status parse(Piece& piece, KeyedRows& rows) const = 0;
  virtual std::vector<std::string> notes() const { return {}; }
};
std::unique_ptr<RecordFormat> json_records(std::vector<std::string> paths, std::string encoding);
std::unique_ptr<RecordFormat> tf_records(std::vector<std::string> paths);

std::unique_ptr<GroupSource> keyed_groups(std::unique_ptr<RecordFormat> format, std::string name);

}  // namespace maru::data
