#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/data/table.h"
#include "maru/transform/features.h"
#include "maru/transform/graph.h"

namespace maru::model {

enum class Task : std::uint8_t { kBinary, kMulticlass, kRegression };
std::string_view task_name(Task task);  // "binary", "multiclass", "regression"
base::Result<Task> parse_task(std::string_view name);

enum class InputKind : std::uint8_t { kNumber, kInteger, kBoolean, kText, kTimestamp };
std::string_view kind_name(InputKind kind);  // "number", "integer", "boolean", "text", "timestamp"
base::Result<InputKind> parse_kind(std::string_view name);
InputKind kind_of(data::ColumnType type);
// Whether values of one kind may stand for the other's: of the same, or both of numbers.
bool interchangeable(InputKind a, InputKind b);
inline constexpr std::int64_t kMissingTime = std::numeric_limits<std::int64_t>::min();

struct Input {
  std::string name;
  InputKind kind = InputKind::kNumber;
  bool required = true;  // false: a missing key is a missing value
  base::Json example;    // a real training value, for forms
};

struct Signature {
  Task task = Task::kBinary;
  std::vector<Input> inputs;
  std::vector<std::string> classes;  // binary: {negative, positive}
  double threshold = 0.5;            // binary: score >= threshold predicts classes[1]
  std::string label;                 // what is predicted, as the project wrote it
  std::vector<std::string>
      ignored;        // columns that training knew and dropped: accepted in a row, and not used
  bool open = false;  // rows may have any columns, which are not used; not part of its JSON
  // The classes as the label column has them, where `classes` are other names for them; else empty.
  std::vector<std::string> label_values;
  base::Json
      postprocess;  // done to the model's own score in the graph (postprocess.h); null: nothing
  const std::vector<std::string>& classes_of_label() const {
    return label_values.empty() ? classes : label_values;
  }
  int index_of(std::string_view input) const;
  base::Json to_json() const;
  static base::Result<Signature> from_json(const base::Json& json);
};

// The inputs (with examples from `table`) and the ignored columns of a fitted plan: inputs are the plan's columns that are not dropped, in its order.
void set_inputs(const transform::FeaturePlan& plan, const data::Table& table, Signature& signature);

// Rows by column in the signature's order. Reusable: reset() keeps capacity. Numbers, integers and booleans go into `numbers`.
struct InputColumn {
  std::vector<double> numbers;
  std::vector<std::string> texts;
  std::vector<std::int64_t> times;
};
struct InputBatch {
  std::size_t rows = 0;
  std::vector<InputColumn> columns;
  void reset(const Signature& signature, std::size_t row_count);  // sized, filled with missing
};

// JSON rows -> batch. Errors name row, column, what was expected and what came; an unknown column comes with the nearest known one.
// Missing keys are missing values unless the input is required; null is missing; numbers may come as numeric text; timestamps as text (parse_time_us) or integer µs.
base::Status fill_from_rows(const Signature& signature, const base::Json& instances,
                            InputBatch& out);
// Straight from text {"instances":[{...}]} without building a Json tree: the serving hot path. `key` is the member that holds the rows.
base::Status fill_from_text(const Signature& signature, std::string_view body, std::string_view key,
                            InputBatch& out);
base::Status fill_from_table(const Signature& signature, const data::Table& table, InputBatch& out);

// A row that a request would be refused for, and why.
struct RowFault {
  std::size_t row = 0;
  std::string reason;  // "column `age`: expected a number, got \"abc\""
};
// Rows [from, from + count) of a table for batch prediction, each held to what a request's row is: a bad one is left missing and told, once, in `faults` (by
// ascending row, counted from `from`). Fails only when a required column is not there at all.
base::Status fill_rows(const Signature& signature, const data::Table& table, std::size_t from,
                       std::size_t count, InputBatch& out, std::vector<RowFault>& faults);

// Answers for a batch. binary: 1 score a row (probability of classes[1]); multiclass: K probabilities a row; regression: 1 value.
struct Predictions {
  Task task = Task::kBinary;
  std::size_t rows = 0, width = 1;
  std::vector<double> scores;
  double score(std::size_t row, std::size_t k = 0) const { return scores[row * width + k]; }
};
// One answer for people and JSON: binary {"prediction", "probability"}, multiclass {"prediction", "probabilities": {class: p}}, regression a number.
base::Json prediction_json(const Signature& signature, const Predictions& predictions,
                           std::size_t row);
void append_prediction_json(std::string& out, const Signature& signature,
                            const Predictions& predictions, std::size_t row);
std::size_t predicted_class(const Signature& signature, const Predictions& predictions,
                            std::size_t row);

struct Explanation;  // maru/model/explain.h

// Runs one graph. Immutable after load; predict() is thread safe and deterministic; in the native engine the same row gives the same bits alone
// and in any batch (in ONNX Runtime the last bit of a sigmoid or softmax may depend on the row's place in the batch).
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual base::Status predict(const InputBatch& batch, Predictions& out) const = 0;
  // What each input adds to what the model says (explain.h). kUnimplemented tells why this model cannot be explained. As thread safe as predict().
  virtual base::Status explain(const InputBatch& batch, Explanation& out) const;
  virtual std::string_view engine() const = 0;  // "native" or "onnxruntime"
  virtual std::string reason() const = 0;       // why this engine
};

