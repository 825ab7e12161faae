#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "blend.h"
#include "candidate.h"
#include "maru/base/rng.h"
#include "maru/base/text.h"

namespace maru::tune {
namespace {

using base::Code;
using base::fail;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kConvergedAfter = 60;  // fruitless trials of a search over the linear learner alone
constexpr int kMostFailures = 3;     // of one learner in a row, before it is given up
constexpr double kSmallestShare =
    0.008;  // of the budget: with less left no further trial is started
constexpr std::size_t kLeaders = 3;
constexpr std::size_t kBlendLooks = 20'000;  // validation rows up to which nine mixes cost little
// Cells (rows x columns) for each second of the budget: above, the trials have one fold each, so that there are several.
constexpr double kCellsASecond = 300'000;

class Search {
 public:
  Search(const SearchSpec& spec, base::Context& context, const base::ProgressSink& progress)
      : spec_(spec),
        outer_(context),
        context_(context),
        progress_(progress),
        clock_(*context.clock),
        rng_(spec.seed),
        pool_(spec.threads > 1
                  ? std::make_unique<base::Pool>(base::PoolOptions{"search", spec.threads - 1, 64})
                  : nullptr) {
    start_ns_ = clock_.monotonic_ns();
    metric_ = spec.metric.empty() ? evaluate::default_metric(spec.labels.task) : spec.metric;
    learners_ =
        spec.learners.empty() ? std::vector<std::string>{"lightgbm", "linear"} : spec.learners;
  }

  base::Result<SearchResult> run() {
    TRY(check());
    rows_ = fold_rows(spec_);
    const auto cells = static_cast<double>(spec_.train.rows() * spec_.features.size());
    if (cells > kCellsASecond * spec_.budget_seconds) rows_.resize(1);
    while (stopped_.empty()) TRY(one_trial());
    return finish();
  }

 private:
  base::Status check() const {
    if (spec_.budget_seconds <= 0)
      return fail(Code::kInvalidArgument, "the budget must be above 0 seconds: " +
                                              base::format_double(spec_.budget_seconds));
    if (spec_.max_trials < 1)
      return fail(Code::kInvalidArgument, "at least one trial is needed: max_trials is " +
                                              std::to_string(spec_.max_trials));
    if (spec_.labels.values.size() != spec_.train.rows() || spec_.train.rows() == 0)
      return fail(Code::kInvalidArgument, "labels and training rows differ in number: " +
                                              std::to_string(spec_.labels.values.size()) + " and " +
                                              std::to_string(spec_.train.rows()));
    const auto learnable = [this](double y) {
      return spec_.labels.task == model::Task::kRegression
                 ? std::isfinite(y)
                 : y >= 0 && y < static_cast<double>(spec_.labels.classes.size());
    };
    if (spec_.valid_labels.size() != spec_.valid.rows() ||
        std::none_of(spec_.valid_labels.begin(), spec_.valid_labels.end(), learnable))
      return fail(Code::kInvalidArgument,
                  "there are no validation rows with a known label: " +
                      std::to_string(spec_.valid.rows()) + " rows",
                  "give the search more rows, or a larger validation share");
    const std::vector<std::string> known = evaluate::metric_names(spec_.labels.task);
    if (std::find(known.begin(), known.end(), metric_) == known.end()) {
      std::string hint = base::did_you_mean(metric_, known);
      if (hint.empty()) hint = "known: " + base::join(known, ", ");
      return fail(Code::kInvalidArgument,
                  "unknown metric for a " + std::string(model::task_name(spec_.labels.task)) +
                      " task: " + metric_,
                  hint);
    }
    return {};
  }

  double elapsed_s() const { return static_cast<double>(clock_.monotonic_ns() - start_ns_) / 1e9; }
  double loss_of(double value) const {
    return evaluate::larger_is_better(metric_) ? -value : value;
  }
  // Time for trials: what making the final model takes is kept back.
  double left_s() const { return spec_.budget_seconds - reserve_s_ - elapsed_s(); }

  void report(const std::string& detail) {
    if (progress_) progress_({"search", std::min(1.0, elapsed_s() / spec_.budget_seconds), detail});
  }

