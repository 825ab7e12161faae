#include "maru/http/server.h"

#include <pthread.h>
#include <signal.h>

#include "connection.h"
#include "maru/base/check.h"
#include "maru/base/log.h"
#include "post.h"

namespace maru::http {
namespace {

constexpr auto kSweep = std::chrono::milliseconds(250);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr std::int64_t kBeatNs = 15'000'000'000;
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: "
    "application/json\r\n"
    "Content-Length: 102\r\n\r\n"
    "{\"error_code\":\"UNAVAILABLE\",\"message\":\"too many connections\",\"hint\":\"try again "
    "later\",\"request_id\":\"\"}";

// What a file's pages are handed to may have gone: an error of the call, not a signal that ends the process.
void block_broken_pipes() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

base::Result<tcp::endpoint> resolve(asio::io_context& context, const std::string& host,
                                    std::uint16_t port) {
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (!error) return tcp::endpoint(address, port);
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, std::to_string(port), error);
  if (error || found.empty()) {
    return base::fail(base::Code::kInvalidArgument,
                      "the address to listen on is not known here: " + host,
                      "use an address of this machine, such as 127.0.0.1");
  }
  return found.begin()->endpoint();
}

// h2 where the client knows it, else HTTP/1.1; a client without ALPN speaks what it likes.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned int in_size, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, size, kOurs, sizeof kOurs - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// An address that is listened on.
struct Door {
  std::unique_ptr<tcp::acceptor> acceptor;
  std::unique_ptr<asio::steady_timer> pause;
  bool rpc_only = false;
  std::uint16_t port = 0;
};

}  // namespace

struct Server::Impl {
  Impl(ServerOptions options, const Router& router, Authenticate authenticate)
      : core(std::make_shared<ServerCore>(std::move(options), router, std::move(authenticate))) {}

  std::shared_ptr<ServerCore> core;
  Door door, rpc_door;
  std::size_t next_loop = 0;
  std::mutex stop_mutex;
  bool running = false;

  base::Status load_tls();
  base::Status listen(Door& at, const std::string& host, std::uint16_t port, const char* flag);
  void accept(Door& at);
  void on_accept(tcp::socket socket, std::size_t loop_index, bool rpc_only);
  void sweep(IoLoop& loop);
};

base::Status Server::Impl::load_tls() {
  const ServerOptions& options = core->options;
  if (options.tls_certificate_file.empty() && options.tls_key_file.empty()) return {};
  if (options.tls_certificate_file.empty() || options.tls_key_file.empty()) {
    return base::fail(base::Code::kInvalidArgument, "TLS needs both a certificate and a key",
                      "set http.tls-cert and http.tls-key");
  }
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_options(asio::ssl::context::default_workarounds |
                       asio::ssl::context::no_compression);
  ::SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_protocol, nullptr);
  error_code error;
  context->use_certificate_chain_file(options.tls_certificate_file, error);
  if (error) {
    return base::fail(base::Code::kInvalidArgument,
                      "the TLS certificate cannot be used: " + options.tls_certificate_file + ": " +
                          error.message(),
                      "it must be a PEM file");
  }
  context->use_private_key_file(options.tls_key_file, asio::ssl::context::pem, error);
  if (error) {
    return base::fail(
        base::Code::kInvalidArgument,
        "the TLS key cannot be used: " + options.tls_key_file + ": " + error.message(),
        "it must be a PEM file that belongs to the certificate");
  }
  core->tls = std::move(context);
  return {};
}

base::Status Server::Impl::listen(Door& at, const std::string& host, std::uint16_t port,
                                  const char* flag) {
  asio::io_context& context = core->loops[0]->context;
  TRY_ASSIGN(const tcp::endpoint endpoint, resolve(context, host, port));
  at.acceptor = std::make_unique<tcp::acceptor>(context);
  at.pause = std::make_unique<asio::steady_timer>(context);
  error_code error;
  at.acceptor->open(endpoint.protocol(), error);
  if (!error) at.acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) at.acceptor->bind(endpoint, error);
  if (!error) at.acceptor->listen(4096, error);
  if (!error) {
    at.port = at.acceptor->local_endpoint().port();
    return {};
  }
  const std::string where = host + ":" + std::to_string(port);
  if (error == asio::error::address_in_use) {
    return base::fail(base::Code::kUnavailable, "the port is in use by another program: " + where,
                      std::string("stop that program, or choose another port with ") + flag);
  }
  const auto code = error == asio::error::access_denied ? base::Code::kPermissionDenied
                                                        : base::Code::kInvalidArgument;
  return base::fail(code, "cannot listen on " + where + ": " + error.message());
}

void Server::Impl::accept(Door& at) {
  const std::size_t index = next_loop++ % core->loops.size();
  at.acceptor->async_accept(
      core->loops[index]->context, [this, index, &at](error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted || core->draining) return;
        if (!error) on_accept(std::move(socket), index, at.rpc_only);
        if (error != asio::error::no_descriptors && error != asio::error::no_buffer_space &&
            error != asio::error::no_memory) {
          return accept(at);
        }
        // Out of descriptors: a retry at once would spin until one is closed.
        base::log_warn("connections cannot be accepted", {{"reason", error.message()}});
        at.pause->expires_after(kAcceptPause);
        at.pause->async_wait([this, &at](error_code stopped) {
          if (!stopped && !core->draining) accept(at);
        });
      });
}

