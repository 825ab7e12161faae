#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "maru/http/message.h"

namespace maru::http {

// How a response ends: known length, chunks, or the end of the connection.
struct Framing {
  bool keep_alive = true;
  int minor_version = 1;
  bool chunked = false;
  std::optional<std::uint64_t> length;
  std::string_view date;  // as in the Date field
  std::string_view request_id;
  std::string traceparent, server_timing;  // "": not told
};

void append_head(std::string& out, const Response& response, const Framing& framing);
std::string_view reason_phrase(int status);
// RFC 9110: "gzip" with a weight above zero, or "*".
bool accepts_gzip(std::string_view accept_encoding);
// Packs a body of a kind that gets smaller; leaves the rest as it is. `max_bytes`: larger bodies stay unpacked.
void compress_body(Response& response, bool gzip_wanted, std::size_t max_bytes);
std::string http_date(std::int64_t time_us);

}  // namespace maru::http
