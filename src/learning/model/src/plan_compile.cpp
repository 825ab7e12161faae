#include <cmath>
#include <limits>
#include <map>

#include "explainer.h"
#include "onnx_io.h"
#include "plan.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using transform::Graph;
using transform::Node;
using transform::Port;
using transform::Tensor;
using transform::TensorType;

constexpr std::uint32_t kMaxWidth = 1'000'000;         // columns of one value
constexpr std::uint32_t kMaxScratchWidth = 4'000'000;  // columns of all values

struct Value {
  Ref ref;
  TensorType type = TensorType::kDouble;
  const Tensor* constant = nullptr;
  bool pieces = false;  // of a text column: cut at spaces
};

bool is_real(TensorType type) { return type == TensorType::kDouble || type == TensorType::kFloat; }
bool is_whole(TensorType type) { return type == TensorType::kInt64 || type == TensorType::kBool; }

class Compiler {
 public:
  explicit Compiler(const Graph& graph) : graph_(graph) {}

  Result<Plan> run(const Signature& signature) {
    TRY(check_graph(graph_));
    TRY_ASSIGN(const Binding binding,
               bind_inputs(graph_.inputs, graph_.outputs.front(), signature));
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
      Value value;
      value.type = binding.inputs[i].type;
      value.ref.offset = static_cast<std::uint32_t>(binding.inputs[i].column);
      value.ref.place = value.type == TensorType::kString  ? Ref::Place::kTexts
                        : value.type == TensorType::kInt64 ? Ref::Place::kTimes
                                                           : Ref::Place::kNumbers;
      values_[graph_.inputs[i].name] = value;
    }
    for (const auto& [name, tensor] : graph_.initializers) TRY(add_constant(name, tensor));
    for (const Node& node : graph_.nodes) TRY(add_node(node));
    const Value& output = values_.at(graph_.outputs.front().name);
    if (!is_real(output.type) || output.constant != nullptr ||
        output.ref.width != static_cast<std::uint64_t>(binding.width))
      return fail(Code::kDataLoss, "the graph's output is not what it declares");
    plan_.output = plan_.model_output = output.ref;
    if (const auto own = values_.find(kModelScores);
        own != values_.end() && is_real(own->second.type) && own->second.constant == nullptr &&
        own->second.ref.place == Ref::Place::kScratch)
      plan_.model_output = own->second.ref;
    return std::move(plan_);
  }

 private:
  static tl::unexpected<base::Error> unknown(const Node& node, const std::string& why = {}) {
    std::string name = node.domain.empty() ? node.op : node.domain + "." + node.op;
    return fail(Code::kUnimplemented,
                "the native plan does not know this node: " + name.substr(0, 200) +
                    (why.empty() ? "" : " (" + why + ")"));
  }

  // Constants are rows: [], [w] or [1,w]. Matrices are kept for MatMul and Gemm, which lay them out themselves.
  Status add_constant(const std::string& name, const Tensor& tensor) {
    Value value;
    value.type = tensor.type;
    value.constant = &tensor;
    value.ref.place = Ref::Place::kConstant;
    const bool row = tensor.shape.empty() || tensor.shape.size() == 1 ||
                     (tensor.shape.size() == 2 && tensor.shape[0] == 1);
    const std::size_t count = is_real(tensor.type) ? tensor.reals.size() : tensor.integers.size();
    value.ref.width = 0;
    if (row && count > 0 && count <= kMaxWidth && tensor.type != TensorType::kString) {
      value.ref.width = static_cast<std::uint32_t>(count);
      if (is_real(tensor.type)) {
        value.ref.offset = static_cast<std::uint32_t>(plan_.real_constants.size());
        plan_.real_constants.insert(plan_.real_constants.end(), tensor.reals.begin(),
                                    tensor.reals.end());
      } else {
        value.ref.offset = static_cast<std::uint32_t>(plan_.int_constants.size());
        plan_.int_constants.insert(plan_.int_constants.end(), tensor.integers.begin(),
                                   tensor.integers.end());
      }
      if (plan_.real_constants.size() + plan_.int_constants.size() >
          std::numeric_limits<std::uint32_t>::max() / 2)
        return fail(Code::kUnimplemented, "the native plan does not hold so many constants");
    }
    values_[name] = value;
    return {};
  }

  static std::int64_t integer(const Node& node, const char* name, std::int64_t fallback) {
    const auto at = node.attributes.find(name);
    if (at == node.attributes.end()) return fallback;
    const auto* value = std::get_if<std::int64_t>(&at->second);
    return value == nullptr ? fallback : *value;
  }
  static double real(const Node& node, const char* name, double fallback) {
    const auto at = node.attributes.find(name);
    if (at == node.attributes.end()) return fallback;
    const auto* value = std::get_if<double>(&at->second);
    return value == nullptr ? fallback : *value;
  }

  Result<Ref> make_output(const Node& node, TensorType type, std::uint64_t width) {
    std::uint32_t& used = is_real(type) ? plan_.real_width : plan_.int_width;
    if (width == 0 || width > kMaxWidth || used + width > kMaxScratchWidth)
      return unknown(node, "too wide");
    Value value;
    value.type = type;
    value.ref = {Ref::Place::kScratch, used, static_cast<std::uint32_t>(width)};
    used += static_cast<std::uint32_t>(width);
    values_[node.outputs.front()] = value;
    return value.ref;
  }

  Status emit(const Node& node, Op op, std::vector<Ref> in, TensorType type, std::uint64_t width) {
    Step step;
    step.op = op;
    step.in = std::move(in);
    TRY_ASSIGN(step.out, make_output(node, type, width));
    plan_.steps.push_back(std::move(step));
    return {};
  }

  // Operands of one row width or 1, each a value of the batch or a constant row.
  static bool fit(const std::vector<Value>& in, std::uint32_t& width) {
    width = 1;
    bool batch = false;
    for (const Value& value : in) {
      if (value.ref.width == 0 || value.type == TensorType::kString) return false;
      if (value.ref.width > 1 && width > 1 && value.ref.width != width) return false;
      width = std::max(width, value.ref.width);
      batch = batch || value.constant == nullptr;
    }
    return batch;  // constants alone would have to be folded
  }

  Status add_node(const Node& node) {
    const std::size_t outputs = node.op == "StringSplit" ? 2 : 1;
    if (node.outputs.size() != outputs || node.inputs.empty())
      return unknown(node, "inputs or outputs");
    std::vector<Value> in;
    for (const std::string& name : node.inputs)
      in.push_back(name.empty() ? Value{} : values_.at(name));
    if (node.domain == "ai.onnx.ml") {
      if (node.op == "LabelEncoder") return label_encoder(node, in);
      if (node.op == "TreeEnsembleRegressor") return forest(node, in);
      return unknown(node);
    }
    if (!node.domain.empty()) return unknown(node);
    for (const std::string& name : node.inputs)
      if (name.empty() && node.op != "Clip") return unknown(node, "an input left out");
    static const std::map<std::string, Status (Compiler::*)(const Node&, const std::vector<Value>&)>
        kKnown = {{"Add", &Compiler::binary},
                  {"Sub", &Compiler::binary},
                  {"Mul", &Compiler::binary},
                  {"Div", &Compiler::binary},
                  {"Mod", &Compiler::binary},
                  {"Equal", &Compiler::binary},
                  {"Less", &Compiler::binary},
                  {"Where", &Compiler::where},
                  {"Clip", &Compiler::clip},
                  {"Sigmoid", &Compiler::unary},
                  {"Exp", &Compiler::unary},
                  {"Sqrt", &Compiler::unary},
                  {"Abs", &Compiler::unary},
                  {"Neg", &Compiler::unary},
                  {"Floor", &Compiler::unary},
                  {"Round", &Compiler::unary},
                  {"Log", &Compiler::unary},
                  {"Relu", &Compiler::unary},
                  {"Tanh", &Compiler::unary},
                  {"IsNaN", &Compiler::unary},
                  {"Cast", &Compiler::cast},
                  {"Concat", &Compiler::concat},
                  {"Gather", &Compiler::gather},
                  {"Softmax", &Compiler::softmax},
                  {"MatMul", &Compiler::matmul},
                  {"Gemm", &Compiler::gemm},
                  {"Identity", &Compiler::identity},
                  {"Reshape", &Compiler::reshape},
                  {"StringSplit", &Compiler::string_split},
                  {"TfIdfVectorizer", &Compiler::word_counts}};
    const auto known = kKnown.find(node.op);
    return known == kKnown.end() ? unknown(node) : (this->*known->second)(node, in);
  }

  Status binary(const Node& node, const std::vector<Value>& in) {
    std::uint32_t width = 1;
    if (in.size() != 2 || !fit(in, width) || in[0].type != in[1].type)
      return unknown(node, "operands");
    const std::vector<Ref> refs{in[0].ref, in[1].ref};
    if (in[0].type == TensorType::kDouble) {
      static const std::map<std::string, Op> kOps = {
          {"Add", Op::kAdd}, {"Sub", Op::kSub},         {"Mul", Op::kMul},
          {"Div", Op::kDiv}, {"Equal", Op::kRealEqual}, {"Less", Op::kRealLess}};
      const auto op = kOps.find(node.op);
      if (op == kOps.end()) return unknown(node, "double");
      return emit(node, op->second, refs,
                  op->second >= Op::kRealEqual ? TensorType::kBool : TensorType::kDouble, width);
    }
    static const std::map<std::string, Op> kOps = {
        {"Add", Op::kIntAdd}, {"Sub", Op::kIntSub},     {"Mul", Op::kIntMul},  {"Div", Op::kIntDiv},
        {"Mod", Op::kIntMod}, {"Equal", Op::kIntEqual}, {"Less", Op::kIntLess}};
    const auto op = kOps.find(node.op);
    if (op == kOps.end() || in[0].type != TensorType::kInt64) return unknown(node, "type");
    if (op->second == Op::kIntDiv || op->second == Op::kIntMod) {
      if (in[1].constant == nullptr || integer(node, "fmod", 0) != 0)
        return unknown(node, "divisor");
      for (const std::int64_t divisor : in[1].constant->integers)
        if (divisor <= 0) return unknown(node, "divisor");
    }
    return emit(node, op->second, refs,
                op->second >= Op::kIntEqual ? TensorType::kBool : TensorType::kInt64, width);
  }

  Status where(const Node& node, const std::vector<Value>& in) {
    std::uint32_t width = 1;
    if (in.size() != 3 || !fit(in, width) || in[0].type != TensorType::kBool ||
        in[1].type != in[2].type)
      return unknown(node, "operands");
    const bool reals = in[1].type == TensorType::kDouble;
    if (!reals && in[1].type != TensorType::kInt64) return unknown(node, "type");
    return emit(node, reals ? Op::kRealWhere : Op::kIntWhere, {in[0].ref, in[1].ref, in[2].ref},
                in[1].type, width);
  }

  Status clip(const Node& node, const std::vector<Value>& in) {
    std::uint32_t width = 1;
    if (in.size() != 3 || node.inputs[1].empty() || node.inputs[2].empty() ||
        !fit({in[0]}, width) || in[0].type != TensorType::kDouble)
      return unknown(node, "operands");
    for (std::size_t i = 1; i < 3; ++i)
      if (in[i].constant == nullptr || in[i].type != TensorType::kDouble || in[i].ref.width != 1)
        return unknown(node, "bounds");
    return emit(node, Op::kClip, {in[0].ref, in[1].ref, in[2].ref}, TensorType::kDouble, width);
  }

  Status unary(const Node& node, const std::vector<Value>& in) {
    static const std::map<std::string, Op> kOps = {
        {"Sigmoid", Op::kSigmoid}, {"Exp", Op::kExp},     {"Sqrt", Op::kSqrt},   {"Abs", Op::kAbs},
        {"Neg", Op::kNeg},         {"Floor", Op::kFloor}, {"Round", Op::kRound}, {"Log", Op::kLog},
        {"Relu", Op::kRelu},       {"Tanh", Op::kTanh},   {"IsNaN", Op::kIsNan}};
    std::uint32_t width = 1;
    if (in.size() != 1 || !fit(in, width) || in[0].type != TensorType::kDouble)
      return unknown(node, "operand");
    const Op op = kOps.at(node.op);
    return emit(node, op, {in[0].ref, in[0].ref},
                op == Op::kIsNan ? TensorType::kBool : TensorType::kDouble, width);
  }

  Status cast(const Node& node, const std::vector<Value>& in) {
    std::uint32_t width = 1;
    if (in.size() != 1 || !fit(in, width)) return unknown(node, "operand");
    constexpr std::int64_t kFloat = 1, kInt64 = 7, kBool = 9, kDouble = 11;  // TensorProto.DataType
    const std::int64_t to = integer(node, "to", 0);
    const TensorType from = in[0].type;
    if (is_whole(from) && to == kDouble)
      return emit(node, Op::kIntToReal, {in[0].ref}, TensorType::kDouble, width);
    if (from == TensorType::kBool && to == kInt64) return alias(node, in[0], TensorType::kInt64);
    if (is_real(from) && to == kDouble) return alias(node, in[0], TensorType::kDouble);
    if (is_real(from) && to == kFloat)
      return emit(node, Op::kRealToFloat, {in[0].ref}, TensorType::kFloat, width);
    if (is_real(from) && to == kBool)
      return emit(node, Op::kRealToBool, {in[0].ref, in[0].ref}, TensorType::kBool, width);
    return unknown(node, "to " + std::to_string(to));
  }

  Status alias(const Node& node, const Value& value, TensorType type) {
    Value out = value;
    out.type = type;
    values_[node.outputs.front()] = out;
    return {};
  }
  Status identity(const Node& node, const std::vector<Value>& in) {
    if (in.size() != 1 || in[0].constant != nullptr) return unknown(node, "operand");
    return alias(node, in[0], in[0].type);
  }

  Status concat(const Node& node, const std::vector<Value>& in) {
    const std::int64_t axis = integer(node, "axis", 0);
    if (axis != 1 && axis != -1) return unknown(node, "axis");
    std::uint64_t width = 0;
    std::vector<Ref> refs;
    for (const Value& value : in) {
      if (value.type != in[0].type || value.type == TensorType::kString ||
          value.constant != nullptr)
        return unknown(node, "operands");
      width += value.ref.width;
      refs.push_back(value.ref);
    }
    return emit(node, is_real(in[0].type) ? Op::kRealConcat : Op::kIntConcat, std::move(refs),
                in[0].type, width);
  }

  Status gather(const Node& node, const std::vector<Value>& in) {
    std::uint32_t width = 1;
    const std::int64_t axis = integer(node, "axis", 0);
    if (in.size() != 2 || (axis != 1 && axis != -1) || !fit({in[0]}, width) ||
        in[1].constant == nullptr || in[1].type != TensorType::kInt64 ||
        in[1].constant->shape.size() != 1)
      return unknown(node, "operands");
    std::vector<std::uint32_t> picks;
    for (std::int64_t pick : in[1].constant->integers) {
      if (pick < 0) pick += width;
      if (pick < 0 || pick >= static_cast<std::int64_t>(width))
        return fail(Code::kDataLoss, "the graph picks a column that is not there");
      picks.push_back(static_cast<std::uint32_t>(pick));
    }
    const std::size_t count = picks.size();
    TRY(emit(node, is_real(in[0].type) ? Op::kRealGather : Op::kIntGather, {in[0].ref}, in[0].type,
             count));
    plan_.steps.back().picks = std::move(picks);
    return {};
  }

  Status softmax(const Node& node, const std::vector<Value>& in) {
    std::uint32_t width = 1;
    const std::int64_t axis = integer(node, "axis", -1);
    if (in.size() != 1 || !fit(in, width) || in[0].type != TensorType::kDouble ||
        (axis != 1 && axis != -1))
      return unknown(node, "operand");
    return emit(node, Op::kSoftmax, {in[0].ref}, TensorType::kDouble, width);
  }

  // Weights [F,K] (or their transpose) are laid out by feature.
  Result<Ref> weights(const Node& node, const Value& x, const Value& w, bool transposed) {
    if (x.type != TensorType::kDouble || x.constant != nullptr || w.constant == nullptr ||
        w.type != TensorType::kDouble || w.constant->shape.size() != 2)
      return unknown(node, "operands");
    const auto rows = static_cast<std::uint64_t>(w.constant->shape[transposed ? 1 : 0]),
               columns = static_cast<std::uint64_t>(w.constant->shape[transposed ? 0 : 1]);
    if (rows != x.ref.width || columns == 0 || columns > kMaxWidth)
      return fail(Code::kDataLoss, "the weights do not fit the features");
    Ref out{Ref::Place::kConstant, static_cast<std::uint32_t>(plan_.real_constants.size()),
            static_cast<std::uint32_t>(columns)};
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t k = 0; k < columns; ++k)
        plan_.real_constants.push_back(
            w.constant->reals[transposed ? k * rows + i : i * columns + k]);
    return out;
  }

  Status matmul(const Node& node, const std::vector<Value>& in) {
    if (in.size() != 2) return unknown(node, "operands");
    TRY_ASSIGN(const Ref w, weights(node, in[0], in[1], false));
    return emit(node, Op::kMatMul, {in[0].ref, w}, TensorType::kDouble, w.width);
  }

  Status gemm(const Node& node, const std::vector<Value>& in) {
    if (in.size() < 2 || in.size() > 3 || integer(node, "transA", 0) != 0 ||
        real(node, "alpha", 1) != 1 || real(node, "beta", 1) != 1)
      return unknown(node, "operands");
    TRY_ASSIGN(const Ref w, weights(node, in[0], in[1], integer(node, "transB", 0) != 0));
    TRY(emit(node, Op::kMatMul, {in[0].ref, w}, TensorType::kDouble, w.width));
    if (in.size() == 2) return {};
    const Ref product = plan_.steps.back().out;
    if (in[2].type != TensorType::kDouble || in[2].ref.width == 0 ||
        (in[2].ref.width != 1 && in[2].ref.width != w.width))
      return unknown(node, "bias");
    return emit(node, Op::kAdd, {product, in[2].ref}, TensorType::kDouble, w.width);
  }

  Status label_encoder(const Node& node, const std::vector<Value>& in) {
    const auto keys = node.attributes.find("keys_strings"),
               reals = node.attributes.find("values_floats"),
               wholes = node.attributes.find("values_int64s");
    const auto end = node.attributes.end();
    if (in.size() != 1 || !is_text(in[0]) || in[0].pieces || keys == end ||
        (reals == end) == (wholes == end))
      return unknown(node, "types");
    const auto* texts = std::get_if<std::vector<std::string>>(&keys->second);
    std::vector<double> values;
    if (reals != end)
      if (const auto* list = std::get_if<std::vector<double>>(&reals->second)) values = *list;
    if (wholes != end)
      if (const auto* list = std::get_if<std::vector<std::int64_t>>(&wholes->second))
        for (const std::int64_t value : *list) {
          if (value > (std::int64_t{1} << 53) || value < -(std::int64_t{1} << 53))
            return unknown(node, "large codes");
          values.push_back(static_cast<double>(value));
        }
    if (texts == nullptr || texts->empty() || texts->size() != values.size())
      return fail(Code::kDataLoss, "a vocabulary and its codes differ in length");
    const bool real_codes = reals != end;
    const std::int64_t fallback = integer(node, "default_int64", -1);
    if (fallback > (std::int64_t{1} << 53) || fallback < -(std::int64_t{1} << 53))
      return unknown(node, "large codes");
    // Not a number would be no integer.
    TRY(emit(node, real_codes ? Op::kTextCode : Op::kTextIndex, {in[0].ref},
             real_codes ? TensorType::kFloat : TensorType::kInt64, 1));
    plan_.steps.back().index = static_cast<std::uint32_t>(plan_.codes.size());
    plan_.codes.emplace_back(
        *texts, values,
        real_codes ? real(node, "default_float", 0.0) : static_cast<double>(fallback));
    return {};
  }

  static bool is_text(const Value& value) {
    return value.type == TensorType::kString && value.ref.place == Ref::Place::kTexts;
  }
  static const std::string* text(const Node& node, const char* name) {
    const auto at = node.attributes.find(name);
    return at == node.attributes.end() ? nullptr : std::get_if<std::string>(&at->second);
  }

  // A text column is [N,1] to the graph and a list of texts to the plan: [N] is the same.
  Status reshape(const Node& node, const std::vector<Value>& in) {
    if (in.size() != 2 || !is_text(in[0]) || in[0].pieces || in[1].constant == nullptr ||
        in[1].constant->integers != std::vector<std::int64_t>{-1})
      return unknown(node, "operands");
    return alias(node, in[0], TensorType::kString);
  }

  Status string_split(const Node& node, const std::vector<Value>& in) {
    const std::string* delimiter = text(node, "delimiter");
    if (in.size() != 1 || !is_text(in[0]) || in[0].pieces || delimiter == nullptr ||
        *delimiter != " " || node.attributes.count("maxsplit") != 0)
      return unknown(node, "operands");
    Value pieces = in[0];
    pieces.pieces = true;
    values_[node.outputs[0]] = pieces;
    Value counts;  // nobody's operand: its width is none
    counts.type = TensorType::kInt64;
    counts.ref.width = 0;
    values_[node.outputs[1]] = counts;
    return {};
  }

  Status word_counts(const Node& node, const std::vector<Value>& in) {
    const auto words = node.attributes.find("pool_strings"),
               columns = node.attributes.find("ngram_indexes"), end = node.attributes.end();
    const std::string* mode = text(node, "mode");
    if (in.size() != 1 || !is_text(in[0]) || !in[0].pieces || words == end || columns == end ||
        mode == nullptr || *mode != "TF" || integer(node, "min_gram_length", 0) != 1 ||
        integer(node, "max_gram_length", 0) != 1 || node.attributes.count("weights") != 0)
      return unknown(node, "operands");
    const auto* pool = std::get_if<std::vector<std::string>>(&words->second);
    const auto* indexes = std::get_if<std::vector<std::int64_t>>(&columns->second);
    if (pool == nullptr || indexes == nullptr || pool->empty() || pool->size() != indexes->size())
      return fail(Code::kDataLoss, "words and their columns differ in number");
    std::int64_t width = 0;
    std::vector<double> codes;
    for (const std::int64_t index : *indexes) {
      if (index < 0 || index >= static_cast<std::int64_t>(kMaxWidth))
        return fail(Code::kDataLoss, "a word has an impossible column");
      width = std::max(width, index + 1);
      codes.push_back(static_cast<double>(index));
    }
    TRY(emit(node, Op::kWordCounts, {in[0].ref}, TensorType::kFloat,
             static_cast<std::uint64_t>(width)));
    plan_.steps.back().index = static_cast<std::uint32_t>(plan_.codes.size());
    plan_.codes.emplace_back(*pool, codes, -1.0);
    return {};
  }

  Status forest(const Node& node, const std::vector<Value>& in) {
    if (in.size() != 1 || in[0].type != TensorType::kDouble || in[0].constant != nullptr)
      return unknown(node, "operand");
    TRY_ASSIGN(Forest trees, Forest::compile(node, in[0].ref.width));
    TRY(emit(node, Op::kForest, {in[0].ref}, TensorType::kFloat, trees.targets()));
    plan_.steps.back().index = static_cast<std::uint32_t>(plan_.forests.size());
    plan_.forests.push_back(std::move(trees));
    return {};
  }

  const Graph& graph_;
  Plan plan_;
  std::map<std::string, Value> values_;
};

