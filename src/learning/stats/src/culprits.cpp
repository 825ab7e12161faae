#include "culprits.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "distribution.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "numbers_changed.h"
#include "slices.h"
#include "text_numbers.h"
#include "words_changed.h"

namespace maru::stats {
namespace {

using base::format_significant;
using base::Json;
using data::Column;
using data::ColumnType;

constexpr std::size_t kMaxCulprits = 10;
constexpr std::size_t kMostExplained = 12;  // drifting columns, the strongest first
constexpr double kMissingChange = 0.005;
constexpr double kSpike = 0.01;
constexpr double kHourUs = 3.6e9;
constexpr double kEverywhere = 0.75;  // explained by one law for all rows: no slice is looked for

std::string percent(double share) { return format_significant(share * 100, 3) + " %"; }

class Finder {
 public:
  Finder(const data::Table& before, const data::Table& after)
      : before_(before), after_(after), slices_(before, after) {}

  void explain(const std::string& name) {
    const Column &a = *before_.find(name), &b = *after_.find(name);
    if (swapped_.count(name) != 0) return;
    explain_missing(a, b);
    const bool old_text = a.type == ColumnType::kText, new_text = b.type == ColumnType::kText;
    if (old_text && new_text) {
      explain_words(a, b);
    } else if (old_text != new_text) {
      explain_types(a, b);
    } else if (a.type == ColumnType::kBool || b.type == ColumnType::kBool) {
      explain_codes(a, b);
    } else {
      explain_numbers(a, b);
    }
  }

  // Columns that each look like what the other was.
  void explain_swaps(const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t j = i + 1; j < names.size(); ++j) {
        if (swapped_.count(names[i]) != 0 || swapped_.count(names[j]) != 0) continue;
        const Column &a = *before_.find(names[i]), &b = *before_.find(names[j]),
                     &x = *after_.find(names[i]), &y = *after_.find(names[j]);
        const std::optional<double> first = distance(a, y), second = distance(b, x);
        if (!first || !second) continue;
        const std::optional<double> plain_a = distance(a, x), plain_b = distance(b, y);
        const double direct = plain_a.value_or(1) + plain_b.value_or(1), cross = *first + *second;
        const double noise =
            2 * 1.95 *
            std::sqrt(1.0 / static_cast<double>(a.rows()) + 1.0 / static_cast<double>(x.rows()));
        if (cross > noise + 0.02 || cross > 0.3 * direct) continue;
        swapped_.insert({names[i], 1});
        swapped_.insert({names[j], 1});
        add(names[i], "", "swapped", 1 - cross / direct,
            names[i] + " holds what " + names[j] + " held, and the other way round",
            Json::object({{"other", names[j]}}));
      }
  }

  // A column that did not move alone, but no longer goes with another: perhaps its codes were dealt anew.
  void explain_relation(const std::string& name) {
    const Column *a = before_.find(name), *b = after_.find(name);
    if (a == nullptr || b == nullptr || !said_.insert({name, 1}).second) return;
    const Mapping recodes = find_recodes(slices_, *a, *b);
    if (!recodes.pairs.empty() && recodes.explained > 0.5)
      say_mapping(name, "", "recoded", recodes, recodes.explained);
  }

  Json take() {
    Json::Array& items = found_.items();
    std::stable_sort(items.begin(), items.end(), [](const Json& a, const Json& b) {
      return a["share"].as_double() > b["share"].as_double();
    });
    if (items.size() > kMaxCulprits) items.resize(kMaxCulprits);
    return std::move(found_);
  }

 private:
  void add(const std::string& column, const std::string& slice, const char* kind, double share,
           const std::string& explanation, Json more) {
    Json item = Json::object({{"column", column},
                              {"slice", slice},
                              {"kind", kind},
                              {"explanation", explanation},
                              {"share", std::clamp(share, 0.0, 1.0)}});
    if (more.is_object())
      for (const auto& [key, value] : more.members()) item.set(key, value);
    found_.push(std::move(item));
  }

  static std::string in(const std::string& slice) {
    return slice.empty() ? std::string() : " where " + slice;
  }

