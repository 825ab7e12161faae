// What of a dataset is about persons, and copies of it that are not.
#include <string>

#include "maru/base/file.h"
#include "maru/stats/protect.h"
#include "maru/stats/sensitive.h"
#include "routes.h"

namespace maru::api {
namespace {

constexpr std::size_t kMaxTokens = 1'000;

base::Result<data::Snapshot> snapshot_of(const Services& s, const Request& request) {
  std::string selector(request.param("dataset"));
  if (const auto number = request.query_param("snapshot"); !number.empty())
    selector += "@" + std::string(number);
  return s.datasets->resolve(project_of(request), selector);
}

base::Result<Response> get_sensitive(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const data::Snapshot snapshot, snapshot_of(s, request));
  TRY_ASSIGN(const stats::SensitiveReport report,
             stats::sensitive_of(*s.datasets, *s.engine, snapshot, context));
  return answer(report.to_json()
                    .set("name", snapshot.dataset)
                    .set("number", snapshot.number)
                    .set("source", snapshot.source));
}

// {"columns": {"email": "hash"}, "into": "people_safe"}; without columns what the report proposes.
base::Result<Response> post_protect(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const data::Snapshot snapshot, snapshot_of(s, request));
  TRY_ASSIGN(const Json body, body_json(request));
  TRY_ASSIGN(const stats::SensitiveReport report,
             stats::sensitive_of(*s.datasets, *s.engine, snapshot, context));
  TRY_ASSIGN(const auto how, stats::protections(body["columns"], report, snapshot));
  const std::string into = body["into"].is_string() ? body["into"].as_string()
                                                    : snapshot.dataset + "_protected";
  if (into == snapshot.dataset)
    return base::fail(base::Code::kInvalidArgument,
                      "the protected rows need a dataset of their own",
                      "their originals stay in " + snapshot.dataset + " until they are removed");
  const std::string folder =
      base::join_path(base::join_path(s.home, "work"), "protect-" + context.trace_id);
  TRY_ASSIGN(const data::ImportResult done,
             stats::protect_snapshot(*s.datasets, *s.engine, snapshot, how, *s.key, into, folder,
                                     context));
  Json columns = Json::array();
  for (const auto& column : how) columns.push(column.column);
  TRY(audit(s, context, "dataset.protect", snapshot.dataset,
            std::to_string(how.size()) + " columns, into " + into));
  s.events->publish("project:" + project_of(request), R"({"type":"changed","kind":"dataset"})");
  return answer(Json::object({{"dataset", into},
                              {"number", done.snapshot.number},
                              {"rows", static_cast<std::int64_t>(done.snapshot.rows)},
                              {"columns", std::move(columns)}}));
}

base::Result<Response> post_reveal(const Services& s, const Request& request, Context& context) {
  TRY_ASSIGN(const Json body, body_json(request));
  const auto& tokens = body["tokens"].items();
  if (tokens.empty() || tokens.size() > kMaxTokens)
    return base::fail(base::Code::kInvalidArgument,
                      "`tokens` is a list of 1 to " + std::to_string(kMaxTokens));
  // Before anything is told: a look that nobody wrote down does not happen.
  TRY(audit(s, context, "token.reveal", "tokens", std::to_string(tokens.size()) + " tokens"));
  Json values = Json::array();
  for (const Json& token : tokens) {
    TRY_ASSIGN(std::string value, stats::reveal(token.as_string(), *s.key));
    values.push(std::move(value));
  }
  return answer(Json::object({{"values", std::move(values)}}));
}

}  // namespace

void add_sensitive_routes(Router& router, const Services& s) {
  router.add(
      Method::kGet, "/api/v1/datasets/{dataset}/sensitive", {Permission::kRead, RunOn::kWork},
      [s](const Request& request, Context& context) { return get_sensitive(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/datasets/{dataset}/protect", {Permission::kOperate, RunOn::kWork},
      [s](const Request& request, Context& context) { return post_protect(s, request, context); });
  router.add(
      Method::kPost, "/api/v1/tokens/reveal", {Permission::kAdmin},
      [s](const Request& request, Context& context) { return post_reveal(s, request, context); });
}

}  // namespace maru::api
