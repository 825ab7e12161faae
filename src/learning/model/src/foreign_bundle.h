#pragma once
#include <memory>
#include <string>

#include "maru/model/model.h"
#include "maru/model/tensor.h"

namespace maru::model {

// A model of tensors as a bundle: it has no named columns, and refuses rows of them.
class TensorBundle : public Bundle {
 public:
  explicit TensorBundle(std::string engine);
  const TensorModel* tensors() const override { return model_.get(); }
  const Signature& signature() const override { return signature_; }
  const base::Json& metadata() const override { return metadata_; }
  const data::Table& sample() const override { return sample_; }
  const Evaluator& evaluator() const override { return *evaluator_; }
  std::uint64_t file_bytes() const override { return file_bytes_; }

 protected:
  // `example`: a row of columns, or null.
  void hold(std::unique_ptr<TensorModel> model, std::string learner, std::uint64_t file_bytes,
            base::Json example = {});

 private:
  std::unique_ptr<TensorModel> model_;
  std::unique_ptr<Evaluator> evaluator_;
  Signature signature_;
  base::Json metadata_;
  data::Table sample_;
  std::uint64_t file_bytes_ = 0;
};

// An ONNX file that Maru did not make, as a bundle of tensors.
base::Result<std::shared_ptr<const Bundle>> load_foreign_bundle(const std::string& onnx_path);

}  // namespace maru::model
