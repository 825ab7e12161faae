#include <doctest/doctest.h>

#include <future>
#include <stdexcept>
#include <vector>

#include "maru/base/json.h"
#include "test_server.h"

using namespace maru;
using namespace maru::http;
using maru::http::test::Peer;
using maru::http::test::SlowRoute;
using maru::http::test::TestServer;

namespace {
const std::string kHost = "Host: 127.0.0.1\r\n";
std::string get(const std::string& path, const std::string& fields = {}) {
  return "GET " + path + " HTTP/1.1\r\n" + kHost + fields + "\r\n";
}
std::string post(const std::string& path, const std::string& body, const std::string& fields = {}) {
  return "POST " + path + " HTTP/1.1\r\n" + kHost + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
}  // namespace

TEST_CASE("keep-alive: many requests on one connection, on every pool") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  for (int i = 0; i < 20; ++i) {
    REQUIRE(peer.send(get("/hello")));
    const auto hello = peer.answer();
    CHECK(hello.status == 200);
    CHECK(hello.body == "{\"hello\":1}");
    CHECK(hello.head.find("X-Request-Id: ") != std::string::npos);
    const std::string path = i % 2 == 0 ? "/inline" : "/echo";
    REQUIRE(peer.send(post(path, "body " + std::to_string(i))));
    CHECK(peer.answer().body == "body " + std::to_string(i));
  }
  CHECK(t.server->counters().connections_total == 1);
  CHECK(t.server->counters().requests == 40);
}

TEST_CASE("an answer that comes later, from another thread, in order, also in process") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  std::string many;
  for (int i = 0; i < 50; ++i)
    many += post(i % 2 == 0 ? "/later/inline" : "/later/pool", std::to_string(i));
  REQUIRE(peer.send(many));
  for (int i = 0; i < 50; ++i) CHECK(peer.answer().body == std::to_string(i) + " later");
  {
    Peer gone(t.port());
    REQUIRE(gone.send(post("/later/inline", "x")));
  }
  Request request;
  request.method = Method::kPost;
  request.path = "/later/inline";
  request.body = "in process";
  base::Context context;
  CHECK(t.router.handle(request, context).body == "in process later");
}

TEST_CASE("pipelined requests are answered in order, without recursion") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  std::string all;
  for (int i = 0; i < 3000; ++i) all += post(i % 7 == 0 ? "/echo" : "/inline", std::to_string(i));
  std::future<bool> sent = std::async(std::launch::async, [&] { return peer.send(all); });
  for (int i = 0; i < 3000; ++i) REQUIRE(peer.answer().body == std::to_string(i));
  CHECK(sent.get());
}

TEST_CASE("a request in pieces of one byte") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  for (const char c : post("/echo", "slow")) REQUIRE(peer.send(std::string_view(&c, 1)));
  CHECK(peer.answer().body == "slow");
}

TEST_CASE("chunked in") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  REQUIRE(peer.send("POST /echo HTTP/1.1\r\n" + kHost +
                    "Transfer-Encoding: chunked\r\n\r\n4;name=value\r\nWiki\r\nA\r\npedia in "
                    "c\r\n0\r\nTrailer: x\r\n\r\n"));
  CHECK(peer.answer().body == "Wikipedia in c");
  REQUIRE(peer.send(get("/hello")));
  CHECK(peer.answer().status == 200);
}

TEST_CASE("HEAD has the length and no body; 404 and 405 are JSON") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  REQUIRE(peer.send("HEAD /hello HTTP/1.1\r\n" + kHost + "\r\n" + get("/nowhere") +
                    "DELETE /hello HTTP/1.1\r\n" + kHost + "\r\n"));
  const auto head = peer.answer(true);
  CHECK(head.status == 200);
  CHECK(head.head.find("Content-Length: 11\r\n") != std::string::npos);
  const auto missing = peer.answer();
  CHECK(missing.status == 404);
  const auto error = base::parse_json(missing.body);
  REQUIRE(error);
  CHECK((*error)["error_code"].as_string() == "NOT_FOUND");
  CHECK((*error)["request_id"].as_string().size() == 32);
  const auto method = peer.answer();
  CHECK(method.status == 405);
  CHECK(method.head.find("Allow: GET, HEAD\r\n") != std::string::npos);
}

