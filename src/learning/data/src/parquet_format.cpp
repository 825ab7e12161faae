// Parquet as the format's specification has it (apache/parquet-format, thrift compact protocol): every column optional, one data page a row group,
// texts and numbers of few values by dictionary, zstd where it makes a chunk smaller.
#include "parquet_format.h"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

namespace maru::data {

namespace {

using base::Code;
using base::Json;

constexpr int kZstdLevel = 1;  // level 3 takes twice the time for a tenth of the bytes
constexpr int kNoCodec = 0, kZstdCodec = 6, kPlain = 0, kRle = 3, kRleDictionary = 8;
constexpr int kDataPage = 0, kDictionaryPage = 2;
constexpr std::size_t kMaxPageBytes = 1u << 30;

// Thrift's compact protocol, as far as footers and page headers need it.
class Thrift {
 public:
  void field(int id, int type) {
    const int delta = id - last_;
    if (delta > 0 && delta < 16) {
      out_ += static_cast<char>(delta << 4 | type);
    } else {
      out_ += static_cast<char>(type);
      zigzag(id);
    }
    last_ = id;
  }
  void i32(int id, std::int64_t value) {
    field(id, 5);
    zigzag(value);
  }
  void i64(int id, std::int64_t value) {
    field(id, 6);
    zigzag(value);
  }
  void boolean(int id, bool value) { field(id, value ? 1 : 2); }
  void text(int id, std::string_view value) {
    field(id, 8);
    text(value);
  }
  void text(std::string_view value) {
    varint(value.size());
    out_ += value;
  }
  void list(int id, int type, std::size_t size) {
    field(id, 9);
    if (size < 15) {
      out_ += static_cast<char>(size << 4 | static_cast<std::size_t>(type));
    } else {
      out_ += static_cast<char>(0xf0 | type);
      varint(size);
    }
  }
  template <class Body>
  void structure(int id, Body body) {
    field(id, 12);
    element(body);
  }
  template <class Body>
  void element(Body body) {
    const int before = last_;
    last_ = 0;
    body();
    out_ += '\0';
    last_ = before;
  }
  void zigzag(std::int64_t value) {
    varint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
  int last_ = 0;
};

int physical_type(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return 0;
    case ColumnType::kFloat:
      return 5;
    case ColumnType::kText:
      return 6;
    default:
      return 2;
  }
}

template <class T>
void append_raw_value(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

// One run of the bit-packed hybrid: values of `width` bits, eight a group, the last group padded with zeros.
template <class At>
void append_packed(std::string& out, std::size_t count, unsigned width, At at) {
  const std::size_t groups = (count + 7) / 8;
  Thrift head;
  head.varint(groups << 1 | 1);
  out += head.take();
  const std::size_t start = out.size();
  out.resize(start + groups * width + sizeof(std::uint64_t));
  char* to = out.data() + start;
  std::uint64_t bits = 0;
  unsigned filled = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bits |= static_cast<std::uint64_t>(at(i)) << filled;
    filled += width;
    if (filled < 32) continue;
    const auto low = static_cast<std::uint32_t>(bits);
    std::memcpy(to, &low, sizeof low);
    to += sizeof low;
    bits >>= 32;
    filled -= 32;
  }
  std::memcpy(to, &bits, sizeof bits);  // the padding is zero: what follows was never written
  out.resize(start + groups * width);
}

bool present(const Column& column, std::size_t row) {
  return column.is_valid(row) && (column.type != ColumnType::kText || column.codes[row] >= 0);
}

// The rows that have a value: all of them, or the ones that are listed.
struct Present {
  bool all = true;
  std::size_t count = 0;
  std::vector<std::uint32_t> rows;
  std::size_t row(std::size_t i) const { return all ? i : rows[i]; }
};

// Finds them and writes the definition levels that say which.
Present append_levels(std::string& out, const Column& column) {
  const std::size_t rows = column.rows();
  Present there;
  const bool text = column.type == ColumnType::kText;
  there.all = column.valid.empty() && (!text || std::find(column.codes.begin(), column.codes.end(),
                                                          -1) == column.codes.end());
  there.count = rows;
  if (!there.all) {
    there.rows.resize(rows);
    std::size_t count = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      there.rows[count] = static_cast<std::uint32_t>(r);
      count += present(column, r) ? 1 : 0;
    }
    there.rows.resize(count);
    there.count = count;
    there.all = count == rows;
  }
  std::string levels;
  if (there.all || there.count == 0) {
    Thrift run;
    run.varint(rows << 1);
    levels = run.take() + (there.all ? '\1' : '\0');
  } else {
    append_packed(levels, rows, 1, [&](std::size_t r) { return present(column, r) ? 1u : 0u; });
  }
  append_raw_value(out, static_cast<std::uint32_t>(levels.size()));
  out += levels;
  return there;
}

// The bits of a number, by which values are told apart: -0 is not 0, and every NaN is itself.
std::uint64_t bits_of(const Column& column, std::size_t row) {
  if (column.type != ColumnType::kFloat) return static_cast<std::uint64_t>(column.integers[row]);
  return std::bit_cast<std::uint64_t>(column.reals[row]);
}

void append_values(std::string& out, const Column& column, const Present& there) {
  if (column.type == ColumnType::kBool) {
    std::string packed((there.count + 7) / 8, '\0');
    for (std::size_t i = 0; i < there.count; ++i)
      if (column.integers[there.row(i)] != 0)
        packed[i / 8] = static_cast<char>(packed[i / 8] | 1 << i % 8);
    out += packed;
    return;
  }
  const void* values = column.type == ColumnType::kFloat
                           ? static_cast<const void*>(column.reals.data())
                           : static_cast<const void*>(column.integers.data());
  if (there.all) {
    out.append(static_cast<const char*>(values), there.count * 8);
    return;
  }
  const std::size_t start = out.size();
  out.resize(start + there.count * 8);
  for (std::size_t i = 0; i < there.count; ++i) {
    const std::uint64_t bits = bits_of(column, there.row(i));
    std::memcpy(out.data() + start + i * 8, &bits, sizeof bits);
  }
}

// The distinct numbers of a column in order of first appearance; gives up where they are many, for then values as they stand are smaller.
class NumberCodes {
 public:
  bool fill(const Column& column, const Present& there) {
    constexpr std::size_t kTry = 4096, kMost = 1u << 15;
    if (column.type == ColumnType::kBool || there.count < 64) return false;
    slots_.assign(1u << 17, 0);
    codes.resize(there.count);
    const std::size_t most = std::min(kMost, there.count / 2);
    for (std::size_t i = 0; i < there.count; ++i) {
      if (i == kTry && words.size() > kTry * 3 / 4) return false;
      const std::uint64_t bits = bits_of(column, there.row(i));
      std::size_t at = (bits * 0x9e3779b97f4a7c15u) >> 47;
      while (slots_[at] != 0 && words[slots_[at] - 1] != bits) at = (at + 1) & (slots_.size() - 1);
      if (slots_[at] == 0) {
        if (words.size() >= most) return false;
        words.push_back(bits);
        slots_[at] = static_cast<std::uint32_t>(words.size());
      }
      codes[i] = slots_[at] - 1;
    }
    return true;
  }
  std::vector<std::uint64_t> words;
  std::vector<std::uint32_t> codes;

