#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "routes.h"

// What came from what: data, runs, models, versions, endpoints, in both directions.
namespace maru::api {
namespace {

using base::Result;
using base::Status;

constexpr std::size_t kMaxNodes = 500;
constexpr std::uint64_t kMaxDepth = 20, kDepth = 6;
constexpr std::size_t kMaxRunsOfNode = 100;
constexpr std::size_t kMaxFilesOfNode = 50;
constexpr std::string_view kPipelinePrefix = "pipeline:";
constexpr const char* kCommitTag = "mlflow.source.git.commit";
// What MLflow writes beside a model; who has the same bytes ran with the same packages.
constexpr const char* kEnvironmentFile = "requirements.txt";

struct Edge {
  std::string from, to, what;
};

// "kind:rest"; the kinds are snapshot, dataset, pipeline, run, model (a logged one), version ("version:flights/3"), endpoint, commit (of
// the source), environment (the SHA-256 of a requirements.txt) and artifact ("artifact:RUN/PATH").
std::pair<std::string, std::string> parts_of(const std::string& node) {
  const std::size_t colon = node.find(':');
  if (colon == std::string::npos) return {};
  return {node.substr(0, colon), node.substr(colon + 1)};
}

std::string version_node(const std::string& model, int version) {
  return "version:" + model + "/" + std::to_string(version);
}

std::string owner_node(const std::string& owner) {
  return (owner.starts_with("m-") ? "model:" : "run:") + owner;
}

std::string dataset_node(const std::string& experiment, const tracking::Dataset& dataset) {
  return "dataset:" + experiment + "/" + dataset.name + "@" + dataset.digest;
}

// Literal text inside a filter has no escape: what holds both quotes cannot be asked for, and is nobody's id.
std::string literal(const std::string& text) {
  return text.find('\'') == std::string::npos ? "'" + text + "'" : "\"" + text + "\"";
}

// The edges that touch one node, found through the rooms that know it.
class Neighbours {
 public:
  Neighbours(const Services& services, std::string project, std::string start)
      : s_(services), project_(std::move(project)), start_(std::move(start)) {}

  Status load() {
    TRY_ASSIGN(models_, s_.tracking->registry().list_models(project_));
    return {};
  }

  Result<std::vector<Edge>> of(const std::string& node) {
    const auto [kind, rest] = parts_of(node);
    edges_.clear();
    if (kind == "run") TRY(run(node, rest));
    if (kind == "version") TRY(version(node, rest));
    if (kind == "model") TRY(model(node, rest));
    if (kind == "snapshot") TRY(snapshot(node, rest));
    if (kind == "dataset") TRY(dataset(node, rest));
    if (kind == "pipeline") TRY(pipeline(node, rest));
    if (kind == "endpoint") endpoint(rest);
    if (kind == "commit") TRY(commit(node, rest));
    if (kind == "environment") TRY(environment(node, rest));
    if (kind == "artifact") TRY(artifact(node, rest));
    return edges_;
  }

 private:
  void add(const std::string& from, const std::string& to, const char* what) {
    edges_.push_back({from, to, what});
  }

  Status found_runs(const std::string& filter, const std::vector<std::string>& experiments,
                    std::vector<tracking::Run>& out) {
    tracking::RunQuery query;
    query.filter = filter;
    query.experiment_ids = experiments;
    query.limit = kMaxRunsOfNode;
    query.values = false;
    TRY_ASSIGN(auto page, s_.tracking->runs().search_runs(project_, query));
    out = std::move(page.runs);
    return {};
  }

  Status run(const std::string& node, const std::string& id) {
    TRY_ASSIGN(const auto run, s_.tracking->runs().get_run(id));
    const auto tag = [&](const char* key) {
      const auto found = run.tags.find(key);
      return found == run.tags.end() ? std::string() : found->second;
    };
    if (const auto snapshot = tag("snapshot"); !snapshot.empty())
      add("snapshot:" + snapshot, node, "trained on");
    if (const auto parent = tag("mlflow.parentRunId"); !parent.empty())
      add("run:" + parent, node, "parent of");
    if (const auto commit = tag(kCommitTag); !commit.empty())
      add("commit:" + commit, node, "source of");
    if (run.source.starts_with(kPipelinePrefix)) add(run.source, node, "ran");
    TRY(files(node, id));
    for (const auto& input : run.datasets)
      add(dataset_node(run.experiment_id, input.dataset), node, "read by");
    for (const auto& model : run.input_models) add("model:" + model, node, "read by");
    for (const auto& model : run.output_models) add(node, "model:" + model.model_id, "produced");
    for (const auto& known : models_)
      for (const auto& version : known.versions)
        if (version.run_id == id)
          add(node, version_node(version.model, version.version), "registered as");
    std::vector<tracking::Run> children;
    TRY(found_runs("tags.`mlflow.parentRunId` = " + literal(id), {run.experiment_id}, children));
    for (const auto& child : children) add(node, "run:" + child.id, "parent of");
    return {};
  }

