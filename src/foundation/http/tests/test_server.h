#pragma once
#include <atomic>
#include <future>
#include <memory>
#include <string>

#include "maru/base/pool.h"
#include "maru/http/server.h"
#include "maru/http/sse.h"
#include "socket_peer.h"

namespace maru::http::test {

inline base::Result<base::Principal> admit_all(const Request&) {
  return base::Principal{"tester", base::Role::kAdmin};
}

// A server on a free port with a route for each way of answering.
struct TestServer {
  base::Pool serve{{"serve", 2, 64}};
  base::Pool blocking{{"blocking", 4, 64}};
  base::Pool work{{"work", 1, 1}};
  Router router;
  EventHub hub;
  std::unique_ptr<Server> server;

  explicit TestServer(ServerOptions options = {}, Authenticate authenticate = admit_all) {
    add_routes();
    options.port = 0;
    options.serve_pool = &serve;
    options.blocking_pool = &blocking;
    options.work_pool = &work;
    server = std::make_unique<Server>(std::move(options), router, std::move(authenticate));
  }
  ~TestServer() {
    hub.close();
    if (server) server->stop();
  }
  std::uint16_t port() const { return server->port(); }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port()) + path;
  }

 private:
  void add_routes() {
    const auto echo = [](const Request& request, base::Context&) -> base::Result<Response> {
      return Response::text(request.body);
    };
    router.add(Method::kGet, "/hello", {Permission::kPublic, RunOn::kInline},
               [](const Request&, base::Context&) -> base::Result<Response> {
                 return Response::json_text("{\"hello\":1}");
               });
    router.add(Method::kPost, "/inline", {Permission::kPublic, RunOn::kInline}, echo);
    for (const auto& [path, where] :
         {std::pair{"/later/inline", RunOn::kInline}, {"/later/pool", RunOn::kServe}})
      router.add(Method::kPost, path, {Permission::kPublic, where},
                 [this](const Request& request, base::Context&) -> base::Result<Response> {
                   Response response;
                   response.later = [this, body = request.body](
                                        std::function<void(base::Result<Response>)> answer) {
                     const auto queued = blocking.submit([body, answer = std::move(answer)] {
                       answer(Response::text(body + " later"));
                     });
                     CHECK(queued.has_value());
                   };
                   return response;
                 });
    router.add(Method::kPost, "/echo", {Permission::kPublic, RunOn::kServe}, echo);
    router.add(Method::kPut, "/small", {Permission::kPublic, RunOn::kServe, false, 10}, echo);
    router.add(Method::kGet, "/path/{rest...}", {Permission::kPublic, RunOn::kInline},
               [](const Request& request, base::Context&) -> base::Result<Response> {
                 return Response::text(std::string(request.param("rest")) + "|" +
                                       std::string(request.query_param("q")));
               });
    router.add(Method::kPost, "/count",
               {Permission::kPublic, RunOn::kBlocking, true, ~std::size_t{0}},
               [](const Request& request, base::Context&) -> base::Result<Response> {
                 std::size_t total = 0;
                 std::size_t largest = 0;
                 for (;;) {
                   TRY_ASSIGN(const auto piece, request.body_stream->next());
                   if (piece.bytes.empty()) break;
                   total += piece.bytes.size();
                   largest = std::max(largest, piece.bytes.size());
                 }
                 return Response::text(std::to_string(total) + " " + std::to_string(largest));
               });
    router.add(Method::kGet, "/boom", {Permission::kPublic, RunOn::kServe},
               [](const Request&, base::Context&) -> base::Result<Response> {
                 throw std::runtime_error("secret detail");
               });
    router.add(Method::kGet, "/admin", {Permission::kAdmin, RunOn::kServe},
               [](const Request&, base::Context& context) -> base::Result<Response> {
                 return Response::text(context.principal.name);
               });
    router.add(
        Method::kGet, "/events", {Permission::kPublic, RunOn::kInline},
        [this](const Request& request, base::Context&) -> base::Result<Response> {
          return hub.subscribe({"run:*", "endpoint:a"}, request.headers.get("Last-Event-ID"));
        });
  }
};

// GET /slow: answers "done" once it is released. To be made before the server starts.
struct SlowRoute {
  std::promise<void> release;
  std::atomic<int> entered{0};

  SlowRoute(TestServer& server, RunOn where) {
    const std::shared_future<void> released = release.get_future().share();
    server.router.add(Method::kGet, "/slow", {Permission::kPublic, where},
                      [this, released](const Request&, base::Context&) -> base::Result<Response> {
                        ++entered;
                        released.wait();
                        return Response::text("done");
                      });
  }
};

}  // namespace maru::http::test
