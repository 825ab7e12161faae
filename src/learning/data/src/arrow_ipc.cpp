#include "arrow_ipc.h"

#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <mutex>

#include "encoding.h"
#include "flat_reader.h"
#include "lz4_frame.h"
#include "maru/base/text.h"
#include "text_encoder.h"

namespace maru::data {

namespace {

using base::Code;

// Schema.fbs: the members of `Type`.
enum Type : std::uint8_t {
  kTypeNull = 1,
  kTypeInt = 2,
  kTypeFloat = 3,
  kTypeBinary = 4,
  kTypeUtf8 = 5,
  kTypeBool = 6,
  kTypeDecimal = 7,
  kTypeDate = 8,
  kTypeTime = 9,
  kTypeTimestamp = 10,
  kTypeLargeUtf8 = 20,
  kTypeUtf8View = 24
};
constexpr std::uint8_t kSchemaMessage = 1, kDictionaryMessage = 2, kBatchMessage = 3;
__extension__ typedef __int128 Wide;
__extension__ typedef unsigned __int128 WideBits;
constexpr std::size_t kViewBytes = 16, kInlineText = 12;
constexpr std::uint64_t kMaxWords = 1ull << 27;

template <class T>
T value_at(std::string_view bytes, std::size_t i) {
  T out{};
  std::memcpy(&out, bytes.data() + i * sizeof out, sizeof out);
  return out;
}

double half_value(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  double out = exponent == 0    ? std::ldexp(mantissa, -24)
               : exponent == 31 ? (mantissa == 0 ? HUGE_VAL : std::nan(""))
                                : std::ldexp(mantissa + 1024, exponent - 25);
  return (bits & 0x8000) != 0 ? -out : out;
}

std::int64_t signed_at(std::string_view bytes, int width, std::size_t i) {
  switch (width) {
    case 1:
      return value_at<std::int8_t>(bytes, i);
    case 2:
      return value_at<std::int16_t>(bytes, i);
    case 4:
      return value_at<std::int32_t>(bytes, i);
    default:
      return value_at<std::int64_t>(bytes, i);
  }
}

std::uint64_t unsigned_at(std::string_view bytes, int width, std::size_t i) {
  switch (width) {
    case 1:
      return value_at<std::uint8_t>(bytes, i);
    case 2:
      return value_at<std::uint16_t>(bytes, i);
    case 4:
      return value_at<std::uint32_t>(bytes, i);
    default:
      return value_at<std::uint64_t>(bytes, i);
  }
}

// Microseconds of a moment counted in units of 1/`per_second`; what no 64 bits hold is the nearest that they do.
std::int64_t micros(std::int64_t value, std::int64_t per_second) {
  if (per_second > 1'000'000) {
    const std::int64_t by = per_second / 1'000'000;
    return value / by - (value % by < 0 ? 1 : 0);
  }
  std::int64_t out = 0;
  if (!__builtin_mul_overflow(value, 1'000'000 / per_second, &out)) return out;
  return value < 0 ? std::numeric_limits<std::int64_t>::min()
                   : std::numeric_limits<std::int64_t>::max();
}

std::string clock_text(std::int64_t value, std::int64_t per_second) {
  const std::int64_t us = micros(value, per_second), seconds = us / 1'000'000;
  char text[40];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d", static_cast<int>(seconds / 3600 % 24),
                static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  std::string out = text;
  if (us % 1'000'000 != 0) {
    std::snprintf(text, sizeof text, ".%06d", static_cast<int>(us % 1'000'000));
    out += text;
  }
  return out;
}

std::string decimal_text(Wide value) {
  const bool minus = value < 0;
  std::string out;
  auto left = minus ? -static_cast<WideBits>(value) : static_cast<WideBits>(value);
  do out += static_cast<char>('0' + static_cast<int>(left % 10));
  while ((left /= 10) != 0);
  if (minus) out += '-';
  return {out.rbegin(), out.rend()};
}

base::Result<ArrowField> field_of(const FlatTable& table, const std::string& file) {
  ArrowField out;
  out.name = std::string(table.text(0));
  const auto kind = table.scalar<std::uint8_t>(2);
  const auto refuse = [&](const std::string& what) {
    return base::fail(
        Code::kUnimplemented,
        "a column of " + what + ": " + base::replace_invalid_utf8(out.name) + " in " + file,
        "flatten it or cast it to text before writing the file");
  };
  if (kind != kTypeNull && !table.has(3)) return refuse("no known type");
  constexpr std::int64_t kUnits[] = {1, 1000, 1'000'000, 1'000'000'000};
  const auto unit = [&](const FlatTable& type, std::int16_t otherwise) {
    return kUnits[static_cast<unsigned>(type.scalar<std::int16_t>(0, otherwise)) & 3u];
  };
  if (kind == kTypeInt) {
    const FlatTable type = table.table(3);
    out.width = type.scalar<std::int32_t>(0) / 8;
    out.kind = type.scalar<std::uint8_t>(1) != 0 ? ArrowKind::kInteger : ArrowKind::kUnsigned;
    if (out.width != 1 && out.width != 2 && out.width != 4 && out.width != 8)
      return refuse("integers of odd width");
  } else if (kind == kTypeFloat) {
    const auto precision = table.table(3).scalar<std::int16_t>(0);
    out.kind = ArrowKind::kReal;
    out.width = precision == 0 ? 2 : precision == 1 ? 4 : 8;
  } else if (kind == kTypeUtf8) {
    out.kind = ArrowKind::kText;
  } else if (kind == kTypeLargeUtf8) {
    out.kind = ArrowKind::kLargeText;
  } else if (kind == kTypeUtf8View) {
    out.kind = ArrowKind::kTextView;
  } else if (kind == kTypeBool) {
    out.kind = ArrowKind::kBool;
  } else if (kind == kTypeDate) {
    const bool days = table.table(3).scalar<std::int16_t>(0, 1) == 0;
    out.kind = ArrowKind::kDate;
    out.width = days ? 4 : 8;
    out.unit = days ? 1 : 1000;
  } else if (kind == kTypeTimestamp) {
    out.kind = ArrowKind::kTimestamp;
    out.width = 8;
    out.unit = unit(table.table(3), 0);
  } else if (kind == kTypeTime) {
    out.kind = ArrowKind::kTime;
    out.unit = unit(table.table(3), 1);
    out.width = out.unit <= 1000 ? 4 : 8;
  } else if (kind == kTypeDecimal) {
    const FlatTable type = table.table(3);
    out.kind = ArrowKind::kDecimal;
    out.width = type.scalar<std::int32_t>(2, 128) / 8;
    out.scale = type.scalar<std::int32_t>(1);
    if (out.width != 16 || out.scale < -38 || out.scale > 38) return refuse("wide decimals");
  } else if (kind != kTypeNull) {
    return refuse("lists, structures, bytes or intervals (Arrow type " + std::to_string(kind) +
                  ")");
  }
  if (table.has(4)) {
    const FlatTable words = table.table(4);
    out.dictionary = words.scalar<std::int64_t>(0);
    out.index_width = words.has(1) ? words.table(1).scalar<std::int32_t>(0, 32) / 8 : 4;
    if (out.index_width != 1 && out.index_width != 2 && out.index_width != 4 &&
        out.index_width != 8)
      return refuse("dictionary indexes of odd width");
  }
  return out;
}

}  // namespace

ColumnType ArrowField::type() const {
  switch (kind) {
    case ArrowKind::kNull:
    case ArrowKind::kReal:
      return ColumnType::kFloat;
    case ArrowKind::kBool:
      return ColumnType::kBool;
    case ArrowKind::kInteger:
    case ArrowKind::kUnsigned:
      return ColumnType::kInteger;
    case ArrowKind::kDate:
    case ArrowKind::kTimestamp:
      return ColumnType::kTimestamp;
    case ArrowKind::kDecimal:
      return scale <= 0 ? ColumnType::kInteger : ColumnType::kFloat;
    default:
      return ColumnType::kText;
  }
}

// The dictionary that was unpacked last, by id and length of its history.
struct ArrowReader::Cache {
  std::mutex mutex;
  std::map<std::int64_t, std::pair<std::size_t, std::shared_ptr<const Column>>> last;
};

// The buffers of one batch, one column after the other.
class ArrowReader::Buffers {
 public:
  Buffers(const ArrowReader& reader, const Batch& batch) : reader_(reader), batch_(batch) {}

