#include <array>

#include "binding.h"
#include "maru/base/text.h"
#include "maru/model/model.h"
#include "maru/model/postprocess.h"
#include "maru/transform/features.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using transform::TensorType;

constexpr std::array<std::string_view, 3> kTasks = {"binary", "multiclass", "regression"};
constexpr std::array<std::string_view, 5> kKinds = {"number", "integer", "boolean", "text",
                                                    "timestamp"};

TensorType tensor_of(InputKind kind) {
  if (kind == InputKind::kText) return TensorType::kString;
  return kind == InputKind::kTimestamp ? TensorType::kInt64 : TensorType::kDouble;
}

Json example_of(const data::Table& table, const std::string& name) {
  const data::Column* column = table.find(name);
  if (column == nullptr) return {};
  for (std::size_t r = 0; r < column->rows(); ++r) {
    if (!column->is_valid(r)) continue;
    switch (column->type) {
      case data::ColumnType::kBool:
        return column->integers[r] != 0;
      case data::ColumnType::kInteger:
        return column->integers[r];
      case data::ColumnType::kFloat:
        return column->reals[r];
      default:
        return column->display(r);
    }
  }
  return {};
}

}  // namespace

std::string_view task_name(Task task) { return kTasks[static_cast<std::size_t>(task)]; }

base::Result<Task> parse_task(std::string_view name) {
  for (std::size_t i = 0; i < kTasks.size(); ++i)
    if (name == kTasks[i]) return static_cast<Task>(i);
  return fail(Code::kInvalidArgument, "unknown task: " + std::string(name),
              "known: binary, multiclass, regression");
}

InputKind kind_of(data::ColumnType type) {
  switch (type) {
    case data::ColumnType::kBool:
      return InputKind::kBoolean;
    case data::ColumnType::kInteger:
      return InputKind::kInteger;
    case data::ColumnType::kText:
      return InputKind::kText;
    case data::ColumnType::kTimestamp:
      return InputKind::kTimestamp;
    default:
      return InputKind::kNumber;
  }
}

bool interchangeable(InputKind a, InputKind b) {
  const auto is_number = [](InputKind kind) {
    return kind != InputKind::kText && kind != InputKind::kTimestamp;
  };
  return a == b || (is_number(a) && is_number(b));
}

std::string_view kind_name(InputKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

base::Result<InputKind> parse_kind(std::string_view name) {
  for (std::size_t i = 0; i < kKinds.size(); ++i)
    if (name == kKinds[i]) return static_cast<InputKind>(i);
  return fail(Code::kInvalidArgument, "unknown kind of input: " + std::string(name),
              "known: number, integer, boolean, text, timestamp");
}

int Signature::index_of(std::string_view input) const {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].name == input) return static_cast<int>(i);
  return -1;
}

base::Json Signature::to_json() const {
  Json list = Json::array();
  for (const Input& input : inputs) {
    Json item = Json::object(
        {{"name", input.name}, {"kind", kind_name(input.kind)}, {"required", input.required}});
    if (!input.example.is_null()) item.set("example", input.example);
    list.push(std::move(item));
  }
  Json names = Json::array();
  for (const std::string& name : classes) names.push(name);
  Json out = Json::object(
      {{"task", task_name(task)}, {"inputs", std::move(list)}, {"classes", std::move(names)}});
  if (task == Task::kBinary) out.set("threshold", threshold);
  out.set("label", label);
  if (!postprocess.is_null()) out.set("postprocess", postprocess);
  if (!label_values.empty()) {
    Json values = Json::array();
    for (const std::string& value : label_values) values.push(value);
    out.set("label_values", std::move(values));
  }
  if (ignored.empty()) return out;
  Json unused = Json::array();
  for (const std::string& name : ignored) unused.push(name);
  out.set("ignored", std::move(unused));
  return out;
}