class NativeEvaluator final : public Evaluator {
 public:
  NativeEvaluator(Plan plan, Signature signature, const InputBatch* background)
      : plan_(std::move(plan)),
        signature_(std::move(signature)),
        explainer_(plan_, signature_.inputs.size(), background) {}
  Status explain(const InputBatch& batch, Explanation& out) const override {
    TRY(check_batch(signature_, batch));
    return explainer_.explain(plan_, batch, out);
  }
  Status predict(const InputBatch& batch, Predictions& out) const override {
    TRY(check_batch(signature_, batch));
    out.task = signature_.task;
    out.rows = batch.rows;
    out.width = plan_.output.width;
    return plan_.run(batch, out.scores);
  }
  std::string_view engine() const override { return "native"; }
  std::string reason() const override { return "every node is known to the native plan"; }

 private:
  Plan plan_;
  Signature signature_;
  Explainer explainer_;
};

}  // namespace

Result<Plan> compile_plan(const Graph& graph, const Signature& signature) {
  return Compiler(graph).run(signature);
}

std::unique_ptr<Evaluator> native_evaluator(Plan plan, const Signature& signature,
                                            const InputBatch* background) {
  return std::make_unique<NativeEvaluator>(std::move(plan), signature, background);
}

Result<std::unique_ptr<Evaluator>> compile_native(const Graph& graph, const Signature& signature,
                                                  const InputBatch* background) {
  TRY_ASSIGN(Plan plan, compile_plan(graph, signature));
  return native_evaluator(std::move(plan), signature, background);
}

}  // namespace maru::model
