#include <algorithm>
#include <atomic>
#include <mutex>

#include "arrow_ipc.h"
#include "byte_source.h"
#include "delimited.h"
#include "row_groups.h"

namespace maru::data {

namespace {

using base::Code;

constexpr std::uint64_t kPackedRows =
    8 * kGroupRows;  // a packed batch is unpacked once for so many

class ArrowGroups final : public GroupSource {
 public:
  explicit ArrowGroups(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  base::Status open() {
    for (const auto& path : paths_) {
      TRY_ASSIGN(auto bytes, FileBytes::open(path));
      TRY_ASSIGN(const FileMark mark, file_mark(path));
      marks_.push_back(mark);
      TRY_ASSIGN(auto reader, ArrowReader::open(std::move(bytes), path));
      readers_.push_back(std::move(reader));
      TRY(place(*readers_.back(), path));
    }
    as_text_.assign(columns_.size(), false);
    return {};
  }
  base::Status start() override {
    reader_ = batch_ = next_ = 0;
    row_ = 0;
    spoiled_ = false;
    beyond_.assign(columns_.size(), false);
    return {};
  }
  std::vector<StreamColumn> columns() const override {
    std::vector<StreamColumn> out = columns_;
    for (std::size_t c = 0; c < out.size(); ++c)
      if (as_text_[c]) out[c].type = ColumnType::kText;
    return out;
  }
  base::Result<bool> next(RowGroup& group) override {
    std::size_t reader = 0, batch = 0;
    std::uint64_t from = 0, count = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!claim(reader, batch, from, count)) return same_files();
      group.number = next_++;
    }
    const std::vector<std::size_t>& places = places_[reader];
    std::vector<bool> as_text, beyond;
    for (const std::size_t c : places) as_text.push_back(as_text_[c]);
    TRY_ASSIGN(Table table, readers_[reader]->read(batch, from, count, as_text, beyond));
    group.rows.columns.clear();
    group.rows.columns.resize(places.size());
    const std::lock_guard lock(mutex_);
    for (std::size_t c = 0; c < places.size(); ++c) {
      Column& to = group.rows.columns[places[c]] = std::move(table.columns[c]);
      to.name = columns_[places[c]].name;
      if (!beyond[c] || as_text[c]) continue;
      beyond_[places[c]] = true;
      spoiled_ = true;
    }
    return true;
  }
  bool spoiled() const override { return spoiled_; }
  std::vector<std::string> notes() const override { return notes_; }
  base::Result<bool> again() override {
    for (std::size_t c = 0; c < beyond_.size(); ++c)
      if (beyond_[c]) as_text_[c] = true;
    return spoiled_.load();
  }

 private:
  base::Status place(const ArrowReader& reader, const std::string& path) {
    std::vector<std::string> names, known;
    for (const auto& field : reader.fields()) names.push_back(field.name);
    if (names.size() > kMaxColumns)
      return base::fail(Code::kTooLarge,
                        "too many columns: " + std::to_string(names.size()) + " in " + path,
                        "at most " + std::to_string(kMaxColumns));
    repair_names(names, notes_);
    if (columns_.empty())
      for (std::size_t c = 0; c < names.size(); ++c)
        columns_.push_back({names[c], reader.fields()[c].type()});
    for (const auto& column : columns_) known.push_back(column.name);
    TRY(same_names(known, names, path));
    std::vector<std::size_t> places;
    for (std::size_t c = 0; c < names.size(); ++c) {
      const auto at =
          static_cast<std::size_t>(std::find(known.begin(), known.end(), names[c]) - known.begin());
      if (columns_[at].type != reader.fields()[c].type())
        return base::fail(Code::kInvalidArgument,
                          "another type than in the first file: " + names[c] + " in " + path,
                          "import files of one kind together");
      places.push_back(at);
    }
    places_.push_back(std::move(places));
    return {};
  }

  bool claim(std::size_t& reader, std::size_t& batch, std::uint64_t& from, std::uint64_t& count) {
    for (; reader_ < readers_.size(); ++reader_, batch_ = 0, row_ = 0) {
      for (; batch_ < readers_[reader_]->batches(); ++batch_, row_ = 0) {
        const std::uint64_t rows = readers_[reader_]->rows(batch_);
        if (row_ >= rows) continue;
        const std::uint64_t most = readers_[reader_]->packed(batch_) ? kPackedRows : kGroupRows;
        reader = reader_;
        batch = batch_;
        from = row_;
        count = std::min(most, rows - row_);
        row_ += count;
        return true;
      }
    }
    return false;
  }

  // False, the end, unless a file was written meanwhile.
  base::Result<bool> same_files() const {
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      TRY_ASSIGN(const FileMark now, file_mark(paths_[i]));
      if (!(now == marks_[i]))
        return base::fail(Code::kAborted, "the file changed while it was read: " + paths_[i],
                          "copy it to a place where nothing writes, then import the copy");
    }
    return false;
  }

  const std::vector<std::string> paths_;
  std::vector<FileMark> marks_;
  std::vector<std::unique_ptr<ArrowReader>> readers_;
  std::vector<StreamColumn> columns_;
  std::vector<std::vector<std::size_t>> places_;  // of each file's columns
  std::vector<std::string> notes_;
  std::vector<bool> as_text_, beyond_;
  std::mutex mutex_;
  std::size_t reader_ = 0, batch_ = 0, next_ = 0;
  std::uint64_t row_ = 0;
  std::atomic<bool> spoiled_{false};
};

}  // namespace

base::Result<std::unique_ptr<GroupSource>> arrow_groups(const std::vector<std::string>& paths) {
  auto out = std::make_unique<ArrowGroups>(paths);
  TRY(out->open());
  return out;
}

}  // namespace maru::data
