#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "binding.h"
#include "maru/model/model.h"

namespace maru::model {

// One ONNX Runtime session: one thread, sequential, no arena, so that a row's bits do not depend on its neighbours. run() is thread safe.
class OrtSession {
 public:
  static base::Result<std::unique_ptr<OrtSession>> open(std::string_view onnx_bytes,
                                                        const Signature& signature);
  virtual ~OrtSession() = default;
  // `out` becomes rows x width of the first output.
  virtual base::Status run(const InputBatch& batch, std::vector<double>& out) const = 0;
  virtual std::size_t width() const = 0;
};

// Bytes that the C library's allocator has handed out; differences measure what loading costs.
std::uint64_t allocated_bytes();

}  // namespace maru::model
