#include "maru/http/router.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace maru;
using namespace maru::http;

namespace {
Handler named(std::string name) {
  return [name](const Request& request, base::Context&) -> base::Result<Response> {
    std::string out = name;
    for (const auto& [key, value] : request.path_params) out += " " + key + "=" + value;
    return Response::text(out);
  };
}

std::string ask(const Router& router, Method method, const std::string& path,
                base::Role role = base::Role::kAdmin) {
  Request request;
  request.method = method;
  request.path = path;
  base::Context context;
  context.principal = {"me", role};
  const Response response = router.handle(request, context);
  return std::to_string(response.status) + (response.status == 200 ? " " + response.body : "");
}
}  // namespace

TEST_CASE("literals win over parameters, parameters over the rest, with a way back") {
  Router router;
  router.add(Method::kGet, "/", {Permission::kPublic}, named("root"));
  router.add(Method::kGet, "/a/{x}", {Permission::kPublic}, named("param"));
  router.add(Method::kGet, "/a/b", {Permission::kPublic}, named("literal"));
  router.add(Method::kGet, "/a/{x}/c", {Permission::kPublic}, named("deep"));
  router.add(Method::kGet, "/a/{rest...}", {Permission::kPublic}, named("rest"));
  router.add(Method::kPost, "/a/{y}", {Permission::kPublic}, named("post"));
  CHECK(ask(router, Method::kGet, "/") == "200 root");
  CHECK(ask(router, Method::kGet, "/a/b") == "200 literal");
  CHECK(ask(router, Method::kGet, "/a/z") == "200 param x=z");
  CHECK(ask(router, Method::kGet, "/a/b/c") == "200 deep x=b");
  CHECK(ask(router, Method::kGet, "/a/b/d/e") == "200 rest rest=b/d/e");
  CHECK(ask(router, Method::kGet, "/a/") == "200 rest rest=");
  CHECK(ask(router, Method::kPost, "/a/q") == "200 post y=q");
  CHECK(ask(router, Method::kHead, "/a/b") == "200 literal");
  CHECK(ask(router, Method::kGet, "/none") == "404");
  CHECK(ask(router, Method::kDelete, "/a/b") == "405");
  CHECK(router.match(Method::kDelete, "/a/q").allow == "GET, HEAD, POST");
  CHECK(router.routes().size() == 6);
}

TEST_CASE("every permission against every role") {
  using enum Permission;
  const base::Role roles[] = {base::Role::kNone, base::Role::kViewer, base::Role::kEditor,
                              base::Role::kOperator, base::Role::kAdmin};
  const std::pair<Permission, int> first_allowed[] = {{kPublic, 0}, {kRead, 1},    {kPredict, 1},
                                                      {kWrite, 2},  {kOperate, 3}, {kAdmin, 4}};
  for (const auto& [permission, first] : first_allowed) {
    Router router;
    router.add(Method::kGet, "/x", {permission}, named("x"));
    for (int role = 0; role < 5; ++role) {
      CHECK(ask(router, Method::kGet, "/x", roles[role]) == (role >= first ? "200 x" : "403"));
    }
  }
}

TEST_CASE("error formats: of the route, of a prefix, by default") {
  Router router;
  const ErrorFormat own = [](const base::Error& error, const Request&, const base::Context&) {
    return Response::text("own " + error.message, 418);
  };
  RouteOptions options{Permission::kPublic};
  options.error_format = own;
  router.add(Method::kGet, "/v2/x", options,
             [](const Request&, base::Context&) -> base::Result<Response> {
               return base::fail(base::Code::kNotFound, "m");
             });
  router.set_fallback_format("/v2", own);
  CHECK(ask(router, Method::kGet, "/v2/x") == "418");
  CHECK(ask(router, Method::kGet, "/v2/none") == "418");
  CHECK(ask(router, Method::kPost, "/v2/x") == "405");
  CHECK(ask(router, Method::kGet, "/none") == "404");
}

TEST_CASE("error body") {
  base::Error inner{base::Code::kNoSpace, "disk \"full\"", "free some", nullptr};
  const auto wrapped = base::wrap(inner, "cannot save");
  const Response response = error_response(wrapped.value(), "rid");
  CHECK(response.status == 507);
  CHECK(
      response.body ==
      R"({"error_code":"NO_SPACE","message":"cannot save: disk \"full\"","hint":"free some","request_id":"rid"})");
}

TEST_CASE("percent coding") {
  CHECK(percent_encode("a b/한~") == "a%20b%2F%ED%95%9C~");
  CHECK(percent_decode(percent_encode("a b/한~%")) == "a b/한~%");
  CHECK(percent_decode("%zz%4") == "%zz%4");
}

TEST_CASE("headers keep order and ignore case") {
  Headers headers;
  headers.add("A", "1");
  headers.add("b", "2");
  headers.add("a", "3");
  CHECK(headers.get("a") == "1");
  headers.set("A", headers.get("B"));
  CHECK(headers.all().size() == 2);
  CHECK(headers.get("a") == "2");
  headers.remove("B");
  CHECK_FALSE(headers.has("b"));
}
