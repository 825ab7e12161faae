#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "maru/tracking/foreign_formats.h"

// TensorFlow's record framing (tensorflow/core/lib/io/record_writer.h) and the scalars of its Event message (event.proto, summary.proto,
// tensor.proto), read without their libraries.
namespace maru::tracking {
namespace {

using base::Code;
using base::Result;
using base::Status;

// Eight tables: eight bytes a step (Intel's slicing-by-8).
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables out{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    out[0][i] = crc;
  }
  for (std::size_t table = 1; table < 8; ++table)
    for (std::size_t i = 0; i < 256; ++i)
      out[table][i] = (out[table - 1][i] >> 8) ^ out[0][out[table - 1][i] & 0xFF];
  return out;
}
constexpr Tables kTables = make_tables();

template <class T>
T load(std::string_view bytes, std::size_t at) {  // little endian, as the formats are
  T out;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}
static_assert(std::endian::native == std::endian::little);

// Fields of one protobuf message; every length is checked against what is there.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  bool next() {  // false at the end and when the bytes are no message
    if (rest_.empty() || bad_) return false;
    std::uint64_t key = 0;
    if (!varint(key)) return fail();
    number_ = static_cast<std::uint32_t>(key >> 3);
    wire_ = static_cast<int>(key & 7);
    bytes_ = {};
    if (number_ == 0) return fail();
    switch (wire_) {
      case 0:
        return varint(value_) || fail();
      case 1:
        return fixed(8) || fail();
      case 5:
        return fixed(4) || fail();
      case 2: {
        std::uint64_t size = 0;
        if (!varint(size) || size > rest_.size()) return fail();
        bytes_ = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(static_cast<std::size_t>(size));
        return true;
      }
      default:  // groups are not in these messages
        return fail();
    }
  }
  bool bad() const { return bad_; }
  bool is(std::uint32_t number, int wire) const { return number_ == number && wire_ == wire; }
  std::uint32_t number() const { return number_; }
  int wire() const { return wire_; }
  std::string_view bytes() const { return bytes_; }
  std::int64_t integer() const { return static_cast<std::int64_t>(value_); }
  double real64() const { return std::bit_cast<double>(value_); }
  float real32() const { return std::bit_cast<float>(static_cast<std::uint32_t>(value_)); }

 private:
  bool fail() {
    bad_ = true;
    return false;
  }
  bool varint(std::uint64_t& out) {
    out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return false;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool fixed(std::size_t size) {
    if (rest_.size() < size) return false;
    value_ = size == 8 ? load<std::uint64_t>(rest_, 0) : load<std::uint32_t>(rest_, 0);
    rest_.remove_prefix(size);
    return true;
  }
  std::string_view rest_, bytes_;
  std::uint64_t value_ = 0;
  std::uint32_t number_ = 0;
  int wire_ = 0;
  bool bad_ = false;
};

double half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double fraction = bits & 1023;
  double out =
      exponent == 0 ? fraction * 0x1p-24
      : exponent == 31
          ? (fraction == 0 ? HUGE_VAL : std::bit_cast<double>(0x7FF8ull << 48))
          : (fraction + 1024) *
                std::bit_cast<double>(static_cast<std::uint64_t>(exponent - 25 + 1023) << 52);
  if ((bits & 0x8000) != 0) out = -out;
  return out;
}

// The number that `content` holds when it holds exactly one of this type.
bool one_number(std::int64_t type, std::string_view content, double& out) {
  const auto as = [&](auto zero) {
    if (content.size() != sizeof zero) return false;
    out = static_cast<double>(load<decltype(zero)>(content, 0));
    return true;
  };
  switch (type) {
    case 1:
      return as(float{});
    case 2:
      return as(double{});
    case 3:
      return as(std::int32_t{});
    case 4:
      return as(std::uint8_t{});
    case 5:
      return as(std::int16_t{});
    case 6:
      return as(std::int8_t{});
    case 9:
      return as(std::int64_t{});
    case 10:
      return as(std::uint8_t{});
    case 14:
      if (content.size() != 2) return false;
      out = std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(content, 0)) << 16);
      return true;
    case 17:
      return as(std::uint16_t{});
    case 19:
      if (content.size() != 2) return false;
      out = half(load<std::uint16_t>(content, 0));
      return true;
    case 22:
      return as(std::uint32_t{});
    case 23:
      return as(std::uint64_t{});
    default:
      return false;
  }
}

