#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>

#include "onnx-ml.pb.h"
#include "onnx_io.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr int kMaxGraphDepth = 16;

Status check_tensor(const onnx::TensorProto& tensor) {
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.external_data_size() > 0)
    return fail(Code::kUnimplemented, "the model keeps weights in other files",
                "save it with its weights inside (onnx.save_model without external data)");
  std::int64_t count = 1;
  for (const std::int64_t extent : tensor.dims()) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count))
      return fail(Code::kDataLoss, "a weight of the model has an impossible shape");
  }
  return {};
}

Status check_body(const onnx::GraphProto& graph, int depth);

Status check_node(const onnx::NodeProto& node, int depth) {
  for (const auto& attribute : node.attribute()) {
    TRY(check_tensor(attribute.t()));
    for (const auto& tensor : attribute.tensors()) TRY(check_tensor(tensor));
    TRY(check_tensor(attribute.sparse_tensor().values()));
    if (attribute.has_g()) TRY(check_body(attribute.g(), depth + 1));
    for (const auto& graph : attribute.graphs()) TRY(check_body(graph, depth + 1));
  }
  return {};
}

Status check_body(const onnx::GraphProto& graph, int depth) {
  if (depth > kMaxGraphDepth)
    return fail(Code::kUnimplemented, "the model's graphs are nested deeper than 16");
  for (const auto& tensor : graph.initializer()) TRY(check_tensor(tensor));
  for (const auto& tensor : graph.sparse_initializer()) {
    TRY(check_tensor(tensor.values()));
    TRY(check_tensor(tensor.indices()));
  }
  for (const auto& node : graph.node()) TRY(check_node(node, depth));
  return {};
}

}  // namespace

Status check_foreign_onnx(std::string_view bytes) {
  if (bytes.size() > kMaxOnnxBytes)
    return fail(Code::kTooLarge,
                "the model is larger than 1 GiB: " + std::to_string(bytes.size()) + " bytes");
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream coded(&stream);
  onnx::ModelProto model;
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage() || !model.has_graph())
    return fail(Code::kDataLoss, "the file is no ONNX model",
                "export it again; `onnx.checker.check_model` tells what is wrong");
  for (const auto& function : model.functions())
    for (const auto& node : function.node()) TRY(check_node(node, 0));
  return check_body(model.graph(), 0);
}

}  // namespace maru::model
