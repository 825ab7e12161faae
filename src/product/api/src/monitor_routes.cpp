#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kMaxWindows = 500;

Json window_json(const monitor::Window& window) {
  Json out = window.to_json();
  Json drifting = Json::array();
  for (const auto& column : window.report.columns) {
    if (column.drift) drifting.push(column.name);
  }
  return out.set("drifting", std::move(drifting));
}

base::Result<Response> get_monitor(const Services& s, const Request& request) {
  const std::string name(request.param("endpoint"));
  TRY_ASSIGN(const auto status, s.server->status(name));
  TRY_ASSIGN(const auto limit, number_param(request, "limit", 28, kMaxWindows));
  Json config;
  TRY_ASSIGN(const auto watched, s.monitor->watched(status.config.project));
  for (const auto& entry : watched) {
    if (entry.endpoint == name) config = entry.to_json();
  }
  Json windows = Json::array(), alerts = Json::array();
  if (!config.is_null()) {
    TRY(s.monitor->evaluate(name));
    TRY_ASSIGN(const auto list, s.monitor->windows(name, limit));
    for (const auto& window : list) windows.push(window_json(window));
  }
  TRY_ASSIGN(const auto all, s.monitor->alerts(status.config.project, kMaxWindows));
  for (const auto& alert : all) {
    if (alert.endpoint == name) alerts.push(alert.to_json());
  }
  return answer(Json::object({{"config", config}, {"windows", windows}, {"alerts", alerts}}));
}

}  // namespace

void add_monitor_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/endpoints/{endpoint}/monitor",
             {Permission::kRead, RunOn::kWork},
             [s](const Request& request, Context&) { return get_monitor(s, request); });
  router.add(Method::kGet, "/api/v1/alerts", {Permission::kRead},
             [s](const Request& request, Context&) -> base::Result<Response> {
               TRY_ASSIGN(const auto alerts, s.monitor->alerts(project_of(request), kMaxWindows));
               Json rows = Json::array();
               for (const auto& alert : alerts) rows.push(alert.to_json());
               return answer(Json::object({{"alerts", rows}}));
             });
  router.add(Method::kPost, "/api/v1/alerts/{alert}/acknowledge", {Permission::kWrite},
             [s](const Request& request, Context& context) -> base::Result<Response> {
               const std::string id(request.param("alert"));
               TRY(s.monitor->acknowledge(id));
               TRY(audit(s, context, "alert.acknowledge", id, ""));
               return answer(Json::object({{"id", id}, {"acknowledged", true}}));
             });
}

}  // namespace maru::api
