#include <doctest/doctest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <future>
#include <stdexcept>

#include "body.h"
#include "event_stream.h"
#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "pipe.h"
#include "response_head.h"
#include "test_server.h"

using namespace maru;
using namespace maru::http;
using maru::http::test::Peer;
using maru::http::test::SlowRoute;
using maru::http::test::TestServer;

namespace {
const std::string kHost = "Host: 127.0.0.1\r\n";

std::string temporary_folder() {
  std::string path = "/tmp/maru-http-test-XXXXXX";
  REQUIRE(::mkdtemp(path.data()) != nullptr);
  return path;
}

std::string gunzip(const std::string& packed) {
  Inflater inflater(Coding::kGzip);
  std::string out;
  CHECK(!inflater.feed(packed, out, 1u << 30));
  CHECK(inflater.complete());
  return out;
}
}  // namespace

TEST_CASE("a streamed upload larger than the server's limit passes in bounded pieces") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  const std::size_t total = 200u << 20;
  const std::string piece(1 << 20, 'u');
  REQUIRE(peer.send("POST /count HTTP/1.1\r\n" + kHost +
                    "Content-Length: " + std::to_string(total) + "\r\n\r\n"));
  for (std::size_t sent = 0; sent < total; sent += piece.size()) REQUIRE(peer.send(piece));
  const auto answer = peer.answer();
  CHECK(answer.status == 200);
  CHECK(answer.body.starts_with(std::to_string(total) + " "));
  const std::size_t largest = std::stoul(answer.body.substr(answer.body.find(' ') + 1));
  CHECK(largest <= (1 << 20));
  REQUIRE(peer.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n"));
  CHECK(peer.answer().status == 200);
}

TEST_CASE("a streamed body arrives as it was sent, by length and by chunks of any size") {
  TestServer t;
  t.router.add(Method::kPost, "/hash",
               {Permission::kPublic, RunOn::kBlocking, true, ~std::size_t{0}},
               [](const Request& request, base::Context&) -> base::Result<Response> {
                 base::Sha256 hash;
                 for (;;) {
                   TRY_ASSIGN(const auto piece, request.body_stream->next());
                   if (piece.bytes.empty()) return Response::text(hash.hex_digest());
                   hash.update(piece.bytes);
                 }
               });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPieceBytes - 1, kPieceBytes,
                                 kPieceBytes + 1, 5 * kPieceBytes + 12'345}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 + i / 1009);
    REQUIRE(peer.send("POST /hash HTTP/1.1\r\n" + kHost +
                      "Content-Length: " + std::to_string(size) + "\r\n\r\n" + body));
    CHECK(peer.answer().body == base::sha256_hex(body));
    for (const std::size_t chunk : {std::size_t{1'000}, std::size_t{70'001}, 2 * kPieceBytes + 7}) {
      REQUIRE(peer.send("POST /hash HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n"));
      for (std::size_t at = 0; at < size; at += chunk) {
        const std::string part = body.substr(at, chunk);
        char head[32];
        std::snprintf(head, sizeof head, "%zx\r\n", part.size());
        REQUIRE(peer.send(head + part + "\r\n"));
      }
      REQUIRE(peer.send("0\r\n\r\n"));
      CHECK(peer.answer().body == base::sha256_hex(body));
    }
  }
}

