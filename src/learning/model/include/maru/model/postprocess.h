#pragma once
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"
#include "maru/model/model.h"
#include "maru/transform/graph.h"

namespace maru::model {

// What is declared to be done to a model's own score before it is the answer. It becomes part of the graph and of the signature, so every protocol, batch
// prediction and stock `mlflow.pyfunc` give the same numbers. In this order: calibration, unit, clamp, round. As JSON (docs/serving.md):
// {"calibration": "platt" or, once fitted, {"slope", "intercept"}, "unit": {"name", "multiply", "offset"}, "clamp": {"min", "max"}, "round": decimals,
// "threshold": number, "names": {class: name}}; each may be left out.
struct Postprocess {
  enum class Calibration : std::uint8_t {
    kNone,
    kWanted,
    kFitted
  } calibration = Calibration::kNone;
  double slope = 1, intercept = 0;  // kFitted: probability -> sigmoid(slope * log-odds + intercept)
  std::string unit;
  double multiply = 1, offset = 0;
  double low = -std::numeric_limits<double>::infinity(),
         high = std::numeric_limits<double>::infinity();
  int decimals = -1;      // < 0: not rounded; halves go to the even neighbour
  double threshold = -1;  // < 0: as training chose it
  std::vector<std::pair<std::string, std::string>> names;

  // Null and {} declare nothing. kInvalidArgument names the key: unknown ones, bounds the wrong way round, a unit that multiplies by 0, ...
  static base::Result<Postprocess> from_json(const base::Json& json);
  base::Json to_json() const;  // null when nothing is declared
  // Whether it suits a task and its classes: calibration and threshold are for binary ones, units for regression, names for classes that exist.
  base::Status check(Task task, const std::vector<std::string>& classes) const;

  bool changes_scores() const;
  double apply(double score) const;
  void apply(Predictions& predictions) const;
  // Into a graph that ends in `scores`, and into its signature. The graph's own scores keep the name kModelScores.
  base::Status append(transform::Graph& graph, Signature& signature) const;
  // Platt scaling (1999, with his targets) of held-back answers: maximum likelihood by Newton's method. kFailedPrecondition without both classes, or when scores do not rise with them.
  base::Status fit(const std::vector<double>& labels, const Predictions& answers);
};

// Regression answers in the unit of the label, to be judged against it.
void to_label_unit(const Signature& signature, Predictions& predictions);

}  // namespace maru::model
