#include "maru/model/postprocess.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "maru/base/text.h"
#include "plan.h"

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;
using transform::Graph;
using transform::Tensor;

constexpr double kEdge = 1e-12;  // probabilities are held off 0 and 1 by this before their log-odds
constexpr int kMaxDecimals = 12;

tl::unexpected<base::Error> wrong(const std::string& what, std::string hint = {}) {
  return fail(Code::kInvalidArgument, "postprocess: " + what, std::move(hint));
}

Status check_keys(const Json& json, const std::string& where,
                  const std::vector<std::string>& known) {
  if (!json.is_object()) return wrong("`" + where + "` must be a map of keys");
  for (const auto& [key, value] : json.members()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string hint = base::did_you_mean(key, known);
    if (hint.empty()) hint = "known keys: " + base::join(known, ", ");
    return wrong("unknown key `" + key + "` under `" + where + "`", hint);
  }
  return {};
}

Status read_number(const Json& json, const std::string& what, double& out) {
  if (json.is_null()) return {};
  if (!json.is_number() || !std::isfinite(json.as_double()))
    return wrong("`" + what + "` must be a number: " + json.dump());
  out = json.as_double();
  return {};
}

Status read_calibration(const Json& json, Postprocess& out) {
  if (json.is_null()) return {};
  if (json.is_string()) {
    if (json.as_string() != "platt")
      return wrong("unknown calibration: " + json.as_string(), "known: platt");
    out.calibration = Postprocess::Calibration::kWanted;
    return {};
  }
  TRY(check_keys(json, "calibration", {"kind", "slope", "intercept"}));
  TRY(read_number(json["slope"], "calibration.slope", out.slope));
  TRY(read_number(json["intercept"], "calibration.intercept", out.intercept));
  if (!(out.slope > 0)) return wrong("`calibration.slope` must be above 0");
  out.calibration = Postprocess::Calibration::kFitted;
  return {};
}

Status read_unit(const Json& json, Postprocess& out) {
  if (json.is_null()) return {};
  if (json.is_string()) {
    out.unit = json.as_string();
    return {};
  }
  TRY(check_keys(json, "unit", {"name", "multiply", "offset"}));
  out.unit = json["name"].as_string();
  if (out.unit.empty())
    return wrong("`unit` needs a `name`", "unit: {name: seconds, multiply: 60}");
  TRY(read_number(json["multiply"], "unit.multiply", out.multiply));
  TRY(read_number(json["offset"], "unit.offset", out.offset));
  if (out.multiply == 0) return wrong("`unit.multiply` must not be 0");
  return {};
}

Status read_clamp(const Json& json, Postprocess& out) {
  if (json.is_null()) return {};
  TRY(check_keys(json, "clamp", {"min", "max"}));
  TRY(read_number(json["min"], "clamp.min", out.low));
  TRY(read_number(json["max"], "clamp.max", out.high));
  if (!(out.low < out.high))
    return wrong("`clamp.min` must be below `clamp.max`: " + base::format_double(out.low) +
                 " and " + base::format_double(out.high));
  return {};
}

Status read_names(const Json& json, Postprocess& out) {
  if (json.is_null()) return {};
  if (!json.is_object()) return wrong("`names` must be a map of class to name");
  std::set<std::string> seen;
  for (const auto& [of, name] : json.members()) {
    const std::string text = name.is_string() ? name.as_string() : name.dump();
    if (text.empty() || !seen.insert(text).second)
      return wrong("`names` must be texts that differ: " + of + " is `" + text + "`");
    out.names.emplace_back(of, text);
  }
  return {};
}

Tensor scalar(double value) {
  Tensor out;
  out.reals = {value};
  return out;
}

double power_of_ten(int decimals) {
  double out = 1;
  for (int i = 0; i < decimals; ++i) out *= 10;
  return out;
}

// Adds one node at a time behind the last.
class Chain {
 public:
  Chain(Graph& graph, std::string from) : graph_(graph), at_(std::move(from)) {}
  void apply(const char* op, std::vector<double> constants, bool constant_first = false) {
    std::vector<std::string> inputs{at_};
    for (const double value : constants) {
      const std::string name = graph_.constant("answer", scalar(value));
      inputs.insert(constant_first ? inputs.begin() : inputs.end(), name);
    }
    next(op, std::move(inputs));
  }
  void next(const char* op, std::vector<std::string> inputs) {
    at_ = graph_.fresh("answer");
    graph_.add(op, std::move(inputs), {at_});
  }
  const std::string& at() const { return at_; }

