#include <algorithm>
#include <cmath>

#include "maru/base/number_text.h"
#include "maru/stats/expectation.h"

namespace maru::stats {
namespace {

using base::Json;
using data::ColumnType;

constexpr double kFewestRows = 20;
constexpr double kListRepeats =
    10;  // a list is closed when each value came ten times on average (Deequ: unique share at most 0.1)

// Lower end of Wilson's 95 % interval for a share.
double wilson(double passed, double rows) {
  constexpr double z = 1.6448536269514722;  // one-sided
  const double p = passed / rows, z2 = z * z;
  const double centre = p + z2 / (2 * rows);
  const double reach = z * std::sqrt(p * (1 - p) / rows + z2 / (4 * rows * rows));
  return std::max(0.0, (centre - reach) / (1 + z2 / rows));
}
// n rows without a failure: at 95 % at least this share of the next ones passes.
double never_failed(double rows) { return std::pow(0.05, 1 / rows); }

class Suggester {
 public:
  explicit Suggester(const Profile& profile) : profile_(profile) {}

  std::vector<Expectation> run() {
    if (static_cast<double>(profile_.rows) < kFewestRows) return {};
    for (const auto& column : profile_.columns) of(column);
    Json names = Json::array();
    for (const auto& column : profile_.columns) names.push(column.name);
    add("columns_are", "", Json::object({{"values", names}, {"ordered", false}}), 1, 1,
        "the columns that are there");
    return std::move(out_);
  }

 private:
  void add(const char* kind, const std::string& column, Json value, double mostly,
           double confidence, std::string why) {
    Expectation e;
    e.kind = kind;
    e.column = column;
    e.value = std::move(value);
    e.mostly = mostly;
    e.confidence = confidence;
    e.description = std::move(why);
    out_.push_back(std::move(e));
  }
  static double rounded(double share) { return std::floor(share * 1e4) / 1e4; }

  void of(const ColumnProfile& p) {
    const auto rows = static_cast<double>(p.count), present = rows - static_cast<double>(p.missing);
    if (p.missing == 0)
      add("not_null", p.name, {}, 1, never_failed(rows), "no row is missing");
    else if (present / rows > 0.2)
      add("not_null", p.name, {}, rounded(wilson(present, rows)), 0.95,
          "present in " + base::format_fixed(100 * present / rows, 1) + " % of the rows");
    if (present < kFewestRows) return;
    const bool key = std::find(profile_.candidate_keys.begin(), profile_.candidate_keys.end(),
                               p.name) != profile_.candidate_keys.end();
    if (key && p.distinct_error == 0)
      add("unique", p.name, {}, 1, never_failed(rows), "no value came twice");
    if (p.type == ColumnType::kText)
      texts(p, present);
    else if (p.type != ColumnType::kBool && p.type != ColumnType::kTimestamp)
      numbers(p, present);
  }

  void texts(const ColumnProfile& p, double present) {
    for (const char* form : {"email", "url", "uuid", "phone"})
      if (p.meaning == form)
        add("form", p.name, Json::object({{"form", form}}),
            rounded(wilson(p.confidence * present, present)), p.confidence, p.meaning_reason);
    if (p.meaning == "ip")
      add("form", p.name, Json::object({{"form", "ipv4"}}),
          rounded(wilson(p.confidence * present, present)), p.confidence, p.meaning_reason);
    if (p.distinct <= 100 && p.categories.size() == p.distinct &&
        static_cast<double>(p.distinct) * kListRepeats <= present) {
      Json values = Json::array();
      for (const auto& value : p.categories) values.push(value.value);
      // Turing's estimate: as often as a value came just once, the next row brings a new one.
      const double fresh = static_cast<double>(p.seen_once) / present;
      add("in_set", p.name, Json::object({{"values", values}}),
          rounded(std::min(never_failed(present), 1 - fresh)),
          std::min(never_failed(present), 1 - fresh),
          std::to_string(p.distinct) + " values, again and again");
    }
    if (p.length_min == p.length_max && p.length_max > 1 && p.distinct > 5)
      add("length_between", p.name, Json::object({{"min", p.length_min}, {"max", p.length_max}}), 1,
          never_failed(present), "every value has as many characters");
  }

  void numbers(const ColumnProfile& p, double present) {
    if (p.meaning == "id" || p.meaning == "categorical_code") return;
    if (p.negatives == 0 && p.meaning != "latitude" && p.meaning != "longitude") {
      add("between", p.name, Json::object({{"min", 0}, {"max", Json()}}), 1, never_failed(present),
          "never negative");
    }
    if (p.meaning == "latitude" || p.meaning == "longitude") {
      const double end = p.meaning == "latitude" ? 90 : 180;
      add("between", p.name, Json::object({{"min", -end}, {"max", end}}), 1, 1, p.meaning);
    }
    if (p.std_sample <= 0) return;
    // Where the mean of as many rows of the same kind stays with 99.9 %.
    const double reach = 3.29 * p.std_sample * std::sqrt(2 / present);
    add("mean", p.name, Json::object({{"min", p.mean - reach}, {"max", p.mean + reach}}), 1, 0.999,
        "the mean of as many rows of the same kind");
    out_.back().severity = Severity::kWarning;
  }

  const Profile& profile_;
  std::vector<Expectation> out_;
};

}  // namespace

std::vector<Expectation> suggest_expectations(const Profile& profile) {
  return Suggester(profile).run();
}

}  // namespace maru::stats