  base::Status skip_to_node() { return take_node() ? base::Status() : base::Status(broken()); }
  std::uint64_t length() const { return batch_.lengths[node_ - 1]; }
  std::uint64_t nulls() const { return batch_.nulls[node_ - 1]; }
  std::size_t take() { return buffer_++; }
  std::uint64_t take_views() { return view_ < batch_.views.size() ? batch_.views[view_++] : 0; }

  // Bytes [from, from + bytes) of a buffer. A packed one is unpacked as a whole.
  base::Result<std::string> bytes(std::size_t buffer, std::uint64_t from, std::uint64_t count) {
    if (buffer >= batch_.buffers.size()) return broken();
    const Range& range = batch_.buffers[buffer];
    if (batch_.codec < 0) {
      if (from > range.bytes || count > range.bytes - from) return broken();
      return reader_.bytes_->read(batch_.body + range.offset + from, count);
    }
    if (unpacked_ != buffer || text_.empty()) TRY(unpack(buffer));
    if (from > text_.size() || count > text_.size() - from) return broken();
    return text_.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(count));
  }

 private:
  bool take_node() { return node_++ < batch_.lengths.size(); }
  tl::unexpected<base::Error> broken() const {
    return reader_.broken("a column lies outside of its batch");
  }
  base::Status unpack(std::size_t buffer) {
    const Range& range = batch_.buffers[buffer];
    unpacked_ = buffer;
    text_.clear();
    if (range.bytes == 0) return {};
    TRY_ASSIGN(const std::string packed,
               reader_.bytes_->read(batch_.body + range.offset, range.bytes));
    if (packed.size() < 8) return broken();
    const auto size = value_at<std::int64_t>(packed, 0);
    const std::string_view body = std::string_view(packed).substr(8);
    if (size == -1) {
      text_ = body;
      return {};
    }
    if (size < 0 || static_cast<std::uint64_t>(size) > kMaxArrowPacked)
      return base::fail(
          Code::kTooLarge,
          "a packed column over " + base::format_bytes(kMaxArrowPacked) + ": " + reader_.name_,
          "write smaller batches");
    const auto bytes = static_cast<std::size_t>(size);
    if (batch_.codec == 0)
      return unpack_lz4_frame(body, bytes, text_)
                 ? base::Status()
                 : base::Status(reader_.broken("a packed column is damaged"));
    text_.resize(bytes);
    if (ZSTD_decompress(text_.data(), bytes, body.data(), body.size()) != bytes)
      return reader_.broken("a packed column is damaged");
    return {};
  }

