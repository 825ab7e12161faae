#include "dataset_verbs.h"
#include "maru/base/text.h"
#include "output.h"

namespace maru::app {

using base::Json;
using base::Result;
using http::Method;

namespace {

std::string api_path(const std::string& dataset, const std::string& rest) {
  return "/api/v1/datasets/" + http::percent_encode(dataset) + rest;
}

std::string policy_text(const Json& policy) {
  std::string out = policy["keep_all"].as_bool() ? "every snapshot" : "";
  const auto also = [&](const std::string& rule) { out += (out.empty() ? "" : ", or ") + rule; };
  if (policy["keep_last"].as_int() > 0)
    also("the last " + std::to_string(policy["keep_last"].as_int()));
  if (policy["keep_days"].as_int() > 0)
    also("those of the last " + std::to_string(policy["keep_days"].as_int()) + " days");
  if (!policy["keep_all"].as_bool()) out += "; always the newest, tagged ones and models' data";
  if (policy["window_days"].as_int() > 0)
    out += "; rows of the last " + std::to_string(policy["window_days"].as_int()) + " days by " +
           policy["window_column"].as_string();
  return out;
}

Result<Json> policy_asked(const DatasetOptions& options) {
  Json body = Json::object();
  if (options.keep_all) body.set("keep_all", true);
  if (options.keep_last >= 0) body.set("keep_last", options.keep_last);
  if (options.keep_days >= 0) body.set("keep_days", options.keep_days);
  if (options.window.empty()) return body;
  const auto at = options.window.rfind('=');
  const auto days = at == std::string::npos
                        ? Result<Json>(base::fail(base::Code::kInvalidArgument, "no ="))
                        : base::parse_json(options.window.substr(at + 1));
  if (!days || days->as_int(-1) < 1)
    return base::fail(base::Code::kInvalidArgument, "not COLUMN=DAYS: " + options.window,
                      "--window sold_at=365");
  return body.set("window_column", options.window.substr(0, at)).set("window_days", *days);
}

}  // namespace

int data_retention(const Invocation& invocation, const DatasetOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json body, policy_asked(options));
    const std::string path = api_path(options.name, "/retention");
    TRY_ASSIGN(const Json policy, body.size() == 0 ? session.call(Method::kGet, path)
                                                   : session.call(Method::kPut, path, body));
    print(invocation.json ? policy.dump() + "\n"
                          : bold(options.name) + " keeps " + policy_text(policy) + "\n");
    return 0;
  });
}

int data_gc(const Invocation& invocation, const DatasetOptions& options) {
  const Json body = Json::object({{"dataset", options.name}, {"dry_run", options.dry_run}});
  return show_answer(
      invocation, Method::kPost, "/api/v1/collect",
      [](const Json& report) {
        for (const auto& step : report["steps"].items())
          print((step["drop"].as_bool() ? red("drop") : green("keep")) + "  " +
                step["dataset"].as_string() + "@" + std::to_string(step["number"].as_int()) + "  " +
                step["reason"].as_string() + "\n");
        print(std::to_string(report["snapshots"].as_int()) + " snapshots " +
              (report["dry_run"].as_bool() ? "would go, " : "dropped, ") +
              std::to_string(report["parts"].as_int()) + " parts, " +
              base::format_bytes(static_cast<std::uint64_t>(report["bytes"].as_int())) + " freed" +
              (report["waiting"].as_int() > 0 ? "; " + std::to_string(report["waiting"].as_int()) +
                                                    " parts wait an hour for their readers"
                                              : "") +
              "\n");
      },
      body);
}

int data_erase(const Invocation& invocation, const DatasetOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    if (!options.yes)
      return base::fail(base::Code::kFailedPrecondition, "an erasure cannot be undone",
                        "say --yes");
    Json values = Json::array();
    for (const auto& value : options.values) values.push(value);
    TRY_ASSIGN(const Json report,
               session.call(Method::kPost, api_path(options.name, "/erase"),
                            Json::object({{"column", options.by}, {"values", values}})));
    if (invocation.json) {
      print(report.dump() + "\n");
      return 0;
    }
    print(base::format_count(report["rows"].as_int()) + " rows erased; " +
          std::to_string(report["dropped"].size()) + " snapshots that held them are gone, " +
          std::to_string(report["files"].as_int()) + " files\n");
    for (const auto& model : report["models"].items())
      print("learnt from them: " + model["model"].as_string() + "/" +
            std::to_string(model["version"].as_int()) + "\n");
    return 0;
  });
}

}  // namespace maru::app
