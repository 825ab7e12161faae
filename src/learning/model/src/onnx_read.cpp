#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstring>
#include <set>

#include "onnx-ml.pb.h"
#include "onnx_io.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Result;
using transform::Attribute;
using transform::Graph;
using transform::Node;
using transform::Port;
using transform::Tensor;
using transform::TensorType;

constexpr int kMaxRank = 8;

tl::unexpected<base::Error> corrupt(const std::string& what) {
  return fail(Code::kDataLoss, "model.onnx is not valid: " + what);
}

Result<TensorType> tensor_type(std::int32_t type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return TensorType::kFloat;
    case onnx::TensorProto::DOUBLE:
      return TensorType::kDouble;
    case onnx::TensorProto::INT64:
      return TensorType::kInt64;
    case onnx::TensorProto::STRING:
      return TensorType::kString;
    case onnx::TensorProto::BOOL:
      return TensorType::kBool;
    default:
      return fail(Code::kUnimplemented, "this tensor type is not read: " + std::to_string(type));
  }
}

template <class Number, class Out>
bool read_raw(const std::string& raw, std::size_t count, std::vector<Out>& out) {
  if (raw.size() != count * sizeof(Number)) return false;
  out.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    Number value;
    std::memcpy(&value, raw.data() + i * sizeof(Number), sizeof(Number));
    out[i] = static_cast<Out>(value);
  }
  return true;
}

// One past the largest count that the tensor's dimensions allow, or an error.
Result<std::size_t> element_count(const onnx::TensorProto& proto) {
  if (proto.dims_size() > kMaxRank)
    return corrupt("a tensor of rank " + std::to_string(proto.dims_size()));
  std::size_t count = 1;
  for (const std::int64_t d : proto.dims()) {
    if (d < 0 || (d > 0 && count > kMaxElements / static_cast<std::size_t>(d)))
      return corrupt("a tensor's size " + std::to_string(d));
    count *= static_cast<std::size_t>(d);
  }
  return count;
}

Result<Tensor> read_tensor(const onnx::TensorProto& proto) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL || proto.external_data_size() > 0)
    return fail(Code::kRefused,
                "the model keeps data outside its file: " + proto.name().substr(0, 100));
  if (proto.has_segment()) return corrupt("a tensor in segments");
  Tensor out;
  TRY_ASSIGN(out.type, tensor_type(proto.data_type()));
  TRY_ASSIGN(const std::size_t count, element_count(proto));
  out.shape.assign(proto.dims().begin(), proto.dims().end());
  const bool raw = proto.has_raw_data();
  bool fits = false;
  switch (out.type) {
    case TensorType::kDouble:
      if (!raw) out.reals.assign(proto.double_data().begin(), proto.double_data().end());
      fits = raw ? read_raw<double>(proto.raw_data(), count, out.reals) : out.reals.size() == count;
      break;
    case TensorType::kFloat:
      if (!raw) out.reals.assign(proto.float_data().begin(), proto.float_data().end());
      fits = raw ? read_raw<float>(proto.raw_data(), count, out.reals) : out.reals.size() == count;
      break;
    case TensorType::kInt64:
      if (!raw) out.integers.assign(proto.int64_data().begin(), proto.int64_data().end());
      fits = raw ? read_raw<std::int64_t>(proto.raw_data(), count, out.integers)
                 : out.integers.size() == count;
      break;
    case TensorType::kBool:
      if (!raw) out.integers.assign(proto.int32_data().begin(), proto.int32_data().end());
      fits = raw ? read_raw<std::uint8_t>(proto.raw_data(), count, out.integers)
                 : out.integers.size() == count;
      break;
    case TensorType::kString:
      out.strings.assign(proto.string_data().begin(), proto.string_data().end());
      fits = !raw && out.strings.size() == count;
      break;
  }
  if (!fits) return corrupt("a tensor's data do not fit its size: " + proto.name().substr(0, 100));
  return out;
}

Result<Attribute> read_attribute(const onnx::AttributeProto& proto) {
  switch (proto.type()) {
    case onnx::AttributeProto::INT:
      return Attribute(static_cast<std::int64_t>(proto.i()));
    case onnx::AttributeProto::FLOAT:
      return Attribute(static_cast<double>(proto.f()));
    case onnx::AttributeProto::STRING:
      return Attribute(proto.s());
    case onnx::AttributeProto::INTS:
      return Attribute(std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end()));
    case onnx::AttributeProto::FLOATS:
      return Attribute(std::vector<double>(proto.floats().begin(), proto.floats().end()));
    case onnx::AttributeProto::STRINGS:
      return Attribute(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case onnx::AttributeProto::TENSOR: {
      TRY_ASSIGN(Tensor tensor, read_tensor(proto.t()));
      return Attribute(std::move(tensor));
    }
    default:
      return fail(Code::kUnimplemented,
                  "this attribute is not read: " + proto.name().substr(0, 100));
  }
}

Result<Node> read_node(const onnx::NodeProto& proto) {
  Node out;
  out.op = proto.op_type();
  out.domain = proto.domain() == "ai.onnx" ? "" : proto.domain();
  out.name = proto.name();
  out.inputs.assign(proto.input().begin(), proto.input().end());
  out.outputs.assign(proto.output().begin(), proto.output().end());
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    TRY_ASSIGN(Attribute value, read_attribute(attribute));
    if (!out.attributes.emplace(attribute.name(), std::move(value)).second)
      return corrupt("an attribute given twice");
  }
  return out;
}

