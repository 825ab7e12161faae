#include "maru/http/client.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netdb.h>

#include <stdexcept>

#include "address.h"
#include "maru/base/file.h"
#include "test_server.h"

using namespace maru;
using namespace maru::http;
using maru::http::test::TestServer;

namespace {

EgressPolicy open_policy() {
  EgressPolicy policy;
  policy.allow_private = true;
  return policy;
}

bool private_v4(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  REQUIRE(::inet_pton(AF_INET, text, &address.sin_addr) == 1);
  return is_private_address(reinterpret_cast<const sockaddr*>(&address));
}

bool private_v6(const char* text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  REQUIRE(::inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
  return is_private_address(reinterpret_cast<const sockaddr*>(&address));
}

ClientRequest to(std::string url) {
  ClientRequest request;
  request.url = std::move(url);
  request.connect_timeout_ms = 2000;
  return request;
}

}  // namespace

TEST_CASE("addresses: private, special and public") {
  for (const char* a :
       {"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1",
        "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
        "192.168.1.1", "198.18.0.1", "198.19.255.255", "224.0.0.1", "255.255.255.255"}) {
    CAPTURE(a);
    CHECK(private_v4(a));
  }
  for (const char* a :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.0.0.1",
        "128.0.0.1", "169.253.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "223.255.255.255"}) {
    CAPTURE(a);
    CHECK_FALSE(private_v4(a));
  }
  for (const char* a :
       {"::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2001:0:1::", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1", "ff02::1"}) {
    CAPTURE(a);
    CHECK(private_v6(a));
  }
  for (const char* a : {"2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101",
                        "2002:101:101::"}) {
    CAPTURE(a);
    CHECK_FALSE(private_v6(a));
  }
}

TEST_CASE("SSRF corpus: every spelling of a private address is refused before a byte is sent") {
  TestServer t;
  REQUIRE(t.server->start());
  const std::string port = ":" + std::to_string(t.port()) + "/hello";
  Client client;
  for (const char* host : {"127.0.0.1", "localhost", "127.1", "127.0.1", "2130706433", "0x7f000001",
                           "0177.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
                           "127.0.0.1.", "LOCALHOST", "0.0.0.0", "0", "[::]", "[::1]"}) {
    CAPTURE(host);
    const auto answer = client.send(to("http://" + std::string(host) + port));
    REQUIRE_FALSE(answer);
    // A spelling that no resolver of this machine knows is as good: nothing was connected to.
    const bool refused = answer.error().code == base::Code::kPermissionDenied ||
                         answer.error().code == base::Code::kUnavailable ||
                         answer.error().code == base::Code::kInvalidArgument;
    CHECK(refused);
  }
  CHECK(client.send(to("http://127.0.0.1" + port)).error().code == base::Code::kPermissionDenied);
  CHECK(client.send(to("http://2130706433" + port)).error().code == base::Code::kPermissionDenied);
  CHECK(client.send(to("http://[::ffff:127.0.0.1]" + port)).error().code ==
        base::Code::kPermissionDenied);
  CHECK(t.server->counters().connections_total == 0);
  for (const char* url :
       {"file:///etc/passwd", "gopher://127.0.0.1/x", "ftp://127.0.0.1/x",
        "dict://127.0.0.1:11211/", "http://user:pass@127.0.0.1/", "http://", "not a url", ""}) {
    CAPTURE(url);
    CHECK_FALSE(client.send(to(url)));
  }
  EgressPolicy named;
  named.allowed_hosts = {"LocalHost"};
  Client exception(named);
  CHECK(exception.send(to("http://localhost" + port)).value().status == 200);
  CHECK(exception.send(to("http://127.0.0.1" + port)).error().code ==
        base::Code::kPermissionDenied);
}

TEST_CASE("methods, headers, bodies, reuse of connections") {
  TestServer t;
  REQUIRE(t.server->start());
  Client client(open_policy());
  for (int i = 0; i < 5; ++i) {
    ClientRequest request = to(t.url("/echo"));
    request.method = Method::kPost;
    request.body = std::string(100'000, 'b') + std::to_string(i);
    const auto answer = client.send(request);
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->body == request.body);
    CHECK(answer->headers.get("content-type").starts_with("text/plain"));
  }
  CHECK(t.server->counters().connections_total == 1);
  ClientRequest head = to(t.url("/hello"));
  head.method = Method::kHead;
  CHECK(client.send(head).value().body.empty());
  CHECK(client.send(to(t.url("/nowhere"))).value().status == 404);
  ClientRequest split = to(t.url("/hello"));
  split.headers.add("X", "a\r\nY: b");
  CHECK(client.send(split).error().code == base::Code::kInvalidArgument);
  CHECK(client.send(to("http://127.0.0.1:1/")).error().code == base::Code::kUnavailable);
}

TEST_CASE("the body cap, the streamed body and its refusal") {
  TestServer t;
  t.router.add(
      Method::kGet, "/big", {Permission::kPublic, RunOn::kServe},
      [](const Request& request, base::Context&) -> base::Result<Response> {
        return Response::text(std::string(std::stoul(std::string(request.query_param("n"))), 'x'));
      });
  REQUIRE(t.server->start());
  EgressPolicy policy = open_policy();
  policy.max_body_bytes = 1000;
  Client client(policy);
  CHECK(client.send(to(t.url("/big?n=999"))).value().body.size() == 999);
  CHECK(client.send(to(t.url("/big?n=1000"))).value().body.size() == 1000);
  CHECK(client.send(to(t.url("/big?n=1001"))).error().code == base::Code::kTooLarge);
  ClientRequest streamed = to(t.url("/big?n=900"));
  std::size_t got = 0;
  streamed.on_body = [&](std::string_view bytes) -> base::Status {
    got += bytes.size();
    return {};
  };
  CHECK(client.send(streamed).value().body.empty());
  CHECK(got == 900);
  streamed.on_body = [](std::string_view) -> base::Status {
    return base::fail(base::Code::kNoSpace, "full");
  };
  CHECK(client.send(streamed).error().code == base::Code::kNoSpace);
}

TEST_CASE("the head of an answer is seen before its body, once, and not that of a redirect") {
  TestServer t;
  t.router.add(Method::kGet, "/moved", {Permission::kPublic, RunOn::kInline},
               [](const Request&, base::Context&) -> base::Result<Response> {
                 Response out = Response::text("not this", 302);
                 out.headers.add("Location", "/hello");
                 return out;
               });
  REQUIRE(t.server->start());
  Client client(open_policy());
  ClientRequest request = to("http://127.0.0.1:" + std::to_string(t.port()) + "/moved");
  std::string order, body;
  request.on_head = [&](int status, const Headers& headers) -> base::Status {
    order += "head " + std::to_string(status) + (headers.has("Content-Length") ? " " : "? ");
    return {};
  };
  request.on_body = [&](std::string_view bytes) -> base::Status {
    body += bytes;
    return {};
  };
  REQUIRE(client.send(request).has_value());
  CHECK(order == "head 200 ");
  CHECK_FALSE(body.empty());
  CHECK(body.find("not this") == std::string::npos);
  request.on_head = [](int, const Headers&) {
    return base::Status(base::fail(base::Code::kAborted, "enough"));
  };
  body.clear();
  CHECK(client.send(request).error().code == base::Code::kAborted);
  CHECK(body.empty());
}

TEST_CASE("redirects stay at their place and end") {
  TestServer t;
  t.router.add(Method::kGet, "/to/{where...}", {Permission::kPublic, RunOn::kInline},
               [](const Request& request, base::Context&) -> base::Result<Response> {
                 Response out = Response::empty(302);
                 out.headers.add("Location", request.query_param("url"));
                 return out;
               });
  REQUIRE(t.server->start());
  Client client(open_policy());
  CHECK(client.send(to(t.url("/to/x?url=/hello"))).value().status == 200);
  CHECK(client
            .send(to(t.url("/to/x?url=http%3A%2F%2Flocalhost%3A" + std::to_string(t.port()) +
                           "%2Fhello")))
            .error()
            .code == base::Code::kPermissionDenied);
  CHECK_FALSE(client.send(to(t.url("/to/x?url=file%3A%2F%2F%2Fetc%2Fpasswd"))));
  CHECK(client.send(to(t.url("/to/x?url=%3Furl%3D"))).value().status == 302);
  CHECK(client.send(to(t.url("/to/loop?url=%2Fto%2Fx%3Furl%3D%252Fto%252Floop"))).has_value());
}

TEST_CASE("TLS with a certificate made here") {
  std::string folder = "/tmp/maru-tls-test-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "
      "/CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
      folder + "/key.pem -out " + folder + "/cert.pem 2>/dev/null";
  if (std::system(make.c_str()) != 0) {
    MESSAGE("skipped: the openssl program is not here");
    return;
  }
  ServerOptions options;
  options.tls_certificate_file = folder + "/cert.pem";
  options.tls_key_file = folder + "/key.pem";
  TestServer t(std::move(options));
  t.router.add(Method::kGet, "/large", {Permission::kPublic, RunOn::kServe},
               [](const Request& request, base::Context&) -> base::Result<Response> {
                 return Response::text(std::string(3'000'000, request.tls ? 't' : 'p'));
               });
  REQUIRE(t.server->start());
  const std::string base_url = "https://localhost:" + std::to_string(t.port());
  // Our client trusts the system's authorities alone.
  Client client(open_policy());
  CHECK(client.send(to(base_url + "/hello")).error().code == base::Code::kUnauthenticated);
  const std::string curl = "curl -s --cacert " + folder + "/cert.pem -o " + folder + "/out ";
  if (std::system("curl --version >/dev/null 2>&1") == 0) {
    REQUIRE(std::system((curl + base_url + "/large").c_str()) == 0);
    CHECK(base::read_file(folder + "/out").value() == std::string(3'000'000, 't'));
    REQUIRE(std::system((curl + "--tls-max 1.2 -d body " + base_url + "/echo").c_str()) == 0);
    CHECK(base::read_file(folder + "/out").value() == "body");
    CHECK(std::system(
              (curl + "--tlsv1.0 --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 " + base_url + "/hello")
                  .c_str()) != 0);
  } else {
    MESSAGE("skipped in part: the curl program is not here");
  }
  // Plain bytes at a TLS port harm nobody.
  test::Peer plain(t.port());
  plain.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(plain.all().find("hello") == std::string::npos);
  REQUIRE(base::remove_tree(folder));
  ServerOptions broken;
  broken.tls_certificate_file = "/nowhere/cert.pem";
  broken.tls_key_file = "/nowhere/key.pem";
  TestServer refused(std::move(broken));
  CHECK(refused.server->start().error().code == base::Code::kInvalidArgument);
}
