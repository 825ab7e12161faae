#include <charconv>

#include "maru/base/clock.h"
#include "maru/base/text.h"
#include "span_values.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;

// A member by its JSON name or by its protobuf name.
const Json& member(const Json& object, std::string_view camel, std::string_view snake) {
  const Json* found = object.find(camel);
  return found != nullptr ? *found : object[snake];
}

std::uint64_t number_of(const Json& value) {
  if (!value.is_string()) {
    if (value.is_uint()) return static_cast<std::uint64_t>(value.as_double());
    return static_cast<std::uint64_t>(std::max<std::int64_t>(value.as_int(), 0));
  }
  std::uint64_t out = 0;
  const std::string& text = value.as_string();
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

Result<std::string> hex_id(const Json& value, std::size_t digits) {
  std::string text = base::to_lower_ascii(value.as_string());
  if (text.starts_with("0x")) text.erase(0, 2);
  if (text.size() > digits || text.find_first_not_of("0123456789abcdef") != std::string::npos)
    return base::fail(Code::kFailedPrecondition,
                      "Cannot convert OpenTelemetry span: an id is not of " +
                          std::to_string(digits) + " hex digits");
  return std::string(digits - text.size(), '0') + text;
}

Result<Json> read_value(const Json& value, int depth);

Result<Json> read_pairs(const Json& list, int depth) {
  Json::Object out;
  for (const Json& pair : list.items()) {
    TRY_ASSIGN(Json value, read_value(pair["value"], depth));
    out.emplace_back(pair["key"].as_string(), std::move(value));
  }
  return object_of_pairs(std::move(out));
}

Result<Json> read_value(const Json& value, int depth) {
  if (depth > kMaxValueDepth)
    return base::fail(Code::kInvalidArgument,
                      "Invalid OpenTelemetry format: a value is nested too deeply");
  for (const auto& [camel, snake] :
       {std::pair{"stringValue", "string_value"}, std::pair{"boolValue", "bool_value"},
        std::pair{"bytesValue", "bytes_value"}}) {
    if (const Json& plain = member(value, camel, snake); !plain.is_null()) return plain;
  }
  const Json& integer = member(value, "intValue", "int_value");
  if (integer.is_int()) return integer;
  if (integer.is_string()) {
    std::int64_t out = 0;
    const std::string& text = integer.as_string();
    std::from_chars(text.data(), text.data() + text.size(), out);
    return Json(out);
  }
  const Json& real = member(value, "doubleValue", "double_value");
  if (!real.is_null()) return Json(real.as_double());
  const Json& array = member(value, "arrayValue", "array_value");
  if (array.is_object()) {
    Json out = Json::array();
    for (const Json& item : array["values"].items()) {
      TRY_ASSIGN(Json read, read_value(item, depth + 1));
      out.push(std::move(read));
    }
    return out;
  }
  const Json& pairs = member(value, "kvlistValue", "kvlist_value");
  if (pairs.is_object()) return read_pairs(pairs["values"], depth + 1);
  return Json();
}

SpanStatus status_of(const Json& code) {
  if (code.is_int())
    return code.as_int() == 1   ? SpanStatus::kOk
           : code.as_int() == 2 ? SpanStatus::kError
                                : SpanStatus::kUnset;
  const std::string& name = code.as_string();
  if (name == "OK" || name.ends_with("_OK") || name.ends_with(".OK")) return SpanStatus::kOk;
  return name == "ERROR" || name.ends_with("_ERROR") || name.ends_with(".ERROR")
             ? SpanStatus::kError
             : SpanStatus::kUnset;
}

int kind_of(const Json& kind) {
  if (kind.is_int()) return static_cast<int>(kind.as_int() & 7);
  constexpr std::string_view kNames[] = {"UNSPECIFIED", "INTERNAL", "SERVER",
                                         "CLIENT",      "PRODUCER", "CONSUMER"};
  for (int i = 0; i < 6; ++i) {
    if (kind.as_string().ends_with(kNames[i])) return i;
  }
  return 0;
}

Result<Span> read_json_span(const Json& json) {
  Span span;
  TRY_ASSIGN(span.trace_id, hex_id(member(json, "traceId", "trace_id"), 32));
  TRY_ASSIGN(span.span_id, hex_id(member(json, "spanId", "span_id"), 16));
  const Json& parent = member(json, "parentSpanId", "parent_span_id");
  if (!parent.as_string().empty()) {
    TRY_ASSIGN(span.parent_id, hex_id(parent, 16));
  }
  TRY(check_span(span));
  span.name = json["name"].as_string();
  span.kind = kind_of(json["kind"]);
  span.start_ns = number_of(member(json, "startTimeUnixNano", "start_time_unix_nano"));
  span.end_ns = number_of(member(json, "endTimeUnixNano", "end_time_unix_nano"));
  span.status = status_of(json["status"]["code"]);
  span.message = json["status"]["message"].as_string();
  TRY_ASSIGN(span.attributes, read_pairs(json["attributes"], 0));
  for (const Json& event : json["events"].items()) {
    TRY_ASSIGN(Json attributes, read_pairs(event["attributes"], 0));
    span.events.push_back({event["name"].as_string(),
                           number_of(member(event, "timeUnixNano", "time_unix_nano")),
                           std::move(attributes)});
  }
  for (const Json& link : json["links"].items()) {
    TRY_ASSIGN(std::string trace, hex_id(member(link, "traceId", "trace_id"), 32));
    TRY_ASSIGN(std::string id, hex_id(member(link, "spanId", "span_id"), 16));
    TRY_ASSIGN(Json attributes, read_pairs(link["attributes"], 0));
    span.links.push_back({std::move(trace), std::move(id), std::move(attributes)});
  }
  return span;
}

// ---- protobuf's JSON

Json bytes_json(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    int byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return base::base64(bytes);
}

Json pairs_json(const Json& attributes);

Json value_json(const Json& value) {
  if (value.is_string()) return Json::object({{"string_value", value}});
  if (value.is_bool()) return Json::object({{"bool_value", value}});
  if (value.is_int()) return Json::object({{"int_value", value}});
  if (value.is_number()) return Json::object({{"double_value", value}});
  if (value.is_object())
    return Json::object({{"kvlist_value", Json::object({{"values", pairs_json(value)}})}});
  if (!value.is_array()) return Json::object();
  Json items = Json::array();
  for (const Json& item : value.items()) items.push(value_json(item));
  return Json::object({{"array_value", Json::object({{"values", std::move(items)}})}});
}

Json pairs_json(const Json& attributes) {
  Json out = Json::array();
  for (const auto& [key, value] : attributes.members())
    out.push(Json::object({{"key", key}, {"value", value_json(value)}}));
  return out;
}

// ---- MLflow's traces.json

// Attributes are JSON inside strings there.
Json unpacked(const Json& attributes) {
  Json::Object out;
  for (const auto& [key, value] : attributes.members()) {
    auto inner = value.is_string() ? base::parse_json(value.as_string()) : Result<Json>(value);
    out.emplace_back(key, inner ? std::move(*inner) : value);
  }
  return Json::object_of(std::move(out));
}

// An id in base64 (3.x) or in hex, perhaps with 0x or a prefix (2.x), as hex digits.
std::string any_id(const Json& value, std::size_t digits) {
  std::string text = value.as_string();
  if (auto hex = hex_id(value, digits); hex && text.size() + 2 >= digits) return *hex;
  if (const auto bytes = base::from_base64(text); bytes && bytes->size() * 2 == digits)
    return base::hex(*bytes);
  if (text.starts_with("tr-")) text.erase(0, 3);
  auto hex = hex_id(text, digits);
  return hex ? *hex : "";
}

Span file_span(const Json& json) {
  Span span;
  const Json& context = json["context"];
  span.trace_id = any_id(context.is_object() ? context["trace_id"] : json["trace_id"], 32);
  span.span_id = any_id(context.is_object() ? context["span_id"] : json["span_id"], 16);
  const Json& parent = member(json, "parent_id", "parent_span_id");
  if (!parent.as_string().empty()) span.parent_id = any_id(parent, 16);
  if (span.parent_id.find_first_not_of('0') == std::string::npos) span.parent_id.clear();
  span.name = json["name"].as_string();
  span.start_ns = number_of(member(json, "start_time_unix_nano", "start_time"));
  span.end_ns = number_of(member(json, "end_time_unix_nano", "end_time"));
  const Json& status = json["status"];
  span.status = status_of(status.is_object() ? status["code"] : json["status_code"]);
  span.message =
      status.is_object() ? status["message"].as_string() : json["status_message"].as_string();
  span.attributes = unpacked(json["attributes"]);
  for (const Json& event : json["events"].items())
    span.events.push_back({event["name"].as_string(),
                           number_of(member(event, "time_unix_nano", "timestamp")),
                           event["attributes"]});
  return span;
}

}  // namespace

