#include <algorithm>

#include "maru/base/text.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kMaxResults = 50;
constexpr std::size_t kMaxTopics = 32;

struct Found {
  std::string kind, name, detail, href;
};

bool matches(const std::string& name, const std::string& query) {
  return base::to_lower_ascii(name).find(query) != std::string::npos;
}

base::Result<std::vector<Found>> find_objects(const Services& s, const std::string& project) {
  std::vector<Found> out;
  const std::string prefix = "/p/" + project;
  TRY_ASSIGN(const auto datasets, s.datasets->list(project));
  for (const auto& d : datasets)
    out.push_back({"dataset", d.name, std::to_string(d.snapshot_count) + " snapshots",
                   prefix + "/data/" + http::percent_encode(d.name)});
  TRY_ASSIGN(const auto models, s.tracking->registry().list_models(project));
  for (const auto& m : models)
    out.push_back({"model", m.name, m.task + ", " + std::to_string(m.versions.size()) + " versions",
                   prefix + "/models/" + http::percent_encode(m.name)});
  for (const auto& e : s.server->list())
    out.push_back({"endpoint", e.config.name, e.state,
                   prefix + "/endpoints/" + http::percent_encode(e.config.name)});
  TRY_ASSIGN(const auto experiments, s.tracking->runs().list_experiments(project));
  for (const auto& e : experiments)
    out.push_back(
        {"experiment", e.name, e.id, prefix + "/experiments/" + http::percent_encode(e.name)});
  TRY_ASSIGN(const auto runs, s.scheduler->list(project, "", 200, 0));
  std::vector<std::string> pipelines;
  for (const auto& run : runs) {
    const std::string base = prefix + "/pipelines/" + http::percent_encode(run.pipeline);
    if (std::find(pipelines.begin(), pipelines.end(), run.pipeline) == pipelines.end()) {
      pipelines.push_back(run.pipeline);
      out.push_back({"pipeline", run.pipeline, "pipeline", base});
    }
    out.push_back({"run", run.id,
                   run.pipeline + ", " + std::string(pipeline::state_name(run.state)),
                   base + "/" + run.id});
  }
  return out;
}

base::Result<Response> search(const Services& s, const Request& request) {
  const std::string query = base::to_lower_ascii(base::trim(request.query_param("q")));
  TRY_ASSIGN(const auto objects, find_objects(s, project_of(request)));
  Json results = Json::array();
  for (const auto& object : objects) {
    if (results.size() >= kMaxResults) break;
    if (!matches(object.name, query)) continue;
    results.push(Json::object({{"kind", object.kind},
                               {"name", object.name},
                               {"detail", object.detail},
                               {"href", object.href}}));
  }
  return answer(Json::object({{"results", results}}));
}

base::Result<Response> events(const Services& s, const Request& request) {
  std::vector<std::string> topics;
  for (const auto& topic : base::split(request.query_param("topics"), ',')) {
    if (!topic.empty()) topics.push_back(topic);
  }
  if (topics.empty() || topics.size() > kMaxTopics) {
    return base::fail(
        base::Code::kInvalidArgument,
        "`topics` must name 1 to 32 topics: " + std::string(request.query_param("topics")),
        "for example topics=project:default,run:ID");
  }
  return s.events->subscribe(std::move(topics), request.headers.get("Last-Event-ID"));
}

}  // namespace

void add_search_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/search", {Permission::kRead},
             [s](const Request& request, Context&) { return search(s, request); });
  router.add(Method::kGet, "/api/v1/events", {Permission::kRead, RunOn::kInline},
             [s](const Request& request, Context&) { return events(s, request); });
}

}  // namespace maru::api
