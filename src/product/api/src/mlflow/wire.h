#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routes.h"

// MLflow's wire rules, shared by its routes. Source: MLflow's REST API (protos/service.proto, model_registry.proto; proto2 JSON).
namespace maru::api::mlflow {

// The fields of one request: query parameters of a GET, else the members of a JSON body. Unknown fields are ignored; integers are taken
// as numbers or strings, booleans as JSON, "true" or "True". The first wrong field is remembered: check status() before acting.
// Messages are those that MLflow's clients and tests look for.
class Fields {
 public:
  // A body that is a JSON string holding JSON is decoded twice (old clients). kInvalidArgument for what is not an object.
  static base::Result<Fields> of(const Request& request);
  explicit Fields(Json body, std::string path = {})
      : body_(std::move(body)), path_(std::move(path)) {}

  bool has(std::string_view name) const;  // present and not null
  std::string text(
      std::string_view
          name);  // "" when absent; of an experiment id, a version or an enum also a number
  std::string required_text(std::string_view name);   // present, not ""
  std::string required_value(std::string_view name);  // present; "" is a value
  std::optional<std::string> optional_text(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name);
  std::int64_t required_integer(std::string_view name);
  std::optional<double> real(std::string_view name);  // also "NaN", "Infinity", "-Infinity"
  double required_real(std::string_view name);
  bool flag(std::string_view name, bool fallback = false);
  std::vector<std::string> texts(
      std::string_view name);  // a repeated field; one query key repeated, or an array
  std::vector<Fields> objects(
      std::string_view name);  // an array of objects; adopt() their failures
  std::optional<Fields> object(std::string_view name);
  void adopt(const Fields& part);  // takes over the part's first failure
  void refuse(std::string_view name, const Json& value,
              const std::string& why);  // remembers a wrong value
  const Json& json() const { return body_; }

  base::Status status() const;  // kInvalidArgument for the first wrong field

 private:
  const Json* member(std::string_view name) const;
  std::string full(std::string_view name) const;
  void missing(std::string_view name);
  Json body_;
  std::string path_;
  std::optional<base::Error> failure_;
};

using Call = std::function<base::Result<Json>(Fields&, Context&)>;

// Adds `path` ("runs/create"; path parameters as in Router, also given to the call as fields) below /api/<major>.0/mlflow/ and
// /ajax-api/<major>.0/mlflow/, with MLflow's errors. POST and PUT need Content-Type application/json.
void add_call(Router& router, int major, Method method, std::string_view path,
              Permission permission, Call call, RunOn run_on = RunOn::kBlocking);
// The same for a call that another thread finishes; `done` is called once. A failure that is known at once is returned.
using Done = std::function<void(base::Result<Json>)>;
using LaterCall = std::function<base::Status(Fields&, Context&, Done)>;
void add_later_call(Router& router, int major, Method method, std::string_view path,
                    Permission permission, LaterCall call);
// For routes that do not speak JSON both ways: the same prefixes and errors around a plain handler.
http::RouteOptions options(Permission permission, RunOn run_on = RunOn::kBlocking);

// {"error_code", "message"} and the status of MLflow's table; a failure of ours (kInternal, kDataLoss) is 500, a full disk 507.
Response error(const base::Error& error, const Request& request, const Context& context);

// Shapes used everywhere: [{"key", "value"}].
Json pairs_json(const tracking::Text& pairs);
// Reads [{"key", "value"}]; a failure is left in `fields`.
std::vector<std::pair<std::string, std::string>> pairs(Fields& fields, std::string_view name);
// Sets `name` only when the text is not empty (proto2: unset fields are left out).
void set_text(Json& object, std::string_view name, const std::string& text);
// An opaque page token: offset and the hash of the query that it belongs to. kInvalidArgument when it is garbage or another query's.
std::string page_token(std::uint64_t offset, std::string_view query);
base::Result<std::uint64_t> page_offset(std::string_view token, std::string_view query);
// max_results: `fallback` when absent, kInvalidArgument outside 1..most.
std::size_t max_results(Fields& fields, std::size_t fallback, std::size_t most);

void add_run_routes(Router& router,
                    const Services& services);  // experiments, runs, metrics, datasets
void add_registry_routes(Router& router,
                         const Services& services);  // registered models, versions, aliases
void add_logged_model_routes(Router& router, const Services& services);
void add_artifact_routes(Router& router,
                         const Services& services);  // mlflow-artifacts, get-artifact
void add_trace_routes(Router& router,
                      const Services& services);  // /v1/traces, traces, assessments
void add_webhook_routes(Router& router, const Services& services);
void add_server_routes(Router& router,
                       const Services& services);  // version, server-info, what is not known

}  // namespace maru::api::mlflow