// ONNX bytes of `graph` (opset 17, or 20 where texts are cut into words, + ai.onnx.ml 3, producer "maru").
base::Result<std::string> write_onnx(const transform::Graph& graph, const base::Json& metadata);

struct FeatureMatrix {
  std::size_t rows = 0, columns = 0;
  std::vector<double> values;  // row-major
  std::vector<std::string> names;
};
// Runs a feature graph (transform::emit_features) over a table: the only way training gets its features.
base::Result<FeatureMatrix> run_features(const transform::Graph& graph, const Signature& signature,
                                         const data::Table& table);

struct BundleFacts {
  Signature signature;
  base::Json metadata =
      base::Json::object();  // learner, config, training snapshot, feature plan, importances, ...
  data::Table sample;  // up to 256 raw training rows, stored for replay, native check and warm-up
};

class TensorModel;  // maru/model/tensor.h

// A model folder: MLmodel, model.onnx, signature, conda.yaml, python_env.yaml, requirements.txt, maru.json, sample.json; loads with stock mlflow.pyfunc.
class Bundle {
 public:
  // Writes the folder, loads it back and replays `replay_rows` through the stored graph, in ONNX Runtime and in the engine that will serve: a score
  // that differs from `expected` by more than 1e-6 (of its size, above 1) is kRefused and nothing is left behind. Also kAlreadyExists. The folder
  // appears whole or not at all. The graph's first output is "scores" double [N,K]. The same arguments give the same bytes.
  static base::Result<std::shared_ptr<const Bundle>> create(const std::string& folder,
                                                            const transform::Graph& graph,
                                                            const BundleFacts& facts,
                                                            const data::Table& replay_rows,
                                                            const Predictions& expected);
  // Reads a folder and checks it against the hashes in maru.json (kDataLoss). A folder with a model.onnx and no maru.json is a model from elsewhere: tensors() serves it. Compiles the native plan when every node is known and checks it on the
  // sample rows against the scores that ONNX Runtime gave for them when the bundle was made; else, and without sample rows, ONNX Runtime serves.
  static base::Result<std::shared_ptr<const Bundle>> load(const std::string& folder);
  virtual ~Bundle() = default;
  // Not null for a model from elsewhere, which has no named columns: signature() is then empty and evaluator() refuses.
  virtual const TensorModel* tensors() const { return nullptr; }
  virtual const Signature& signature() const = 0;
  virtual const base::Json& metadata() const = 0;
  virtual const data::Table& sample() const = 0;
  virtual const Evaluator& evaluator() const = 0;
  virtual std::uint64_t file_bytes() const = 0;
  virtual std::uint64_t memory_bytes() const = 0;  // measured when loaded
};

// Evaluators of a graph in memory, for training and tests.
base::Result<std::unique_ptr<Evaluator>> load_onnxruntime(std::string_view onnx_bytes,
                                                          const Signature& signature);
// kUnimplemented names the node it does not know. `background`: rows whose means are where explanations of linear models begin (null: features of zero).
base::Result<std::unique_ptr<Evaluator>> compile_native(const transform::Graph& graph,
                                                        const Signature& signature,
                                                        const InputBatch* background = nullptr);

}  // namespace maru::model
