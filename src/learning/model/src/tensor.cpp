#include "maru/model/tensor.h"

#include <array>
#include <cmath>
#include <cstring>

#include "batch.h"
#include "maru/base/check.h"
#include "maru/base/clock.h"
#include "maru/base/text.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr std::size_t kMaxRank = 16;
constexpr std::uint64_t kMaxElements = INT32_MAX;
constexpr std::array<std::string_view, 14> kNames = {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64",
                                                     "INT8", "INT16", "INT32",  "INT64",  "FP16",
                                                     "BF16", "FP32",  "FP64",   "BYTES"};
constexpr std::array<std::size_t, 14> kSizes = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0};

template <class Number>
Number element(const TensorValue& tensor, std::size_t at) {
  Number out;
  std::memcpy(&out, tensor.bytes.data() + at * sizeof(Number), sizeof(Number));
  return out;
}

// IEEE 754 binary16.
double half(std::uint16_t bits) {
  const int sign = bits >> 15, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double out = 0;
  if (exponent == 31)
    out = fraction == 0 ? std::numeric_limits<double>::infinity()
                        : std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    out = std::ldexp(fraction, -24);
  else
    out = std::ldexp(1024 + fraction, exponent - 25);
  return sign != 0 ? -out : out;
}

double brain(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float out = 0;
  std::memcpy(&out, &wide, sizeof out);
  return static_cast<double>(out);
}

Status wrong_type(const TensorValue& tensor, const Input& input) {
  return fail(Code::kInvalidArgument,
              "input `" + tensor.name + "` is " + std::string(datatype_name(tensor.type)) +
                  ", the model wants a " + std::string(kind_name(input.kind)));
}

// The values of one column; `from` and `step` walk through a tensor that holds several.
Status fill_column(const TensorValue& tensor, const Input& input, std::size_t from,
                   std::size_t step, std::size_t rows, InputColumn& out) {
  if (tensor.type == Datatype::kBytes) {
    for (std::size_t row = 0; row < rows; ++row) {
      const std::string& text = tensor.texts[from + row * step];
      if (input.kind == InputKind::kText) {
        out.texts[row] = text;
      } else {
        TRY(fill_cell(input, base::Json(text), row, out));
      }
    }
    return {};
  }
  if (input.kind == InputKind::kText) return wrong_type(tensor, input);
  if (input.kind == InputKind::kTimestamp) {
    if (tensor.type != Datatype::kInt64)
      return fail(Code::kInvalidArgument,
                  "input `" + tensor.name + "` is a time: send INT64 microseconds since 1970, or " +
                      "BYTES texts, not " + std::string(datatype_name(tensor.type)));
    for (std::size_t row = 0; row < rows; ++row)
      out.times[row] = element<std::int64_t>(tensor, from + row * step);
    return {};
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const double value = element_as_double(tensor, from + row * step);
    const bool misfit =
        std::isinf(value) ||
        (input.kind == InputKind::kInteger && !std::isnan(value) && std::floor(value) != value) ||
        (input.kind == InputKind::kBoolean && !std::isnan(value) && value != 0 && value != 1);
    if (misfit)
      return fail(Code::kInvalidArgument,
                  "row " + std::to_string(row) + ", input `" + input.name + "`: expected a " +
                      std::string(kind_name(input.kind)) + ", got " + base::format_double(value));
    out.numbers[row] = value;
  }
  return {};
}

bool all_numeric(const Signature& signature) {
  for (const Input& input : signature.inputs)
    if (input.kind == InputKind::kText || input.kind == InputKind::kTimestamp) return false;
  return true;
}

std::string names_of(const Signature& signature) {
  std::vector<std::string> names;
  for (const Input& input : signature.inputs) names.push_back(input.name);
  return base::join(names, ", ");
}

base::Result<std::size_t> rows_of(const TensorValue& tensor) {
  TRY_ASSIGN(const std::size_t elements, element_count(tensor.name, tensor.shape));
  if (tensor.shape.empty()) return 1;
  const auto rows = static_cast<std::size_t>(tensor.shape.front());
  if (elements != rows)
    return fail(Code::kInvalidArgument,
                "input `" + tensor.name + "` must have one value a row: shape [rows] or [rows, 1]");
  return rows;
}