 private:
  Graph& graph_;
  std::string at_;
};

}  // namespace

Result<Postprocess> Postprocess::from_json(const Json& json) {
  Postprocess out;
  if (json.is_null()) return out;
  TRY(check_keys(json, "postprocess",
                 {"calibration", "unit", "clamp", "round", "threshold", "names"}));
  TRY(read_calibration(json["calibration"], out));
  TRY(read_unit(json["unit"], out));
  TRY(read_clamp(json["clamp"], out));
  double decimals = -1;
  TRY(read_number(json["round"], "round", decimals));
  if (!json["round"].is_null() &&
      !(decimals >= 0 && decimals <= kMaxDecimals && std::floor(decimals) == decimals))
    return wrong("`round` is a number of decimals from 0 to 12: " + json["round"].dump());
  out.decimals = static_cast<int>(decimals);
  TRY(read_number(json["threshold"], "threshold", out.threshold));
  if (!json["threshold"].is_null() && !(out.threshold >= 0 && out.threshold <= 1))
    return wrong("`threshold` must lie between 0 and 1: " + json["threshold"].dump());
  TRY(read_names(json["names"], out));
  return out;
}

Json Postprocess::to_json() const {
  Json out = Json::object();
  if (calibration == Calibration::kWanted) out.set("calibration", "platt");
  if (calibration == Calibration::kFitted)
    out.set("calibration",
            Json::object({{"kind", "platt"}, {"slope", slope}, {"intercept", intercept}}));
  if (!unit.empty())
    out.set("unit", Json::object({{"name", unit}, {"multiply", multiply}, {"offset", offset}}));
  if (std::isfinite(low) || std::isfinite(high)) {
    Json clamp = Json::object();
    if (std::isfinite(low)) clamp.set("min", low);
    if (std::isfinite(high)) clamp.set("max", high);
    out.set("clamp", std::move(clamp));
  }
  if (decimals >= 0) out.set("round", decimals);
  if (threshold >= 0) out.set("threshold", threshold);
  if (!names.empty()) {
    Json map = Json::object();
    for (const auto& [of, name] : names) map.set(of, name);
    out.set("names", std::move(map));
  }
  return out.size() == 0 ? Json() : out;
}

Status Postprocess::check(Task task, const std::vector<std::string>& classes) const {
  const std::string is = "; this model's task is " + std::string(task_name(task));
  if (task != Task::kBinary && calibration != Calibration::kNone)
    return wrong("`calibration` is for binary tasks" + is);
  if (task != Task::kBinary && threshold >= 0) return wrong("`threshold` is for binary tasks" + is);
  if (task != Task::kRegression && !unit.empty()) return wrong("`unit` is for regression" + is);
  if (task == Task::kMulticlass && (std::isfinite(low) || std::isfinite(high) || decimals >= 0))
    return wrong("`clamp` and `round` would spoil probabilities that sum to 1" + is);
  if (task == Task::kBinary && (low > 1 || high < 0))
    return wrong("`clamp` leaves no probability between 0 and 1");
  if (task == Task::kRegression && !names.empty()) return wrong("`names` are for classes" + is);
  for (const auto& [of, name] : names) {
    if (std::find(classes.begin(), classes.end(), of) != classes.end()) continue;
    std::string hint = base::did_you_mean(of, classes);
    if (hint.empty()) hint = "its classes: " + base::join(classes, ", ");
    return wrong("`names` has a class that the label does not have: " + of, hint);
  }
  std::set<std::string> shown;
  for (const std::string& one : classes) {
    const auto at = std::find_if(names.begin(), names.end(),
                                 [&](const auto& pair) { return pair.first == one; });
    if (!shown.insert(at == names.end() ? one : at->second).second)
      return wrong("`names` gives two classes one name: " + at->second);
  }
  return {};
}

bool Postprocess::changes_scores() const {
  return calibration == Calibration::kFitted || multiply != 1 || offset != 0 ||
         std::isfinite(low) || std::isfinite(high) || decimals >= 0;
}

// The graph's nodes, one for one.
double Postprocess::apply(double score) const {
  if (calibration == Calibration::kFitted) {
    const double p = std::clamp(score, kEdge, 1 - kEdge);
    const double x = std::log(p / (1 - p)) * slope + intercept;
    score = x >= 0 ? 1 / (1 + std::exp(-x)) : 1 - 1 / (1 + std::exp(x));
  }
  if (multiply != 1 || offset != 0) score = score * multiply + offset;
  if (score < low) score = low;
  if (score > high) score = high;
  if (decimals >= 0)
    score = std::nearbyint(score * power_of_ten(decimals)) / power_of_ten(decimals);
  return score;
}

