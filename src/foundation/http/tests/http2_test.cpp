#include <doctest/doctest.h>

#include <future>

#include "http2_peer.h"
#include "maru/http/rpc.h"
#include "rpc_frame.h"
#include "test_server.h"

using namespace maru;
using namespace maru::http;
using maru::http::test::framed;
using maru::http::test::Http2Answer;
using maru::http::test::Http2Peer;
using maru::http::test::Pairs;
using maru::http::test::Peer;
using maru::http::test::TestServer;

namespace {

// Answers each message with itself, twice when it says so.
class Echo final : public RpcStream {
 public:
  base::Status on_message(std::string_view message, base::Context&,
                          std::vector<std::string>& out) override {
    if (message == "fail") return base::fail(base::Code::kNotFound, "as asked");
    out.emplace_back(message);
    if (message == "twice") out.emplace_back(message);
    if (message == "large") out.back() = std::string(1 << 20, 'x');
    return {};
  }
};

class Watch final : public RpcStream {
 public:
  base::Status on_message(std::string_view, base::Context&,
                          std::vector<std::string>& out) override {
    out.emplace_back("first");
    return {};
  }
  base::Status on_tick(base::Context&, std::vector<std::string>& out) override {
    if (!std::exchange(ticked_, true)) out.emplace_back("tick");
    return {};
  }
  void on_drain(std::vector<std::string>& out) override { out.emplace_back("last"); }
  bool stays_open() const override { return true; }

 private:
  bool ticked_ = false;
};

struct RpcServer {
  RpcRouter rpc;
  std::promise<void> release;
  std::shared_future<void> released{release.get_future()};
  std::atomic<int> begun{0}, cancelled{0};
  std::unique_ptr<TestServer> base;

  explicit RpcServer(ServerOptions options = {}, Authenticate authenticate = test::admit_all) {
    const auto echo = [](const Request& request, base::Context&) -> base::Result<Response> {
      Response out;
      out.body = request.body;
      return out;
    };
    rpc.add_unary("/t.S/Inline", {Permission::kPublic, RunOn::kInline}, echo);
    rpc.add_unary("/t.S/Pool", {Permission::kPublic, RunOn::kServe}, echo);
    rpc.add_unary("/t.S/Admin", {Permission::kAdmin, RunOn::kInline}, echo);
    rpc.add_unary("/t.S/Small", {Permission::kPublic, RunOn::kInline, false, 10}, echo);
    rpc.add_unary("/t.S/Fail", {Permission::kPublic, RunOn::kInline},
                  [](const Request&, base::Context&) -> base::Result<Response> {
                    return base::fail(base::Code::kNotFound, "no 100% such thing", "look again");
                  });
    rpc.add_unary("/t.S/Throw", {Permission::kPublic, RunOn::kServe},
                  [](const Request&, base::Context&) -> base::Result<Response> {
                    throw std::runtime_error("secret detail");
                  });
    rpc.add_unary("/t.S/Hold", {Permission::kPublic, RunOn::kServe},
                  [this](const Request&, base::Context& context) -> base::Result<Response> {
                    ++begun;
                    released.wait();
                    if (context.cancel.cancelled()) ++cancelled;
                    return Response();
                  });
    rpc.add_stream("/t.S/Echo", {Permission::kPublic, RunOn::kServe},
                   [](const Request&, base::Context&) -> base::Result<std::unique_ptr<RpcStream>> {
                     return std::make_unique<Echo>();
                   });
    rpc.add_stream("/t.S/EchoInline", {Permission::kPublic, RunOn::kInline},
                   [](const Request&, base::Context&) -> base::Result<std::unique_ptr<RpcStream>> {
                     return std::make_unique<Echo>();
                   });
    rpc.add_stream("/t.S/Watch", {Permission::kPublic, RunOn::kInline},
                   [](const Request&, base::Context&) -> base::Result<std::unique_ptr<RpcStream>> {
                     return std::make_unique<Watch>();
                   });
    options.rpc = &rpc;
    base = std::make_unique<TestServer>(std::move(options), std::move(authenticate));
  }
  std::uint16_t port() const { return base->port(); }
  bool start() { return base->server->start().has_value(); }
};

}  // namespace

