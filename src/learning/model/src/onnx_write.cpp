#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <algorithm>

#include <type_traits>

#include "maru/model/model.h"
#include "onnx-ml.pb.h"
#include "onnx_io.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using transform::Attribute;
using transform::Graph;
using transform::Node;
using transform::Port;
using transform::Tensor;
using transform::TensorType;

constexpr std::int64_t kOpset = 17, kMlOpset = 3, kIrVersion = 8;
constexpr std::int64_t kTextOpset = 20, kTextIrVersion = 9;  // with StringSplit

onnx::TensorProto::DataType data_type(TensorType type) {
  switch (type) {
    case TensorType::kFloat:
      return onnx::TensorProto::FLOAT;
    case TensorType::kDouble:
      return onnx::TensorProto::DOUBLE;
    case TensorType::kInt64:
      return onnx::TensorProto::INT64;
    case TensorType::kString:
      return onnx::TensorProto::STRING;
    case TensorType::kBool:
      return onnx::TensorProto::BOOL;
  }
  return onnx::TensorProto::UNDEFINED;
}

void write_tensor(const Tensor& tensor, const std::string& name, onnx::TensorProto& out) {
  out.set_data_type(data_type(tensor.type));
  for (const std::int64_t d : tensor.shape) out.add_dims(d);
  if (!name.empty()) out.set_name(name);
  switch (tensor.type) {
    case TensorType::kDouble:
      for (const double v : tensor.reals) out.add_double_data(v);
      break;
    case TensorType::kFloat:
      for (const double v : tensor.reals) out.add_float_data(static_cast<float>(v));
      break;
    case TensorType::kInt64:
      for (const std::int64_t v : tensor.integers) out.add_int64_data(v);
      break;
    case TensorType::kBool:
      for (const std::int64_t v : tensor.integers) out.add_int32_data(v != 0 ? 1 : 0);
      break;
    case TensorType::kString:
      for (const std::string& v : tensor.strings) out.add_string_data(v);
      break;
  }
}

void write_attribute(const std::string& name, const Attribute& attribute,
                     onnx::AttributeProto& out) {
  out.set_name(name);
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::int64_t>) {
          out.set_type(onnx::AttributeProto::INT);
          out.set_i(value);
        } else if constexpr (std::is_same_v<T, double>) {
          out.set_type(onnx::AttributeProto::FLOAT);
          out.set_f(static_cast<float>(value));
        } else if constexpr (std::is_same_v<T, std::string>) {
          out.set_type(onnx::AttributeProto::STRING);
          out.set_s(value);
        } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          out.set_type(onnx::AttributeProto::INTS);
          for (const std::int64_t v : value) out.add_ints(v);
        } else if constexpr (std::is_same_v<T, std::vector<double>>) {
          out.set_type(onnx::AttributeProto::FLOATS);
          for (const double v : value) out.add_floats(static_cast<float>(v));
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          out.set_type(onnx::AttributeProto::STRINGS);
          for (const std::string& v : value) out.add_strings(v);
        } else {
          out.set_type(onnx::AttributeProto::TENSOR);
          write_tensor(value, name, *out.mutable_t());
        }
      },
      attribute);
}

void write_port(const Port& port, onnx::ValueInfoProto& out) {
  out.set_name(port.name);
  auto* type = out.mutable_type()->mutable_tensor_type();
  type->set_elem_type(data_type(port.type));
  for (const std::int64_t d : port.shape) {
    auto* dim = type->mutable_shape()->add_dim();
    if (d < 0)
      dim->set_dim_param("N");
    else
      dim->set_dim_value(d);
  }
}

}  // namespace

base::Result<std::string> write_onnx(const transform::Graph& graph, const base::Json& metadata) {
  TRY(check_graph(graph));
  const bool text = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                [](const Node& node) { return node.op == "StringSplit"; });
  onnx::ModelProto model;
  model.set_ir_version(text ? kTextIrVersion : kIrVersion);
  model.set_producer_name("maru");
  model.set_domain("maru");
  auto* opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(text ? kTextOpset : kOpset);
  auto* ml = model.add_opset_import();
  ml->set_domain("ai.onnx.ml");
  ml->set_version(kMlOpset);
  for (const auto& [key, value] : metadata.members()) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value.is_string() ? value.as_string() : value.dump());
  }
  auto* out = model.mutable_graph();
  out->set_name("maru");
  for (const Port& port : graph.inputs) write_port(port, *out->add_input());
  for (const Port& port : graph.outputs) write_port(port, *out->add_output());
  for (const auto& [name, tensor] : graph.initializers)
    write_tensor(tensor, name, *out->add_initializer());
  for (const Node& node : graph.nodes) {
    auto* proto = out->add_node();
    proto->set_op_type(node.op);
    proto->set_domain(node.domain);
    proto->set_name(node.name);
    for (const std::string& name : node.inputs) proto->add_input(name);
    for (const std::string& name : node.outputs) proto->add_output(name);
    for (const auto& [name, attribute] : node.attributes)
      write_attribute(name, attribute, *proto->add_attribute());
  }
  if (model.ByteSizeLong() > kMaxOnnxBytes)
    return fail(
        Code::kTooLarge,
        "the model does not fit an ONNX file: " + std::to_string(model.ByteSizeLong()) + " bytes",
        "train a smaller model");
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    if (!model.SerializeToCodedStream(&coded))
      return fail(Code::kInternal, "the ONNX message could not be written");
  }
  return bytes;
}

}  // namespace maru::model
