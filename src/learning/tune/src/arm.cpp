#include "arm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "maru/base/rng.h"

namespace maru::tune {
namespace {

// The raw columns that the graph asks for; one that training never saw missing must be given.
model::Signature signature_of(const SearchSpec& spec, const transform::FeaturePlan& plan) {
  model::Signature out;
  out.task = spec.labels.task;
  out.classes = spec.labels.classes;
  out.label = spec.label_text;
  model::set_inputs(plan, spec.train, out);
  for (model::Input& input : out.inputs) {
    const data::Column* column = spec.train.find(input.name);
    input.required = column != nullptr && column->missing() == 0;
  }
  return out;
}

std::vector<std::uint32_t> sample_rows(std::size_t rows, std::size_t most, std::uint64_t seed) {
  std::vector<std::uint32_t> out(rows);
  std::iota(out.begin(), out.end(), 0u);
  if (rows <= most) return out;
  base::Rng rng(seed);
  for (std::size_t i = 0; i < most; ++i) std::swap(out[i], out[i + rng.below(rows - i)]);
  out.resize(most);
  std::sort(out.begin(), out.end());
  return out;
}

bool learnable(const train::Labels& labels, double y) {
  return labels.task == model::Task::kRegression
             ? std::isfinite(y)
             : y >= 0 && y < static_cast<double>(labels.classes.size());
}

model::FeatureMatrix take_rows(const model::FeatureMatrix& all,
                               const std::vector<std::uint32_t>& rows) {
  model::FeatureMatrix out;
  out.rows = rows.size();
  out.columns = all.columns;
  out.names = all.names;
  out.values.reserve(rows.size() * all.columns);
  for (std::uint32_t r : rows) {
    const auto from = all.values.begin() + static_cast<std::ptrdiff_t>(r * all.columns);
    out.values.insert(out.values.end(), from, from + static_cast<std::ptrdiff_t>(all.columns));
  }
  return out;
}

std::vector<double> take_values(const std::vector<double>& all,
                                const std::vector<std::uint32_t>& rows) {
  std::vector<double> out;
  for (std::uint32_t r : rows) out.push_back(all[r]);
  return out;
}

}  // namespace

base::Result<std::unique_ptr<Arm>> Arm::make(const std::string& learner, const SearchSpec& spec,
                                             const train::LearnOptions& options) {
  auto out = std::make_unique<Arm>();
  out->learner = learner;
  transform::FitOptions how;
  how.target = train::feature_target(learner);
  const bool wide = how.target == transform::Target::kLinear;
  if (wide)
    how.max_vocabulary = kLinearVocabulary;
  else
    how.min_count = static_cast<std::uint64_t>(
        std::clamp(kTreeValueShare * static_cast<double>(spec.train.rows()), 5.0, 100.0));
  TRY_ASSIGN(out->plan,
             transform::fit_features(spec.train, spec.features, spec.labels.values, how));
  TRY_ASSIGN(out->graph, transform::emit_features(out->plan));
  out->signature = signature_of(spec, out->plan);

  train::Matrix rows, valid;
  const std::size_t width = std::max<std::size_t>(1, out->plan.feature_names.size());
  const std::size_t most =
      wide ? std::max<std::size_t>(1000, kMaxLinearCells / width) : spec.train.rows();
  if (spec.train.rows() > most) {
    const std::vector<std::uint32_t> chosen = sample_rows(spec.train.rows(), most, spec.seed);
    TRY_ASSIGN(rows.features,
               model::run_features(out->graph, out->signature, spec.train.take(chosen)));
    rows.labels = take_values(spec.labels.values, chosen);
  } else {
    TRY_ASSIGN(rows.features, model::run_features(out->graph, out->signature, spec.train));
    rows.labels = spec.labels.values;
  }
  std::vector<std::uint32_t> known;
  for (std::size_t r = 0; r < spec.valid_labels.size(); ++r)
    if (learnable(spec.labels, spec.valid_labels[r]))
      known.push_back(static_cast<std::uint32_t>(r));
  if (known.empty() || spec.valid_labels.size() != spec.valid.rows())
    return base::fail(base::Code::kInvalidArgument,
                      "there are no validation rows with a known label: " +
                          std::to_string(spec.valid.rows()) + " rows",
                      "give the search more rows, or a larger validation share");
  TRY_ASSIGN(const model::FeatureMatrix all_valid,
             model::run_features(out->graph, out->signature, spec.valid));
  if (rows.features.names.empty()) rows.features.names = out->plan.feature_names;
  valid.features = take_rows(all_valid, known);
  valid.labels = take_values(spec.valid_labels, known);
  TRY_ASSIGN(out->prepared, train::Prepared::make(learner, spec.labels, rows, valid, options));
  const std::vector<std::uint32_t> sample =
      sample_rows(rows.features.rows, kTrainSample, spec.seed);
  out->train_sample = take_rows(rows.features, sample);
  out->train_sample_labels = take_values(rows.labels, sample);
  out->valid = std::move(valid.features);
  out->valid_labels = std::move(valid.labels);
  out->space = std::make_unique<Space>(learner, rows.features.rows);
  return out;
}

base::Result<transform::Graph> whole_graph(const Arm& arm, const train::Trained& trained) {
  transform::Graph out = arm.graph;
  TRY(trained.append(out, out.outputs.empty() ? "features" : out.outputs.front().name));
  return out;
}

base::Result<Whole> make_whole(transform::Graph graph, const model::Signature& signature,
                               const data::Table& rows, base::Clock& clock) {
  constexpr std::size_t kCalls = 60, kRows = 20;
  Whole out;
  out.graph = std::move(graph);
  out.signature = signature;
  TRY_ASSIGN(const std::string bytes, model::write_onnx(out.graph, base::Json::object()));
  out.bytes = bytes.size();
  auto native = model::compile_native(out.graph, signature);
  if (native) {
    out.evaluator = std::move(*native);
  } else {
    TRY_ASSIGN(out.evaluator, model::load_onnxruntime(bytes, signature));
  }
  std::vector<model::InputBatch> single(std::min(kRows, rows.rows()));
  for (std::size_t r = 0; r < single.size(); ++r)
    TRY(model::fill_from_table(signature, rows.slice(r, 1), single[r]));
  if (single.empty()) return out;
  model::Predictions answer;
  std::vector<double> taken_us;
  for (std::size_t i = 0; i < kCalls; ++i) {
    const std::int64_t from_ns = clock.monotonic_ns();
    TRY(out.evaluator->predict(single[i % single.size()], answer));
    taken_us.push_back(static_cast<double>(clock.monotonic_ns() - from_ns) / 1000);
  }
  std::nth_element(taken_us.begin(), taken_us.begin() + kCalls / 2, taken_us.end());
  out.latency_us = taken_us[kCalls / 2];
  return out;
}

}  // namespace maru::tune
