#include "explainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace maru::model {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr std::size_t kChunkRows = 64;
constexpr std::int32_t kConstant = -1, kSeveral = -2;  // a feature of no input, of more than one

std::int32_t both(std::int32_t a, std::int32_t b) {
  if (a == kConstant || a == b) return b;
  return b == kConstant ? a : kSeveral;
}

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : 1 - 1 / (1 + std::exp(x)); }

void softmax(std::vector<double>& x) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& v : x) sum += v = std::exp(v - top);
  for (double& v : x) v /= sum;
}

// (f(to) - f(from)) / (to - from), the slope at `from` when they are one.
double mean_slope(double (*f)(double), double (*slope)(double), double from, double to) {
  return std::fabs(to - from) < 1e-9 ? slope(from) : (f(to) - f(from)) / (to - from);
}

}  // namespace

// Follows which input each scratch column comes from, then reads the plan's end backwards.
class Explainer::Finder {
 public:
  explicit Finder(const Plan& plan)
      : plan_(plan), reals_(plan.real_width, kConstant), wholes_(plan.int_width, kConstant) {
    for (const Step& step : plan.steps) follow(step);
  }

  Result<std::vector<Part>> parts() const {
    const Step* end = maker(plan_.model_output);
    if (end != nullptr && end->op == Op::kAdd && is_scaled(end->in[0]) && is_scaled(end->in[1])) {
      std::vector<Part> out;
      for (const Ref& side : end->in) {
        const Step* scaled = maker(side);
        TRY_ASSIGN(Part part, linked(scaled->in[0]));
        part.share = plan_.real_constants[scaled->in[1].offset];
        out.push_back(std::move(part));
      }
      return out;
    }
    TRY_ASSIGN(Part part, linked(plan_.model_output));
    return std::vector<Part>{std::move(part)};
  }

 private:
  // Whether a step's operand `i`, or its answer, is of whole numbers.
  static bool whole_operand(Op op, std::size_t i) {
    if (op == Op::kRealWhere) return i == 0;
    return (op >= Op::kIntAdd && op <= Op::kIntWhere) || op == Op::kIntToReal ||
           op == Op::kIntConcat || op == Op::kIntGather;
  }
  static bool whole_answer(Op op) {
    return op == Op::kIsNan || op == Op::kRealEqual || op == Op::kRealLess ||
           (op >= Op::kIntAdd && op <= Op::kIntWhere) || op == Op::kRealToBool ||
           op == Op::kIntConcat || op == Op::kIntGather || op == Op::kTextIndex;
  }

  std::int32_t source(const Ref& ref, bool whole, std::size_t column) const {
    if (ref.place == Ref::Place::kConstant) return kConstant;
    if (ref.place != Ref::Place::kScratch) return static_cast<std::int32_t>(ref.offset);
    return (whole ? wholes_ : reals_)[ref.offset + (ref.width > 1 ? column : 0)];
  }

  void follow(const Step& step) {
    std::vector<std::int32_t>& out = whole_answer(step.op) ? wholes_ : reals_;
    const std::uint32_t at = step.out.offset;
    if (step.op == Op::kRealConcat || step.op == Op::kIntConcat) {
      std::size_t next = at;
      for (const Ref& ref : step.in)
        for (std::size_t c = 0; c < ref.width; ++c)
          out[next++] = source(ref, step.op == Op::kIntConcat, c);
      return;
    }
    if (step.op == Op::kRealGather || step.op == Op::kIntGather) {
      for (std::size_t c = 0; c < step.picks.size(); ++c)
        out[at + c] = source(step.in[0], step.op == Op::kIntGather, step.picks[c]);
      return;
    }
    const bool mixes = step.op == Op::kSoftmax || step.op == Op::kMatMul || step.op == Op::kForest;
    std::int32_t all = kConstant;
    for (std::size_t c = 0; mixes && c < step.in[0].width; ++c)
      all = both(all, source(step.in[0], false, c));
    for (std::size_t c = 0; c < step.out.width; ++c) {
      std::int32_t from = all;
      for (std::size_t i = 0; !mixes && i < step.in.size(); ++i)
        from = both(from, source(step.in[i], whole_operand(step.op, i), c));
      out[at + c] = from;
    }
  }

