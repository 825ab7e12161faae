#pragma once
#include <string>

#include "maru/api/inference.h"
#include "maru/model/explain.h"

// Predictions with what each column added to them, for the protocols that can ask for it.
namespace maru::api::inference {

inline constexpr std::size_t kMaxExplainedRows =
    1000;  // of one call: a row takes up to a millisecond

struct Explained {
  serve::Answer answer;
  model::Predictions predictions;
  model::Explanation explanation;
};
// predict() and the explanation of what it was asked. A model that cannot be explained is told (kUnimplemented) before anything is predicted or logged.
base::Result<Explained> explain_rows(const Services& services, std::string_view name,
                                     const serve::CallOptions& options,
                                     const serve::Server::Fill& fill);

// The same for tensors: the outputs are followed by explain.contributions [rows, columns] (of several classes [rows, classes, columns]), explain.base [outputs]
// and explain.columns [columns].
base::Result<serve::Answer> explain_tensors(const Services& services, std::string_view name,
                                            const serve::CallOptions& options,
                                            const model::InferRequest& call,
                                            std::vector<model::TensorValue>& out);

// One explanation a row, as a list.
base::Json explanations_json(const Explained& explained);

}  // namespace maru::api::inference
