#include "target.h"

#include <algorithm>

#include "maru/base/text.h"

namespace maru::http {
namespace {

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

tl::unexpected<base::Error> refuse(const char* why) {
  return base::fail(base::Code::kInvalidArgument,
                    std::string("the path of the request is refused: ") + why,
                    "percent-encode names once, without . or .. segments");
}

bool escapes_are_whole(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') continue;
    if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    i += 2;
  }
  return true;
}

base::Status check_path(std::string_view path) {
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return refuse("control character");
    if (c == '\\') return refuse("backslash");
  }
  if (!base::is_valid_utf8(path)) return refuse("not UTF-8");
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    if (segment == "." || segment == "..") return refuse("dot segment");
    at = end;
  }
  return {};
}

std::string decode_query(std::string_view text) {
  std::string spaced(text);
  for (char& c : spaced) {
    if (c == '+') c = ' ';
  }
  return percent_decode(spaced);
}

}  // namespace

base::Status parse_target(std::string_view target, Request& request, std::string& authority) {
  request.target = target;
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const std::size_t start = target.find("//") + 2;
    const std::size_t end = std::min(target.find_first_of("/?", start), target.size());
    authority = target.substr(start, end - start);
    if (authority.empty() || authority.find('@') != std::string::npos)
      return refuse("bad authority");
    target.remove_prefix(end);
    if (target.empty()) target = "/";
  }
  if (target == "*" && request.method == Method::kOptions) {
    request.path = "*";
    return {};
  }
  if (target.empty() || target[0] != '/') return refuse("it must start with /");
  const std::size_t question = target.find('?');
  const std::string_view raw = target.substr(0, question);
  if (!escapes_are_whole(raw)) return refuse("bad percent escape");
  request.path = percent_decode(raw);
  TRY(check_path(request.path));
  if (question == std::string_view::npos) return {};
  std::string_view left = target.substr(question + 1);
  while (!left.empty()) {
    const std::size_t end = std::min(left.find('&'), left.size());
    const std::string_view pair = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    request.query.emplace_back(decode_query(pair.substr(0, equals)), decode_query(value));
  }
  return {};
}

}  // namespace maru::http