 private:
  std::vector<std::uint32_t> slots_;  // code + 1; 0 is empty
};

// Packs with a context that its thread keeps; 0 when it cannot. The bytes are the same as without one.
std::size_t pack(std::string& out, std::string_view bytes) {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  out.resize(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(),
                                             bytes.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return 0;
  out.resize(size);
  return size;
}

// Whether packing is worth it, by the beginnings of the pages.
bool packs(const std::string& dictionary, const std::string& page) {
  constexpr std::size_t kSample = 32u << 10, kSmall = 512;
  std::size_t from = 0, to = 0;
  for (const std::string* bytes : {&dictionary, &page}) {
    const std::size_t size = std::min(bytes->size(), kSample);
    if (size == 0) continue;
    std::string packed;
    const std::size_t got = pack(packed, std::string_view(*bytes).substr(0, size));
    if (got == 0) return false;
    from += bytes->size();
    to += bytes->size() * got / size;
  }
  return from > kSmall && to * 10 < from * 9;
}

struct ChunkSizes {
  std::int64_t plain = 0, packed = 0, dictionary = 0;  // bytes; of the dictionary page: its whole
  int codec = kZstdCodec;
};

class ParquetFormat final : public RowFormat {
 public:
  explicit ParquetFormat(std::vector<StreamColumn> columns) : columns_(std::move(columns)) {}

  std::string head() const override { return "PAR1"; }

  base::Result<EncodedRows> encode(const Table& rows) const override {
    EncodedRows out;
    Json chunks = Json::array();
    for (const auto& column : rows.columns) {
      TRY_ASSIGN(const ChunkSizes sizes, append_chunk(out.bytes, column));
      chunks.push(Json::array({sizes.plain, sizes.packed, sizes.dictionary, sizes.codec}));
    }
    out.layout = Json::object({{"rows", static_cast<std::int64_t>(rows.rows())},
                               {"bytes", static_cast<std::int64_t>(out.bytes.size())},
                               {"chunks", std::move(chunks)}});
    return out;
  }

  std::string tail(const std::vector<Json>& layouts) const override {
    std::int64_t rows = 0;
    for (const auto& layout : layouts) rows += layout["rows"].as_int();
    Thrift footer;
    footer.element([&] {
      footer.i32(1, 2);  // version
      footer.list(2, 12, columns_.size() + 1);
      footer.element([&] {
        footer.text(4, "schema");
        footer.i32(5, static_cast<std::int64_t>(columns_.size()));
      });
      for (const auto& column : columns_) footer.element([&] { describe(footer, column); });
      footer.i64(3, rows);
      footer.list(4, 12, layouts.size());
      std::int64_t at = 4;
      for (const auto& layout : layouts) {
        footer.element([&] { group(footer, layout, at); });
        at += layout["bytes"].as_int();
      }
      footer.text(6, "maru");
    });
    std::string out = footer.take();
    append_raw_value(out, static_cast<std::uint32_t>(out.size()));
    return out + "PAR1";
  }

 private:
  static void describe(Thrift& out, const StreamColumn& column) {
    out.i32(1, physical_type(column.type));
    out.i32(3, 1);  // optional
    out.text(4, column.name);
    if (column.type == ColumnType::kText) out.i32(6, 0);  // UTF8
    if (column.type != ColumnType::kTimestamp) return;
    out.structure(10, [&] {
      out.structure(8, [&] {
        out.boolean(1, false);                               // a moment without a zone
        out.structure(2, [&] { out.structure(2, [] {}); });  // microseconds
      });
    });
  }

  void group(Thrift& out, const Json& layout, std::int64_t at) const {
    out.list(1, 12, columns_.size());
    std::int64_t plain = 0;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const Json& sizes = layout["chunks"].items()[c];
      const std::int64_t dictionary = sizes.items()[2].as_int(), packed = sizes.items()[1].as_int();
      out.element([&] {
        out.i64(2, at);
        out.structure(3, [&] {
          out.i32(1, physical_type(columns_[c].type));
          out.list(2, 5, 2);
          out.zigzag(dictionary > 0 ? kRleDictionary : kPlain);
          out.zigzag(kRle);
          out.list(3, 8, 1);
          out.text(columns_[c].name);
          // Layouts of before had no codec of their own.
          out.i32(4, sizes.items().size() > 3 ? sizes.items()[3].as_int() : kZstdCodec);
          out.i64(5, layout["rows"].as_int());
          out.i64(6, sizes.items()[0].as_int());
          out.i64(7, packed);
          out.i64(9, at + dictionary);
          if (dictionary > 0) out.i64(11, at);
        });
      });
      at += packed;
      plain += sizes.items()[0].as_int();
    }
    out.i64(2, plain);
    out.i64(3, layout["rows"].as_int());
  }

  static base::Status append_page(std::string& out, const std::string& plain, std::size_t values,
                                  int kind, int encoding, ChunkSizes& sizes) {
    if (plain.size() > kMaxPageBytes)
      return base::fail(Code::kTooLarge, "a column's texts are over 1 GB in one piece of the rows",
                        "make the pieces smaller");
    std::string packed;
    if (sizes.codec == kZstdCodec) {
      if (pack(packed, plain) == 0) return base::fail(Code::kInternal, "zstd refused a page");
    }
    const std::string& stored = sizes.codec == kZstdCodec ? packed : plain;
    const std::size_t size = stored.size();
    Thrift head;
    head.element([&] {
      head.i32(1, kind);
      head.i32(2, static_cast<std::int64_t>(plain.size()));
      head.i32(3, static_cast<std::int64_t>(size));
      head.structure(kind == kDataPage ? 5 : 7, [&] {
        head.i32(1, static_cast<std::int64_t>(values));
        head.i32(2, encoding);
        if (kind != kDataPage) return;
        head.i32(3, kRle);
        head.i32(4, kRle);
      });
    });
    const std::string header = head.take();
    out += header;
    out += stored;
    sizes.plain += static_cast<std::int64_t>(header.size() + plain.size());
    sizes.packed += static_cast<std::int64_t>(header.size() + size);
    return {};
  }

  static base::Result<ChunkSizes> append_chunk(std::string& out, const Column& column) {
    ChunkSizes sizes;
    const bool text = column.type == ColumnType::kText;
    std::string words, page;
    const Present there = append_levels(page, column);
    NumberCodes numbers;
    const bool coded = !text && numbers.fill(column, there);
    const std::size_t distinct = text ? column.dictionary.size() : coded ? numbers.words.size() : 0;
    if (text) {
      std::size_t bytes = 0;
      for (const auto& word : column.dictionary) bytes += word.size() + 4;
      words.reserve(bytes);
      for (const auto& word : column.dictionary) {
        append_raw_value(words, static_cast<std::uint32_t>(word.size()));
        words += word;
      }
    } else if (coded) {
      words.assign(reinterpret_cast<const char*>(numbers.words.data()), distinct * 8);
    }
    if (distinct > 0) {
      const auto width = std::max(1u, static_cast<unsigned>(std::bit_width(distinct - 1)));
      page += static_cast<char>(width);
      if (text)
        append_packed(page, there.count, width, [&](std::size_t i) {
          return static_cast<std::uint32_t>(column.codes[there.row(i)]);
        });
      else
        append_packed(page, there.count, width, [&](std::size_t i) { return numbers.codes[i]; });
    } else if (!text) {
      append_values(page, column, there);
    }
    sizes.codec = packs(words, page) ? kZstdCodec : kNoCodec;
    if (distinct > 0) {
      TRY(append_page(out, words, distinct, kDictionaryPage, kPlain, sizes));
      sizes.dictionary = sizes.packed;
    }
    TRY(append_page(out, page, column.rows(), kDataPage, distinct > 0 ? kRleDictionary : kPlain,
                    sizes));
    return sizes;
  }

  const std::vector<StreamColumn> columns_;
};

}  // namespace

std::unique_ptr<RowFormat> parquet_format(std::vector<StreamColumn> columns) {
  return std::make_unique<ParquetFormat>(std::move(columns));
}

}  // namespace maru::data