  const ArrowReader& reader_;
  const Batch& batch_;
  std::size_t node_ = 0, buffer_ = 0, view_ = 0;
  std::size_t unpacked_ = static_cast<std::size_t>(-1);
  std::string text_;
};

tl::unexpected<base::Error> ArrowReader::broken(const std::string& what) const {
  return base::fail(Code::kDataLoss, "cannot read Arrow: " + what + ": " + name_,
                    "is the file whole? write it again");
}

base::Result<std::unique_ptr<ArrowReader>> ArrowReader::open(std::shared_ptr<FileBytes> bytes,
                                                             const std::string& name) {
  auto out = std::make_unique<ArrowReader>();
  out->bytes_ = std::move(bytes);
  out->name_ = name;
  out->cache_ = std::make_shared<Cache>();
  TRY(out->walk());
  return out;
}

base::Status ArrowReader::walk() {
  const std::uint64_t size = bytes_->size();
  if (size < 8) return broken("it ends too early");
  TRY_ASSIGN(const std::string magic, bytes_->read(0, 8));
  if (magic.compare(0, 6, "ARROW1") != 0) return walk_stream();
  constexpr std::uint64_t kEnds = 18;  // magic and padding, the footer's length, magic
  if (size < kEnds) return broken("it ends too early");
  TRY_ASSIGN(const std::string tail, bytes_->read(size - 10, 10));
  const auto length = value_at<std::int32_t>(tail, 0);
  if (tail.compare(4, 6, "ARROW1") != 0 || length <= 0 ||
      static_cast<std::uint64_t>(length) > std::min(size - kEnds, kMaxArrowMetadata))
    return broken("it ends too early");
  const std::uint64_t end = size - 10 - static_cast<std::uint64_t>(length);
  TRY_ASSIGN(const std::string footer, bytes_->read(end, static_cast<std::uint64_t>(length)));
  return walk_blocks(footer, end);
}

// The file form: the footer says where the dictionaries and the batches lie; a dictionary counts for all of them.
base::Status ArrowReader::walk_blocks(std::string_view footer, std::uint64_t end) {
  bool ok = true;
  const FlatTable table = FlatTable::root(footer, ok);
  if (!ok || !table.has(1)) return broken("its footer is damaged");
  TRY(read_schema(table.table(1), ok));
  constexpr std::size_t kBlockBytes = 24;
  for (const unsigned list : {2u, 3u}) {
    const std::size_t count = table.size(list, kBlockBytes);
    for (std::size_t i = 0; i < count && ok; ++i) {
      const auto at = table.element<std::uint64_t>(list, i, kBlockBytes, 0);
      const auto head = table.element<std::uint32_t>(list, i, kBlockBytes, 8);
      if (at > end || head > end - at || head < 8 || head > kMaxArrowMetadata)
        return broken("a message lies outside of the file");
      TRY_ASSIGN(const std::string bytes, bytes_->read(at, head));
      const std::size_t prefix = value_at<std::int32_t>(bytes, 0) == -1 ? 8 : 4;
      std::uint64_t body = 0;
      TRY(add_message(std::string_view(bytes).substr(prefix), at + head, end, body));
    }
  }
  if (!ok) return broken("its footer is damaged");
  for (auto& batch : batches_)
    for (const auto& [id, words] : words_) batch.words[id] = words.size();
  return {};
}

// The stream form: the messages one after the other.
base::Status ArrowReader::walk_stream() {
  const std::uint64_t end = bytes_->size();
  std::uint64_t at = 0;
  for (;;) {
    // The end mark may be left out where streams are closed; in a file nothing else tells that the rest is not missing.
    if (at == end) return broken("it has no end mark");
    if (end - at < 8) {
      if (end - at != 4) return broken("it ends too early");
      TRY_ASSIGN(const std::string last, bytes_->read(at, 4));
      if (value_at<std::int32_t>(last, 0) != 0) return broken("it ends too early");
      break;
    }
    TRY_ASSIGN(const std::string head, bytes_->read(at, 8));
    const bool marked = value_at<std::int32_t>(head, 0) == -1;  // files before 0.15 have no mark
    const auto length = value_at<std::int32_t>(head, marked ? 1 : 0);
    at += marked ? 8 : 4;
    if (length == 0) break;
    if (length < 0 || static_cast<std::uint64_t>(length) > std::min(end - at, kMaxArrowMetadata))
      return broken("a message is longer than the file");
    TRY_ASSIGN(const std::string metadata, bytes_->read(at, static_cast<std::uint64_t>(length)));
    at += static_cast<std::uint64_t>(length);
    std::uint64_t body = 0;
    TRY(add_message(metadata, at, end, body));
    at += body;
  }
  return fields_.empty() ? base::Status(broken("it has no schema")) : base::Status();
}

base::Status ArrowReader::add_message(std::string_view metadata, std::uint64_t at,
                                      std::uint64_t end, std::uint64_t& body) {
  bool ok = true;
  const FlatTable message = FlatTable::root(metadata, ok);
  const auto kind = message.scalar<std::uint8_t>(1);
  body = message.scalar<std::uint64_t>(3);
  if (!ok || at > end || body > end - at) return broken("a message is longer than the file");
  if (kind == kSchemaMessage) {
    if (!fields_.empty()) return {};
    const FlatTable schema = message.table(2);
    return ok ? read_schema(schema, ok) : base::Status(broken("its schema is damaged"));
  }
  if (kind != kBatchMessage && kind != kDictionaryMessage) return {};
  if (fields_.empty()) return broken("no schema comes first");
  TRY_ASSIGN(Batch batch, read_batch(metadata, kind == kDictionaryMessage));
  batch.body = at;
  for (const Range& range : batch.buffers)
    if (range.offset > body || range.bytes > body - range.offset)
      return broken("a column lies outside of its batch");
  if (kind == kDictionaryMessage) {
    const FlatTable words = message.table(2);
    words_[words.scalar<std::int64_t>(0)].push_back(
        {std::move(batch), words.scalar<std::uint8_t>(2) != 0});
  } else {
    for (const auto& [id, list] : words_) batch.words[id] = list.size();
    batches_.push_back(std::move(batch));
  }
  return {};
}

base::Status ArrowReader::read_schema(const FlatTable& schema, bool& ok) {
  if (schema.scalar<std::int16_t>(0) != 0)
    return base::fail(Code::kUnimplemented, "Arrow of a big-endian machine: " + name_);
  const std::size_t count = schema.size(1, 4);
  for (std::size_t i = 0; i < count && ok; ++i) {
    TRY_ASSIGN(ArrowField field, field_of(schema.table_element(1, i), name_));
    if (ok && !base::is_valid_utf8(field.name))
      return broken("column " + std::to_string(i + 1) + " has no readable name");
    fields_.push_back(std::move(field));
  }
  return ok && !fields_.empty() ? base::Status() : base::Status(broken("its schema is damaged"));
}

base::Result<ArrowReader::Batch> ArrowReader::read_batch(std::string_view metadata,
                                                         bool dictionary) const {
  bool ok = true;
  const FlatTable header = FlatTable::root(metadata, ok).table(2);
  const FlatTable table = dictionary ? header.table(1) : header;
  Batch out;
  const auto rows = table.scalar<std::int64_t>(0);
  if (rows < 0 || static_cast<std::uint64_t>(rows) > kMaxArrowRows) ok = false;
  out.rows = ok ? static_cast<std::uint64_t>(rows) : 0;
  for (std::size_t i = 0, n = table.size(1, 16); i < n && ok; ++i) {
    out.lengths.push_back(table.element<std::uint64_t>(1, i, 16, 0));
    out.nulls.push_back(table.element<std::uint64_t>(1, i, 16, 8));
    ok = ok && out.lengths.back() == out.rows;
  }
  for (std::size_t i = 0, n = table.size(2, 16); i < n && ok; ++i)
    out.buffers.push_back(
        {table.element<std::uint64_t>(2, i, 16, 0), table.element<std::uint64_t>(2, i, 16, 8)});
  if (table.has(3)) out.codec = table.table(3).scalar<std::int8_t>(0);
  for (std::size_t i = 0, n = table.size(4, 8); i < n && ok; ++i)
    out.views.push_back(table.element<std::uint64_t>(4, i, 8, 0));
  if (!ok || out.codec > 1 || out.codec < -1) return broken("the head of a batch is damaged");
  return out;
}

base::Result<std::shared_ptr<const Column>> ArrowReader::dictionary(const ArrowField& field,
                                                                    std::size_t batches) const {
  const std::int64_t id = *field.dictionary;
  const auto found = words_.find(id);
  if (found == words_.end() || batches == 0)
    return broken("the words of " + field.name + " are missing");
  const std::lock_guard lock(cache_->mutex);
  auto& [have, column] = cache_->last[id];
  if (column != nullptr && have == batches) return column;
  std::size_t from = batches - 1;  // a batch that is no addition begins anew
  while (from > 0 && found->second[from].delta) --from;
  ArrowField values = field;
  values.dictionary.reset();
  if (values.kind == ArrowKind::kNull)
    return broken("the words of " + field.name + " have no type");
  auto all = std::make_shared<Column>();
  TextEncoder encoder(*all);
  all->type = field.type();
  for (; from < batches; ++from) {
    const Words& words = found->second[from];
    if (words.batch.rows > kMaxWords) return broken("too many words of " + field.name);
    Buffers buffers(*this, words.batch);
    bool beyond = false;
    TRY_ASSIGN(const Column part, read_column(values, buffers, 0, words.batch.rows, false, beyond));
    for (std::size_t row = 0; row < part.rows(); ++row) {
      if (part.type == ColumnType::kFloat)
        all->reals.push_back(part.reals[row]);
      else if (part.type != ColumnType::kText)
        all->integers.push_back(part.integers[row]);
      else if (part.codes[row] < 0)
        encoder.add_missing();
      else
        encoder.add(part.text(row));
      all->valid.push_back(part.is_valid(row) ? 1 : 0);
    }
  }
  have = batches;
  column = all;
  return column;
}

namespace {

// A text column out of Arrow's buffers.
class Texts {
 public:
  Texts(Column& column, const std::vector<std::uint8_t>& valid) : encoder_(column), valid_(valid) {}
  bool add(std::size_t row, std::string_view text) {
    if (!valid_.empty() && valid_[row] == 0) {
      encoder_.add_missing();
      return true;
    }
    const bool fine = is_utf8(text);
    encoder_.add(fine ? text : std::string_view());
    return fine;
  }

