#include "ort_session.h"

#include <cstdlib>
#include <memory>

namespace maru::model {
namespace {

Ort::Env& environment() {
  // Lives as long as the process: sessions of static objects may outlast any other order. 1.28 has no telemetry; a newer library would read this.
  static Ort::Env* env = [] {
    Ort::InitApi();  // loads the library (docs/adr/0007)
    ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    return std::make_unique<Ort::Env>(ORT_LOGGING_LEVEL_FATAL, "maru").release();
  }();
  return *env;
}

}  // namespace

Ort::Session open_ort(std::string_view onnx_bytes, GraphOptimizationLevel level) {
  Ort::Env& env = environment();
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(level);
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  options.DisableCpuMemArena();
  options.DisableMemPattern();
  return Ort::Session(env, onnx_bytes.data(), onnx_bytes.size(), options);
}

Ort::MemoryInfo ort_memory() {
  environment();
  return Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
}

}  // namespace maru::model
