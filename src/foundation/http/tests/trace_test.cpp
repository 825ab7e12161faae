#include "maru/http/trace.h"

#include <doctest/doctest.h>

#include "http2_peer.h"
#include "maru/base/file.h"
#include "maru/base/id.h"
#include "maru/base/json.h"
#include "maru/base/line_log.h"
#include "maru/base/text.h"
#include "maru/http/rpc.h"
#include "test_server.h"

using namespace maru;
using namespace maru::http;
using maru::http::test::Http2Peer;
using maru::http::test::Peer;
using maru::http::test::TestServer;

namespace {
const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736", kParent = "00f067aa0ba902b7";
const std::string kGood = "00-" + kTrace + "-" + kParent + "-01";

std::shared_ptr<const TraceContext> read(const std::string& value) {
  Headers headers;
  headers.add("TraceParent", value);
  return read_trace(headers, base::system_clock());
}

std::string get(const std::string& path, const std::string& fields = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + "\r\n";
}

bool continues(std::string_view header) {
  return header.size() == 55 && header.starts_with("00-" + kTrace + "-") &&
         header.ends_with("-01") && header.find(kParent) == std::string_view::npos;
}
}  // namespace

TEST_CASE("traceparent: what W3C Trace Context says to take and to ignore") {
  const auto good = read(kGood);
  REQUIRE(good);
  CHECK(good->trace_id == kTrace);
  CHECK(good->parent_id == kParent);
  CHECK(good->flags == 1);
  CHECK(continues(good->header()));
  CHECK(read(kGood)->span_id != good->span_id);
  // A later version: what is known of it counts, with more behind another dash or without.
  CHECK(read("cc-" + kTrace + "-" + kParent + "-01"));
  CHECK(read("cc-" + kTrace + "-" + kParent + "-01-what-the-future-will-be-like"));
  CHECK(read("00-" + kTrace + "-" + kParent + "-ff")->flags == 3);
  for (const std::string& bad :
       {std::string(), std::string("00"), "ff-" + kTrace + "-" + kParent + "-01", kGood + "-more",
        "cc-" + kTrace + "-" + kParent + "-01.more", "00-" + kTrace + "-" + kParent + "-0g",
        "00-" + kTrace + "-" + kParent + "-1",
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-") + kParent + "-01",
        "00-" + std::string(32, '0') + "-" + kParent + "-01",
        "00-" + kTrace + "-" + std::string(16, '0') + "-01", "0x-" + kTrace + "-" + kParent + "-01",
        "00_" + kTrace + "-" + kParent + "-01", "00-" + kTrace + "-" + kParent + "_01",
        "00-" + kTrace.substr(1) + "--" + kParent + "-01", " " + kGood}) {
    CAPTURE(bad);
    CHECK_FALSE(read(bad));
  }
  Headers two;
  two.add("traceparent", kGood);
  two.add("traceparent", kGood);
  CHECK_FALSE(read_trace(two, base::system_clock()));
}

TEST_CASE("Server-Timing tells the stages that there were, in milliseconds") {
  base::StageTimes times;
  times.parse_ns = 1500;
  times.model_ns = 2'000'000;
  CHECK(server_timing(times, 3'000'000) == "parse;dur=0.0015, model;dur=2.0000, total;dur=3.0000");
  CHECK(server_timing({}, 0) == "total;dur=0.0000");
}

