#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <limits>

#include "blend.h"
#include "maru/base/rng.h"
#include "maru/tune/tune.h"

namespace {

using namespace maru;

data::Column column(const char* name, data::ColumnType type) {
  data::Column out;
  out.name = name;
  out.type = type;
  return out;
}

// Numbers with holes, a text with levels, a time, a column of noise; the label follows the first two.
tune::SearchSpec spec_of(std::size_t rows, model::Task task, std::uint64_t seed = 1,
                         double signal = 1) {
  base::Rng rng(seed);
  data::Table table;
  table.columns = {column("x", data::ColumnType::kFloat), column("kind", data::ColumnType::kText),
                   column("when", data::ColumnType::kTimestamp),
                   column("noise", data::ColumnType::kFloat)};
  table.columns[0].valid.assign(rows, 1);
  table.columns[1].dictionary = {"red", "green", "blue"};
  std::vector<double> labels;
  for (std::size_t r = 0; r < rows; ++r) {
    const double x = rng.normal();
    const auto kind = static_cast<std::int32_t>(rng.below(3));
    const bool hole = rng.uniform() < 0.1;
    table.columns[0].reals.push_back(hole ? 0 : x);
    table.columns[0].valid[r] = hole ? 0 : 1;
    table.columns[1].codes.push_back(kind);
    table.columns[2].integers.push_back(1'357'000'000'000'000 +
                                        static_cast<std::int64_t>(r) * 3'600'000'000);
    table.columns[3].reals.push_back(rng.normal());
    const double z = signal * ((hole ? 1.5 : x * x) + (kind == 1 ? 1.0 : 0.0)) + rng.normal();
    if (task == model::Task::kRegression)
      labels.push_back(100 + 10 * z);
    else if (task == model::Task::kMulticlass)
      labels.push_back(z > 2 ? 2 : z > 0.8 ? 1 : 0);
    else
      labels.push_back(z > 1.2 ? 1 : 0);
  }
  tune::SearchSpec out;
  const std::size_t cut = rows * 3 / 4;
  out.train = table.slice(0, cut);
  out.valid = table.slice(cut, rows - cut);
  out.features = {"x", "kind", "when", "noise"};
  out.labels.task = task;
  if (task == model::Task::kBinary) out.labels.classes = {"no", "yes"};
  if (task == model::Task::kMulticlass) out.labels.classes = {"low", "mid", "high"};
  out.labels.values.assign(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(cut));
  out.valid_labels.assign(labels.begin() + static_cast<std::ptrdiff_t>(cut), labels.end());
  out.label_text = "late";
  out.max_trials = 4;
  out.blend = false;
  out.budget_seconds = 60;
  return out;
}

tune::SearchResult must(const tune::SearchSpec& spec) {
  base::Context context;
  auto found = tune::search(spec, context, {});
  REQUIRE_MESSAGE(found.has_value(), found.error().text());
  return std::move(*found);
}

// Time passes by being read: every reading is one `tick`, so a round of trees, which reads it once or twice, has a price.
class TickingClock final : public base::Clock {
 public:
  explicit TickingClock(std::int64_t tick_ns) : tick_ns_(tick_ns) {}
  std::int64_t now_us() const override { return monotonic_ns() / 1000; }
  std::int64_t monotonic_ns() const override { return now_ns_.fetch_add(tick_ns_) + tick_ns_; }

 private:
  std::int64_t tick_ns_;
  mutable std::atomic<std::int64_t> now_ns_{0};
};

std::vector<tune::Fold> two_windows(const tune::SearchSpec& spec) {
  std::vector<tune::Fold> out(2);
  const auto train = static_cast<std::uint32_t>(spec.train.rows()),
             valid = static_cast<std::uint32_t>(spec.valid.rows());
  for (std::uint32_t r = 0; r < train + valid; ++r)
    (r < train ? out[0].train : out[0].valid).push_back(r);
  for (std::uint32_t r = 0; r < train; ++r)
    (r < train - valid ? out[1].train : out[1].valid).push_back(r);
  return out;
}

}  // namespace

TEST_CASE("the search returns a whole model whose answers are its graph's") {
  for (const model::Task task :
       {model::Task::kBinary, model::Task::kMulticlass, model::Task::kRegression}) {
    const tune::SearchSpec spec = spec_of(2000, task);
    const tune::SearchResult found = must(spec);
    CHECK(found.trials.size() == 4);
    CHECK(found.stopped == "max_trials");
    CHECK(found.best.config.learner == "lightgbm");  // x squared is nothing for a line
    CHECK(found.signature.inputs.size() >= 3);
    const auto bytes = model::write_onnx(found.graph, base::Json::object());
    REQUIRE(bytes.has_value());
    const auto evaluator = model::load_onnxruntime(*bytes, found.signature);
    REQUIRE_MESSAGE(evaluator.has_value(), evaluator.error().text());
    model::InputBatch batch;
    REQUIRE(model::fill_from_table(found.signature, spec.valid, batch).has_value());
    model::Predictions answers;
    REQUIRE((*evaluator)->predict(batch, answers).has_value());
    REQUIRE(answers.scores.size() == found.valid_predictions.scores.size());
    double worst = 0;
    for (std::size_t i = 0; i < answers.scores.size(); ++i)
      worst = std::max(worst, std::abs(answers.scores[i] - found.valid_predictions.scores[i]));
    CHECK(worst < 1e-6);
    const std::string metric = evaluate::default_metric(task);
    const auto value =
        evaluate::metric_value(metric, spec.valid_labels, answers, found.signature.threshold);
    CHECK(*value == doctest::Approx(found.trials.front().valid).epsilon(1e-6));
    REQUIRE(found.finalists.size() >= 3);
    CHECK(found.finalists.size() <= 5);
    CHECK(found.finalists.front().trial == found.trials.front().number);
    for (const auto& one : found.finalists) {
      const auto trial = std::find_if(found.trials.begin(), found.trials.end(),
                                      [&one](const auto& t) { return t.number == one.trial; });
      REQUIRE(trial != found.trials.end());
      CHECK(*evaluate::metric_value(metric, one.labels, one.answers, 0.5) ==
            doctest::Approx(trial->valid).epsilon(1e-6));
    }
    for (const auto& trial : found.trials) {
      CHECK(trial.bytes > 0);
      CHECK(trial.latency_us > 0);
      CHECK((evaluate::larger_is_better(metric) ? trial.valid <= found.trials.front().valid
                                                : trial.valid >= found.trials.front().valid));
    }
  }
}

TEST_CASE("both learners are tried, and the line wins where the truth is a line") {
  tune::SearchSpec spec = spec_of(1500, model::Task::kBinary);
  base::Rng rng(8);
  const auto relabel = [&rng](const data::Table& table, std::vector<double>& labels) {
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const double z =
          table.columns[3].reals[r] + (table.columns[1].text(r) == "green" ? 1.0 : 0.0);
      labels[r] = rng.uniform() < 1 / (1 + std::exp(-3 * z)) ? 1 : 0;
    }
  };
  relabel(spec.train, spec.labels.values);
  relabel(spec.valid, spec.valid_labels);
  spec.max_trials = 6;
  spec.metric = "log_loss";
  const tune::SearchResult found = must(spec);
  CHECK(found.best.config.learner == "linear");
  bool trees = false;
  for (const auto& trial : found.trials) trees = trees || trial.config.learner == "lightgbm";
  CHECK(trees);
}

