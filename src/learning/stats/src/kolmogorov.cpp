#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "maru/stats/measures.h"
#include "numbers.h"

namespace maru::stats {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kSumRows = 200'000;  // above, the sum over n terms is replaced by its limit

// Birnbaum and Tingey 1951: P(D+ >= x) of n rows; all terms are positive.
double smirnov(double n, double x) {
  double sum = 0;
  const double last = std::floor(n * (1 - x)), ln_all = std::lgamma(n + 1);
  for (double j = 0; j <= last; ++j) {
    const double low = x + j / n, high = 1 - low;
    if (high < 0) break;
    double term = ln_all - std::lgamma(j + 1) - std::lgamma(n - j + 1) + (j - 1) * std::log(low);
    if (n - j > 0) {
      if (high <= 0) continue;
      term += (n - j) * std::log1p(-low);
    }
    sum += std::exp(term);
  }
  return x * sum;
}

// Marsaglia, Tsang and Wang 2003: P(D < x) exactly, by a power of a matrix.
double matrix_cdf(int n, double x) {
  const int k = static_cast<int>(n * x) + 1, m = 2 * k - 1;
  const double h = k - n * x;
  const auto size = static_cast<std::size_t>(m);
  using Matrix = std::vector<double>;
  Matrix base(size * size, 0.0);
  const auto at = [size](int i, int j) {
    return static_cast<std::size_t>(i) * size + static_cast<std::size_t>(j);
  };
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < m; ++j) base[at(i, j)] = i - j + 1 < 0 ? 0 : 1;
  for (int i = 0; i < m; ++i) {
    base[at(i, 0)] -= std::pow(h, i + 1);
    base[at(m - 1, i)] -= std::pow(h, m - i);
  }
  base[at(m - 1, 0)] += 2 * h - 1 > 0 ? std::pow(2 * h - 1, m) : 0;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < m; ++j)
      for (int g = 1; i - j + 1 > 0 && g <= i - j + 1; ++g) base[at(i, j)] /= g;
  const auto times = [&](const Matrix& a, const Matrix& b) {
    Matrix out(size * size, 0.0);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < size; ++l)
        for (std::size_t j = 0; j < size; ++j)
          out[i * size + j] += a[i * size + l] * b[l * size + j];
    return out;
  };
  Matrix power(size * size, 0.0);
  for (std::size_t i = 0; i < size; ++i) power[i * size + i] = 1;
  int exponent = 0, base_exponent = 0;
  const double big = 1e140;
  for (int rest = n; rest > 0; rest /= 2) {
    if (rest % 2 == 1) {
      power = times(power, base);
      exponent += base_exponent;
    }
    base = times(base, base);
    base_exponent *= 2;
    if (base[at(k - 1, k - 1)] > big) {
      for (double& v : base) v *= 1e-140;
      base_exponent += 140;
    }
    if (power[at(k - 1, k - 1)] > big) {
      for (double& v : power) v *= 1e-140;
      exponent += 140;
    }
  }
  double s = power[at(k - 1, k - 1)];
  for (int i = 1; i <= n; ++i) {
    s = s * i / n;
    if (s < 1e-140) {
      s *= 1e140;
      exponent -= 140;
    }
  }
  return s * std::pow(10.0, exponent);
}

// Pelz and Good 1976: the limit and three corrections, for z = x sqrt(n).
double pelz_good_cdf(double n, double x) {
  const double z = std::sqrt(n) * x, z2 = z * z, z4 = z2 * z2, z6 = z4 * z2, p2 = kPi * kPi,
               p4 = p2 * p2, p6 = p4 * p2;
  if (-p2 / 8 / z2 < -700) return 0;
  double k0 = 0, k1 = 0, k2 = 0, k3 = 0, k2_more = 0, k3_more = 0;
  const int last = static_cast<int>(std::ceil(16 * z / kPi));
  for (int k = 1; k <= last; ++k) {
    const double m = 2.0 * k - 1, m2 = m * m, m4 = m2 * m2, q = std::exp(-p2 / 8 / z2 * m2);
    k0 += q;
    k1 += q * (-z2 + p2 / 4 * m2);
    k2 += q * (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * p2 / 4 * m2 + p4 * (1 - 2 * z2) / 16 * m4);
    k3 += q * (-30 * z6 - 90 * z4 * z4 + p2 * (135 * z4 - 96 * z6) / 4 * m2 +
               p4 * (-60 * z2 + 212 * z4) / 16 * m4 + p6 * (5 - 30 * z2) / 64 * m4 * m2);
    const double kk = static_cast<double>(k) * k, all = std::exp(-p2 / 2 / z2 * kk);
    k2_more += kk * all;
    k3_more += (3 * z2 - p2 * kk) * kk * all;
  }
  const double root = std::sqrt(2 * kPi);
  k0 *= root / z;
  k1 *= root / (6 * z4);
  k2 = k2 * root / (72 * z6 * z) - k2_more * p2 * root / (36 * z2 * z);
  k3 = k3 * root / (6480 * z6 * z4) + k3_more * p2 * root / (216 * z6);
  return k0 + k1 / std::sqrt(n) + k2 / n + k3 / (n * std::sqrt(n));
}

