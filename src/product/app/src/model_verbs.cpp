#include <algorithm>
#include <cmath>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "output.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

std::string model_path(const std::string& name, const std::string& rest = {}) {
  return "/api/v1/models/" + http::percent_encode(name) + rest;
}

std::string alias_list(const Json& aliases) {
  std::vector<std::string> names;
  for (const auto& alias : aliases.items()) names.push_back(alias.as_string());
  return base::join(names, ", ");
}

std::string gate_text(const Json& gates) {
  std::size_t ok = 0;
  for (const auto& gate : gates.items()) ok += gate["ok"].as_bool() ? 1 : 0;
  return std::to_string(ok) + "/" + std::to_string(gates.size());
}

void print_alias_move(const Json& result) {
  const std::int64_t from = result["from"].as_int();
  print(bold(result["model"].as_string()) + ": " + result["alias"].as_string() + " " +
        (from == 0 ? std::string("(none)") : "v" + std::to_string(from)) + " → v" +
        std::to_string(result["to"].as_int()) + "\n");
  print(dim("undo: maru model rollback " + result["model"].as_string()) + "\n");
}

const Json& champion_or_newest(const Json& model) {
  const std::int64_t champion = model["aliases"]["champion"].as_int();
  for (const auto& version : model["versions"].items()) {
    if (version["version"].as_int() == champion) return version;
  }
  return model["versions"].at(0);
}

// A model from elsewhere has no metric of ours.
std::string quality_text(const std::string& metric, const std::string& value) {
  return metric.empty() ? "–" : metric + " " + value;
}

void print_tensors(const char* title, const Json& specs) {
  print(std::string(title) + "\n");
  for (const auto& spec : specs.items())
    print("- " + spec["name"].as_string() + "  " + spec["datatype"].as_string() + " " +
          spec["shape"].dump() + "\n");
}

}  // namespace

int model_list(const Invocation& invocation) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result, session.call(Method::kGet, "/api/v1/models"));
    if (invocation.json) {
      print(result.dump() + "\n");
      return 0;
    }
    if (result["models"].size() == 0) {
      print("No models yet.\n" + dim("next: maru init FILE --label COLUMN, then maru run") + "\n");
      return 0;
    }
    TextTable table;
    for (const char* title : {"model", "task", "champion", "newest", "quality", "updated"})
      table.column(title);
    for (const auto& row : result["models"].items()) {
      const Json& latest = row["latest"];
      const std::int64_t champion = row["aliases"]["champion"].as_int();
      table.row(
          {row["name"].as_string(), row["task"].as_string(),
           champion == 0 ? "–" : "v" + std::to_string(champion),
           "v" + std::to_string(latest["version"].as_int()),
           quality_text(latest["metric"].as_string(), number_text(latest["value"].as_double(NAN))),
           age_text(row["updated_us"].as_int())});
    }
    print(table.text());
    return 0;
  });
}

int model_show(const Invocation& invocation, const std::string& name) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(Json result, session.call(Method::kGet, model_path(name)));
    if (invocation.json) {
      result.set("model", name);
      print(result.dump() + "\n");
      return 0;
    }
    print(bold(name) + "  " + result["task"].as_string() + "\n");
    TextTable table;
    for (const char* title :
         {"version", "aliases", "quality [95 %]", "gates", "traffic", "created"})
      table.column(title);
    for (const auto& version : result["versions"].items()) {
      const std::string metric = version["metric"].as_string();
      table.row({"v" + std::to_string(version["version"].as_int()), alias_list(version["aliases"]),
                 quality_text(metric, interval_text(version["metrics"][metric])),
                 gate_text(version["gates"]),
                 number_text(version["traffic"].as_double() * 100, 0) + " %",
                 age_text(version["created_us"].as_int())});
    }
    print(table.text());
    return 0;
  });
}