  // Between an old and a new column, in [0, 1]; nothing where they are not of one kind.
  static std::optional<double> distance(const Column& a, const Column& b) {
    const auto number = [](const Column& c) {
      return c.type == ColumnType::kInteger || c.type == ColumnType::kFloat;
    };
    if (number(a) && number(b)) {
      const Sample x = Sample::of(a), y = Sample::of(b);
      if (x.count < 20 || y.count < 20) return std::nullopt;
      return number_measures(x, y).ks;
    }
    if (a.type != b.type || (a.type != ColumnType::kText && a.type != ColumnType::kTimestamp))
      return std::nullopt;
    if (a.type == ColumnType::kTimestamp) {
      const Sample x = Sample::of(a), y = Sample::of(b);
      return x.count < 20 || y.count < 20 ? std::nullopt : std::optional(number_measures(x, y).ks);
    }
    const Counts x = Counts::of(a), y = Counts::of(b);
    if (!x.complete || !y.complete || x.total < 20 || y.total < 20 || x.identifies())
      return std::nullopt;
    return compare_counts(x, y).measures.total_variation;
  }

  template <class Flag>
  GroupFound flagged(const std::string& name, const Column& a, const Column& b, const Flag& flag) {
    std::vector<std::uint8_t> before, after;
    for (const auto r : slices_.old_rows()) before.push_back(flag(a, r) ? 1 : 0);
    for (const auto r : slices_.new_rows()) after.push_back(flag(b, r) ? 1 : 0);
    return find_flagged(slices_, name, before, after);
  }

  static bool is_missing(const Column& c, std::uint32_t r) {
    if (c.type == ColumnType::kText)
      return c.codes[r] < 0 || c.text(r).find_first_not_of(" \t") == std::string_view::npos;
    return !c.is_valid(r) || (c.type == ColumnType::kFloat && !std::isfinite(c.reals[r]));
  }