void Postprocess::apply(Predictions& predictions) const {
  if (!changes_scores()) return;
  for (double& score : predictions.scores) score = apply(score);
}

Status Postprocess::append(Graph& graph, Signature& signature) const {
  if (signature.task == Task::kBinary)
    signature.threshold = threshold >= 0 ? threshold : apply(signature.threshold);
  if (!names.empty()) {
    signature.label_values = signature.classes;
    for (std::string& shown : signature.classes)
      for (const auto& [of, name] : names)
        if (of == shown) {
          shown = name;
          break;
        }
  }
  signature.postprocess = to_json();
  if (!changes_scores()) return {};
  bool found = false;
  for (auto& node : graph.nodes)
    for (std::string& output : node.outputs)
      if (output == "scores") {
        output = kModelScores;
        found = true;
      }
  if (!found) return fail(Code::kInternal, "the graph has no `scores` to process");
  Chain chain(graph, kModelScores);
  if (calibration == Calibration::kFitted) {
    chain.apply("Clip", {kEdge, 1 - kEdge});
    const std::string p = chain.at();
    chain.apply("Sub", {1.0}, true);
    chain.next("Div", {p, chain.at()});
    chain.apply("Log", {});
    chain.apply("Mul", {slope});
    chain.apply("Add", {intercept});
    chain.apply("Sigmoid", {});
  }
  if (multiply != 1 || offset != 0) {
    chain.apply("Mul", {multiply});
    chain.apply("Add", {offset});
  }
  if (std::isfinite(low) || std::isfinite(high)) chain.apply("Clip", {low, high});
  if (decimals >= 0) {
    chain.apply("Mul", {power_of_ten(decimals)});
    chain.apply("Round", {});
    chain.apply("Div", {power_of_ten(decimals)});
  }
  graph.nodes.back().outputs = {"scores"};
  return {};
}

Status Postprocess::fit(const std::vector<double>& labels, const Predictions& answers) {
  if (calibration != Calibration::kWanted) return {};
  const std::size_t rows = std::min(labels.size(), answers.scores.size());
  double positives = 0, negatives = 0;
  std::vector<double> x(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    (labels[r] == 1 ? positives : negatives) += 1;
    const double p = std::clamp(answers.scores[r], kEdge, 1 - kEdge);
    x[r] = std::log(p / (1 - p));
  }
  if (positives == 0 || negatives == 0)
    return fail(Code::kFailedPrecondition,
                "the answer cannot be calibrated: the held-back rows are all of one class");
  const double high_target = (positives + 1) / (positives + 2), low_target = 1 / (negatives + 2);
  double a = 1, b = 0;
  for (int step = 0; step < 100; ++step) {
    double ga = 0, gb = 0, aa = 1e-9, ab = 0, bb = 1e-9;
    for (std::size_t r = 0; r < rows; ++r) {
      const double z = a * x[r] + b;
      const double p = z >= 0 ? 1 / (1 + std::exp(-z)) : 1 - 1 / (1 + std::exp(z));
      const double error = p - (labels[r] == 1 ? high_target : low_target), w = p * (1 - p);
      ga += error * x[r];
      gb += error;
      aa += w * x[r] * x[r];
      ab += w * x[r];
      bb += w;
    }
    const double determinant = aa * bb - ab * ab;
    const double da = (bb * ga - ab * gb) / determinant, db = (aa * gb - ab * ga) / determinant;
    // A long step is shortened: the likelihood is concave, so this still arrives.
    const double shrink = std::min(1.0, 2 / std::max(std::fabs(da), std::fabs(db)));
    a -= shrink * da;
    b -= shrink * db;
    if (std::max(std::fabs(da), std::fabs(db)) < 1e-10) break;
  }
  if (!(a > 0) || !std::isfinite(a) || !std::isfinite(b))
    return fail(Code::kFailedPrecondition,
                "the answer cannot be calibrated: the scores do not rise with the label",
                "leave `calibration` out");
  slope = a;
  intercept = b;
  calibration = Calibration::kFitted;
  return {};
}

void to_label_unit(const Signature& signature, Predictions& predictions) {
  const auto post = Postprocess::from_json(signature.postprocess);
  if (!post || (post->multiply == 1 && post->offset == 0)) return;
  for (double& score : predictions.scores) score = (score - post->offset) / post->multiply;
}

}  // namespace maru::model
