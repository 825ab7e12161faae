#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "output.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

constexpr int kDriftExit = 3;
constexpr std::size_t kSteadyShown = 5;

std::string verdict_text(const Json& question) {
  const std::string verdict = question["verdict"].as_string();
  const Json& value = question["value"];
  if (!value.is_number()) return "–";
  const std::string text = base::format_significant(value.as_double(), 3);
  return verdict == "ok" ? dim(text) : verdict == "bad" ? red(text) : text;
}

// The five questions of the drifting columns, a line each: how far each moved.
std::string questions_text(const Json& columns) {
  TextTable table;
  table.column("moved by");
  for (const char* title : {"centre", "mode", "symmetry", "skewness", "likelihood"})
    table.column(title, TextTable::Align::kRight);
  std::size_t rows = 0;
  for (const auto& column : columns.items()) {
    if (!column["drift"].as_bool() || column["questions"].size() == 0) continue;
    std::vector<std::string> cells = {column["name"].as_string()};
    for (const char* key : {"centre", "mode", "symmetry", "skewness", "likelihood"})
      cells.push_back(verdict_text(column["questions"][key]));
    table.row(cells);
    ++rows;
  }
  return rows > 0 ? "\n" + table.text() : "";
}

void print_report(const Json& report) {
  const auto& columns = report["columns"].items();
  const auto drifted = std::count_if(columns.begin(), columns.end(),
                                     [](const Json& column) { return column["drift"].as_bool(); });
  print((report["drift"].as_bool() ? red("drift") : green("no drift")) + "  " +
        bold(report["old"].as_string()) + " (" + base::format_count(report["rows_old"].as_int()) +
        " rows) → " + bold(report["new"].as_string()) + " (" +
        base::format_count(report["rows_new"].as_int()) + " rows): " + std::to_string(drifted) +
        " of " + std::to_string(columns.size()) + " columns\n");
  for (const auto& culprit : report["culprits"].items())
    print("culprit: " + culprit["explanation"].as_string() + "\n");
  const Json& together = report["together"];
  if (together.is_object())
    print(dim("all columns together: AUC " + base::format_fixed(together["auc"].as_double(), 3) +
              ", limit " + base::format_fixed(together["limit"].as_double(), 3)) +
          "\n");
  TextTable table;
  table.column("column");
  table.column("drift");
  table.column("score", TextTable::Align::kRight);
  table.column("why");
  std::size_t steady = 0;
  for (const auto& column : columns) {
    const bool drift = column["drift"].as_bool();
    if (!drift && ++steady > kSteadyShown) continue;
    table.row({column["name"].as_string(), drift ? red("yes") : "no",
               number_text(column["score"].as_double(), 3), column["reason"].as_string()});
  }
  print(table.text());
  if (steady > kSteadyShown)
    print(dim("and " + std::to_string(steady - kSteadyShown) + " more that did not change") + "\n");
  print(questions_text(report["columns"]));
}

Result<Json> ask(Session& session, const CompareOptions& options) {
  const std::string format = options.html.empty() ? "json" : "both";
  const bool old_file = base::path_exists(options.before),
             new_file = base::path_exists(options.after);
  if (old_file != new_file)
    return base::fail(
        base::Code::kInvalidArgument,
        "one side is a file, the other is none: " + (old_file ? options.after : options.before),
        "two files, or two snapshots as NAME@NUMBER");
  if (old_file) {
    TRY_ASSIGN(std::string before, absolute_path(options.before));
    TRY_ASSIGN(std::string after, absolute_path(options.after));
    return session.call(Method::kPost, "/api/v1/compare-files",
                        Json::object({{"old", Json::array({Json(std::move(before))})},
                                      {"new", Json::array({Json(std::move(after))})},
                                      {"rule", options.rule},
                                      {"format", format},
                                      {"language", options.language}}));
  }
  return session.call(
      Method::kGet,
      "/api/v1/compare?old=" + http::percent_encode(options.before) +
          "&new=" + http::percent_encode(options.after) +
          "&rule=" + http::percent_encode(options.profiles ? "profiles" : options.rule) +
          "&format=" + format + "&language=" + http::percent_encode(options.language));
}

}  // namespace

int data_compare(const Invocation& invocation, const CompareOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(Json report, ask(session, options));
    if (!options.html.empty()) {
      TRY(base::write_file_atomic(options.html, report["html"].as_string()));
      report.set("html", options.html);
    }
    if (invocation.json) {
      print(report.dump() + "\n");
    } else {
      print_report(report);
      if (!options.html.empty()) print("report: " + options.html + "\n");
    }
    return options.gate && report["drift"].as_bool() ? kDriftExit : 0;
  });
}

}  // namespace maru::app