  // More cells missing: of one source, parser or group, or everywhere.
  void explain_missing(const Column& a, const Column& b) {
    double p = 0, q = 0;
    for (std::uint32_t r = 0; r < a.rows(); ++r) p += is_missing(a, r) ? 1 : 0;
    for (std::uint32_t r = 0; r < b.rows(); ++r) q += is_missing(b, r) ? 1 : 0;
    const double n = static_cast<double>(a.rows()), m = static_cast<double>(b.rows());
    const double pooled = (p + q) / (n + m), change = std::fabs(q / m - p / n);
    if (change < kMissingChange || change < 4 * std::sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)))
      return;
    const GroupFound group = flagged(a.name, a, b, is_missing);
    const bool named = group.grouping != nullptr;
    const double from = named ? group.before : p / n, to = named ? group.after : q / m;
    const std::string where = named ? group.where() : std::string();
    add(a.name, where, "missing", named ? group.explained : kEverywhere,
        a.name + " went from " + percent(from) + " missing to " + percent(to) + in(where) +
            (named ? "; without these rows " + percent(group.explained) + " of that is gone"
                   : ", no group of rows more than the others"),
        Json::object({{"before", from}, {"after", to}}));
  }

  void say_change(const std::string& name, const std::string& slice, const NumberChange& change,
                  double share, bool time) {
    Json more = Json::object(
        {{"factor", change.factor}, {"shift", change.shift}, {"meaning", change.meaning}});
    if (change.kind == "scale") {
      add(name, slice, "scale", share,
          name + " is " + format_significant(change.factor, 4) + " times what it was" + in(slice) +
              (change.meaning.empty() ? "" : ": " + change.meaning),
          std::move(more));
    } else if (change.kind == "shift" && time && std::fabs(change.shift) <= 14 * kHourUs) {
      more.set("hours", change.shift / kHourUs);
      add(name, slice, "timezone", share,
          name + " is " + format_significant(change.shift / kHourUs, 4) +
              " hours later than it was" + in(slice) + ": another time zone",
          std::move(more));
    } else if (change.kind == "shift") {
      add(name, slice, "shift", share,
          name + " is " +
              (time ? format_significant(change.shift / kHourUs, 6) + " hours"
                    : format_significant(change.shift, 4)) +
              " more than it was" + in(slice),
          std::move(more));
    } else if (change.kind == "mirrored") {
      add(name, slice, "mirrored", share,
          name + " is " +
              (change.shift == 0 ? std::string("its own negative")
                                 : format_significant(change.shift, 4) + " minus what it was") +
              in(slice) + ": the sign or the scale is turned round",
          std::move(more));
    } else if (change.kind == "rounded") {
      add(name, slice, "rounded", share,
          name + " comes in steps of " + format_significant(change.factor, 4) + in(slice) +
              ": precision was lost",
          std::move(more));
    } else {
      add(name, slice, "stretched", share,
          name + " spreads " + format_significant(change.factor, 4) +
              " times as wide around its mean" + in(slice),
          std::move(more));
    }
  }

  void explain_numbers(const Column& a, const Column& b) {
    const bool time = a.type == ColumnType::kTimestamp;
    const Sample x = Sample::of(a), y = Sample::of(b);
    if (x.count < 20 || y.count < 20) return;
    if (explain_hours(a, b)) return;
    const NumberChange all = find_change(x, y, time);
    if (!all.kind.empty() && all.explained >= kEverywhere) {
      say_change(a.name, "", all, all.explained, time);
      return;
    }
    if (explain_spike(a, b, x, y)) return;
    std::vector<double> before, after;
    for (const auto r : slices_.old_rows()) before.push_back(a.number(r));
    for (const auto r : slices_.new_rows()) after.push_back(b.number(r));
    const GroupFound group = find_moved(slices_, a.name, before, after);
    if (group.grouping != nullptr && group.score > 0.05) {
      say_group(a, b, group, time);
    } else if (a.type == ColumnType::kInteger) {
      explain_codes(a, b);
    }
  }

  // All rows of the group, not only the drawn ones: the law is told by their quantiles.
  void say_group(const Column& a, const Column& b, const GroupFound& group, bool time) {
    const auto inside = [&](const data::Table& table, const Column& values) {
      const Column& slice = *table.find(group.grouping->column);
      const std::string& name = group.grouping->names[static_cast<std::size_t>(group.group)];
      std::vector<double> out;
      for (std::uint32_t r = 0; r < values.rows(); ++r)
        if (slice.display(r) == name) out.push_back(values.number(r));
      return Sample::of(std::move(out));
    };
    const Sample x = inside(before_, a), y = inside(after_, b);
    const NumberChange change = find_change(x, y, time);
    if (!change.kind.empty()) {
      say_change(a.name, group.where(), change, group.explained, time);
      return;
    }
    add(a.name, group.where(), "moved", group.explained,
        a.name + " moved" + in(group.where()) + ": median " + format_significant(x.median, 4) +
            ", now " + format_significant(y.median, 4) + "; without these rows " +
            percent(group.explained) + " of its change is gone",
        Json::object({{"before", x.median}, {"after", y.median}}));
  }

  // One value that suddenly stands for many: a default, a sentinel, a stuck sensor.
  bool explain_spike(const Column& a, const Column& b, const Sample& x, const Sample& y) {
    double most = 0, at = 0, old_share = 0, new_share = 0;
    std::size_t i = 0;
    for (std::size_t j = 0; j < y.values.size(); ++j) {
      while (i < x.values.size() && x.values[i] < y.values[j]) ++i;
      const double p =
          i < x.values.size() && x.values[i] == y.values[j] ? x.weights[i] / x.count : 0;
      const double gain = y.weights[j] / y.count - p;
      if (gain > most) {
        most = gain;
        at = y.values[j];
        old_share = p;
        new_share = p + gain;
      }
    }
    if (most < kSpike || new_share < 5 * old_share + kSpike) return false;
    std::vector<double> values, weights;
    for (std::size_t j = 0; j < y.values.size(); ++j) {
      values.push_back(y.values[j]);
      weights.push_back(
          y.values[j] == at
              ? std::max(1e-9, old_share / std::max(1e-9, 1 - old_share) * (y.count - y.weights[j]))
              : y.weights[j]);
    }
    const NumberMeasures now = number_measures(x, y),
                         then = number_measures(x, Sample::weighted(values, weights));
    const double explained = 1 - then.ks / std::max(1e-12, now.ks);
    const double noise = 1.95 * std::sqrt(1 / x.count + 1 / y.count);
    if (explained < 0.5 || then.ks > noise + 0.02) return false;
    const GroupFound group = flagged(a.name, a, b, [at](const Column& c, std::uint32_t r) {
      return c.is_valid(r) && c.number(r) == at;
    });
    const std::string where = group.grouping != nullptr ? group.where() : std::string();
    add(a.name, where, "spike", explained,
        a.name + " is " + format_significant(at, 6) + " in " + percent(new_share) +
            " of the rows, was " + percent(old_share) +
            (where.empty() ? "" : "; these are rows with " + where) +
            ": a default or a stuck value",
        Json::object({{"value", at}, {"before", old_share}, {"after", new_share}}));
    return true;
  }

  // The hour of the day turned round: of times, or of a column of hours. All rows or one group.
  bool explain_hours(const Column& a, const Column& b) {
    const bool time = a.type == ColumnType::kTimestamp;
    if (a.type != b.type || (!time && a.type != ColumnType::kInteger)) return false;
    if (!time) {
      const Sample x = Sample::of(a), y = Sample::of(b);
      if (x.min() < 0 || y.min() < 0 || x.max() > 23 || y.max() > 23 || x.values.size() < 12)
        return false;
    }
    const auto hour = [time](const Column& c, std::uint32_t r) {
      if (!c.is_valid(r)) return -1;
      const std::int64_t v = c.integers[r];
      return static_cast<int>(time ? ((v / 3'600'000'000) % 24 + 24) % 24 : v);
    };
    std::vector<int> before, after;
    for (const auto r : slices_.old_rows()) before.push_back(hour(a, r));
    for (const auto r : slices_.new_rows()) after.push_back(hour(b, r));
    const GroupFound none;
    if (say_turned(a.name, none, before, after)) return true;
    const GroupFound group = find_recoded(slices_, a.name, before, after, 24);
    if (group.grouping == nullptr) return false;
    const auto only = [&](const std::vector<int>& groups, const std::vector<int>& hours) {
      std::vector<int> out;
      for (std::size_t i = 0; i < hours.size(); ++i)
        if (groups[i] == group.group) out.push_back(hours[i]);
      return out;
    };
    return say_turned(a.name, group, only(group.grouping->before, before),
                      only(group.grouping->after, after));
  }

  bool say_turned(const std::string& name, const GroupFound& group, const std::vector<int>& before,
                  const std::vector<int>& after) {
    std::vector<double> p(24, 0), q(24, 0);
    double n = 0, m = 0;
    for (const int h : before)
      if (h >= 0) ++p[static_cast<std::size_t>(h)], ++n;
    for (const int h : after)
      if (h >= 0) ++q[static_cast<std::size_t>(h)], ++m;
    if (n < 50 || m < 50) return false;
    const auto apart = [&](std::size_t turn) {
      double out = 0;
      for (std::size_t h = 0; h < 24; ++h) out += std::fabs(p[h] / n - q[(h + turn) % 24] / m) / 2;
      return out;
    };
    std::size_t best = 0;
    for (std::size_t turn = 1; turn < 24; ++turn)
      if (apart(turn) < apart(best)) best = turn;
    const double now = apart(0), then = apart(best);
    const double noise = 0.5 * std::sqrt(24 * (1 / n + 1 / m));
    if (best == 0 || now < 0.05 + noise || then > 1.3 * noise + 0.02 || then > 0.4 * now)
      return false;
    const int hours = best > 12 ? static_cast<int>(best) - 24 : static_cast<int>(best);
    const bool named = group.grouping != nullptr;
    const std::string where = named ? group.where() : std::string();
    add(name, where, "timezone", named ? group.explained * (1 - then / now) : 1 - then / now,
        name + ": the hours of the day are " + std::to_string(hours) + " later than they were" +
            in(where) + ": another time zone",
        Json::object({{"hours", hours}}));
    return true;
  }

  static Json pairs_json(const Mapping& mapping) {
    Json out = Json::array();
    for (const auto& [from, to] : mapping.pairs)
      out.push(Json::object({{"old", from}, {"new", to}}));
    return out;
  }

  void say_mapping(const std::string& name, const std::string& slice, const char* kind,
                   const Mapping& mapping, double share) {
    std::vector<std::string> said;
    for (const auto& [from, to] : mapping.pairs)
      if (said.size() < 5) said.push_back("\"" + from + "\" → \"" + to + "\"");
    const std::string first = std::string(kind) == "recoded"
                                  ? name + " is coded anew" + in(slice) + ": "
                                  : "\"" + mapping.pairs.front().first + "\" looks renamed to \"" +
                                        mapping.pairs.front().second + "\"" + in(slice) + ": ";
    add(name, slice, kind, share,
        first + base::join(said, ", ") +
            (mapping.pairs.size() > said.size()
                 ? " and " + std::to_string(mapping.pairs.size() - said.size()) + " more"
                 : "") +
            " (same share of the rows, same company)",
        Json::object({{"mapping", pairs_json(mapping)}}));
  }

  void explain_words(const Column& a, const Column& b) {
    const Truncation cut = find_truncation(a, b);
    if (cut.length > 0) {
      add(a.name, "", "truncated", 0.95,
          a.name + " ends after " + std::to_string(cut.length) + " bytes now; " +
              percent(cut.share) + " of the rows were longer",
          Json::object({{"length", static_cast<std::int64_t>(cut.length)}, {"before", cut.share}}));
      return;
    }
    const Mapping renames = find_renames(slices_, a, b);
    if (!renames.pairs.empty() && renames.explained > 0.3) {
      say_mapping(a.name, "", "renamed", renames, renames.explained);
      return;
    }
    explain_codes(a, b);
  }

  // Values of a category: dealt anew, or changed in one group only.
  void explain_codes(const Column& a, const Column& b) {
    const Mapping recodes = find_recodes(slices_, a, b);
    if (!recodes.pairs.empty() && recodes.explained > 0.5) {
      say_mapping(a.name, "", "recoded", recodes, recodes.explained);
      return;
    }
    std::map<std::string, int> places;
    const auto codes_of = [&](const Column& column, const std::vector<std::uint32_t>& rows) {
      std::vector<int> out;
      for (const auto r : rows) {
        const std::string value = column.display(r);
        out.push_back(value.empty()
                          ? -1
                          : places.emplace(value, static_cast<int>(places.size())).first->second);
      }
      return out;
    };
    const std::vector<int> before = codes_of(a, slices_.old_rows()),
                           after = codes_of(b, slices_.new_rows());
    if (places.size() > 500) return;
    const GroupFound group = find_recoded(slices_, a.name, before, after, places.size());
    if (group.grouping == nullptr || group.score < 0.05) return;
    std::vector<double> gained(places.size(), 0);
    double n = 0, m = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
      if (before[i] >= 0 && group.grouping->before[i] == group.group) ++n;
    for (std::size_t i = 0; i < after.size(); ++i)
      if (after[i] >= 0 && group.grouping->after[i] == group.group) ++m;
    for (std::size_t i = 0; i < before.size(); ++i)
      if (before[i] >= 0 && group.grouping->before[i] == group.group)
        gained[static_cast<std::size_t>(before[i])] -= 1 / n;
    for (std::size_t i = 0; i < after.size(); ++i)
      if (after[i] >= 0 && group.grouping->after[i] == group.group)
        gained[static_cast<std::size_t>(after[i])] += 1 / m;
    std::string more, less;
    double top = 0, bottom = 0;
    for (const auto& [value, code] : places) {
      const double g = gained[static_cast<std::size_t>(code)];
      if (g > top) top = g, more = value;
      if (g < bottom) bottom = g, less = value;
    }
    add(a.name, group.where(), "moved", group.explained,
        a.name + " changed" + in(group.where()) + ": \"" + more + "\" " + percent(top) +
            " of the rows more, \"" + less + "\" " + percent(-bottom) + " less",
        Json::object({{"mapping", Json::array({Json::object({{"old", less}, {"new", more}})})},
                      {"before", -bottom},
                      {"after", top}}));
  }

  // Words among numbers.
  void explain_types(const Column& a, const Column& b) {
    const Column& text = a.type == ColumnType::kText ? a : b;
    const TextNumbers read = numbers_in_text(text);
    if (read.present <= 0 || read.unparsable <= 0 || read.unparsable > 0.5 * read.present) return;
    const double share = read.unparsable / static_cast<double>(text.rows());
    const bool now = b.type == ColumnType::kText;
    add(a.name, "", "words", 1,
        a.name + (now ? " has words among its numbers: " : " had words among its numbers: ") +
            base::join(read.words, ", ") + " in " + percent(share) + " of the rows",
        Json::object({{"before", now ? 0 : share}, {"after", now ? share : 0}}));
  }

  const data::Table &before_, &after_;
  Slices slices_;
  std::map<std::string, int> swapped_, said_;
  Json found_ = Json::array();
};

}  // namespace

Json find_culprits(const data::Table& reference, const data::Table& current,
                   const DriftReport& report, const Json& relations) {
  std::vector<std::string> names;
  for (const auto& column : report.columns) {
    if (!column.drift || names.size() >= kMostExplained) continue;
    if (reference.find(column.name) != nullptr && current.find(column.name) != nullptr)
      names.push_back(column.name);
  }
  if (names.empty() && relations.size() == 0) return Json::array();
  Finder finder(reference, current);
  finder.explain_swaps(names);
  for (const std::string& name : names) finder.explain(name);
  for (const Json& relation : relations.items()) {
    finder.explain_relation(relation["column"].as_string());
    finder.explain_relation(relation["slice"].as_string());
  }
  return finder.take();
}

}  // namespace maru::stats
