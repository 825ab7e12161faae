#include "tensor_order.h"

#include <algorithm>

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

bool shape_fits(const std::vector<std::int64_t>& given, const std::vector<std::int64_t>& wanted) {
  if (wanted.empty() || given.size() != wanted.size()) return given.size() == wanted.size();
  for (std::size_t i = 0; i < given.size(); ++i)
    if (wanted[i] >= 0 && given[i] != wanted[i]) return false;
  return true;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t extent : shape)
    out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + "]";
}

}  // namespace

Result<std::vector<const TensorValue*>> order_inputs(const std::vector<TensorSpec>& specs,
                                                     const std::vector<TensorValue>& tensors) {
  std::vector<const TensorValue*> out(specs.size(), nullptr);
  for (const TensorValue& tensor : tensors) {
    const auto at = std::find_if(specs.begin(), specs.end(),
                                 [&](const TensorSpec& spec) { return spec.name == tensor.name; });
    if (at == specs.end())
      return fail(Code::kInvalidArgument, "unknown input `" + tensor.name + "`",
                  "the model's inputs: " + names_of(specs));
    const TensorValue*& place = out[static_cast<std::size_t>(at - specs.begin())];
    if (place != nullptr)
      return fail(Code::kInvalidArgument, "input `" + tensor.name + "` comes twice");
    if (tensor.type != at->type)
      return fail(Code::kInvalidArgument,
                  "input `" + tensor.name + "` is " + std::string(datatype_name(tensor.type)) +
                      ", the model wants " + std::string(datatype_name(at->type)));
    if (!shape_fits(tensor.shape, at->shape))
      return fail(Code::kInvalidArgument, "input `" + tensor.name + "` has shape " +
                                              shape_text(tensor.shape) + ", the model wants " +
                                              shape_text(at->shape));
    place = &tensor;
  }
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i] == nullptr)
      return fail(Code::kInvalidArgument, "input `" + specs[i].name + "` is not there",
                  "the model's inputs: " + names_of(specs));
  return out;
}

Status select_outputs(const std::vector<std::string>& wanted, std::vector<TensorValue>& tensors) {
  if (wanted.empty()) return {};
  std::vector<TensorValue> out;
  for (const std::string& name : wanted) {
    const auto at = std::find_if(tensors.begin(), tensors.end(),
                                 [&](const auto& tensor) { return tensor.name == name; });
    if (at == tensors.end()) {
      return fail(Code::kInvalidArgument, "unknown output `" + name + "`",
                  "the model's outputs: " + names_of(tensors));
    }
    out.push_back(*at);
  }
  tensors = std::move(out);
  return {};
}

}  // namespace maru::model