void Server::Impl::on_accept(tcp::socket socket, std::size_t loop_index, bool rpc_only) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;
  std::string address = remote.address().to_string();
  bool full = core->open >= core->options.max_connections;
  if (!full) {
    const std::lock_guard lock(core->peers_mutex);
    std::size_t& count = core->peers[address];
    full = count >= core->options.max_connections_per_peer;
    if (!full) ++count;
  }
  if (full) {
    ++core->shed;
    socket.non_blocking(true, error);
    socket.write_some(asio::buffer(kFull.data(), kFull.size()), error);
    return;
  }
  ++core->open;
  ++core->total;
  IoLoop& loop = *core->loops[loop_index];
  const auto connection =
      std::make_shared<Connection>(core, loop, std::move(socket), std::move(address), rpc_only);
  core->post(loop, [connection] { connection->start(); });
}

void Server::Impl::sweep(IoLoop& loop) {
  loop.sweep.expires_after(kSweep);
  loop.sweep.async_wait([this, &loop](error_code error) {
    if (error) return;
    const std::int64_t now = core->now_ns();
    const bool beat = now - loop.beat_ns >= kBeatNs;
    if (beat) loop.beat_ns = now;
    // A copy: sweeping closes connections.
    const std::vector<std::shared_ptr<Connection>> all(loop.connections.begin(),
                                                       loop.connections.end());
    for (const auto& connection : all) connection->sweep(now, beat);
    sweep(loop);
  });
}

Server::Server(ServerOptions options, const Router& router, Authenticate authenticate)
    : impl_(std::make_shared<Impl>(std::move(options), router, std::move(authenticate))) {
  const ServerOptions& kept = impl_->core->options;
  MARU_CHECK(kept.serve_pool != nullptr && kept.blocking_pool != nullptr &&
             kept.work_pool != nullptr);
}

Server::~Server() { stop(); }

base::Status Server::start() {
  ServerCore& core = *impl_->core;
  MARU_CHECK(core.loops.empty());  // once
  const std::size_t count = std::max<std::size_t>(1, core.options.io_threads);
  for (std::size_t i = 0; i < count; ++i) core.loops.push_back(std::make_unique<IoLoop>());
  TRY(impl_->load_tls());
  const ServerOptions& options = core.options;
  TRY(impl_->listen(impl_->door, options.host, options.port, "--listen"));
  if (!options.rpc_host.empty()) {
    impl_->rpc_door.rpc_only = true;
    const base::Status open =
        impl_->listen(impl_->rpc_door, options.rpc_host, options.rpc_port, "--grpc-listen");
    if (!open && !(options.rpc_optional && open.error().code == base::Code::kUnavailable))
      return open;
    if (open)
      impl_->accept(impl_->rpc_door);
    else
      base::log_warn("gRPC has no address of its own", {{"reason", open.error().text()}});
  }
  impl_->accept(impl_->door);
  for (std::size_t i = 0; i < count; ++i) {
    IoLoop& loop = *core.loops[i];
    loop.beat_ns = core.now_ns();
    impl_->sweep(loop);
    loop.thread = std::thread([&loop] {
      block_broken_pipes();
      loop.context.run();
    });
    ::pthread_setname_np(loop.thread.native_handle(), ("io-" + std::to_string(i)).c_str());
  }
  impl_->running = true;
  return {};
}

std::uint16_t Server::port() const { return impl_->door.port; }
std::uint16_t Server::rpc_port() const { return impl_->rpc_door.port; }

void Server::stop() {
  const std::lock_guard stopping(impl_->stop_mutex);
  if (!impl_->running) return;
  impl_->running = false;
  ServerCore& core = *impl_->core;
  core.draining = true;
  core.post(*core.loops[0], [this] {
    for (Door* at : {&impl_->door, &impl_->rpc_door}) {
      if (!at->acceptor) continue;
      error_code ignored;
      at->acceptor->close(ignored);
      at->pause->cancel();
    }
  });
  for (const auto& loop : core.loops) {
    core.post(*loop, [at = loop.get()] {
      const std::vector<std::shared_ptr<Connection>> all(at->connections.begin(),
                                                         at->connections.end());
      for (const auto& connection : all) connection->drain();
    });
  }
  {
    std::unique_lock lock(core.open_mutex);
    core.all_closed.wait_for(lock, std::chrono::milliseconds(core.options.drain_timeout_ms),
                             [&] { return core.open == 0; });
  }
  {
    const std::unique_lock lock(core.post_mutex);
    core.stopped = true;
  }
  for (const auto& loop : core.loops) {
    loop->context.stop();
    loop->thread.join();
    // The threads are gone, so this one may touch what was theirs: close what is left, and let its operations end.
    const std::vector<std::shared_ptr<Connection>> all(loop->connections.begin(),
                                                       loop->connections.end());
    for (const auto& connection : all) connection->close();
    loop->sweep.cancel();
    loop->context.restart();
    loop->context.poll();
  }
}

ServerCounters Server::counters() const {
  const ServerCore& core = *impl_->core;
  ServerCounters out;
  out.connections_open = core.open;
  out.connections_total = core.total;
  out.requests = core.requests;
  out.responses_4xx = core.responses_4xx;
  out.responses_5xx = core.responses_5xx;
  out.shed = core.shed;
  return out;
}

}  // namespace maru::http
