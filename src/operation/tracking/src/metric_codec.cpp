#include "metric_codec.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace maru::tracking {
namespace {

using base::Code;
using base::Status;

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kSameValue = 0xFF;
constexpr std::uint64_t kMaxPoints = 1u << 28;
static_assert(std::endian::native == std::endian::little);

tl::unexpected<base::Error> broken() {
  return base::fail(Code::kDataLoss, "stored metric points are damaged",
                    "restore the home folder from a backup");
}

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

bool take_varint(std::string_view& in, std::uint64_t& value) {
  const char *at = in.data(), *const end = at + in.size();
  value = 0;
  for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*at++);
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) {
      in.remove_prefix(static_cast<std::size_t>(at - in.data()));
      return true;
    }
  }
  return false;
}

std::uint64_t zigzag(std::uint64_t value) { return (value << 1) ^ (0 - (value >> 63)); }
std::uint64_t unzigzag(std::uint64_t value) { return (value >> 1) ^ (0 - (value & 1)); }

// Arithmetic is modulo 2^64, so that any two integers have a difference.
template <class Get>
void put_deltas(std::span<const Point> points, std::string& out, Get get) {
  std::uint64_t before = 0, step = 0;
  for (const auto& point : points) {
    const auto value = static_cast<std::uint64_t>(get(point));
    const std::uint64_t delta = value - before;
    put_varint(out, zigzag(delta - step));
    step = delta;
    before = value;
  }
}

// Points of one series mostly follow each other evenly: eight zero bytes are eight points that go on as before.
template <std::int64_t Point::*kMember>
bool take_deltas(std::string_view& in, std::span<Point> points) {
  std::uint64_t before = 0, step = 0;
  const char *at = in.data(), *const end = at + in.size();
  for (std::size_t i = 0; i < points.size();) {
    std::uint64_t eight = 1;
    if (end - at >= 8 && points.size() - i >= 8) std::memcpy(&eight, at, 8);
    if (eight == 0) {
      for (std::size_t k = 0; k < 8; ++k)
        points[i + k].*kMember = static_cast<std::int64_t>(before + (k + 1) * step);
      before += 8 * step;
      at += 8;
      i += 8;
      continue;
    }
    std::uint64_t coded = 0;
    if (at != end && static_cast<std::uint8_t>(*at) < 0x80) {
      coded = static_cast<std::uint8_t>(*at++);
    } else {
      std::string_view rest(at, static_cast<std::size_t>(end - at));
      if (!take_varint(rest, coded)) return false;
      at = rest.data();
    }
    step += unzigzag(coded);
    before += step;
    points[i++].*kMember = static_cast<std::int64_t>(before);
  }
  in.remove_prefix(static_cast<std::size_t>(at - in.data()));
  return true;
}

// A control byte (leading and trailing zero bytes of the difference), then the bytes between.
void put_values(std::span<const Point> points, std::string& out) {
  std::uint64_t before = 0;
  for (const auto& point : points) {
    const auto bits = std::bit_cast<std::uint64_t>(point.value);
    std::uint64_t changed = bits ^ before;
    before = bits;
    if (changed == 0) {
      out.push_back(static_cast<char>(kSameValue));
      continue;
    }
    const int lead = std::countl_zero(changed) / 8, trail = std::countr_zero(changed) / 8;
    out.push_back(static_cast<char>(lead << 4 | trail));
    changed >>= 8 * trail;
    for (int i = 8 - lead - trail; i > 0; --i) {
      out.push_back(static_cast<char>(changed & 0xFF));
      changed >>= 8;
    }
  }
}

bool take_values(std::string_view& in, std::span<Point> points) {
  std::uint64_t before = 0;
  const char *at = in.data(), *const end = at + in.size();
  for (auto& point : points) {
    if (at == end) return false;
    const auto control = static_cast<std::uint8_t>(*at++);
    if (control != kSameValue) {
      const unsigned lead = control >> 4, trail = control & 15u;
      if (lead + trail > 7) return false;
      const std::size_t size = 8 - lead - trail;
      if (static_cast<std::size_t>(end - at) < size) return false;
      std::uint64_t changed = 0;  // little-endian, as every machine Maru runs on
      if (end - at >= 8) {        // a copy of a fixed size is one load
        std::memcpy(&changed, at, 8);
        changed &= ~std::uint64_t{0} >> (64 - 8 * size);
      } else {
        std::memcpy(&changed, at, size);
      }
      at += size;
      before ^= changed << (8 * trail);
    }
    point.value = std::bit_cast<double>(before);
  }
  in.remove_prefix(static_cast<std::size_t>(at - in.data()));
  return true;
}

}  // namespace

bool Point::operator==(const Point& other) const {
  return step == other.step && time_ms == other.time_ms &&
         (value == other.value || (std::isnan(value) && std::isnan(other.value)));
}

bool earlier(const Point& a, const Point& b) {
  if (a.step != b.step) return a.step < b.step;
  if (a.time_ms != b.time_ms) return a.time_ms < b.time_ms;
  return std::isnan(b.value) ? !std::isnan(a.value) : a.value < b.value;
}

void encode_points(std::span<const Point> points, std::string& out) {
  out.push_back(static_cast<char>(kVersion));
  put_varint(out, points.size());
  put_deltas(points, out, [](const Point& p) { return p.step; });
  put_deltas(points, out, [](const Point& p) { return p.time_ms; });
  put_values(points, out);
}

namespace {

Status take_points(std::string_view& in, std::vector<Point>& points) {
  std::uint64_t count = 0;
  if (in.empty() || static_cast<std::uint8_t>(in.front()) != kVersion) return broken();
  in.remove_prefix(1);
  // Every point takes at least three bytes: no count can ask for more memory than the bytes allow.
  if (!take_varint(in, count) || count > kMaxPoints || count > in.size() / 3) return broken();
  const std::size_t begin = points.size();
  points.resize(begin + count);
  const std::span<Point> fresh(points.data() + begin, count);
  const bool good = take_deltas<&Point::step>(in, fresh) &&
                    take_deltas<&Point::time_ms>(in, fresh) && take_values(in, fresh);
  if (!good) return broken();
  return {};
}

}  // namespace

Status decode_points(std::string_view bytes, std::vector<Point>& points) {
  TRY(take_points(bytes, points));
  if (!bytes.empty()) return broken();
  return {};
}

std::string encode_entry(const TailEntry& entry) {
  std::string out;
  put_varint(out, static_cast<std::uint64_t>(entry.run));
  put_varint(out, entry.series.size());
  for (const auto& series : entry.series) {
    put_varint(out, series.key.size());
    out += series.key;
    encode_points(series.points, out);
  }
  return out;
}

base::Result<TailEntry> decode_entry(std::string_view bytes) {
  TailEntry entry;
  std::uint64_t run = 0, count = 0, size = 0;
  if (!take_varint(bytes, run) || !take_varint(bytes, count) || count > bytes.size())
    return broken();
  entry.run = static_cast<std::int64_t>(run);
  entry.series.resize(count);
  for (auto& series : entry.series) {
    if (!take_varint(bytes, size) || size > bytes.size()) return broken();
    series.key = bytes.substr(0, size);
    bytes.remove_prefix(size);
    TRY(take_points(bytes, series.points));
  }
  if (!bytes.empty()) return broken();
  return entry;
}

}  // namespace maru::tracking