int model_card(const Invocation& invocation, const std::string& text) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const auto [name, selector] = split_model(text);
    TRY_ASSIGN(const Json result, session.call(Method::kGet, model_path(name)));
    const Json& version = champion_or_newest(result);
    const Json& card = version["card"];
    if (invocation.json) {
      print(card.dump() + "\n");
      return 0;
    }
    print("# " + name + " v" + std::to_string(version["version"].as_int()) + "\n\n");
    if (card.has("tensors")) {
      print("A model from elsewhere: " + version["description"].as_string() + ".\n\n");
      print_tensors("Takes", card["tensors"]["inputs"]);
      print_tensors("Gives", card["tensors"]["outputs"]);
      return 0;
    }
    print("Predicts `" + card["label"].as_string() + "` (" + card["task"].as_string() + ") with " +
          card["config"].as_string() + ".\n");
    print("Learnt from " + base::format_count(card["rows"]["train"].as_int()) + " rows of " +
          card["dataset"].as_string() + "; tested on " +
          base::format_count(card["rows"]["test"].as_int()) + ".\n\n");
    for (const auto& [metric, value] : card["report"]["metrics"].members())
      print("- " + metric + ": " + interval_text(value) + "\n");
    print("\nMost important: ");
    std::vector<std::string> parts;
    for (const auto& pair : card["importance"].items()) {
      if (parts.size() < 8)
        parts.push_back(pair.at(0).as_string() + " " +
                        number_text(pair.at(1).as_double() * 100, 1) + " %");
    }
    print(base::join(parts, ", ") + "\n");
    return 0;
  });
}

int model_promote(const Invocation& invocation, const std::string& text, const std::string& alias,
                  const std::string& reason) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const auto [name, selector] = split_model(text);
    if (selector.empty())
      return base::fail(base::Code::kInvalidArgument, "which version is not said: " + text,
                        "maru model promote " + name + "/VERSION");
    TRY_ASSIGN(
        const Json result,
        session.call(Method::kPut, model_path(name, "/aliases/" + http::percent_encode(alias)),
                     Json::object({{"version", selector}, {"reason", reason}})));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      print_alias_move(result);
    return 0;
  });
}

int model_rollback(const Invocation& invocation, const std::string& name,
                   const std::string& alias) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, model_path(name, "/rollback"),
                            Json::object({{"alias", alias}, {"reason", "maru model rollback"}})));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      print_alias_move(result);
    return 0;
  });
}

int model_import(const Invocation& invocation, const std::string& path, const std::string& name,
                 const std::string& alias) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    TRY_ASSIGN(const std::string folder, absolute_path(path));
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, "/api/v1/model-imports",
                            Json::object({{"path", folder}, {"name", name}, {"alias", alias}})));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      print("imported " + bold(name + " v" + std::to_string(result["version"].as_int())) + "\n" +
            dim((alias.empty() ? "next: maru model promote " : "serves as @" + alias + ": ") +
                name + "/" + std::to_string(result["version"].as_int())) +
            "\n");
    return 0;
  });
}

int model_export(const Invocation& invocation, const std::string& text, const std::string& folder) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const auto [name, selector] = split_model(text);
    TRY_ASSIGN(const std::string path, absolute_path(folder));
    TRY_ASSIGN(const Json result,
               session.call(Method::kPost, model_path(name, "/export"),
                            Json::object({{"folder", path}, {"selector", selector}})));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      print("wrote " + bold(folder) + " (an MLflow model folder)\n");
    return 0;
  });
}

int predict(const Invocation& invocation, const PredictOptions& options) {
  return with_session(invocation, [&](Session& session) -> Result<int> {
    const auto [name, selector] = split_model(options.model);
    TRY_ASSIGN(const std::string file, absolute_path(options.file));
    Json body = Json::object(
        {{"model", name}, {"selector", selector}, {"sources", Json::array({Json(file)})}});
    if (options.explain) body.set("explain", true);
    if (!options.output.empty()) {
      TRY_ASSIGN(const std::string output, absolute_path(options.output));
      body.set("output", output);
    }
    ProgressLine progress;
    progress.show("predicting " + options.file, -1);
    auto result = session.call(Method::kPost, "/api/v1/predictions", body);
    progress.clear();
    if (!result) return tl::unexpected<base::Error>(result.error());
    if (invocation.json) {
      print(result->dump() + "\n");
    } else if (options.output.empty()) {
      const Json& explanations = (*result)["explanations"];
      for (std::size_t row = 0; row < (*result)["predictions"].size(); ++row) {
        const Json& prediction = (*result)["predictions"].at(row);
        print((row < explanations.size() ? Json::object({{"prediction", prediction},
                                                         {"explanation", explanations.at(row)}})
                                         : prediction)
                  .dump() +
              "\n");
      }
    } else {
      print(base::format_count((*result)["rows"].as_int()) + " rows by " + name + " v" +
            std::to_string((*result)["version"].as_int()) + " in " +
            base::format_seconds((*result)["seconds"].as_double()) + " → " + options.output + "\n");
    }
    return 0;
  });
}

}  // namespace maru::app