TEST_CASE("gRPC: unary calls on the port of HTTP/1.1, inline and on a pool") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  for (int i = 0; i < 50; ++i) {
    const std::string text = "message " + std::to_string(i);
    const Http2Answer answer = peer.call(i % 2 == 0 ? "/t.S/Inline" : "/t.S/Pool", text);
    CHECK(answer.status() == "200");
    CHECK(answer.headers.at("content-type") == "application/grpc");
    CHECK(answer.messages() == std::vector<std::string>{text});
    CHECK(answer.trailers.at("grpc-status") == "0");
  }
  Peer old(t.port());
  REQUIRE(old.send("GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  CHECK(old.answer().status == 200);
  CHECK(t.base->server->counters().connections_total == 2);
}

TEST_CASE("gRPC: many calls at once, large ones in pieces") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const std::string large(5u << 20, 'l');
  std::vector<std::int32_t> ids;
  for (std::uint32_t i = 0; i < kMaxStreams; ++i) {
    ids.push_back(peer.start(Http2Peer::rpc(i % 2 == 0 ? "/t.S/Pool" : "/t.S/Inline"), false));
    peer.write(ids.back(), framed(std::to_string(i)), true);
  }
  for (std::size_t i = 0; i < ids.size(); ++i)
    CHECK(peer.wait(ids[i]).messages() == std::vector<std::string>{std::to_string(i)});
  for (const char* path : {"/t.S/Pool", "/t.S/Inline"}) {
    const auto got = peer.call(path, large).messages();
    REQUIRE(got.size() == 1);
    CHECK(got[0] == large);
  }
  CHECK(peer.call("/t.S/Inline", gzip(large), {{"grpc-encoding", "gzip"}}).messages().at(0) ==
        gzip(large));  // not marked: as it is
  const std::int32_t id =
      peer.start(Http2Peer::rpc("/t.S/Pool", {{"grpc-encoding", "gzip"}}), false);
  peer.write(id, framed(gzip("hello hello"), true), true);
  CHECK(peer.wait(id).messages() == std::vector<std::string>{"hello hello"});
}

TEST_CASE("gRPC: what is wrong has its status") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const Http2Answer failed = peer.call("/t.S/Fail", "x");
  CHECK(failed.status() == "200");
  CHECK(failed.grpc_status() == "5");
  CHECK(failed.grpc_message() == "no 100%25 such thing (look again)");
  CHECK(failed.headers.count("x-request-id") == 1);
  const Http2Answer thrown = peer.call("/t.S/Throw", "x");
  CHECK(thrown.grpc_status() == "13");
  CHECK(thrown.grpc_message().find("secret") == std::string::npos);
  CHECK(peer.call("/t.S/None", "x").grpc_status() == "12");
  CHECK(peer.call("/u.S/None", "x").grpc_status() == "12");
  CHECK(peer.call("/", "x").grpc_status() == "12");
  CHECK(peer.call("/t.S/Inline", "x", {{"grpc-encoding", "snappy"}}).grpc_status() == "12");
  CHECK(peer.call("/t.S/Inline", "x", {{"grpc-timeout", "soon"}}).grpc_status() == "3");
  CHECK(peer.call("/t.S/Inline", "x", {{"grpc-timeout", "0n"}}).grpc_status() == "4");
  CHECK(peer.call("/t.S/Inline", "x", {{"origin", "http://evil.example"}}).grpc_status() == "7");
  CHECK(peer.call("/t.S/Small", "1234567890").grpc_status() == "0");
  CHECK(peer.call("/t.S/Small", "12345678901").grpc_status() == "8");
  const auto body = [&](const std::string& bytes) {
    const std::int32_t id = peer.start(Http2Peer::rpc("/t.S/Inline"), bytes.empty());
    if (!bytes.empty()) peer.write(id, bytes, true);
    return peer.wait(id).grpc_status();
  };
  CHECK(body("") == "12");
  CHECK(body(framed("a") + framed("b")) == "12");
  CHECK(body(framed("abc").substr(0, 4)) == "3");
  CHECK(body(framed("abc").substr(0, 6)) == "3");
  CHECK(body(framed("abc", true)) == "13");
  CHECK(body("\7xxxxxxxx") == "3");
  CHECK(t.base->server->counters().responses_4xx > 0);
  CHECK(peer.call("/t.S/Inline", "still here").grpc_status() == "0");
}