// Equal sizes: Pr(D >= h/n) as an alternating sum of binomials, factored so that nothing cancels.
double outside_square(double n, double h) {
  double p = 0;
  for (double k = std::floor(n / h); k >= 0; --k) {
    double term = 1;
    for (double j = 0; j < h; ++j) term = (n - k * h - j) * term / (n + k * h + j + 1);
    p = term * (1 - p);
  }
  return 2 * p;
}

// Share of the lattice paths from (0, 0) to (m, n) that leave the band |nx - my| < h g (Hodges 1958), column by column.
double outside_band(std::int64_t m, std::int64_t n, std::int64_t g, std::int64_t h) {
  if (m < n) std::swap(m, n);
  const std::int64_t mg = m / g, ng = n / g;
  const auto floor_div = [](std::int64_t a, std::int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
  };
  const auto ceil_div = [&](std::int64_t a, std::int64_t b) { return -floor_div(-a, b); };
  std::int64_t low = 0, high = std::min(ceil_div(h, mg), n + 1), length = high;
  std::vector<double> a(static_cast<std::size_t>(std::min(2 * high + 2, n + 1)), 1.0);
  std::fill(a.begin(), a.begin() + high, 0.0);
  for (std::int64_t i = 1; i <= m; ++i) {
    const std::int64_t last_low = low, last_length = length;
    low = std::min(std::max(floor_div(ng * i - h, mg) + 1, std::int64_t{0}), n);
    high = std::min(ceil_div(ng * i + h, mg), n + 1);
    if (high <= low) return 1;
    double value = low == 0 ? 0 : 1;
    for (std::int64_t at = 0; at < high - low; ++at) {
      const double j = static_cast<double>(at + low), x = static_cast<double>(i);
      value = (a[static_cast<std::size_t>(at + low - last_low)] * x + value * j) / (x + j);
      a[static_cast<std::size_t>(at)] = value;
    }
    length = high - low;
    for (std::int64_t at = length; at < last_length; ++at) a[static_cast<std::size_t>(at)] = 1;
  }
  return a[static_cast<std::size_t>(high - low - 1)];
}

}  // namespace

// The choice of method follows Simard and L'Ecuyer 2011.
double kolmogorov_finite_p(double n, double x) {
  if (n < 1 || x <= 0) return 1;
  if (x >= 1) return 0;
  const double t = n * x, nx2 = t * x;
  if (t <= 0.5) return 1;
  if (t <= 1) return 1 - std::exp(std::lgamma(n + 1) - n * std::log(n) + n * std::log(2 * t - 1));
  if (t >= n - 1) return 2 * std::pow(1 - x, n);
  if (nx2 >= 370) return 0;
  if (n > kSumRows) return std::min(1.0, kolmogorov_p(x, 2 * n, 2 * n));
  if (x >= 0.5 || nx2 >= (n <= 140 ? 4 : 2.2)) return std::min(1.0, 2 * smirnov(n, x));
  if (nx2 < 0.03) return 1;  // below 1e-12 from 1
  if (n <= 140 || (n <= 100'000 && n * std::pow(x, 1.5) <= 1.4))
    return std::clamp(1 - matrix_cdf(static_cast<int>(n), x), 0.0, 1.0);
  return std::clamp(1 - pelz_good_cdf(n, x), 0.0, 1.0);
}

double ks_exact_p(double ks, std::uint64_t n, std::uint64_t m) {
  if (n == 0 || m == 0) return 1;
  const std::uint64_t g = std::gcd(n, m);
  const auto h = static_cast<std::int64_t>(std::llround(ks * static_cast<double>(n / g * m)));
  if (h == 0) return 1;
  return std::clamp(n == m
                        ? outside_square(static_cast<double>(n), static_cast<double>(h))
                        : outside_band(static_cast<std::int64_t>(n), static_cast<std::int64_t>(m),
                                       static_cast<std::int64_t>(g), h),
                    0.0, 1.0);
}

}  // namespace maru::stats
