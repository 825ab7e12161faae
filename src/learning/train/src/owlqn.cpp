#include "owlqn.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

namespace maru::train {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

class Minimizer {
 public:
  Minimizer(Vector start, const std::function<double(const Vector&, Vector&)>& smooth,
            const MinimizeOptions& options)
      : smooth_(smooth), options_(options), x_(std::move(start)), gradient_(x_.size()) {}

  Minimum run() {
    Minimum out;
    value_ = smooth_(x_, gradient_) + l1_of(x_);
    std::deque<double> recent = {value_};
    for (; out.iterations < options_.max_iterations; ++out.iterations) {
      const Vector pseudo = pseudo_gradient();
      const double steepest = std::sqrt(dot(pseudo, pseudo));
      if (steepest < 1e-10 * std::max(1.0, std::sqrt(dot(x_, x_)))) out.converged = true;
      if (out.converged || !step(pseudo, out.iterations == 0)) break;
      recent.push_back(value_);
      if (recent.size() > 6) recent.pop_front();
      if (recent.size() == 6 && recent.front() - recent.back() <=
                                    options_.tolerance * std::max(1e-12, std::abs(recent.back())))
        out.converged = true;
      if (options_.stop && options_.stop()) out.cut = !out.converged;
      if (out.converged || out.cut) {
        ++out.iterations;
        break;
      }
    }
    out.cut = out.cut || stopped_;
    out.x = std::move(x_);
    out.value = value_;
    return out;
  }

 private:
  double l1_of(const Vector& x) const {
    double sum = 0;
    for (std::size_t i = 0; i < options_.l1.size(); ++i) sum += options_.l1[i] * std::abs(x[i]);
    return sum;
  }

  Vector pseudo_gradient() const {
    if (options_.l1.empty()) return gradient_;
    Vector out(x_.size());
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const double low = gradient_[i] - options_.l1[i], high = gradient_[i] + options_.l1[i];
      if (x_[i] > 0)
        out[i] = high;
      else if (x_[i] < 0)
        out[i] = low;
      else
        out[i] = low > 0 ? low : high < 0 ? high : 0;
    }
    return out;
  }

  Vector direction(const Vector& pseudo) const {
    Vector d = pseudo;
    Vector alpha(pairs_.size());
    for (std::size_t k = pairs_.size(); k-- > 0;) {
      alpha[k] = dot(pairs_[k].s, d) * pairs_[k].rho;
      for (std::size_t i = 0; i < d.size(); ++i) d[i] -= alpha[k] * pairs_[k].y[i];
    }
    if (!pairs_.empty()) {
      const double scale = 1 / (pairs_.back().rho * dot(pairs_.back().y, pairs_.back().y));
      for (double& v : d) v *= scale;
    }
    for (std::size_t k = 0; k < pairs_.size(); ++k) {
      const double beta = dot(pairs_[k].y, d) * pairs_[k].rho;
      for (std::size_t i = 0; i < d.size(); ++i) d[i] += (alpha[k] - beta) * pairs_[k].s[i];
    }
    for (std::size_t i = 0; i < d.size(); ++i) {
      d[i] = -d[i];
      if (!options_.l1.empty() && d[i] * pseudo[i] > 0)
        d[i] = 0;  // stay in the orthant that descends
    }
    return d;
  }

  bool step(const Vector& pseudo, bool first) {
    Vector d = direction(pseudo);
    double slope = dot(d, pseudo);
    if (slope >= 0) {
      pairs_.clear();
      for (std::size_t i = 0; i < d.size(); ++i) d[i] = -pseudo[i];
      slope = dot(d, pseudo);
    }
    double length = first ? 1 / std::max(1.0, std::sqrt(dot(d, d))) : 1;
    Vector next(x_.size()), next_gradient(x_.size());
    for (int attempt = 0; attempt < 40; ++attempt, length *= 0.5) {
      if (!first && attempt > 2 && options_.stop && options_.stop()) {
        stopped_ = true;
        return false;
      }
      for (std::size_t i = 0; i < x_.size(); ++i) {
        next[i] = x_[i] + length * d[i];
        if (options_.l1.empty() || options_.l1[i] == 0) continue;
        const double orthant = x_[i] != 0 ? x_[i] : -pseudo[i];
        if (next[i] * orthant <= 0) next[i] = 0;
      }
      const double value = smooth_(next, next_gradient) + l1_of(next);
      if (!(value <= value_ + 1e-4 * length * slope)) continue;
      remember(next, next_gradient);
      x_.swap(next);
      gradient_.swap(next_gradient);
      value_ = value;
      return true;
    }
    return false;
  }

  void remember(const Vector& next, const Vector& next_gradient) {
    Pair pair{Vector(x_.size()), Vector(x_.size()), 0};
    for (std::size_t i = 0; i < x_.size(); ++i) {
      pair.s[i] = next[i] - x_[i];
      pair.y[i] = next_gradient[i] - gradient_[i];
    }
    const double curvature = dot(pair.s, pair.y);
    if (curvature <= 1e-12 * dot(pair.y, pair.y)) return;
    pair.rho = 1 / curvature;
    pairs_.push_back(std::move(pair));
    if (pairs_.size() > options_.memory) pairs_.pop_front();
  }

  struct Pair {
    Vector s, y;
    double rho;
  };
  const std::function<double(const Vector&, Vector&)>& smooth_;
  const MinimizeOptions& options_;
  Vector x_, gradient_;
  double value_ = 0;
  bool stopped_ = false;
  std::deque<Pair> pairs_;
};

}  // namespace

Minimum minimize(
    std::vector<double> start,
    const std::function<double(const std::vector<double>&, std::vector<double>&)>& smooth,
    const MinimizeOptions& options) {
  return Minimizer(std::move(start), smooth, options).run();
}

}  // namespace maru::train