Status fill_matrix(const Signature& signature, const TensorValue& tensor, InputBatch& out) {
  const std::size_t width = signature.inputs.size();
  if (tensor.shape.size() != 2 || tensor.shape[1] != static_cast<std::int64_t>(width))
    return fail(Code::kInvalidArgument,
                "input `" + tensor.name + "` is no column of the model and has not shape [rows, " +
                    std::to_string(width) + "]",
                "the model's columns: " + names_of(signature));
  const auto rows = static_cast<std::size_t>(tensor.shape.front());
  out.reset(signature, rows);
  for (std::size_t i = 0; i < width; ++i)
    TRY(fill_column(tensor, signature.inputs[i], i, width, rows, out.columns[i]));
  return {};
}

TensorSpec spec_of(const Input& input) {
  TensorSpec out{input.name, Datatype::kFp64, {-1, 1}};
  if (input.kind == InputKind::kText) out.type = Datatype::kBytes;
  if (input.kind == InputKind::kBoolean) out.type = Datatype::kBool;
  if (input.kind == InputKind::kTimestamp || input.kind == InputKind::kInteger)
    out.type = Datatype::kInt64;
  return out;
}

}  // namespace

std::string_view datatype_name(Datatype type) { return kNames[static_cast<std::size_t>(type)]; }

std::size_t datatype_size(Datatype type) { return kSizes[static_cast<std::size_t>(type)]; }

base::Result<Datatype> parse_datatype(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Datatype>(i);
  const std::vector<std::string> known(kNames.begin(), kNames.end());
  std::string hint = base::did_you_mean(name, known);
  if (hint.empty()) hint = "known: " + base::join(known, ", ");
  return fail(Code::kInvalidArgument,
              "unknown datatype: " + base::replace_invalid_utf8(std::string(name.substr(0, 40))),
              hint);
}

base::Json specs_json(const std::vector<TensorSpec>& specs) {
  base::Json out = base::Json::array();
  for (const TensorSpec& spec : specs) {
    base::Json shape = base::Json::array();
    for (const std::int64_t extent : spec.shape) shape.push(extent);
    out.push(base::Json::object({{"name", spec.name},
                                 {"datatype", std::string(datatype_name(spec.type))},
                                 {"shape", std::move(shape)}}));
  }
  return out;
}

std::size_t TensorValue::elements() const {
  return type == Datatype::kBytes ? texts.size() : bytes.size() / datatype_size(type);
}

base::Result<std::size_t> element_count(std::string_view name,
                                        const std::vector<std::int64_t>& shape) {
  const auto named = [&] {
    return "input `" + base::replace_invalid_utf8(std::string(name.substr(0, 200))) + "`";
  };
  if (shape.size() > kMaxRank)
    return fail(Code::kInvalidArgument, named() + " has more than 16 dimensions");
  std::uint64_t out = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0)
      return fail(Code::kInvalidArgument,
                  named() + " has a negative dimension: " + std::to_string(extent));
    if (__builtin_mul_overflow(out, static_cast<std::uint64_t>(extent), &out) || out > kMaxElements)
      return fail(Code::kTooLarge, named() + " has more than 2^31-1 elements");
  }
  return static_cast<std::size_t>(out);
}

