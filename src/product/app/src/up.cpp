#include "up.h"

#include <signal.h>

#include <cstdlib>

#include "maru/base/file.h"
#include "maru/base/log.h"
#include "maru/base/text.h"
#include "output.h"
#include "settings.h"

namespace maru::app {
namespace {

using base::Code;

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

base::Result<Address> parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  char* end = nullptr;
  const long port =
      colon == std::string::npos ? -1 : std::strtol(text.c_str() + colon + 1, &end, 10);
  if (port < 0 || port > 65'535 || end == text.c_str() + colon + 1 || *end != '\0') {
    return base::fail(Code::kInvalidArgument, "not an address: " + text,
                      "write HOST:PORT, for example 127.0.0.1:7400");
  }
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return Address{host.empty() ? "127.0.0.1" : host, static_cast<std::uint16_t>(port)};
}

// Where gRPC has an address of its own.
struct RpcAddress {
  Address at;
  bool wanted = false;
  bool optional = false;  // nobody asked for that very port
};

base::Result<RpcAddress> parse_rpc_address(const std::string& text, const Address& http) {
  RpcAddress out;
  if (text == "off") return out;
  if (text != "auto") {
    auto address = parse_address(text);
    if (!address)
      return base::wrap(address.error(), "grpc.listen",
                        "write HOST:PORT, for example 127.0.0.1:7401, or auto, or off");
    out.at = std::move(*address);
    out.wanted = true;
    return out;
  }
  if (http.port == 0 || http.port == 65'535) return out;
  out.at = {http.host, static_cast<std::uint16_t>(http.port + 1)};
  out.wanted = out.optional = true;
  return out;
}

std::string authority(const std::string& host, std::uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
         std::to_string(port);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

// An address that others can reach needs tokens and TLS first: there is no default password to guess.
base::Status check_exposure(const Address& address, bool tls, const Home& home) {
  if (is_loopback(address.host)) return {};
  if (!tls) {
    return base::fail(Code::kRefused, "a public address needs TLS: " + address.host,
                      "add --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy");
  }
  if (home.tokens() == 0) {
    return base::fail(Code::kRefused, "a public address needs an access token: " + address.host,
                      "make one first: maru token create NAME --role admin");
  }
  return {};
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void wait_for_signal() {
  const sigset_t set = stop_signals();
  int signal = 0;
  sigwait(&set, &signal);
}

base::Result<std::unique_ptr<RunningServer>> RunningServer::start(const std::string& folder,
                                                                  const UpOptions& options) {
  TRY_ASSIGN(const base::Config settings, load_settings(folder, options.settings));
  TRY_ASSIGN(const Address address, parse_address(settings.text("http.listen")));
  TRY_ASSIGN(const RpcAddress rpc, parse_rpc_address(settings.text("grpc.listen"), address));
  const bool tls = !settings.text("http.tls-cert").empty();
  auto running = std::make_unique<RunningServer>(Key{});
  running->folder_ = folder;
  HomeOptions opening = home_options(folder, settings);
  opening.trust_loopback = is_loopback(address.host) && (!rpc.wanted || is_loopback(rpc.at.host));
  TRY_ASSIGN(running->home_, Home::open(opening));
  Home& home = *running->home_;
  // What a killed server left would send verbs to where nobody listens.
  TRY(base::remove_tree(server_file(folder)));
  TRY(check_exposure(address, tls, home));
  if (rpc.wanted) TRY(check_exposure(rpc.at, tls, home));
  base::init_log(log_options(folder, settings));
  http::ServerOptions server;
  server.host = address.host;
  server.port = address.port;
  server.rpc = &home.rpc_router();
  if (rpc.wanted) {
    server.rpc_host = rpc.at.host;
    server.rpc_port = rpc.at.port;
    server.rpc_optional = rpc.optional;
  }
  server.io_threads = static_cast<std::size_t>(settings.integer("http.io-threads"));
  server.max_body_bytes = static_cast<std::size_t>(settings.bytes("http.max-body"));
  server.tls_certificate_file = settings.text("http.tls-cert");
  server.tls_key_file = settings.text("http.tls-key");
  for (const auto& name : base::split(settings.text("http.allowed-hosts"), ',')) {
    if (const auto word = base::trim(name); !word.empty()) server.allowed_hosts.emplace_back(word);
  }
  if (settings.flag("log.access")) {
    TRY_ASSIGN(running->access_log_, base::LineLog::open(access_log_options(folder)));
    server.access_log = running->access_log_.get();
  }
  server.serve_pool = &home.serve_pool();
  server.blocking_pool = &home.blocking_pool();
  server.work_pool = &home.work_pool();
  server.waiting_pool = &home.waiting_pool();
  running->server_ = std::make_unique<http::Server>(server, home.router(), home.authenticate());
  TRY(running->server_->start());
  const std::uint16_t rpc_port = running->server_->rpc_port();
  running->url_ =
      (tls ? "https://" : "http://") + authority(address.host, running->server_->port());
  base::Json file = base::Json::object({{"url", running->url_}});
  if (rpc_port != 0) file.set("grpc", authority(rpc.at.host, rpc_port));
  TRY(base::write_file_atomic(server_file(folder), file.dump()));
  home.start(Home::Background::kServer);
  home.wait_ready();
  return running;
}

void RunningServer::stop() {
  if (!server_) return;
  server_->stop();
  home_->stop();
  server_.reset();
  if (auto removed = base::remove_tree(server_file(folder_)); !removed)
    base::log_warn("server.json could not be removed", {{"error", removed.error().text()}});
  access_log_.reset();
  base::flush_log();
}

RunningServer::~RunningServer() { stop(); }

int up(const Invocation& invocation, const UpOptions& options) {
  block_signals();
  auto running = RunningServer::start(home_folder(invocation.home), options);
  if (!running) return report(running.error());
  print("ready " + (*running)->url() + "\n");
  wait_for_signal();
  (*running)->stop();
  return 0;
}

}  // namespace maru::app
