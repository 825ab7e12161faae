#include "questions.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "maru/base/number_text.h"

namespace maru::stats {
namespace {

using base::Json;

constexpr std::size_t kChunks = 16;
constexpr double kChunkRows = 400, kLeastChunkRows = 50;
constexpr double kRepeats = 0.02;  // share of rows from which one value is a mode by itself
constexpr std::size_t kModeBins = 40, kPictureBins = 40, kPictureValues = 12;
constexpr double kRare = 3.3;  // normal deviations that chance exceeds once in a thousand

std::uint64_t next(std::uint64_t& state) {  // splitmix64
  std::uint64_t z = state += 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// Mean and deviation of the sizes of the chunks' errors, as a limit.
double limit_of(const std::vector<double>& errors, double scale) {
  double mean = 0, squares = 0;
  for (const double e : errors) mean += std::fabs(e);
  mean /= static_cast<double>(errors.size());
  for (const double e : errors) squares += (std::fabs(e) - mean) * (std::fabs(e) - mean);
  return scale * (mean + 3 * std::sqrt(squares / static_cast<double>(errors.size())));
}

Json question(Json before, Json after, double value, double visible, double chance,
              const std::string& unit) {
  const double size = std::fabs(value), limit = std::max(visible, chance);
  const char* verdict = size > 2 * limit ? "bad" : size > limit ? "warn" : "ok";
  const std::string least = base::format_significant(visible, 3) + unit;
  const std::string reason =
      chance > visible ? "chance alone reaches " + base::format_significant(chance, 3) + unit +
                             " with these rows, more than the " + least + " that would be visible"
                       : "below " + least + " is too small to matter; chance alone reaches " +
                             base::format_significant(chance, 3);
  return Json::object({{"old", std::move(before)},
                       {"new", std::move(after)},
                       {"value", value},
                       {"limit", limit},
                       {"reason", reason},
                       {"verdict", verdict}});
}

}  // namespace

double mode_of(const Sample& sample) {
  if (sample.values.empty()) return 0;
  const auto most = std::max_element(sample.weights.begin(), sample.weights.end());
  const auto at = static_cast<std::size_t>(most - sample.weights.begin());
  if (*most >= kRepeats * sample.count) return sample.values[at];
  const double low = sample.quantile(0.01), high = sample.quantile(0.99);
  if (high <= low) return sample.values[at];
  std::array<double, kModeBins> bins{};
  const double width = (high - low) / static_cast<double>(kModeBins);
  for (std::size_t i = 0; i < sample.values.size(); ++i) {
    const double value = sample.values[i];
    if (value < low || value > high) continue;
    bins[std::min(kModeBins - 1, static_cast<std::size_t>((value - low) / width))] +=
        sample.weights[i];
  }
  const auto fullest = std::max_element(bins.begin(), bins.end()) - bins.begin();
  return low + (static_cast<double>(fullest) + 0.5) * width;
}

double symmetry_of(const Sample& sample) {
  const double q10 = sample.quantile(0.1), q50 = sample.quantile(0.5), q90 = sample.quantile(0.9);
  return q90 > q10 ? (q90 + q10 - 2 * q50) / (q90 - q10) : 0;
}

ChunkNoise learn_noise(const Sample& reference, double rows_new) {
  ChunkNoise out;
  if (reference.count < kLeastChunkRows || reference.std <= 0) return out;
  std::vector<double> upto(reference.weights.size());
  double sum = 0;
  for (std::size_t i = 0; i < upto.size(); ++i) upto[i] = sum += reference.weights[i];
  // As many rows as the new side has, if that is few: then the chunks err as it does, heavy tails included.
  const double rows = std::clamp(rows_new, kLeastChunkRows, std::min(kChunkRows, reference.count));
  out.chunks = kChunks;
  out.chunk_rows = static_cast<std::size_t>(rows);
  const double mode = mode_of(reference), symmetry = symmetry_of(reference);
  std::array<std::vector<double>, 6> errors;
  std::uint64_t state = 20'220'101;
  const Density density = Density::of(reference);
  const double usual = density.mean_log(reference);
  for (std::size_t c = 0; c < kChunks; ++c) {
    std::vector<double> values(out.chunk_rows);
    for (double& value : values) {
      const double u = static_cast<double>(next(state) >> 11) * 0x1p-53 * sum;
      const auto at = std::upper_bound(upto.begin(), upto.end(), u) - upto.begin();
      value = reference.values[std::min(static_cast<std::size_t>(at), upto.size() - 1)];
    }
    const Sample chunk = Sample::of(std::move(values));
    errors[0].push_back((chunk.mean - reference.mean) / reference.std);
    errors[1].push_back(reference.mean_away > 0 ? chunk.mean_away / reference.mean_away - 1 : 0);
    errors[2].push_back((mode_of(chunk) - mode) / reference.std);
    errors[3].push_back(symmetry_of(chunk) - symmetry);
    errors[4].push_back(chunk.skewness - reference.skewness);
    errors[5].push_back(density.mean_log(chunk) - usual);
  }
  const double scale = std::sqrt((1 / reference.count + 1 / rows_new) * rows);
  out.mean = limit_of(errors[0], scale);
  out.spread = limit_of(errors[1], scale);
  out.mode = limit_of(errors[2], std::min(1.0, scale));
  out.symmetry = limit_of(errors[3], scale);
  out.skewness = limit_of(errors[4], std::min(1.0, scale));
  out.likelihood = limit_of(errors[5], scale);
  return out;
}

Json number_questions(const Side& before, const Side& after, const NumberMeasures& measures,
                      const ChunkNoise& noise) {
  const Sample &a = before.sample, &b = after.sample;
  const double spread = a.std > 0 ? a.std : 1;
  const double chance = std::sqrt(1 / a.count + 1 / b.count);
  const double mode_a = mode_of(a), mode_b = mode_of(b), sym_a = symmetry_of(a),
               sym_b = symmetry_of(b);
  return Json::object(
      {{"centre", question(a.mean, b.mean, (b.mean - a.mean) / spread, 0.1,
                           std::max(kRare * chance, noise.mean), " deviations")},
       {"mode", question(mode_a, mode_b, (mode_b - mode_a) / spread, 0.25,
                         std::max(5 * chance, noise.mode), " deviations")},
       {"symmetry",
        question(sym_a, sym_b, sym_b - sym_a, 0.1, std::max(5 * chance, noise.symmetry), "")},
       {"skewness", question(a.skewness, b.skewness, b.skewness - a.skewness, 0.5,
                             std::max(10 * chance, noise.skewness), "")},
       {"likelihood", question(measures.loglik_old, measures.loglik_new,
                               measures.loglik_new - measures.loglik_old, 0.1,
                               std::max(kRare * chance, noise.likelihood), " nats a row")}});
}

Json category_questions(const Counts& a, const Counts& b, const CategoryTest& test) {
  const double chance = std::sqrt(1 / std::max(1.0, a.total) + 1 / std::max(1.0, b.total));
  const std::string top_a = a.mode(), top_b = b.mode();
  const double even_a = a.evenness(), even_b = b.evenness();
  return Json::object(
      {{"centre", question(a.share(top_a), b.share(top_a), b.share(top_a) - a.share(top_a), 0.05,
                           kRare * chance / 2, " of the rows")},
       {"mode", question(top_a, top_b, top_a == top_b ? 0.0 : b.share(top_b) - b.share(top_a), 0.02,
                         kRare * chance, " of the rows")},
       {"symmetry", question(even_a, even_b, even_b - even_a, 0.05, kRare * chance, "")},
       {"skewness",
        question(static_cast<double>(a.values.size()), static_cast<double>(b.values.size()),
                 test.fresh_share, 0.01, kRare * chance, " of the rows in new values")},
       {"likelihood",
        question(test.likelihood_old, test.likelihood_new,
                 test.likelihood_new - test.likelihood_old, 0.1, kRare * chance, " nats a row")}});
}

Json number_picture(const Sample& before, const Sample& after) {
  double low = std::min(before.quantile(0.005), after.quantile(0.005));
  double high = std::max(before.quantile(0.995), after.quantile(0.995));
  if (!(high > low)) {
    low -= 0.5;
    high += 0.5;
  }
  Json edges = Json::array();
  const double width = (high - low) / static_cast<double>(kPictureBins);
  for (std::size_t i = 0; i <= kPictureBins; ++i)
    edges.push(i == kPictureBins ? high : low + width * static_cast<double>(i));
  const auto shares = [&](const Sample& side) {
    std::array<double, kPictureBins> bins{};
    for (std::size_t i = 0; i < side.values.size(); ++i) {
      const double at =
          std::clamp((side.values[i] - low) / width, 0.0, static_cast<double>(kPictureBins) - 0.5);
      bins[static_cast<std::size_t>(at)] += side.weights[i];
    }
    Json out = Json::array();
    for (const double bin : bins) out.push(bin / std::max(1.0, side.count));
    return out;
  };
  return Json::object({{"edges", edges}, {"old", shares(before)}, {"new", shares(after)}});
}

Json category_picture(const Counts& before, const Counts& after) {
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [value, count] : before.values)
    order.emplace_back(std::max(count / before.total, after.share(value)), value);
  for (const auto& [value, count] : after.values)
    if (before.values.count(value) == 0) order.emplace_back(count / after.total, value);
  const std::size_t shown = std::min(kPictureValues, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
                    [](const auto& x, const auto& y) {
                      return x.first != y.first ? x.first > y.first : x.second < y.second;
                    });
  Json values = Json::array(), old_shares = Json::array(), new_shares = Json::array();
  for (std::size_t i = 0; i < shown; ++i) {
    values.push(order[i].second);
    old_shares.push(before.share(order[i].second));
    new_shares.push(after.share(order[i].second));
  }
  return Json::object({{"values", values}, {"old", old_shares}, {"new", new_shares}});
}

}  // namespace maru::stats
