#include "blend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace maru::tune {
namespace {

// Every name that the graph makes gets the prefix; the names of its inputs stay.
void prefix_names(transform::Graph& graph, const std::string& prefix) {
  std::set<std::string> inputs;
  for (const transform::Port& port : graph.inputs) inputs.insert(port.name);
  const auto rename = [&](std::string& name) {
    if (!name.empty() && inputs.count(name) == 0) name = prefix + name;
  };
  for (transform::Node& node : graph.nodes) {
    for (std::string& name : node.inputs) rename(name);
    for (std::string& name : node.outputs) rename(name);
    if (!node.name.empty()) node.name = prefix + node.name;
  }
  std::map<std::string, transform::Tensor> initializers;
  for (auto& [name, tensor] : graph.initializers)
    initializers.emplace(prefix + name, std::move(tensor));
  graph.initializers = std::move(initializers);
}

transform::Tensor scalar(double value) {
  transform::Tensor out;
  out.reals = {value};
  return out;
}

}  // namespace

bool needs_threshold(const std::string& metric) {
  static const std::vector<std::string> kDecisions = {"accuracy", "balanced_accuracy", "f1",
                                                      "precision", "recall"};
  return std::find(kDecisions.begin(), kDecisions.end(), metric) != kDecisions.end();
}

model::Predictions mix_of(const model::Predictions& first, const model::Predictions& second,
                          double share) {
  model::Predictions out = first;
  for (std::size_t i = 0; i < out.scores.size(); ++i)
    out.scores[i] = share * first.scores[i] + (1 - share) * second.scores[i];
  return out;
}

base::Result<double> mean_metric(const std::string& metric,
                                 const std::vector<std::vector<double>>& labels,
                                 const std::vector<model::Predictions>& answers) {
  double total = 0, rows = 0;
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const double threshold = answers[k].task == model::Task::kBinary && needs_threshold(metric)
                                 ? evaluate::choose_threshold(labels[k], answers[k])
                                 : 0.5;
    TRY_ASSIGN(const double value,
               evaluate::metric_value(metric, labels[k], answers[k], threshold));
    if (std::isnan(value)) continue;
    if (labels.size() == 1) return value;
    total += value * static_cast<double>(labels[k].size());
    rows += static_cast<double>(labels[k].size());
  }
  return rows > 0 ? total / rows : std::numeric_limits<double>::quiet_NaN();
}

base::Result<BlendWeight> choose_blend(const std::string& metric,
                                       const std::vector<std::vector<double>>& labels,
                                       const std::vector<model::Predictions>& first,
                                       const std::vector<model::Predictions>& second) {
  BlendWeight best;
  bool any = false;
  for (int tenth = 1; tenth < 10; ++tenth) {
    const double share = tenth / 10.0;
    std::vector<model::Predictions> mixes;
    for (std::size_t k = 0; k < first.size(); ++k)
      mixes.push_back(mix_of(first[k], second[k], share));
    TRY_ASSIGN(const double value, mean_metric(metric, labels, mixes));
    const bool better =
        evaluate::larger_is_better(metric) ? value > best.value : value < best.value;
    if (std::isnan(value) || (any && !better)) continue;
    best = {share, value};
    any = true;
  }
  if (!any)
    return base::fail(base::Code::kFailedPrecondition,
                      "no mix of the two models has a value of " + metric);
  return best;
}

base::Result<BlendWeight> choose_blend(const std::string& metric, const std::vector<double>& labels,
                                       const model::Predictions& first,
                                       const model::Predictions& second) {
  return choose_blend(metric, std::vector<std::vector<double>>{labels}, {first}, {second});
}

base::Result<transform::Graph> blend_graphs(const transform::Graph& first,
                                            const transform::Graph& second, double share) {
  transform::Graph out = first, other = second;
  prefix_names(out, "first/");
  prefix_names(other, "second/");
  for (const transform::Port& port : other.inputs) {
    const auto same =
        std::find_if(out.inputs.begin(), out.inputs.end(),
                     [&port](const transform::Port& p) { return p.name == port.name; });
    if (same == out.inputs.end())
      out.inputs.push_back(port);
    else if (same->type != port.type)
      return base::fail(base::Code::kInternal,
                        "two models read one column as different types: " + port.name);
  }
  out.nodes.insert(out.nodes.end(), other.nodes.begin(), other.nodes.end());
  out.initializers.merge(other.initializers);
  out.initializers.emplace("first_share", scalar(share));
  out.initializers.emplace("second_share", scalar(1 - share));
  out.add("Mul", {"first/scores", "first_share"}, {"first_part"});
  out.add("Mul", {"second/scores", "second_share"}, {"second_part"});
  out.add("Add", {"first_part", "second_part"}, {"scores"});
  out.outputs = first.outputs;
  return out;
}

model::Signature blend_signatures(const model::Signature& first, const model::Signature& second) {
  model::Signature out = first;
  for (const model::Input& input : second.inputs)
    if (out.index_of(input.name) < 0) out.inputs.push_back(input);
  out.ignored.clear();
  for (const std::string& name : first.ignored)
    if (out.index_of(name) < 0) out.ignored.push_back(name);
  return out;
}

}  // namespace maru::tune