TEST_CASE("a handler that throws is a 500 without its secrets") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  REQUIRE(peer.send(get("/boom", "X-Request-Id: abc-1\r\n")));
  const auto answer = peer.answer();
  CHECK(answer.status == 500);
  CHECK(answer.body.find("secret") == std::string::npos);
  CHECK(answer.head.find("X-Request-Id: abc-1\r\n") != std::string::npos);
}

TEST_CASE("permission is checked before the handler and before the body") {
  TestServer t({}, [](const Request& request) -> base::Result<base::Principal> {
    if (request.headers.get("Authorization") == "Bearer good")
      return base::Principal{"boss", base::Role::kAdmin};
    if (request.headers.has("Authorization")) return base::Principal{"guest", base::Role::kViewer};
    return base::fail(base::Code::kUnauthenticated, "no token");
  });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  REQUIRE(peer.send(get("/admin")));
  const auto nobody = peer.answer();
  CHECK(nobody.status == 401);
  CHECK(nobody.head.find("WWW-Authenticate: Bearer") != std::string::npos);
  REQUIRE(peer.send(get("/admin", "Authorization: Bearer guest\r\n")));
  CHECK(peer.answer().status == 403);
  REQUIRE(peer.send(get("/admin", "Authorization: Bearer good\r\n")));
  CHECK(peer.answer().body == "boss");
  REQUIRE(peer.send(get("/hello")));
  CHECK(peer.answer().status == 200);
}

