#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "maru/base/line_log.h"
#include "maru/base/pool.h"
#include "maru/http/limits.h"
#include "maru/http/router.h"
#include "maru/http/rpc.h"

namespace maru::http {

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 7400;  // 0: any free port
  std::size_t io_threads = 2;
  std::size_t max_body_bytes = kMaxBodyBytes;
  std::size_t max_connections = kMaxConnections;
  std::size_t max_connections_per_peer = kMaxConnectionsPerPeer;
  std::int64_t header_timeout_ms =
      kHeaderTimeoutMs;  // from the first byte of a request to the end of its head
  std::int64_t body_idle_timeout_ms =
      kBodyIdleTimeoutMs;  // between two pieces of a body, either way
  std::int64_t keep_alive_timeout_ms = kKeepAliveTimeoutMs;
  std::int64_t drain_timeout_ms = kDrainTimeoutMs;
  std::int64_t refusal_delay_ms = kRefusalDelayMs;
  std::string tls_certificate_file;  // PEM; empty: plain HTTP
  std::string tls_key_file;
  std::vector<std::string>
      allowed_hosts;  // beside loopback names and `host`; "*" for any. A foreign Host or Origin is 403.
  base::Pool* serve_pool = nullptr;     // required
  base::Pool* blocking_pool = nullptr;  // required
  base::Pool* work_pool = nullptr;      // required
  base::Pool* waiting_pool = nullptr;   // null: the blocking pool
  base::Clock* clock = &base::system_clock();
  base::LineLog* access_log = nullptr;  // a line for each answer; null: none
  const RpcRouter* rpc = nullptr;       // gRPC calls; outlives the server; nullptr: none
  // One more address, for gRPC alone; empty: none. gRPC is spoken on the other one too.
  std::string rpc_host;
  std::uint16_t rpc_port = 0;
  bool rpc_optional = false;  // a port of it that is in use is logged, and done without
  std::int64_t http2_idle_timeout_ms = kHttp2IdleTimeoutMs;
  std::int64_t ping_after_ms = kPingAfterMs;
  std::int64_t ping_timeout_ms = kPingTimeoutMs;
};

// Who is asking; runs on the I/O thread, so it must be quick and never block.
using Authenticate = std::function<base::Result<base::Principal>(const Request&)>;

struct ServerCounters {
  std::uint64_t connections_open = 0, connections_total = 0, requests = 0, responses_4xx = 0,
                responses_5xx = 0, shed = 0;
};

// HTTP/1.1 and HTTP/2 server; the first bytes of a connection, or ALPN, say which. Calls with a content type of application/grpc go to the RpcRouter. Handlers run where their route says; idle connections hold no thread. Live event streams: sse.h.
// Errors of bind (port in use: kUnavailable, names the port) come from start(). stop() is graceful: accept off, in-flight finished
// within kDrainTimeoutMs, then closed. Thread safe.
class Server {
 public:
  Server(ServerOptions options, const Router& router, Authenticate authenticate);
  ~Server();
  base::Status start();
  std::uint16_t port() const;
  std::uint16_t rpc_port() const;  // 0: none
  void stop();
  ServerCounters counters() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace maru::http