double element_as_double(const TensorValue& tensor, std::size_t at) {
  switch (tensor.type) {
    case Datatype::kBool:
      return tensor.bytes[at] != 0 ? 1 : 0;
    case Datatype::kUint8:
      return element<std::uint8_t>(tensor, at);
    case Datatype::kUint16:
      return element<std::uint16_t>(tensor, at);
    case Datatype::kUint32:
      return element<std::uint32_t>(tensor, at);
    case Datatype::kUint64:
      return static_cast<double>(element<std::uint64_t>(tensor, at));
    case Datatype::kInt8:
      return element<std::int8_t>(tensor, at);
    case Datatype::kInt16:
      return element<std::int16_t>(tensor, at);
    case Datatype::kInt32:
      return element<std::int32_t>(tensor, at);
    case Datatype::kInt64:
      return static_cast<double>(element<std::int64_t>(tensor, at));
    case Datatype::kFp16:
      return half(element<std::uint16_t>(tensor, at));
    case Datatype::kBf16:
      return brain(element<std::uint16_t>(tensor, at));
    case Datatype::kFp32:
      return static_cast<double>(element<float>(tensor, at));
    case Datatype::kFp64:
      return element<double>(tensor, at);
    case Datatype::kBytes:
      break;
  }
  MARU_CHECK(false);
  return 0;
}

std::vector<TensorSpec> input_tensors(const Signature& signature) {
  std::vector<TensorSpec> out;
  for (const Input& input : signature.inputs) out.push_back(spec_of(input));
  return out;
}

std::vector<TensorSpec> output_tensors(const Signature& signature) {
  const auto width =
      signature.task == Task::kMulticlass ? static_cast<std::int64_t>(signature.classes.size()) : 1;
  std::vector<TensorSpec> out = {{"scores", Datatype::kFp64, {-1, width}}};
  if (signature.task != Task::kRegression) out.push_back({"prediction", Datatype::kBytes, {-1, 1}});
  return out;
}

std::vector<TensorValue> answer_tensors(const Signature& signature,
                                        const Predictions& predictions) {
  const auto rows = static_cast<std::int64_t>(predictions.rows);
  std::vector<TensorValue> out(1);
  out[0].name = "scores";
  out[0].shape = {rows, static_cast<std::int64_t>(predictions.width)};
  out[0].bytes.assign(reinterpret_cast<const char*>(predictions.scores.data()),
                      predictions.rows * predictions.width * sizeof(double));
  if (signature.task == Task::kRegression) return out;
  TensorValue& labels = out.emplace_back();
  labels.name = "prediction";
  labels.type = Datatype::kBytes;
  labels.shape = {rows, 1};
  for (std::size_t row = 0; row < predictions.rows; ++row)
    labels.texts.push_back(signature.classes[predicted_class(signature, predictions, row)]);
  return out;
}

Status fill_from_tensors(const Signature& signature, const std::vector<TensorValue>& tensors,
                         InputBatch& out) {
  if (tensors.empty())
    return fail(Code::kInvalidArgument, "the request has no inputs",
                "the model's columns: " + names_of(signature));
  if (tensors.size() == 1 && signature.inputs.size() > 1 && all_numeric(signature) &&
      signature.index_of(tensors.front().name) < 0)
    return fill_matrix(signature, tensors.front(), out);
  TRY_ASSIGN(const std::size_t rows, rows_of(tensors.front()));
  out.reset(signature, rows);
  std::vector<bool> seen(signature.inputs.size(), false);
  for (const TensorValue& tensor : tensors) {
    const int at = signature.index_of(tensor.name);
    if (at < 0) {
      if (is_ignored(signature, tensor.name)) continue;
      return fail(Code::kInvalidArgument, "unknown input `" + tensor.name + "`",
                  "the model's columns: " + names_of(signature));
    }
    const auto i = static_cast<std::size_t>(at);
    if (seen[i]) return fail(Code::kInvalidArgument, "input `" + tensor.name + "` comes twice");
    seen[i] = true;
    TRY_ASSIGN(const std::size_t tensor_rows, rows_of(tensor));
    if (tensor_rows != rows)
      return fail(Code::kInvalidArgument, "input `" + tensor.name + "` has " +
                                              std::to_string(tensor_rows) +
                                              " rows, the first input has " + std::to_string(rows));
    TRY(fill_column(tensor, signature.inputs[i], 0, 1, rows, out.columns[i]));
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (!seen[i] && signature.inputs[i].required)
      return fail(Code::kInvalidArgument, "input `" + signature.inputs[i].name + "` is not there",
                  "send NaN or an empty text when the value is missing");
  return {};
}

}  // namespace maru::model
