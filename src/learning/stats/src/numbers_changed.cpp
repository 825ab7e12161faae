#include "numbers_changed.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace maru::stats {
namespace {

constexpr double kExplained = 0.6;
constexpr double kLeastFactor = 0.02;  // |ln factor| below which nothing was scaled
constexpr double kHourUs = 3.6e9;
constexpr std::size_t kMostRefined = 20'000;  // distinct values; above, the medians are near enough

struct Unit {
  double factor;
  const char* name;
};
// What a constant factor usually is; also upside down.
constexpr std::array<Unit, 15> kUnits = {
    {{100, "a hundredth of the unit, as cents or per cent"},
     {1000, "a thousandth of the unit, as grams for kilograms"},
     {1e6, "a millionth of the unit"},
     {10, "a decimal point moved by one"},
     {60, "minutes for hours, or seconds for minutes"},
     {3600, "seconds for hours"},
     {24, "hours for days"},
     {86400, "seconds for days"},
     {1.609344, "kilometres for miles"},
     {2.54, "centimetres for inches"},
     {3.28084, "feet for metres"},
     {2.204623, "pounds for kilograms"},
     {12, "months for years, or inches for feet"},
     {7, "days for weeks"},
     {1.8, "degrees Fahrenheit for Celsius, without the 32"}}};

std::string unit_of(double factor) {
  for (const Unit& unit : kUnits) {
    if (std::fabs(factor / unit.factor - 1) < 0.01) return unit.name;
    if (std::fabs(factor * unit.factor - 1) < 0.01)
      return std::string("the other way of: ") + unit.name;
  }
  return {};
}

// KS that two equal distributions of these sizes stay below, all but once in a thousand times, and a little for rounding.
double alike(const Sample& a, const Sample& b) {
  return 1.95 * std::sqrt(1 / a.count + 1 / b.count) + 0.01;
}

// Whether `undone` is the old again; then how much of the distance is gone.
bool fits(const Sample& before, const Sample& after, const Sample& undone, NumberChange& out) {
  const NumberMeasures now = number_measures(before, after), then = number_measures(before, undone);
  if (now.wasserstein <= 0) return false;
  // Steps of repeated values may be off by a hair after dividing: distance decides, KS only where values are many.
  const double gone = 1 - then.wasserstein / now.wasserstein;
  const bool smooth = before.values.size() > 50;
  if (gone < kExplained || (smooth && then.ks > alike(before, after)) ||
      (!smooth &&
       then.wasserstein_normed > 0.05 + 2 * std::sqrt(1 / before.count + 1 / after.count)))
    return false;
  out.explained = gone;
  return true;
}

// The parameter near `start` for which undoing leaves the least distance: sixteen steps of a golden section on either side.
template <class Undo>
double refined(const Sample& before, double low, double high, const Undo& undo) {
  constexpr double kGolden = 0.6180339887498949;
  if (before.values.size() > kMostRefined) return (low + high) / 2;
  const auto left = [&](double x) { return number_measures(before, undo(x)).wasserstein; };
  double a = low, b = high, c = b - kGolden * (b - a), d = a + kGolden * (b - a);
  double at_c = left(c), at_d = left(d);
  for (int i = 0; i < 16; ++i) {
    if (at_c < at_d) {
      b = d;
      d = c;
      at_d = at_c;
      c = b - kGolden * (b - a);
      at_c = left(c);
    } else {
      a = c;
      c = d;
      at_c = at_d;
      d = a + kGolden * (b - a);
      at_d = left(d);
    }
  }
  return (a + b) / 2;
}

bool scaled(const Sample& before, const Sample& after, NumberChange& out) {
  const double old_size = before.median != 0 ? before.median : before.mean;
  const double new_size = before.median != 0 ? after.median : after.mean;
  if (old_size == 0 || new_size == 0 || (old_size < 0) != (new_size < 0)) return false;
  double factor = new_size / old_size;
  // A usual factor nearby is the one that is meant.
  factor = refined(before, factor * 0.75, factor * 1.35,
                   [&](double f) { return after.mapped(1 / f, 0); });
  for (const Unit& unit : kUnits) {
    if (std::fabs(factor / unit.factor - 1) < 0.03) factor = unit.factor;
    if (std::fabs(factor * unit.factor - 1) < 0.03) factor = 1 / unit.factor;
  }
  if (std::fabs(std::log(factor)) < kLeastFactor) return false;
  out.factor = factor;
  return fits(before, after, after.mapped(1 / factor, 0), out);
}

// Fewer values than before, all on a grid on which the old ones were not: share of the distance that rounding the old gives back.
bool rounded(const Sample& before, const Sample& after, NumberChange& out) {
  if (after.values.size() < 2 || 3 * after.values.size() > before.values.size() ||
      after.count < 0.2 * before.count)
    return false;
  double step = after.values.back() - after.values.front();
  for (std::size_t i = 1; i < after.values.size(); ++i)
    step = std::min(step, after.values[i] - after.values[i - 1]);
  double on_grid = 0;
  for (const double v : after.values) {
    const double at = v / step;
    if (std::fabs(at - std::round(at)) < 1e-6) ++on_grid;
  }
  double old_on_grid = 0;
  for (std::size_t i = 0; i < before.values.size(); ++i) {
    const double at = before.values[i] / step;
    if (std::fabs(at - std::round(at)) < 1e-6) old_on_grid += before.weights[i];
  }
  if (on_grid < 0.99 * static_cast<double>(after.values.size()) || old_on_grid > 0.5 * before.count)
    return false;
  std::vector<double> cut;
  std::vector<double> weights;
  for (std::size_t i = 0; i < before.values.size(); ++i) {
    const double v = std::round(before.values[i] / step) * step;
    if (!cut.empty() && std::fabs(cut.back() - v) < step / 2) {
      weights.back() += before.weights[i];
    } else {
      cut.push_back(v);
      weights.push_back(before.weights[i]);
    }
  }
  const NumberMeasures now = number_measures(before, after),
                       then = number_measures(Sample::weighted(cut, weights), after);
  out.factor = step;
  out.explained = 1 - then.wasserstein / std::max(1e-300, now.wasserstein);
  return now.ks > 0.02 &&
         then.wasserstein <
             0.25 * step + 2 * before.std * std::sqrt(1 / before.count + 1 / after.count);
}

}  // namespace