  const Step* maker(const Ref& ref) const {
    if (ref.place != Ref::Place::kScratch) return nullptr;
    for (const Step& step : plan_.steps)
      if (!whole_answer(step.op) && step.out.offset == ref.offset) return &step;
    return nullptr;
  }
  bool is_scaled(const Ref& ref) const {
    const Step* step = maker(ref);
    return step != nullptr && step->op == Op::kMul && step->in.size() == 2 &&
           step->in[1].place == Ref::Place::kConstant && step->in[1].width == 1;
  }

  static tl::unexpected<base::Error> unknown() {
    return fail(Code::kUnimplemented,
                "this model cannot be explained: it is neither trees nor weights nor their mix");
  }

  Result<Part> linked(const Ref& ref) const {
    const Step* step = maker(ref);
    if (step == nullptr) return unknown();
    Link link = Link::kNone;
    if (step->op == Op::kSigmoid) link = Link::kSigmoid;
    if (step->op == Op::kSoftmax) link = Link::kSoftmax;
    if (step->op == Op::kExp) link = Link::kExp;
    TRY_ASSIGN(Part part, raw(link == Link::kNone ? ref : step->in[0]));
    part.link = link;
    return part;
  }

  Result<Part> raw(const Ref& ref) const {
    const Step* step = maker(ref);
    if (step == nullptr) return unknown();
    Part out;
    const Step* product = step;
    if (step->op == Op::kForest) {
      const Forest& forest = plan_.forests[step->index];
      if (!forest.why_unexplained().empty())
        return fail(Code::kUnimplemented,
                    "this model cannot be explained: " + forest.why_unexplained(),
                    "train or import it again: newer versions keep what explanations need");
      out.trees = true;
      out.forest = step->index;
      out.base = forest.expected();
    } else {
      if (step->op == Op::kAdd && step->in[1].place == Ref::Place::kConstant) {
        product = maker(step->in[0]);
        for (std::size_t k = 0; k < step->out.width; ++k)
          out.base.push_back(
              plan_.real_constants[step->in[1].offset + (step->in[1].width > 1 ? k : 0)]);
      }
      if (product == nullptr || product->op != Op::kMatMul) return unknown();
      out.base.resize(product->out.width, 0.0);
      out.weights = product->in[1].offset;
    }
    out.features = product->in[0];
    for (std::size_t f = 0; f < out.features.width; ++f) {
      out.columns.push_back(source(out.features, false, f));
      if (out.columns.back() == kSeveral)
        return fail(Code::kUnimplemented,
                    "this model cannot be explained: a feature is made of several columns");
    }
    return out;
  }

  const Plan& plan_;
  std::vector<std::int32_t> reals_, wholes_;
};

struct Explainer::Work {
  std::vector<double> by_feature;  // [output][feature]
  std::vector<double> values;      // [output][column]: of one part and row
  Forest::ExplainScratch forest;
};

Explainer::Explainer(const Plan& plan, std::size_t inputs, const InputBatch* background)
    : width_(plan.model_output.width), columns_(inputs) {
  auto found = Finder(plan).parts();
  if (!found) {
    why_not_ = found.error().message;
    return;
  }
  parts_ = std::move(*found);
  mixed_links_ = parts_.size() > 1 && std::any_of(parts_.begin(), parts_.end(), [](const Part& p) {
                   return p.link != Link::kNone;
                 });
  measure(plan, background);
}

void Explainer::measure(const Plan& plan, const InputBatch* background) {
  for (Part& part : parts_) {
    if (part.trees) continue;
    const std::size_t count = part.features.width;
    part.means.assign(count, 0.0);
    if (background != nullptr && background->rows > 0) {
      std::vector<std::vector<double>> features;
      plan.read(*background, 0, background->rows, {part.features}, features);
      for (std::size_t i = 0; i < features[0].size(); ++i) part.means[i % count] += features[0][i];
      for (double& mean : part.means) mean /= static_cast<double>(background->rows);
    }
    for (std::size_t f = 0; f < count; ++f)
      for (std::size_t k = 0; k < width_; ++k)
        part.base[k] += part.means[f] * plan.real_constants[part.weights + f * width_ + k];
  }
}

