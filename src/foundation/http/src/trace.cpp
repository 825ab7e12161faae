#include "maru/http/trace.h"

#include <cstdio>

#include "maru/base/id.h"
#include "maru/base/text.h"
#include "maru/http/message.h"

namespace maru::http {
namespace {

constexpr std::size_t kTraceparentBytes = 55;  // of version 00
constexpr unsigned kKnownFlags = 3;            // sampled, and that the trace id is random

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Lower-case hex digits, not all zero.
bool is_identity(std::string_view text) {
  bool zero = true;
  for (const char c : text) {
    if (digit(c) < 0) return false;
    zero = zero && c == '0';
  }
  return !zero;
}

int byte_of(std::string_view text) {
  const int high = digit(text[0]), low = digit(text[1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

std::string TraceContext::header() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "00-" + trace_id + "-" + span_id + "-0";
  out += kDigits[flags & 15];
  return out;
}

std::shared_ptr<const TraceContext> read_trace(const Headers& headers, const base::Clock& clock) {
  std::string_view text;
  for (const auto& [name, value] : headers.all()) {
    if (name.size() != 11 || base::to_lower_ascii(name) != "traceparent") continue;
    if (!text.empty()) return nullptr;
    text = value;
  }
  if (text.size() < kTraceparentBytes) return nullptr;
  const int version = byte_of(text), flags = byte_of(text.substr(53));
  const bool longer = text.size() > kTraceparentBytes;
  // A later version may go on after another dash; 00 may not, and ff is none.
  if (version < 0 || version == 0xff || flags < 0 || (longer && version == 0) ||
      (longer && text[kTraceparentBytes] != '-') || text[2] != '-' || text[35] != '-' ||
      text[52] != '-')
    return nullptr;
  const std::string_view trace = text.substr(3, 32), parent = text.substr(36, 16);
  if (!is_identity(trace) || !is_identity(parent)) return nullptr;
  auto out = std::make_shared<TraceContext>();
  out->trace_id = trace;
  out->parent_id = parent;
  out->span_id = base::new_id(clock).substr(16);  // 62 random bits
  out->flags = static_cast<std::uint8_t>(static_cast<unsigned>(flags) & kKnownFlags);
  return out;
}

std::string server_timing(const base::StageTimes& times, std::int64_t total_ns) {
  const std::pair<const char*, std::int64_t> stages[] = {
      {"parse", times.parse_ns}, {"queue", times.queue_ns}, {"features", times.features_ns},
      {"model", times.model_ns}, {"post", times.post_ns},   {"cpu", times.cpu_ns},
      {"total", total_ns}};
  std::string out;
  for (const auto& [name, ns] : stages) {
    if (ns < 0) continue;
    char text[48];
    const int size = std::snprintf(text, sizeof text, "%s%s;dur=%.4f", out.empty() ? "" : ", ",
                                   name, static_cast<double>(ns) * 1e-6);
    out.append(text, static_cast<std::size_t>(size));
  }
  return out;
}

}  // namespace maru::http
