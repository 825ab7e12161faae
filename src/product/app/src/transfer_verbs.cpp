#include "maru/base/text.h"
#include "output.h"
#include "tracking_verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

constexpr int kIncomplete = 3;  // a check says that something was left out
constexpr std::size_t kShownSkips = 10;

void print_counts(const Json& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : counts.members()) {
    if (value.as_int() == 0) continue;
    std::string words = name;
    for (auto& c : words)
      if (c == '_') c = ' ';
    parts.push_back(name == "artifact_bytes"
                        ? base::format_bytes(static_cast<std::uint64_t>(value.as_int()))
                        : base::format_count(value.as_int()) + " " + words);
  }
  std::string line = " ";
  for (const auto& part : parts) {
    if (line.size() + part.size() + 2 > terminal_width()) {
      print(line + "\n");
      line = " ";
    }
    line += " " + part + (&part == &parts.back() ? "" : ",");
  }
  print((parts.empty() ? "  nothing" : line) + "\n");
}

void print_skips(const Json& report) {
  const std::int64_t skipped = report["skipped"].as_int();
  if (skipped == 0) return;
  print(red("left out: " + base::format_count(skipped)) + "\n");
  std::size_t shown = 0;
  for (const auto& one : report["skips"].items()) {
    if (shown++ == kShownSkips) break;
    print("  " + one["what"].as_string() + ": " + one["why"].as_string() + "\n");
  }
  if (skipped > static_cast<std::int64_t>(kShownSkips)) print(dim("  --json names more") + "\n");
}

int verdict(const Json& report) {
  return report["skipped"].as_int() == 0 && report["equal"].as_bool() ? 0 : kIncomplete;
}

}  // namespace

int tracking_import(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const bool url =
        options.name.find("://") != std::string::npos && options.name.rfind("sqlite:///", 0) != 0;
    std::string path =
        options.name.rfind("sqlite:///", 0) == 0 ? options.name.substr(10) : options.name;
    if (!url) {
      TRY_ASSIGN(path, absolute_path(path));
    }
    Json body =
        Json::object({{"path", path}, {"kind", options.kind}, {"experiment", options.second}});
    if (!options.artifact_root.empty()) {
      TRY_ASSIGN(const std::string root, absolute_path(options.artifact_root));
      body.set("artifact_root", root);
    }
    ProgressLine progress;
    progress.show("importing " + (url ? std::string("a database") : options.name), -1);
    auto report = session.call(Method::kPost, "/api/v1/tracking/imports", body);
    progress.clear();
    if (!report) return tl::unexpected<base::Error>(report.error());
    if (invocation.json) {
      print(report->dump() + "\n");
      return verdict(*report);
    }
    const Json& r = *report;
    // The server leaves out the password of a URL.
    print(bold(r["kind"].as_string()) + " " + (url ? r["path"].as_string() : options.name) +
          " in " + base::format_seconds(r["seconds"].as_double()) + "\n");
    print("found\n");
    print_counts(r["found"]);
    print("new here\n");
    print_counts(r["written"]);
    if (r["runs_present"].as_int() > 0)
      print(base::format_count(r["runs_present"].as_int()) + " runs were here already\n");
    if (r["runs_updated"].as_int() > 0)
      print(base::format_count(r["runs_updated"].as_int()) + " runs had gone on\n");
    print(r["equal"].as_bool() ? green("read back: the same") + "  " +
                                     dim("sha256 " + r["own_hash"].as_string().substr(0, 16)) + "\n"
                               : red("read back: not the same") + "  source " +
                                     r["source_hash"].as_string().substr(0, 16) + ", here " +
                                     r["own_hash"].as_string().substr(0, 16) + "\n");
    print_skips(r);
    print(dim("next: maru runs list") + "\n");
    return verdict(r);
  });
}

int tracking_export(const Invocation& invocation, const TrackingOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string path, absolute_path(options.name));
    Json names = Json::array();
    for (const auto& name : options.names) names.push(name);
    ProgressLine progress;
    progress.show("exporting to " + options.name, -1);
    auto report = session.call(
        Method::kPost, "/api/v1/tracking/exports",
        Json::object({{"path", path}, {"format", options.format}, {"experiments", names}}));
    progress.clear();
    if (!report) return tl::unexpected<base::Error>(report.error());
    if (invocation.json) {
      print(report->dump() + "\n");
      return verdict(*report);
    }
    print(bold((*report)["kind"].as_string()) + " → " + options.name + "\n");
    print_counts((*report)["written"]);
    print(((*report)["equal"].as_bool() ? green("read back: the same")
                                        : red("read back: not the same")) +
          "\n");
    print_skips(*report);
    if (options.format == "mlruns")
      print(
          dim("next: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri " + options.name) +
          "\n");
    return verdict(*report);
  });
}

}  // namespace maru::app
