#include "catalogue_routes.h"

#include "maru/base/text.h"
#include "maru/data/diff.h"

namespace maru::api {
namespace {

constexpr std::uint64_t kMaxHits = 200;

void changed(const Services& s, const Request& request) {
  s.events->publish("project:" + project_of(request), R"({"type":"changed","kind":"dataset"})");
}

base::Result<Response> put_about(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string dataset(request.param("dataset"));
  data::Catalogue& catalogue = s.datasets->catalogue();
  TRY_ASSIGN(const auto before, catalogue.about(project_of(request), dataset));
  TRY_ASSIGN(auto about, data::DatasetAbout::from_json(body, before));
  about.updated_by = context.principal.name;
  TRY(catalogue.describe(project_of(request), dataset, about));
  std::vector<std::string> keys;
  for (const auto& [key, value] : body.members()) keys.push_back(key);
  TRY(audit(s, context, "dataset.describe", dataset, base::join(keys, ", ")));
  changed(s, request);
  TRY_ASSIGN(const auto kept, catalogue.about(project_of(request), dataset));
  return answer(kept.to_json());
}

base::Result<Response> put_tag(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const std::string dataset(request.param("dataset")), tag(request.param("tag"));
  std::string selector = dataset;
  if (!body["snapshot"].is_null())
    selector += "@" + (body["snapshot"].is_string() ? body["snapshot"].as_string()
                                                    : std::to_string(body["snapshot"].as_int()));
  TRY_ASSIGN(const data::Snapshot snapshot, s.datasets->resolve(project_of(request), selector));
  TRY(s.datasets->catalogue().tag(project_of(request), selector, tag, context.principal.name));
  TRY(audit(s, context, "dataset.tag", dataset + "@" + std::to_string(snapshot.number), tag));
  changed(s, request);
  return answer(Json::object({{"dataset", dataset}, {"tag", tag}, {"number", snapshot.number}}));
}

base::Result<Response> delete_tag(const Services& s, const Request& request, Context& context) {
  const std::string dataset(request.param("dataset")), tag(request.param("tag"));
  TRY(s.datasets->catalogue().untag(project_of(request), dataset, tag));
  TRY(audit(s, context, "dataset.untag", dataset, tag));
  changed(s, request);
  return Response::empty();
}

base::Result<Response> get_search(const Services& s, const Request& request) {
  TRY_ASSIGN(const std::uint64_t limit, number_param(request, "limit", 50, kMaxHits));
  TRY_ASSIGN(const auto hits,
             s.datasets->catalogue().search(project_of(request),
                                            std::string(request.query_param("q")), limit));
  Json out = Json::array();
  for (const auto& hit : hits) {
    TRY_ASSIGN(const auto about, s.datasets->catalogue().about(project_of(request), hit.dataset));
    out.push(Json::object({{"dataset", hit.dataset},
                           {"where", text_array(hit.where)},
                           {"owner", about.owner},
                           {"tags", text_array(about.tags)},
                           {"description", about.description}}));
  }
  return answer(Json::object({{"hits", out}}));
}

// Everything that belongs to a snapshot, in one document.
base::Result<Response> get_manifest(const Services& s, const Request& request) {
  TRY_ASSIGN(const data::Snapshot snapshot, pick_snapshot(s, request, "snapshot"));
  TRY_ASSIGN(const auto about,
             s.datasets->catalogue().about(project_of(request), snapshot.dataset));
  TRY_ASSIGN(const auto tags, s.datasets->catalogue().tags(project_of(request), snapshot.dataset));
  Json names = Json::array(), stored = Json::array();
  for (const auto& tag : tags)
    if (tag.snapshot_id == snapshot.id) names.push(tag.name);
  for (const auto& part : snapshot.parts)
    stored.push(Json::object(
        {{"sha256", part.sha256}, {"rows", count(part.rows)}, {"bytes", count(part.bytes)}}));
  return answer(
      Json::object({{"snapshot", snapshot.id},
                    {"manifest", snapshot.manifest()},
                    {"stored", stored},
                    {"bytes", count(snapshot.bytes)},
                    {"source", snapshot.source},
                    {"query", snapshot.query},
                    {"run_id", snapshot.run_id},
                    {"created_us", snapshot.created_us},
                    {"profiled", s.datasets->attachment(snapshot.id, "profile").has_value()},
                    {"tags", names},
                    {"licence", about.licence},
                    {"sensitive", about.to_json()["sensitive"]}}));
}

base::Result<Response> post_diff(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  if (body["before"].as_string().empty() || body["after"].as_string().empty())
    return base::fail(base::Code::kInvalidArgument, "a diff needs `before` and `after`",
                      R"(send {"before": "sales@1", "after": "sales@2", "key": ["id"]})");
  TRY_ASSIGN(const data::Snapshot before,
             s.datasets->resolve(project_of(request), body["before"].as_string()));
  TRY_ASSIGN(const data::Snapshot after,
             s.datasets->resolve(project_of(request), body["after"].as_string()));
  data::DiffSpec spec;
  for (const auto& name : body["key"].items()) spec.key.push_back(name.as_string());
  spec.by_rows = body["rows"].as_bool(false);
  const std::int64_t examples = body["examples"].as_int(5);
  if (examples < 0 || examples > static_cast<std::int64_t>(data::kMaxDiffExamples))
    return base::fail(base::Code::kInvalidArgument,
                      "`examples` is out of range: " + std::to_string(examples), "0 to 100");
  spec.examples = static_cast<std::size_t>(examples);
  for (const auto* side : {&before, &after})
    TRY(s.datasets->note_read(*side, context.principal.name, "diff"));
  TRY_ASSIGN(const data::DiffReport report,
             data::diff_snapshots(*s.datasets, *s.engine, before, after, spec, context));
  return answer(report.to_json());
}

}  // namespace

void add_catalogue_routes(Router& router, const Services& s) {
  router.add(
      Method::kPut, "/api/v1/datasets/{dataset}/about", {Permission::kWrite},
      [s](const Request& request, Context& context) { return put_about(s, request, context); });
  router.add(
      Method::kPut, "/api/v1/datasets/{dataset}/tags/{tag}", {Permission::kWrite},
      [s](const Request& request, Context& context) { return put_tag(s, request, context); });
  router.add(
      Method::kDelete, "/api/v1/datasets/{dataset}/tags/{tag}", {Permission::kWrite},
      [s](const Request& request, Context& context) { return delete_tag(s, request, context); });
  router.add(Method::kGet, "/api/v1/catalogue", {Permission::kRead},
             [s](const Request& request, Context&) { return get_search(s, request); });
  router.add(Method::kGet, "/api/v1/datasets/{dataset}/manifest", {Permission::kRead},
             [s](const Request& request, Context&) { return get_manifest(s, request); });
  router.add(
      Method::kPost, "/api/v1/diff", {Permission::kRead, RunOn::kWork},
      [s](const Request& request, Context& context) { return post_diff(s, request, context); });
}

}  // namespace maru::api