  // Learners in turn while they have untried defaults (the first gets two starts), then mostly the one that leads.
  std::string next_learner() {
    for (const std::string& learner : learners_) {
      if (arms_.count(learner) == 0) return learner;
    }
    std::vector<std::string> open;
    for (const std::string& learner : learners_)
      if (arms_[learner] != nullptr && failures_[learner] < kMostFailures) open.push_back(learner);
    if (open.empty()) return "";
    const auto loss = [this](const std::string& learner) {
      const double best = arms_[learner]->space->best_loss();
      return std::isnan(best) ? std::numeric_limits<double>::infinity() : best;
    };
    std::string leader = open.front();
    for (const std::string& learner : open)
      if (loss(learner) < loss(leader)) leader = learner;
    const double draw = rng_.uniform();
    const std::string other = open[rng_.below(open.size())];
    // The line has little to gain from a longer search, the trees much.
    const bool line_had_its_share = trials_of_["linear"] * 3 > number_ && open.front() != leader;
    if (open.size() > 1 && leader == "linear" && line_had_its_share) return open.front();
    return open.size() == 1 || draw < 0.85 ? leader : other;
  }

  // More rounds where one costs little and says little.
  int patience() const {
    return spec_.train.rows() < 10'000 ? 100 : spec_.train.rows() < 200'000 ? 50 : 30;
  }

  base::Result<Arm*> arm_of(const std::string& learner) {
    const auto at = arms_.find(learner);
    if (at != arms_.end()) return at->second.get();
    report("preparing features for " + learner);
    auto made = Arm::make(learner, spec_, rows_, options(), pool_.get());
    if (!made) {
      arms_[learner] = nullptr;
      return tl::unexpected<base::Error>(made.error());
    }
    return (arms_[learner] = std::move(*made)).get();
  }

  train::LearnOptions options() {
    train::LearnOptions out;
    out.threads = spec_.train.rows() * spec_.features.size() <= kOneThreadCells ? 1 : spec_.threads;
    out.seed = spec_.seed;
    // Trees stop by the smooth log loss even when an area ranks them: the area's best round is often a lucky early one.
    out.metric = spec_.labels.task == model::Task::kRegression ? metric_ : "log_loss";
    out.early_stopping_rounds = patience();
    out.context = &context_;
    return out;
  }

  // Only one fold speaks: reports come from one thread.
  train::LearnOptions speaking(const std::string& learner) {
    train::LearnOptions out = options();
    out.progress = [this, learner](const base::Progress& p) {
      report("trial " + std::to_string(number_) + ", " + learner + ", " + p.detail);
    };
    return out;
  }

  // How long the next trial may take. It may become the best, and then the last fit takes it once more.
  double allowed_s(const Arm* arm) const {
    // While learners wait for their first trial, none may take all the time.
    std::size_t waiting = 0;
    for (const std::string& learner : learners_) waiting += arms_.count(learner) == 0 ? 1 : 0;
    const double mine_s = left_s() * (waiting > 0 ? 0.5 : 1.0);
    if (!spec_.refit) return mine_s;
    const double prepare_s =
        arm == nullptr ? 0 : arm->folds.front().prepare_again_s(learned_rows());
    return std::min(mine_s, (left_s() + fits_s_ - prepare_s) / (1 + again_));
  }

  void set_deadline(const Arm* arm) {
    context_.deadline_ns =
        clock_.monotonic_ns() + static_cast<std::int64_t>(std::max(0.0, allowed_s(arm)) * 1e9);
    if (outer_.deadline_ns != 0)
      context_.deadline_ns = std::min(context_.deadline_ns, outer_.deadline_ns);
  }

  // A tree configuration that would not end in the time that is left learns faster instead: measured cost, in proportion to 1 / learning rate.
  void fit_into_time(train::Config& config, const Arm* arm) const {
    const double rate = config.params["learning_rate"].as_double(0.1);
    if (config.learner != "lightgbm" || cost_of_rate_s_ <= 0) return;
    const double expected_s = cost_of_rate_s_ / rate;
    const double allowed = allowed_s(arm);
    if (expected_s > allowed)
      config.params.set(
          "learning_rate",
          std::clamp(std::ceil(1000 * cost_of_rate_s_ / std::max(1e-3, allowed)) / 1000, rate,
                     0.3));
  }

