#include "maru/base/text.h"
#include "output.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

std::string subject(const Json& rule) {
  std::string out = rule["column"].as_string();
  for (const auto& name : rule["columns"].items())
    out += (out.empty() ? "" : ", ") + name.as_string();
  return out;
}

}  // namespace

int schema_suggest(const Invocation& invocation, const SchemaOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, dataset_path(options.dataset, "/suggest"),
                            Json::object({{"accept", options.accept}})));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    TextTable table;
    table.column("column");
    table.column("expect");
    table.column("mostly", TextTable::Align::kRight);
    table.column("sure", TextTable::Align::kRight);
    table.column("because");
    for (const auto& rule : result["expectations"].items())
      table.row({subject(rule), rule["kind"].as_string(),
                 number_text(rule["mostly"].as_double(), 4),
                 number_text(rule["confidence"].as_double(), 4), rule["description"].as_string()});
    print(table.text());
    const std::string name = result["dataset"].as_string();
    print(options.accept ? green("saved") + "  the schema of " + name + " holds them\n"
                         : dim("next: maru schema suggest " + name + " --accept") + "\n");
    return 0;
  });
}

int schema_export(const Invocation& invocation, const SchemaOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::uint64_t bytes,
               session.download(dataset_path(options.dataset, "/schema") +
                                    (options.dataset.find('@') == std::string::npos ? "?" : "&") +
                                    "format=" + http::percent_encode(options.format),
                                options.file));
    if (invocation.json)
      print(Json::object({{"file", options.file}, {"bytes", static_cast<std::int64_t>(bytes)}})
                .dump() +
            "\n");
    else
      print("schema of " + options.dataset + " in " + bold(options.file) + "\n");
    return 0;
  });
}

int schema_import(const Invocation& invocation, const SchemaOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result,
               session.upload(dataset_path(options.dataset, "/schema") +
                                  "?format=" + http::percent_encode(options.format),
                              options.file));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      print("schema of " + options.dataset + ": " + std::to_string(result["columns"].size()) +
            " columns, " + std::to_string(result["expectations"].size()) +
            " expectations, version " + std::to_string(result["version"].as_int()) + "\n");
    return 0;
  });
}

int data_quarantine(const Invocation& invocation, const std::string& dataset) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, dataset_path(dataset, "/quarantine"), Json::object()));
    if (invocation.json)
      print(result.dump() + "\n");
    else if (result["rows"].as_int() == 0)
      print("no row of " + dataset + " breaks an expectation\n");
    else
      print(base::format_count(result["rows"].as_int()) + " rows are in " +
            bold(result["quarantine"].as_string()) + ", " +
            base::format_count(result["kept"].as_int()) + " in " +
            bold(result["dataset"].as_string() + "@" + std::to_string(result["number"].as_int())) +
            "\n");
    return 0;
  });
}

}  // namespace maru::app
