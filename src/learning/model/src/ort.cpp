#include "ort.h"

#include <malloc.h>

#include <algorithm>

#include "ort_session.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using transform::Port;
using transform::TensorType;

Result<Port> port_of(std::string name, const Ort::TypeInfo& info) {
  Port out;
  out.name = std::move(name);
  if (info.GetONNXType() != ONNX_TYPE_TENSOR)
    return fail(Code::kUnimplemented, "an input or output is no tensor: " + out.name);
  const auto tensor = info.GetTensorTypeAndShapeInfo();
  switch (tensor.GetElementType()) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      out.type = TensorType::kDouble;
      break;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      out.type = TensorType::kFloat;
      break;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      out.type = TensorType::kInt64;
      break;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING:
      out.type = TensorType::kString;
      break;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      out.type = TensorType::kBool;
      break;
    default:
      return fail(Code::kUnimplemented,
                  "an input or output has a type that is not served: " + out.name);
  }
  out.shape = tensor.GetShape();
  return out;
}

class Session final : public OrtSession {
 public:
  Status open_session(std::string_view bytes, const Signature& signature) {
    session_ = open_ort(bytes, ORT_ENABLE_BASIC);
    Ort::AllocatorWithDefaultOptions allocator;
    std::vector<Port> inputs;
    for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
      TRY_ASSIGN(Port port, port_of(session_.GetInputNameAllocated(i, allocator).get(),
                                    session_.GetInputTypeInfo(i)));
      inputs.push_back(std::move(port));
    }
    if (session_.GetOutputCount() == 0)
      return fail(Code::kInvalidArgument, "the graph has no output");
    TRY_ASSIGN(const Port output, port_of(session_.GetOutputNameAllocated(0, allocator).get(),
                                          session_.GetOutputTypeInfo(0)));
    TRY_ASSIGN(binding_, bind_inputs(inputs, output, signature));
    for (const Port& port : inputs) names_.push_back(port.name);
    for (const std::string& name : names_) name_pointers_.push_back(name.c_str());
    output_ = output.name;
    return {};
  }

  Status run(const InputBatch& batch, std::vector<double>& out) const override {
    const std::size_t count = batch.rows * static_cast<std::size_t>(binding_.width);
    out.resize(count);
    if (count == 0) return {};
    try {
      std::vector<Ort::Value> values;
      values.reserve(binding_.inputs.size());
      for (const Binding::Source& source : binding_.inputs) values.push_back(tensor(batch, source));
      const char* output_name = output_.c_str();
      const Ort::RunOptions options{nullptr};
      // Run is const in effect: ONNX Runtime documents it as safe for concurrent calls.
      auto& session = const_cast<Ort::Session&>(session_);
      const std::vector<Ort::Value> results = session.Run(
          options, name_pointers_.data(), values.data(), values.size(), &output_name, 1);
      const auto info = results.front().GetTensorTypeAndShapeInfo();
      if (info.GetElementCount() != count)
        return fail(Code::kInternal, "the graph answered with another number of values: " +
                                         std::to_string(info.GetElementCount()) + " for " +
                                         std::to_string(count));
      if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE) {
        const auto* data = results.front().GetTensorData<double>();
        std::copy(data, data + count, out.begin());
      } else {
        const auto* data = results.front().GetTensorData<float>();
        std::copy(data, data + count, out.begin());
      }
    } catch (const std::exception& e) {
      return fail(Code::kInternal, std::string("the model could not be run: ") + e.what());
    }
    return {};
  }

  std::size_t width() const override { return static_cast<std::size_t>(binding_.width); }

 private:
  Ort::Value tensor(const InputBatch& batch, const Binding::Source& source) const {
    const InputColumn& column = batch.columns[source.column];
    const std::array<std::int64_t, 2> shape{static_cast<std::int64_t>(batch.rows), 1};
    if (source.type == TensorType::kString) {
      Ort::AllocatorWithDefaultOptions allocator;
      Ort::Value value = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(),
                                                  ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
      // By length, not as C strings: a text may hold a NUL.
      for (std::size_t r = 0; r < batch.rows; ++r) {
        const std::string& text = column.texts[r];
        char* buffer = value.GetResizedStringTensorElementBuffer(r, text.size());
        std::copy(text.begin(), text.end(), buffer);
      }
      return value;
    }
    // ONNX Runtime only reads inputs; its interface forgets the const.
    if (source.type == TensorType::kInt64)
      return Ort::Value::CreateTensor<std::int64_t>(memory_,
                                                    const_cast<std::int64_t*>(column.times.data()),
                                                    batch.rows, shape.data(), shape.size());
    return Ort::Value::CreateTensor<double>(memory_, const_cast<double*>(column.numbers.data()),
                                            batch.rows, shape.data(), shape.size());
  }

  Ort::Session session_{nullptr};
  Ort::MemoryInfo memory_ = ort_memory();
  Binding binding_;
  std::vector<std::string> names_;
  std::vector<const char*> name_pointers_;
  std::string output_;
};

class OrtEvaluator final : public Evaluator {
 public:
  OrtEvaluator(std::unique_ptr<OrtSession> session, Signature signature)
      : session_(std::move(session)), signature_(std::move(signature)) {}
  Status predict(const InputBatch& batch, Predictions& out) const override {
    TRY(check_batch(signature_, batch));
    out.task = signature_.task;
    out.rows = batch.rows;
    out.width = session_->width();
    return session_->run(batch, out.scores);
  }
  std::string_view engine() const override { return "onnxruntime"; }
  std::string reason() const override { return "asked for"; }

 private:
  std::unique_ptr<OrtSession> session_;
  Signature signature_;
};

}  // namespace

Result<std::unique_ptr<OrtSession>> OrtSession::open(std::string_view onnx_bytes,
                                                     const Signature& signature) {
  try {
    auto session = std::make_unique<Session>();
    TRY(session->open_session(onnx_bytes, signature));
    return session;
  } catch (const std::exception& e) {
    return fail(Code::kDataLoss, std::string("ONNX Runtime refuses the model: ") + e.what());
  }
}

std::uint64_t allocated_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<std::uint64_t>(info.uordblks) + static_cast<std::uint64_t>(info.hblkhd);
}

Result<std::unique_ptr<Evaluator>> load_onnxruntime(std::string_view onnx_bytes,
                                                    const Signature& signature) {
  TRY_ASSIGN(std::unique_ptr<OrtSession> session, OrtSession::open(onnx_bytes, signature));
  return std::make_unique<OrtEvaluator>(std::move(session), signature);
}

}  // namespace maru::model
