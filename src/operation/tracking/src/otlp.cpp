#include "maru/tracking/otlp.h"

#include <bit>
#include <cstring>
#include <unordered_map>

#include "maru/base/text.h"
#include "span_values.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;

enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  unsigned number = 0;
  unsigned wire = 0;
  std::uint64_t value = 0;  // varint and fixed
  std::string_view bytes;
};

// Protobuf's wire format (protobuf.dev/programming-guides/encoding), one field after the other.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool more() const { return at_ < bytes_.size(); }

  Result<Field> next() {
    TRY_ASSIGN(const std::uint64_t tag, varint());
    Field field{static_cast<unsigned>(tag >> 3), static_cast<unsigned>(tag & 7), 0, {}};
    if (field.number == 0 || tag >> 3 > 0x1FFFFFFF) return refuse("a field without a number");
    switch (field.wire) {
      case kVarint: {
        TRY_ASSIGN(field.value, varint());
        return field;
      }
      case kFixed64: {
        TRY_ASSIGN(field.value, fixed(8));
        return field;
      }
      case kFixed32: {
        TRY_ASSIGN(field.value, fixed(4));
        return field;
      }
      case kBytes: {
        TRY_ASSIGN(const std::uint64_t size, varint());
        if (size > bytes_.size() - at_) return refuse("a field that is longer than its message");
        field.bytes = bytes_.substr(at_, static_cast<std::size_t>(size));
        at_ += static_cast<std::size_t>(size);
        return field;
      }
      default:
        return refuse("a wire type that does not exist");
    }
  }

 private:
  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return refuse("a number that does not end");
  }
  Result<std::uint64_t> fixed(std::size_t size) {
    if (bytes_.size() - at_ < size) return refuse("a number that is cut off");
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(bytes_[at_ + i]);
    at_ += size;
    return value;
  }
  tl::unexpected<base::Error> refuse(const char* why) const {
    return base::fail(Code::kInvalidArgument, std::string("Invalid OpenTelemetry format: ") + why +
                                                  " at byte " + std::to_string(at_));
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

// Calls `take` for every field of a message.
template <class Take>
Status each_field(std::string_view message, const Take& take) {
  Reader reader(message);
  while (reader.more()) {
    TRY_ASSIGN(const Field field, reader.next());
    TRY(take(field));
  }
  return {};
}

Result<Json> read_value(std::string_view message, int depth);

// repeated KeyValue; a key that comes twice keeps the last value.
Status read_pair(std::string_view message, int depth, Json::Object& out) {
  std::string key;
  Json value;
  TRY(each_field(message, [&](const Field& field) -> Status {
    if (field.wire != kBytes) return {};
    if (field.number == 1) key = std::string(field.bytes);
    if (field.number != 2) return {};
    TRY_ASSIGN(value, read_value(field.bytes, depth));
    return {};
  }));
  out.emplace_back(std::move(key), std::move(value));
  return {};
}

Result<Json> read_list(std::string_view message, int depth, bool pairs) {
  Json::Object members;
  Json::Array items;
  TRY(each_field(message, [&](const Field& field) -> Status {
    if (field.number != 1 || field.wire != kBytes) return {};
    if (pairs) return read_pair(field.bytes, depth, members);
    TRY_ASSIGN(Json item, read_value(field.bytes, depth));
    items.push_back(std::move(item));
    return {};
  }));
  return pairs ? object_of_pairs(std::move(members)) : Json(std::move(items));
}

Result<Json> read_value(std::string_view message, int depth) {
  if (depth > kMaxValueDepth)
    return base::fail(Code::kInvalidArgument,
                      "Invalid OpenTelemetry format: a value is nested too deeply");
  Json out;
  TRY(each_field(message, [&](const Field& field) -> Status {
    const bool bytes = field.wire == kBytes;
    if (field.number == 1 && bytes) out = Json(field.bytes);
    if (field.number == 2 && field.wire == kVarint) out = field.value != 0;
    if (field.number == 3 && field.wire == kVarint) out = static_cast<std::int64_t>(field.value);
    if (field.number == 4 && field.wire == kFixed64) out = std::bit_cast<double>(field.value);
    if ((field.number == 5 || field.number == 6) && bytes) {
      TRY_ASSIGN(out, read_list(field.bytes, depth + 1, field.number == 6));
    }
    if (field.number == 7 && bytes) out = base::base64(field.bytes);
    return {};
  }));
  return out;
}

// Identifiers are of 16 and 8 bytes; shorter ones are filled up with zeros in front.
Result<std::string> read_id(std::string_view bytes, std::size_t size) {
  if (bytes.size() > size)
    return base::fail(Code::kFailedPrecondition, "Cannot convert OpenTelemetry span: an id has " +
                                                     std::to_string(bytes.size()) + " bytes, not " +
                                                     std::to_string(size));
  return base::hex(std::string(size - bytes.size(), '\0')) + base::hex(bytes);
}

Result<SpanEvent> read_event(std::string_view message) {
  SpanEvent out;
  Json::Object attributes;
  TRY(each_field(message, [&](const Field& field) -> Status {
    if (field.number == 1 && field.wire == kFixed64) out.time_ns = field.value;
    if (field.number == 2 && field.wire == kBytes) out.name = std::string(field.bytes);
    if (field.number == 3 && field.wire == kBytes) return read_pair(field.bytes, 0, attributes);
    return {};
  }));
  out.attributes = object_of_pairs(std::move(attributes));
  return out;
}

Result<SpanLink> read_link(std::string_view message) {
  SpanLink out;
  Json::Object attributes;
  TRY(each_field(message, [&](const Field& field) -> Status {
    if (field.wire != kBytes) return {};
    if (field.number == 1) {
      TRY_ASSIGN(out.trace_id, read_id(field.bytes, 16));
    }
    if (field.number == 2) {
      TRY_ASSIGN(out.span_id, read_id(field.bytes, 8));
    }
    if (field.number == 4) return read_pair(field.bytes, 0, attributes);
    return {};
  }));
  out.attributes = object_of_pairs(std::move(attributes));
  return out;
}

Status read_status(std::string_view message, Span& span) {
  return each_field(message, [&](const Field& field) -> Status {
    if (field.number == 2 && field.wire == kBytes) span.message = std::string(field.bytes);
    if (field.number == 3 && field.wire == kVarint)
      span.status = field.value == 1   ? SpanStatus::kOk
                    : field.value == 2 ? SpanStatus::kError
                                       : SpanStatus::kUnset;
    return {};
  });
}

Status read_span_bytes(const Field& field, Span& span, Json::Object& attributes) {
  switch (field.number) {
    case 1: {
      TRY_ASSIGN(span.trace_id, read_id(field.bytes, 16));
      return {};
    }
    case 2: {
      TRY_ASSIGN(span.span_id, read_id(field.bytes, 8));
      return {};
    }
    case 4: {
      if (field.bytes.empty()) return {};
      TRY_ASSIGN(span.parent_id, read_id(field.bytes, 8));
      return {};
    }
    case 5:
      span.name = std::string(field.bytes);
      return {};
    case 9:
      return read_pair(field.bytes, 0, attributes);
    case 11: {
      TRY_ASSIGN(SpanEvent event, read_event(field.bytes));
      span.events.push_back(std::move(event));
      return {};
    }
    case 13: {
      TRY_ASSIGN(SpanLink link, read_link(field.bytes));
      span.links.push_back(std::move(link));
      return {};
    }
    case 15:
      return read_status(field.bytes, span);
    default:
      return {};
  }
}

Status read_scope_spans(std::string_view message, SpanBatch& batch) {
  return each_field(message, [&](const Field& field) -> Status {
    if (field.number != 2 || field.wire != kBytes) return {};
    if (batch.spans.size() >= kMaxSpansPerBatch) return too_many_spans();
    TRY_ASSIGN(Span span, read_span(field.bytes));
    batch.spans.push_back({std::move(span), std::string(field.bytes), batch.resources.size()});
    return {};
  });
}

Status read_resource_spans(std::string_view message, SpanBatch& batch) {
  Json::Object resource;
  TRY(each_field(message, [&](const Field& field) -> Status {
    if (field.wire != kBytes) return {};
    if (field.number == 2) return read_scope_spans(field.bytes, batch);
    if (field.number != 1) return {};
    return each_field(field.bytes, [&](const Field& inner) -> Status {
      if (inner.number != 1 || inner.wire != kBytes) return {};
      return read_pair(inner.bytes, 0, resource);
    });
  }));
  batch.resources.push_back(object_of_pairs(std::move(resource)));
  return {};
}

// ---- writing

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void put_tag(std::string& out, unsigned number, unsigned wire) {
  put_varint(out, std::uint64_t{number} << 3 | wire);
}
void put_bytes(std::string& out, unsigned number, std::string_view bytes) {
  put_tag(out, number, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}
void put_fixed64(std::string& out, unsigned number, std::uint64_t value) {
  put_tag(out, number, kFixed64);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}
void put_number(std::string& out, unsigned number, std::uint64_t value) {
  put_tag(out, number, kVarint);
  put_varint(out, value);
}

std::string unhex(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  return out;
}

std::string value_bytes(const Json& value) {
  std::string out;
  if (value.is_string()) put_bytes(out, 1, value.as_string());
  if (value.is_bool()) put_number(out, 2, value.as_bool() ? 1 : 0);
  if (value.is_int()) put_number(out, 3, static_cast<std::uint64_t>(value.as_int()));
  if (value.is_double() || value.is_uint())
    put_fixed64(out, 4, std::bit_cast<std::uint64_t>(value.as_double()));
  if (!value.is_array() && !value.is_object()) return out;
  std::string list;
  for (const Json& item : value.items()) put_bytes(list, 1, value_bytes(item));
  for (const auto& [key, item] : value.members()) {
    std::string pair;
    put_bytes(pair, 1, key);
    put_bytes(pair, 2, value_bytes(item));
    put_bytes(list, 1, pair);
  }
  put_bytes(out, value.is_array() ? 5 : 6, list);
  return out;
}

void put_pairs(std::string& out, unsigned number, const Json& attributes) {
  for (const auto& [key, value] : attributes.members()) {
    std::string pair;
    put_bytes(pair, 1, key);
    put_bytes(pair, 2, value_bytes(value));
    put_bytes(out, number, pair);
  }
}

}  // namespace

std::string_view span_status_name(SpanStatus status) {
  constexpr std::string_view kNames[] = {"UNSET", "OK", "ERROR"};
  return kNames[static_cast<std::size_t>(status)];
}

tl::unexpected<base::Error> too_many_spans() {
  return base::fail(Code::kInvalidArgument,
                    "more than " + std::to_string(kMaxSpansPerBatch) + " spans in one request");
}

Json object_of_pairs(Json::Object members) {
  std::unordered_map<std::string, std::size_t> known;
  Json::Object out;
  out.reserve(members.size());
  for (auto& [key, value] : members) {
    const auto [place, fresh] = known.emplace(key, out.size());
    if (fresh)
      out.emplace_back(std::move(key), std::move(value));
    else
      out[place->second].second = std::move(value);
  }
  return Json::object_of(std::move(out));
}

Result<Span> read_span(std::string_view protobuf) {
  Span span;
  Json::Object attributes;
  TRY(each_field(protobuf, [&](const Field& field) -> Status {
    if (field.number == 6 && field.wire == kVarint) span.kind = static_cast<int>(field.value & 7);
    if (field.number == 7 && field.wire == kFixed64) span.start_ns = field.value;
    if (field.number == 8 && field.wire == kFixed64) span.end_ns = field.value;
    if (field.wire == kBytes) return read_span_bytes(field, span, attributes);
    return {};
  }));
  TRY(check_span(span));
  span.attributes = object_of_pairs(std::move(attributes));
  return span;
}

Status check_span(const Span& span) {
  const auto empty = [](const std::string& id) {
    return id.find_first_not_of('0') == std::string::npos;
  };
  if (empty(span.trace_id) || empty(span.span_id))
    return base::fail(Code::kFailedPrecondition,
                      "Cannot convert OpenTelemetry span: its trace id or its span id is missing");
  return {};
}

Result<SpanBatch> read_span_batch(std::string_view protobuf) {
  SpanBatch batch;
  TRY(each_field(protobuf, [&](const Field& field) -> Status {
    if (field.number != 1 || field.wire != kBytes) return {};
    return read_resource_spans(field.bytes, batch);
  }));
  return batch;
}

std::string write_span(const Span& span) {
  std::string out;
  put_bytes(out, 1, unhex(span.trace_id));
  put_bytes(out, 2, unhex(span.span_id));
  if (!span.parent_id.empty()) put_bytes(out, 4, unhex(span.parent_id));
  put_bytes(out, 5, span.name);
  if (span.kind != 0) put_number(out, 6, static_cast<std::uint64_t>(span.kind));
  put_fixed64(out, 7, span.start_ns);
  put_fixed64(out, 8, span.end_ns);
  put_pairs(out, 9, span.attributes);
  for (const SpanEvent& event : span.events) {
    std::string message;
    put_fixed64(message, 1, event.time_ns);
    put_bytes(message, 2, event.name);
    put_pairs(message, 3, event.attributes);
    put_bytes(out, 11, message);
  }
  for (const SpanLink& link : span.links) {
    std::string message;
    if (!link.trace_id.empty()) put_bytes(message, 1, unhex(link.trace_id));
    if (!link.span_id.empty()) put_bytes(message, 2, unhex(link.span_id));
    put_pairs(message, 4, link.attributes);
    put_bytes(out, 13, message);
  }
  std::string status;
  if (!span.message.empty()) put_bytes(status, 2, span.message);
  put_number(status, 3, static_cast<std::uint64_t>(span.status));
  put_bytes(out, 15, status);
  return out;
}

}  // namespace maru::tracking