// TensorProto: a number when the tensor has exactly one element.
bool tensor_number(std::string_view bytes, double& out, bool& bad) {
  std::int64_t type = 0;
  std::string_view content;
  std::size_t found = 0;
  std::int64_t small = 0;
  Fields fields(bytes);
  while (fields.next()) {
    if (fields.is(1, 0)) type = fields.integer();
    if (fields.is(4, 2)) content = fields.bytes();
    const std::uint32_t number = fields.number();
    if (number == 5 && fields.wire() == 5) out = fields.real32(), ++found;
    if (number == 6 && fields.wire() == 1) out = fields.real64(), ++found;
    if ((number == 7 || number == 10 || number == 11 || number == 13 || number == 16 ||
         number == 17) &&
        fields.wire() == 0) {
      small = fields.integer();
      out = static_cast<double>(small);
      ++found;
    }
    if (fields.wire() == 2 && (number == 5 || number == 6)) {  // packed
      found += fields.bytes().size() / (number == 5 ? 4 : 8);
      if (fields.bytes().size() == 4 && number == 5) out = load<float>(fields.bytes(), 0);
      if (fields.bytes().size() == 8 && number == 6) out = load<double>(fields.bytes(), 0);
    }
    if (fields.wire() == 2 && (number == 7 || number == 10 || number == 11 || number == 13 ||
                               number == 16 || number == 17)) {
      Fields packed(fields.bytes());  // a varint is what a key is read as: decode by hand
      std::uint64_t value = 0;
      int shift = 0;
      for (const char c : fields.bytes()) {
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(c) & 0x7F) << shift;
        shift += 7;
        if (static_cast<unsigned char>(c) >= 0x80 && shift < 64) continue;
        small = static_cast<std::int64_t>(value);
        out = number == 17 ? static_cast<double>(value) : static_cast<double>(small);
        ++found;
        value = 0;
        shift = 0;
      }
    }
  }
  bad = fields.bad();
  if (bad) return false;
  if (!content.empty()) return found == 0 && one_number(type, content, out);
  if (found != 1) return false;
  if (type == 19) out = half(static_cast<std::uint16_t>(small));
  if (type == 14)
    out = std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<std::uint16_t>(small)) << 16);
  return true;
}

std::string_view plugin_of(std::string_view metadata) {
  Fields fields(metadata);
  while (fields.next()) {
    if (!fields.is(1, 2)) continue;
    Fields plugin(fields.bytes());
    while (plugin.next())
      if (plugin.is(1, 2)) return plugin.bytes();
  }
  return {};
}

// Summary.Value
Status read_value(std::string_view bytes, EventFacts& facts,
                  const std::function<void(const EventScalar&)>& visit) {
  EventScalar scalar;
  bool number = false, bad = false;
  Fields fields(bytes);
  while (fields.next()) {
    if (fields.is(1, 2)) scalar.tag = fields.bytes();
    if (fields.is(9, 2)) scalar.plugin = plugin_of(fields.bytes());
    if (fields.is(2, 5)) {
      scalar.value = fields.real32();
      number = true;
    }
    if (fields.is(8, 2)) number = tensor_number(fields.bytes(), scalar.value, bad);
    if (bad) break;
  }
  if (fields.bad() || bad)
    return base::fail(Code::kInvalidArgument, "an event's value is no such message");
  if (!number) {
    ++facts.others;
    return {};
  }
  scalar.step = facts.step;
  scalar.wall_time = facts.wall_time;
  visit(scalar);
  return {};
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const std::uint64_t word = load<std::uint64_t>(bytes, i) ^ crc;
    crc = kTables[7][word & 0xFF] ^ kTables[6][(word >> 8) & 0xFF] ^
          kTables[5][(word >> 16) & 0xFF] ^ kTables[4][(word >> 24) & 0xFF] ^
          kTables[3][(word >> 32) & 0xFF] ^ kTables[2][(word >> 40) & 0xFF] ^
          kTables[1][(word >> 48) & 0xFF] ^ kTables[0][word >> 56];
  }
  for (; i < bytes.size(); ++i)
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(bytes[i])) & 0xFF];
  return ~crc;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

// How many of the bytes were whole records.
std::size_t RecordReader::take(std::string_view bytes, const Visit& visit) {
  constexpr std::size_t kHead = 12, kFoot = 4;
  std::size_t at = 0;
  while (!broken_ && bytes.size() - at >= kHead) {
    const auto length = load<std::uint64_t>(bytes, at);
    if (load<std::uint32_t>(bytes, at + 8) != masked_crc32c(bytes.substr(at, 8)) ||
        length > kMaxRecordBytes) {
      broken_ = true;
      break;
    }
    const auto size = static_cast<std::size_t>(length);
    if (bytes.size() - at - kHead < size + kFoot) break;
    const std::string_view record = bytes.substr(at + kHead, size);
    if (load<std::uint32_t>(bytes, at + kHead + size) == masked_crc32c(record))
      visit(record);
    else
      ++damaged_;
    at += kHead + size + kFoot;
  }
  return at;
}

void RecordReader::feed(std::string_view bytes, const Visit& visit) {
  if (broken_) return;
  if (rest_.empty()) {
    bytes.remove_prefix(take(bytes, visit));
    rest_ = bytes;
    return;
  }
  rest_ += bytes;
  rest_.erase(0, take(rest_, visit));
}

Result<EventFacts> read_event(std::string_view message,
                              const std::function<void(const EventScalar&)>& visit) {
  EventFacts facts;
  std::string_view summary;
  Fields fields(message);
  while (fields.next()) {
    if (fields.is(1, 1)) facts.wall_time = fields.real64();
    if (fields.is(2, 0)) facts.step = fields.integer();
    if (fields.is(5, 2)) summary = fields.bytes();
  }
  if (fields.bad()) return base::fail(Code::kInvalidArgument, "a record is no event");
  Fields values(summary);
  while (values.next())
    if (values.is(1, 2)) TRY(read_value(values.bytes(), facts, visit));
  if (values.bad()) return base::fail(Code::kInvalidArgument, "an event's summary is no message");
  return facts;
}

}  // namespace maru::tracking
