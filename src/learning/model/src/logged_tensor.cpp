#include "maru/model/logged_tensor.h"

#include <algorithm>
#include <cmath>

#include "maru/base/text.h"
#include "maru/model/open_inference.h"

namespace maru::model {
namespace {

using base::Code;
using base::Json;

bool fits_json(const TensorValue& tensor) {
  switch (tensor.type) {
    case Datatype::kFp16:
    case Datatype::kBf16:
      return false;
    case Datatype::kBytes:
      return std::all_of(tensor.texts.begin(), tensor.texts.end(),
                         [](const std::string& text) { return base::is_valid_utf8(text); });
    case Datatype::kFp32:
    case Datatype::kFp64:
      for (std::size_t at = 0; at < tensor.elements(); ++at) {
        const double value = element_as_double(tensor, at);
        if (!std::isfinite(value) || (value == 0 && std::signbit(value))) return false;
      }
      return true;
    default:
      return true;
  }
}

}  // namespace

std::size_t logged_tensor_bytes(const TensorValue& tensor) {
  std::size_t out =
      40 + tensor.bytes.size() / std::max<std::size_t>(1, datatype_size(tensor.type)) * 2;
  for (const std::string& text : tensor.texts) out += text.size() + 3;
  return out;
}

std::string logged_tensor(const TensorValue& tensor) {
  std::string out = R"({"datatype":")" + std::string(datatype_name(tensor.type)) + R"(","shape":[)";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i)
    out += (i == 0 ? "" : ",") + std::to_string(tensor.shape[i]);
  if (fits_json(tensor)) {
    out += R"(],"data":[)";
    append_json_elements(out, tensor, false);
    return out + "]}";
  }
  std::string bytes;
  append_binary_elements(bytes, tensor);
  return out + R"(],"b64":")" + base::base64(bytes) + "\"}";
}

base::Result<TensorValue> parse_logged_tensor(std::string name, std::string_view text) {
  TRY_ASSIGN(const Json json, base::parse_json(text));
  const auto broken = [&](const char* why) {
    return base::fail(Code::kDataLoss, "logged tensor `" + name + "` " + why);
  };
  TensorValue out;
  out.name = name;
  TRY_ASSIGN(out.type, parse_datatype(json["datatype"].as_string()));
  for (const Json& extent : json["shape"].items()) out.shape.push_back(extent.as_int(-1));
  TRY_ASSIGN(const std::size_t elements, element_count(name, out.shape));
  if (json["b64"].is_string()) {
    const auto bytes = base::from_base64(json["b64"].as_string());
    if (!bytes) return broken("is not base64");
    TRY(fill_raw(*bytes, out));
    return out;
  }
  if (json["data"].size() != elements) return broken("has another number of elements");
  const Json request =
      Json::object({{"inputs", Json::array({Json::object({{"name", name},
                                                          {"datatype", json["datatype"]},
                                                          {"shape", json["shape"]},
                                                          {"data", json["data"]}})})}});
  InferRequest read;
  const std::string body = request.dump();
  TRY(parse_infer_request(body, body.size(), read));
  if (read.inputs.size() != 1) return broken("cannot be read");
  return std::move(read.inputs.front());
}

}  // namespace maru::model
