#include "maru/transform/graph.h"

#include <algorithm>

namespace maru::transform {
namespace {

bool taken(const Graph& graph, const std::string& name) {
  const auto has_port = [&](const std::vector<Port>& ports) {
    return std::any_of(ports.begin(), ports.end(), [&](const Port& p) { return p.name == name; });
  };
  if (graph.initializers.count(name) != 0 || has_port(graph.inputs) || has_port(graph.outputs))
    return true;
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return std::find(node.outputs.begin(), node.outputs.end(), name) != node.outputs.end();
  });
}

}  // namespace

std::string Graph::fresh(const std::string& stem) {
  for (;;) {
    std::string name = stem + "_" + std::to_string(next_++);
    if (!taken(*this, name)) return name;
  }
}

Node& Graph::add(std::string op, std::vector<std::string> inputs_,
                 std::vector<std::string> outputs_, std::string domain) {
  Node node;
  node.name = op + "_" + std::to_string(nodes.size());
  node.op = std::move(op);
  node.domain = std::move(domain);
  node.inputs = std::move(inputs_);
  node.outputs = std::move(outputs_);
  nodes.push_back(std::move(node));
  return nodes.back();
}

std::string Graph::constant(const std::string& stem, Tensor tensor) {
  std::string name = fresh(stem);
  initializers.emplace(name, std::move(tensor));
  return name;
}

}  // namespace maru::transform