NumberChange find_change(const Sample& before, const Sample& after, bool time) {
  NumberChange none;
  if (before.count < 20 || after.count < 20 || before.std <= 0) return none;
  NumberChange scale, shift, out;
  if (!time && scaled(before, after, scale)) {
    scale.kind = "scale";
    scale.meaning = unit_of(scale.factor);
  }
  shift.shift = after.median - before.median;
  if (time) {
    shift.shift = std::round(shift.shift / (kHourUs / 4)) * (kHourUs / 4);
  } else if (shift.shift != 0) {
    shift.shift = refined(before, shift.shift * 0.6, shift.shift * 1.4,
                          [&](double by) { return after.mapped(1, -by); });
  }
  if (shift.shift != 0 && fits(before, after, after.mapped(1, -shift.shift), shift))
    shift.kind = "shift";
  if (!scale.kind.empty() || !shift.kind.empty())
    return scale.explained >= shift.explained ? scale : shift;
  if (time) return none;
  out = {};
  out.factor = -1;
  out.shift = before.mean + after.mean;
  const bool minus = std::fabs(after.mean + before.mean) <
                     3 * before.std * std::sqrt(1 / before.count + 1 / after.count);
  if (minus) out.shift = 0;
  if (fits(before, after, after.mapped(-1, out.shift), out)) {
    out.kind = "mirrored";
    return out;
  }
  out = {};
  if (rounded(before, after, out)) {
    out.kind = "rounded";
    return out;
  }
  out = {};
  if (after.std > 0 && std::fabs(after.std / before.std - 1) > 0.05) {
    out.factor = after.std / before.std;
    const double back = 1 / out.factor;
    if (fits(before, after, after.mapped(back, before.mean - back * after.mean), out)) {
      out.kind = "stretched";
      return out;
    }
  }
  return none;
}

}  // namespace maru::stats
