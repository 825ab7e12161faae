#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "foreign_bundle.h"
#include "maru/base/file.h"
#include "maru/model/python.h"
#include "maru/model/tensor.h"
#include "python/worker.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

Result<std::uint64_t> bytes_of(const std::string& folder) {
  TRY_ASSIGN(const auto names, base::list_folder(folder));
  std::uint64_t out = 0;
  for (const std::string& name : names) {
    const std::string path = base::join_path(folder, name);
    TRY_ASSIGN(const std::uint64_t bytes,
               base::is_folder(path) ? bytes_of(path) : base::file_size(path));
    out += bytes;
  }
  return out;
}

constexpr std::size_t kMaxCallers = 16;  // of one model, those that wait for their turn included

std::vector<TensorSpec> specs_of(const Json& list) {
  std::vector<TensorSpec> out;
  for (const Json& entry : list.items()) {
    TensorSpec spec;
    spec.name = entry["name"].as_string();
    spec.type = parse_datatype(entry["datatype"].as_string()).value_or(Datatype::kBytes);
    for (const Json& extent : entry["shape"].items()) spec.shape.push_back(extent.as_int());
    out.push_back(std::move(spec));
  }
  return out;
}

class PythonModel final : public TensorModel {
 public:
  PythonModel(const PythonOptions& options, const std::string& folder) : options_(options) {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, options.processes); ++i) {
      workers_.push_back(std::make_unique<Worker>(options, folder));
      idle_.push_back(workers_.back().get());
    }
  }

  // Returns what the model is, once every process has it.
  Result<Json> load() {
    Json told;
    for (const auto& worker : workers_) {
      TRY_ASSIGN(told, worker->started());
    }
    inputs_ = specs_of(told["inputs"]);
    outputs_ = specs_of(told["outputs"]);
    return told;
  }

  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  bool waits() const override { return true; }
  std::size_t at_once() const override { return workers_.size(); }

  Status run(const std::vector<TensorValue>& tensors, const std::vector<std::string>& wanted,
             std::vector<TensorValue>& out) const override {
    return run_with(tensors, wanted, {}, out);
  }

  Status run_with(const std::vector<TensorValue>& tensors, const std::vector<std::string>& wanted,
                  const Json& params, std::vector<TensorValue>& out) const override {
    TRY_ASSIGN(const auto ordered, order_inputs(inputs_, tensors));
    const std::int64_t deadline_ns =
        options_.clock->monotonic_ns() + options_.call_timeout_ms * 1'000'000;
    TRY_ASSIGN(const Turn turn, take_turn());
    const PackedTensors packed(ordered);
    Json head = Json::object({{"inputs", packed.list()}});
    if (!params.is_null()) head.set("params", params);
    TRY_ASSIGN(const Frame answer, turn.worker().call(head, packed.parts(), deadline_ns));
    if (answer.head.has("error")) return refusal(answer.head);
    TRY_ASSIGN(out, unpack_tensors(answer.head["outputs"], answer.body));
    return select_outputs(wanted, out);
  }

  std::uint64_t resident_bytes() const {
    std::uint64_t out = 0;
    for (const auto& worker : workers_) out += worker->resident_bytes();
    return out;
  }

 private:
  // A worker of one's own, until it goes.
  class Turn {
   public:
    Turn(const PythonModel& model, Worker& worker) : model_(&model), worker_(&worker) {}
    Turn(Turn&& other) noexcept
        : model_(std::exchange(other.model_, nullptr)), worker_(other.worker_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (model_ != nullptr) model_->give_back(worker_);
    }
    Worker& worker() const { return *worker_; }

   private:
    const PythonModel* model_;
    Worker* worker_;
  };

  Result<Turn> take_turn() const {
    std::unique_lock lock(mutex_);
    if (callers_ >= kMaxCallers)
      return fail(Code::kUnavailable,
                  std::to_string(kMaxCallers) + " calls of the model are under way already",
                  "try again in a moment; python.processes makes it answer more at a time");
    ++callers_;
    const bool got = turn_.wait_for(lock, std::chrono::milliseconds(options_.call_timeout_ms),
                                    [this] { return !idle_.empty(); });
    if (!got) {
      --callers_;
      return fail(Code::kDeadlineExceeded, "the model is busy with other calls");
    }
    Worker* worker = idle_.back();
    idle_.pop_back();
    return Turn(*this, *worker);
  }

  void give_back(Worker* worker) const {
    const std::lock_guard lock(mutex_);
    idle_.insert(idle_.begin(), worker);  // one that is started again is asked last
    --callers_;
    turn_.notify_one();
  }

  static tl::unexpected<base::Error> refusal(const Json& head) {
    const std::string text = head["error"].as_string();
    if (head["kind"].as_string() == "memory")
      return fail(Code::kUnavailable, "the model ran out of memory: " + text,
                  "send fewer rows, or set python.memory higher");
    return fail(Code::kInvalidArgument, "the model refused the input: " + text);
  }

  const PythonOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<TensorSpec> inputs_, outputs_;
  mutable std::mutex mutex_;
  mutable std::condition_variable turn_;
  mutable std::vector<Worker*> idle_;
  mutable std::size_t callers_ = 0;
};

class PythonBundle final : public TensorBundle {
 public:
  PythonBundle() : TensorBundle("python") {}

  Status read(const std::string& folder, const PythonOptions& options) {
    auto model = std::make_unique<PythonModel>(options, folder);
    model_ = model.get();
    TRY_ASSIGN(const Json told, model->load());
    TRY_ASSIGN(const std::uint64_t bytes, bytes_of(folder));
    hold(std::move(model), told["flavor"].as_string(), bytes, told["example"]);
    return {};
  }
  std::uint64_t memory_bytes() const override { return model_->resident_bytes(); }

 private:
  const PythonModel* model_ = nullptr;
};

}  // namespace

bool is_python_model(const std::string& folder) {
  return base::path_exists(base::join_path(folder, "MLmodel")) &&
         !base::path_exists(base::join_path(folder, "maru.json")) &&
         !base::path_exists(base::join_path(folder, "model.onnx"));
}

Result<std::shared_ptr<const Bundle>> load_python_bundle(const std::string& folder,
                                                         const PythonOptions& options) {
  if (options.interpreter == "off")
    return fail(
        Code::kFailedPrecondition, "models that need Python are not served here",
        "python.interpreter is off; set it to the interpreter of an environment with mlflow");
  auto bundle = std::make_shared<PythonBundle>();
  TRY(bundle->read(folder, options));
  return bundle;
}

Result<std::shared_ptr<const Bundle>> load_model(const std::string& folder,
                                                 const PythonOptions& options) {
  return is_python_model(folder) ? load_python_bundle(folder, options) : Bundle::load(folder);
}

}  // namespace maru::model
