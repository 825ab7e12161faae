#include "words_changed.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_set>

namespace maru::stats {
namespace {

using data::Column;

constexpr double kLeastShare = 0.005;
constexpr std::size_t kMostPairs = 50;
constexpr std::size_t kHelpers = 4;
constexpr std::size_t kHelperValues = 24;
constexpr std::size_t kMostRecoded = 8;

// For each value of a column, how the helper columns are filled where it stands: shares, one after the other.
class Company {
 public:
  Company(const Slices& slices, const Column& before, const Column& after) {
    for (const Grouping& grouping : slices.groupings()) {
      if (grouping.column == before.name || grouping.names.size() > kHelperValues) continue;
      helpers_.push_back(&grouping);
      if (helpers_.size() == kHelpers) break;
    }
    count(before, slices.old_rows(), false);
    count(after, slices.new_rows(), true);
  }
  // Mean total variation over the helpers between the rows of old value `a` and new value `b`; negative: nothing to compare.
  double apart(const std::string& a, const std::string& b) const {
    const auto x = old_.find(a), y = new_.find(b);
    if (x == old_.end() || y == new_.end() || helpers_.empty()) return -1;
    double sum = 0;
    for (std::size_t h = 0; h < helpers_.size(); ++h) {
      const auto &p = x->second[h], &q = y->second[h];
      double n = 0, m = 0, gap = 0;
      for (std::size_t i = 0; i < p.size(); ++i) {
        n += p[i];
        m += q[i];
      }
      if (n < 10 || m < 10) return -1;
      for (std::size_t i = 0; i < p.size(); ++i) gap += std::fabs(p[i] / n - q[i] / m) / 2;
      sum += gap;
    }
    return sum / static_cast<double>(helpers_.size());
  }

 private:
  using Filling = std::vector<std::vector<double>>;
  void count(const Column& column, const std::vector<std::uint32_t>& rows, bool after) {
    auto& side = after ? new_ : old_;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string value = column.display(rows[i]);
      if (value.empty()) continue;
      if (side.size() > 400 && side.count(value) == 0) continue;
      Filling& filling = side[value];
      if (filling.empty())
        for (const Grouping* helper : helpers_) filling.emplace_back(helper->names.size(), 0.0);
      for (std::size_t h = 0; h < helpers_.size(); ++h) {
        const int group = (after ? helpers_[h]->after : helpers_[h]->before)[i];
        if (group >= 0) ++filling[h][static_cast<std::size_t>(group)];
      }
    }
  }
  std::vector<const Grouping*> helpers_;
  std::map<std::string, Filling> old_, new_;
};

double variation(const Counts& a, const Counts& b,
                 const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::map<std::string, std::string> names(pairs.begin(), pairs.end());
  std::map<std::string, double> gap;
  for (const auto& [value, count] : a.values) {
    const auto now = names.find(value);
    gap[now == names.end() ? value : now->second] += count / a.total;
  }
  for (const auto& [value, count] : b.values) gap[value] -= count / b.total;
  double out = 0;
  for (const auto& [value, difference] : gap) out += std::fabs(difference) / 2;
  return out;
}

std::string folded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 128 || std::isalnum(u) != 0) out += static_cast<char>(std::tolower(u));
  }
  return out;
}

// Normal deviations between the shares of `a` before and `b` after.
double share_gap(const Counts& before, const Counts& after, const std::string& a,
                 const std::string& b) {
  const double p = before.share(a), q = after.share(b), n = before.total, m = after.total;
  const double pooled = (p * n + q * m) / (n + m);
  return std::fabs(p - q) / std::max(1e-12, std::sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)));
}

}  // namespace

