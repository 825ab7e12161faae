#include "maru/http/message.h"

#include <algorithm>

namespace maru::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view method_name(Method method) {
  constexpr std::string_view kNames[] = {"GET",   "HEAD",   "POST",   "PUT",
                                         "PATCH", "DELETE", "OPTIONS"};
  return kNames[static_cast<std::size_t>(method)];
}

void Headers::set(std::string_view name, std::string_view value) {
  const std::string kept(value);  // `value` may live in the header that is about to go
  remove(name);
  add(name, kept);
}

void Headers::add(std::string_view name, std::string_view value) {
  all_.emplace_back(std::string(name), std::string(value));
}

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : all_) {
    if (same_name(key, name)) return value;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::any_of(all_.begin(), all_.end(),
                     [&](const auto& h) { return same_name(h.first, name); });
}

void Headers::remove(std::string_view name) {
  std::erase_if(all_, [&](const auto& h) { return same_name(h.first, name); });
}

std::string_view Request::query_param(std::string_view name, std::string_view fallback) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return fallback;
}

std::string_view Request::param(std::string_view name) const {
  for (const auto& [key, value] : path_params) {
    if (key == name) return value;
  }
  return {};
}

Response Response::json(const base::Json& value, int status) {
  return json_text(value.dump(), status);
}

Response Response::json_text(std::string text, int status) {
  return Response::text(std::move(text), status, "application/json");
}

Response Response::text(std::string text, int status, std::string_view type) {
  Response out;
  out.status = status;
  out.headers.add("Content-Type", type);
  out.body = std::move(text);
  return out;
}

Response Response::empty(int status) {
  Response out;
  out.status = status;
  return out;
}

Response error_response(const base::Error& error, std::string_view request_id) {
  std::string message = error.message;
  for (const base::Error* at = error.cause.get(); at != nullptr; at = at->cause.get()) {
    message += ": " + at->message;
  }
  const base::Error* hinted = &error;
  while (hinted->hint.empty() && hinted->cause != nullptr) hinted = hinted->cause.get();
  const base::Json body = base::Json::object({{"error_code", base::code_name(error.code)},
                                              {"message", std::move(message)},
                                              {"hint", hinted->hint},
                                              {"request_id", request_id}});
  Response out = Response::json(body, base::http_status(error.code));
  if (out.status == 503 || out.status == 429 || out.status == 504)
    out.headers.add("Retry-After", "1");
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
        hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace maru::http