  base::Status one_trial() {
    if (decide_stop()) return {};
    ++number_;
    Candidate candidate;
    candidate.trial.number = number_;
    const std::string learner = next_learner();
    if (learner.empty()) {
      stopped_ = "converged";
      --number_;
      return {};
    }
    candidate.trial.config.learner = learner;
    ++trials_of_[learner];
    const std::int64_t from_ns = clock_.monotonic_ns();
    auto arm = arm_of(learner);
    if (!arm) {
      fail_trial(candidate, arm.error(), from_ns);
      return {};
    }
    candidate.arm = *arm;
    candidate.trial.config = (*arm)->space->propose(rng_);
    fit_into_time(candidate.trial.config, *arm);
    set_deadline(*arm);
    const std::int64_t fit_ns = clock_.monotonic_ns();
    const base::Status fitted = fit_folds(candidate);
    const std::int64_t fitted_ns = clock_.monotonic_ns();
    const base::Status scored = fitted ? score(candidate) : fitted;
    if (!scored) {
      fail_trial(candidate, scored.error(), from_ns);
      return {};
    }
    candidate.trial.seconds = static_cast<double>(clock_.monotonic_ns() - fit_ns) / 1e9;
    const bool cut = std::any_of(candidate.trained.begin(), candidate.trained.end(),
                                 [](const train::Trained& fold) { return fold.cut; });
    candidate.trial.state = cut ? "stopped" : "done";
    if (learner == "lightgbm" && !cut)
      cost_of_rate_s_ =
          candidate.trial.seconds * candidate.trial.config.params["learning_rate"].as_double(0.1);
    return keep(std::move(candidate), fitted_ns);
  }

  base::Status fit_folds(Candidate& candidate) {
    const std::string& learner = candidate.trial.config.learner;
    std::vector<ArmFold>& folds = candidate.arm->folds;
    candidate.trained.resize(folds.size());
    candidate.answers.resize(folds.size());
    std::vector<base::Status> done(folds.size());
    each(pool_.get(), folds.size(), [&](std::size_t k) {
      const std::int64_t from_ns = clock_.monotonic_ns();
      auto trained =
          folds[k].prepared->fit(candidate.trial.config, k == 0 ? speaking(learner) : options());
      if (k == 0) candidate.fit_s = static_cast<double>(clock_.monotonic_ns() - from_ns) / 1e9;
      auto answers = trained ? answers_of(*trained, folds[k].valid)
                             : tl::unexpected<base::Error>(trained.error());
      if (!answers) {
        done[k] = tl::unexpected<base::Error>(answers.error());
        return;
      }
      candidate.trained[k] = std::move(*trained);
      candidate.answers[k] = std::move(*answers);
    });
    for (base::Status& status : done) TRY(std::move(status));
    return {};
  }

  base::Result<model::Predictions> answers_of(const train::Trained& trained,
                                              const model::FeatureMatrix& rows) const {
    model::Predictions out;
    out.task = spec_.labels.task;
    out.rows = rows.rows;
    out.width = out.task == model::Task::kMulticlass ? spec_.labels.classes.size() : 1;
    TRY_ASSIGN(out.scores, trained.predict(rows));
    return out;
  }

  bool decide_stop() {
    if (outer_.cancel.cancelled() || outer_.expired())
      stopped_ = "cancelled";
    else if (number_ > 0 && best_ != nullptr &&
             allowed_s(best_->arm) < kSmallestShare * spec_.budget_seconds)
      stopped_ = "budget";
    else if (number_ > 0 && left_s() <= 0 && arms_.size() == learners_.size())
      stopped_ = "budget";
    else if (number_ >= spec_.max_trials)
      stopped_ = "max_trials";
    else if (learners_.size() == 1 && learners_[0] == "linear" && number_ > 0 &&
             arms_["linear"] != nullptr && arms_["linear"]->space->since_best() >= kConvergedAfter)
      stopped_ = "converged";
    else if (learners_.size() == 1 && learners_[0] == "constant" && number_ > 0)
      stopped_ = "converged";
    return !stopped_.empty();
  }

  void fail_trial(Candidate& candidate, const base::Error& error, std::int64_t from_ns) {
    ++failures_[candidate.trial.config.learner];
    candidate.trial.state = "failed";
    candidate.trial.error = error.text();
    candidate.trial.valid = candidate.trial.train = kNan;
    candidate.trial.seconds = static_cast<double>(clock_.monotonic_ns() - from_ns) / 1e9;
    if (first_error_.message.empty()) first_error_ = error;
    if (candidate.arm != nullptr) candidate.arm->space->tell(candidate.trial.config, kNan);
    trials_.push_back(candidate.trial);
    if (spec_.on_trial) spec_.on_trial(trials_.back());
  }

