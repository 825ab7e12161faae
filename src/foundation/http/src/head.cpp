#include "head.h"

#include <array>

#include "maru/base/text.h"
#include "maru/http/limits.h"

namespace maru::http {
namespace {

constexpr std::array<bool, 256> token_table() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view(
           "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
constexpr std::array<bool, 256> kToken = token_table();

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!kToken[static_cast<unsigned char>(c)]) return false;
  }
  return !text.empty();
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::size_t count(const Headers& headers, std::string_view name) {
  std::size_t n = 0;
  const std::string wanted = base::to_lower_ascii(name);
  for (const auto& [key, value] : headers.all()) {
    if (key.size() == wanted.size() && base::to_lower_ascii(key) == wanted) ++n;
  }
  return n;
}

bool has_word(std::string_view list, std::string_view word) {
  for (const std::string& part : base::split(list, ',')) {
    if (base::to_lower_ascii(trim_blanks(part)) == word) return true;
  }
  return false;
}

}  // namespace

bool find_method(std::string_view word, Method& method) {
  for (int i = 0; i < 7; ++i) {
    method = static_cast<Method>(i);
    if (method_name(method) == word) return true;
  }
  return false;
}

void HeadParser::reset() { *this = HeadParser(); }

HeadParser::State HeadParser::bad(int status, const char* message) {
  fault_ = {status, message};
  return State::kBad;
}

HeadParser::State HeadParser::parse(std::string_view bytes) {
  while (!done_) {
    const std::size_t lf = bytes.find('\n', looked_);
    const std::size_t length = (lf == std::string_view::npos ? bytes.size() : lf) - at_;
    // A line without its end already counts against the limits; the CR that may be its last byte does not.
    if (!has_request_line_ && length > kMaxRequestLineBytes + 1) {
      return bad(414, "the request line is too long");
    }
    if (has_request_line_ && fields_bytes_ + length > kMaxHeaderBytes + 1) {
      return bad(431, "the header fields are too large");
    }
    if (lf == std::string_view::npos) {
      looked_ = bytes.size();
      return State::kMore;
    }
    if (lf == at_ || bytes[lf - 1] != '\r') return bad(400, "a line does not end in CR LF");
    const std::string_view line = bytes.substr(at_, lf - at_ - 1);
    if (const State state = parse_line(line); state == State::kBad) return state;
    at_ = looked_ = lf + 1;
  }
  return State::kDone;
}

HeadParser::State HeadParser::parse_line(std::string_view line) {
  if (!has_request_line_) {
    // One empty line before a request is forgiven (RFC 9112 §2.2).
    if (line.empty() && at_ == 0) return State::kMore;
    if (line.size() > kMaxRequestLineBytes) return bad(414, "the request line is too long");
    has_request_line_ = true;
    return parse_request_line(line);
  }
  if (line.empty()) return finish();
  fields_bytes_ += line.size() + 2;
  if (fields_bytes_ > kMaxHeaderBytes) return bad(431, "the header fields are too large");
  if (head_.headers.all().size() >= kMaxHeaderCount)
    return bad(431, "there are too many header fields");
  return parse_field(line);
}

HeadParser::State HeadParser::parse_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return bad(400, "the request line is not METHOD TARGET VERSION");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return bad(400, "the method is malformed");
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '#')
      return bad(400, "the target has a character that must be percent-encoded");
  }
  if (target.empty()) return bad(400, "the target is empty");
  if (version == "HTTP/1.1")
    head_.minor_version = 1;
  else if (version == "HTTP/1.0")
    head_.minor_version = 0;
  else if (version.starts_with("HTTP/"))
    return bad(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  else
    return bad(400, "the request line is not METHOD TARGET VERSION");
  head_.known_method = find_method(method, head_.method);
  head_.target = target;
  return State::kMore;
}

HeadParser::State HeadParser::parse_field(std::string_view line) {
  if (line[0] == ' ' || line[0] == '\t') return bad(400, "a header field is folded over two lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return bad(400, "the name of a header field is malformed");
  }
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f)
      return bad(400, "a header field has a control character");
  }
  head_.headers.add(line.substr(0, colon), value);
  return State::kMore;
}

HeadParser::State HeadParser::finish() {
  done_ = true;
  const std::string_view connection = head_.headers.get("Connection");
  head_.keep_alive = head_.minor_version == 1;
  if (!connection.empty()) {
    if (has_word(connection, "close"))
      head_.keep_alive = false;
    else if (has_word(connection, "keep-alive"))
      head_.keep_alive = true;
  }
  const std::size_t hosts = count(head_.headers, "Host");
  if (hosts > 1 || (hosts == 0 && head_.minor_version == 1))
    return bad(400, "there must be exactly one Host field");
  if (frame() == State::kBad) return State::kBad;
  if (!head_.known_method) return bad(501, "the method is not known");
  const std::string_view expect = head_.headers.get("Expect");
  if (!expect.empty() && head_.minor_version == 1) {
    if (base::to_lower_ascii(expect) != "100-continue")
      return bad(417, "the expectation is not known");
    head_.expect_continue = true;
  }
  return State::kDone;
}

HeadParser::State HeadParser::frame() {
  const std::size_t codings = count(head_.headers, "Transfer-Encoding");
  const std::size_t lengths = count(head_.headers, "Content-Length");
  if (codings > 0) {
    if (lengths > 0) return bad(400, "Content-Length and Transfer-Encoding exclude each other");
    if (codings > 1 || head_.minor_version == 0 ||
        base::to_lower_ascii(head_.headers.get("Transfer-Encoding")) != "chunked") {
      return bad(400, "the only transfer encoding is one `chunked`");
    }
    head_.chunked = true;
    return State::kMore;
  }
  if (lengths == 0) return State::kMore;
  const std::string_view digits = head_.headers.get("Content-Length");
  if (lengths > 1) return bad(400, "there is more than one Content-Length");
  // 18 digits cannot overflow, and nobody sends an exabyte.
  if (digits.empty() || digits.size() > 18) return bad(400, "the Content-Length is not a number");
  for (const char c : digits) {
    if (c < '0' || c > '9') return bad(400, "the Content-Length is not a number");
    head_.content_length = head_.content_length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return State::kMore;
}

}  // namespace maru::http