TEST_CASE("a blend is one graph that answers as its parts do") {
  for (const model::Task task :
       {model::Task::kBinary, model::Task::kMulticlass, model::Task::kRegression}) {
    tune::SearchSpec spec = spec_of(800, task);
    spec.learners = {"lightgbm"};
    const tune::SearchResult trees = must(spec);
    spec.learners = {"linear"};
    const tune::SearchResult line = must(spec);
    const auto graph = tune::blend_graphs(trees.graph, line.graph, 0.3);
    REQUIRE(graph.has_value());
    const model::Signature signature = tune::blend_signatures(trees.signature, line.signature);
    const auto bytes = model::write_onnx(*graph, base::Json::object());
    const auto evaluator = model::load_onnxruntime(*bytes, signature);
    REQUIRE_MESSAGE(evaluator.has_value(), evaluator.error().text());
    model::InputBatch batch;
    REQUIRE(model::fill_from_table(signature, spec.valid, batch).has_value());
    model::Predictions answers;
    REQUIRE((*evaluator)->predict(batch, answers).has_value());
    double worst = 0;
    for (std::size_t i = 0; i < answers.scores.size(); ++i) {
      const double expected =
          0.3 * trees.valid_predictions.scores[i] + 0.7 * line.valid_predictions.scores[i];
      worst = std::max(worst,
                       std::abs(answers.scores[i] - expected) / std::max(1.0, std::abs(expected)));
    }
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("the best mix is found") {
  base::Rng rng(3);
  model::Predictions first, second;
  first.task = second.task = model::Task::kRegression;
  first.rows = second.rows = 2000;
  std::vector<double> labels;
  for (int i = 0; i < 2000; ++i) {
    labels.push_back(rng.normal());
    first.scores.push_back(labels.back() + 2 * rng.normal());
    second.scores.push_back(labels.back() + rng.normal());
  }
  // Independent errors with variances 4 and 1: the least squares mix is 1/5 and 4/5.
  const auto mix = tune::choose_blend("rmse", labels, first, second);
  CHECK(mix->first == doctest::Approx(0.2));
  CHECK(mix->value < *evaluate::metric_value("rmse", labels, second, 0));
}

TEST_CASE("a search may end in a blend, and then that is the whole model") {
  tune::SearchSpec spec = spec_of(3000, model::Task::kRegression);
  base::Rng rng(8);
  const auto relabel = [&rng](const data::Table& table, std::vector<double>& labels) {
    // A steep line outside of what the trees saw, and a bend that the line cannot follow.
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const double x = table.columns[0].reals[r];
      labels[r] = 3 * table.columns[3].reals[r] + 1.5 * x * x + 0.3 * rng.normal();
    }
  };
  relabel(spec.train, spec.labels.values);
  relabel(spec.valid, spec.valid_labels);
  spec.blend = true;
  spec.max_trials = 2;
  const tune::SearchResult found = must(spec);
  const bool blended = found.best.config.learner == "blend";
  CHECK(found.trials.size() == (blended ? 3u : 2u));
  CHECK(*evaluate::metric_value("rmse", spec.valid_labels, found.valid_predictions, 0) ==
        doctest::Approx(found.trials.front().valid).epsilon(1e-6));
  if (blended) CHECK_FALSE(found.best.predict({}).has_value());
}

TEST_CASE("same seed, same trials, same model") {
  tune::SearchSpec spec = spec_of(1200, model::Task::kBinary);
  spec.max_trials = 8;
  const tune::SearchResult first = must(spec);
  spec.threads = 1;
  const tune::SearchResult second = must(spec);
  REQUIRE(first.trials.size() == second.trials.size());
  for (std::size_t i = 0; i < first.trials.size(); ++i) {
    CHECK(first.trials[i].config.params == second.trials[i].config.params);
    CHECK(first.trials[i].valid == second.trials[i].valid);
  }
  CHECK(*model::write_onnx(first.graph, base::Json::object()) ==
        *model::write_onnx(second.graph, base::Json::object()));
  CHECK(first.valid_predictions.scores == second.valid_predictions.scores);
  CHECK(first.signature.threshold == second.signature.threshold);
}

TEST_CASE("the budget holds within two percent") {
  tune::SearchSpec spec = spec_of(6000, model::Task::kBinary);
  spec.max_trials = 100'000;
  spec.budget_seconds = 3;
  const tune::SearchResult found = must(spec);
  MESSAGE(found.trials.size(), " trials in ", found.seconds, " s of 3");
  CHECK(found.stopped == "budget");
  CHECK(found.seconds < 3 * 1.02 + 0.6);  // + slow rounds on a busy machine
  CHECK(found.seconds > 3 * 0.85);
}

TEST_CASE("the budget holds on any clock, the last fit included") {
  // From trials that are a hundredth of the budget to trials that are longer than it.
  for (const double tick_s : {0.002, 0.01, 0.05}) {
    tune::SearchSpec spec = spec_of(2000, model::Task::kBinary);
    spec.max_trials = 100'000;
    spec.budget_seconds = 60;
    spec.threads = 1;
    spec.refit = spec.blend = true;
    spec.folds = two_windows(spec);
    TickingClock clock(static_cast<std::int64_t>(tick_s * 1e9));
    base::Context context;
    context.clock = &clock;
    const auto found = tune::search(spec, context, {});
    REQUIRE_MESSAGE(found.has_value(), found.error().text());
    INFO("a reading takes ", tick_s, " s: ", found->trials.size(), " trials");
    CHECK(found->stopped == "budget");
    CHECK(found->refitted);
    CHECK(found->seconds < 60 * 1.02);
    // At 0.05 s a reading, timing one compiled model is 6 s that the end keeps back for a blend.
    CHECK(found->seconds > 60 * (tick_s < 0.05 ? 0.9 : 0.8));
  }
}

TEST_CASE("trials are judged on every fold, and the winner learns again from all rows") {
  tune::SearchSpec spec = spec_of(2000, model::Task::kBinary);
  spec.folds = two_windows(spec);
  const tune::SearchResult judged = must(spec);
  CHECK_FALSE(judged.refitted);
  spec.refit = true;
  const tune::SearchResult found = must(spec);
  CHECK(found.refitted);
  REQUIRE(found.trials.size() == judged.trials.size());
  for (std::size_t i = 0; i < found.trials.size(); ++i)
    CHECK(found.trials[i].valid == judged.trials[i].valid);
  CHECK(found.signature.threshold == judged.signature.threshold);
  // It has seen the validation rows now, so it answers them better than it was judged.
  CHECK(*evaluate::metric_value("roc_auc", spec.valid_labels, found.valid_predictions, 0.5) >
        *evaluate::metric_value("roc_auc", spec.valid_labels, judged.valid_predictions, 0.5));
  REQUIRE(found.baseline != nullptr);
  CHECK(found.baseline->config.learner == "linear");
  CHECK(model::compile_native(found.baseline->graph, found.baseline->signature).has_value());
  spec.threads = 1;
  const tune::SearchResult alone = must(spec);
  CHECK(*model::write_onnx(found.graph, base::Json::object()) ==
        *model::write_onnx(alone.graph, base::Json::object()));
}

TEST_CASE("one long trial is cut at the budget and kept") {
  tune::SearchSpec spec = spec_of(20'000, model::Task::kBinary);
  spec.learners = {"lightgbm"};
  spec.budget_seconds = 0.4;
  const tune::SearchResult found = must(spec);
  CHECK(found.seconds < 1.5);
  CHECK(found.trials.front().valid > 0.6);
}

TEST_CASE("cancelling gives the best so far, or a clear error before the first") {
  tune::SearchSpec spec = spec_of(1500, model::Task::kBinary);
  spec.max_trials = 1000;
  base::Context context;
  spec.on_trial = [&context](const tune::Trial& trial) {
    if (trial.number == 2) context.cancel.cancel();
  };
  const auto found = tune::search(spec, context, {});
  REQUIRE(found.has_value());
  CHECK(found->stopped == "cancelled");
  CHECK(found->trials.size() == 2);
  const auto none = tune::search(spec, context, {});
  CHECK(none.error().code == base::Code::kCancelled);
}

TEST_CASE("the threshold suits the validation rows") {
  const tune::SearchSpec spec = spec_of(2000, model::Task::kBinary);
  const tune::SearchResult found = must(spec);
  const auto chosen = evaluate::metric_value("f1", spec.valid_labels, found.valid_predictions,
                                             found.signature.threshold);
  for (const double other : {0.2, 0.35, 0.5, 0.65})
    CHECK(*chosen >=
          *evaluate::metric_value("f1", spec.valid_labels, found.valid_predictions, other));
}

TEST_CASE("a metric that no learner stops by is still the one that ranks") {
  tune::SearchSpec spec = spec_of(1500, model::Task::kBinary);
  spec.metric = "f1";
  const tune::SearchResult found = must(spec);
  CHECK(*evaluate::metric_value("f1", spec.valid_labels, found.valid_predictions,
                                found.signature.threshold) ==
        doctest::Approx(found.trials.front().valid).epsilon(1e-9));
}

TEST_CASE("nothing to learn is an error that says so") {
  tune::SearchSpec spec = spec_of(400, model::Task::kBinary);
  spec.features = {"flat"};
  for (data::Table* table : {&spec.train, &spec.valid}) {
    data::Column flat = column("flat", data::ColumnType::kFloat);
    flat.reals.assign(table->rows(), 1.0);
    table->columns.push_back(std::move(flat));
  }
  base::Context context;
  const auto found = tune::search(spec, context, {});
  REQUIRE_FALSE(found.has_value());
  CHECK_FALSE(found.error().message.empty());
}

TEST_CASE("bad requests are one clear sentence") {
  base::Context context;
  tune::SearchSpec spec = spec_of(200, model::Task::kBinary);
  spec.metric = "roc_acu";
  CHECK(tune::search(spec, context, {}).error().hint.find("roc_auc") != std::string::npos);
  spec = spec_of(200, model::Task::kBinary);
  spec.budget_seconds = 0;
  CHECK_FALSE(tune::search(spec, context, {}).has_value());
  spec = spec_of(200, model::Task::kBinary);
  spec.valid_labels.assign(spec.valid_labels.size(), -1.0);
  CHECK(tune::search(spec, context, {}).error().text().find("validation") != std::string::npos);
  spec = spec_of(200, model::Task::kBinary);
  spec.learners = {"lightgmb"};
  CHECK(tune::search(spec, context, {}).error().text().find("lightgbm") != std::string::npos);
}

TEST_CASE("small data: a hundred rows, few of one class") {
  tune::SearchSpec spec = spec_of(100, model::Task::kBinary, 3);
  for (double& y : spec.labels.values) y = 0;
  spec.labels.values[3] = spec.labels.values[30] = spec.labels.values[50] = 1;
  spec.valid_labels[2] = 1;
  spec.max_trials = 6;
  base::Context context;
  const auto found = tune::search(spec, context, {});
  if (!found)
    CHECK(found.error().code == base::Code::kFailedPrecondition);
  else
    CHECK(found->valid_predictions.rows == spec.valid.rows());
}
