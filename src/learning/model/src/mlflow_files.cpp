#include "mlflow_files.h"

#include "maru/transform/features.h"

namespace maru::model {
namespace {

using base::Json;

Json tensor_spec(const std::string& name, const char* dtype, std::int64_t width) {
  Json shape = Json::array();
  shape.push(-1);
  shape.push(width);
  return Json::object(
      {{"name", name},
       {"type", "tensor"},
       {"tensor-spec", Json::object({{"dtype", dtype}, {"shape", std::move(shape)}})}});
}

const char* dtype(InputKind kind) {
  if (kind == InputKind::kText) return "str";
  return kind == InputKind::kTimestamp ? "int64" : "float64";
}

// A YAML single-quoted scalar.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

constexpr const char* kRequirements =
    "mlflow>=2.9\nnumpy\nonnx>=1.15\nonnxruntime>=1.17,<1.29\npandas\n";
constexpr const char* kPython = "3.11.7";

}  // namespace

std::vector<std::pair<std::string, std::string>> mlflow_files(const Signature& signature,
                                                              std::size_t width,
                                                              const std::string& model_sha256,
                                                              std::size_t model_bytes) {
  Json inputs = Json::array(), outputs = Json::array();
  for (const Input& input : signature.inputs)
    inputs.push(tensor_spec(transform::graph_input_name(input.name), dtype(input.kind), 1));
  outputs.push(tensor_spec("scores", "float64", static_cast<std::int64_t>(width)));
  std::string model;
  model += "flavors:\n";
  model +=
      "  onnx:\n    code: null\n    data: model.onnx\n    onnx_session_options:\n      "
      "execution_mode: sequential\n";
  model +=
      "      inter_op_num_threads: 1\n      intra_op_num_threads: 1\n    onnx_version: 1.16.0\n    "
      "providers:\n    - CPUExecutionProvider\n";
  model +=
      "  python_function:\n    data: model.onnx\n    env:\n      conda: conda.yaml\n      "
      "virtualenv: python_env.yaml\n";
  model += std::string("    loader_module: mlflow.onnx\n    python_version: ") + kPython + "\n";
  model += "mlflow_version: 2.9.2\n";
  model += "model_size_bytes: " + std::to_string(model_bytes) + "\n";
  model += "model_uuid: " + model_sha256.substr(0, 32) + "\n";
  model += "signature:\n  inputs: " + quoted(inputs.dump()) +
           "\n  outputs: " + quoted(outputs.dump()) + "\n  params: null\n";
  std::string conda = "channels:\n- conda-forge\ndependencies:\n- python=" + std::string(kPython) +
                      "\n- pip\n- pip:\n";
  std::string line;
  for (const char c : std::string(kRequirements)) {
    if (c != '\n') {
      line += c;
      continue;
    }
    conda += "  - " + quoted(line) + "\n";
    line.clear();
  }
  conda += "name: mlflow-env\n";
  return {{"MLmodel", model},
          {"conda.yaml", conda},
          {"python_env.yaml", std::string("python: ") + kPython +
                                  "\nbuild_dependencies:\n- pip\n- setuptools\n- "
                                  "wheel\ndependencies:\n- -r requirements.txt\n"},
          {"requirements.txt", kRequirements}};
}

}  // namespace maru::model
