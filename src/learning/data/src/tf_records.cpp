#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "byte_source.h"
#include "crc32c.h"
#include "delimited.h"
#include "encoding.h"
#include "keyed_groups.h"
#include "maru/base/text.h"

// TFRecord files of tf.train.Example (tensorflow/core/lib/io/record_writer.h, example/feature.proto): a feature with one value is a cell, with none a missing
// one, with several a JSON list; bytes that are not UTF-8 come as base64.
namespace maru::data {

namespace {

using base::Code;

constexpr std::size_t kHeadSize = 12, kTailSize = 4;

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  T out{};
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

// Protocol buffers' wire format, one message; ok() is false for good once something lies outside of it.
class Wire {
 public:
  explicit Wire(std::string_view message) : bytes_(message) {}
  bool ok() const { return ok_; }
  // The next field; false at the end.
  bool next() {
    if (!ok_ || bytes_.empty()) return false;
    const std::uint64_t tag = varint();
    field = static_cast<unsigned>(tag >> 3);
    type = static_cast<unsigned>(tag & 7);
    if (type == 0) {
      value = varint();
    } else if (type == 2) {
      const std::uint64_t size = varint();
      if (size > bytes_.size()) ok_ = false;
      if (ok_) bytes = take(static_cast<std::size_t>(size));
    } else if (type == 5 || type == 1) {
      const std::size_t size = type == 5 ? 4 : 8;
      if (bytes_.size() < size) ok_ = false;
      if (ok_) bytes = take(size);
    } else {
      ok_ = false;
    }
    return ok_;
  }
  std::uint64_t varint() {
    std::uint64_t out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return out;
    }
    ok_ = false;
    return 0;
  }
  bool empty() const { return bytes_.empty(); }
  unsigned field = 0, type = 0;
  std::uint64_t value = 0;
  std::string_view bytes;

 private:
  std::string_view take(std::size_t size) {
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  std::string_view bytes_;
  bool ok_ = true;
};

// The values of one feature, as texts; the texts of several are put together as a list.
class Feature {
 public:
  bool read(std::string_view bytes) {
    Wire feature(bytes);
    while (feature.next()) {
      if (feature.type != 2 || feature.field < 1 || feature.field > 3) continue;
      kind = feature.field;
      Wire list(feature.bytes);
      while (list.next())
        if (list.field == 1 && !one(list)) return false;
      if (!list.ok()) return false;
    }
    return feature.ok();
  }
  std::vector<std::string> values;
  unsigned kind = 0;  // 1: bytes, 2: floats, 3: whole numbers

