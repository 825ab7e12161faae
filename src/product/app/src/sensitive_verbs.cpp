#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "maru/data/cell_stream.h"
#include "maru/stats/sensitive.h"
#include "output.h"
#include "place.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

std::string short_kind(std::string_view word) {
  std::string out(word);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

int show(const Invocation& invocation, const stats::SensitiveReport& report,
         const std::string& title, const std::string& next) {
  if (invocation.json) {
    print(report.to_json().dump() + "\n");
    return 0;
  }
  const auto rows = base::format_count(static_cast<std::int64_t>(report.rows));
  if (report.findings.empty()) {
    print("nothing sensitive was found in " + bold(title) + " (" + rows + " rows)\n");
    return 0;
  }
  print(bold(title) + "  " + rows + " rows\n");
  TextTable table;
  table.column("column");
  table.column("holds");
  table.column("sure", TextTable::Align::kRight);
  table.column("cells", TextTable::Align::kRight);
  table.column("such as");
  table.column("proposed");
  for (const auto& found : report.findings)
    table.row({found.column, short_kind(stats::sensitive_word(found.kind)),
               number_text(found.confidence * 100, 0) + " %",
               base::format_count(static_cast<std::int64_t>(found.matched + found.inside)),
               found.examples.empty() ? "within texts" : found.examples.front(), found.action});
  print(table.text());
  print(dim("next: " + next) + "\n");
  return 0;
}

Result<stats::SensitiveReport> of_files(const std::vector<std::string>& files) {
  data::EngineOptions options;
  options.temp_folder = temporary_folder();
  TRY_ASSIGN(const auto engine, data::Engine::open(options));
  base::Context context;
  data::ImportSpec spec;
  spec.sources = files;
  TRY_ASSIGN(const auto stream, data::CellStream::open_files(*engine, spec, context));
  return stats::find_sensitive(*stream, options.threads, context);
}

}  // namespace

int data_sensitive(const Invocation& invocation, const std::vector<std::string>& sources) {
  const std::string& source = sources.front();
  if (names_files(source)) {
    const auto report_of = of_files(sources);
    if (!report_of) return report(report_of.error());
    return show(invocation, *report_of, base::file_name(source),
                "maru data import " + source + ", then maru data protect");
  }
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result, session.call(Method::kGet, dataset_path(source, "/sensitive")));
    TRY_ASSIGN(const stats::SensitiveReport found, stats::SensitiveReport::from_json(result));
    const std::string name = result["name"].as_string();
    return show(invocation, found, name + "@" + std::to_string(result["number"].as_int()),
                "maru data protect " + name);
  });
}

int data_protect(const Invocation& invocation, const ProtectOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    Json columns = Json::object();
    for (const std::string& pair : options.columns) {
      const std::size_t equals = pair.rfind('=');
      if (equals == std::string::npos)
        return base::fail(base::Code::kInvalidArgument, "not COLUMN=ACTION: " + pair,
                          "--column email=hash");
      columns.set(pair.substr(0, equals), pair.substr(equals + 1));
    }
    Json body = Json::object({{"columns", std::move(columns)}});
    if (!options.into.empty()) body.set("into", options.into);
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, dataset_path(options.dataset, "/protect"), body));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    std::vector<std::string> names;
    for (const Json& name : result["columns"].items()) names.push_back(name.as_string());
    print(base::format_count(result["rows"].as_int()) + " rows are in " +
          bold(result["dataset"].as_string() + "@" + std::to_string(result["number"].as_int())) +
          ", protected: " + base::join(names, ", ") + "\n");
    return 0;
  });
}

int data_reveal(const Invocation& invocation, const std::vector<std::string>& tokens) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    Json list = Json::array();
    for (const auto& token : tokens) list.push(token);
    TRY_ASSIGN(const Json result, session.call(Method::kPost, "/api/v1/tokens/reveal",
                                               Json::object({{"tokens", std::move(list)}})));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    for (const Json& value : result["values"].items()) print(value.as_string() + "\n");
    return 0;
  });
}

}  // namespace maru::app
