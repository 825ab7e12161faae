#include "foreign_bundle.h"

#include <algorithm>

#include "maru/base/file.h"
#include "maru/base/hash.h"
#include "mlflow_files.h"
#include "onnx_io.h"
#include "ort.h"

namespace maru::model {
namespace {

using base::Json;
using base::Result;
using base::Status;

class RefusingEvaluator final : public Evaluator {
 public:
  explicit RefusingEvaluator(std::string engine) : engine_(std::move(engine)) {}
  Status predict(const InputBatch&, Predictions&) const override {
    return base::fail(base::Code::kFailedPrecondition,
                      "this model takes tensors, not rows of named columns",
                      "call /v2/models/NAME/infer, or /v1/models/NAME:predict");
  }
  std::string_view engine() const override { return engine_; }
  std::string reason() const override { return "a model from elsewhere"; }

 private:
  const std::string engine_;
};

class ForeignBundle final : public TensorBundle {
 public:
  ForeignBundle() : TensorBundle("onnxruntime") {}
  Status read(const std::string& path) {
    TRY_ASSIGN(const std::string bytes, base::read_file(path, kMaxOnnxBytes));
    const std::uint64_t before = allocated_bytes();
    TRY_ASSIGN(auto model, load_tensor_model(bytes));
    const std::uint64_t after = allocated_bytes();
    // Another thread may have freed meanwhile: never less than the file.
    memory_bytes_ = std::max<std::uint64_t>(after > before ? after - before : 0, bytes.size());
    hold(std::move(model), "onnx", bytes.size());
    return {};
  }
  std::uint64_t memory_bytes() const override { return memory_bytes_; }

 private:
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace

TensorBundle::TensorBundle(std::string engine)
    : evaluator_(std::make_unique<RefusingEvaluator>(std::move(engine))) {}

void TensorBundle::hold(std::unique_ptr<TensorModel> model, std::string learner,
                        std::uint64_t file_bytes, Json example) {
  model_ = std::move(model);
  file_bytes_ = file_bytes;
  metadata_ = Json::object({{"learner", std::move(learner)},
                            {"inputs", specs_json(model_->inputs())},
                            {"outputs", specs_json(model_->outputs())}});
  if (example.is_object()) metadata_.set("example", std::move(example));
}

Result<std::shared_ptr<const Bundle>> load_foreign_bundle(const std::string& onnx_path) {
  auto bundle = std::make_shared<ForeignBundle>();
  TRY(bundle->read(onnx_path));
  return bundle;
}

Status adopt_onnx(const std::string& onnx_path, const std::string& folder) {
  TRY_ASSIGN(const std::string bytes, base::read_file(onnx_path, kMaxOnnxBytes));
  TRY_ASSIGN(const auto model, load_tensor_model(bytes));
  TRY(base::make_folders(folder));
  for (const auto& [name, text] : mlflow_files(*model, base::sha256_hex(bytes), bytes.size()))
    TRY(base::write_file_atomic(base::join_path(folder, name), text));
  return base::write_file_atomic(base::join_path(folder, "model.onnx"), bytes);
}

}  // namespace maru::model
