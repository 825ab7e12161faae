#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/http/router.h"

namespace maru::http {

// One gRPC call with a stream of messages either way. Made for its call, told of one thing after another, never of two at once; what it appends to `out`
// is sent in that order, a message each. It is asked for nothing more while the peer does not take what it sent.
class RpcStream {
 public:
  virtual ~RpcStream() = default;
  // A message of the caller. An error ends the call with its status.
  virtual base::Status on_message(std::string_view message, base::Context& context,
                                  std::vector<std::string>& out) = 0;
  // About four times a second, on the I/O thread: for what the server has to say by itself. Must take microseconds.
  virtual base::Status on_tick(base::Context&, std::vector<std::string>&) { return {}; }
  // The server stops: last words before the call ends with UNAVAILABLE.
  virtual void on_drain(std::vector<std::string>&) {}
  // Whether the call stays open when the caller has sent all of its messages and each was answered.
  virtual bool stays_open() const { return false; }
};
// The request outlives the stream; its body is the message in work.
using RpcStreamMaker =
    std::function<base::Result<std::unique_ptr<RpcStream>>(const Request&, base::Context&)>;

struct RpcMethod {
  std::string path;  // "/package.Service/Method"
  RouteOptions options;
  Handler unary;
  RpcStreamMaker stream;  // instead of `unary`
};

// gRPC methods, by the path that names them. A handler of a unary call finds its message in Request::body and answers with the message in Response::body;
// an error becomes grpc-status and grpc-message. Of the options count: permission, where it runs, max_body_bytes (of a message), inline_body_bytes and
// place. Build fully before serving; then immutable and thread safe.
class RpcRouter {
 public:
  RpcRouter();
  ~RpcRouter();
  RpcRouter(const RpcRouter&) = delete;
  RpcRouter& operator=(const RpcRouter&) = delete;

  void add_unary(std::string_view path, RouteOptions options, Handler handler);
  void add_stream(std::string_view path, RouteOptions options, RpcStreamMaker maker);
  const RpcMethod* find(std::string_view path) const;  // nullptr: unknown
  bool knows_service(std::string_view path) const;     // some method of the path's service
  std::vector<RouteInfo> routes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

int rpc_status(base::Code code);  // NOT_FOUND -> 5
// Message, causes and hint on one line, as clients see them.
std::string rpc_message(const base::Error& error);

}  // namespace maru::http
