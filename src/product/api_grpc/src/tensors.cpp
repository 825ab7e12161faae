#include "tensors.h"

#include <cstring>
#include <limits>

#include "maru/base/text.h"

namespace maru::api_grpc {
namespace {

using base::Code;
using base::Json;
using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using model::Datatype;
using model::TensorValue;

tl::unexpected<base::Error> wrong(std::string message, std::string hint = {}) {
  return base::fail(Code::kInvalidArgument, std::move(message), std::move(hint));
}

std::string named(const std::string& name) { return "input `" + name.substr(0, 200) + "`"; }

Json json_of(const InferParameter& value) {
  switch (value.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return value.bool_param();
    case InferParameter::kInt64Param:
      return static_cast<std::int64_t>(value.int64_param());
    case InferParameter::kStringParam:
      return value.string_param();
    case InferParameter::kDoubleParam:
      return value.double_param();
    case InferParameter::kUint64Param:
      return static_cast<std::uint64_t>(value.uint64_param());
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return nullptr;
}

template <class Parameters>
base::Status no_shared_memory(const Parameters& parameters, const std::string& what) {
  if (parameters.count("shared_memory_region") == 0) return {};
  return base::fail(Code::kUnimplemented, what + " is in shared memory, which is not read here",
                    "send its contents");
}

template <class To, class From>
base::Status append_as(const From& values, TensorValue& tensor) {
  tensor.bytes.reserve(static_cast<std::size_t>(values.size()) * sizeof(To));
  for (const auto value : values) {
    if constexpr (std::is_integral_v<To> &&
                  !std::is_same_v<From, google::protobuf::RepeatedField<bool>>) {
      if (value < std::numeric_limits<To>::min() || value > std::numeric_limits<To>::max())
        return wrong(named(tensor.name) + ", element " + std::to_string(tensor.elements()) +
                     ": expected " + std::string(model::datatype_name(tensor.type)) + ", got " +
                     std::to_string(value));
    }
    const auto fitting = static_cast<To>(value);
    tensor.bytes.append(reinterpret_cast<const char*>(&fitting), sizeof fitting);
  }
  return {};
}

// How many of the fields hold something.
int fields_used(const InferTensorContents& from) {
  return (from.bool_contents_size() > 0 ? 1 : 0) + (from.int_contents_size() > 0 ? 1 : 0) +
         (from.int64_contents_size() > 0 ? 1 : 0) + (from.uint_contents_size() > 0 ? 1 : 0) +
         (from.uint64_contents_size() > 0 ? 1 : 0) + (from.fp32_contents_size() > 0 ? 1 : 0) +
         (from.fp64_contents_size() > 0 ? 1 : 0) + (from.bytes_contents_size() > 0 ? 1 : 0);
}

base::Status read_typed(const InferTensorContents& from, TensorValue& to) {
  switch (to.type) {
    case Datatype::kBool:
      return append_as<std::uint8_t>(from.bool_contents(), to);
    case Datatype::kInt8:
      return append_as<std::int8_t>(from.int_contents(), to);
    case Datatype::kInt16:
      return append_as<std::int16_t>(from.int_contents(), to);
    case Datatype::kInt32:
      return append_as<std::int32_t>(from.int_contents(), to);
    case Datatype::kInt64:
      return append_as<std::int64_t>(from.int64_contents(), to);
    case Datatype::kUint8:
      return append_as<std::uint8_t>(from.uint_contents(), to);
    case Datatype::kUint16:
      return append_as<std::uint16_t>(from.uint_contents(), to);
    case Datatype::kUint32:
      return append_as<std::uint32_t>(from.uint_contents(), to);
    case Datatype::kUint64:
      return append_as<std::uint64_t>(from.uint64_contents(), to);
    case Datatype::kFp32:
      return append_as<float>(from.fp32_contents(), to);
    case Datatype::kFp64:
      return append_as<double>(from.fp64_contents(), to);
    case Datatype::kBytes:
      to.texts.assign(from.bytes_contents().begin(), from.bytes_contents().end());
      return {};
    case Datatype::kFp16:
    case Datatype::kBf16:
      break;
  }
  return wrong(
      named(to.name) + ": " + std::string(model::datatype_name(to.type)) + " has no typed contents",
      "send it in raw_input_contents");
}

base::Status read_input(ModelInferRequest::InferInputTensor& from, std::string* raw,
                        TensorValue& to) {
  if (from.name().empty()) return wrong("an input has no `name`");
  to.name = std::move(*from.mutable_name());
  TRY(no_shared_memory(from.parameters(), named(to.name)));
  TRY_ASSIGN(to.type, model::parse_datatype(from.datatype()));
  to.shape.assign(from.shape().begin(), from.shape().end());
  if (raw != nullptr) {
    if (from.has_contents() && fields_used(from.contents()) > 0)
      return wrong(named(to.name) + " has both `contents` and raw contents");
    return model::fill_raw(*raw, to);
  }
  TRY(read_typed(from.contents(), to));
  TRY(model::check_elements(to));
  if (fields_used(from.contents()) > (to.elements() > 0 ? 1 : 0))
    return wrong(named(to.name) + " has contents that are not of its datatype " + from.datatype());
  return {};
}

template <class T>
T element(const TensorValue& tensor, std::size_t at) {
  T out;
  std::memcpy(&out, tensor.bytes.data() + at * sizeof out, sizeof out);
  return out;
}

template <class From, class Field>
void copy_elements(const TensorValue& from, Field* to) {
  const std::size_t count = from.elements();
  to->Reserve(static_cast<int>(count));
  for (std::size_t i = 0; i < count; ++i) to->Add(element<From>(from, i));
}

void write_typed(const TensorValue& from, InferTensorContents& to) {
  switch (from.type) {
    case Datatype::kBool:
      return copy_elements<std::uint8_t>(from, to.mutable_bool_contents());
    case Datatype::kInt8:
      return copy_elements<std::int8_t>(from, to.mutable_int_contents());
    case Datatype::kInt16:
      return copy_elements<std::int16_t>(from, to.mutable_int_contents());
    case Datatype::kInt32:
      return copy_elements<std::int32_t>(from, to.mutable_int_contents());
    case Datatype::kInt64:
      return copy_elements<std::int64_t>(from, to.mutable_int64_contents());
    case Datatype::kUint8:
      return copy_elements<std::uint8_t>(from, to.mutable_uint_contents());
    case Datatype::kUint16:
      return copy_elements<std::uint16_t>(from, to.mutable_uint_contents());
    case Datatype::kUint32:
      return copy_elements<std::uint32_t>(from, to.mutable_uint_contents());
    case Datatype::kUint64:
      return copy_elements<std::uint64_t>(from, to.mutable_uint64_contents());
    case Datatype::kFp32:
      return copy_elements<float>(from, to.mutable_fp32_contents());
    case Datatype::kFp64:
      return copy_elements<double>(from, to.mutable_fp64_contents());
    case Datatype::kBytes:
      for (const std::string& text : from.texts) to.add_bytes_contents(text);
      return;
    case Datatype::kFp16:
    case Datatype::kBf16:
      return;  // raw
  }
}

bool has_typed_form(const TensorValue& tensor) {
  return tensor.type != Datatype::kFp16 && tensor.type != Datatype::kBf16;
}

// One field of length-delimited text at the front: its tag, one or two bytes of length, the text.
bool take_text(std::string_view& from, char tag, std::string_view& out) {
  if (from.size() < 2 || from[0] != tag) return false;
  std::size_t size = static_cast<unsigned char>(from[1]), at = 2;
  if (size >= 0x80) {
    if (from.size() < 3 || static_cast<unsigned char>(from[2]) >= 0x80) return false;
    size = (size & 0x7fu) | static_cast<std::size_t>(from[2]) << 7u;
    at = 3;
  }
  if (from.size() - at < size) return false;
  out = from.substr(at, size);
  from.remove_prefix(at + size);
  return true;
}

}  // namespace

base::Status read_request(ModelInferRequest& from, model::InferRequest& to) {
  const int raw = from.raw_input_contents_size();
  if (raw != 0 && raw != from.inputs_size())
    return wrong("the request has " + std::to_string(from.inputs_size()) + " inputs and " +
                     std::to_string(raw) + " raw contents",
                 "send raw_input_contents for every input, or for none");
  if (from.inputs_size() == 0) return wrong("request has no `inputs`");
  to.id = from.id();
  if (from.parameters_size() > 0) to.parameters = Json::object();
  for (const auto& [name, value] : from.parameters()) to.parameters.set(name, json_of(value));
  to.binary_outputs = raw > 0 || to.parameters["binary_data_output"].as_bool();
  to.inputs.resize(static_cast<std::size_t>(from.inputs_size()));
  for (int i = 0; i < from.inputs_size(); ++i)
    TRY(read_input(*from.mutable_inputs(i), raw > 0 ? from.mutable_raw_input_contents(i) : nullptr,
                   to.inputs[static_cast<std::size_t>(i)]));
  for (const auto& output : from.outputs()) {
    TRY(no_shared_memory(output.parameters(), "output `" + output.name() + "`"));
    model::WantedOutput& wanted = to.outputs.emplace_back();
    wanted.name = output.name();
    const auto classes = output.parameters().find("classification");
    if (classes != output.parameters().end()) wanted.classes = json_of(classes->second).as_int();
  }
  return model::check_outputs(to.outputs);
}

void write_response(const ModelInferRequest& request, const model::InferRequest& call,
                    const api::InferenceAnswer& done, ModelInferResponse& out) {
  out.set_model_name(request.model_name());
  out.set_model_version(std::to_string(done.answer.version));
  out.set_id(call.id.empty() ? done.answer.id : call.id);
  // Rewards and labels come back by the prediction's own id.
  if (!call.id.empty())
    (*out.mutable_parameters())["prediction_id"].set_string_param(done.answer.id);
  if (done.answer.version == serve::kFallbackVersion)
    (*out.mutable_parameters())["fallback"].set_bool_param(true);
  bool raw = call.binary_outputs;
  for (const TensorValue& tensor : done.outputs) raw = raw || !has_typed_form(tensor);
  for (const TensorValue& tensor : done.outputs) {
    auto& to = *out.add_outputs();
    to.set_name(tensor.name);
    const std::string_view type = model::datatype_name(tensor.type);
    to.set_datatype(type.data(), type.size());
    to.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    if (raw)
      model::append_binary_elements(*out.add_raw_output_contents(), tensor);
    else
      write_typed(tensor, *to.mutable_contents());
  }
}

bool peek_names(std::string_view message, Named& out) {
  constexpr char kModelName = 0x0a, kModelVersion = 0x12;
  if (!take_text(message, kModelName, out.model)) return false;
  // Without a version the next field is another one; a version that comes later is not seen here.
  if (!message.empty() && message.front() == kModelVersion)
    return take_text(message, kModelVersion, out.version);
  return true;
}

}  // namespace maru::api_grpc
