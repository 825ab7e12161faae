#include "inference/tensor_json.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "maru/base/text.h"
#include "maru/model/open_inference.h"

namespace maru::api::inference {
namespace {

using base::Code;
using base::Json;
using base::Status;
using model::Datatype;
using model::TensorSpec;
using model::TensorValue;

constexpr std::size_t kMaxRank = 16;

tl::unexpected<base::Error> wrong(const TensorSpec& spec, const std::string& message) {
  return base::fail(Code::kInvalidArgument, "input `" + spec.name + "`: " + message);
}

std::string shown(const Json& value) {
  return base::replace_invalid_utf8(value.dump().substr(0, 60));
}

class Filler {
 public:
  Filler(const TensorSpec& spec, TensorValue& out) : spec_(spec), out_(out) {}

  Status fill(const Json& value, std::size_t depth) {
    if (!value.is_array()) {
      if (!known_rank_) {
        rank_ = depth;
        known_rank_ = true;
      }
      if (depth != rank_) return wrong(spec_, "its lists are nested unevenly");
      return leaf(value);
    }
    if (depth >= kMaxRank) return wrong(spec_, "more than 16 dimensions");
    const auto length = static_cast<std::int64_t>(value.size());
    if (out_.shape.size() <= depth) {
      if (known_rank_) return wrong(spec_, "its lists are nested unevenly");
      out_.shape.push_back(length);
    } else if (out_.shape[depth] != length) {
      return wrong(spec_, "lists of different lengths: " + std::to_string(out_.shape[depth]) +
                              " and " + std::to_string(length));
    }
    for (const Json& item : value.items()) TRY(fill(item, depth + 1));
    return {};
  }