Result<Port> read_port(const onnx::ValueInfoProto& proto) {
  if (!proto.type().has_tensor_type())
    return fail(Code::kUnimplemented,
                "an input or output is no tensor: " + proto.name().substr(0, 100));
  const auto& tensor = proto.type().tensor_type();
  Port out;
  out.name = proto.name();
  TRY_ASSIGN(out.type, tensor_type(tensor.elem_type()));
  if (tensor.shape().dim_size() > kMaxRank)
    return corrupt("an input of rank " + std::to_string(tensor.shape().dim_size()));
  for (const auto& dim : tensor.shape().dim())
    out.shape.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
  return out;
}

Result<Graph> read_graph(const onnx::GraphProto& proto) {
  if (proto.node_size() > kMaxNodes)
    return fail(Code::kTooLarge,
                "the model has too many nodes: " + std::to_string(proto.node_size()));
  if (proto.sparse_initializer_size() > 0)
    return fail(Code::kUnimplemented, "sparse tensors are not read");
  if (proto.quantization_annotation_size() > 0)
    return fail(Code::kUnimplemented, "quantised tensors are not read");
  Graph out;
  for (const onnx::TensorProto& tensor : proto.initializer()) {
    TRY_ASSIGN(Tensor value, read_tensor(tensor));
    if (tensor.name().empty() || !out.initializers.emplace(tensor.name(), std::move(value)).second)
      return corrupt("a constant without a name of its own: " + tensor.name().substr(0, 100));
  }
  for (const onnx::ValueInfoProto& port : proto.input()) {
    if (out.initializers.count(port.name()) != 0)
      continue;  // IR version 3 lists constants as inputs too
    TRY_ASSIGN(Port value, read_port(port));
    out.inputs.push_back(std::move(value));
  }
  for (const onnx::ValueInfoProto& port : proto.output()) {
    TRY_ASSIGN(Port value, read_port(port));
    out.outputs.push_back(std::move(value));
  }
  for (const onnx::NodeProto& node : proto.node()) {
    TRY_ASSIGN(Node value, read_node(node));
    out.nodes.push_back(std::move(value));
  }
  return out;
}

}  // namespace

namespace {

bool sized(const Tensor& tensor) {
  std::size_t count = 1;
  for (const std::int64_t d : tensor.shape) {
    if (d < 0 || (d > 0 && count > kMaxElements / static_cast<std::size_t>(d))) return false;
    count *= static_cast<std::size_t>(d);
  }
  if (tensor.type == TensorType::kString) return tensor.strings.size() == count;
  const bool real = tensor.type == TensorType::kDouble || tensor.type == TensorType::kFloat;
  return (real ? tensor.reals.size() : tensor.integers.size()) == count;
}

}  // namespace

base::Status check_graph(const Graph& graph) {
  std::set<std::string> known;
  const auto make = [&](const std::string& name) {
    return !name.empty() && known.insert(name).second;
  };
  for (const auto& [name, tensor] : graph.initializers) {
    if (!make(name)) return corrupt("a constant's name is used twice: " + name.substr(0, 100));
    if (!sized(tensor))
      return corrupt("a constant's values do not fit its shape: " + name.substr(0, 100));
  }
  for (const Port& port : graph.inputs)
    if (!make(port.name))
      return corrupt("an input's name is used twice: " + port.name.substr(0, 100));
  for (const Node& node : graph.nodes) {
    for (const std::string& name : node.inputs)
      if (!name.empty() && known.count(name) == 0)
        return corrupt("node " + node.op.substr(0, 100) +
                       " uses a value before it is made: " + name.substr(0, 100));
    for (const std::string& name : node.outputs)
      if (!name.empty() && !make(name))
        return corrupt("a value is made twice: " + name.substr(0, 100));
  }
  if (graph.outputs.empty()) return corrupt("it has no output");
  for (const Port& port : graph.outputs)
    if (known.count(port.name) == 0)
      return corrupt("nothing makes the output " + port.name.substr(0, 100));
  return {};
}

base::Result<Graph> read_onnx(std::string_view bytes, base::Json* metadata) {
  if (bytes.size() > kMaxOnnxBytes)
    return fail(Code::kTooLarge,
                "the model file is too large: " + std::to_string(bytes.size()) + " bytes");
  onnx::ModelProto model;
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetRecursionLimit(20);  // without subgraphs nothing nests deeper
  coded.SetTotalBytesLimit(static_cast<int>(kMaxOnnxBytes));
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
    return corrupt("it cannot be read as ONNX");
  if (model.functions_size() > 0)
    return fail(Code::kUnimplemented, "models with functions are not read");
  if (!model.has_graph()) return corrupt("it has no graph");
  TRY_ASSIGN(Graph out, read_graph(model.graph()));
  TRY(check_graph(out));
  if (metadata != nullptr) {
    *metadata = base::Json::object();
    for (const auto& entry : model.metadata_props()) metadata->set(entry.key(), entry.value());
  }
  return out;
}

}  // namespace maru::model
