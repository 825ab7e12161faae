// The compact form of metric points: any bytes are decoded or refused, and what is encoded comes back bit for bit.
#include "../../src/operation/tracking/src/metric_codec.h"

#include <cstring>

#include "driver.h"
#include "maru/base/check.h"

using namespace maru::tracking;

namespace {

std::vector<Point> points_of(std::string_view bytes) {
  std::vector<Point> out;
  for (; bytes.size() >= 24; bytes.remove_prefix(24)) {
    Point& point = out.emplace_back();
    std::memcpy(&point.value, bytes.data(), 8);
    std::memcpy(&point.step, bytes.data() + 8, 8);
    std::memcpy(&point.time_ms, bytes.data() + 16, 8);
  }
  return out;
}

bool same_bits(const std::vector<Point>& a, const std::vector<Point>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].step != b[i].step || a[i].time_ms != b[i].time_ms) return false;
    if (std::memcmp(&a[i].value, &b[i].value, 8) != 0) return false;
  }
  return true;
}

void round_trip(const std::vector<Point>& points) {
  std::string bytes;
  encode_points(points, bytes);
  std::vector<Point> back;
  MARU_CHECK(decode_points(bytes, back) && same_bits(points, back));
}

}  // namespace

void fuzz_one(std::string_view input) {
  std::vector<Point> found;
  if (const auto decoded = decode_points(input, found)) {
    round_trip(found);
  } else {
    MARU_CHECK(decoded.error().code == maru::base::Code::kDataLoss);
  }
  const std::vector<Point> points = points_of(input);
  round_trip(points);
  for (std::size_t i = 1; i < points.size(); ++i)
    MARU_CHECK(!(earlier(points[i - 1], points[i]) && earlier(points[i], points[i - 1])));
  if (const auto entry = decode_entry(input)) {
    const auto again = decode_entry(encode_entry(*entry));
    MARU_CHECK(again && again->run == entry->run && again->series.size() == entry->series.size());
  }
}

std::vector<std::string> fuzz_seeds() {
  std::vector<Point> points;
  for (int i = 0; i < 20; ++i) points.push_back({0.5 / (i + 1), i, 1'700'000'000'000 + 37 * i});
  std::string chunk;
  encode_points(points, chunk);
  const TailEntry entry{7, {{"loss", points}, {"acc", {{1, 2, 3}}}}};
  return {chunk, encode_entry(entry),
          std::string(reinterpret_cast<const char*>(points.data()), points.size() * sizeof(Point))};
}
