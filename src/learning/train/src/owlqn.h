#pragma once
#include <functional>
#include <vector>

namespace maru::train {

struct MinimizeOptions {
  std::size_t memory = 10;
  int max_iterations = 200;
  double tolerance = 1e-6;     // of the objective, relative, over five iterations
  std::vector<double> l1;      // weight of |x_i|; empty: none (plain L-BFGS)
  std::function<bool()> stop;  // after each iteration
};

struct Minimum {
  std::vector<double> x;
  double value = 0;  // with the L1 term
  int iterations = 0;
  bool converged = false, cut = false;
};

// Minimises f(x) + sum l1_i |x_i| for a smooth convex f: Andrew & Gao 2007, "Scalable training of L1-regularized log-linear models".
// `smooth` returns f and writes its gradient. Deterministic.
Minimum minimize(
    std::vector<double> start,
    const std::function<double(const std::vector<double>&, std::vector<double>&)>& smooth,
    const MinimizeOptions& options);

}  // namespace maru::train