TEST_CASE("a pipe gives whole pieces, stops its writer, and wakes it when one was taken") {
  int woken = 0;
  const auto pipe = std::make_shared<InPipe>([&woken] { ++woken; });
  CHECK(pipe->push(std::string(kPieceBytes - 1, 'a')));
  CHECK(pipe->push("ab"));                                 // one is full
  CHECK_FALSE(pipe->push(std::string(kPieceBytes, 'b')));  // and another: rest
  CHECK_FALSE(pipe->push("c"));                            // as long as none is taken
  auto first = pipe->next();
  REQUIRE(first.has_value());
  CHECK(first->bytes == std::string(kPieceBytes, 'a'));
  CHECK(woken == 1);
  CHECK(pipe->push("d"));
  CHECK(pipe->next()->bytes.size() == kPieceBytes);
  CHECK(first->bytes == std::string(kPieceBytes, 'a'));  // stands as long as it is held
  pipe->end();
  CHECK(pipe->next()->bytes == "bcd");
  CHECK(pipe->next()->bytes.empty());
  CHECK(pipe->next()->bytes.empty());
  CHECK(woken == 1);
  const auto small = std::make_shared<InPipe>([] {}, 3);
  CHECK(small->room().size() == 3);
  small->push("abc");
  CHECK(small->next()->bytes == "abc");  // as many as were expected: no end is waited for
  small->fail({base::Code::kCancelled, "gone", "", nullptr});
  CHECK(small->next().error().code == base::Code::kCancelled);
  const auto again = std::make_shared<InPipe>([] {}, 3);
  again->push("abc");
  const char* const place = again->next()->bytes.data();  // given back at once
  CHECK(again->room().data() == place);
}

