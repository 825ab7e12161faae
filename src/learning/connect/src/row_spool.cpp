#include "row_spool.h"

#include <cerrno>

#include "maru/base/clock.h"

namespace maru::connect {
namespace {

using base::Code;
using base::fail;

constexpr std::size_t kGroupRows = 65'536;
constexpr std::size_t kGroupBytes = 32u
                                    << 20;  // of new text; a group is encoded when it has either

}  // namespace

base::Result<std::unique_ptr<RowSpool>> RowSpool::open(const std::string& path,
                                                       std::vector<data::StreamColumn> columns,
                                                       SourceMeter& meter) {
  std::unique_ptr<RowSpool> out(
      new RowSpool(path, columns, meter));  // tidy: allow new: its constructor is private
  TRY_ASSIGN(out->format_, data::RowFormat::open(path, std::move(columns)));
  out->file_ = std::fopen(path.c_str(), "wb");
  if (out->file_ == nullptr)
    return fail(errno == ENOSPC ? Code::kNoSpace : Code::kInternal,
                "cannot write a temporary file: " + path);
  TRY(out->put(out->format_->head()));
  out->begin_group();
  return out;
}

RowSpool::~RowSpool() {
  if (file_ != nullptr) std::fclose(file_);
}

void RowSpool::begin_group() {
  group_.columns.assign(columns_.size(), {});
  codes_.clear();
  codes_.resize(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    group_.columns[i].name = columns_[i].name;
    group_.columns[i].type = columns_[i].type;
  }
  group_rows_ = group_bytes_ = 0;
}

void RowSpool::null(std::size_t column) {
  data::Column& c = group_.columns[column];
  if (c.valid.empty()) c.valid.assign(group_rows_, 1);
  c.valid.push_back(0);
  if (c.type == data::ColumnType::kText)
    c.codes.push_back(-1);
  else if (c.type == data::ColumnType::kFloat)
    c.reals.push_back(0);
  else
    c.integers.push_back(0);
}

void RowSpool::integer(std::size_t column, std::int64_t value) {
  data::Column& c = group_.columns[column];
  if (!c.valid.empty()) c.valid.push_back(1);
  c.integers.push_back(value);
}

void RowSpool::real(std::size_t column, double value) {
  data::Column& c = group_.columns[column];
  if (!c.valid.empty()) c.valid.push_back(1);
  c.reals.push_back(value);
}

void RowSpool::text(std::size_t column, std::string_view value) {
  data::Column& c = group_.columns[column];
  if (!c.valid.empty()) c.valid.push_back(1);
  Codes& codes = codes_[column];
  const auto found = codes.by_text.find(value);
  if (found != codes.by_text.end()) {
    c.codes.push_back(found->second);
    return;
  }
  const auto code = static_cast<std::int32_t>(codes.owned.size());
  codes.owned.push_back(std::make_unique<std::string>(value));
  codes.by_text.emplace(*codes.owned.back(), code);
  c.codes.push_back(code);
  group_bytes_ += value.size();
}

base::Status RowSpool::end_row() {
  ++group_rows_;
  ++total_rows_;
  if (group_rows_ < kGroupRows && group_bytes_ < kGroupBytes) return {};
  return flush();
}

base::Status RowSpool::put(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return {};
  return fail(Code::kNoSpace, "cannot write a temporary file: " + path_, "the disk may be full");
}

base::Status RowSpool::flush() {
  if (group_rows_ == 0) return {};
  const std::int64_t begin_ns = base::system_clock().monotonic_ns();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    auto& dictionary = group_.columns[i].dictionary;
    dictionary.reserve(codes_[i].owned.size());
    codes_[i].by_text.clear();
    for (auto& text : codes_[i].owned) dictionary.push_back(std::move(*text));
  }
  TRY_ASSIGN(data::EncodedRows encoded, format_->encode(group_));
  TRY(put(encoded.bytes));
  layouts_.push_back(std::move(encoded.layout));
  meter_.rows += group_rows_;
  meter_.consumer_wait_ns += base::system_clock().monotonic_ns() - begin_ns;
  begin_group();
  return {};
}

base::Status RowSpool::finish() {
  TRY(flush());
  TRY(put(format_->tail(layouts_)));
  const bool closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (closed) return {};
  return fail(Code::kNoSpace, "cannot write a temporary file: " + path_, "the disk may be full");
}

}  // namespace maru::connect
