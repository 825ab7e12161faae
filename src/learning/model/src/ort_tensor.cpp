#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>

#include "onnx_io.h"
#include "ort_session.h"
#include "tensor_order.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

struct Pair {
  ONNXTensorElementDataType onnx;
  Datatype type;
};
constexpr std::array<Pair, 14> kTypes = {{
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, Datatype::kBool},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, Datatype::kUint8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, Datatype::kUint16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, Datatype::kUint32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, Datatype::kUint64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, Datatype::kInt8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, Datatype::kInt16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, Datatype::kInt32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, Datatype::kInt64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, Datatype::kFp16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, Datatype::kBf16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, Datatype::kFp32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, Datatype::kFp64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, Datatype::kBytes},
}};

Result<Datatype> datatype_of(ONNXTensorElementDataType onnx, const std::string& name) {
  for (const Pair& pair : kTypes)
    if (pair.onnx == onnx) return pair.type;
  return fail(Code::kUnimplemented, "`" + name + "` has an element type that is not served");
}

ONNXTensorElementDataType onnx_of(Datatype type) {
  for (const Pair& pair : kTypes)
    if (pair.type == type) return pair.onnx;
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

// A list of maps (class -> probability), as scikit-learn's exports answer, is served as a tensor [N, classes].
constexpr const char* kNoTensor =
    "it is neither a tensor nor a list of maps from class to probability";

Result<TensorSpec> input_spec(std::string name, const Ort::TypeInfo& info) {
  if (info.GetONNXType() != ONNX_TYPE_TENSOR)
    return fail(Code::kUnimplemented, "input `" + name + "` is no tensor");
  const auto tensor = info.GetTensorTypeAndShapeInfo();
  TensorSpec out;
  TRY_ASSIGN(out.type, datatype_of(tensor.GetElementType(), name));
  out.shape = tensor.GetShape();
  out.name = std::move(name);
  return out;
}

Result<TensorSpec> output_spec(std::string name, const Ort::TypeInfo& info) {
  if (info.GetONNXType() == ONNX_TYPE_TENSOR) return input_spec(std::move(name), info);
  if (info.GetONNXType() != ONNX_TYPE_SEQUENCE ||
      info.GetSequenceTypeInfo().GetSequenceElementType().GetONNXType() != ONNX_TYPE_MAP)
    return fail(Code::kUnimplemented, "output `" + name + "` cannot be served: " + kNoTensor);
  return TensorSpec{std::move(name), Datatype::kFp32, {-1, -1}};
}

class OrtTensorModel final : public TensorModel {
 public:
  Status open(std::string_view bytes) {
    session_ = open_ort(bytes, ORT_ENABLE_EXTENDED);
    Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
      TRY_ASSIGN(TensorSpec spec, input_spec(session_.GetInputNameAllocated(i, allocator).get(),
                                             session_.GetInputTypeInfo(i)));
      inputs_.push_back(std::move(spec));
    }
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
      TRY_ASSIGN(TensorSpec spec, output_spec(session_.GetOutputNameAllocated(i, allocator).get(),
                                              session_.GetOutputTypeInfo(i)));
      outputs_.push_back(std::move(spec));
    }
    if (outputs_.empty()) return fail(Code::kInvalidArgument, "the model has no output");
    return {};
  }

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }

  Status run(const std::vector<TensorValue>& tensors, const std::vector<std::string>& wanted,
             std::vector<TensorValue>& out) const override {
    TRY_ASSIGN(const auto ordered, order_inputs(inputs_, tensors));
    TRY_ASSIGN(const auto names, output_names(wanted));
    try {
      std::vector<Ort::Value> values;
      std::vector<const char*> input_names;
      for (std::size_t i = 0; i < ordered.size(); ++i) {
        values.push_back(value_of(*ordered[i]));
        input_names.push_back(inputs_[i].name.c_str());
      }
      const Ort::RunOptions options{nullptr};
      // Run is const in effect: ONNX Runtime documents it as safe for concurrent calls.
      auto& session = const_cast<Ort::Session&>(session_);
      const std::vector<Ort::Value> results = session.Run(
          options, input_names.data(), values.data(), values.size(), names.data(), names.size());
      out.resize(results.size());
      for (std::size_t i = 0; i < results.size(); ++i) {
        out[i] = TensorValue();
        out[i].name = names[i];
        TRY(results[i].IsTensor() ? take_tensor(results[i], out[i])
                                  : take_maps(results[i], out[i]));
      }
    } catch (const Ort::Exception& e) {
      // Shapes that the graph itself finds wrong are the caller's.
      const OrtErrorCode code = e.GetOrtErrorCode();
      const bool theirs =
          code == ORT_INVALID_ARGUMENT || code == ORT_FAIL || code == ORT_RUNTIME_EXCEPTION;
      return fail(theirs ? Code::kInvalidArgument : Code::kInternal,
                  std::string("the model could not be run on these tensors: ") + e.what());
    } catch (const std::exception& e) {
      return fail(Code::kInternal, std::string("the model could not be run: ") + e.what());
    }
    return {};
  }

 private:
  Result<std::vector<const char*>> output_names(const std::vector<std::string>& wanted) const {
    std::vector<const char*> out;
    if (wanted.empty())
      for (const TensorSpec& spec : outputs_) out.push_back(spec.name.c_str());
    for (const std::string& name : wanted) {
      const auto at = std::find_if(outputs_.begin(), outputs_.end(),
                                   [&](const TensorSpec& spec) { return spec.name == name; });
      if (at == outputs_.end())
        return fail(Code::kInvalidArgument, "unknown output `" + name + "`",
                    "the model's outputs: " + names_of(outputs_));
      out.push_back(at->name.c_str());
    }
    return out;
  }

  Ort::Value value_of(const TensorValue& tensor) const {
    if (tensor.type == Datatype::kBytes) {
      Ort::AllocatorWithDefaultOptions allocator;
      Ort::Value value =
          Ort::Value::CreateTensor(allocator, tensor.shape.data(), tensor.shape.size(),
                                   ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
      // By length, not as C strings: a text may hold a NUL.
      for (std::size_t i = 0; i < tensor.texts.size(); ++i) {
        const std::string& text = tensor.texts[i];
        std::copy(text.begin(), text.end(),
                  value.GetResizedStringTensorElementBuffer(i, text.size()));
      }
      return value;
    }
    // ONNX Runtime only reads inputs; its interface forgets the const.
    return Ort::Value::CreateTensor(memory_, const_cast<char*>(tensor.bytes.data()),
                                    tensor.bytes.size(), tensor.shape.data(), tensor.shape.size(),
                                    onnx_of(tensor.type));
  }

  static Status take_tensor(const Ort::Value& value, TensorValue& out) {
    const auto info = value.GetTensorTypeAndShapeInfo();
    TRY_ASSIGN(out.type, datatype_of(info.GetElementType(), out.name));
    out.shape = info.GetShape();
    const std::size_t count = info.GetElementCount();
    if (out.type == Datatype::kBytes) {
      for (std::size_t i = 0; i < count; ++i) out.texts.push_back(value.GetStringTensorElement(i));
    } else if (count > 0) {
      out.bytes.assign(static_cast<const char*>(value.GetTensorRawData()),
                       count * datatype_size(out.type));
    }
    return {};
  }

  static Status take_maps(const Ort::Value& value, TensorValue& out) {
    Ort::AllocatorWithDefaultOptions allocator;
    const std::size_t rows = value.GetCount();
    std::size_t width = 0;
    out.type = Datatype::kFp32;
    for (std::size_t row = 0; row < rows; ++row) {
      const Ort::Value map = value.GetValue(static_cast<int>(row), allocator);
      const Ort::Value values = map.GetValue(1, allocator);
      const auto info = values.GetTensorTypeAndShapeInfo();
      if (info.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
        return fail(Code::kUnimplemented,
                    "output `" + out.name + "` cannot be served: " + kNoTensor);
      if (row > 0 && info.GetElementCount() != width)
        return fail(Code::kInternal, "output `" + out.name + "` has rows of different classes");
      width = info.GetElementCount();
      out.bytes.append(reinterpret_cast<const char*>(values.GetTensorData<float>()),
                       width * sizeof(float));
    }
    out.shape = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(width)};
    return {};
  }

  Ort::Session session_{nullptr};
  Ort::MemoryInfo memory_ = ort_memory();
  std::vector<TensorSpec> inputs_, outputs_;
};

}  // namespace

Result<std::unique_ptr<TensorModel>> load_tensor_model(std::string_view onnx_bytes) {
  TRY(check_foreign_onnx(onnx_bytes));
  try {
    auto model = std::make_unique<OrtTensorModel>();
    TRY(model->open(onnx_bytes));
    return model;
  } catch (const std::exception& e) {
    return fail(Code::kDataLoss, std::string("ONNX Runtime refuses the model: ") + e.what());
  }
}

}  // namespace maru::model