 private:
  TextEncoder encoder_;
  const std::vector<std::uint8_t>& valid_;
};

}  // namespace

// Where a slice of a column goes: its rows, which of them are there, and the column itself.
struct ArrowReader::Slice {
  const ArrowField& field;
  std::uint64_t from, count;
  Column& out;
  bool& beyond;
  bool has(std::size_t i) const { return out.valid.empty() || out.valid[i] != 0; }
};

base::Status ArrowReader::read_texts(Buffers& buffers, Slice slice) const {
  const bool large = slice.field.kind == ArrowKind::kLargeText;
  const std::uint64_t step = large ? 8 : 4;
  const std::size_t offsets_at = buffers.take(), data_at = buffers.take();
  Texts texts(slice.out, slice.out.valid);
  const auto rows = static_cast<std::size_t>(slice.count);
  if (rows == 0) return {};
  TRY_ASSIGN(const std::string offsets,
             buffers.bytes(offsets_at, slice.from * step, (slice.count + 1) * step));
  const auto offset = [&](std::size_t i) {
    return large ? value_at<std::int64_t>(offsets, i) : value_at<std::int32_t>(offsets, i);
  };
  const std::int64_t first = offset(0), last = offset(rows);
  if (first < 0 || last < first) return broken("the texts of " + slice.field.name + " overlap");
  TRY_ASSIGN(const std::string data, buffers.bytes(data_at, static_cast<std::uint64_t>(first),
                                                   static_cast<std::uint64_t>(last - first)));
  for (std::size_t i = 0; i < rows; ++i) {
    const std::int64_t begin = offset(i), end = offset(i + 1);
    if (begin < first || end < begin || end > last)
      return broken("the texts of " + slice.field.name + " overlap");
    if (!texts.add(i, std::string_view(data).substr(static_cast<std::size_t>(begin - first),
                                                    static_cast<std::size_t>(end - begin))))
      return no_text(slice, i);
  }
  return {};
}

base::Status ArrowReader::read_views(Buffers& buffers, Slice slice) const {
  const std::size_t views_at = buffers.take();
  const auto data_buffers =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffers.take_views(), 1u << 20));
  for (std::size_t i = 0; i < data_buffers; ++i) buffers.take();
  Texts texts(slice.out, slice.out.valid);
  const auto rows = static_cast<std::size_t>(slice.count);
  if (rows == 0) return {};
  TRY_ASSIGN(const std::string views,
             buffers.bytes(views_at, slice.from * kViewBytes, slice.count * kViewBytes));
  const auto word = [&](std::size_t row, std::size_t k) {
    return value_at<std::uint32_t>(views, row * 4 + k);
  };
  // What of each buffer these rows need: [first, second).
  std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> needed;
  for (std::size_t i = 0; i < rows; ++i) {
    if (!slice.has(i) || word(i, 0) <= kInlineText) continue;
    const std::uint64_t begin = word(i, 3), end = begin + word(i, 0);
    if (word(i, 2) >= data_buffers)
      return broken("the texts of " + slice.field.name + " lie nowhere");
    auto& range = needed.try_emplace(word(i, 2), begin, end).first->second;
    range = {std::min(range.first, begin), std::max(range.second, end)};
  }
  std::map<std::uint32_t, std::string> data;
  for (const auto& [buffer, range] : needed) {
    TRY_ASSIGN(data[buffer],
               buffers.bytes(views_at + 1 + buffer, range.first, range.second - range.first));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    std::string_view text;
    if (slice.has(i) && word(i, 0) <= kInlineText)
      text = std::string_view(views).substr(i * kViewBytes + 4, word(i, 0));
    else if (slice.has(i))
      text =
          std::string_view(data[word(i, 2)])
              .substr(static_cast<std::size_t>(word(i, 3) - needed[word(i, 2)].first), word(i, 0));
    if (!texts.add(i, text)) return no_text(slice, i);
  }
  return {};
}