Result<SpanBatch> read_span_batch_json(const Json& request) {
  SpanBatch batch;
  for (const Json& resource : member(request, "resourceSpans", "resource_spans").items()) {
    for (const Json& scope : member(resource, "scopeSpans", "scope_spans").items()) {
      for (const Json& json : scope["spans"].items()) {
        if (batch.spans.size() >= kMaxSpansPerBatch) return too_many_spans();
        TRY_ASSIGN(Span span, read_json_span(json));
        std::string bytes = write_span(span);
        batch.spans.push_back({std::move(span), std::move(bytes), batch.resources.size()});
      }
    }
    TRY_ASSIGN(Json attributes, read_pairs(resource["resource"]["attributes"], 0));
    batch.resources.push_back(std::move(attributes));
  }
  return batch;
}

Json span_json(const Span& span) {
  Json out = Json::object(
      {{"trace_id", bytes_json(span.trace_id)}, {"span_id", bytes_json(span.span_id)}});
  if (!span.parent_id.empty()) out.set("parent_span_id", bytes_json(span.parent_id));
  out.set("name", span.name);
  if (span.kind != 0) out.set("kind", span.kind);
  out.set("start_time_unix_nano", span.start_ns);
  out.set("end_time_unix_nano", span.end_ns);
  out.set("attributes", pairs_json(span.attributes));
  Json events = Json::array();
  for (const SpanEvent& event : span.events)
    events.push(Json::object({{"time_unix_nano", event.time_ns},
                              {"name", event.name},
                              {"attributes", pairs_json(event.attributes)}}));
  if (events.size() > 0) out.set("events", std::move(events));
  Json links = Json::array();
  for (const SpanLink& link : span.links)
    links.push(Json::object({{"trace_id", bytes_json(link.trace_id)},
                             {"span_id", bytes_json(link.span_id)},
                             {"attributes", pairs_json(link.attributes)}}));
  if (links.size() > 0) out.set("links", std::move(links));
  out.set("status",
          Json::object({{"message", span.message},
                        {"code", "STATUS_CODE_" + std::string(span_status_name(span.status))}}));
  return out;
}

