#include "delimited_stream.h"

#include <algorithm>
#include <optional>

#include "encoding.h"
#include "maru/base/file.h"
#include "maru/base/text.h"
#include "row_reader.h"
#include "sources.h"

namespace maru::data {

namespace {

using base::Code;

class DelimitedStream final : public RowStream {
 public:
  explicit DelimitedStream(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  base::Status open() {
    for (const auto& path : paths_) {
      TRY_ASSIGN(const std::uint64_t bytes, base::file_size(path));
      sizes_.push_back(bytes);
      total_bytes_ += bytes;
    }
    return start_file();
  }

  const std::vector<StreamColumn>& columns() const override { return columns_; }

  double fraction() const override {
    double done = 0;
    for (std::size_t i = 0; i < file_ && i < sizes_.size(); ++i)
      done += static_cast<double>(sizes_[i]);
    if (reader_ && !text_.empty())
      done += static_cast<double>(sizes_[file_]) *
              (1 - static_cast<double>(reader_->left()) / static_cast<double>(text_.size()));
    return total_bytes_ == 0 ? 1 : std::min(1.0, done / static_cast<double>(total_bytes_));
  }

  base::Result<Table> next(std::size_t most, std::vector<RowProblem>& problems) override {
    problems.clear();
    std::vector<Cells> cells(columns_.size());
    Table out;
    for (const auto& column : columns_) out.columns.push_back(empty(column.name));
    // Cells point into the file's text, so a piece ends where its file does.
    while (file_ < paths_.size() && cells[0].empty()) {
      TRY(read(most, cells, problems));
      if (cells[0].empty()) TRY(next_file());
    }
    for (std::size_t c = 0; c < columns_.size() && !cells[0].empty(); ++c)
      out.columns[c] = infer_column(columns_[c].name, cells[c], true);
    return out;
  }

 private:
  static Column empty(const std::string& name) {
    Column out;
    out.name = name;
    out.type = ColumnType::kText;
    return out;
  }

  base::Status next_file() {
    reader_.reset();
    text_.clear();
    return ++file_ < paths_.size() ? start_file() : base::Status();
  }

  base::Status start_file() {
    const std::string& path = paths_[file_];
    TRY_ASSIGN(std::string bytes, read_unpacked(path, kMaxTextFileBytes));
    std::string note;
    TRY_ASSIGN(text_, to_utf8(std::move(bytes), path, note));
    if (base::trim(text_).empty())
      return base::fail(Code::kInvalidArgument, "the file is empty: " + path,
                        "its first row must name the columns");
    const Dialect dialect = find_dialect(text_, path);
    reader_.emplace(text_.data(), text_.data() + text_.size(), dialect.delimiter, dialect.quotes);
    std::vector<std::string_view> cells;
    do reader_->next(cells);
    while (blank_row(cells) && !reader_->done());
    std::vector<std::string> names(cells.begin(), cells.end()), notes;
    repair_names(names, notes);
    if (file_ == 0) {
      if (names.size() > kMaxColumns)
        return base::fail(Code::kTooLarge,
                          "too many columns: " + std::to_string(names.size()) + " in " + path);
      for (const auto& name : names) columns_.push_back({name, ColumnType::kText});
    }
    return order(names, path);
  }

  // Where each column of the first file stands in this one.
  base::Status order(const std::vector<std::string>& names, const std::string& path) {
    place_.clear();
    for (const auto& column : columns_) {
      const auto found = std::find(names.begin(), names.end(), column.name);
      if (found == names.end())
        return base::fail(Code::kInvalidArgument,
                          "a column of the first file is not in " + path + ": " + column.name,
                          base::did_you_mean(column.name, names));
      place_.push_back(static_cast<std::size_t>(found - names.begin()));
    }
    if (names.size() != columns_.size())
      return base::fail(Code::kInvalidArgument,
                        "another number of columns than in the first file: " + path);
    return {};
  }

  base::Status read(std::size_t most, std::vector<Cells>& out, std::vector<RowProblem>& problems) {
    std::vector<std::string_view> cells;
    while (reader_ && !reader_->done() && out[0].size() < most) {
      reader_->next(cells);
      const std::string at = paths_[file_] + " line " + std::to_string(reader_->line());
      if (reader_->open_quote())
        return base::fail(Code::kInvalidArgument, "a quote is never closed: " + at,
                          "double a quote that is part of the text");
      if (reader_->row_bytes() > kMaxRowBytes)
        return base::fail(Code::kTooLarge,
                          "a row over " + base::format_bytes(kMaxRowBytes) + ": " + at);
      if (blank_row(cells) && (columns_.size() > 1 || reader_->done())) continue;
      if (cells.size() != columns_.size())
        problems.push_back({out[0].size(), "the row has " + std::to_string(cells.size()) +
                                               " cells, the first row has " +
                                               std::to_string(columns_.size())});
      cells.resize(columns_.size());
      for (std::size_t c = 0; c < columns_.size(); ++c) out[c].push_back(cells[place_[c]]);
    }
    return {};
  }

  const std::vector<std::string> paths_;
  std::vector<std::uint64_t> sizes_;
  std::uint64_t total_bytes_ = 0;
  std::size_t file_ = 0;
  std::string text_;
  std::optional<RowReader> reader_;
  std::vector<StreamColumn> columns_;
  std::vector<std::size_t> place_;
};

}  // namespace

base::Result<std::unique_ptr<RowStream>> open_delimited(const std::vector<std::string>& paths) {
  auto out = std::make_unique<DelimitedStream>(paths);
  TRY(out->open());
  return out;
}

}  // namespace maru::data
