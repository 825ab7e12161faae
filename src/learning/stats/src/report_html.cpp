#include <algorithm>
#include <cmath>

#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "maru/stats/drift.h"

namespace maru::stats {
namespace {

using base::format_fixed;
using base::format_significant;
using base::Json;

constexpr std::size_t kMostShown = 400;  // columns with a section of their own

struct Words {
  bool ko;
  const char* operator()(const char* english, const char* korean) const {
    return ko ? korean : english;
  }
};

constexpr const char* kStyle =
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1b1f24;--dim:#68707a;--line:#e3e6ea;--old:#8a94a0;"
    "--new:#2f6fde;--bad:#c62828;--warn:#b26a00;--ok:#2e7d32}"
    "@media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e6e8eb;--dim:#98a1ab;--line:#"
    "2b3036;"
    "--old:#7c8793;--new:#6ea0ff;--bad:#ff7b72;--warn:#e3a340;--ok:#6fcf7f}}"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:1120px;padding:24px "
    "16px;background:var(--bg);"
    "color:var(--fg);font:14px/1.5 system-ui,sans-serif}h1{font-size:22px;margin:0 0 "
    "4px}h2{font-size:17px;"
    "margin:28px 0 8px}h3{font-size:15px;margin:0}.dim{color:var(--dim)}.bad{color:var(--bad)}"
    ".warn{color:var(--warn)}.ok{color:var(--ok)}table{border-collapse:collapse;width:100%;font-"
    "size:13px;"
    "display:block;overflow-x:auto}td,th{padding:4px 8px;border-bottom:1px solid "
    "var(--line);text-align:left;"
    "vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}section{"
    "border:1px solid "
    "var(--line);border-radius:8px;padding:14px;margin:14px "
    "0}.two{display:grid;gap:16px;grid-template-columns:"
    "minmax(0,5fr) "
    "minmax(0,7fr)}@media(max-width:760px){.two{grid-template-columns:1fr}}svg{width:100%;height:"
    "auto}"
    "code{overflow-wrap:anywhere}";

std::string value_text(const Json& value) {
  if (value.is_number()) return format_significant(value.as_double(), 4);
  return value.is_string() ? base::escape_html(value.as_string()) : "–";
}

// A line of steps or filled steps over the bins; `top` is the largest share of both.
std::string steps(const Json& shares, double top, bool filled) {
  const double n = static_cast<double>(shares.size());
  std::string path =
      filled ? "M0,120" : "M0," + format_fixed(120 - 112 * shares.at(0).as_double() / top, 1);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const std::string y = format_fixed(120 - 112 * shares.at(i).as_double() / top, 1);
    path += "L" + format_fixed(400 * static_cast<double>(i) / n, 1) + "," + y + "L" +
            format_fixed(400 * static_cast<double>(i + 1) / n, 1) + "," + y;
  }
  return path + (filled ? "L400,120Z" : "");
}

// Where the old and the new stand on the axis of a number column.
void mark(std::string& out, const Json& question, const Json& edges) {
  const double low = edges.at(0).as_double(), high = edges.at(edges.size() - 1).as_double();
  for (const bool now : {false, true}) {
    const Json& at = question[now ? "new" : "old"];
    if (!at.is_number() || at.as_double() < low || at.as_double() > high) continue;
    const std::string x = format_fixed(400 * (at.as_double() - low) / (high - low), 1);
    out += "<line x1=\"" + x + "\" x2=\"" + x + "\" y1=\"0\" y2=\"120\" stroke=\"var(--" +
           (now ? "new" : "old") + ")\" stroke-dasharray=\"3 3\"/>";
  }
}

std::string number_picture(const ColumnDrift& column) {
  const Json &edges = column.picture["edges"], &before = column.picture["old"],
             &after = column.picture["new"];
  double top = 1e-9;
  for (const Json* side : {&before, &after})
    for (const Json& share : side->items()) top = std::max(top, share.as_double());
  std::string out =
      "<svg viewBox=\"0 0 400 140\" role=\"img\"><path d=\"" + steps(after, top, true) +
      "\" fill=\"var(--new)\" fill-opacity=\".35\"/><path d=\"" + steps(before, top, false) +
      "\" fill=\"none\" stroke=\"var(--old)\" stroke-width=\"1.6\"/>";
  mark(out, column.questions["centre"], edges);
  out +=
      "<text x=\"0\" y=\"136\" font-size=\"11\" fill=\"var(--dim)\">" + value_text(edges.at(0)) +
      "</text><text x=\"400\" y=\"136\" font-size=\"11\" text-anchor=\"end\" fill=\"var(--dim)\">" +
      value_text(edges.at(edges.size() - 1)) + "</text></svg>";
  return out;
}

std::string category_picture(const ColumnDrift& column) {
  const Json &values = column.picture["values"], &before = column.picture["old"],
             &after = column.picture["new"];
  double top = 1e-9;
  for (const Json* side : {&before, &after})
    for (const Json& share : side->items()) top = std::max(top, share.as_double());
  const std::size_t rows = values.size();
  std::string out = "<svg viewBox=\"0 0 400 " + std::to_string(rows * 18 + 2) + "\" role=\"img\">";
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string y = std::to_string(i * 18);
    const auto width = [&](const Json& shares) {
      return format_fixed(250 * shares.at(i).as_double() / top, 1);
    };
    std::string name = values.at(i).as_string();
    if (name.size() > 22) {  // at a whole character
      std::size_t cut = 20;
      while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xC0) == 0x80) --cut;
      name = name.substr(0, cut) + "…";
    }
    out += "<text x=\"0\" y=\"" + std::to_string(i * 18 + 12) +
           "\" font-size=\"11\" fill=\"var(--fg)\">" + base::escape_html(name) +
           "</text><rect x=\"140\" y=\"" + std::to_string(i * 18 + 2) + "\" height=\"6\" width=\"" +
           width(before) + "\" fill=\"var(--old)\"/><rect x=\"140\" y=\"" +
           std::to_string(i * 18 + 9) + "\" height=\"6\" width=\"" + width(after) +
           "\" fill=\"var(--new)\"/>";
  }
  return out + "</svg>";
}

