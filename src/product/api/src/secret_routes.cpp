// Secrets of sources and streams: set, listed by name, removed; never given out.
#include "routes.h"

namespace maru::api {
namespace {

base::Result<Response> put_secret(const Services& services, const Request& request,
                                  Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string name(request.param("name")), host = body["host"].as_string();
  TRY(services.secrets->put(name, body["value"].as_string(), host));
  TRY(audit(services, context, "secret.set", name, host));
  return answer(Json::object({{"name", name}, {"host", host}}));
}

}  // namespace

void add_secret_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/secrets", {Permission::kRead, RunOn::kBlocking},
             [s](const Request&, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const auto secrets, s.secrets->list());
               Json rows = Json::array();
               for (const auto& one : secrets)
                 rows.push(Json::object(
                     {{"name", one.name}, {"host", one.host}, {"updated_us", one.updated_us}}));
               return answer(Json::object({{"secrets", rows}}));
             });
  router.add(
      Method::kPut, "/api/v1/secrets/{name}", {Permission::kAdmin, RunOn::kBlocking},
      [s](const Request& request, Context& context) { return put_secret(s, request, context); });
  router.add(Method::kDelete, "/api/v1/secrets/{name}", {Permission::kAdmin, RunOn::kBlocking},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               const std::string name(request.param("name"));
               TRY(s.secrets->remove(name));
               TRY(audit(s, context, "secret.remove", name, ""));
               return Response::empty();
             });
}

}  // namespace maru::api