base::Result<Signature> Signature::from_json(const base::Json& json) {
  Signature out;
  TRY_ASSIGN(out.task, parse_task(json["task"].as_string()));
  if (!json["inputs"].is_array()) return fail(Code::kInvalidArgument, "a signature needs `inputs`");
  for (const Json& item : json["inputs"].items()) {
    Input input;
    input.name = item["name"].as_string();
    if (input.name.empty() || out.index_of(input.name) >= 0)
      return fail(Code::kInvalidArgument, "an input needs a name of its own: `" + input.name + "`");
    TRY_ASSIGN(input.kind, parse_kind(item["kind"].as_string()));
    input.required = item["required"].as_bool(true);
    input.example = item["example"];
    out.inputs.push_back(std::move(input));
  }
  for (const Json& name : json["classes"].items()) out.classes.push_back(name.as_string());
  out.threshold = json["threshold"].as_double(0.5);
  out.label = json["label"].as_string();
  for (const Json& name : json["ignored"].items()) out.ignored.push_back(name.as_string());
  out.postprocess = json["postprocess"];
  TRY(Postprocess::from_json(out.postprocess));
  for (const Json& value : json["label_values"].items())
    out.label_values.push_back(value.as_string());
  const std::size_t classes = out.classes.size();
  if (!out.label_values.empty() && out.label_values.size() != classes)
    return fail(Code::kInvalidArgument, "classes and their names differ in number");
  if ((out.task == Task::kBinary && classes != 2) || (out.task == Task::kMulticlass && classes < 2))
    return fail(Code::kInvalidArgument, "classes do not fit the task: " + std::to_string(classes) +
                                            " for " + std::string(task_name(out.task)));
  return out;
}

void set_inputs(const transform::FeaturePlan& plan, const data::Table& table,
                Signature& signature) {
  signature.inputs.clear();
  signature.ignored.clear();
  for (const transform::FeatureColumn& column : plan.columns) {
    if (column.encoding == transform::Encoding::kDropped) {
      signature.ignored.push_back(column.name);
      continue;
    }
    Input input;
    input.name = column.name;
    input.kind = kind_of(column.type);
    input.example = example_of(table, column.name);
    signature.inputs.push_back(std::move(input));
  }
}

base::Result<Binding> bind_inputs(const std::vector<transform::Port>& inputs,
                                  const transform::Port& output, const Signature& signature) {
  std::vector<std::string> names;
  for (const Input& input : signature.inputs)
    names.push_back(transform::graph_input_name(input.name));
  Binding out;
  for (const transform::Port& port : inputs) {
    std::size_t at = 0;
    while (at < names.size() && names[at] != port.name) ++at;
    if (at == names.size())
      return fail(Code::kInvalidArgument, "the signature lacks an input of the graph: " + port.name,
                  base::did_you_mean(port.name, names));
    const TensorType expected = tensor_of(signature.inputs[at].kind);
    if (port.type != expected || port.shape.size() != 2 || port.shape[1] != 1)
      return fail(Code::kInvalidArgument,
                  "the graph's input does not fit its kind `" +
                      std::string(kind_name(signature.inputs[at].kind)) + "`: " + port.name,
                  "an input is [N,1]: double for numbers, string for text, int64 for timestamps");
    out.inputs.push_back({at, expected});
  }
  const bool real = output.type == TensorType::kDouble || output.type == TensorType::kFloat;
  if (!real || output.shape.size() != 2 || output.shape[1] < 1 || output.shape[1] > 100'000'000)
    return fail(Code::kInvalidArgument,
                "the graph's first output must be numbers [N,K]: " + output.name);
  out.width = output.shape[1];
  return out;
}

base::Status check_batch(const Signature& signature, const InputBatch& batch) {
  if (batch.columns.size() != signature.inputs.size())
    return fail(Code::kInvalidArgument,
                "the batch has another number of columns than the signature: " +
                    std::to_string(batch.columns.size()));
  for (std::size_t i = 0; i < batch.columns.size(); ++i) {
    const InputColumn& column = batch.columns[i];
    const InputKind kind = signature.inputs[i].kind;
    const std::size_t size = kind == InputKind::kText        ? column.texts.size()
                             : kind == InputKind::kTimestamp ? column.times.size()
                                                             : column.numbers.size();
    if (size < batch.rows)
      return fail(Code::kInvalidArgument,
                  "a column of the batch is too short: " + signature.inputs[i].name);
  }
  return {};
}

}  // namespace maru::model