tl::unexpected<base::Error> ArrowReader::no_text(const Slice& slice, std::size_t row) const {
  return base::fail(Code::kInvalidArgument, "a text that is not UTF-8: " + slice.field.name +
                                                " row " + std::to_string(slice.from + row + 1) +
                                                " of a batch of " + name_);
}

base::Status ArrowReader::read_bits(Buffers& buffers, std::size_t buffer, Slice slice,
                                    std::vector<std::uint8_t>& out) const {
  if (slice.count == 0) return {};
  const std::uint64_t from = slice.from % 8;
  TRY_ASSIGN(const std::string bits,
             buffers.bytes(buffer, slice.from / 8, (from + slice.count + 7) / 8));
  out.resize(static_cast<std::size_t>(slice.count));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = static_cast<std::size_t>(from) + i;
    out[i] = static_cast<std::uint8_t>(static_cast<unsigned char>(bits[at / 8]) >> (at % 8) & 1);
  }
  return {};
}

namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;

std::int64_t day_us(std::int64_t days) {
  std::int64_t out = 0;
  if (!__builtin_mul_overflow(days, kDayUs, &out)) return out;
  return days < 0 ? std::numeric_limits<std::int64_t>::min()
                  : std::numeric_limits<std::int64_t>::max();
}

// A whole number as digits or as 64 bits, whichever the column has.
void add_whole(Wide value, std::size_t row, Column& out, std::optional<Texts>& texts,
               bool& beyond) {
  beyond = beyond || value > std::numeric_limits<std::int64_t>::max() ||
           value < std::numeric_limits<std::int64_t>::min();
  if (texts)
    texts->add(row, decimal_text(value));
  else
    out.integers.push_back(static_cast<std::int64_t>(value));
}

