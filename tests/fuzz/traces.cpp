// What a caller says of its trace, and tensors as the prediction log holds them: what is accepted is well formed, and a tensor that is written again is the same.
#include "driver.h"
#include "maru/base/check.h"
#include "maru/base/clock.h"
#include "maru/http/message.h"
#include "maru/http/trace.h"
#include "maru/model/logged_tensor.h"

namespace {

bool hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

void fuzz_one(std::string_view input) {
  using namespace maru;
  http::Headers headers;
  headers.add("traceparent", input);
  if (const auto trace = http::read_trace(headers, base::system_clock())) {
    MARU_CHECK(trace->trace_id.size() == 32 && hex(trace->trace_id) &&
               trace->trace_id != std::string(32, '0'));
    MARU_CHECK(trace->parent_id.size() == 16 && hex(trace->parent_id));
    MARU_CHECK(trace->header().size() == 55);
    http::Headers again;
    again.add("traceparent", trace->header());
    const auto next = http::read_trace(again, base::system_clock());
    MARU_CHECK(next && next->trace_id == trace->trace_id && next->parent_id == trace->span_id &&
               next->flags == trace->flags);
  }
  const auto tensor = model::parse_logged_tensor("x", input);
  if (!tensor) return;
  const auto count = model::element_count("x", tensor->shape);
  MARU_CHECK(count.has_value() && *count == tensor->elements());
  const auto back = model::parse_logged_tensor("x", model::logged_tensor(*tensor));
  MARU_CHECK(back && back->bytes == tensor->bytes && back->texts == tensor->texts &&
             back->shape == tensor->shape);
}

std::vector<std::string> fuzz_seeds() {
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";
  return {"00-" + trace + "01",
          "cc-" + trace + "03-more",
          "00-00000000000000000000000000000000-0000000000000000-00",
          R"({"datatype":"FP32","shape":[1,2],"data":[0.5,-1e-40]})",
          R"({"datatype":"INT64","shape":[2],"data":[-9223372036854775808,9223372036854775807]})",
          R"({"datatype":"BYTES","shape":[2],"data":["","a\u0000b"]})",
          R"({"datatype":"BYTES","shape":[1],"b64":"AQAAAP8="})",
          R"({"datatype":"FP16","shape":[2],"b64":"ADwBfg=="})",
          R"({"datatype":"BOOL","shape":[1,0],"data":[]})"};
}