TEST_CASE(
    "a trace goes on over HTTP/1.1, HTTP/2 and gRPC; a bad one is ignored; times only when asked "
    "for") {
  RpcRouter rpc;
  const auto echo = [](const Request& request, base::Context&) -> base::Result<Response> {
    if (request.times) request.times->model_ns = 1000;
    Response out;
    out.body = request.body;
    return out;
  };
  rpc.add_unary("/t.S/Echo", {Permission::kPublic, RunOn::kServe}, echo);
  rpc.add_unary("/t.S/Fail", {Permission::kPublic, RunOn::kInline},
                [](const Request&, base::Context&) -> base::Result<Response> {
                  return base::fail(base::Code::kNotFound, "no");
                });
  ServerOptions options;
  options.rpc = &rpc;
  TestServer t(options);
  REQUIRE(t.server->start());
  Peer peer(t.port());
  for (const char* path : {"/hello", "/admin", "/no/such/path"}) {
    CAPTURE(path);
    REQUIRE(peer.send(get(path, "traceparent: " + kGood + "\r\n")));
    const std::string head = peer.answer().head;
    const std::size_t at = head.find("\r\ntraceparent: ");
    REQUIRE(at != std::string::npos);
    CHECK(continues(head.substr(at + 15, 55)));
    CHECK(head.find("Server-Timing") == std::string::npos);
    REQUIRE(peer.send(get(path, "traceparent: 00-no\r\nX-Maru-Timing: 1\r\n")));
    const std::string other = peer.answer().head;
    CHECK(other.find("traceparent") == std::string::npos);
    CHECK(other.find("\r\nServer-Timing: total;dur=") != std::string::npos);
  }
  Http2Peer second(t.port());
  const test::Pairs asked{{"traceparent", kGood}, {"x-maru-timing", "1"}};
  auto plain = second.request("GET", "/hello", asked);
  CHECK(continues(plain.headers["traceparent"]));
  CHECK(plain.headers["server-timing"].starts_with("total;dur="));
  auto call = second.call("/t.S/Echo", "x", asked);
  CHECK(call.grpc_status() == "0");
  CHECK(continues(call.headers["traceparent"]));
  CHECK(call.headers["server-timing"].starts_with("model;dur=0.0010, total;dur="));
  auto failed = second.call("/t.S/Fail", "x", asked);
  CHECK(failed.grpc_status() == "5");
  CHECK(continues(failed.headers["traceparent"]));
  auto bare = second.call("/t.S/Echo", "x");
  CHECK(bare.headers.count("traceparent") == 0);
  CHECK(bare.headers.count("server-timing") == 0);
}

TEST_CASE(
    "the access log has a line for each answer, of every protocol, without queries and tokens") {
  const std::string path = "/tmp/maru-access-" + base::new_id(base::system_clock());
  auto log = base::LineLog::open({path});
  REQUIRE(log);
  {
    RpcRouter rpc;
    rpc.add_unary(
        "/t.S/Echo", {Permission::kPublic, RunOn::kServe},
        [](const Request&, base::Context&) -> base::Result<Response> { return Response(); });
    ServerOptions options;
    options.rpc = &rpc;
    options.access_log = log->get();
    TestServer t(options);
    REQUIRE(t.server->start());
    Peer peer(t.port());
    REQUIRE(peer.send(
        get("/path/a?q=secret-query",
            "Authorization: Bearer secret-token\r\nUser-Agent: \"odd\"\r\ntraceparent: " + kGood +
                "\r\n")));
    CHECK(peer.answer().status == 200);
    REQUIRE(peer.send(get("/nowhere")));
    CHECK(peer.answer().status == 404);
    Http2Peer second(t.port());
    CHECK(second.request("GET", "/hello").status() == "200");
    CHECK(second.call("/t.S/Echo", "x").grpc_status() == "0");
    CHECK(second.call("/t.S/None", "x").grpc_status() == "12");
  }
  (*log)->flush();
  const auto text = base::read_file(path);
  REQUIRE(text);
  CHECK(text->find("secret") == std::string::npos);
  std::vector<base::Json> lines;
  for (const std::string& line : base::split(*text, '\n')) {
    if (line.empty()) continue;
    auto parsed = base::parse_json(line);
    REQUIRE(parsed);
    lines.push_back(std::move(*parsed));
  }
  REQUIRE(lines.size() == 5);
  CHECK(lines[0]["path"].as_string() == "/path/a");
  CHECK(lines[0]["status"].as_int() == 200);
  CHECK(lines[0]["bytes_out"].as_int() == 14);
  CHECK(lines[0]["principal"].as_string() == "tester");
  CHECK(lines[0]["trace_id"].as_string() == kTrace);
  CHECK(lines[0]["parent_id"].as_string() == kParent);
  CHECK(lines[0]["user_agent"].as_string() == "\"odd\"");
  CHECK(lines[0]["duration_us"].as_int() >= 0);
  CHECK(lines[1]["status"].as_int() == 404);
  CHECK(lines[2]["protocol"].as_string() == "http/2");
  CHECK(lines[3]["protocol"].as_string() == "grpc");
  CHECK(lines[3]["status"].as_int() == 0);
  CHECK(lines[4]["status"].as_int() == 12);
  (void)base::remove_tree(path);
}