  base::Status score(Candidate& candidate) {
    const std::vector<train::Trained>& trained = candidate.trained;
    Trial& trial = candidate.trial;
    trial.curve = trained.front().curve;
    double own = 0, train = 0, rows = 0;
    for (std::size_t k = 0; k < trained.size(); ++k) {
      const ArmFold& fold = candidate.arm->folds[k];
      const auto weight = static_cast<double>(fold.valid.rows);
      own += weight * trained[k].valid_score;
      rows += weight;
      if (trained[k].metric == metric_) {
        train += weight * trained[k].train_score;
        continue;
      }
      TRY_ASSIGN(const model::Predictions seen, answers_of(trained[k], fold.train_sample));
      TRY_ASSIGN(const double value, mean_metric(metric_, {fold.train_sample_labels}, {seen}));
      train += weight * value;
    }
    trial.train = train / rows;
    if (trained.front().metric == metric_) {
      trial.valid = own / rows;
      return {};
    }
    TRY_ASSIGN(trial.valid, mean_metric(metric_, candidate.labels(), candidate.answers));
    // A metric without a value (one class in valid) cannot rank; the learner's own can.
    if (std::isnan(trial.valid)) trial.valid = loss_of(own / rows);
    return {};
  }

  static void update_mean(double& mean, double value) {
    mean = mean == 0 ? value : 0.6 * mean + 0.4 * value;
  }

  base::Status keep(Candidate candidate, std::int64_t fitted_ns) {
    const double loss = loss_of(candidate.trial.valid);
    const ArmFold& fold = candidate.arm->folds.front();
    const std::int64_t scored_ns = clock_.monotonic_ns();
    auto graph = whole_graph(fold, candidate.trained.front());
    auto whole = graph ? make_whole(std::move(*graph), fold.signature, spec_.valid, clock_)
                       : base::Result<Whole>(tl::unexpected<base::Error>(graph.error()));
    if (!whole) {
      fail_trial(candidate, whole.error(), fitted_ns);
      return {};
    }
    // A trial that is cut at its deadline is still scored and compiled: about as dear as the last ones.
    const auto now_ns = clock_.monotonic_ns();
    update_mean(after_fit_s_, static_cast<double>(now_ns - fitted_ns) / 1e9);
    update_mean(compile_s_, static_cast<double>(now_ns - scored_ns) / 1e9);
    failures_[candidate.trial.config.learner] = 0;
    candidate.arm->space->tell(candidate.trial.config, loss);
    candidate.trial.bytes = whole->bytes;
    candidate.trial.latency_us = whole->latency_us;
    trials_.push_back(candidate.trial);
    const std::string learner = candidate.trial.config.learner;
    const auto kept = std::make_shared<Candidate>(std::move(candidate));
    if (best_ == nullptr || loss < loss_of(best_->trial.valid)) {
      const bool first = best_ == nullptr;
      best_ = kept;
      whole_ = std::move(*whole);
      if (first) TRY(predict_valid());
    }
    std::shared_ptr<Candidate>& leader = best_of_[learner];
    if (leader == nullptr || loss < loss_of(leader->trial.valid)) {
      leader = kept;
      expect_blend();
    }
    remember(kept);
    set_reserve();
    if (spec_.on_trial) spec_.on_trial(trials_.back());
    report("trial " + std::to_string(number_) + ": best " + metric_ + " " +
           base::format_double(std::round(best_->trial.valid * 1e5) / 1e5));
    return {};
  }

  // Keeps the best few.
  void remember(const std::shared_ptr<Candidate>& candidate) {
    const auto loss = [this](const auto& kept) { return loss_of(kept->trial.valid); };
    const auto behind = std::find_if(leaders_.begin(), leaders_.end(), [&](const auto& kept) {
      return loss(candidate) < loss(kept);
    });
    leaders_.insert(behind, candidate);
    if (leaders_.size() > kLeaders) leaders_.pop_back();
  }

