#include "compare_routes.h"

#include <algorithm>

#include "maru/stats/profile.h"

namespace maru::api {
namespace {

// Changes with what a report holds, so that an older one is not taken for it.
constexpr const char* kStored = "compare-1:";

std::string name_of(const data::Snapshot& snapshot) {
  return snapshot.dataset + "@" + std::to_string(snapshot.number);
}

base::Result<Response> say(const stats::DriftReport& report, const std::string& old_name,
                           const std::string& new_name, const std::string& format,
                           const std::string& language) {
  if (format == "html")
    return Response::text(stats::drift_html(report, old_name, new_name, language), 200,
                          "text/html; charset=utf-8");
  Json out = report.to_json().set("old", old_name).set("new", new_name);
  if (format == "both")
    out.set("html", stats::drift_html(report, old_name, new_name, language));
  else if (!format.empty() && format != "json")
    return base::fail(base::Code::kInvalidArgument, "unknown format: " + format,
                      "one of json, html, both");
  return answer(std::move(out));
}

base::Result<stats::Profile> stored_profile(const Services& services,
                                            const data::Snapshot& snapshot) {
  auto stored = services.datasets->attachment(snapshot.id, "profile");
  if (!stored)
    return base::fail(base::Code::kNotFound, name_of(snapshot) + " has no stored profile",
                      "maru data profile " + name_of(snapshot) + " makes one");
  return stats::Profile::from_json(*stored);
}

base::Result<Response> get_compare(const Services& services, const Request& request) {
  const std::string rule(request.query_param("rule", "maru")),
      format(request.query_param("format")), language(request.query_param("language", "en"));
  if (request.query_param("old").empty() || request.query_param("new").empty())
    return base::fail(base::Code::kInvalidArgument, "`old` and `new` each name a snapshot",
                      "?old=sales@1&new=sales@2");
  TRY_ASSIGN(
      const data::Snapshot before,
      services.datasets->resolve(project_of(request), std::string(request.query_param("old"))));
  TRY_ASSIGN(
      const data::Snapshot after,
      services.datasets->resolve(project_of(request), std::string(request.query_param("new"))));
  stats::DriftReport report;
  if (rule == "profiles") {
    TRY_ASSIGN(const stats::Profile a, stored_profile(services, before));
    TRY_ASSIGN(const stats::Profile b, stored_profile(services, after));
    report = stats::compare_profiles(a, b);
  } else {
    TRY_ASSIGN(report, compared(services, before, after, rule));
  }
  return say(report, name_of(before), name_of(after), format, language);
}

base::Result<data::Table> read_side(const Services& services, const Json& files, Context& context) {
  data::ImportSpec spec;
  spec.dataset = "compare";
  for (const Json& file : files.items()) spec.sources.push_back(file.as_string());
  if (spec.sources.empty())
    return base::fail(base::Code::kInvalidArgument, "`old` and `new` each name at least one file",
                      R"(send {"old": ["/path/old.csv"], "new": ["/path/new.csv"]})");
  return data::read_files(*services.engine, spec, context);
}

// Two sets of files, read where they lie; nothing is stored.
base::Result<Response> post_compare_files(const Services& services, const Request& request,
                                          Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const data::Table before, read_side(services, body["old"], context));
  TRY_ASSIGN(const data::Table after, read_side(services, body["new"], context));
  TRY_ASSIGN(const stats::DriftReport report,
             stats::compare_by(body["rule"].as_string(), before, after));
  const auto name = [](const Json& files) {
    const std::string first = files.at(0).as_string();
    return first.substr(first.rfind('/') + 1);
  };
  return say(report, name(body["old"]), name(body["new"]), body["format"].as_string(),
             body["language"].as_string());
}

}  // namespace

base::Result<stats::DriftReport> compared(const Services& services, const data::Snapshot& before,
                                          const data::Snapshot& after, const std::string& rule) {
  const std::string kind = kStored + rule + ":" + before.id;
  if (const auto stored = services.datasets->attachment(after.id, kind))
    return stats::DriftReport::from_json(*stored);
  TRY_ASSIGN(const data::Table a, services.datasets->read(before));
  TRY_ASSIGN(const data::Table b, services.datasets->read(after));
  TRY_ASSIGN(stats::DriftReport report, stats::compare_by(rule, a, b));
  TRY(services.datasets->attach(after.id, kind, report.to_json()));
  double score = 0;
  for (const auto& column : report.columns)
    score = std::max(score, column.drift ? column.score : 0.0);
  if (rule == "maru")
    TRY(services.datasets->attach(after.id, "drift",
                                  Json::object({{"score", score}, {"base", before.id}})));
  return report;
}

void add_compare_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/compare", {Permission::kRead, RunOn::kWork},
             [s](const Request& request, Context&) { return get_compare(s, request); });
  router.add(Method::kPost, "/api/v1/compare-files", {Permission::kOperate, RunOn::kWork},
             [s](const Request& request, Context& context) {
               return post_compare_files(s, request, context);
             });
}

}  // namespace maru::api