TEST_CASE("gRPC: callers and their permissions") {
  RpcServer t({}, [](const Request& request) -> base::Result<base::Principal> {
    const std::string_view who = request.headers.get("authorization");
    if (who == "Bearer good") return base::Principal{"ann", base::Role::kAdmin};
    if (who == "Bearer weak") return base::Principal{"bob", base::Role::kViewer};
    if (who.empty()) return base::Principal{"anonymous", base::Role::kNone};
    return base::fail(base::Code::kUnauthenticated, "who is that");
  });
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const auto status = [&](const std::string& token) {
    return peer.call("/t.S/Admin", "x", token.empty() ? Pairs{} : Pairs{{"authorization", token}})
        .grpc_status();
  };
  CHECK(status("Bearer good") == "0");
  CHECK(status("Bearer weak") == "7");
  CHECK(status("Bearer bad") == "16");
  CHECK(status("") == "7");
  CHECK(peer.call("/t.S/Inline", "x", {{"authorization", "Bearer bad"}}).grpc_status() == "0");
  Pairs foreign = Http2Peer::rpc("/t.S/Inline");
  foreign[3].second = "evil.example";
  CHECK(peer.wait(peer.start(foreign, true)).grpc_status() == "7");
}

TEST_CASE("gRPC: streams both ways, in order, on either kind of thread") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  for (const char* path : {"/t.S/Echo", "/t.S/EchoInline"}) {
    const std::int32_t id = peer.start(Http2Peer::rpc(path), false);
    std::vector<std::string> sent;
    std::string bytes;
    for (int i = 0; i < 500; ++i) {
      sent.push_back(std::to_string(i));
      bytes += framed(sent.back());
    }
    peer.write(id, bytes, false);
    REQUIRE(peer.wait_until([&] { return peer.stream(id).messages().size() == sent.size(); }));
    CHECK_FALSE(peer.stream(id).closed);
    peer.write(id, framed("twice"), true);
    sent.insert(sent.end(), 2, "twice");
    const Http2Answer answer = peer.wait(id);
    CHECK(answer.messages() == sent);
    CHECK(answer.grpc_status() == "0");
    const std::int32_t bad = peer.start(Http2Peer::rpc(path), false);
    peer.write(bad, framed("good") + framed("fail") + framed("never"), false);
    const Http2Answer failed = peer.wait(bad);
    CHECK(failed.messages() == std::vector<std::string>{"good"});
    CHECK(failed.trailers.at("grpc-status") == "5");
    const std::int32_t none = peer.start(Http2Peer::rpc(path), true);
    CHECK(peer.wait(none).grpc_status() == "0");
    const std::int32_t cut = peer.start(Http2Peer::rpc(path), false);
    peer.write(cut, framed("good") + framed("bad").substr(0, 6), true);
    CHECK(peer.wait(cut).grpc_status() == "3");
  }
}

TEST_CASE("gRPC: a stream whose answers nobody reads holds little") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port(), true);
  const std::int32_t id = peer.start(Http2Peer::rpc("/t.S/Echo"), false);
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += framed("large");
  peer.write(id, bytes, true);
  // The windows are never opened again: 64 KiB come, the other calls go on.
  REQUIRE(peer.wait_until([&] { return peer.stream(id).body.size() >= 65'535; }));
  CHECK(peer.stream(id).body.size() == 65'535);
  peer.reset(id);
  CHECK(peer.call("/t.S/Fail", "x").grpc_status() == "5");
}

TEST_CASE("a large answer to a peer with small windows: telling of room is no flood") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const std::int32_t id = peer.start(Http2Peer::rpc("/t.S/Echo"), false);
  std::string bytes;
  for (int i = 0; i < 60; ++i) bytes += framed("large");
  peer.write(id, bytes, true);
  const Http2Answer answer = peer.wait(id);
  CHECK(answer.body.size() == 60 * ((1u << 20) + 5));
  CHECK(answer.grpc_status() == "0");
  CHECK_FALSE(peer.gone_away());
}

TEST_CASE("gRPC: a stream that rested while its peer read goes on, and ends") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  for (const char* path : {"/t.S/Echo", "/t.S/EchoInline"}) {
    const std::int32_t id = peer.start(Http2Peer::rpc(path), false);
    std::string bytes;
    for (int i = 0; i < 5; ++i) bytes += framed("large");
    peer.write(id, bytes + framed("small") + framed("large"), true);
    const Http2Answer answer = peer.wait(id);
    CHECK(answer.messages().size() == 7);
    CHECK(answer.body.size() == 6 * ((1 << 20) + 5) + 5 + 5);
    CHECK(answer.grpc_status() == "0");
  }
}

TEST_CASE("calls that are reset while they are in work are counted until they are done") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  // Fewer than one too many: the connection stays. The serve pool holds 2 + 64; what it refuses is over at once.
  for (int i = 0; i < 66; ++i) {
    const std::int32_t id = peer.start(Http2Peer::rpc("/t.S/Hold"), false);
    peer.write(id, framed("x"), true);
    peer.reset(id);
  }
  CHECK(peer.call("/t.S/Inline", "x").grpc_status() == "0");
  CHECK_FALSE(peer.gone_away());
  t.release.set_value();
  t.base->serve.drain();
  CHECK(peer.call("/t.S/Pool", "x").grpc_status() == "0");
}