void add_value(const ArrowField& field, std::string_view data, std::size_t i, Column& out,
               std::optional<Texts>& texts, bool& beyond) {
  switch (field.kind) {
    case ArrowKind::kReal:
      out.reals.push_back(field.width == 8   ? value_at<double>(data, i)
                          : field.width == 4 ? static_cast<double>(value_at<float>(data, i))
                                             : half_value(value_at<std::uint16_t>(data, i)));
      return;
    case ArrowKind::kUnsigned:
      return add_whole(static_cast<Wide>(unsigned_at(data, field.width, i)), i, out, texts, beyond);
    case ArrowKind::kDecimal: {
      auto value = value_at<Wide>(data, i);
      if (field.scale > 0) {
        out.reals.push_back(
            static_cast<double>(static_cast<long double>(value) / std::pow(10.0L, field.scale)));
        return;
      }
      for (int k = field.scale; k < 0; ++k)
        if (__builtin_mul_overflow(value, 10, &value)) beyond = true;
      return add_whole(value, i, out, texts, beyond);
    }
    case ArrowKind::kTime:
      texts->add(i, clock_text(signed_at(data, field.width, i), field.unit));
      return;
    case ArrowKind::kDate: {
      const std::int64_t value = signed_at(data, field.width, i);
      out.integers.push_back(field.unit == 1 ? day_us(value) : micros(value, 1000));
      return;
    }
    case ArrowKind::kTimestamp:
      out.integers.push_back(micros(signed_at(data, 8, i), field.unit));
      return;
    default:
      return add_whole(signed_at(data, field.width, i), i, out, texts, beyond);
  }
}

}  // namespace

