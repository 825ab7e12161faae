#include <algorithm>
#include <cmath>
#include <numeric>

#include "meter.h"

namespace maru::evaluate {
namespace {

constexpr std::size_t kPoints = 200, kHistogramBins = 20, kResidualBins = 10;

struct Cut {
  double score, hits, misses;  // rows with at least this score
};

// Every distinct score from the highest, with what lies at or above it.
std::vector<Cut> cuts_of(const Meter& meter) {
  std::vector<std::pair<double, double>> rows;
  for (std::size_t i = 0; i < meter.rows(); ++i)
    rows.emplace_back(meter.scores()[i], meter.labels()[i]);
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Cut> out;
  double hits = 0, misses = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    (rows[i].second > 0 ? hits : misses) += 1;
    if (i + 1 == rows.size() || rows[i + 1].first != rows[i].first)
      out.push_back({rows[i].first, hits, misses});
  }
  return out;
}

std::vector<std::size_t> spread(std::size_t count, std::size_t points) {
  std::vector<std::size_t> out;
  if (count <= points) {
    out.resize(count);
    std::iota(out.begin(), out.end(), std::size_t{0});
    return out;
  }
  for (std::size_t p = 0; p < points; ++p) out.push_back(p * (count - 1) / (points - 1));
  return out;
}

void add_binary(const Meter& meter, base::Json& out) {
  const std::vector<Cut> cuts = cuts_of(meter);
  if (cuts.empty()) return;
  const double positives = cuts.back().hits, negatives = cuts.back().misses;
  base::Json roc = base::Json::array(), pr = base::Json::array();
  base::Json origin = base::Json::object();
  roc.push(origin.set("fpr", 0.0).set("tpr", 0.0).set("threshold", nullptr));
  for (std::size_t i : spread(cuts.size(), kPoints - 1)) {
    const Cut& cut = cuts[i];
    base::Json a = base::Json::object(), b = base::Json::object();
    a.set("fpr", negatives > 0 ? cut.misses / negatives : 0)
        .set("tpr", positives > 0 ? cut.hits / positives : 0)
        .set("threshold", cut.score);
    b.set("recall", positives > 0 ? cut.hits / positives : 0)
        .set("precision", cut.hits / (cut.hits + cut.misses))
        .set("threshold", cut.score);
    roc.push(std::move(a));
    pr.push(std::move(b));
  }
  out.set("roc", std::move(roc)).set("pr", std::move(pr));
}

void add_calibration(const Meter& meter, bool binary, base::Json& out) {
  std::vector<double> rows(kCalibrationBins), predicted(kCalibrationBins),
      observed(kCalibrationBins);
  std::vector<double> of_negative(kHistogramBins), of_positive(kHistogramBins);
  for (std::size_t i = 0; i < meter.rows(); ++i) {
    const double p = meter.scores()[i];
    const bool hit = binary ? meter.labels()[i] > 0
                            : static_cast<double>(meter.predicted()[i]) == meter.labels()[i];
    const auto bin =
        static_cast<std::size_t>(std::clamp(p * kCalibrationBins, 0.0, kCalibrationBins - 1.0));
    rows[bin] += 1;
    predicted[bin] += p;
    observed[bin] += hit ? 1 : 0;
    (hit ? of_positive : of_negative)[static_cast<std::size_t>(
        std::clamp(p * kHistogramBins, 0.0, kHistogramBins - 1.0))] += 1;
  }
  base::Json bins = base::Json::array(), histogram = base::Json::array();
  for (std::size_t b = 0; b < kCalibrationBins; ++b) {
    if (rows[b] == 0) continue;
    base::Json bin = base::Json::object();
    bin.set("low", static_cast<double>(b) / kCalibrationBins)
        .set("high", static_cast<double>(b + 1) / kCalibrationBins);
    bin.set("rows", static_cast<std::int64_t>(rows[b]))
        .set("predicted", predicted[b] / rows[b])
        .set("observed", observed[b] / rows[b]);
    bins.push(std::move(bin));
  }
  for (std::size_t b = 0; b < kHistogramBins; ++b) {
    base::Json bin = base::Json::object();
    bin.set("low", static_cast<double>(b) / kHistogramBins)
        .set("high", static_cast<double>(b + 1) / kHistogramBins);
    bin.set(binary ? "negative" : "wrong", static_cast<std::int64_t>(of_negative[b]));
    bin.set(binary ? "positive" : "right", static_cast<std::int64_t>(of_positive[b]));
    histogram.push(std::move(bin));
  }
  out.set("calibration", std::move(bins)).set("histogram", std::move(histogram));
}

double quantile(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

void add_residuals(const Meter& meter, base::Json& out) {
  if (meter.rows() == 0) return;
  std::vector<double> residuals;
  std::vector<std::pair<double, double>> pairs;
  for (std::size_t i = 0; i < meter.rows(); ++i) {
    residuals.push_back(meter.labels()[i] - meter.scores()[i]);
    pairs.emplace_back(meter.scores()[i], meter.labels()[i]);
  }
  std::sort(residuals.begin(), residuals.end());
  std::sort(pairs.begin(), pairs.end());
  base::Json quantiles = base::Json::array(), bins = base::Json::array();
  for (double p : {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99}) {
    base::Json point = base::Json::object();
    quantiles.push(point.set("p", p).set("value", quantile(residuals, p)));
  }
  const std::size_t parts = std::min(kResidualBins, pairs.size());
  for (std::size_t b = 0; b < parts; ++b) {
    const std::size_t from = b * pairs.size() / parts, to = (b + 1) * pairs.size() / parts;
    double predicted = 0, observed = 0;
    for (std::size_t i = from; i < to; ++i) {
      predicted += pairs[i].first;
      observed += pairs[i].second;
    }
    const auto rows = static_cast<double>(to - from);
    base::Json bin = base::Json::object();
    bin.set("low", pairs[from].first)
        .set("high", pairs[to - 1].first)
        .set("rows", static_cast<std::int64_t>(to - from));
    bins.push(bin.set("predicted", predicted / rows).set("observed", observed / rows));
  }
  out.set("residuals", std::move(quantiles)).set("calibration", std::move(bins));
}

}  // namespace

base::Json curves_of(const Meter& meter, model::Task task) {
  base::Json out = base::Json::object();
  if (task == model::Task::kRegression) {
    add_residuals(meter, out);
    return out;
  }
  if (task == model::Task::kBinary) add_binary(meter, out);
  add_calibration(meter, task == model::Task::kBinary, out);
  return out;
}

}  // namespace maru::evaluate