  // What a run or a logged model has: its environment; and, when the run is what was asked for, what lies at the top of its files.
  Status files(const std::string& node, const std::string& owner) {
    TRY_ASSIGN(const auto artifacts, s_.tracking->artifacts().list_artifacts(owner));
    std::set<std::string> environments, top;
    for (const auto& one : artifacts) {
      top.insert(one.path.substr(0, one.path.find('/')));
      const std::size_t slash = one.path.rfind('/');
      if (one.path.substr(slash == std::string::npos ? 0 : slash + 1) == kEnvironmentFile &&
          one.bytes > 0)
        environments.insert(one.sha256);
    }
    for (const auto& sha256 : environments) add("environment:" + sha256, node, "environment of");
    if (node != start_ || !node.starts_with("run:")) return {};
    std::size_t told = 0;
    for (const auto& name : top)
      if (told++ < kMaxFilesOfNode) add(node, "artifact:" + owner + "/" + name, "logged");
    return {};
  }

  Status commit(const std::string& node, const std::string& sha) {
    std::vector<tracking::Run> runs;
    TRY(found_runs("tags.`" + std::string(kCommitTag) + "` = " + literal(sha), {}, runs));
    if (runs.empty() && node == start_)
      return base::fail(base::Code::kNotFound, "no run was made from this commit: " + sha);
    for (const auto& run : runs) add(node, "run:" + run.id, "source of");
    return {};
  }

  Status environment(const std::string& node, const std::string& sha256) {
    TRY_ASSIGN(const auto owners,
               s_.tracking->artifacts().owners_of(sha256, kEnvironmentFile, kMaxRunsOfNode));
    if (owners.empty() && node == start_)
      return base::fail(base::Code::kNotFound, "nothing has this environment: " + sha256,
                        "the SHA-256 of a requirements.txt");
    for (const auto& owner : owners) add(node, owner_node(owner), "environment of");
    return {};
  }

  Status artifact(const std::string& node, const std::string& rest) {
    const std::size_t slash = rest.find('/');
    const std::string owner = rest.substr(0, slash);
    TRY_ASSIGN(const auto entries, s_.tracking->artifacts().list(owner, ""));
    const bool known = slash != std::string::npos &&
                       std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
                         return entry.name == rest.substr(slash + 1);
                       });
    if (!known)
      return base::fail(base::Code::kNotFound, "no run has this file or folder: " + rest,
                        "artifact:RUN/NAME, at the top of the run's files");
    add(owner_node(owner), node, "logged");
    return {};
  }

  Status version(const std::string& node, const std::string& rest) {
    const std::size_t slash = rest.rfind('/');
    const std::string name = rest.substr(0, slash);
    TRY_ASSIGN(const int number,
               s_.tracking->registry().resolve(
                   project_, name, slash == std::string::npos ? "" : rest.substr(slash + 1)));
    for (const auto& known : models_) {
      for (const auto& version : known.versions) {
        if (version.model != name || version.version != number) continue;
        if (!version.run_id.empty()) add("run:" + version.run_id, node, "registered as");
        if (!version.model_id.empty()) add("model:" + version.model_id, node, "registered as");
        if (!version.snapshot.empty()) add("snapshot:" + version.snapshot, node, "trained on");
      }
    }
    for (const auto& status : s_.server->list()) {
      if (status.config.model != name) continue;
      for (const auto& arm : status.arms)
        if (arm.version == number) add(node, "endpoint:" + status.config.name, "answers");
    }
    return {};
  }

  Status model(const std::string& node, const std::string& id) {
    TRY_ASSIGN(const auto model, s_.tracking->logged_models().get(id));
    if (!model.source_run_id.empty()) add("run:" + model.source_run_id, node, "produced");
    TRY(files(node, id));
    for (const auto& known : models_)
      for (const auto& version : known.versions)
        if (version.model_id == id)
          add(node, version_node(version.model, version.version), "registered as");
    return {};
  }

  Status snapshot(const std::string& node, const std::string& id) {
    TRY_ASSIGN(const auto snapshot, s_.datasets->snapshot(id));
    if (!snapshot.run_id.empty()) add("pipeline:" + snapshot.run_id, node, "ran");
    for (const auto& known : models_)
      for (const auto& version : known.versions)
        if (version.snapshot == id)
          add(node, version_node(version.model, version.version), "trained on");
    std::vector<tracking::Run> runs;
    TRY(found_runs("tags.snapshot = " + literal(id), {}, runs));
    for (const auto& run : runs) add(node, "run:" + run.id, "trained on");
    return {};
  }

