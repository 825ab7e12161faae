#include "candidate.h"

#include <algorithm>
#include <cmath>

namespace maru::tune {
namespace {

constexpr double kEnoughRounds = 0.8;  // of the wanted ones, for a last fit that the deadline cut

// What a round costs whatever the rows, in rows: on adult (26,049 rows) a fourth more of them took a seventh more time.
constexpr double kFixedRows = 20'000;

}  // namespace

std::vector<std::vector<double>> Candidate::labels() const {
  std::vector<std::vector<double>> out;
  for (const ArmFold& fold : arm->folds) out.push_back(fold.valid_labels);
  return out;
}

int Candidate::rounds() const {
  double total = 0;
  for (const train::Trained& fold : trained) total += fold.rounds;
  return std::max(1, static_cast<int>(std::lround(total / static_cast<double>(trained.size()))));
}

base::Result<Refit> refit_all(const Candidate& candidate, const SearchSpec& spec,
                              const ArmRows& all, const train::LearnOptions& options) {
  Refit out;
  const train::Config& config = candidate.trial.config;
  TRY_ASSIGN(out.fold, ArmFold::make(config.learner, spec, all, options));
  train::Config fixed = config;
  const int rounds = candidate.rounds();
  if (config.learner == "lightgbm") fixed.params.set("rounds", rounds);
  TRY_ASSIGN(out.trained, out.fold.prepared->fit(fixed, options));
  if (out.trained.cut && out.trained.rounds < kEnoughRounds * rounds)
    return base::fail(base::Code::kDeadlineExceeded, "the time ended before the last fit",
                      "give the search more time");
  out.trained.config = config;
  TRY_ASSIGN(out.graph, whole_graph(out.fold, out.trained));
  return out;
}

double refit_seconds(const Candidate& candidate, std::size_t all_rows, int patience) {
  const ArmFold& fold = candidate.arm->folds.front();
  const train::Trained& trained = candidate.trained.front();
  const auto worth = [](std::size_t rows) { return static_cast<double>(rows) + kFixedRows; };
  const double larger =  // a learner at its limit takes a sample of all rows, too
      fold.rows < fold.given_rows ? 1 : worth(all_rows) / worth(fold.rows);
  double rounds = 1;
  if (candidate.trial.config.learner == "lightgbm")
    rounds = static_cast<double>(candidate.rounds()) /
             static_cast<double>(std::max(1, trained.rounds + (trained.cut ? 0 : patience)));
  const double grow_s = candidate.fit_s - trained.scoring_s;  // the last fit holds nothing back
  return fold.prepare_again_s(all_rows) + larger * grow_s * rounds;
}

train::Trained blend_trained(const Candidate& trees, const Candidate& line, double share) {
  const train::Trained &first = trees.trained.front(), &second = line.trained.front();
  train::Trained out;
  out.config.learner = "blend";
  out.config.params.set("share", share)
      .set("trees", trees.trial.config.text())
      .set("line", line.trial.config.text());
  out.rounds = first.rounds;
  out.curve = first.curve;
  out.train_score = share * trees.trial.train + (1 - share) * line.trial.train;
  for (const auto& [name, part] : first.importance) out.importance.emplace_back(name, share * part);
  for (const auto& [name, part] : second.importance)
    out.importance.emplace_back(name, (1 - share) * part);
  std::stable_sort(out.importance.begin(), out.importance.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  const auto refuse = [] {
    return base::fail(base::Code::kUnimplemented, "a blend has two feature graphs",
                      "use the graph of the search's result");
  };
  out.append = [refuse](transform::Graph&, const std::string&) -> base::Status { return refuse(); };
  out.predict = [refuse](const model::FeatureMatrix&) -> base::Result<std::vector<double>> {
    return refuse();
  };
  return out;
}

}  // namespace maru::tune