  std::vector<SearchResult::Finalist> finalists() {
    std::vector<std::shared_ptr<Candidate>> chosen = leaders_;
    for (const auto& [learner, best] : best_of_)
      if (std::find(chosen.begin(), chosen.end(), best) == chosen.end()) chosen.push_back(best);
    std::vector<SearchResult::Finalist> out;
    for (const auto& one : chosen)
      out.push_back({one->trial.number, one->arm->folds.front().valid_labels,
                     std::move(one->answers.front())});
    return out;
  }

  // The share of the trees, when trees and line together are clearly better on held-back rows than either.
  std::optional<BlendWeight> better_blend() const {
    const auto trees = best_of_.find("lightgbm"), line = best_of_.find("linear");
    if (!spec_.blend || trees == best_of_.end() || line == best_of_.end()) return {};
    const Candidate& first = *trees->second;
    const auto weight = choose_blend(metric_, first.labels(), first.answers, line->second->answers);
    const double best = loss_of(best_->trial.valid);
    const double gain = kBlendGain * (evaluate::larger_is_better(metric_) ? 1 : std::abs(best));
    if (!weight || !(loss_of(weight->value) < best - gain)) return {};
    return *weight;
  }

  // Whether time is to be kept for a blend: looked up where looking is cheap, else assumed.
  void expect_blend() {
    blend_expected_ = spec_.blend && best_of_.size() > 1 &&
                      (spec_.valid.rows() > kBlendLooks || better_blend().has_value());
  }

  // A failure here costs nothing: the best single model stays.
  void try_blend() {
    if (stopped_ == "cancelled") return;
    const std::int64_t from_ns = clock_.monotonic_ns();
    const std::optional<BlendWeight> weight = better_blend();
    if (!weight) return;
    const Candidate &first = *best_of_.at("lightgbm"), &second = *best_of_.at("linear");
    const ArmFold &first_fold = first.arm->folds.front(), &second_fold = second.arm->folds.front();
    const auto first_graph = whole_graph(first_fold, first.trained.front()),
               second_graph = whole_graph(second_fold, second.trained.front());
    if (!first_graph || !second_graph) return;
    auto graph = blend_graphs(*first_graph, *second_graph, weight->first);
    if (!graph) return;
    auto whole =
        make_whole(std::move(*graph), blend_signatures(first_fold.signature, second_fold.signature),
                   spec_.valid, clock_);
    if (!whole) return;
    take_blend(first, second, *weight, std::move(*whole), from_ns);
  }

  void take_blend(const Candidate& trees, const Candidate& line, const BlendWeight& weight,
                  Whole whole, std::int64_t from_ns) {
    auto blend = std::make_shared<Candidate>();
    blend->arm = trees.arm;
    blend->trained.push_back(blend_trained(trees, line, weight.first));
    train::Trained& trained = blend->trained.front();
    trained.metric = metric_;
    trained.valid_score = weight.value;
    for (std::size_t k = 0; k < trees.answers.size(); ++k)
      blend->answers.push_back(mix_of(trees.answers[k], line.answers[k], weight.first));
    Trial& trial = blend->trial;
    trial.number = ++number_;
    trial.config = trained.config;
    trial.state = "done";
    trial.valid = weight.value;
    trial.train = trained.train_score;
    trial.bytes = whole.bytes;
    trial.latency_us = whole.latency_us;
    trial.curve = trained.curve;
    trial.seconds = static_cast<double>(clock_.monotonic_ns() - from_ns) / 1e9;
    trials_.push_back(trial);
    remember(blend);
    best_ = std::move(blend);
    share_ = weight.first;
    whole_ = std::move(whole);
    if (spec_.on_trial) spec_.on_trial(trials_.back());
  }

  std::size_t learned_rows() const { return spec_.train.rows() + spec_.valid.rows(); }

