// What callers of an endpoint are told: its own OpenAPI document, and calls to copy.
#include "endpoint_guide.h"
#include "maru/data/engine.h"
#include "routes.h"

namespace maru::api {
namespace {

// As the caller wrote the address; the server has checked that it answers to that name.
std::string base_url(const Request& request) {
  std::string host(request.headers.get("Host"));
  const bool plain = !host.empty() && host.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyz"
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789.-_:[]") == std::string::npos;
  return (request.tls ? "https://" : "http://") + (plain ? host : "127.0.0.1:7400");
}

// A key that the dataset has, so that the calls shown find something.
base::Status add_lookup(const Services& s, const serve::EndpointConfig& config,
                        EndpointFacts& facts) {
  const Json& features = config.features;
  if (!features.is_object()) return {};
  TRY_ASSIGN(const auto snapshot,
             s.datasets->resolve(config.project, features["dataset"].as_string()));
  TRY_ASSIGN(const std::string relation, s.datasets->relation(snapshot));
  std::string keys;
  const Json key = features["key"].is_array() ? features["key"] : Json::array({features["key"]});
  for (const Json& name : key.items())
    keys += (keys.empty() ? "" : ", ") + data::quote_identifier(name.as_string());
  TRY_ASSIGN(facts.keys, s.engine->query("select " + keys + " from " + relation + " limit 1"));
  for (const Json& name : features["columns"].items()) facts.looked_up.push_back(name.as_string());
  return {};
}

struct Guide {
  serve::Answer chosen;
  EndpointFacts facts;
};

base::Result<Guide> open_guide(const Services& s, const Request& request) {
  Guide out;
  out.facts.name = request.param("endpoint");
  TRY_ASSIGN(const auto status, s.server->status(out.facts.name));
  TRY_ASSIGN(out.chosen, s.server->choose(out.facts.name, {}));
  out.facts.base_url = base_url(request);
  out.facts.version = out.chosen.version;
  out.facts.bundle = out.chosen.bundle.get();
  if (status.arms.size() > 1)
    out.facts.sticky_header = status.config.route["sticky"]["header"].as_string_or("X-Route-Key");
  TRY(add_lookup(s, status.config, out.facts));
  return out;
}

}  // namespace

void add_guide_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}/openapi.json", {Permission::kRead},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const Guide guide, open_guide(s, request));
               return answer(endpoint_openapi(guide.facts));
             });
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}/examples", {Permission::kRead},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const Guide guide, open_guide(s, request));
               return answer(Json::object({{"endpoint", guide.facts.name},
                                           {"version", guide.facts.version},
                                           {"row", example_row(guide.facts)},
                                           {"examples", endpoint_examples(guide.facts)}}));
             });
}

}  // namespace maru::api
