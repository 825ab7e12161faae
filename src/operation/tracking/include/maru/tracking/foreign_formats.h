#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::tracking {

// The YAML that MLflow writes into meta.yaml: block mappings and sequences of plain and quoted scalars, `[]` and `{}`. Anchors, tags,
// block scalars and filled flow collections are kInvalidArgument with the line. At most 64 levels deep. Any bytes are safe.
base::Result<base::Json> parse_yaml(std::string_view text);
// A mapping of scalars, mappings and sequences in a form that every YAML reader takes.
std::string write_yaml(const base::Json& value);

// CRC-32C (Castagnoli) and TFRecord's masked form of it.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

// Records of a TFRecord file (length, its checksum, data, its checksum), from pieces of any size. A record with a wrong checksum is
// counted and left out; after a wrong length nothing more can be read. Not thread safe.
class RecordReader {
 public:
  static constexpr std::uint64_t kMaxRecordBytes = 256u << 20;
  using Visit = std::function<void(std::string_view record)>;
  void feed(std::string_view bytes, const Visit& visit);
  bool broken() const { return broken_; }             // a length is damaged
  bool partial() const { return !rest_.empty(); }     // the file ends inside a record
  std::uint64_t damaged() const { return damaged_; }  // records with a wrong checksum

 private:
  std::size_t take(std::string_view bytes, const Visit& visit);
  std::string rest_;
  std::uint64_t damaged_ = 0;
  bool broken_ = false;
};

// One scalar of a TensorBoard Event message.
struct EventScalar {
  std::string_view tag;
  std::string_view plugin;  // "" when the message does not say
  double value = 0;
  std::int64_t step = 0;
  double wall_time = 0;  // seconds since 1970
};
struct EventFacts {
  std::int64_t step = 0;
  double wall_time = 0;
  std::size_t others = 0;  // values that are no scalars: images, histograms, text
};
// Reads the scalars (simple_value, and tensors of one number) of one Event. kInvalidArgument for what is no such message.
base::Result<EventFacts> read_event(std::string_view message,
                                    const std::function<void(const EventScalar&)>& visit);

}  // namespace maru::tracking