  Status dataset(const std::string& node, const std::string& rest) {
    const std::size_t slash = rest.find('/'), at = rest.rfind('@');
    if (slash == std::string::npos || at == std::string::npos || at < slash)
      return base::fail(base::Code::kInvalidArgument, "not a dataset of runs: " + rest,
                        "dataset:EXPERIMENT/NAME@DIGEST");
    const std::string name = rest.substr(slash + 1, at - slash - 1), digest = rest.substr(at + 1);
    std::vector<tracking::Run> runs;
    TRY(found_runs("datasets.name = " + literal(name) + " AND datasets.digest = " + literal(digest),
                   {rest.substr(0, slash)}, runs));
    for (const auto& run : runs) add(node, "run:" + run.id, "read by");
    return {};
  }

  Status pipeline(const std::string& node, const std::string& id) {
    TRY_ASSIGN(const auto run, s_.scheduler->get(id));
    for (const auto& task : run.tasks) {
      if (const auto& trained = task.outputs["run"].as_string(); !trained.empty())
        add(node, "run:" + trained, "ran");
      if (const auto& made = task.outputs["snapshot"].as_string(); !made.empty())
        add(node, "snapshot:" + made, "ran");
    }
    return {};
  }

  void endpoint(const std::string& name) {
    for (const auto& status : s_.server->list()) {
      if (status.config.name != name) continue;
      for (const auto& arm : status.arms)
        if (arm.version > 0)
          add(version_node(status.config.model, arm.version), "endpoint:" + name, "answers");
    }
  }

  const Services& s_;
  std::string project_, start_;
  std::vector<tracking::Model> models_;
  std::vector<Edge> edges_;
};

struct Graph {
  std::map<std::string, std::int64_t> depth;  // of each node from the asked one; negative: upstream
  std::vector<Edge> edges;
  bool cut = false;  // there was more than kMaxNodes
};

// Walks against the edges (`up`) or along them, to the given depth. What a node names and is gone is kept as a node without edges.
Status walk(Neighbours& neighbours, const std::string& start, bool up, std::uint64_t depth,
            Graph& graph) {
  std::deque<std::pair<std::string, std::uint64_t>> waiting = {{start, 0}};
  std::set<std::string> seen = {start};
  while (!waiting.empty()) {
    const auto [node, at] = waiting.front();
    waiting.pop_front();
    if (at == depth) continue;
    auto edges = neighbours.of(node);
    if (!edges) {
      if (node == start) return tl::unexpected<base::Error>(edges.error());
      continue;
    }
    for (auto& edge : *edges) {
      if ((up ? edge.to : edge.from) != node) continue;
      const std::string next = up ? edge.from : edge.to;
      graph.edges.push_back(std::move(edge));
      if (!seen.insert(next).second) continue;
      if (graph.depth.size() >= kMaxNodes) {
        graph.cut = true;
        return {};
      }
      const auto distance = static_cast<std::int64_t>(at) + 1;
      graph.depth.emplace(next, up ? -distance : distance);
      waiting.emplace_back(next, at + 1);
    }
  }
  return {};
}

Json graph_json(const std::string& start, Graph& graph) {
  Json nodes = Json::array(), edges = Json::array();
  for (const auto& [node, depth] : graph.depth) {
    const auto [kind, rest] = parts_of(node);
    nodes.push(Json::object({{"id", node}, {"kind", kind}, {"name", rest}, {"depth", depth}}));
  }
  std::set<std::string> said;
  for (const auto& edge : graph.edges) {
    if (!graph.depth.contains(edge.from) || !graph.depth.contains(edge.to)) continue;
    if (!said.insert(edge.from + "\n" + edge.to).second) continue;
    edges.push(Json::object({{"from", edge.from}, {"to", edge.to}, {"what", edge.what}}));
  }
  return Json::object({{"of", start}, {"nodes", nodes}, {"edges", edges}, {"cut", graph.cut}});
}

Result<Response> lineage(const Services& s, const Request& request) {
  const std::string start(request.query_param("of"));
  static const std::set<std::string> kKinds = {"snapshot",    "dataset", "pipeline", "run",
                                               "model",       "version", "endpoint", "commit",
                                               "environment", "artifact"};
  if (!kKinds.contains(parts_of(start).first) || parts_of(start).second.empty())
    return base::fail(base::Code::kInvalidArgument, "not the name of a thing: " + start,
                      "of=run:ID, version:MODEL/N, model:ID, snapshot:ID, "
                      "dataset:EXPERIMENT/NAME@DIGEST, pipeline:ID, endpoint:NAME, commit:SHA, "
                      "environment:SHA256 or artifact:RUN/NAME");
  TRY_ASSIGN(const std::uint64_t depth, number_param(request, "depth", kDepth, kMaxDepth));
  Neighbours neighbours(s, project_of(request), start);
  TRY(neighbours.load());
  Graph graph;
  graph.depth.emplace(start, 0);
  TRY(walk(neighbours, start, true, depth, graph));
  TRY(walk(neighbours, start, false, depth, graph));
  return answer(graph_json(start, graph));
}

}  // namespace

void add_lineage_routes(Router& router, const Services& s) {
  router.add(Method::kGet, "/api/v1/lineage", {Permission::kRead},
             [s](const Request& request, Context&) { return lineage(s, request); });
}

}  // namespace maru::api