TEST_CASE("a connection holds so many bytes of requests that are not whole, and no more") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  constexpr std::size_t kEach = 32u << 20;
  const std::string half =
      framed(std::string(kEach + 1, 'h')).substr(0, kEach);  // a byte and more is missing
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < kMaxBuffered / kEach; ++i) {
    ids.push_back(peer.start(Http2Peer::rpc("/t.S/Inline"), false));
    peer.write(ids.back(), half, false);
    REQUIRE(peer.wait_until([&] { return peer.sent(ids.back()); }));
  }
  CHECK(peer.call("/t.S/Inline", "one more").grpc_status() == "8");
  peer.reset(ids.back());
  CHECK(peer.call("/t.S/Inline", "there is room again").grpc_status() == "0");
  peer.write(ids.front(), std::string(6, 'h'), true);
  CHECK(peer.wait(ids.front()).grpc_status() == "0");
}

TEST_CASE("gRPC: a watch speaks by itself and ends with the server") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const std::int32_t id = peer.start(Http2Peer::rpc("/t.S/Watch"), false);
  peer.write(id, framed("x"), true);
  REQUIRE(peer.wait_until([&] { return peer.stream(id).messages().size() == 2; }));
  CHECK(peer.stream(id).messages() == std::vector<std::string>{"first", "tick"});
  CHECK_FALSE(peer.stream(id).closed);
  std::future<void> stopped = std::async(std::launch::async, [&] { t.base->server->stop(); });
  const Http2Answer answer = peer.wait(id);
  CHECK(answer.messages().back() == "last");
  CHECK(answer.grpc_status() == "14");
  peer.wait_until([&] { return peer.socket().closed(); });
  CHECK(peer.gone_away());
  CHECK(peer.goaway() == NGHTTP2_NO_ERROR);
}

TEST_CASE("draining: a call in work is answered, then the connection ends") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const std::int32_t id = peer.start(Http2Peer::rpc("/t.S/Hold"), false);
  peer.write(id, framed("x"), true);
  while (t.begun == 0) std::this_thread::yield();
  std::future<void> stopped = std::async(std::launch::async, [&] { t.base->server->stop(); });
  REQUIRE(peer.wait_until([&] { return peer.gone_away(); }));
  t.release.set_value();
  CHECK(peer.wait(id).grpc_status() == "0");
  stopped.get();
}

