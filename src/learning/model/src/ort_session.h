#pragma once
#include <onnxruntime_cxx_api.h>

#include <string_view>

namespace maru::model {

// One thread, sequential, no arena, no spinning: threads are the server's to share out. Throws what ONNX Runtime throws.
Ort::Session open_ort(std::string_view onnx_bytes, GraphOptimizationLevel level);
// Plain memory. Both load the library; nothing else of it may be called before one of them was.
Ort::MemoryInfo ort_memory();

}  // namespace maru::model
