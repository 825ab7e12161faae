#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::tracking {

struct Point {
  double value = 0;
  std::int64_t step = 0;
  std::int64_t time_ms = 0;
  bool operator==(const Point& other) const;  // the same bits: a NaN equals itself
};

// By (step, time, value); a NaN comes after every number.
bool earlier(const Point& a, const Point& b);

// Points in a compact form: steps and times as second differences, values as differences of their bits, all of variable length.
// A metric logged once a step takes 2 to 10 bytes a point. Appends to `out`; decode appends to `points`. Any bytes are safe to decode:
// what is not an encoding is kDataLoss.
void encode_points(std::span<const Point> points, std::string& out);
base::Status decode_points(std::string_view bytes, std::vector<Point>& points);

// One log entry of the tail: a run's number and its points by key.
struct TailEntry {
  std::int64_t run = 0;
  struct Series {
    std::string key;
    std::vector<Point> points;
  };
  std::vector<Series> series;
};
std::string encode_entry(const TailEntry& entry);
base::Result<TailEntry> decode_entry(std::string_view bytes);

}  // namespace maru::tracking
