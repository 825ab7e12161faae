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
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
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
  const std::string_view body =
      response.shared_body ? std::string_view(*response.shared_body) : response.body;
  if (body.size() <= kMinPackedBytes || response.status == 206 ||
      response.headers.has("Content-Encoding") ||
      !packable_type(response.headers.get("Content-Type"))) {
    return;
  }
  if (!response.headers.has("Vary")) response.headers.add("Vary", "Accept-Encoding");
  if (!gzip_wanted || body.size() > max_bytes) return;
  std::string packed = gzip(body);
  if (packed.empty() || packed.size() >= body.size()) return;
  response.shared_body.reset();
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
