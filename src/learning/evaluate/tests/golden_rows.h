#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "maru/model/model.h"

// Rows that a few lines of Python can make too: i = 0..399, a = (i*7919+13) % 101, b = (i*104729+7) % 97.
struct GoldenRows {
  static constexpr std::size_t kRows = 400;
  std::vector<double> a, b;
  GoldenRows() {
    for (std::size_t i = 0; i < kRows; ++i) {
      a.push_back(static_cast<double>((i * 7919 + 13) % 101));
      b.push_back(static_cast<double>((i * 104729 + 7) % 97));
    }
  }

  // p = a/101, p[::50] = 0; y = b/97 < 0.1 + 0.8*a/101
  maru::model::Predictions binary(std::vector<double>& labels) const {
    maru::model::Predictions out;
    out.rows = kRows;
    for (std::size_t i = 0; i < kRows; ++i) {
      out.scores.push_back(i % 50 == 0 ? 0.0 : a[i] / 101.0);
      labels.push_back(b[i] / 97.0 < 0.1 + 0.8 * a[i] / 101.0 ? 1 : 0);
    }
    return out;
  }

  // s[k] = (i*(k+3)+k*k*11) % 17 + 1; P = s/sum(s); Y = argmax(P) where b % 5 < 3 else b % 4
  maru::model::Predictions multiclass(std::vector<double>& labels) const {
    maru::model::Predictions out;
    out.task = maru::model::Task::kMulticlass;
    out.rows = kRows;
    out.width = 4;
    for (std::size_t i = 0; i < kRows; ++i) {
      double s[4], sum = 0;
      for (std::size_t k = 0; k < 4; ++k)
        sum += s[k] = static_cast<double>((i * (k + 3) + k * k * 11) % 17) + 1;
      for (double v : s) out.scores.push_back(v / sum);
      const auto best = std::max_element(s, s + 4) - s;
      const auto bi = static_cast<std::uint64_t>(b[i]);
      labels.push_back(bi % 5 < 3 ? static_cast<double>(best) : static_cast<double>(bi % 4));
    }
    return out;
  }

  // t = 10 + 3.5 a - 1.25 b; q = t + 2 (b % 7 - 3) + 0.5
  maru::model::Predictions regression(std::vector<double>& labels) const {
    maru::model::Predictions out;
    out.task = maru::model::Task::kRegression;
    out.rows = kRows;
    for (std::size_t i = 0; i < kRows; ++i) {
      labels.push_back(10 + a[i] * 3.5 - b[i] * 1.25);
      out.scores.push_back(labels.back() +
                           (static_cast<double>(static_cast<std::uint64_t>(b[i]) % 7) - 3) * 2.0 +
                           0.5);
    }
    return out;
  }
};