TEST_CASE(
    "an upload whose handler does not read stops the peer: back-pressure, then an early answer") {
  TestServer t;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  t.router.add(Method::kPost, "/deaf",
               {Permission::kPublic, RunOn::kBlocking, true, ~std::size_t{0}},
               [released](const Request&, base::Context&) -> base::Result<Response> {
                 released.wait();
                 return Response::text("enough");
               });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  REQUIRE(peer.send("POST /deaf HTTP/1.1\r\n" + kHost + "Content-Length: 1000000000\r\n\r\n"));
  const std::string piece(1 << 20, 'd');
  std::size_t sent = 0;
  for (;;) {
    pollfd ready{peer.fd(), POLLOUT, 0};
    if (::poll(&ready, 1, 300) == 0) break;  // the socket's buffers and the pipe are full
    const ssize_t done = ::send(peer.fd(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    REQUIRE(done > 0);
    sent += static_cast<std::size_t>(done);
    REQUIRE(sent < (64u << 20));
  }
  release.set_value();
  const auto answer = peer.answer();
  CHECK(answer.body == "enough");
  CHECK(answer.head.find("Connection: close") != std::string::npos);
}

TEST_CASE("a streamed download waits for a slow peer and ends whole") {
  TestServer t;
  std::atomic<std::size_t> written{0};
  constexpr std::size_t kTotal = 64u << 20;
  t.router.add(Method::kGet, "/down", {Permission::kPublic, RunOn::kBlocking},
               [&](const Request&, base::Context&) -> base::Result<Response> {
                 Response out;
                 out.stream = [&](BodyWriter& writer) -> base::Status {
                   const std::string piece(100'000, 's');
                   for (std::size_t done = 0; done < kTotal; done += piece.size()) {
                     const std::string_view now = std::string_view(piece).substr(0, kTotal - done);
                     TRY(writer.write(now));
                     written += now.size();
                   }
                   return {};
                 };
                 return out;
               });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  REQUIRE(peer.send("GET /down HTTP/1.1\r\n" + kHost + "\r\n"));
  REQUIRE(peer.wait_for("\r\n\r\n"));
  // Nobody reads for a while: the writer must come to rest far from the end.
  std::size_t before = 0;
  do {
    before = written;
    pollfd nothing{-1, 0, 0};
    ::poll(&nothing, 1, 100);
  } while (written != before);
  CHECK(before < kTotal / 2);
  CHECK(peer.answer().body.size() == kTotal);
}

TEST_CASE("a stream that fails is cut off, not ended; a gone peer stops the writer") {
  TestServer t;
  std::promise<base::Code> told;
  t.router.add(Method::kGet, "/fails", {Permission::kPublic, RunOn::kServe},
               [](const Request&, base::Context&) -> base::Result<Response> {
                 Response out;
                 out.stream = [](BodyWriter& writer) -> base::Status {
                   TRY(writer.write("half"));
                   return base::fail(base::Code::kDataLoss, "the rest is gone");
                 };
                 return out;
               });
  t.router.add(Method::kGet, "/endless", {Permission::kPublic, RunOn::kInline},
               [&](const Request&, base::Context&) -> base::Result<Response> {
                 Response out;
                 out.stream = [&](BodyWriter& writer) -> base::Status {
                   const std::string piece(100'000, 'e');
                   for (;;) {
                     if (const base::Status status = writer.write(piece); !status) {
                       told.set_value(status.error().code);
                       return status;
                     }
                   }
                 };
                 return out;
               });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  peer.send("GET /fails HTTP/1.1\r\n" + kHost + "\r\n");
  const std::string all = peer.all();
  CHECK(all.find("half") != std::string::npos);
  CHECK(all.find("\r\n0\r\n") == std::string::npos);
  {
    Peer gone(t.port());
    gone.send("GET /endless HTTP/1.1\r\n" + kHost + "\r\n");
    REQUIRE(gone.wait_for("eeee"));
  }
  CHECK(told.get_future().get() == base::Code::kCancelled);
}

TEST_CASE("a file, whole, in part and too short") {
  const std::string folder = temporary_folder();
  std::string content;
  for (int i = 0; i < 200'000; ++i) content += std::to_string(i);
  REQUIRE(base::write_file_atomic(folder + "/f", content));
  REQUIRE(base::write_file_atomic(folder + "/empty", ""));
  TestServer t;
  t.router.add(Method::kGet, "/file/{name}", {Permission::kPublic, RunOn::kServe},
               [&](const Request& request, base::Context&) -> base::Result<Response> {
                 Response out;
                 out.file_path = folder + "/" + std::string(request.param("name"));
                 out.file_offset = std::stoul(std::string(request.query_param("from", "0")));
                 out.file_length = std::stoul(std::string(request.query_param("size", "0")));
                 return out;
               });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  const auto get = [&](const std::string& path) {
    peer.send("GET " + path + " HTTP/1.1\r\n" + kHost + "\r\n");
    return peer.answer();
  };
  CHECK(get("/file/f").body == content);
  CHECK(get("/file/f?from=1000&size=300000").body == content.substr(1000, 300000));
  REQUIRE(base::write_file_atomic(folder + "/large", content + content + content + content));
  const std::string large = get("/file/large").body;  // through the kernel, pipe after pipe
  REQUIRE(large.size() == 4 * content.size());
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(large.compare(i * content.size(), content.size(), content) == 0);
  CHECK(get("/file/large?from=5001&size=1100000").body ==
        (content + content).substr(5001, 1100000));
  CHECK(get("/file/empty").body.empty());
  CHECK(get("/file/absent").status == 404);
  CHECK(get("/file/f?from=99999999").status == 404);
  peer.send("HEAD /file/f HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(peer.answer(true).head.find("Content-Length: " + std::to_string(content.size())) !=
        std::string::npos);
  CHECK(get("/hello").status == 200);
  REQUIRE(base::remove_tree(folder));
}

TEST_CASE("a peer that leaves in the middle of a large file, and one that rests") {
  const std::string folder = temporary_folder();
  REQUIRE(base::write_file_atomic(folder + "/f", std::string(64 << 20, 'x')));
  TestServer t;
  t.router.add(Method::kGet, "/file", {Permission::kPublic, RunOn::kServe},
               [&](const Request&, base::Context&) -> base::Result<Response> {
                 Response out;
                 out.file_path = folder + "/f";
                 return out;
               });
  REQUIRE(t.server->start());
  for (int i = 0; i < 8; ++i) {
    Peer peer(t.port());
    peer.send("GET /file HTTP/1.1\r\n" + kHost + "\r\n");
    CHECK(peer.more());  // and hangs up
  }
  Peer slow(t.port());
  slow.send("GET /file HTTP/1.1\r\n" + kHost + "\r\n");
  Peer other(t.port());  // answered while the first one reads nothing
  other.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  CHECK(other.answer().status == 200);
  CHECK(slow.answer().body == std::string(64 << 20, 'x'));
  REQUIRE(base::remove_tree(folder));
}

TEST_CASE("gzip both ways") {
  TestServer t;
  t.router.add(Method::kGet, "/large", {Permission::kPublic, RunOn::kServe},
               [](const Request&, base::Context&) -> base::Result<Response> {
                 Response out = Response::json_text("\"" + std::string(5000, 'z') + "\"");
                 out.headers.add("ETag", "\"tag\"");
                 return out;
               });
  REQUIRE(t.server->start());
  Peer peer(t.port());
  const std::string text(100'000, 'q');
  const std::string packed = gzip(text);
  peer.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Encoding: gzip\r\nContent-Length: " +
            std::to_string(packed.size()) + "\r\n\r\n" + packed);
  CHECK(peer.answer().body == text);
  peer.send("GET /large HTTP/1.1\r\n" + kHost + "\r\n");
  const auto plain = peer.answer();
  CHECK(plain.body.size() == 5002);
  CHECK(plain.head.find("Vary: Accept-Encoding") != std::string::npos);
  peer.send("GET /large HTTP/1.1\r\n" + kHost + "Accept-Encoding: br, gzip;q=0.5\r\n\r\n");
  const auto small = peer.answer();
  CHECK(small.body.size() < 500);
  CHECK(small.head.find("ETag: W/\"tag\"") != std::string::npos);
  CHECK(gunzip(small.body) == plain.body);
  peer.send("GET /large HTTP/1.1\r\n" + kHost + "Accept-Encoding: gzip;q=0\r\n\r\n");
  CHECK(peer.answer().body == plain.body);
}

TEST_CASE("bombs: the ratio and the produced size are capped, on both paths") {
  TestServer t;
  REQUIRE(t.server->start());
  const std::string bomb = gzip(std::string(20u << 20, '\0'));
  CHECK(bomb.size() < (1u << 20));
  for (const char* path : {"/echo", "/count"}) {
    CAPTURE(path);
    Peer peer(t.port());
    peer.send("POST " + std::string(path) + " HTTP/1.1\r\n" + kHost +
              "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(bomb.size()) +
              "\r\n\r\n" + bomb);
    CHECK(peer.answer().status == 413);
  }
  Peer cut(t.port());
  const std::string good = gzip(std::string(10'000, 'a') + "end");
  cut.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Encoding: gzip\r\nContent-Length: " +
           std::to_string(good.size() - 4) + "\r\n\r\n" + good.substr(0, good.size() - 4));
  CHECK(cut.answer().status == 400);
}

TEST_CASE("inflate: the limit at -1, 0, +1") {
  for (const std::size_t size : {999u, 1000u, 1001u}) {
    Inflater inflater(Coding::kGzip);
    std::string out;
    const Fault fault = inflater.feed(gzip(std::string(size, 'x')), out, 1000);
    CHECK(fault.status == (size <= 1000 ? 0 : 413));
  }
}

TEST_CASE("events: live, coalesced by topic, replayed, bounded in number") {
  TestServer t;
  REQUIRE(t.server->start());
  Peer peer(t.port());
  peer.send("GET /events HTTP/1.1\r\n" + kHost + "\r\n");
  REQUIRE(peer.wait_for("retry: 2000"));
  CHECK(peer.left().find("text/event-stream") != std::string::npos);
  t.hub.publish("run:1", "{\"n\":1}");
  REQUIRE(peer.wait_for("data: {\"n\":1}"));
  t.hub.publish("endpoint:b", "{\"other\":1}");
  t.hub.publish("endpoint:a", "{\"line\":\n2}");
  REQUIRE(peer.wait_for("event: endpoint:a\ndata: {\"line\":\ndata: 2}\n\n"));
  CHECK(peer.left().find("other") == std::string::npos);
  const std::size_t id = peer.left().find("id: ");
  const std::string first_id = peer.left().substr(id + 4, peer.left().find('\n', id) - id - 4);

  Peer again(t.port());
  again.send("GET /events HTTP/1.1\r\n" + kHost + "Last-Event-ID: " + first_id + "\r\n\r\n");
  REQUIRE(again.wait_for("endpoint:a"));
  CHECK(again.left().find("run:1") == std::string::npos);
  CHECK(again.left().find("resync") == std::string::npos);
  Peer stranger(t.port());
  stranger.send("GET /events HTTP/1.1\r\n" + kHost + "Last-Event-ID: 0123-7\r\n\r\n");
  CHECK(stranger.wait_for("event: resync"));
  t.hub.close();
  CHECK(peer.wait_for("\r\n0\r\n\r\n"));
}

TEST_CASE("event hub: a newer event of a topic replaces the older one; subscribers are limited") {
  EventHub hub;
  std::vector<Response> held;
  for (std::size_t i = 0; i < EventHub::kMaxSubscribers; ++i) {
    auto one = hub.subscribe({"a:*"}, "");
    REQUIRE(one);
    held.push_back(std::move(*one));
  }
  CHECK(hub.subscribe({"a:*"}, "").error().code == base::Code::kUnavailable);
  held.resize(1);
  for (int i = 0; i < 5000; ++i) hub.publish("a:" + std::to_string(i % 2), std::to_string(i));
  std::string out;
  REQUIRE(held[0].events->take(out));
  CHECK(out.find("data: 4998\n") != std::string::npos);
  CHECK(out.find("data: 4999\n") != std::string::npos);
  CHECK(out.find("data: 4997\n") == std::string::npos);
  for (int i = 0; i < 3000; ++i) hub.publish("a:" + std::to_string(i), "1");
  REQUIRE(held[0].events->take(out));
  CHECK(static_cast<std::size_t>(std::count(out.begin(), out.end(), '\n')) <=
        4 * EventStream::kMaxPending);
  CHECK(hub.subscribe({"a:*"}, "").has_value());
  hub.close();
  CHECK(hub.subscribe({"a:*"}, "").error().code == base::Code::kUnavailable);
}

TEST_CASE("1,000 idle connections starve nobody") {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 3000) {
    MESSAGE("skipped: only " << limit.rlim_cur << " open files are allowed");
    return;
  }
  TestServer t;
  REQUIRE(t.server->start());
  std::vector<Peer> idle;
  for (int i = 0; i < 1000; ++i) {
    idle.emplace_back(t.port());
    REQUIRE(idle.back().connected());
  }
  // Half of them have asked once.
  for (std::size_t i = 0; i < idle.size(); i += 2)
    idle[i].send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  for (std::size_t i = 0; i < idle.size(); i += 2) REQUIRE(idle[i].answer().status == 200);
  Peer peer(t.port());
  const std::int64_t start = base::system_clock().monotonic_ns();
  for (int i = 0; i < 100; ++i) {
    peer.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\n\r\nx");
    REQUIRE(peer.answer().status == 200);
  }
  CHECK(base::system_clock().monotonic_ns() - start < 5'000'000'000);
  CHECK(t.server->counters().connections_open == 1001);
}

TEST_CASE("slow header, idle and slow body time out on the injected clock") {
  base::ManualClock clock;
  ServerOptions options;
  options.clock = &clock;
  TestServer t(std::move(options));
  REQUIRE(t.server->start());
  Peer loris(t.port());
  loris.send("GET /hello HTTP/1.1\r\nX: ");
  Peer body(t.port());
  body.send("POST /echo HTTP/1.1\r\n" + kHost + "Content-Length: 10\r\n\r\nabc");
  Peer idle(t.port());
  idle.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  REQUIRE(idle.answer().status == 200);
  Peer probe(t.port());
  // The bytes above have been read once a later connection on each loop is answered.
  for (int i = 0; i < 4; ++i) {
    Peer later(t.port());
    later.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
    REQUIRE(later.answer().status == 200);
  }
  clock.advance_us(kHeaderTimeoutMs * 1000 + 1);
  CHECK(loris.answer().status == 408);
  CHECK(loris.all().empty());
  clock.advance_us((kBodyIdleTimeoutMs - kHeaderTimeoutMs) * 1000);
  CHECK(body.answer().status == 408);
  clock.advance_us((kKeepAliveTimeoutMs - kBodyIdleTimeoutMs) * 1000);
  CHECK(idle.all().empty());
  CHECK(idle.closed());
}

TEST_CASE("connections over the cap of one peer get 503") {
  ServerOptions options;
  options.max_connections_per_peer = 2;
  TestServer t(std::move(options));
  REQUIRE(t.server->start());
  Peer first(t.port());
  {
    Peer second(t.port());
    second.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
    CHECK(second.answer().status == 200);
    Peer third(t.port());
    CHECK(third.answer().status == 503);
  }
  // A place is free again as soon as the server has noticed that the second one is gone.
  int status = 0;
  for (int i = 0; i < 1000 && status != 200; ++i) {
    Peer fourth(t.port());
    fourth.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
    status = fourth.answer().status;
  }
  CHECK(status == 200);
}

TEST_CASE("stop finishes what is in flight, closes idle connections, refuses new ones") {
  TestServer t;
  SlowRoute slow(t, RunOn::kBlocking);
  REQUIRE(t.server->start());
  const std::uint16_t port = t.port();
  Peer idle(port);
  idle.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  REQUIRE(idle.answer().status == 200);
  Peer events(port);
  events.send("GET /events HTTP/1.1\r\n" + kHost + "\r\n");
  REQUIRE(events.wait_for("retry"));
  std::vector<Peer> busy;
  for (int i = 0; i < 3; ++i) {
    busy.emplace_back(port);
    busy.back().send("GET /slow HTTP/1.1\r\n" + kHost + "\r\n");
  }
  while (slow.entered < 3) CHECK(Peer(port).connected());
  auto stopped = std::async(std::launch::async, [&] { t.server->stop(); });
  CHECK(idle.all().empty());  // returns only once it is closed
  CHECK(events.wait_for("\r\n0\r\n\r\n"));
  slow.release.set_value();
  for (Peer& peer : busy) {
    const auto answer = peer.answer();
    CHECK(answer.body == "done");
    CHECK(answer.head.find("Connection: close") != std::string::npos);
  }
  busy.clear();
  stopped.get();
  Peer late(port);
  CHECK_FALSE(late.connected());
}

TEST_CASE("stop does not wait longer than the drain time for a handler that hangs on its peer") {
  ServerOptions options;
  options.drain_timeout_ms = 50;
  TestServer t(std::move(options));
  REQUIRE(t.server->start());
  Peer peer(t.port());
  peer.send("POST /count HTTP/1.1\r\n" + kHost + "Content-Length: 100\r\n\r\nabc");
  Peer probe(t.port());
  probe.send("GET /hello HTTP/1.1\r\n" + kHost + "\r\n");
  REQUIRE(probe.answer().status == 200);
  t.server->stop();
  CHECK(peer.all().empty());
  t.blocking.drain();  // the handler was told
}

TEST_CASE("a port in use is named") {
  TestServer t;
  REQUIRE(t.server->start());
  ServerOptions options;
  options.port = t.port();
  options.serve_pool = options.blocking_pool = options.work_pool = &t.serve;
  Server second(std::move(options), t.router, test::admit_all);
  const base::Status status = second.start();
  REQUIRE_FALSE(status);
  CHECK(status.error().code == base::Code::kUnavailable);
  CHECK(status.error().message.find(std::to_string(t.port())) != std::string::npos);
}

TEST_CASE("response heads cannot be split") {
  Response response;
  response.headers.add("X-Name", "a\r\nX-Evil: 1");
  std::string out;
  Framing framing;
  framing.length = 0;
  append_head(out, response, framing);
  CHECK(out.find("\r\nX-Evil") == std::string::npos);
}
