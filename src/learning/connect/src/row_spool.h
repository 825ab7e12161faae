#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "maru/base/result.h"
#include "maru/connect/source.h"
#include "maru/data/row_format.h"
#include "maru/data/table.h"

namespace maru::connect {

// Rows of cells on their way into one Parquet file, a group in memory at a time. One thread.
class RowSpool {
 public:
  static base::Result<std::unique_ptr<RowSpool>> open(const std::string& path,
                                                      std::vector<data::StreamColumn> columns,
                                                      SourceMeter& meter);
  ~RowSpool();
  // One cell after the other, then end_row().
  void null(std::size_t column);
  void integer(std::size_t column, std::int64_t value);  // bool, integer, timestamp
  void real(std::size_t column, double value);
  void text(std::size_t column, std::string_view value);
  base::Status end_row();
  base::Status finish();  // the file is whole afterwards
  std::uint64_t rows() const { return total_rows_; }

 private:
  RowSpool(std::string path, std::vector<data::StreamColumn> columns, SourceMeter& meter)
      : path_(std::move(path)), columns_(std::move(columns)), meter_(meter) {}
  void begin_group();
  base::Status flush();
  base::Status put(std::string_view bytes);
  // Codes of a text column's values within the group.
  struct Codes {
    std::unordered_map<std::string_view, std::int32_t> by_text;
    std::vector<std::unique_ptr<std::string>> owned;
  };

  std::string path_;
  std::vector<data::StreamColumn> columns_;
  SourceMeter& meter_;
  std::unique_ptr<data::RowFormat> format_;
  std::FILE* file_ = nullptr;
  data::Table group_;
  std::vector<Codes> codes_;
  std::vector<base::Json> layouts_;
  std::size_t group_rows_ = 0, group_bytes_ = 0;
  std::uint64_t total_rows_ = 0;
};

}  // namespace maru::connect
