#pragma once
#include <memory>
#include <string>

#include "maru/model/model.h"

namespace maru::model {

// An ONNX file that Maru did not make, as a bundle of tensors.
base::Result<std::shared_ptr<const Bundle>> load_foreign_bundle(const std::string& onnx_path);

}  // namespace maru::model