namespace {

// MLflow keeps each attribute of a span in its files as JSON text; what is such text already stays.
Json packed(const Json& attributes) {
  Json::Object out;
  for (const auto& [key, value] : attributes.members()) {
    const bool text =
        value.is_string() && !value.as_string().empty() &&
        std::string_view("{[\"").find(value.as_string().front()) != std::string_view::npos &&
        base::parse_json(value.as_string()).has_value();
    out.emplace_back(key, text ? value : Json(value.dump()));
  }
  return Json::object_of(std::move(out));
}

}  // namespace

Json trace_file(const std::vector<Span>& spans) {
  Json list = Json::array();
  for (const Span& span : spans) {
    Json events = Json::array(), links = Json::array();
    for (const SpanEvent& event : span.events)
      events.push(Json::object({{"name", event.name},
                                {"time_unix_nano", event.time_ns},
                                {"attributes", event.attributes}}));
    for (const SpanLink& link : span.links)
      links.push(Json::object({{"trace_id", "tr-" + link.trace_id},
                               {"span_id", link.span_id},
                               {"attributes", link.attributes}}));
    list.push(Json::object(
        {{"trace_id", bytes_json(span.trace_id)},
         {"span_id", bytes_json(span.span_id)},
         {"parent_span_id", span.parent_id.empty() ? Json() : bytes_json(span.parent_id)},
         {"name", span.name},
         {"start_time_unix_nano", span.start_ns},
         {"end_time_unix_nano", span.end_ns},
         {"events", std::move(events)},
         {"status",
          Json::object({{"code", "STATUS_CODE_" + std::string(span_status_name(span.status))},
                        {"message", span.message}})},
         {"attributes", packed(span.attributes)},
         {"links", std::move(links)}}));
  }
  return Json::object({{"spans", std::move(list)}});
}

Result<std::vector<Span>> read_trace_file(const Json& file) {
  const Json& spans = file["spans"];
  if (!spans.is_array()) return base::fail(Code::kDataLoss, "traces.json holds no list of spans");
  std::vector<Span> out;
  for (const Json& json : spans.items()) {
    if (out.size() >= kMaxSpansPerBatch) return too_many_spans();
    out.push_back(file_span(json));
  }
  return out;
}

}  // namespace maru::tracking
