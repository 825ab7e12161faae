#include "inference/explained.h"

#include <cstring>

#include "maru/model/tensor.h"

namespace maru::api {

bool may_explain(std::string_view body) {
  static constexpr std::string_view kWord = "explain";
  return memmem(body.data(), body.size(), kWord.data(), kWord.size()) != nullptr;
}

namespace inference {
namespace {

using base::Code;
using model::TensorValue;

// Asked before anything is answered.
base::Status check_explainable(const Services& s, std::string_view name,
                               const serve::CallOptions& options) {
  TRY_ASSIGN(const serve::Answer chosen, s.server->choose(name, options));
  model::InputBatch none;
  none.reset(chosen.bundle->signature(), 0);
  model::Explanation nothing;
  return chosen.bundle->evaluator().explain(none, nothing);
}

base::Status check_rows(std::size_t rows) {
  if (rows <= kMaxExplainedRows) return {};
  return base::fail(
      Code::kTooLarge, "too many rows to explain in one call: " + std::to_string(rows),
      "send at most " + std::to_string(kMaxExplainedRows) + ", or leave `explain` out");
}

TensorValue numbers(const char* name, std::vector<std::int64_t> shape,
                    const std::vector<double>& values) {
  TensorValue out;
  out.name = name;
  out.type = model::Datatype::kFp64;
  out.shape = std::move(shape);
  out.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
  return out;
}

}  // namespace

base::Result<Explained> explain_rows(const Services& s, std::string_view name,
                                     const serve::CallOptions& options,
                                     const serve::Server::Fill& fill) {
  TRY(check_explainable(s, name, options));
  model::InputBatch rows;
  serve::CallOptions call = options;
  call.rows = &rows;
  Explained out;
  TRY_ASSIGN(out.answer,
             s.server->predict(
                 name, call,
                 [&](const model::Signature& signature, model::InputBatch& batch) -> base::Status {
                   TRY(fill(signature, batch));
                   return check_rows(batch.rows);
                 },
                 out.predictions));
  TRY(out.answer.bundle->evaluator().explain(rows, out.explanation));
  return out;
}

base::Result<serve::Answer> explain_tensors(const Services& s, std::string_view name,
                                            const serve::CallOptions& options,
                                            const model::InferRequest& call,
                                            std::vector<TensorValue>& out) {
  TRY_ASSIGN(Explained explained,
             explain_rows(s, name, options,
                          [&](const model::Signature& signature, model::InputBatch& batch) {
                            return model::fill_from_tensors(signature, call.inputs, batch);
                          }));
  const model::Signature& signature = explained.answer.bundle->signature();
  out = model::answer_tensors(signature, explained.predictions);
  std::vector<std::string> wanted;
  for (const auto& output : call.outputs) wanted.push_back(output.name);
  TRY(model::select_outputs(wanted, out));
  const model::Explanation& e = explained.explanation;
  const auto rows = static_cast<std::int64_t>(e.rows), width = static_cast<std::int64_t>(e.width),
             columns = static_cast<std::int64_t>(e.columns);
  out.push_back(numbers("explain.contributions",
                        width == 1 ? std::vector{rows, columns} : std::vector{rows, width, columns},
                        e.contributions));
  out.push_back(numbers("explain.base", {width}, e.base));
  TensorValue& names = out.emplace_back();
  names.name = "explain.columns";
  names.type = model::Datatype::kBytes;
  names.shape = {columns};
  for (const auto& input : signature.inputs) names.texts.push_back(input.name);
  return std::move(explained.answer);
}

base::Json explanations_json(const Explained& explained) {
  base::Json out = base::Json::array();
  for (std::size_t row = 0; row < explained.explanation.rows; ++row)
    out.push(
        model::explanation_json(explained.answer.bundle->signature(), explained.explanation, row));
  return out;
}

}  // namespace inference
}  // namespace maru::api
