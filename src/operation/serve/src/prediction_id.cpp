#include "prediction_id.h"

#include "maru/base/hash.h"
#include "maru/base/id.h"

namespace maru::serve {
namespace {

// Five hex digits after the one that holds the variant.
constexpr std::size_t kAt = 17, kDigits = 5;
static_assert(kTagVersions * kTagSegments == 1 << (4 * kDigits));

int digit_of(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::uint64_t hex_value(std::string_view digits) {
  std::uint64_t out = 0;
  for (const char c : digits) out = out << 4 | static_cast<std::uint64_t>(digit_of(c));
  return out;
}

}  // namespace

void tag_id(std::string& id, int version, std::size_t segment) {
  auto tag =
      static_cast<std::uint64_t>(version % kTagVersions) * kTagSegments + segment % kTagSegments;
  for (std::size_t i = kDigits; i-- > 0; tag >>= 4) id[kAt + i] = "0123456789abcdef"[tag & 15];
}

std::optional<IdTag> read_tag(std::string_view id) {
  if (!base::is_id(id)) return {};
  const std::uint64_t tag = hex_value(id.substr(kAt, kDigits));
  IdTag out;
  out.version_low = static_cast<int>(tag / kTagSegments);
  out.segment = static_cast<std::size_t>(tag % kTagSegments);
  out.time_us = static_cast<std::int64_t>(hex_value(id.substr(0, 12))) * 1000;
  return out;
}

double chance_of(std::string_view id) {
  std::string bits(id);
  for (std::size_t i = 0; i < kDigits; ++i) bits[kAt + i] = '0';
  return static_cast<double>(base::hash64(bits) >> 11) * 0x1p-53;
}

}  // namespace maru::serve
