#include <cmath>

#include "maru/model/model.h"

namespace maru::model {

using base::Json;

std::size_t predicted_class(const Signature& signature, const Predictions& predictions,
                            std::size_t row) {
  if (signature.task == Task::kRegression) return 0;
  if (signature.task == Task::kBinary) return predictions.score(row) >= signature.threshold ? 1 : 0;
  std::size_t best = 0;
  for (std::size_t k = 1; k < predictions.width; ++k)
    if (predictions.score(row, k) > predictions.score(row, best)) best = k;  // the first of equals
  return best;
}

namespace {

const std::string& class_name(const Signature& signature, std::size_t k) {
  static const std::string kNone;
  return k < signature.classes.size() ? signature.classes[k] : kNone;
}

}  // namespace

base::Json prediction_json(const Signature& signature, const Predictions& predictions,
                           std::size_t row) {
  if (signature.task == Task::kRegression) return predictions.score(row);
  Json out = Json::object(
      {{"prediction", class_name(signature, predicted_class(signature, predictions, row))}});
  if (signature.task == Task::kBinary) {
    out.set("probability", predictions.score(row));
    return out;
  }
  Json all = Json::object();
  for (std::size_t k = 0; k < predictions.width; ++k)
    all.set(class_name(signature, k), predictions.score(row, k));
  out.set("probabilities", std::move(all));
  return out;
}

void append_prediction_json(std::string& out, const Signature& signature,
                            const Predictions& predictions, std::size_t row) {
  if (signature.task == Task::kRegression)
    return base::append_json_number(out, predictions.score(row));
  out += "{\"prediction\":";
  base::append_json_string(out,
                           class_name(signature, predicted_class(signature, predictions, row)));
  if (signature.task == Task::kBinary) {
    out += ",\"probability\":";
    base::append_json_number(out, predictions.score(row));
    out += '}';
    return;
  }
  out += ",\"probabilities\":{";
  for (std::size_t k = 0; k < predictions.width; ++k) {
    if (k > 0) out += ',';
    base::append_json_string(out, class_name(signature, k));
    out += ':';
    base::append_json_number(out, predictions.score(row, k));
  }
  out += "}}";
}

}  // namespace maru::model
