#include <algorithm>
#include <cmath>

#include "maru/base/file.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "maru/connect/source.h"
#include "output.h"
#include "verbs.h"

namespace maru::app {
using base::Json;
using base::Result;
using http::Method;

std::string dataset_path(const std::string& selector, const std::string& rest) {
  const std::size_t at = selector.find('@');
  std::string path = "/api/v1/datasets/" + http::percent_encode(selector.substr(0, at)) + rest;
  if (at != std::string::npos) path += "?snapshot=" + http::percent_encode(selector.substr(at + 1));
  return path;
}

namespace {

// "flights_2013_01.parquet" -> "flights_2013_01"
std::string default_name(const std::string& file) {
  std::string_view path = file;
  if (connect::is_address(file)) {
    if (const std::size_t table = file.find("table="); table != std::string::npos)
      return file.substr(table + 6, file.find('&', table) - table - 6);
    path = path.substr(0, path.find_first_of("?#"));
  }
  const std::string name = base::file_name(path);
  return name.substr(0, name.find('.'));
}

std::string anomaly_text(const Json& anomaly) {
  const std::string severity = anomaly["severity"].as_string();
  const std::string mark = severity == "error"     ? red("error  ")
                           : severity == "warning" ? "warning"
                                                   : "info   ";
  std::string out = mark + "  " + bold(anomaly["column"].as_string()) + "  " +
                    anomaly["message"].as_string() + "\n";
  if (anomaly["rows"].as_int() > 0)
    out += "         " + base::format_count(anomaly["rows"].as_int()) + " rows\n";
  if (!anomaly["fix"].as_string().empty())
    out += "         fix: " + anomaly["fix"].as_string() + "\n";
  return out;
}

}  // namespace

int data_import(const Invocation& invocation, const ImportOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    Json sources = Json::array();
    TRY_ASSIGN(const std::string here, absolute_path(""));
    for (const auto& file : options.files) sources.push(connect::located(file, here));
    Json body = Json::object({{"sources", sources}});
    if (options.no_header) body.set("header", false);
    if (options.fill_ragged) body.set("ragged", "pad");
    if (!options.ragged.empty()) body.set("ragged", options.ragged);
    if (!options.encoding.empty()) body.set("encoding", options.encoding);
    if (options.append) body.set("append", true);
    if (options.fill_missing) body.set("fill_missing", true);
    if (!options.key.empty()) body.set("key", options.key);
    const std::string name =
        options.name.empty() ? default_name(options.files.front()) : options.name;
    ProgressLine progress;
    progress.show("importing " + name, -1);
    auto result = session.call(Method::kPost,
                               "/api/v1/datasets/" + http::percent_encode(name) + "/import", body);
    progress.clear();
    if (!result) return tl::unexpected<base::Error>(result.error());
    if (invocation.json) {
      print(result->dump() + "\n");
      return 0;
    }
    const Json& r = *result;
    print(bold(r["dataset"].as_string() + "@" + std::to_string(r["number"].as_int())) + "  " +
          base::format_count(r["rows"].as_int()) + " rows, " +
          std::to_string(r["columns"].as_int()) + " columns, " +
          base::format_bytes(static_cast<std::uint64_t>(r["bytes"].as_int())) + " in " +
          base::format_seconds(r["seconds"].as_double()) +
          (r["unchanged"].as_bool() ? " (unchanged)" : "") + "\n");
    for (const auto& line : r["notes"].items()) print("  " + line.as_string() + "\n");
    print(dim("next: maru data profile " + r["dataset"].as_string()) + "\n");
    return 0;
  });
}

int data_list(const Invocation& invocation) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result, session.call(Method::kGet, "/api/v1/datasets"));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    if (result["datasets"].size() == 0) {
      print("No datasets yet.\n" + dim("next: maru data import FILE --name NAME") + "\n");
      return 0;
    }
    TextTable table;
    table.column("dataset");
    table.column("rows", TextTable::Align::kRight);
    table.column("columns", TextTable::Align::kRight);
    table.column("size", TextTable::Align::kRight);
    table.column("updated");
    for (const auto& row : result["datasets"].items()) {
      table.row({row["name"].as_string() + "@" + std::to_string(row["number"].as_int()),
                 base::format_count(row["rows"].as_int()), std::to_string(row["columns"].as_int()),
                 base::format_bytes(static_cast<std::uint64_t>(row["bytes"].as_int())),
                 age_text(row["updated_us"].as_int())});
    }
    print(table.text());
    return 0;
  });
}

int data_show(const Invocation& invocation, const std::string& dataset) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result, session.call(Method::kGet, dataset_path(dataset, "")));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    TextTable table;
    for (const char* title : {"snapshot", "id", "rows", "created", "source"}) table.column(title);
    for (const auto& row : result["snapshots"].items()) {
      table.row({"@" + std::to_string(row["number"].as_int()), row["id"].as_string().substr(0, 12),
                 base::format_count(row["rows"].as_int()), age_text(row["created_us"].as_int()),
                 row["source"].as_string().empty() ? row["query"].as_string()
                                                   : row["source"].as_string()});
    }
    print(table.text());
    return 0;
  });
}

int data_validate(const Invocation& invocation, const ValidateOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    Json body = Json::object();
    if (!options.schema_file.empty()) {
      TRY_ASSIGN(const std::string text, base::read_file(options.schema_file));
      TRY_ASSIGN(Json schema, base::parse_json(text));
      body.set("schema", std::move(schema));
    }
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, dataset_path(options.dataset, "/validate"), body));
    const bool ok = result["ok"].as_bool();
    if (invocation.json) {
      print(result.dump() + "\n");
    } else {
      for (const auto& anomaly : result["anomalies"].items()) print(anomaly_text(anomaly));
      const std::string name = result["dataset"].as_string();
      print(ok ? green("ok") + "  " + name + " follows its schema (" +
                     std::to_string(result["anomalies"].size()) + " remarks)\n"
               : red("refused") + "  " + name + " breaks its schema\n" +
                     dim("next: maru schema accept " + name + "   if the data is right") + "\n");
    }
    return ok ? 0 : 3;
  });
}

int schema_show(const Invocation& invocation, const std::string& dataset) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result, session.call(Method::kGet, dataset_path(dataset, "/profile")));
    if (result["schema"].is_null())
      return base::fail(base::Code::kNotFound, "dataset has no schema yet: " + dataset,
                        "maru data validate " + dataset + " infers one");
    print(invocation.json ? result["schema"].dump() + "\n" : result["schema"].dump_pretty() + "\n");
    return 0;
  });
}

int schema_accept(const Invocation& invocation, const std::string& dataset) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result, session.call(Method::kPost, dataset_path(dataset, "/validate"),
                                               Json::object({{"accept", true}})));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      print("schema of " + result["dataset"].as_string() + " now follows snapshot @" +
            std::to_string(result["number"].as_int()) + ": " +
            std::to_string(result["anomalies"].size()) + " anomalies accepted\n");
    return 0;
  });
}

}  // namespace maru::app
