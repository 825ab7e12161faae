#include "realised.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "maru/base/text.h"

namespace maru::monitor {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kZ = 1.959963984540054;

bool parse_number(std::string_view text, double& out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && std::isfinite(out);
}

bool same_label(std::string_view a, std::string_view b) {
  if (a == b) return true;
  double x = 0, y = 0;
  return parse_number(a, x) && parse_number(b, y) && x == y;
}

// A label in the words of the answers.
const std::string& as_answered(const MonitorConfig& config, const std::string& label) {
  for (std::size_t k = 0; k < config.label_values.size() && k < config.classes.size(); ++k)
    if (same_label(label, config.label_values[k])) return config.classes[k];
  return label;
}

// 1, 0, or -1 when the label says neither.
int binary_label(const MonitorConfig& config, const std::string& label) {
  if (config.classes.size() == 2) {
    if (same_label(label, config.classes[1])) return 1;
    if (same_label(label, config.classes[0])) return 0;
  }
  const std::string word = base::to_lower_ascii(label);
  double number = 0;
  if (word == "true" || (parse_number(word, number) && number == 1)) return 1;
  if (word == "false" || (parse_number(word, number) && number == 0)) return 0;
  return -1;
}

// Midranks, 1-based: ties share the mean of their ranks.
std::vector<double> midranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t j = i;
    while (j < order.size() && values[order[j]] == values[order[i]]) ++j;
    for (std::size_t k = i; k < j; ++k) ranks[order[k]] = 0.5 * static_cast<double>(i + j + 1);
    i = j;
  }
  return ranks;
}

double variance(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return sum / (n - 1);
}

Realised mean_of(const std::vector<double>& losses) {
  Realised out;
  const auto n = static_cast<double>(losses.size());
  out.value = std::accumulate(losses.begin(), losses.end(), 0.0) / n;
  const double half = kZ * std::sqrt(variance(losses) / n);
  out.low = std::max(0.0, out.value - half);
  out.high = out.value + half;
  return out;
}

// Wilson's score interval.
Realised share_of(double hits, double n) {
  Realised out;
  const double p = hits / n, z2 = kZ * kZ;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n),
               half = kZ / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  out.value = p;
  out.low = std::max(0.0, centre - half);
  out.high = std::min(1.0, centre + half);
  return out;
}

struct Pairs {
  std::vector<double> scores, truth;  // regression: numbers; binary: 0 or 1
  std::uint64_t hits = 0, usable = 0;
};

Pairs join(const MonitorConfig& config, const data::Table& rows,
           const std::unordered_map<std::string, std::string>& labels) {
  Pairs out;
  const data::Column* ids = rows.find("id");
  const data::Column* scores = rows.find("score");
  const data::Column* predictions = rows.find("prediction");
  if (ids == nullptr || scores == nullptr || predictions == nullptr) return out;
  std::string id;
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    id.assign(ids->text(row));
    const auto found = labels.find(id);
    if (found == labels.end()) continue;
    double truth = 0;
    if (config.task == "regression") {
      if (!parse_number(found->second, truth)) continue;
    } else if (config.task == "binary") {
      const int label = binary_label(config, as_answered(config, found->second));
      if (label < 0) continue;
      truth = label;
      const int predicted = binary_label(config, std::string(predictions->text(row)));
      out.hits += predicted == label;
    } else {
      out.hits += same_label(as_answered(config, found->second), predictions->text(row));
    }
    ++out.usable;
    out.scores.push_back(scores->number(row));
    out.truth.push_back(truth);
  }
  return out;
}

Realised loss_metric(const std::string& metric, const Pairs& pairs) {
  std::vector<double> losses;
  losses.reserve(pairs.scores.size());
  for (std::size_t i = 0; i < pairs.scores.size(); ++i) {
    const double difference = pairs.scores[i] - pairs.truth[i];
    if (metric == "mae") {
      losses.push_back(std::abs(difference));
    } else if (metric == "log_loss") {
      const double p =
          std::clamp(pairs.truth[i] > 0.5 ? pairs.scores[i] : 1 - pairs.scores[i], 1e-15, 1.0);
      losses.push_back(-std::log(p));
    } else {
      losses.push_back(difference * difference);
    }
  }
  Realised out = mean_of(losses);
  if (metric != "rmse") return out;
  out.value = std::sqrt(out.value);
  out.low = std::sqrt(out.low);
  out.high = std::sqrt(out.high);
  return out;
}

}  // namespace

bool larger_is_better(std::string_view metric) {
  return metric == "roc_auc" || metric == "accuracy";
}

std::string realised_metric(const MonitorConfig& config) {
  const std::string& m = config.metric;
  if (config.task == "multiclass") return "accuracy";
  if (config.task == "regression") return m == "mae" ? m : "rmse";
  return m == "log_loss" || m == "brier" || m == "accuracy" ? m : "roc_auc";
}

Realised roc_auc(const std::vector<double>& scores, const std::vector<int>& positives) {
  std::vector<double> good, bad;
  for (std::size_t i = 0; i < scores.size(); ++i)
    (positives[i] != 0 ? good : bad).push_back(scores[i]);
  Realised out;
  out.labelled = scores.size();
  out.value = out.low = out.high = kNan;
  if (good.empty() || bad.empty()) return out;
  const auto m = static_cast<double>(good.size()), n = static_cast<double>(bad.size());
  std::vector<double> both = good;
  both.insert(both.end(), bad.begin(), bad.end());
  const std::vector<double> all = midranks(both), within_good = midranks(good),
                            within_bad = midranks(bad);
  std::vector<double> v10(good.size()), v01(bad.size());
  double sum = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    v10[i] = (all[i] - within_good[i]) / n;
    sum += v10[i];
  }
  for (std::size_t j = 0; j < bad.size(); ++j)
    v01[j] = 1 - (all[good.size() + j] - within_bad[j]) / m;
  out.value = sum / m;
  const double half = kZ * std::sqrt(variance(v10) / m + variance(v01) / n);
  out.low = std::max(0.0, out.value - half);
  out.high = std::min(1.0, out.value + half);
  return out;
}

Realised realised(const MonitorConfig& config, const data::Table& rows,
                  const std::unordered_map<std::string, std::string>& labels) {
  const Pairs pairs = join(config, rows, labels);
  Realised out;
  out.value = out.low = out.high = kNan;
  if (pairs.usable >= kMinLabelled) {
    const std::string metric = realised_metric(config);
    if (metric == "accuracy") {
      out = share_of(static_cast<double>(pairs.hits), static_cast<double>(pairs.usable));
    } else if (metric == "roc_auc") {
      out = roc_auc(pairs.scores, std::vector<int>(pairs.truth.begin(), pairs.truth.end()));
    } else {
      out = loss_metric(metric, pairs);
    }
  }
  out.labelled = pairs.usable;
  return out;
}

}  // namespace maru::monitor
