#include "response_head.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "body.h"
#include "maru/base/text.h"

namespace maru::http {
namespace {

constexpr std::size_t kMinPackedBytes = 1024;

bool same_name(std::string_view name, std::string_view lower) {
  return name.size() == lower.size() && base::to_lower_ascii(name) == lower;
}

// A handler's text cannot start a second header or a second response.
void append_value(std::string& out, std::string_view value) {
  const std::size_t start = out.size();
  out += value;
  for (std::size_t i = start; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
  }
}

bool framing_name(std::string_view name) {
  return same_name(name, "content-length") || same_name(name, "transfer-encoding") ||
         same_name(name, "connection") || same_name(name, "date") ||
         same_name(name, "x-request-id");
}

bool packable_type(std::string_view type) {
  constexpr std::string_view kTypes[] = {
      "application/json",   "application/javascript", "application/xml", "image/svg+xml",
      "application/x-yaml", "application/x-ndjson",   "application/wasm"};
  const std::string word = base::to_lower_ascii(base::trim(type.substr(0, type.find(';'))));
  if (word.starts_with("text/")) return word != "text/event-stream";
  return std::find(std::begin(kTypes), std::end(kTypes), word) != std::end(kTypes);
}

}  // namespace

std::string_view reason_phrase(int status) {
  static constexpr std::pair<int, std::string_view> kPhrases[] = {
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {499, "Client Closed Request"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"}};
  const auto* found = std::find_if(std::begin(kPhrases), std::end(kPhrases),
                                   [&](const auto& phrase) { return phrase.first == status; });
  return found == std::end(kPhrases) ? "Status" : found->second;
}

void append_head(std::string& out, const Response& response, const Framing& framing) {
  out += framing.minor_version == 0 ? "HTTP/1.0 " : "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nDate: ";
  out += framing.date;
  for (const auto& [name, value] : response.headers.all()) {
    if (framing_name(name)) continue;
    out += "\r\n";
    append_value(out, name);
    out += ": ";
    append_value(out, value);
  }
  out += "\r\nX-Content-Type-Options: nosniff";
  if (!framing.request_id.empty()) {
    out += "\r\nX-Request-Id: ";
    out += framing.request_id;
  }
  if (!framing.traceparent.empty()) out.append("\r\ntraceparent: ").append(framing.traceparent);
  if (!framing.server_timing.empty())
    out.append("\r\nServer-Timing: ").append(framing.server_timing);
  if (framing.chunked) {
    out += "\r\nTransfer-Encoding: chunked";
  } else if (framing.length) {
    out += "\r\nContent-Length: ";
    out += std::to_string(*framing.length);
  }
  if (!framing.keep_alive)
    out += "\r\nConnection: close";
  else if (framing.minor_version == 0)
    out += "\r\nConnection: keep-alive";
  out += "\r\n\r\n";
}

bool accepts_gzip(std::string_view accept_encoding) {
  for (const std::string& part : base::split(accept_encoding, ',')) {
    const std::size_t semicolon = part.find(';');
    const std::string word =
        base::to_lower_ascii(base::trim(std::string_view(part).substr(0, semicolon)));
    if (word != "gzip" && word != "x-gzip" && word != "*") continue;
    if (semicolon == std::string::npos) return true;
    const std::size_t equals = part.find('=', semicolon);
    return equals == std::string::npos || std::strtod(part.c_str() + equals + 1, nullptr) > 0;
  }
  return false;
}

void compress_body(Response& response, bool gzip_wanted, std::size_t max_bytes) {
  const std::string_view body = response.whole_body();
  if (body.size() <= kMinPackedBytes || response.status == 206 ||
      response.headers.has("Content-Encoding") ||
      !packable_type(response.headers.get("Content-Type"))) {
    return;
  }
  if (!response.headers.has("Vary")) response.headers.add("Vary", "Accept-Encoding");
  if (!gzip_wanted || body.size() > max_bytes) return;
  std::string packed = gzip(body);
  if (packed.empty() || packed.size() >= body.size()) return;
  response.static_body = {};
  response.body = std::move(packed);
  response.headers.add("Content-Encoding", "gzip");
  // The bytes are others than those the strong tag names.
  const std::string tag(response.headers.get("ETag"));
  if (tag.starts_with('"')) response.headers.set("ETag", "W/" + tag);
}

std::string http_date(std::int64_t time_us) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = static_cast<std::time_t>(time_us / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon],
                                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace maru::http
