#include "maru/stats/profile_page.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "maru/base/number_text.h"
#include "maru/base/text.h"

namespace maru::stats {
namespace {

constexpr std::size_t kMatrix = 24;  // columns in the map of associations
constexpr std::size_t kValues = 10;

std::string number(double value) {
  return std::isfinite(value) ? base::format_significant(value, 5) : "–";
}
std::string count(std::uint64_t value) {
  return base::format_count(static_cast<std::int64_t>(value));
}
std::string percent(double share) {
  return base::format_fixed(share * 100, share < 0.001 ? 3 : 1) + " %";
}

std::string cell(const std::string& inner) { return "<td>" + inner + "</td>"; }
std::string row(const std::string& name, const std::string& value) {
  return "<tr><th>" + name + "</th><td>" + value + "</td></tr>";
}

std::string bars(const ColumnProfile& p) {
  const std::size_t n = p.histogram.size();
  if (p.type == data::ColumnType::kText || n < 2) return {};
  double most = 0;
  for (const auto& bin : p.histogram) most = std::max(most, bin.count);
  std::string out = "<svg viewBox='0 0 400 80' role='img' aria-label='histogram'>";
  const double width = 400.0 / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double height = most > 0 ? p.histogram[i].count / most * 78 : 0;
    out += "<rect x='" + number(width * static_cast<double>(i)) + "' y='" + number(80 - height) +
           "' width='" + number(width - 1) + "' height='" + number(height) + "'><title>" +
           number(p.histogram[i].low) + " … " + number(p.histogram[i].high) + ": " +
           number(p.histogram[i].count) + "</title></rect>";
  }
  return out + "</svg>";
}

std::string values(const ColumnProfile& p) {
  if (p.top.empty()) return {};
  std::string out = "<table class='top'>";
  const auto most = static_cast<double>(p.top.front().count);
  for (std::size_t i = 0; i < std::min(kValues, p.top.size()); ++i) {
    const auto n = static_cast<double>(p.top[i].count);
    out += "<tr><td class='v'>" + base::escape_html(p.top[i].value.substr(0, 80)) +
           "</td><td class='n'>" + count(p.top[i].count) +
           "</td><td><i style='width:" + base::format_fixed(n / most * 120, 0) +
           "px'></i></td></tr>";
  }
  return out + "</table>";
}

std::string facts(const ColumnProfile& p) {
  const double rows = std::max(1.0, static_cast<double>(p.count));
  std::string out = "<table class='facts'>";
  out += row("missing",
             count(p.missing) + " (" + percent(static_cast<double>(p.missing) / rows) + ")");
  out += row("distinct", (p.distinct_error > 0 ? "~" : "") + count(p.distinct) +
                             (p.distinct_error > 0 ? " ± " + percent(p.distinct_error) : ""));
  const bool numeric = p.type == data::ColumnType::kInteger || p.type == data::ColumnType::kFloat;
  if (numeric && p.distinct > 0) {
    out += row("mean ± sd", number(p.mean) + " ± " + number(p.std_sample));
    out += row("range", base::escape_html(p.min_text) + " … " + base::escape_html(p.max_text));
    std::string five;
    for (const auto& [probability, value] : p.quantiles) {
      if (probability == 0.05 || probability == 0.25 || probability == 0.5 || probability == 0.75 ||
          probability == 0.95)
        five += (five.empty() ? "" : " · ") + number(value);
    }
    out += row("5 · 25 · 50 · 75 · 95 %", five);
    if (p.rank_error > 0) out += row("quantiles", "rank within " + percent(p.rank_error));
    out += row("skewness, kurtosis", number(p.skewness) + ", " + number(p.kurtosis));
    out += row("zeros, negative", count(p.zeros) + ", " + count(p.negatives));
    out += row("outliers (1.5 IQR, robust z)",
               count(p.outliers_iqr) + ", " + count(p.outliers_robust));
    if (!p.high.empty())
      out += row("outermost rows",
                 number(p.low.front().value) + " in row " + count(p.low.front().row + 1) + ", " +
                     number(p.high.front().value) + " in row " + count(p.high.front().row + 1));
    if (p.weighted_mean)
      out += row("weighted mean ± sd", number(*p.weighted_mean) + " ± " + number(*p.weighted_std));
  } else if (p.type == data::ColumnType::kTimestamp) {
    out += row("from … to", base::escape_html(p.min_text) + " … " + base::escape_html(p.max_text));
  } else if (p.length_max > 0) {
    out += row("characters",
               number(p.length_min) + " … " + number(p.length_mean) + " … " + number(p.length_max));
  }
  if (!p.markers.empty())
    out += row("may stand for missing", base::escape_html(base::join(p.markers, ", ")));
  if (p.odd_row != UINT64_MAX)
    out += row("no number",
               "\"" + base::escape_html(p.odd_text) + "\" in row " + count(p.odd_row + 1));
  return out + "</table>";
}

std::string column(const ColumnProfile& p) {
  return "<section><h2>" + base::escape_html(p.name) + " <small>" + base::escape_html(p.meaning) +
         " · " + std::string(data::type_name(p.type)) + " · " +
         base::escape_html(p.meaning_reason) + "</small></h2><div class='c'>" + facts(p) + "<div>" +
         bars(p) + values(p) + "</div></div></section>";
}

// How strongly each pair goes together, in [0, 1], as shades.
std::string matrix(const Profile& profile) {
  std::map<std::pair<std::string, std::string>, std::pair<double, std::string>> strength;
  for (const auto& pair : profile.associations) {
    double value = std::fabs(pair.value);
    if (pair.measure == "eta_squared") value = std::sqrt(value);
    if (pair.measure != "pearson" && pair.measure != "cramers_v_corrected" &&
        pair.measure != "eta_squared")
      continue;
    const std::string label = pair.measure + " " + number(pair.value);
    for (const auto& key : {std::pair(pair.a, pair.b), std::pair(pair.b, pair.a)}) {
      auto& kept = strength[key];
      if (value >= kept.first) kept = {value, label};
    }
  }
  if (strength.empty()) return {};
  std::vector<std::string> names;
  for (const auto& p : profile.columns) {
    const bool used = std::any_of(strength.begin(), strength.end(),
                                  [&](const auto& item) { return item.first.first == p.name; });
    if (used && names.size() < kMatrix) names.push_back(p.name);
  }
  std::string out = "<section><h2>What goes together <small>of " + count(profile.sample_rows) +
                    " rows</small></h2><div class='wide'><table class='map'>";
  for (const auto& a : names) {
    out += "<tr><th>" + base::escape_html(a) + "</th>";
    for (const auto& b : names) {
      const auto found = strength.find({a, b});
      const double value = a == b ? 1 : found == strength.end() ? 0 : found->second.first;
      const std::string hint = base::escape_html(
          a + " · " + b + (found == strength.end() ? "" : ": " + found->second.second));
      out += "<td title='" + hint + "' style='opacity:" + base::format_fixed(value, 2) + "'></td>";
    }
    out += "</tr>";
  }
  return out + "</table></div></section>";
}

std::string missing(const Profile& profile) {
  if (profile.missing_together.empty()) return {};
  std::string out = "<section><h2>Missing together <small>" + count(profile.rows_with_missing) +
                    " rows miss something</small></h2><table class='facts'>";
  for (const auto& item : profile.missing_together)
    out += row(count(item.rows) + " rows", base::escape_html(base::join(item.columns, ", ")));
  return out + "</table></section>";
}

std::string alone(const Profile& profile) {
  if (profile.outliers.empty()) return {};
  std::string out =
      "<section><h2>Rows that stand alone <small>isolation forest: 0.5 is ordinary</small></h2>"
      "<table class='facts'><tr><th>row</th><th>score</th><th>furthest out in</th></tr>";
  for (const auto& item : profile.outliers)
    out += "<tr>" + cell(count(item.row + 1)) + cell(base::format_fixed(item.score, 3)) +
           cell(base::escape_html(item.column)) + "</tr>";
  return out + "</table></section>";
}

std::string slices(const Profile& profile) {
  if (profile.slices.empty()) return {};
  std::string out =
      "<section><h2>By slice</h2><div class='wide'><table "
      "class='facts'><tr><th>slice</th><th>rows</th>";
  std::vector<std::size_t> shown;
  for (std::size_t c = 0; c < profile.columns.size() && shown.size() < 12; ++c) {
    const auto type = profile.columns[c].type;
    if (type != data::ColumnType::kInteger && type != data::ColumnType::kFloat) continue;
    shown.push_back(c);
    out += "<th>" + base::escape_html(profile.columns[c].name) + "</th>";
  }
  out += "</tr>";
  for (const auto& slice : profile.slices) {
    out += "<tr><th>" + base::escape_html(slice.column + ": " + slice.value) + "</th>" +
           cell(count(slice.rows));
    for (const auto c : shown) out += cell(number(slice.columns[c].mean));
    out += "</tr>";
  }
  return out + "</table></div></section>";
}

constexpr const char* kStyle =
    "<style>:root{color-scheme:light dark;--f:#1b2430;--b:#fff;--m:#5b6778;--l:#dfe4ea;--a:#2f6fde}"
    "@media(prefers-color-scheme:dark){:root{--f:#e6eaf0;--b:#14181e;--m:#98a4b3;--l:#2c343f;--a:#"
    "6ea2ff}}"
    "body{font:14px/1.5 "
    "system-ui,sans-serif;color:var(--f);background:var(--b);max-width:1000px;margin:2rem "
    "auto;padding:0 1rem}"
    "h1{font-size:22px;margin:0}h2{font-size:16px;margin:1.6rem 0 "
    ".4rem}small{font-weight:400;color:var(--m);font-size:12px}"
    ".c{display:grid;grid-template-columns:minmax(260px,1fr) "
    "minmax(260px,1fr);gap:1.5rem}@media(max-width:640px){.c{grid-template-columns:1fr}}"
    "table{border-collapse:collapse}th{text-align:left;font-weight:400;color:var(--m);padding:1px "
    "12px 1px 0;vertical-align:top}"
    "td{padding:1px 10px 1px 0;overflow-wrap:anywhere}svg{width:100%;height:80px}rect,.top "
    "i{fill:var(--a);background:var(--a)}"
    ".top i{display:inline-block;height:8px}.top "
    ".n{text-align:right;font-variant-numeric:tabular-nums}"
    ".map td{background:var(--a);width:16px;height:16px;padding:0;border:1px solid "
    "var(--b)}.wide{overflow-x:auto}"
    "section{border-top:1px solid var(--l)}</style>";

}  // namespace

std::string profile_page(const Profile& profile, const std::string& title) {
  std::string out =
      "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width'><title>" +
      base::escape_html(title) + "</title>" + kStyle + "<h1>" + base::escape_html(title) +
      "</h1><p>" + count(profile.rows) + " rows, " + count(profile.columns.size()) + " columns, " +
      (profile.duplicate_error > 0 ? "about " : "") + count(profile.duplicate_rows) +
      " duplicate rows" +
      (profile.candidate_keys.empty()
           ? ""
           : ", could be the key: " + base::escape_html(base::join(profile.candidate_keys, ", "))) +
      "</p>";
  for (const auto& group : profile.equal_columns)
    out += "<p>The same in every row: " + base::escape_html(base::join(group, ", ")) + "</p>";
  out += matrix(profile) + missing(profile) + alone(profile) + slices(profile);
  for (const auto& p : profile.columns) out += column(p);
  return out + "</html>\n";
}

}  // namespace maru::stats
