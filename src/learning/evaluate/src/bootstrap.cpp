#include <algorithm>
#include <cmath>
#include <limits>

#include "meter.h"

namespace maru::evaluate {

void draw_weights(base::Rng& rng, Weights& weights) {
  std::fill(weights.begin(), weights.end(), std::uint16_t{0});
  const std::uint64_t n = weights.size();
  // Two rows from one 64-bit number; the bias of the multiplication is below n / 2^32.
  for (std::uint64_t i = 0; i < n; i += 2) {
    const std::uint64_t bits = rng.next();
    ++weights[((bits & 0xffffffffu) * n) >> 32];
    if (i + 1 < n) ++weights[((bits >> 32) * n) >> 32];
  }
}

Interval interval_of(double value, std::vector<double> draws) {
  draws.erase(std::remove_if(draws.begin(), draws.end(), [](double d) { return std::isnan(d); }),
              draws.end());
  if (draws.empty()) return {value, value, value};
  std::sort(draws.begin(), draws.end());
  const auto at = [&draws](double p) {
    const double place = p * static_cast<double>(draws.size() - 1);
    const auto low = static_cast<std::size_t>(place);
    const std::size_t high = std::min(low + 1, draws.size() - 1);
    return draws[low] + (place - static_cast<double>(low)) * (draws[high] - draws[low]);
  };
  return {value, at(0.025), at(0.975)};
}

int affordable_resamples(int wanted, std::size_t rows) {
  constexpr double kMostDraws = 4e9;
  const double most = std::max(20.0, kMostDraws / std::max(1.0, static_cast<double>(rows)));
  return static_cast<int>(std::min(static_cast<double>(std::max(0, wanted)), most));
}

base::Json Interval::to_json() const {
  base::Json out = base::Json::object();
  out.set("value", value).set("low", low).set("high", high);
  return out;
}

base::Result<Comparison> compare(std::string_view metric, const std::vector<double>& labels,
                                 const model::Predictions& candidate,
                                 const model::Predictions& champion, double candidate_threshold,
                                 double champion_threshold, std::uint64_t seed) {
  constexpr int kResamples = 1000;
  if (candidate.task != champion.task || candidate.width != champion.width)
    return base::fail(
        base::Code::kInvalidArgument,
        "the two models answer different tasks: " + std::string(model::task_name(candidate.task)) +
            " and " + std::string(model::task_name(champion.task)),
        "compare versions that were trained for the same label");
  const std::string name(metric.empty() ? default_metric(candidate.task) : std::string(metric));
  TRY_ASSIGN(const Meter first, Meter::make(labels, candidate, candidate_threshold, nullptr, name));
  TRY_ASSIGN(const Meter second, Meter::make(labels, champion, champion_threshold, nullptr, name));
  if (first.rows() == 0)
    return base::fail(base::Code::kInvalidArgument,
                      "there are no labelled rows to compare the models on");
  Comparison out;
  out.metric = name;
  out.candidate = first.measure(nullptr).front();
  out.champion = second.measure(nullptr).front();
  const double sign = larger_is_better(name) ? 1 : -1;
  base::Rng rng(seed);
  Weights weights(first.rows());
  std::vector<double> draws;
  for (int i = affordable_resamples(kResamples, 8 * first.rows()); i > 0; --i) {
    draw_weights(rng, weights);
    draws.push_back(sign * (first.measure(&weights).front() - second.measure(&weights).front()));
  }
  out.difference = interval_of(sign * (out.candidate - out.champion), std::move(draws));
  out.worse = out.difference.high < 0;
  return out;
}

}  // namespace maru::evaluate