std::string questions_table(const ColumnDrift& column, const Words& w) {
  if (column.questions.size() == 0) return {};
  const auto title = [&](const char* key) {
    const std::string k = key;
    return std::string(k == "centre" ? w("Has the centre moved?", "중심이 이동했나요?")
                       : k == "mode" ? w("Is the peak elsewhere?", "봉우리가 바뀌었나요?")
                       : k == "symmetry" ? w("Is it less symmetric?", "대칭이 깨졌나요?")
                       : k == "skewness" ? w("Is the tail longer?", "꼬리가 길어졌나요?")
                                         : w("How likely is the new under the old?",
                                             "기존 분포에서 새 데이터가 나올 법한가요?"));
  };
  std::string out = std::string("<table><tr><th></th><th class=n>") + w("old", "기존") +
                    "</th><th class=n>" + w("new", "새") + "</th><th class=n>" +
                    w("change", "변화") + "</th><th class=n>" + w("limit", "기준") + "</th></tr>";
  for (const char* key : {"centre", "mode", "symmetry", "skewness", "likelihood"}) {
    const Json& q = column.questions[key];
    if (!q.is_object()) continue;
    const std::string verdict = q["verdict"].as_string();
    out += "<tr title=\"" + base::escape_html(q["reason"].as_string()) + "\"><td class=\"" +
           verdict + "\">" + title(key) + "</td><td class=n>" + value_text(q["old"]) +
           "</td><td class=n>" + value_text(q["new"]) + "</td><td class=\"n " + verdict + "\">" +
           value_text(q["value"]) + "</td><td class=\"n dim\">±" + value_text(q["limit"]) +
           "</td></tr>";
  }
  return out + "</table>";
}

std::string column_section(const ColumnDrift& column, const Words& w) {
  std::string out =
      "<section id=\"c-" + base::escape_html(column.name) + "\"><h3><code>" +
      base::escape_html(column.name) + "</code> <span class=\"" + (column.drift ? "bad" : "ok") +
      "\">" + (column.drift ? w("drift", "드리프트") : w("steady", "변화 없음")) +
      "</span></h3><p class=dim>" + base::escape_html(column.reason) + "</p><div class=two><div>";
  if (column.picture["edges"].size() > 1)
    out += number_picture(column);
  else if (column.picture["values"].size() > 0)
    out += category_picture(column);
  out += "</div><div>" + questions_table(column, w) + "</div></div><p class=dim>";
  std::size_t said = 0;
  for (const auto& [name, value] : column.measures.members()) {
    if (!value.is_number()) continue;
    out += (said++ == 0 ? "" : " · ") + base::escape_html(name) + " " + value_text(value);
  }
  return out + "</p></section>";
}