base::Status ArrowReader::read_values(Buffers& buffers, Slice slice) const {
  Column& out = slice.out;
  const std::size_t data_at = buffers.take();
  if (slice.field.kind == ArrowKind::kBool) {
    std::vector<std::uint8_t> bits;
    TRY(read_bits(buffers, data_at, slice, bits));
    for (std::size_t i = 0; i < bits.size(); ++i)
      out.integers.push_back(slice.has(i) ? bits[i] : 0);
    return {};
  }
  const auto width = static_cast<std::uint64_t>(slice.field.width);
  TRY_ASSIGN(const std::string data,
             buffers.bytes(data_at, slice.from * width, slice.count * width));
  std::optional<Texts> texts;
  if (out.type == ColumnType::kText) texts.emplace(out, out.valid);
  for (std::size_t i = 0; i < slice.count; ++i) {
    if (slice.has(i))
      add_value(slice.field, data, i, out, texts, slice.beyond);
    else if (texts)
      texts->add(i, {});
    else if (out.type == ColumnType::kFloat)
      out.reals.push_back(std::nan(""));
    else
      out.integers.push_back(0);
  }
  return {};
}

base::Result<Column> ArrowReader::read_column(const ArrowField& field, Buffers& buffers,
                                              std::uint64_t from, std::uint64_t count, bool as_text,
                                              bool& beyond) const {
  TRY(buffers.skip_to_node());
  Column out;
  out.name = field.name;
  out.type = as_text ? ColumnType::kText : field.type();
  if (field.kind == ArrowKind::kNull) {
    out.valid.assign(static_cast<std::size_t>(count), 0);
    out.reals.assign(static_cast<std::size_t>(count), std::nan(""));
    return out;
  }
  const Slice slice{field, from, count, out, beyond};
  const std::size_t validity = buffers.take();
  if (buffers.nulls() > 0) TRY(read_bits(buffers, validity, slice, out.valid));
  if (field.kind == ArrowKind::kText || field.kind == ArrowKind::kLargeText)
    TRY(read_texts(buffers, slice));
  else if (field.kind == ArrowKind::kTextView)
    TRY(read_views(buffers, slice));
  else
    TRY(read_values(buffers, slice));
  return out;
}