  // The winner once more, from all rows; beside it the best line, to compare with. When the time is too short the models that were judged stay.
  base::Status refit() {
    if (!spec_.refit || stopped_ == "cancelled") return {};
    report("fitting the best on all rows");
    const bool blend = best_->trial.config.learner == "blend";
    std::vector<std::shared_ptr<Candidate>> wanted;
    const auto trees = best_of_.find("lightgbm"), line = best_of_.find("linear");
    wanted.push_back(blend ? trees->second : best_);
    if (line != best_of_.end() && wanted.front() != line->second) wanted.push_back(line->second);
    const ArmRows all = all_rows(spec_);
    context_.deadline_ns =
        start_ns_ + static_cast<std::int64_t>((spec_.budget_seconds - 1.2 * finish_s_) * 1e9);
    std::vector<base::Result<Refit>> made(
        wanted.size(),
        tl::unexpected<base::Error>(base::Error{Code::kInternal, "not made", "", nullptr}));
    const auto one = [&](std::size_t i) { made[i] = refit_all(*wanted[i], spec_, all, options()); };
    each(pool_.get(), wanted.size(), one);
    if (wanted.size() > 1 && made[1]) {
      auto baseline = std::make_shared<SearchResult::Baseline>();
      baseline->config = wanted[1]->trial.config;
      baseline->graph = made[1]->graph;
      baseline->signature = made[1]->fold.signature;
      baseline_ = std::move(baseline);
    }
    if (!made[0] || (blend && !made[1])) return {};
    base::Result<transform::Graph> graph =
        blend ? blend_graphs(made[0]->graph, made[1]->graph, share_)
              : base::Result<transform::Graph>(std::move(made[0]->graph));
    if (!graph) return tl::unexpected<base::Error>(graph.error());
    const model::Signature signature =
        blend ? blend_signatures(made[0]->fold.signature, made[1]->fold.signature)
              : made[0]->fold.signature;
    auto whole = make_whole(std::move(*graph), signature, spec_.valid, clock_);
    if (!whole) return tl::unexpected<base::Error>(whole.error());
    whole_ = std::move(*whole);
    plan_ = std::move(made[0]->fold.plan);
    if (!blend) {
      made[0]->trained.curve = best_->trained.front().curve;
      best_->trained.front() = std::move(made[0]->trained);
    }
    refitted_ = true;
    return {};
  }

  // What comes after the last round: scoring and compiling that trial, then mixing and compiling the blend, then the last fit and compiling it, then the answers for valid.
  void set_reserve() {
    double bytes = 0, fits = 0;
    for (const auto& [learner, best] : best_of_) {
      bytes += static_cast<double>(best->trial.bytes);
      const bool counts = best == best_ || learner == "linear" || spec_.blend;
      if (!spec_.refit || !counts) continue;
      const double one = refit_seconds(*best, learned_rows(), patience());
      if (best == best_ && best->trial.seconds > 0) again_ = one / best->trial.seconds;
      fits = spec_.threads > 1 ? std::max(fits, one) : fits + one;
    }
    fits_s_ = fits;
    const double size = std::max(1.0, bytes / std::max(1.0, first_bytes_));
    reserve_s_ = fits + after_fit_s_ + (spec_.refit ? compile_s_ : 0) + 1.2 * finish_s_ * size +
                 (blend_expected_ ? 1.8 * after_fit_s_ : 0);
  }

  // The best model's answers for the validation rows, by its whole graph; timed, to know what the end will take.
  base::Status predict_valid() {
    const std::int64_t from_ns = clock_.monotonic_ns();
    model::InputBatch batch;
    TRY(model::fill_from_table(whole_.signature, spec_.valid, batch));
    TRY(whole_.evaluator->predict(batch, predictions_));
    predicted_by_ = best_->trial.number;
    predicted_refit_ = refitted_;
    finish_s_ = static_cast<double>(clock_.monotonic_ns() - from_ns) / 1e9;
    first_bytes_ = static_cast<double>(whole_.bytes);
    return {};
  }

  base::Result<SearchResult> finish() {
    if (best_ == nullptr) {
      if (stopped_ == "cancelled")
        return fail(Code::kCancelled, "the search was cancelled before its first trial ended");
      if (first_error_.message.empty())
        return fail(Code::kDeadlineExceeded,
                    "the budget ended before the first trial: " +
                        base::format_seconds(spec_.budget_seconds),
                    "give it more time");
      return base::wrap(first_error_, "no trial succeeded");
    }
    try_blend();
    TRY(refit());
    if (predicted_by_ != best_->trial.number || predicted_refit_ != refitted_) TRY(predict_valid());
    TRY(check_learned());
    SearchResult out;
    std::stable_sort(trials_.begin(), trials_.end(), [this](const Trial& a, const Trial& b) {
      if (std::isnan(a.valid) || std::isnan(b.valid))
        return !std::isnan(a.valid) && std::isnan(b.valid);
      return loss_of(a.valid) < loss_of(b.valid);
    });
    out.trials = std::move(trials_);
    if (spec_.labels.task == model::Task::kBinary) whole_.signature.threshold = threshold();
    out.best = std::move(best_->trained.front());
    out.plan = refitted_ ? std::move(plan_) : best_->arm->folds.front().plan;
    out.graph = std::move(whole_.graph);
    out.signature = whole_.signature;
    out.refitted = refitted_;
    out.baseline = baseline_;
    out.valid_predictions = std::move(predictions_);
    out.finalists = finalists();
    out.seconds = elapsed_s();
    out.stopped = stopped_;
    return out;
  }

