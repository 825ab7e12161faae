// Streams: added, listed, stopped, fed.
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kMaxPushBytes = 16u << 20;

Json stream_json(const connect::StreamStatus& status) {
  Json positions = Json::array();
  for (const auto& [partition, next] : status.next)
    positions.push(Json::object({{"partition", partition}, {"next", next}}));
  Json out = status.spec.to_json();
  out.set("address", connect::shown_address(status.spec.address))
      .set("state", status.state)
      .set("error", status.error)
      .set("created_us", status.created_us)
      .set("last_batch_us", status.last_batch_us)
      .set("rows", count(status.rows))
      .set("dead", count(status.dead))
      .set("dead_waiting", count(status.dead_waiting))
      .set("dead_dataset", status.spec.dataset + "_dead")
      .set("duplicates", count(status.duplicates))
      .set("out_of_order", count(status.out_of_order))
      .set("future_events", count(status.future))
      .set("batches", count(status.batches))
      .set("rows_per_second", status.rows_per_second)
      .set("lag", status.lag < 0 ? Json() : Json(status.lag))
      .set("positions", positions);
  return out;
}

base::Result<Response> post_stream(const Services& services, const Request& request,
                                   Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(connect::StreamSpec spec, connect::StreamSpec::from_json(body));
  spec.project = project_of(request);
  TRY(services.streams->add(spec));
  TRY(audit(services, context, "stream.add", spec.name, connect::shown_address(spec.address)));
  TRY_ASSIGN(const auto status, services.streams->get(spec.project, spec.name));
  return answer(stream_json(status), 201);
}

base::Result<Response> post_events(const Services& services, const Request& request) {
  TRY_ASSIGN(
      const auto taken,
      services.streams->push(project_of(request), std::string(request.param("stream")),
                             request.body, std::string(request.headers.get("Idempotency-Key"))));
  return answer(
      Json::object({{"accepted", count(taken.accepted)}, {"duplicates", count(taken.duplicates)}}));
}

}  // namespace

void add_stream_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/streams", {Permission::kRead, RunOn::kBlocking},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const auto all, s.streams->list(project_of(request)));
               Json rows = Json::array();
               for (const auto& one : all) rows.push(stream_json(one));
               return answer(Json::object({{"streams", rows}}));
             });
  router.add(
      Method::kPost, "/api/v1/streams", {Permission::kOperate, RunOn::kBlocking},
      [s](const Request& request, Context& context) { return post_stream(s, request, context); });
  router.add(Method::kGet, "/api/v1/streams/{stream}", {Permission::kRead, RunOn::kBlocking},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const auto status, s.streams->get(project_of(request),
                                                            std::string(request.param("stream"))));
               return answer(stream_json(status));
             });
  router.add(Method::kDelete, "/api/v1/streams/{stream}", {Permission::kOperate, RunOn::kBlocking},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               const std::string name(request.param("stream"));
               TRY(s.streams->remove(project_of(request), name));
               TRY(audit(s, context, "stream.remove", name, ""));
               return Response::empty();
             });
  router.add(Method::kPost, "/api/v1/streams/{stream}/start",
             {Permission::kOperate, RunOn::kBlocking},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               const std::string name(request.param("stream"));
               TRY(s.streams->start(project_of(request), name));
               TRY(audit(s, context, "stream.start", name, ""));
               TRY_ASSIGN(const auto status, s.streams->get(project_of(request), name));
               return answer(stream_json(status));
             });
  router.add(Method::kPost, "/api/v1/streams/{stream}/stop",
             {Permission::kOperate, RunOn::kBlocking},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               const std::string name(request.param("stream"));
               TRY(s.streams->stop(project_of(request), name));
               TRY(audit(s, context, "stream.stop", name, ""));
               TRY_ASSIGN(const auto status, s.streams->get(project_of(request), name));
               return answer(stream_json(status));
             });
  http::RouteOptions events{Permission::kWrite, RunOn::kBlocking};
  events.max_body_bytes = kMaxPushBytes;
  router.add(Method::kPost, "/api/v1/streams/{stream}/events", events,
             [s](const Request& request, Context&) { return post_events(s, request); });
}

}  // namespace maru::api
