#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace maru::transform {

enum class TensorType : std::uint8_t { kFloat, kDouble, kInt64, kString, kBool };

// A constant or an initializer.
struct Tensor {
  TensorType type = TensorType::kDouble;
  std::vector<std::int64_t> shape;
  std::vector<double> reals;           // kDouble, kFloat
  std::vector<std::int64_t> integers;  // kInt64, kBool
  std::vector<std::string> strings;
};

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>, Tensor>;

struct Node {
  std::string op;      // "LabelEncoder"
  std::string domain;  // "" or "ai.onnx.ml"
  std::vector<std::string> inputs, outputs;
  std::map<std::string, Attribute> attributes;
  std::string name;
};

struct Port {
  std::string name;
  TensorType type = TensorType::kDouble;
  std::vector<std::int64_t> shape;  // -1: batch
};

// A neutral picture of an ONNX graph (opset 17, ai.onnx.ml 3) that transform and train write into and model serialises. Nodes are in topological order.
struct Graph {
  std::vector<Port> inputs, outputs;
  std::map<std::string, Tensor> initializers;
  std::vector<Node> nodes;
  std::vector<std::string>
      output_columns;  // names of the first output's columns, where they have names; not part of the ONNX file

  // A name not used before, from a readable stem.
  std::string fresh(const std::string& stem);
  Node& add(std::string op, std::vector<std::string> inputs_, std::vector<std::string> outputs_,
            std::string domain = {});
  std::string constant(const std::string& stem,
                       Tensor tensor);  // adds an initializer, returns its name

 private:
  std::uint64_t next_ = 0;
};

}  // namespace maru::transform
