#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "maru/http/message.h"

namespace maru::http {

// What is wrong with the bytes of a peer: the status to answer with before the connection is closed. status 0: nothing.
struct Fault {
  int status = 0;
  const char* message = "";
  explicit operator bool() const { return status != 0; }
};

bool find_method(std::string_view word, Method& method);

// The head of one HTTP/1.x request, and how its body is framed.
struct Head {
  Method method = Method::kGet;
  bool known_method = true;
  std::string target;
  int minor_version = 1;
  Headers headers;
  bool keep_alive = true;
  bool chunked = false;
  std::uint64_t content_length = 0;
  bool expect_continue = false;
};

// A strict parser of RFC 9112: every shape on which two parsers could disagree (bare LF, folded lines, space before the colon, both
// Content-Length and Transfer-Encoding, repeated ones, NUL) is a 400. Give it the bytes from the start of the request each time more have come;
// it looks at each byte once. Limits: limits.h. Not thread safe.
class HeadParser {
 public:
  enum class State : std::uint8_t { kMore, kDone, kBad };
  State parse(std::string_view bytes);
  std::size_t consumed() const { return at_; }  // bytes of the head, once kDone
  Head& head() { return head_; }
  Fault fault() const { return fault_; }
  void reset();

 private:
  State bad(int status, const char* message);
  State parse_line(std::string_view line);
  State parse_request_line(std::string_view line);
  State parse_field(std::string_view line);
  State finish();
  State frame();

  Head head_;
  Fault fault_;
  std::size_t at_ = 0;      // start of the line in work
  std::size_t looked_ = 0;  // no LF before this offset
  std::size_t fields_bytes_ = 0;
  bool has_request_line_ = false;
  bool done_ = false;
};

}  // namespace maru::http
