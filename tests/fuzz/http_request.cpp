// A request read whole and read byte by byte is the same request, or refused the same way; its path never leaves its place.
#include "../../src/foundation/http/src/body.h"
#include "../../src/foundation/http/src/head.h"
#include "../../src/foundation/http/src/target.h"
#include "driver.h"
#include "maru/base/check.h"

namespace {

using namespace maru::http;

struct Body {
  std::string bytes;
  std::size_t used = 0;
  int status = 0;
  bool done = false;
};

Body decode(const Head& head, std::string_view input, std::size_t step) {
  constexpr std::size_t kMax = 1 << 20;
  Body out;
  BodyDecoder decoder(head, parse_coding(head.headers.get("Content-Encoding")), kMax);
  while (out.used < input.size() && !decoder.done() && !decoder.fault()) {
    out.used += decoder.feed(input.substr(out.used, step), out.bytes, ~std::size_t{0});
  }
  out.status = decoder.fault().status;
  out.done = decoder.done();
  return out;
}

}  // namespace

void fuzz_one(std::string_view input) {
  HeadParser whole;
  const HeadParser::State state = whole.parse(input);
  HeadParser pieces;
  HeadParser::State last = HeadParser::State::kMore;
  for (std::size_t size = 1; size <= input.size() && last == HeadParser::State::kMore; ++size)
    last = pieces.parse(input.substr(0, size));
  MARU_CHECK(input.empty() || state == last);
  MARU_CHECK(state != HeadParser::State::kBad ||
             (whole.fault().status >= 400 && whole.fault().status == pieces.fault().status));
  if (state != HeadParser::State::kDone) return;
  MARU_CHECK(whole.consumed() == pieces.consumed() && whole.consumed() <= input.size());
  Request request;
  request.method = whole.head().method;
  std::string authority;
  if (parse_target(whole.head().target, request, authority) && request.path != "*") {
    MARU_CHECK(request.path.front() == '/' && request.path.find("/../") == std::string::npos);
    MARU_CHECK(request.path.find('\0') == std::string::npos &&
               request.path.find('\\') == std::string::npos);
    MARU_CHECK(!request.path.ends_with("/.."));
  }
  const std::string_view rest = input.substr(whole.consumed());
  const Body at_once = decode(whole.head(), rest, rest.size() + 1);
  const Body by_byte = decode(whole.head(), rest, 1);
  MARU_CHECK(at_once.done == by_byte.done && (at_once.status == 0) == (by_byte.status == 0));
  MARU_CHECK(at_once.status != 0 ||
             (at_once.bytes == by_byte.bytes && at_once.used == by_byte.used));
}

std::vector<std::string> fuzz_seeds() {
  const std::string host = "Host: 127.0.0.1\r\n";
  return {"GET /a/b%20c?q=1&r=%41+x HTTP/1.1\r\n" + host + "Accept: */*\r\n\r\n",
          "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello",
          "POST /echo HTTP/1.1\r\n" + host +
              "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
          "PUT http://127.0.0.1/x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
          "POST /z HTTP/1.1\r\n" + host +
              "Content-Encoding: gzip\r\nExpect: 100-continue\r\nContent-Length: 31\r\n\r\n" +
              gzip("hello hello hello")};
}