// The values of a column whose batch holds places in a dictionary.
base::Result<Column> ArrowReader::read_coded(const ArrowField& field, const Batch& batch,
                                             Buffers& buffers, std::uint64_t from,
                                             std::uint64_t count) const {
  ArrowField indexes;
  indexes.name = field.name;
  indexes.kind = ArrowKind::kInteger;
  indexes.width = field.index_width;
  bool beyond = false;
  TRY_ASSIGN(const Column codes, read_column(indexes, buffers, from, count, false, beyond));
  const auto history = batch.words.find(*field.dictionary);
  TRY_ASSIGN(const auto words,
             dictionary(field, history == batch.words.end() ? 0 : history->second));
  Column out;
  out.name = field.name;
  out.type = field.type();
  std::optional<TextEncoder> encoder;
  if (out.type == ColumnType::kText) encoder.emplace(out);
  bool missing = false;
  for (std::size_t i = 0; i < codes.rows(); ++i) {
    const std::int64_t code = codes.integers[i];
    const bool valid = codes.is_valid(i);
    if (valid && (code < 0 || static_cast<std::uint64_t>(code) >= words->rows()))
      return broken("a value of " + field.name + " is not among its words");
    const auto at = static_cast<std::size_t>(code);
    const bool there = valid && words->is_valid(at);
    missing = missing || !there;
    out.valid.push_back(there ? 1 : 0);
    if (encoder) {
      if (there)
        encoder->add(words->text(at));
      else
        encoder->add_missing();
    } else if (out.type == ColumnType::kFloat) {
      out.reals.push_back(there ? words->reals[at] : std::nan(""));
    } else {
      out.integers.push_back(there ? words->integers[at] : 0);
    }
  }
  if (!missing) out.valid.clear();
  return out;
}

base::Result<Table> ArrowReader::read(std::size_t batch, std::uint64_t from, std::uint64_t count,
                                      const std::vector<bool>& as_text,
                                      std::vector<bool>& beyond) const {
  const Batch& source = batches_[batch];
  if (source.lengths.size() < fields_.size()) return broken("a batch lacks columns");
  Buffers buffers(*this, source);
  Table out;
  beyond.assign(fields_.size(), false);
  for (std::size_t c = 0; c < fields_.size(); ++c) {
    bool over = false;
    auto column = fields_[c].dictionary
                      ? read_coded(fields_[c], source, buffers, from, count)
                      : read_column(fields_[c], buffers, from, count, as_text[c], over);
    if (!column) return tl::unexpected(column.error());
    out.columns.push_back(std::move(*column));
    beyond[c] = over;
  }
  return out;
}

}  // namespace maru::data