  // From answers for rows that the answering model had not learned from.
  double threshold() const {
    if (!refitted_ && best_->answers.size() == 1)
      return evaluate::choose_threshold(spec_.valid_labels, predictions_);
    model::Predictions all = best_->answers.front();
    std::vector<double> labels;
    for (const std::vector<double>& fold : best_->labels())
      labels.insert(labels.end(), fold.begin(), fold.end());
    for (std::size_t k = 1; k < best_->answers.size(); ++k) {
      const std::vector<double>& more = best_->answers[k].scores;
      all.scores.insert(all.scores.end(), more.begin(), more.end());
      all.rows += best_->answers[k].rows;
    }
    return evaluate::choose_threshold(labels, all);
  }

  // One answer for every row is no model, unless it was asked for.
  base::Status check_learned() const {
    if (best_->trial.config.learner == "constant" &&
        spec_.learners == std::vector<std::string>{"constant"})
      return {};
    for (std::size_t r = 1; r < predictions_.rows; ++r)
      for (std::size_t k = 0; k < predictions_.width; ++k)
        if (predictions_.score(r, k) != predictions_.score(0, k)) return {};
    if (predictions_.rows < 2) return {};
    return fail(Code::kFailedPrecondition,
                "no learner found anything in the features: every answer is the same (" +
                    std::to_string(trials_.size()) + " trials on " +
                    std::to_string(spec_.train.rows()) + " rows)",
                "add rows or columns that say something about " +
                    (spec_.label_text.empty() ? std::string("the label") : spec_.label_text));
  }

  const SearchSpec& spec_;
  base::Context& outer_;
  base::Context context_;  // with the deadline of the running trial
  const base::ProgressSink& progress_;
  base::Clock& clock_;
  base::Rng rng_;
  std::int64_t start_ns_ = 0;
  std::string metric_, stopped_;
  std::vector<std::string> learners_;
  std::map<std::string, std::unique_ptr<Arm>> arms_;
  std::map<std::string, int> failures_, trials_of_;
  std::vector<Trial> trials_;
  std::vector<ArmRows> rows_;         // by fold
  std::unique_ptr<base::Pool> pool_;  // beside the calling thread; null: it works alone
  int number_ = 0, predicted_by_ = 0;
  bool refitted_ = false, predicted_refit_ = false;
  bool blend_expected_ = false;  // until there are two to mix
  double share_ = 1;             // of the trees in a blend
  transform::FeaturePlan plan_;  // of the refitted model
  std::shared_ptr<const SearchResult::Baseline> baseline_;
  std::shared_ptr<Candidate> best_;
  std::map<std::string, std::shared_ptr<Candidate>> best_of_;  // by learner
  std::vector<std::shared_ptr<Candidate>> leaders_;            // best first
  Whole whole_;                                                // of the best
  model::Predictions predictions_;
  double fits_s_ = 0;   // of the reserve: the last fits
  double again_ = 1.3;  // what the last fit takes for each second of a trial
  double reserve_s_ = 0, finish_s_ = 0, after_fit_s_ = 0, compile_s_ = 0, first_bytes_ = 1,
         cost_of_rate_s_ = 0;
  base::Error first_error_;
};

}  // namespace

base::Json Trial::to_json() const {
  base::Json out = base::Json::object();
  out.set("trial", number)
      .set("learner", config.learner)
      .set("config", config.params)
      .set("valid", valid)
      .set("train", train);
  out.set("seconds", seconds).set("bytes", bytes).set("latency_us", latency_us).set("state", state);
  if (!error.empty()) out.set("error", error);
  return out;
}

base::Result<SearchResult> search(const SearchSpec& spec, base::Context& context,
                                  const base::ProgressSink& progress) {
  return Search(spec, context, progress).run();
}

}  // namespace maru::tune