Mapping find_renames(const Slices& slices, const Column& before, const Column& after) {
  Mapping out;
  const Counts a = Counts::of(before), b = Counts::of(after);
  if (!a.complete || !b.complete || a.identifies()) return out;
  const CategoryTest test = compare_counts(a, b);
  if (test.vanished.empty() || test.fresh.empty()) return out;
  const Company company(slices, before, after);
  struct Pair {
    double cost;
    std::string from, to;
  };
  std::vector<Pair> possible;
  for (const auto& gone : test.vanished) {
    if (a.share(gone) < kLeastShare || possible.size() > 4000) break;
    for (const auto& fresh : test.fresh) {
      const double ratio = std::fabs(std::log(b.share(fresh) / a.share(gone)));
      if (ratio > 0.25 && share_gap(a, b, gone, fresh) > 4) continue;
      const double apart = company.apart(gone, fresh);
      const bool same_letters = folded(gone) == folded(fresh);
      if (apart > 0.35 && !same_letters) continue;
      possible.push_back({ratio + 3 * std::max(0.0, apart) - (same_letters ? 1 : 0), gone, fresh});
    }
  }
  std::stable_sort(possible.begin(), possible.end(),
                   [](const Pair& x, const Pair& y) { return x.cost < y.cost; });
  std::set<std::string> used_from, used_to;
  for (const Pair& pair : possible) {
    if (out.pairs.size() == kMostPairs || used_from.count(pair.from) != 0 ||
        used_to.count(pair.to) != 0)
      continue;
    used_from.insert(pair.from);
    used_to.insert(pair.to);
    out.pairs.emplace_back(pair.from, pair.to);
  }
  std::stable_sort(out.pairs.begin(), out.pairs.end(), [&](const auto& x, const auto& y) {
    return a.share(x.first) > a.share(y.first);
  });
  const double all = variation(a, b, {});
  out.explained = all > 0 ? 1 - variation(a, b, out.pairs) / all : 0;
  return out;
}

Mapping find_recodes(const Slices& slices, const Column& before, const Column& after) {
  Mapping out;
  const Counts a = Counts::of(before), b = Counts::of(after);
  if (a.values.size() < 2 || a.values.size() > kMostRecoded || a.values.size() != b.values.size())
    return out;
  std::vector<std::string> values;
  for (const auto& [value, count] : a.values) {
    if (b.values.count(value) == 0) return out;
    values.push_back(value);
  }
  const Company company(slices, before, after);
  // Each value goes to the one whose company it keeps; a permutation, or nothing.
  double stay = 0, go = 0;
  std::set<std::string> taken;
  for (const std::string& value : values) {
    std::string best;
    double nearest = 2;
    for (const std::string& other : values) {
      const double apart = company.apart(value, other);
      if (apart < 0) return out;
      if (apart < nearest) {
        nearest = apart;
        best = other;
      }
    }
    if (!taken.insert(best).second) return out;
    stay += company.apart(value, value);
    go += nearest;
    if (best != value) out.pairs.emplace_back(value, best);
  }
  if (out.pairs.empty() || go > 0.5 * stay) return {};
  out.explained = 1 - go / stay;
  return out;
}

Truncation find_truncation(const Column& before, const Column& after) {
  Truncation out;
  std::vector<double> old_counts(before.dictionary.size(), 0),
      new_counts(after.dictionary.size(), 0);
  for (const auto code : before.codes)
    if (code >= 0) ++old_counts[static_cast<std::size_t>(code)];
  for (const auto code : after.codes)
    if (code >= 0) ++new_counts[static_cast<std::size_t>(code)];
  std::size_t longest = 0;
  for (std::size_t i = 0; i < new_counts.size(); ++i)
    if (new_counts[i] > 0) longest = std::max(longest, after.dictionary[i].size());
  if (longest < 2) return out;
  double rows = 0, longer = 0;
  std::unordered_set<std::string_view> beginnings;
  std::map<std::size_t, double> old_lengths;
  for (std::size_t i = 0; i < old_counts.size(); ++i) {
    rows += old_counts[i];
    if (old_counts[i] == 0 || before.dictionary[i].size() <= longest) continue;
    longer += old_counts[i];
    beginnings.insert(std::string_view(before.dictionary[i]).substr(0, longest));
  }
  double at_limit = 0, cut = 0, total_new = 0, old_at_limit = 0;
  for (std::size_t i = 0; i < old_counts.size(); ++i)
    if (before.dictionary[i].size() == longest) old_at_limit += old_counts[i];
  for (std::size_t i = 0; i < new_counts.size(); ++i) {
    total_new += new_counts[i];
    if (new_counts[i] == 0 || after.dictionary[i].size() != longest) continue;
    at_limit += new_counts[i];
    if (beginnings.count(after.dictionary[i]) != 0) cut += new_counts[i];
  }
  if (rows == 0 || total_new == 0 || longer / rows < kLeastShare || at_limit < 5) return out;
  // Repeating texts are recognised; of texts that never repeat, the pile-up at one length must be what used to be longer.
  const double expected = (longer + old_at_limit) / rows, found = at_limit / total_new;
  const bool piled = found > 3 * old_at_limit / rows && std::fabs(found / expected - 1) < 0.3;
  if (cut < 0.5 * at_limit && !piled) return out;
  out.length = longest;
  out.share = longer / rows;
  return out;
}

}  // namespace maru::stats