std::string summary_table(const DriftReport& report, const Words& w) {
  std::string out = std::string("<table><tr><th>") + w("column", "열") + "</th><th>" +
                    w("verdict", "판정") + "</th><th class=n>" + w("score", "점수") + "</th><th>" +
                    w("why", "이유") + "</th></tr>";
  for (const ColumnDrift& column : report.columns)
    out += "<tr><td><a href=\"#c-" + base::escape_html(column.name) +
           "\" style=\"color:inherit\"><code>" + base::escape_html(column.name) +
           "</code></a></td><td class=\"" + (column.drift ? "bad" : "ok") + "\">" +
           (column.drift ? w("drift", "드리프트") : w("steady", "변화 없음")) +
           "</td><td class=n>" + format_fixed(column.score, 3) + "</td><td>" +
           base::escape_html(column.reason) + "</td></tr>";
  return out + "</table>";
}

std::string culprits_list(const DriftReport& report, const Words& w) {
  if (report.culprits.size() == 0) return {};
  std::string out = std::string("<h2>") + w("What is behind it", "원인") + "</h2><table>";
  for (const Json& culprit : report.culprits.items())
    out += "<tr><td class=n>" + format_fixed(culprit["share"].as_double() * 100, 0) +
           " %</td><td><b>" + base::escape_html(culprit["kind"].as_string()) + "</b></td><td>" +
           base::escape_html(culprit["explanation"].as_string()) + "</td></tr>";
  return out + "</table>";
}

std::string together_line(const DriftReport& report, const Words& w) {
  if (!report.together.is_object()) return {};
  const Json& t = report.together;
  std::string out = std::string("<p>") +
                    w("All columns together: trees tell old from new with AUC ",
                      "모든 열을 함께 보면: 트리가 기존과 새 데이터를 구분하는 AUC ") +
                    value_text(t["auc"]) + w(" (limit ", " (기준 ") + value_text(t["limit"]) +
                    "), MMD² " + value_text(t["mmd2"]) + ", p " + value_text(t["mmd_p"]);
  if (t["drift"].as_bool() && t["importances"].size() > 0) {
    out += w("; most by ", "; 주로 ");
    for (std::size_t i = 0; i < std::min<std::size_t>(3, t["importances"].size()); ++i)
      out += (i == 0 ? "" : ", ") + base::escape_html(t["importances"].at(i)["column"].as_string());
  }
  return out + ".</p>";
}

}  // namespace

std::string drift_html(const DriftReport& report, const std::string& old_name,
                       const std::string& new_name, const std::string& language) {
  const Words w{language == "ko"};
  const auto drifted = std::count_if(report.columns.begin(), report.columns.end(),
                                     [](const ColumnDrift& c) { return c.drift; });
  std::string out =
      "<!doctype html><html lang=\"" + std::string(w.ko ? "ko" : "en") +
      "\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
      "<title>" +
      base::escape_html(old_name) + " → " + base::escape_html(new_name) + "</title><style>" +
      kStyle + "</style><body><h1>" + base::escape_html(old_name) + " → " +
      base::escape_html(new_name) + "</h1>";
  out += "<p class=\"" + std::string(report.drift ? "bad" : "ok") + "\">" +
         (report.drift ? w("Drift", "드리프트 있음") : w("No drift", "드리프트 없음")) + ": " +
         std::to_string(drifted) + " / " + std::to_string(report.columns.size()) +
         w(" columns", "개 열") + "</p><p class=dim>" + std::to_string(report.rows_old) + " → " +
         std::to_string(report.rows_new) + w(" rows", "행") + " · " + w("rule", "규칙") + " " +
         base::escape_html(report.rule) + " · <span style=\"color:var(--old)\">━ " +
         w("old", "기존") + "</span> <span style=\"color:var(--new)\">■ " + w("new", "새") +
         "</span></p>";
  out += culprits_list(report, w) + together_line(report, w);
  out += std::string("<h2>") + w("Columns", "열") + "</h2>" + summary_table(report, w);
  std::size_t shown = 0;
  for (const ColumnDrift& column : report.columns)
    if (shown++ < kMostShown) out += column_section(column, w);
  return out + "</body></html>\n";
}

}  // namespace maru::stats