 private:
  bool one(Wire& list) {
    if (kind == 1) {
      if (list.type != 2) return false;
      values.push_back(is_utf8(list.bytes) ? std::string(list.bytes) : base::base64(list.bytes));
    } else if (kind == 3 && list.type == 0) {
      values.push_back(std::to_string(static_cast<std::int64_t>(list.value)));
    } else if (kind == 3 && list.type == 2) {
      Wire packed(list.bytes);
      while (!packed.empty() && packed.ok())
        values.push_back(std::to_string(static_cast<std::int64_t>(packed.varint())));
      return packed.ok();
    } else if (kind == 2 && (list.type == 5 || list.type == 2) && list.bytes.size() % 4 == 0) {
      for (std::size_t at = 0; at < list.bytes.size(); at += 4)
        add_real(static_cast<double>(number_at<float>(list.bytes, at)));
    } else {
      return false;
    }
    return true;
  }
  void add_real(double value) {
    std::array<char, 40> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
    values.emplace_back(text.data(), end.ptr);
    // A whole number stays a float.
    if (values.back().find_first_not_of("-0123456789") == std::string::npos) values.back() += ".0";
  }
};

std::string list_text(const Feature& feature) {
  std::string out = "[";
  for (const auto& value : feature.values) {
    if (out.size() > 1) out += ',';
    out += feature.kind == 1 ? base::Json(value).dump() : value;
  }
  return out + "]";
}

class TfRecords final : public RecordFormat {
 public:
  explicit TfRecords(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  base::Status start() override {
    file_ = 0;
    return start_file();
  }

  base::Result<bool> claim(std::size_t bytes, Piece& piece) override {
    while (file_ < paths_.size()) {
      piece.text.clear();
      piece.file = file_;
      piece.offset = offset_;
      while (piece.text.size() < bytes) {
        TRY_ASSIGN(const bool more, record(piece.text));
        if (!more) break;
      }
      if (!piece.text.empty()) return true;
      if (++file_ < paths_.size()) TRY(start_file());
    }
    return false;
  }

  base::Status parse(Piece& piece, KeyedRows& rows) const override {
    const std::string_view text = piece.text;
    for (std::size_t at = 0; at < text.size();) {
      const auto size = static_cast<std::size_t>(number_at<std::uint64_t>(text, at));
      const std::string_view body = text.substr(at + kHeadSize, size);
      if (masked_crc32c(body) != number_at<std::uint32_t>(text, at + kHeadSize + size))
        return damaged("a record's checksum is wrong", piece, at);
      rows.begin_row();
      const std::string wrong = example(body, rows);
      if (!wrong.empty()) return damaged(wrong, piece, at);
      rows.end_row();
      at += kHeadSize + size + kTailSize;
    }
    return {};
  }

 private:
  base::Status start_file() {
    offset_ = 0;
    TRY_ASSIGN(source_, ByteSource::open(paths_[file_]));
    if (source_->head().empty())
      return base::fail(Code::kInvalidArgument, "the file is empty: " + paths_[file_]);
    return {};
  }

  base::Status damaged(const std::string& what, const Piece& piece, std::size_t at) const {
    return base::fail(Code::kDataLoss,
                      "cannot read TFRecord: " + what + ": " + paths_[piece.file] + " byte " +
                          std::to_string(piece.offset + at),
                      "are these tf.train.Example records? copy or write the file again");
  }

  // Appends one record; false at the end of the file.
  base::Result<bool> record(std::string& text) {
    std::array<char, kHeadSize> head{};
    TRY_ASSIGN(const std::size_t got, source_->read(head.data(), head.size()));
    if (got == 0) return false;
    const std::string_view bytes(head.data(), got);
    const Piece here{file_, offset_, {}};
    if (got < kHeadSize) return tl::unexpected(damaged("it ends too early", here, 0).error());
    if (masked_crc32c(bytes.substr(0, 8)) != number_at<std::uint32_t>(bytes, 8))
      return tl::unexpected(damaged("a length's checksum is wrong", here, 0).error());
    const auto size = number_at<std::uint64_t>(bytes, 0);
    if (size > kMaxRowBytes)
      return base::fail(Code::kTooLarge, "a record over " + base::format_bytes(kMaxRowBytes) +
                                             ": " + paths_[file_] + " byte " +
                                             std::to_string(offset_));
    const std::size_t had = text.size(), rest = static_cast<std::size_t>(size) + kTailSize;
    text.append(bytes);
    text.resize(had + kHeadSize + rest);
    TRY_ASSIGN(const std::size_t body, source_->read(text.data() + had + kHeadSize, rest));
    if (body < rest) return tl::unexpected(damaged("it ends too early", here, 0).error());
    offset_ += kHeadSize + rest;
    return true;
  }

  // "" when all was well.
  static std::string example(std::string_view body, KeyedRows& rows) {
    Wire message(body);
    while (message.next()) {
      if (message.field != 1 || message.type != 2) continue;
      Wire features(message.bytes);
      while (features.next()) {
        if (features.field != 1 || features.type != 2) continue;
        Wire entry(features.bytes);
        std::string_view name;
        Feature feature;
        while (entry.next()) {
          if (entry.field == 1 && entry.type == 2) name = entry.bytes;
          if (entry.field == 2 && entry.type == 2 && !feature.read(entry.bytes))
            return "a feature is broken";
        }
        if (!entry.ok() || name.empty() || !is_utf8(name)) return "a feature is broken";
        if (!put(name, feature, rows))
          return "the feature " + std::string(name) + " comes twice in one record";
      }
      if (!features.ok()) return "the features are broken";
    }
    return message.ok() ? "" : "it is no message of protocol buffers";
  }

  static bool put(std::string_view name, const Feature& feature, KeyedRows& rows) {
    if (feature.values.empty()) return rows.missing(name);
    if (feature.values.size() > 1) return rows.nested(name, list_text(feature));
    const std::string& value = feature.values.front();
    return feature.kind == 1 ? rows.quoted(name, value) : rows.word(name, value);
  }

  const std::vector<std::string> paths_;
  std::size_t file_ = 0;
  std::uint64_t offset_ = 0;
  std::unique_ptr<ByteSource> source_;
};

}  // namespace

std::unique_ptr<RecordFormat> tf_records(std::vector<std::string> paths) {
  return std::make_unique<TfRecords>(std::move(paths));
}

}  // namespace maru::data
