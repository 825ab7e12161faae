#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"
#include "maru/model/model.h"

namespace maru::model {

// The element types of the Open Inference Protocol, in its names (FP32, BYTES).
enum class Datatype : std::uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kBf16,
  kFp32,
  kFp64,
  kBytes,
};
std::string_view datatype_name(Datatype type);
base::Result<Datatype> parse_datatype(std::string_view name);
std::size_t datatype_size(Datatype type);  // bytes of one element; 0 for kBytes

struct TensorSpec {
  std::string name;
  Datatype type = Datatype::kFp64;
  std::vector<std::int64_t> shape;  // -1: any extent
};

base::Json specs_json(const std::vector<TensorSpec>& specs);  // [{"name", "datatype", "shape"}]

struct TensorValue {
  std::string name;
  Datatype type = Datatype::kFp64;
  std::vector<std::int64_t> shape;
  std::string bytes;               // row-major, little endian; empty for kBytes
  std::vector<std::string> texts;  // of kBytes, row-major
  std::size_t elements() const;    // of what it holds
};

// The product of a shape of at most 16 dimensions. Refuses negative extents (kInvalidArgument) and more than 2^31-1 elements (kTooLarge), naming the tensor.
base::Result<std::size_t> element_count(std::string_view name,
                                        const std::vector<std::int64_t>& shape);
double element_as_double(const TensorValue& tensor, std::size_t at);  // not of kBytes

// A model of named columns, seen as tensors: one [-1, 1] tensor an input; out come "scores" FP64 [N,K] and, for classes, "prediction" BYTES [N,1].
std::vector<TensorSpec> input_tensors(const Signature& signature);
std::vector<TensorSpec> output_tensors(const Signature& signature);
std::vector<TensorValue> answer_tensors(const Signature& signature, const Predictions& predictions);

// Tensors -> batch: one tensor an input with one value a row ([N] or [N,1]), or, when every input is a number, one tensor [N, inputs] in the signature's order.
// Any numeric type fits a number; NaN and an empty text are missing values; times are integer microseconds or text. Errors name the tensor and the row.
base::Status fill_from_tensors(const Signature& signature, const std::vector<TensorValue>& tensors,
                               InputBatch& out);

// A model that takes and gives tensors of any shape: an ONNX file from elsewhere. Immutable after load; run() is thread safe.
class TensorModel {
 public:
  virtual ~TensorModel() = default;
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  // The outputs in the order of `wanted`, or all when it is empty. kInvalidArgument for a tensor that is missing, unknown, or of another type or shape.
  virtual base::Status run(const std::vector<TensorValue>& tensors,
                           const std::vector<std::string>& wanted,
                           std::vector<TensorValue>& out) const = 0;
  // The same with parameters of the model's own, an object; null: none. kInvalidArgument from a model that takes none.
  virtual base::Status run_with(const std::vector<TensorValue>& tensors,
                                const std::vector<std::string>& wanted, const base::Json& params,
                                std::vector<TensorValue>& out) const {
    if (params.is_null()) return run(tensors, wanted, out);
    return base::fail(base::Code::kInvalidArgument, "the model takes no `params`");
  }
  // Whether run() waits for another process, so that its thread should be one that may wait.
  virtual bool waits() const { return false; }
  // How many run() at a time get on; 0: as many as there are cores.
  virtual std::size_t at_once() const { return 0; }
};

// The tensors in the order of the specs: each once, of its type, and of a shape that fits; else kInvalidArgument.
base::Result<std::vector<const TensorValue*>> order_inputs(const std::vector<TensorSpec>& specs,
                                                           const std::vector<TensorValue>& tensors);
// Keeps the tensors that are wanted, in that order; all when `wanted` is empty. kInvalidArgument for an unknown one.
base::Status select_outputs(const std::vector<std::string>& wanted,
                            std::vector<TensorValue>& tensors);

// By ONNX Runtime. kDataLoss for bytes that are no model, kUnimplemented for inputs or outputs that are no tensors.
base::Result<std::unique_ptr<TensorModel>> load_tensor_model(std::string_view onnx_bytes);

// Makes a folder that Bundle::load and stock mlflow.pyfunc load from an ONNX file of anybody; the file is tried first. The folder must not be there.
base::Status adopt_onnx(const std::string& onnx_path, const std::string& folder);

}  // namespace maru::model