void Explainer::explain_row(const Plan& plan, const Part& part, const double* features,
                            Work& work) const {
  const std::size_t count = part.features.width;
  work.by_feature.assign(width_ * count, 0.0);
  if (part.trees) {
    plan.forests[part.forest].explain(features, work.by_feature.data(), work.forest);
  } else {
    for (std::size_t f = 0; f < count; ++f)
      for (std::size_t k = 0; k < width_; ++k)
        work.by_feature[k * count + f] =
            (features[f] - part.means[f]) * plan.real_constants[part.weights + f * width_ + k];
  }
  work.values.assign(width_ * columns_, 0.0);
  for (std::size_t k = 0; k < width_; ++k)
    for (std::size_t f = 0; f < count; ++f)
      if (part.columns[f] >= 0)
        work.values[k * columns_ + static_cast<std::size_t>(part.columns[f])] +=
            work.by_feature[k * count + f];
}

namespace {

// Contributions [output][column] to raw scores become contributions to their softmax: the integral along the line from `base`, of 8 pieces with 8 points
// each; what the sum lacks to the difference of the ends (about 1e-12) goes to each in proportion.
void through_softmax(const std::vector<double>& base, std::size_t columns,
                     std::vector<double>& values) {
  static constexpr std::array<double, 4> kAt = {0.1834346424956498, 0.5255324099163290,
                                                0.7966664774136267, 0.9602898564975363};
  static constexpr std::array<double, 4> kWeight = {0.3626837833783620, 0.3137066458778873,
                                                    0.2223810344533745, 0.1012285362903763};
  constexpr int kPieces = 8;
  const std::size_t width = base.size();
  std::vector<double> change(width, 0.0), p(width), out(values.size(), 0.0);
  for (std::size_t k = 0; k < width; ++k)
    for (std::size_t c = 0; c < columns; ++c) change[k] += values[k * columns + c];
  for (int point = 0; point < kPieces * 8; ++point) {
    const std::size_t i = static_cast<std::size_t>(point % 4);
    const double side = point % 8 < 4 ? 1 : -1, piece = point / 8;
    const double t = (piece + (1 + side * kAt[i]) / 2) / kPieces, weight = kWeight[i] / 2 / kPieces;
    for (std::size_t k = 0; k < width; ++k) p[k] = base[k] + t * change[k];
    softmax(p);
    for (std::size_t c = 0; c < columns; ++c) {
      double mean = 0;
      for (std::size_t k = 0; k < width; ++k) mean += p[k] * values[k * columns + c];
      for (std::size_t k = 0; k < width; ++k)
        out[k * columns + c] += weight * p[k] * (values[k * columns + c] - mean);
    }
  }
  std::vector<double> end(width), begin = base;
  for (std::size_t k = 0; k < width; ++k) end[k] = base[k] + change[k];
  softmax(begin);
  softmax(end);
  for (std::size_t k = 0; k < width; ++k) {
    const auto from = out.begin() + static_cast<std::ptrdiff_t>(k * columns),
               to = from + static_cast<std::ptrdiff_t>(columns);
    const double lack = end[k] - begin[k] - std::accumulate(from, to, 0.0);
    const double size =
        std::accumulate(from, to, 0.0, [](double sum, double v) { return sum + std::fabs(v); });
    if (size > 0) std::for_each(from, to, [&](double& v) { v += lack * std::fabs(v) / size; });
  }
  values = std::move(out);
}

}  // namespace

void Explainer::through_link(const Part& part, std::size_t columns, Work& work) {
  if (part.link == Link::kSoftmax) return through_softmax(part.base, columns, work.values);
  if (part.link == Link::kNone) return;
  for (std::size_t k = 0; k < part.base.size(); ++k) {
    const auto from = work.values.begin() + static_cast<std::ptrdiff_t>(k * columns),
               to = from + static_cast<std::ptrdiff_t>(columns);
    const double base = part.base[k], raw = base + std::accumulate(from, to, 0.0);
    const double slope =
        part.link == Link::kSigmoid
            ? mean_slope(
                  sigmoid, [](double x) { return sigmoid(x) * sigmoid(-x); }, base, raw)
            : mean_slope([](double x) { return std::exp(x); }, [](double x) { return std::exp(x); },
                         base, raw);
    std::for_each(from, to, [slope](double& v) { v *= slope; });
  }
}

