#include "arm.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "maru/base/rng.h"

namespace maru::tune {
namespace {

// The raw columns that the graph asks for; one that training never saw missing must be given.
model::Signature signature_of(const SearchSpec& spec, const data::Table& rows,
                              const transform::FeaturePlan& plan) {
  model::Signature out;
  out.task = spec.labels.task;
  out.classes = spec.labels.classes;
  out.label = spec.label_text;
  model::set_inputs(plan, rows, out);
  for (model::Input& input : out.inputs) {
    const data::Column* column = rows.find(input.name);
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

// One table's rows after another's; both come from one source, so only dictionaries may differ.
data::Table joined(const data::Table& first, const data::Table& second) {
  data::Table out = first;
  for (data::Column& column : out.columns) {
    const data::Column* more = second.find(column.name);
    if (more == nullptr) continue;
    const std::size_t before = column.rows(), count = more->rows();
    if (!column.valid.empty() || !more->valid.empty()) {
      column.valid.resize(before, 1);
      for (std::size_t r = 0; r < count; ++r) column.valid.push_back(more->is_valid(r) ? 1 : 0);
    }
    column.integers.insert(column.integers.end(), more->integers.begin(), more->integers.end());
    column.reals.insert(column.reals.end(), more->reals.begin(), more->reals.end());
    if (column.dictionary == more->dictionary) {
      column.codes.insert(column.codes.end(), more->codes.begin(), more->codes.end());
      continue;
    }
    std::map<std::string, std::int32_t> places;
    for (std::size_t i = 0; i < column.dictionary.size(); ++i)
      places.emplace(column.dictionary[i], static_cast<std::int32_t>(i));
    for (const std::int32_t code : more->codes) {
      if (code < 0) {
        column.codes.push_back(code);
        continue;
      }
      const std::string& value = more->dictionary[static_cast<std::size_t>(code)];
      const auto [at, fresh] =
          places.emplace(value, static_cast<std::int32_t>(column.dictionary.size()));
      if (fresh) column.dictionary.push_back(value);
      column.codes.push_back(at->second);
    }
  }
  return out;
}

std::vector<double> all_labels(const SearchSpec& spec) {
  std::vector<double> out = spec.labels.values;
  out.insert(out.end(), spec.valid_labels.begin(), spec.valid_labels.end());
  return out;
}

std::vector<std::uint32_t> learnable_rows(const train::Labels& labels,
                                          const std::vector<double>& values,
                                          const std::vector<std::uint32_t>& rows) {
  std::vector<std::uint32_t> out;
  for (const std::uint32_t r : rows)
    if (learnable(labels, values[r])) out.push_back(r);
  return out;
}

// The linear learner's features are dense: beyond its limit it learns from a sample.
base::Result<train::Matrix> learning_matrix(const ArmFold& fold, const SearchSpec& spec,
                                            const ArmRows& rows, bool wide) {
  train::Matrix out;
  const std::size_t width = std::max<std::size_t>(1, fold.plan.feature_names.size());
  const std::size_t most =
      wide ? std::max<std::size_t>(1000, kMaxLinearCells / width) : rows.train.rows();
  if (rows.train.rows() > most) {
    const std::vector<std::uint32_t> chosen = sample_rows(rows.train.rows(), most, spec.seed);
    TRY_ASSIGN(out.features,
               model::run_features(fold.graph, fold.signature, rows.train.take(chosen)));
    out.labels = take_values(rows.train_labels, chosen);
  } else {
    TRY_ASSIGN(out.features, model::run_features(fold.graph, fold.signature, rows.train));
    out.labels = rows.train_labels;
  }
  if (out.features.names.empty()) out.features.names = fold.plan.feature_names;
  return out;
}

}  // namespace

void each(base::Pool* pool, std::size_t count, const std::function<void(std::size_t)>& body) {
  if (pool != nullptr) return pool->parallel_for(count, body);
  for (std::size_t i = 0; i < count; ++i) body(i);
}

std::vector<ArmRows> fold_rows(const SearchSpec& spec) {
  std::vector<ArmRows> out;
  if (spec.folds.size() <= 1) {
    out.push_back({spec.train, spec.valid, spec.labels.values, spec.valid_labels});
    return out;
  }
  const data::Table all = joined(spec.train, spec.valid);
  const std::vector<double> labels = all_labels(spec);
  for (const Fold& fold : spec.folds) {
    const std::vector<std::uint32_t> learned = learnable_rows(spec.labels, labels, fold.train);
    out.push_back({all.take(learned), all.take(fold.valid), take_values(labels, learned),
                   take_values(labels, fold.valid)});
  }
  return out;
}

ArmRows all_rows(const SearchSpec& spec) {
  const std::vector<double> labels = all_labels(spec);
  std::vector<std::uint32_t> rows(labels.size());
  std::iota(rows.begin(), rows.end(), 0u);
  rows = learnable_rows(spec.labels, labels, rows);
  ArmRows out;
  out.train = joined(spec.train, spec.valid);
  if (rows.size() < labels.size()) out.train = out.train.take(rows);
  out.train_labels = take_values(labels, rows);
  return out;
}

base::Result<ArmFold> ArmFold::make(const std::string& learner, const SearchSpec& spec,
                                    const ArmRows& given, const train::LearnOptions& options) {
  const base::Clock& clock =
      options.context != nullptr ? *options.context->clock : base::system_clock();
  const std::int64_t from_ns = clock.monotonic_ns();
  ArmFold out;
  transform::FitOptions how;
  how.target = train::feature_target(learner);
  const bool wide = how.target == transform::Target::kLinear;
  if (wide)
    how.max_vocabulary = kLinearVocabulary;
  else
    how.min_count = static_cast<std::uint64_t>(
        std::clamp(kTreeValueShare * static_cast<double>(given.train.rows()), 5.0, 100.0));
  TRY_ASSIGN(out.plan,
             transform::fit_features(given.train, spec.features, given.train_labels, how));
  TRY_ASSIGN(out.graph, transform::emit_features(out.plan));
  out.signature = signature_of(spec, given.train, out.plan);
  TRY_ASSIGN(const train::Matrix rows, learning_matrix(out, spec, given, wide));
  out.rows = rows.features.rows;
  out.given_rows = given.train.rows();
  out.judged_rows = given.valid.rows();
  train::Matrix valid;
  valid.features.columns = rows.features.columns;
  if (given.valid.rows() > 0) {
    std::vector<std::uint32_t> known;
    for (std::size_t r = 0; r < given.valid_labels.size(); ++r)
      if (learnable(spec.labels, given.valid_labels[r]))
        known.push_back(static_cast<std::uint32_t>(r));
    TRY_ASSIGN(const model::FeatureMatrix all_valid,
               model::run_features(out.graph, out.signature, given.valid));
    valid.features = take_rows(all_valid, known);
    valid.labels = take_values(given.valid_labels, known);
  }
  TRY_ASSIGN(out.prepared, train::Prepared::make(learner, spec.labels, rows, valid, options));
  const std::vector<std::uint32_t> sample =
      sample_rows(rows.features.rows, kTrainSample, spec.seed);
  out.train_sample = take_rows(rows.features, sample);
  out.train_sample_labels = take_values(rows.labels, sample);
  out.valid = std::move(valid.features);
  out.valid_labels = std::move(valid.labels);
  out.prepare_s = static_cast<double>(clock.monotonic_ns() - from_ns) / 1e9;
  return out;
}

double ArmFold::prepare_again_s(std::size_t all_rows) const {
  const std::size_t seen = std::max<std::size_t>(1, given_rows + judged_rows);
  return prepare_s * static_cast<double>(all_rows) / static_cast<double>(seen);
}

base::Result<std::unique_ptr<Arm>> Arm::make(const std::string& learner, const SearchSpec& spec,
                                             const std::vector<ArmRows>& folds,
                                             const train::LearnOptions& options, base::Pool* pool) {
  auto out = std::make_unique<Arm>();
  out->learner = learner;
  std::vector<base::Result<ArmFold>> made(
      folds.size(),
      tl::unexpected<base::Error>(base::Error{base::Code::kInternal, "not made", "", nullptr}));
  each(pool, folds.size(),
       [&](std::size_t k) { made[k] = ArmFold::make(learner, spec, folds[k], options); });
  for (base::Result<ArmFold>& fold : made) {
    if (!fold) return tl::unexpected<base::Error>(fold.error());
    out->folds.push_back(std::move(*fold));
  }
  out->space = std::make_unique<Space>(learner, out->folds.front().rows);
  return out;
}

base::Result<transform::Graph> whole_graph(const ArmFold& fold, const train::Trained& trained) {
  transform::Graph out = fold.graph;
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
