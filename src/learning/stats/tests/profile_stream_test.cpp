#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "maru/base/file.h"
#include "maru/base/json.h"
#include "maru/base/rng.h"
#include "maru/data/cell_stream.h"
#include "maru/stats/profile.h"
#include "maru/stats/profile_page.h"
#include "maru/stats/profiler.h"
#include "sketch.h"
#include "value_table.h"

namespace maru::stats {
namespace {

std::string shared() {
  const char* named = std::getenv("MARU_SHARED");
  return named != nullptr ? named : std::string("../shared");
}

data::Engine& engine() {
  static const auto out = data::Engine::open({"/tmp", 2, 1ull << 30});
  REQUIRE(out.has_value());
  return **out;
}

base::Result<Profile> profile_file(const std::string& path, const ProfileOptions& options = {}) {
  data::ImportSpec spec;
  spec.sources = {path};
  base::Context context;
  TRY_ASSIGN(const auto stream, data::CellStream::open_files(engine(), spec, context));
  return profile_stream(*stream, options, context);
}

struct File {
  std::string path;
  explicit File(const std::string& text, const std::string& ending = ".csv")
      : path("/tmp/maru-profile-" + std::to_string(::getpid()) + ending) {
    REQUIRE(base::write_file_atomic(path, text).has_value());
  }
  ~File() { static_cast<void>(base::remove_tree(path)); }
};

double number(
    const base::Json& json) {  // whole numbers beyond a double's are texts in the golden files
  return json.is_string() ? std::strtod(json.as_string().c_str(), nullptr) : json.as_double();
}

bool near(double a, double b, double tolerance = 1e-9) {
  return a == b || std::fabs(a - b) <= tolerance * std::max(std::fabs(a), std::fabs(b)) ||
         std::fabs(a - b) < 1e-12;
}

std::string shown(const base::Json& json) {
  return json.is_string() ? json.as_string() : json.dump();
}

void check_spread(const ColumnProfile& p, const base::Json& golden) {
  CHECK(near(p.mean, number(golden["mean"])));
  CHECK(near(p.std, number(golden["std_population"])));
  CHECK(near(p.sum, number(golden["sum"])));
  CHECK(near(p.iqr, number(golden["iqr"])));
  CHECK(near(p.mad, number(golden["mad_raw"])));
  if (golden.has("std_sample")) CHECK(near(p.std_sample, number(golden["std_sample"])));
  if (golden.has("skewness_g1")) {
    // The golden shape was computed in doubles: of values a million times larger than their spread it is right to fewer digits (ours is summed in extended precision).
    const double digits = 1e-8 * std::max(1.0, std::fabs(p.mean) / (p.std * 1e6));
    CHECK(near(p.skewness, number(golden["skewness_g1"]), digits));
    CHECK(near(p.kurtosis, number(golden["excess_kurtosis_g2"]), digits));
    CHECK(p.outliers_iqr == static_cast<std::uint64_t>(golden["outliers_tukey_1.5iqr"].as_int()));
  }
  for (const auto& [name, value] : golden["quantiles_linear"].members()) {
    for (const auto& [probability, quantile] : p.quantiles)
      if (std::fabs(probability - std::stod(name) / 100) < 1e-9)
        CHECK(near(quantile, number(value)));
  }
}

void check_numbers(const ColumnProfile& p, const base::Json& golden) {
  CHECK(p.nan == static_cast<std::uint64_t>(golden["nan"].as_int()));
  CHECK(p.infinite == static_cast<std::uint64_t>(golden["inf"].as_int()));
  CHECK(p.zeros == static_cast<std::uint64_t>(golden["zeros"].as_int()));
  CHECK(p.negatives == static_cast<std::uint64_t>(golden["negatives"].as_int()));
  CHECK(p.rising == golden["monotonic_increasing"].as_bool());
  CHECK(p.falling == golden["monotonic_decreasing"].as_bool());
  CHECK(near(p.min, number(golden["min"])));
  CHECK(near(p.max, number(golden["max"])));
  if (golden["physical_type"].as_string() == "integer") {
    CHECK(p.min_text == shown(golden["min"]));  // every digit
    CHECK(p.max_text == shown(golden["max"]));
  }
  const auto& top = golden["top20_values"].items();
  REQUIRE(p.top.size() == top.size());
  for (std::size_t i = 0; i < top.size(); ++i) {
    CHECK(p.top[i].count == static_cast<std::uint64_t>(top[i]["count"].as_int()));
    CHECK(near(std::strtod(p.top[i].value.c_str(), nullptr), number(top[i]["value"])));
  }
  check_spread(p, golden);
}

void check_texts(const ColumnProfile& p, const base::Json& golden) {
  const auto& top = golden["top20_raw_strings"].items();
  REQUIRE(p.top.size() == top.size());
  for (std::size_t i = 0; i < top.size(); ++i) {
    CHECK(p.top[i].count == static_cast<std::uint64_t>(top[i]["count"].as_int()));
    CHECK(p.top[i].value == top[i]["value"].as_string());
  }
  CHECK(p.trimmed == static_cast<std::uint64_t>(golden["leading_or_trailing_space"].as_int()));
}

void check_golden(const ColumnProfile& p, const base::Json& golden) {
  INFO("column ", p.name);
  const std::string physical = golden["physical_type"].as_string();
  CHECK(p.count == static_cast<std::uint64_t>(golden["count"].as_int()));
  CHECK(p.missing == static_cast<std::uint64_t>(golden["missing"].as_int()));
  CHECK(p.distinct_error == 0);
  if (physical == "empty") return;
  const auto& length = golden["length_codepoints"];
  CHECK(p.length_min == length["min"].as_double());
  CHECK(p.length_max == length["max"].as_double());
  CHECK(near(p.length_mean, length["mean"].as_double()));
  CHECK(near(p.length_std, length["std_population"].as_double()));
  CHECK(near(p.bytes_mean, golden["length_utf8_bytes"]["mean"].as_double()));
  // A column of times or of whole numbers beyond 64 bits has a type of ours that the golden rules do not know.
  const bool ours = p.type == data::ColumnType::kTimestamp ||
                    (physical == "integer" && p.type == data::ColumnType::kText);
  if (ours) return;
  if (physical == "boolean") {
    std::uint64_t trues = 0;
    for (const auto& v : p.categories) trues += v.value == "true" ? v.count : 0;
    CHECK(trues == static_cast<std::uint64_t>(golden["trues"].as_int()));
    return;
  }
  CHECK(p.distinct == static_cast<std::uint64_t>(golden["distinct"].as_int()));
  CHECK(p.mode_ties == static_cast<std::uint64_t>(golden["mode_ties"].as_int()));
  CHECK(p.seen_once == static_cast<std::uint64_t>(golden["unique_values_seen_once"].as_int()));
  CHECK(near(p.entropy, golden["entropy_nats"].as_double()));
  CHECK(near(p.gini, golden["gini_impurity"].as_double()));
  if (physical == "string")
    check_texts(p, golden);
  else
    check_numbers(p, golden);
}

double association(const Profile& profile, const std::string& a, const std::string& b,
                   const std::string& measure) {
  for (const auto& pair : profile.associations) {
    const bool same = (pair.a == a && pair.b == b) || (pair.a == b && pair.b == a);
    if (same && pair.measure == measure) return pair.value;
  }
  return std::nan("");
}

// Golden pairs that a profile of this column kind has; returns how many were compared.
int check_pair(const Profile& profile, const base::Json& golden) {
  const std::string a = golden["first"].as_string(), b = golden["second"].as_string();
  INFO(a, " and ", b);
  int compared = 0;
  const auto compare = [&](const char* measure, const char* key) {
    const double value = association(profile, a, b, measure);
    if (std::isnan(value)) return;
    CHECK(near(value, golden[key].as_double(), 1e-8));
    ++compared;
  };
  if (golden["kind"].as_string() == "num") {
    compare("pearson", "pearson");
    compare("spearman", "spearman");
  } else if (golden["kind"].as_string() == "cat") {
    compare("cramers_v", "cramers_v");
    compare("cramers_v_corrected", "cramers_v_bias_corrected");
  } else {
    compare("eta_squared", "eta_squared");
  }
  return compared;
}

bool accepted(const std::string& meaning, const base::Json& list) {
  for (const auto& item : list.items())
    if (item.as_string() == meaning) return true;
  return list.size() == 0;
}

void check_file(const std::string& data_file, const std::string& golden_file) {
  const auto golden = base::parse_json(*base::read_file(golden_file));
  REQUIRE(golden.has_value());
  const auto profile = profile_file(data_file);
  REQUIRE_MESSAGE(profile.has_value(), (profile ? std::string() : profile.error().text()));
  INFO("data set ", data_file);
  CHECK(profile->rows == static_cast<std::uint64_t>((*golden)["rows"].as_int()));
  CHECK(profile->duplicate_rows ==
        static_cast<std::uint64_t>((*golden)["duplicate_rows"].as_int()));
  CHECK(profile->rows_with_missing ==
        static_cast<std::uint64_t>((*golden)["rows_with_any_missing"].as_int()));
  for (const auto& [name, facts] : (*golden)["columns"].members()) {
    const ColumnProfile* found = profile->find(name);
    REQUIRE(found != nullptr);
    check_golden(*found, facts);
    CHECK_MESSAGE(accepted(found->meaning, facts["accepted_meanings"]), name, " is no ",
                  found->meaning, " but ", facts["accepted_meanings"].dump());
  }
  int pairs = 0;
  for (const auto& pair : (*golden)["pairs"].items()) pairs += check_pair(*profile, pair);
  if ((*golden)["pairs"].size() > 1) CHECK(pairs >= 6);
  const auto again = Profile::from_json(profile->to_json());
  REQUIRE(again.has_value());
  CHECK(again->to_json() == profile->to_json());
  CHECK(profile_page(*profile, "it's <b>").find("<h1>it&#39;s &lt;b&gt;</h1>") !=
        std::string::npos);
}

}  // namespace

TEST_CASE("a streamed profile equals the golden statistics, meanings and pairs") {
  int judged = 0;
  for (const std::string name :
       {"adult", "california_housing", "titanic", "telco_churn", "diamonds", "chicago_taxi"}) {
    const std::string golden = shared() + "/golden/stats/" + name + ".json";
    if (!base::path_exists(golden)) {
      MESSAGE("skipped: no golden statistics at ", golden);
      return;
    }
    check_file(shared() + "/data/" + name + ".csv", golden);
    ++judged;
  }
  CHECK(judged == 6);
}

TEST_CASE("all 36 columns that profilers get wrong are right") {
  const std::string golden = shared() + "/golden/edge/edge_types.json";
  if (!base::path_exists(golden)) {
    MESSAGE("skipped: no golden statistics at ", golden);
    return;
  }
  check_file(shared() + "/golden/edge/edge_types.csv", golden);
}

TEST_CASE("sketches keep the bounds that they state") {
  base::Rng rng(7);
  constexpr std::size_t kRows = 300'000;
  QuantileSketch left, right;
  DistinctSketch distinct;
  MomentSums moments;
  std::vector<double> values;
  for (std::size_t i = 0; i < kRows; ++i) values.push_back(std::exp(rng.normal()) + 1e6);
  for (std::size_t i = 0; i < kRows; ++i) {
    (i % 3 == 0 ? left : right).add(values[i]);
    distinct.add(mix64(i * 2 + 1));
  }
  left.merge(right);
  CHECK(left.count() == kRows);
  CHECK(left.held() < 12'000);
  moments.add(values.data(), 1000);
  MomentSums rest;
  rest.add(values.data() + 1000, kRows - 1000);
  moments.merge(rest);
  double mean = 0, m2 = 0;
  for (const double v : values) mean += (v - 1e6) / kRows;
  for (const double v : values) m2 += (v - 1e6 - mean) * (v - 1e6 - mean);
  CHECK(near(moments.mean, 1e6 + mean, 1e-12));
  CHECK(near(moments.m2, m2, 1e-8));
  std::sort(values.begin(), values.end());
  double worst = 0;
  for (const auto& [value, below] : left.cumulative()) {
    const auto rank =
        static_cast<double>(std::upper_bound(values.begin(), values.end(), value) - values.begin());
    worst = std::max(worst, std::fabs(rank - below) / kRows);
  }
  CHECK(worst < QuantileSketch::rank_error());
  CHECK(worst > 0);
  CHECK(std::fabs(distinct.estimate() - kRows) < 4 * DistinctSketch::relative_error() * kRows);
}

TEST_CASE("the commonest values survive a crowd, low by no more than is said") {
  ValueTable table;
  table.set_limit(1024);
  base::Rng rng(3);
  std::uint64_t frequent = 0;
  constexpr std::uint64_t kRows = 200'000;
  for (std::uint64_t i = 0; i < kRows; ++i) {
    const bool often = rng.below(50) == 0;
    frequent += often ? 1 : 0;
    table.add_purging(often ? 42 : rng.next() | 1u << 20, {}, false, i);
  }
  CHECK(table.size() <= 1024);
  CHECK(table.error() > 0);
  CHECK(table.error() < kRows / 256);
  std::uint64_t kept = 0;
  for (const auto& entry : table.entries()) kept = entry.key == 42 ? entry.count : kept;
  CHECK(kept <= frequent);
  CHECK(kept + table.error() >= frequent);
}

TEST_CASE("a table larger than what is kept is profiled within the stated errors") {
  base::Rng rng(11);
  std::string text = "id,value,group,note\n";
  constexpr int kRows = 120'000;
  double sum = 0;
  std::vector<double> values;
  for (int i = 0; i < kRows; ++i) {
    const double value = std::round(rng.normal() * 1e6) / 1e3;
    values.push_back(value);
    sum += value;
    text += "K" + std::to_string(i) + "," + base::format_double(value) + "," +
            (i % 10 < 7 ? "common" : "g" + std::to_string(i % 50'000)) + "," +
            (i == 77'777 ? std::string("?bad") : std::to_string(i * 3)) + "\n";
  }
  const File file(text);
  ProfileOptions options;
  options.exact_values = 4096;
  const auto profile = profile_file(file.path, options);
  REQUIRE(profile.has_value());
  CHECK(profile->rows == kRows);
  CHECK(profile->duplicate_rows == 0);
  const ColumnProfile& value = *profile->find("value");
  CHECK(value.rank_error > 0);
  CHECK(near(value.mean, sum / kRows, 1e-9));
  std::sort(values.begin(), values.end());
  CHECK(value.min == values.front());
  CHECK(value.max == values.back());
  for (const auto& [probability, quantile] : value.quantiles) {
    const auto rank = static_cast<double>(std::upper_bound(values.begin(), values.end(), quantile) -
                                          values.begin());
    CHECK(std::fabs(rank / kRows - probability) < value.rank_error + 2.0 / kRows);
  }
  const std::set<double> different(values.begin(), values.end());
  CHECK(std::fabs(static_cast<double>(value.distinct) - static_cast<double>(different.size())) <
        4 * value.distinct_error * static_cast<double>(different.size()));
  CHECK(profile->find("id")->meaning == "id");
  CHECK(profile->find("group")->mode == "common");
  CHECK(profile->find("group")->top.front().count + profile->find("group")->count_error >=
        kRows * 7 / 10);
  const ColumnProfile& note = *profile->find("note");
  CHECK(note.type == data::ColumnType::kText);
  CHECK(note.odd_row == 77'777);
  CHECK(note.odd_text == "?bad");
  CHECK(note.meaning == "numeric_with_one_bad_value");
  CHECK(profile->candidate_keys == std::vector<std::string>{"id", "note"});
}

TEST_CASE("one thread or two, the same rows: counts, sample and duplicates agree") {
  std::string text = "a,b,c\n";
  for (int i = 0; i < 90'000; ++i)
    text += std::to_string(i % 900) + "," + (i % 11 == 0 ? "" : std::to_string(i % 7)) + ",\"x, " +
            std::to_string(i % 13) + "\"\n";
  const File file(text);
  ProfileOptions one, two;
  one.threads = 1;
  const auto a = profile_file(file.path, one);
  const auto b = profile_file(file.path, two);
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK(a->to_json() == b->to_json());
  CHECK(a->find("c")->mode == "x, 0");
  CHECK(a->missing_together.front().columns == std::vector<std::string>{"b"});
}

TEST_CASE("ragged rows are counted and shown, an open quote is refused") {
  std::string text = "a,b\n1,2\n3\n4,5,6\n7,8\n";
  const File file(text);
  const auto profile = profile_file(file.path);
  REQUIRE(profile.has_value());
  CHECK(profile->rows == 4);
  CHECK(profile->ragged_rows == 2);
  CHECK(profile->ragged_examples == std::vector<std::uint64_t>{1, 2});
  std::string open = "a,b\n1,\"never closed\n";
  for (int i = 0; i < 100'000; ++i) open += "3,4\n";
  const File other(open, "-open.csv");
  const auto refused = profile_file(other.path);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == base::Code::kInvalidArgument);
}

TEST_CASE("weights, slices and the label") {
  std::string text = "x,w,g,y\n";
  for (int i = 0; i < 1000; ++i)
    text += std::to_string(i % 10) + "," + std::to_string(i % 10 == 9 ? 10 : 1) + "," +
            (i % 4 == 0 ? "left" : "right") + "," + (i % 10 >= 5 ? "yes" : "no") + "\n";
  const File file(text);
  ProfileOptions options;
  options.weight = "w";
  options.slice_by = {"g"};
  options.label = "y";
  const auto profile = profile_file(file.path, options);
  REQUIRE(profile.has_value());
  REQUIRE(profile->find("x")->weighted_mean.has_value());
  CHECK(near(*profile->find("x")->weighted_mean, (36 + 90) / 19.0));
  REQUIRE(profile->slices.size() == 2);
  CHECK(profile->slices[0].value == "right");
  CHECK(profile->slices[0].rows == 750);
  CHECK(profile->slices[1].columns[0].count == 250);
  CHECK(near(association(*profile, "x", "y", "mutual_information"), std::log(2.0), 1e-6));
  CHECK(association(*profile, "g", "y", "mutual_information") < 0.01);
  options.slice_by = {"gg"};
  CHECK_FALSE(profile_file(file.path, options).has_value());
}

}  // namespace maru::stats