TEST_CASE("Expect: 100-continue") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  REQUIRE(peer.send("PUT /small HTTP/1.1\r\n" + kHost +
                    "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
  CHECK(peer.answer().status == 100);
  REQUIRE(peer.send("12345"));
  CHECK(peer.answer().body == "12345");
  REQUIRE(peer.send("PUT /small HTTP/1.1\r\n" + kHost +
                    "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"));
  CHECK(peer.answer().status == 413);  // and no 100 before it
}

TEST_CASE("the limit of a route's body at -1, 0, +1, by length and by chunks") {
  TestServer t;
  REQUIRE(t.server->start());
  for (const bool chunked : {false, true}) {
    for (const std::size_t size : {9u, 10u, 11u}) {
      Peer peer(t.port());
      const std::string body(size, 'x');
      const std::string framing =
          chunked ? "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" +
                        std::string(size == 11   ? "a"
                                    : size == 10 ? "9"
                                                 : "8") +
                        "\r\n" + std::string(size - 1, 'x') + "\r\n0\r\n\r\n"
                  : "Content-Length: " + std::to_string(size) + "\r\n\r\n" + body;
      REQUIRE(peer.send("PUT /small HTTP/1.1\r\n" + kHost + framing));
      const auto answer = peer.answer();
      CHECK(answer.status == (size <= 10 ? 200 : 413));
      if (size <= 10) CHECK(answer.body == body);
    }
  }
}

TEST_CASE("limits of the head at -1, 0, +1") {
  TestServer t;
  REQUIRE(t.server->start());
  const auto status = [&](const std::string& bytes) {
    Peer peer(t.port());
    peer.send(bytes);
    return peer.answer().status;
  };
  for (int delta = -1; delta <= 1; ++delta) {
    CAPTURE(delta);
    const auto at = [&](std::size_t limit) {
      return static_cast<std::size_t>(static_cast<long>(limit) + delta);
    };
    const std::string prefix = "GET /path/";
    const std::string suffix = " HTTP/1.1";
    const std::string line =
        prefix + std::string(at(kMaxRequestLineBytes) - prefix.size() - suffix.size(), 'a') +
        suffix;
    CHECK(status(line + "\r\n" + kHost + "\r\n") == (delta <= 0 ? 200 : 414));
    const std::string field = "X: ";
    const std::string big =
        field + std::string(at(kMaxHeaderBytes) - kHost.size() - field.size() - 2, 'b') + "\r\n";
    CHECK(status("GET /hello HTTP/1.1\r\n" + kHost + big + "\r\n") == (delta <= 0 ? 200 : 431));
    std::string many;
    for (std::size_t i = 0; i < at(kMaxHeaderCount) - 1; ++i) many += "A: b\r\n";
    CHECK(status("GET /hello HTTP/1.1\r\n" + kHost + many + "\r\n") == (delta <= 0 ? 200 : 431));
    std::string chunks;
    for (std::size_t i = 0; i < at(kMaxChunks); ++i) chunks += "1\r\nx\r\n";
    CHECK(status("POST /echo HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n" + chunks +
                 "0\r\n\r\n") == (delta <= 0 ? 200 : 413));
  }
  CHECK(status(std::string(100'000, 'a')) == 414);  // without any line end
}

TEST_CASE("foreign Host and Origin are refused") {
  ServerOptions options;
  options.allowed_hosts = {"maru.example"};
  TestServer t(std::move(options));
  REQUIRE(t.server->start());
  const auto status = [&](const std::string& host, const std::string& origin) {
    Peer peer(t.port());
    peer.send("GET /hello HTTP/1.1\r\nHost: " + host + "\r\n" +
              (origin.empty() ? "" : "Origin: " + origin + "\r\n") + "\r\n");
    return peer.answer().status;
  };
  for (const char* host :
       {"127.0.0.1", "localhost:7400", "LOCALHOST", "[::1]:80", "maru.example", "Maru.Example:443"})
    CHECK(status(host, "") == 200);
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                           "10.0.0.1", "maru.example.evil"})
    CHECK(status(host, "") == 403);
  CHECK(status("localhost:7400", "http://localhost:7400") == 200);
  CHECK(status("localhost", "http://maru.example") == 200);
  for (const char* origin :
       {"http://evil.example", "null", "http://localhost:9999", "https://127.0.0.1.evil.example"})
    CHECK(status("localhost:7400", origin) == 403);
}

TEST_CASE("path: decoded once, tricks refused") {
  TestServer t;
  REQUIRE(t.server->start());
  const auto answer = [&](const std::string& target) {
    Peer peer(t.port());
    peer.send("GET " + target + " HTTP/1.1\r\n" + kHost + "\r\n");
    return peer.answer();
  };
  CHECK(answer("/path/a%2Fb%20c?q=x%20y+z&q=2").body == "a/b c|x y z");
  CHECK(answer("/path/%252e%252e/x").body == "%2e%2e/x|");
  CHECK(answer("/path/%ED%95%9C").body == "한|");
  CHECK(answer("http://127.0.0.1/path/abs").body == "abs|");
  CHECK(answer("http://evil.example/path/abs").status == 403);
  for (const char* bad : {"/path/../x", "/path/%2e%2e/x", "/path/..", "/path/a%2f..%2fb",
                          "/path/%5c..%5cx", "/path/a\\b", "/path/%00", "/path/%0a", "/path/./x",
                          "/path/%zz", "/path/%2", "/path/%ff", "path/x", "/path/#x"}) {
    CAPTURE(bad);
    CHECK(answer(bad).status == 400);
  }
}

TEST_CASE("smuggling shapes are refused and nothing after them is answered") {
  TestServer t;
  REQUIRE(t.server->start());
  const std::string next = "GET /hello HTTP/1.1\r\n" + kHost + "\r\n";
  const std::string start = "POST /echo HTTP/1.1\r\n" + kHost;
  const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::string> corpus = {
      start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      start + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
      start + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
      start + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
      start + "Content-Length: 5, 5\r\n\r\nabcde",
      start + "Content-Length: +5\r\n\r\nabcde",
      start + "Content-Length: -1\r\n\r\n",
      start + "Content-Length: 0x5\r\n\r\nabcde",
      start + "Content-Length: 5 5\r\n\r\nabcde",
      start + "Content-Length:\r\n\r\n",
      start + "Content-Length: 99999999999999999999\r\n\r\n",
      start + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      start + "Transfer-Encoding: identity\r\n\r\n",
      start + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      start + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      start + "Content-Length : 5\r\n\r\nabcde",
      start + "X: a\r\n folded\r\n\r\n",
      start + " X: a\r\n\r\n",
      start + "X: a\nY: b\r\n\r\n",
      start + "X: a\rY: b\r\n\r\n",
      start + std::string("X: a\0b\r\n\r\n", 10),
      start + ": empty\r\n\r\n",
      start + "no colon\r\n\r\n",
      "POST /echo HTTP/1.1\nHost: 127.0.0.1\n\n",
      "POST /echo HTTP/1.1\r\n\r\n",
      "POST /echo HTTP/1.1\r\n" + kHost + kHost + "\r\n",
      "POST  /echo HTTP/1.1\r\n" + kHost + "\r\n",
      "POST /echo  HTTP/1.1\r\n" + kHost + "\r\n",
      "POST /echo\r\n\r\n",
      "POST /echo HTTP/1.1 x\r\n" + kHost + "\r\n",
      "POST /echo http/1.1\r\n" + kHost + "\r\n",
      "PO ST /echo HTTP/1.1\r\n" + kHost + "\r\n",
      chunked + "-1\r\n\r\n",
      chunked + "+1\r\nx\r\n0\r\n\r\n",
      chunked + "0x1\r\nx\r\n0\r\n\r\n",
      chunked + " 1\r\nx\r\n0\r\n\r\n",
      chunked + "1 \r\nx\r\n0\r\n\r\n",
      chunked + "00000000000000000001\r\nx\r\n0\r\n\r\n",
      chunked + "FFFFFFFFFFFFFFFFFFFF\r\nx\r\n",
      chunked + "\r\nx\r\n",
      chunked + "1\nx\r\n0\r\n\r\n",
      chunked + "1\r\nxx\r\n0\r\n\r\n",
      chunked + "1\r\nx\n0\r\n\r\n",
      chunked + ";x\r\n",
      chunked + "g\r\n",
      chunked + "1;" + std::string(300, 'e') + "\r\nx\r\n",
      chunked + "0\r\nX: a\n\r\n",
  };
  for (const std::string& bytes : corpus) {
    CAPTURE(bytes);
    Peer peer(t.port());
    peer.send(bytes + next);
    const auto answer = peer.answer();
    CHECK(answer.status >= 400);
    CHECK(answer.status < 500);
    CHECK(answer.head.find("Connection: close") != std::string::npos);
    CHECK(peer.all().find("hello") == std::string::npos);
  }
}

TEST_CASE("other refusals have their own status") {
  TestServer t;
  REQUIRE(t.server->start());
  const auto status = [&](const std::string& bytes) {
    Peer peer(t.port());
    peer.send(bytes);
    return peer.answer().status;
  };
  CHECK(status("BREW /pot HTTP/1.1\r\n" + kHost + "\r\n") == 501);
  CHECK(status("GET / HTTP/2.0\r\n" + kHost + "\r\n") == 505);
  CHECK(status("GET /hello HTTP/1.1\r\n" + kHost + "Expect: tea\r\n\r\n") == 417);
  CHECK(status(post("/echo", "x", "Content-Encoding: br\r\n")) == 415);
  CHECK(status(post("/echo", "x", "Content-Encoding: gzip, gzip\r\n")) == 415);
  CHECK(status(post("/echo", "not gzip", "Content-Encoding: gzip\r\n")) == 400);
  CHECK(status("GET /hello HTTP/1.0\r\n\r\n") == 200);
}

TEST_CASE(
    "who comes again before Retry-After waits for the refusal, and gets it when the server stops") {
  ServerOptions options;
  options.refusal_delay_ms = 600'000;
  TestServer t(std::move(options));
  std::atomic<int> asked{0};
  t.router.add(Method::kGet, "/full", {Permission::kPublic, RunOn::kInline},
               [&](const Request&, base::Context&) -> base::Result<Response> {
                 ++asked;
                 return base::fail(base::Code::kUnavailable, "too much work waits");
               });
  REQUIRE(t.server->start());
  Peer hasty(t.port()), other(t.port());
  hasty.send(get("/full"));
  CHECK(hasty.answer().status == 503);  // the first one at once
  hasty.send(get("/full") + get("/full"));
  while (asked < 2) CHECK(Peer(t.port()).connected());
  other.send(get("/full"));
  CHECK(other.answer().status == 503);
  other.send(get("/hello"));
  CHECK(other.answer().status == 200);
  CHECK(hasty.left().empty());
  CHECK(asked == 3);  // what it sent after that is not looked at
  t.server->stop();
  CHECK(hasty.answer().status == 503);
}

TEST_CASE("a full pool answers 503 with Retry-After, and inline routes go on") {
  TestServer t;
  SlowRoute slow(t, RunOn::kWork);
  REQUIRE(t.server->start());
  Peer first(t.port());
  first.send(get("/slow"));
  while (slow.entered == 0) CHECK(Peer(t.port()).connected());
  Peer second(t.port());
  second.send(get("/slow"));  // waits in the queue of one
  while (t.work.queued() == 0) CHECK(Peer(t.port()).connected());
  Peer third(t.port());
  third.send(get("/slow"));
  const auto shed = third.answer();
  CHECK(shed.status == 503);
  CHECK(shed.head.find("Retry-After: 1\r\n") != std::string::npos);
  third.send(get("/hello"));
  CHECK(third.answer().status == 200);
  CHECK(t.server->counters().shed == 1);
  slow.release.set_value();
  CHECK(first.answer().body == "done");
  CHECK(second.answer().body == "done");
}

TEST_CASE("X-Request-Timeout: what waited longer is answered 504 and not begun") {
  TestServer t;
  SlowRoute slow(t, RunOn::kWork);
  REQUIRE(t.server->start());
  const auto with = [](const char* timeout) {
    return "GET /slow HTTP/1.1\r\nHost: localhost\r\nX-Request-Timeout: " + std::string(timeout) +
           "\r\n\r\n";
  };
  Peer first(t.port());
  first.send(with("1h"));
  while (slow.entered == 0) CHECK(Peer(t.port()).connected());
  Peer second(t.port());
  second.send(with("0.000001"));
  while (t.work.queued() == 0) CHECK(Peer(t.port()).connected());
  slow.release.set_value();
  CHECK(first.answer().body == "done");
  CHECK(second.answer().status == 504);
  CHECK(slow.entered == 1);
  for (const char* wrong : {"soon", "-1s", "0", "25h", "1e99"}) {
    first.send(with(wrong));
    const auto refused = first.answer();
    CHECK(refused.status == 400);
    CHECK(refused.body.find("X-Request-Timeout is not a timeout") != std::string::npos);
  }
}

TEST_CASE("an inline route runs elsewhere for a large body, or when it says that it would wait") {
  TestServer t;
  http::RouteOptions options{Permission::kPublic, RunOn::kInline};
  options.inline_body_bytes = 10;
  options.place = [](const Request& request) {
    return request.param("name") == "slow" ? RunOn::kServe : RunOn::kInline;
  };
  t.router.add(Method::kPost, "/where/{name}", options,
               [](const Request&, base::Context&) -> base::Result<Response> {
                 return Response::text(
                     std::to_string(std::hash<std::thread::id>{}(std::this_thread::get_id())));
               });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  const auto where = [&](const char* path, const char* body) {
    peer.send(post(path, body));
    return peer.answer().body;
  };
  const std::string io = where("/where/quick", "small");
  CHECK(where("/where/quick", "ten bytes!") == io);
  CHECK(where("/where/quick", "eleven byte") != io);
  CHECK(where("/where/slow", "small") != io);
}
