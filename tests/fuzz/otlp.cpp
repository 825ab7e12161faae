// OpenTelemetry's spans, as protobuf and as JSON: read or refused; what was read can be written and is read back the same.
#include "maru/tracking/otlp.h"
#include "driver.h"
#include "maru/base/check.h"

using namespace maru::tracking;

namespace {

void round_trip(const Span& span) {
  const std::string bytes = write_span(span);
  const auto again = read_span(bytes);
  MARU_CHECK(again && write_span(*again) == bytes);
  static_cast<void>(span_json(span).dump());
}

std::string field(int number, const std::string& bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  for (std::size_t n = bytes.size(); true; n >>= 7) {
    out += static_cast<char>(n >= 0x80 ? (n & 0x7F) | 0x80 : n);
    if (n < 0x80) break;
  }
  return out + bytes;
}

Span sample() {
  Span span;
  span.trace_id = std::string(31, '0') + "1";
  span.span_id = span.parent_id = std::string(15, '0') + "2";
  span.name = "f";
  span.start_ns = 1;
  span.end_ns = 2;
  span.message = "m";
  span.attributes = *maru::base::parse_json(R"({"a":[1,{"b":2.5}],"c":true,"d":"x"})");
  span.events.push_back({"e", 1, maru::base::Json::object({{"k", "v"}})});
  span.links.push_back({span.trace_id, span.span_id, maru::base::Json::object()});
  return span;
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (const auto batch = read_span_batch(input)) {
    for (const auto& received : batch->spans) {
      MARU_CHECK(received.resource < batch->resources.size());
      round_trip(received.span);
    }
  }
  if (const auto span = read_span(input)) round_trip(*span);
  const auto json = maru::base::parse_json(input);
  if (!json) return;
  if (const auto batch = read_span_batch_json(*json)) {
    for (const auto& received : batch->spans) round_trip(received.span);
  }
  static_cast<void>(read_trace_file(*json));
}

std::vector<std::string> fuzz_seeds() {
  const std::string span = write_span(sample());
  return {
      span, field(1, field(1, "") + field(2, field(2, span) + field(2, span))),
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01","spanId":"02","name":"x","kind":"SPAN_KIND_CLIENT",
          "attributes":[{"key":"k","value":{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"7"}}]}}}]}]}]}]})",
      R"({"spans":[{"name":"a","context":{"span_id":"0x02","trace_id":"0x01"},"attributes":{"a":"\"b\""}}]})"};
}
