#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/context.h"
#include "maru/http/message.h"

namespace maru::http {

// What a caller must be allowed to do. A route cannot be added without one.
enum class Permission : std::uint8_t { kPublic, kRead, kPredict, kWrite, kOperate, kAdmin };

// Where the handler runs. kInline: on the I/O thread, only for work of microseconds that never blocks. kServe: computes. kBlocking: waits for the database and files.
// kWaiting: waits for another process to answer. kWork: takes long.
enum class RunOn : std::uint8_t { kInline, kServe, kBlocking, kWaiting, kWork };

using Handler = std::function<base::Result<Response>(const Request&, base::Context&)>;
// Turns a failure into the error body that the route's protocol expects.
using ErrorFormat =
    std::function<Response(const base::Error&, const Request&, const base::Context&)>;

struct RouteOptions {
  Permission permission;  // no default on purpose
  RunOn run_on = RunOn::kBlocking;
  bool stream_body = false;        // the handler reads request.body_stream
  std::size_t max_body_bytes = 0;  // 0: the server's limit
  std::size_t inline_body_bytes =
      64 << 10;  // a kInline route with a larger body runs on the serve pool instead
  ErrorFormat error_format = {};  // empty: error_response
  // Where this request's handler runs, when that is not the same for all; run_on then says nothing. Called on the I/O thread.
  std::function<RunOn(const Request&)> place = {};
};

struct RouteInfo {
  Method method;
  std::string pattern;
  Permission permission;
};

// Routes "/api/v1/endpoints/{name}/predict"; "{rest...}" takes the remaining path. Literal segments win over parameters.
// Build fully before serving; then immutable and thread safe.
class Router {
 public:
  Router();
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  void add(Method method, std::string_view pattern, RouteOptions options, Handler handler);
  // For paths that no route knows under `prefix`, and for paths there that are refused before any route is looked for: the error
  // format to use (Maru's own JSON without it).
  void set_fallback_format(std::string_view prefix, ErrorFormat format);
  std::vector<RouteInfo> routes() const;

  struct Match {
    const RouteOptions* options = nullptr;  // nullptr: no route
    const Handler* handler = nullptr;
    std::vector<std::pair<std::string, std::string>> params;
    bool method_mismatch = false;  // path known, method not: 405
    std::string allow;
  };
  Match match(Method method, std::string_view path) const;
  Response not_found(const Request& request, const base::Context& context, bool method_mismatch,
                     std::string_view allow) const;
  // For a target that could not be read as a path.
  Response refused(const base::Error& error, const Request& request,
                   const base::Context& context) const;
  // Matches, checks the permission against context.principal, runs the handler on the calling thread, formats errors. Used by the CLI in process and by tests.
  Response handle(Request& request, base::Context& context) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

bool allows(base::Role role, Permission permission);

}  // namespace maru::http