TEST_CASE("a call that its caller resets is cancelled; resetting without end is no way in") {
  RpcServer t;
  REQUIRE(t.start());
  {
    Http2Peer peer(t.port());
    const std::int32_t id = peer.start(Http2Peer::rpc("/t.S/Hold"), false);
    peer.write(id, framed("x"), true);
    while (t.begun == 0) std::this_thread::yield();
    peer.reset(id);
    CHECK(peer.call("/t.S/Inline", "x").grpc_status() == "0");  // the reset was read before
    t.release.set_value();
    t.base->serve.drain();
    CHECK(t.cancelled == 1);
  }
  Http2Peer flood(t.port());
  for (int i = 0; i < 20'000 && !flood.gone_away(); ++i) {
    const std::int32_t id = flood.start(Http2Peer::rpc("/t.S/Inline"), false);
    if (id < 0) break;
    nghttp2_submit_rst_stream(flood.session(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    if (!flood.flush()) break;
  }
  flood.wait_until([&] { return flood.gone_away(); });
  CHECK(flood.gone_away());
  CHECK(t.base->server->counters().requests < 3'000);
}

TEST_CASE("floods of frames that carry nothing end the connection") {
  const std::string ping("\0\0\x08\x06\0\0\0\0\0........", 17);
  const std::string settings("\0\0\0\x04\0\0\0\0\0", 9);
  const std::string priority("\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\x10", 14);
  for (const std::string& frame : {ping, settings, priority}) {
    RpcServer t;
    REQUIRE(t.start());
    Http2Peer peer(t.port());
    CHECK(peer.call("/t.S/Inline", "x").grpc_status() == "0");
    std::string many;
    for (std::int64_t i = 0; i < 2 * kFrameBurst; ++i) many += frame;
    peer.socket().send(many);
    peer.wait_until([&] { return peer.gone_away() || peer.socket().closed(); });
    CHECK((peer.gone_away() || peer.socket().closed()));
  }
}

TEST_CASE("header lists: the limit, and far beyond it") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  Pairs many;
  for (std::size_t i = 0; i < kMaxHeaderCount - 6; ++i)
    many.emplace_back("a" + std::to_string(i), "b");
  CHECK(peer.call("/t.S/Inline", "x", many).grpc_status() == "0");
  many.emplace_back("one", "more");
  CHECK(peer.call("/t.S/Inline", "x", many).grpc_status() == "8");
  const Pairs large{{"a", std::string(kMaxHeaderBytes, 'a')}};
  CHECK(peer.call("/t.S/Inline", "x", large).grpc_status() == "8");
  CHECK(peer.request("GET", "/hello", large).status() == "431");
  CHECK(peer.call("/t.S/Inline", "x").grpc_status() == "0");
}

TEST_CASE("a preface in pieces, a broken one, and bytes that are no frames") {
  RpcServer t;
  REQUIRE(t.start());
  Peer slow(t.port());
  const std::string start =
      std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\x04\0\0\0\0\0", 9);
  for (const char c : start) REQUIRE(slow.send(std::string_view(&c, 1)));
  CHECK(slow.wait_for(std::string("\0\0\0\x04\x01\0\0\0\0", 9)));  // the settings' ACK
  Peer wrong(t.port());
  REQUIRE(wrong.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"));
  CHECK(wrong.all().find("HTTP/1.1 ") == 0);
  Peer noise(t.port());
  REQUIRE(noise.send(start.substr(0, 24) + std::string(1000, '\xff')));
  noise.all();
  CHECK(noise.closed());
  CHECK(t.base->server->counters().connections_total == 3);
}

TEST_CASE("the address of gRPC alone") {
  ServerOptions options;
  options.rpc_host = "127.0.0.1";
  RpcServer t(options);
  REQUIRE(t.start());
  const std::uint16_t port = t.base->server->rpc_port();
  REQUIRE(port != 0);
  CHECK(port != t.port());
  Http2Peer peer(port);
  CHECK(peer.call("/t.S/Inline", "x").grpc_status() == "0");
  CHECK(peer.request("GET", "/hello").status() == "415");
  Peer old(port);
  REQUIRE(old.send("GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  CHECK(old.answer().status == 505);
  // The same port again: refused, or done without when that is allowed.
  ServerOptions taken;
  taken.rpc_host = "127.0.0.1";
  taken.rpc_port = port;
  TestServer second(taken);
  const auto refused = second.server->start();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == base::Code::kUnavailable);
  taken.rpc_optional = true;
  TestServer third(taken);
  REQUIRE(third.server->start());
  CHECK(third.server->rpc_port() == 0);
}

TEST_CASE("timeouts: half a request, a deadline, a peer that is gone, an idle connection") {
  base::ManualClock clock;
  ServerOptions options;
  options.clock = &clock;
  RpcServer t(options);
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const auto settle = [&] { CHECK(peer.call("/t.S/Inline", "x").grpc_status() == "0"); };
  settle();
  const std::int32_t half = peer.start(Http2Peer::rpc("/t.S/Inline"), false);
  const std::int32_t quiet = peer.start(Http2Peer::rpc("/t.S/Echo"), false);
  const std::int32_t plain = peer.start(
      {{":method", "POST"}, {":scheme", "http"}, {":path", "/echo"}, {":authority", "127.0.0.1"}},
      false);
  peer.write(half, framed("abc").substr(0, 6), false);
  peer.write(plain, "abc", false);
  const std::int32_t held =
      peer.start(Http2Peer::rpc("/t.S/Hold", {{"grpc-timeout", "5S"}}), false);
  peer.write(held, framed("x"), true);
  while (t.begun == 0) std::this_thread::yield();
  settle();
  clock.advance_us(5'000'001);
  CHECK(peer.wait(held).grpc_status() == "4");
  t.release.set_value();
  clock.advance_us(kBodyIdleTimeoutMs * 1000);
  CHECK(peer.wait(half).grpc_status() == "4");
  CHECK(peer.wait(plain).status() == "408");
  CHECK_FALSE(peer.stream(quiet).closed);  // between messages a stream may rest
  clock.advance_us(kPingAfterMs * 1000);
  REQUIRE(peer.wait_until([&] { return peer.pings() == 1; }));
  settle();  // answered: alive
  CHECK_FALSE(peer.stream(quiet).closed);
  peer.write(quiet, "", true);
  CHECK(peer.wait(quiet).grpc_status() == "0");
  clock.advance_us(kHttp2IdleTimeoutMs * 1000);
  REQUIRE(peer.wait_until([&] { return peer.gone_away(); }));
  CHECK(peer.goaway() == NGHTTP2_NO_ERROR);

  Http2Peer deaf(t.port());
  CHECK(deaf.call("/t.S/Inline", "x").grpc_status() == "0");
  deaf.start(Http2Peer::rpc("/t.S/Echo"), false);
  CHECK(deaf.call("/t.S/Inline", "x").grpc_status() == "0");
  clock.advance_us(kPingAfterMs * 1000);
  while (deaf.socket().left().find(std::string("\0\0\x08\x06", 4)) == std::string::npos)
    REQUIRE(deaf.socket().more());
  clock.advance_us(kPingTimeoutMs * 1000);
  deaf.socket().all();  // the ping was never answered
  CHECK(deaf.socket().closed());
}

TEST_CASE("the routes of HTTP/1.1 over HTTP/2") {
  RpcServer t;
  REQUIRE(t.start());
  Http2Peer peer(t.port());
  const Http2Answer hello = peer.request("GET", "/hello");
  CHECK(hello.status() == "200");
  CHECK(hello.body == "{\"hello\":1}");
  CHECK(hello.headers.at("content-type") == "application/json");
  CHECK(hello.headers.count("x-request-id") == 1);
  CHECK(peer.request("HEAD", "/hello").body.empty());
  CHECK(peer.request("HEAD", "/hello").headers.at("content-length") == "11");
  CHECK(peer.request("POST", "/echo", {}, "over a pool").body == "over a pool");
  CHECK(peer.request("POST", "/later/inline", {}, "x").body == "x later");
  CHECK(peer.request("POST", "/later/pool", {}, "x").body == "x later");
  CHECK(peer.request("GET", "/path/a%20b/c?q=1+2").body == "a b/c|1 2");
  CHECK(peer.request("GET", "/path/../c").status() == "400");
  CHECK(peer.request("GET", "/nowhere").status() == "404");
  CHECK(peer.request("POST", "/hello", {}, "x").status() == "405");
  CHECK(peer.request("BREW", "/hello").status() == "501");
  CHECK(peer.request("GET", "/boom").status() == "500");
  CHECK(peer.request("PUT", "/small", {}, "1234567890").status() == "200");
  CHECK(peer.request("PUT", "/small", {}, "12345678901").status() == "413");
  CHECK(peer.request("POST", "/echo", {{"content-encoding", "gzip"}}, gzip("packed")).body ==
        "packed");
  CHECK(peer.request("POST", "/echo", {{"content-encoding", "gzip"}}, gzip("packed").substr(0, 12))
            .status() == "400");
  CHECK(peer.request("POST", "/echo", {{"content-encoding", "br"}}, "x").status() == "415");
  const std::string large(3u << 20, 'b');
  CHECK(peer.request("POST", "/inline", {}, large).body == large);
  const Http2Answer counted = peer.request("POST", "/count", {{"expect", "100-continue"}}, large);
  CHECK(counted.body.substr(0, 8) == "3145728 ");
  const std::int32_t events = peer.start(
      {{":method", "GET"}, {":scheme", "http"}, {":path", "/events"}, {":authority", "127.0.0.1"}},
      true);
  REQUIRE(peer.wait_until([&] { return !peer.stream(events).headers.empty(); }));
  t.base->hub.publish("run:1", "{\"a\":1}");
  REQUIRE(peer.wait_until(
      [&] { return peer.stream(events).body.find("{\"a\":1}") != std::string::npos; }));
  t.base->hub.close();
  CHECK(peer.wait(events).closed);
}
