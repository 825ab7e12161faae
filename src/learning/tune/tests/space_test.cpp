#include "space.h"

#include <doctest/doctest.h>

#include <cmath>

namespace {
using namespace maru;
}

TEST_CASE("proposals depend on the seed and the scores only") {
  std::string first;
  for (int round = 0; round < 2; ++round) {
    tune::Space space("lightgbm", 30'000);
    base::Rng rng(4);
    std::string all;
    for (int i = 0; i < 40; ++i) {
      const train::Config config = space.propose(rng);
      all += config.params.dump() + "\n";
      space.tell(config, std::abs(std::log(config.params["learning_rate"].as_double(0.1) / 0.03)));
    }
    if (round == 0) first = all;
    CHECK(all == first);
  }
}

TEST_CASE("defaults come first, and refinement finds the valley") {
  tune::Space space("linear", 30'000);
  base::Rng rng(4);
  CHECK(space.has_defaults());
  double best = 1e9;
  for (int i = 0; i < 120; ++i) {
    const train::Config config = space.propose(rng);
    if (i < 3)
      CHECK(config.params.dump() ==
            tune::default_configs("linear", 30'000)[static_cast<std::size_t>(i)].params.dump());
    const double loss = std::abs(std::log(config.params["c"].as_double() / 0.007)) +
                        config.params["l1_ratio"].as_double();
    best = std::min(best, loss);
    space.tell(config, loss);
  }
  CHECK(best < 0.3);
  CHECK(space.best_loss() == best);
}

TEST_CASE("every proposal is one that the learner takes, for any number of rows") {
  train::Labels labels;
  labels.classes = {"a", "b"};
  train::Matrix rows;
  rows.features = {6, 1, {1, 2, 3, 4, 5, 6}, {"x"}};
  rows.labels = {0, 1, 0, 1, 0, 1};
  for (const std::size_t count : {12u, 700u, 5'000'000u})
    for (const char* learner : {"lightgbm", "linear"}) {
      tune::Space space(learner, count);
      base::Rng rng(count);
      train::LearnOptions options;
      options.max_rounds = 1;
      for (int i = 0; i < 30; ++i) {
        const train::Config config = space.propose(rng);
        const auto trained = train::fit(config, labels, rows, {}, options);
        CHECK_MESSAGE(trained.has_value(), config.text());
        space.tell(config, rng.uniform());
      }
    }
}