 private:
  template <class Number>
  void append(Number number) {
    out_.bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  template <class Number>
  Status whole(const Json& value) {
    const double real = value.as_double();
    const bool integral =
        value.is_int() || value.is_bool() ||
        (value.is_double() && std::floor(real) == real && std::fabs(real) < 0x1p53);
    const std::int64_t number = value.is_bool() ? (value.as_bool() ? 1 : 0) : value.as_int();
    if (!integral || number < static_cast<std::int64_t>(std::numeric_limits<Number>::min()) ||
        number > static_cast<std::int64_t>(std::numeric_limits<Number>::max()))
      return wrong(spec_, "expected " + std::string(model::datatype_name(spec_.type)) + ", got " +
                              shown(value));
    append(static_cast<Number>(number));
    return {};
  }

  Status text(const Json& value) {
    if (value.is_object() && value["b64"].is_string()) {
      auto bytes = base::from_base64(value["b64"].as_string());
      if (!bytes) return wrong(spec_, "`b64` is not base64");
      out_.texts.push_back(std::move(*bytes));
    } else if (value.is_null()) {
      out_.texts.emplace_back();
    } else if (value.is_string()) {
      out_.texts.push_back(value.as_string());
    } else {
      return wrong(spec_, "expected a text, got " + shown(value));
    }
    return {};
  }

  Status real(const Json& value) {
    const bool token =
        value.is_string() && (value.as_string() == "NaN" || value.as_string() == "Infinity" ||
                              value.as_string() == "-Infinity");
    if (!value.is_number() && !value.is_null() && !value.is_bool() && !token)
      return wrong(spec_, "expected a number, got " + shown(value));
    const double number = value.is_null()   ? std::numeric_limits<double>::quiet_NaN()
                          : value.is_bool() ? (value.as_bool() ? 1 : 0)
                                            : value.as_double();
    if (spec_.type == Datatype::kFp64)
      append(number);
    else
      append(static_cast<float>(number));
    return {};
  }

  Status leaf(const Json& value) {
    switch (spec_.type) {
      case Datatype::kBytes:
        return text(value);
      case Datatype::kFp32:
      case Datatype::kFp64:
        return real(value);
      case Datatype::kFp16:
      case Datatype::kBf16:
        return wrong(spec_,
                     std::string(model::datatype_name(spec_.type)) + " cannot be sent as JSON");
      case Datatype::kBool:
        if (value.is_bool() || (value.is_int() && (value.as_int() == 0 || value.as_int() == 1)))
          return whole<std::uint8_t>(value);
        return wrong(spec_, "expected true or false, got " + shown(value));
      case Datatype::kUint8:
        return whole<std::uint8_t>(value);
      case Datatype::kUint16:
        return whole<std::uint16_t>(value);
      case Datatype::kUint32:
        return whole<std::uint32_t>(value);
      case Datatype::kInt8:
        return whole<std::int8_t>(value);
      case Datatype::kInt16:
        return whole<std::int16_t>(value);
      case Datatype::kInt32:
        return whole<std::int32_t>(value);
      case Datatype::kInt64:
        return whole<std::int64_t>(value);
      case Datatype::kUint64:
        break;
    }
    if (!value.is_uint() && !(value.is_int() && value.as_int() >= 0))
      return wrong(spec_, "expected UINT64, got " + shown(value));
    append(value.is_uint() ? static_cast<std::uint64_t>(std::stoull(value.dump()))
                           : static_cast<std::uint64_t>(value.as_int()));
    return {};
  }

  const TensorSpec& spec_;
  TensorValue& out_;
  std::size_t rank_ = 0;
  bool known_rank_ = false;
};

void append_level(std::string& out, const TensorValue& tensor, std::size_t level, std::size_t& at,
                  bool encoded) {
  if (level == tensor.shape.size()) {
    if (encoded)
      out += R"({"b64":")" + base::base64(tensor.texts[at++]) + "\"}";
    else
      model::append_json_element(out, tensor, at++, true);
    return;
  }
  out += '[';
  for (std::int64_t i = 0; i < tensor.shape[level]; ++i) {
    if (i > 0) out += ',';
    append_level(out, tensor, level + 1, at, encoded);
  }
  out += ']';
}

std::string names_of(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  return base::join(names, ", ");
}

// Whether every name that came is an input; columns of a wrong name are worse than none.
Status check_names(const std::vector<TensorSpec>& specs, const Json& object) {
  for (const auto& [name, value] : object.members()) {
    bool known = false;
    for (const TensorSpec& spec : specs) known = known || spec.name == name;
    if (!known)
      return base::fail(Code::kInvalidArgument,
                        "unknown input `" + base::replace_invalid_utf8(name.substr(0, 100)) + "`",
                        "the model's inputs: " + names_of(specs));
  }
  return {};
}

}  // namespace

base::Result<TensorValue> tensor_of_json(const TensorSpec& spec, const Json& nested) {
  TensorValue out;
  out.name = spec.name;
  out.type = spec.type;
  TRY(Filler(spec, out).fill(nested, 0));
  // Rows of single values fit an input that wants a column.
  if (spec.shape.size() == out.shape.size() + 1 && spec.shape.back() == 1) out.shape.push_back(1);
  return out;
}

void append_nested(std::string& out, const TensorValue& tensor, std::int64_t row) {
  const bool encoded = tensor.type == Datatype::kBytes && tensor.name.ends_with("_bytes");
  std::size_t at = 0;
  if (row < 0) return append_level(out, tensor, 0, at, encoded);
  const auto rows = static_cast<std::size_t>(std::max<std::int64_t>(1, tensor.shape.front()));
  at = static_cast<std::size_t>(row) * (tensor.elements() / rows);
  append_level(out, tensor, 1, at, encoded);
}

Status append_rows(std::string& out, const std::vector<TensorValue>& outputs) {
  for (const TensorValue& output : outputs) {
    if (output.shape.empty() || output.shape.front() != outputs.front().shape.front())
      return base::fail(Code::kInvalidArgument,
                        "output `" + output.name + "` has no value for each row",
                        "ask in columns: send \"inputs\" instead of \"instances\"");
  }
  out += '[';
  for (std::int64_t row = 0; row < outputs.front().shape.front(); ++row) {
    if (row > 0) out += ',';
    if (outputs.size() == 1) {
      append_nested(out, outputs.front(), row);
      continue;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      out += i == 0 ? '{' : ',';
      base::append_json_string(out, outputs[i].name);
      out += ':';
      append_nested(out, outputs[i], row);
    }
    out += '}';
  }
  out += ']';
  return {};
}

base::Result<std::vector<TensorValue>> tensors_of_rows(const std::vector<TensorSpec>& specs,
                                                       const Json& rows) {
  if (!rows.is_array())
    return base::fail(Code::kInvalidArgument, "the rows must be a list: " + shown(rows));
  const bool objects = rows.size() > 0 && rows.at(0).is_object() && !rows.at(0).has("b64");
  if (!objects && specs.size() != 1)
    return base::fail(Code::kInvalidArgument,
                      "the model has " + std::to_string(specs.size()) +
                          " inputs: each row must be an object of them",
                      "the model's inputs: " + names_of(specs));
  std::vector<TensorValue> out;
  if (!objects) {
    TRY_ASSIGN(TensorValue tensor, tensor_of_json(specs.front(), rows));
    out.push_back(std::move(tensor));
    return out;
  }
  for (const Json& row : rows.items()) {
    if (!row.is_object())
      return base::fail(Code::kInvalidArgument, "rows must be all objects or all values");
    TRY(check_names(specs, row));
  }
  for (const TensorSpec& spec : specs) {
    Json column = Json::array();
    for (const Json& row : rows.items()) {
      const Json* value = row.find(spec.name);
      if (value == nullptr) return wrong(spec, "a row lacks it");
      column.push(*value);
    }
    TRY_ASSIGN(TensorValue tensor, tensor_of_json(spec, column));
    out.push_back(std::move(tensor));
  }
  return out;
}

base::Result<std::vector<TensorValue>> tensors_of_columns(const std::vector<TensorSpec>& specs,
                                                          const Json& inputs) {
  std::vector<TensorValue> out;
  if (!inputs.is_object() || inputs.has("b64")) {
    if (specs.size() != 1)
      return base::fail(Code::kInvalidArgument,
                        "the model has " + std::to_string(specs.size()) +
                            " inputs: `inputs` must be an object of them",
                        "the model's inputs: " + names_of(specs));
    TRY_ASSIGN(TensorValue tensor, tensor_of_json(specs.front(), inputs));
    out.push_back(std::move(tensor));
    return out;
  }
  TRY(check_names(specs, inputs));
  for (const TensorSpec& spec : specs) {
    const Json* value = inputs.find(spec.name);
    if (value == nullptr) return wrong(spec, "it is not there");
    TRY_ASSIGN(TensorValue tensor, tensor_of_json(spec, *value));
    out.push_back(std::move(tensor));
  }
  return out;
}

}  // namespace maru::api::inference
