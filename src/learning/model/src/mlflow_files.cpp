#include "mlflow_files.h"

#include "maru/base/text.h"
#include "maru/transform/features.h"

namespace maru::model {
namespace {

using base::Json;
using Files = std::vector<std::pair<std::string, std::string>>;

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

// numpy's name of an element type.
std::string dtype(Datatype type) {
  switch (type) {
    case Datatype::kBytes:
      return "str";
    case Datatype::kFp16:
      return "float16";
    case Datatype::kFp32:
      return "float32";
    case Datatype::kFp64:
      return "float64";
    default:
      return base::to_lower_ascii(datatype_name(type));
  }
}

Json tensor_specs(const std::vector<TensorSpec>& specs) {
  Json out = Json::array();
  for (const TensorSpec& spec : specs) {
    Json shape = Json::array();
    for (const std::int64_t extent : spec.shape) shape.push(extent);
    out.push(Json::object({{"name", spec.name},
                           {"type", "tensor"},
                           {"tensor-spec", Json::object({{"dtype", dtype(spec.type)},
                                                         {"shape", std::move(shape)}})}}));
  }
  return out;
}

constexpr const char* kRequirements =
    "mlflow>=2.9\nnumpy\nonnx>=1.15\nonnxruntime>=1.17,<1.29\npandas\n";
constexpr const char* kPython = "3.11.7";

// MLmodel, conda.yaml, python_env.yaml and requirements.txt of a model.onnx.
Files files_of(const Json& inputs, const Json& outputs, const std::string& model_sha256,
               std::size_t model_bytes) {
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

}  // namespace

Files mlflow_files(const Signature& signature, std::size_t width, const std::string& model_sha256,
                   std::size_t model_bytes) {
  Json inputs = Json::array(), outputs = Json::array();
  for (const Input& input : signature.inputs)
    inputs.push(tensor_spec(transform::graph_input_name(input.name), dtype(input.kind), 1));
  outputs.push(tensor_spec("scores", "float64", static_cast<std::int64_t>(width)));
  return files_of(inputs, outputs, model_sha256, model_bytes);
}

Files mlflow_files(const TensorModel& model, const std::string& model_sha256,
                   std::size_t model_bytes) {
  return files_of(tensor_specs(model.inputs()), tensor_specs(model.outputs()), model_sha256,
                  model_bytes);
}

}  // namespace maru::model