Status Explainer::explain(const Plan& plan, const InputBatch& batch, Explanation& out) const {
  if (!why_not_.empty()) return fail(Code::kUnimplemented, why_not_);
  out.rows = batch.rows;
  out.width = width_;
  out.columns = columns_;
  out.base.assign(width_, 0.0);
  out.contributions.assign(batch.rows * width_ * columns_, 0.0);
  const Link link = parts_.front().link;
  out.scale = mixed_links_          ? (link == Link::kExp ? Scale::kValue : Scale::kProbability)
              : link == Link::kNone ? Scale::kValue
              : link == Link::kExp  ? Scale::kLog
                                    : Scale::kLogOdds;
  std::vector<Ref> refs;
  for (const Part& part : parts_) {
    refs.push_back(part.features);
    std::vector<double> base = part.base;
    if (mixed_links_ && part.link == Link::kSoftmax) softmax(base);
    for (std::size_t k = 0; k < width_; ++k) {
      if (mixed_links_ && part.link == Link::kSigmoid) base[k] = sigmoid(base[k]);
      if (mixed_links_ && part.link == Link::kExp) base[k] = std::exp(base[k]);
      out.base[k] += part.share * base[k];
    }
  }
  Work work;
  std::vector<std::vector<double>> features;
  for (std::size_t first = 0; first < batch.rows; first += kChunkRows) {
    const std::size_t rows = std::min(kChunkRows, batch.rows - first);
    plan.read(batch, first, rows, refs, features);
    for (std::size_t i = 0; i < parts_.size(); ++i)
      for (std::size_t r = 0; r < rows; ++r) {
        explain_row(plan, parts_[i], features[i].data() + r * refs[i].width, work);
        if (mixed_links_) through_link(parts_[i], columns_, work);
        double* row = out.contributions.data() + (first + r) * width_ * columns_;
        for (std::size_t j = 0; j < work.values.size(); ++j)
          row[j] += parts_[i].share * work.values[j];
      }
  }
  return {};
}

Status Evaluator::explain(const InputBatch&, Explanation&) const {
  return fail(Code::kUnimplemented,
              "this model cannot be explained: it runs in " + std::string(engine()) +
                  ", which gives only its answers",
              "explained are tree ensembles and linear models that Maru trained or imported");
}

double Explanation::raw(std::size_t row, std::size_t k) const {
  double sum = base[k];
  for (std::size_t c = 0; c < columns; ++c) sum += of(row, k, c);
  return sum;
}

std::string_view scale_name(Scale scale) {
  static constexpr std::array<std::string_view, 4> kNames = {"value", "log_odds", "log",
                                                             "probability"};
  return kNames[static_cast<std::size_t>(scale)];
}

base::Json explanation_json(const Signature& signature, const Explanation& explanation,
                            std::size_t row) {
  const auto of_output = [&](std::size_t k) {
    base::Json contributions = base::Json::object();
    for (std::size_t c = 0; c < explanation.columns && c < signature.inputs.size(); ++c)
      contributions.set(signature.inputs[c].name, explanation.of(row, k, c));
    return base::Json::object({{"base", explanation.base[k]},
                               {"raw_score", explanation.raw(row, k)},
                               {"contributions", std::move(contributions)}});
  };
  base::Json out = base::Json::object({{"scale", scale_name(explanation.scale)}});
  if (explanation.width == 1) {
    const base::Json only = of_output(0);
    for (const auto& [key, value] : only.members()) out.set(key, value);
    return out;
  }
  base::Json classes = base::Json::object();
  for (std::size_t k = 0; k < explanation.width; ++k)
    classes.set(k < signature.classes.size() ? signature.classes[k] : std::to_string(k),
                of_output(k));
  return out.set("classes", std::move(classes));
}

}  // namespace maru::model
