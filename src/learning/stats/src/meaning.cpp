#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>
#include <string_view>

#include "cell_shape.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"
#include "name_words.h"
#include "summary.h"

namespace maru::stats {
namespace {

using data::ColumnType;

constexpr double kMost = 0.95;         // share of a column's values that must look alike
constexpr std::size_t kLooked = 2000;  // different values that are looked at

bool digit(char c) { return c >= '0' && c <= '9'; }

std::string folded(std::string_view text) {
  return base::to_lower_ascii(std::string(base::trim(text)));
}

bool any_word(const std::set<std::string>& words, std::initializer_list<const char*> wanted) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const char* word) { return words.count(word) != 0; });
}

bool is_marker(std::string_view text) {
  static const std::set<std::string> kMarkers = {
      "na",     "n/a",       "n.a.",         "#n/a", "nan",  "null", "nil",      "none",
      "?",      "-",         "--",           "---",  ".",    "..",   "missing",  "unknown",
      "(null)", "<na>",      "\\n",          "void", "없음", "미상", "해당없음", "불명",
      "無",     "undefined", "not available"};
  return kMarkers.count(folded(text)) != 0;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

bool is_email(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || text.find('@', at + 1) != std::string_view::npos)
    return false;
  const std::size_t dot = text.find('.', at);
  return dot != std::string_view::npos && dot > at + 1 && dot + 2 < text.size() &&
         text.find_first_of(" \t,;") == std::string_view::npos;
}

bool is_url(std::string_view text) {
  return text.rfind("http://", 0) == 0 || text.rfind("https://", 0) == 0 ||
         text.rfind("ftp://", 0) == 0;
}

bool is_ip(std::string_view text) {
  int parts = 0, value = -1;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == '.') {
      if (value < 0 || value > 255) return false;
      ++parts;
      value = -1;
    } else if (digit(text[i])) {
      value = std::max(value, 0) * 10 + (text[i] - '0');
      if (value > 255) return false;
    } else {
      return false;
    }
  }
  return parts == 4;
}

// +82-10-1234-5678, 010-1234-5678, (312) 555-0123: a sign of a telephone number besides digits is asked for.
bool is_phone(std::string_view text) {
  std::size_t digits = 0, signs = 0;
  for (const char c : text) {
    if (digit(c))
      ++digits;
    else if (c == '-' || c == ' ' || c == '(' || c == ')' || c == '+' || c == '.')
      ++signs;
    else
      return false;
  }
  const bool plus = text.front() == '+';
  const bool trunk = text.front() == '0' || text.front() == '(';
  return digits >= 8 && digits <= 15 && signs > 0 &&
         (plus || trunk || (digits == 10 && signs == 2)) &&
         std::count(text.begin(), text.end(), '.') != 1;
}

bool is_json(std::string_view text) {
  const std::string_view t = base::trim(text);
  if (t.size() < 2) return false;
  const bool brackets =
      (t.front() == '{' && t.back() == '}') || (t.front() == '[' && t.back() == ']');
  return brackets && base::parse_json(std::string(t)).has_value();
}

// What a written date is like: its order of day and month, and whether a time of day follows.
struct DateText {
  bool good = false, time = false;
  int first = 0, second = 0;  // of 14/05/2024
};

DateText date_of(std::string_view raw) {
  const std::string_view text = base::trim(raw);
  DateText out;
  std::array<int, 3> parts{};
  std::array<std::size_t, 3> widths{};
  std::size_t at = 0, part = 0;
  char separator = 0;
  for (; part < 3; ++part) {
    std::size_t width = 0;
    for (; at < text.size() && digit(text[at]) && width < 4; ++at, ++width)
      parts[part] = parts[part] * 10 + (text[at] - '0');
    if (width == 0) return out;
    widths[part] = width;
    if (part == 2) break;
    if (at >= text.size() || (text[at] != '/' && text[at] != '.' && text[at] != '-')) return out;
    if (separator != 0 && text[at] != separator) return out;
    separator = text[at++];
  }
  if (at < text.size()) {  // " 13:45", "T13:45:10"
    if (text[at] != ' ' && text[at] != 'T') return out;
    const std::size_t colon = text.find(':', at);
    if (colon == std::string_view::npos || colon - at > 3 || !digit(text[at + 1])) return out;
    out.time = true;
  }
  const bool year_first = widths[0] == 4 && widths[1] <= 2 && widths[2] <= 2;
  const bool year_last = widths[2] == 4 && widths[0] <= 2 && widths[1] <= 2;
  if (year_first) {
    out.good = parts[1] >= 1 && parts[1] <= 12 && parts[2] >= 1 && parts[2] <= 31;
  } else if (year_last) {
    out.first = parts[0];
    out.second = parts[1];
    const bool in = parts[0] >= 1 && parts[1] >= 1 && parts[0] <= 31 && parts[1] <= 31;
    out.good = in && (parts[0] <= 12 || parts[1] <= 12) && parts[2] >= 1000;
  }
  return out;
}

// A number that is dressed: currency, percent, thousands, decimal comma, a unit. `style` must be one for a column.
bool dressed_number(std::string_view raw, std::string& style) {
  std::string_view text = base::trim(raw);
  style.clear();
  if (text.size() > 2 && text.front() == '(' && text.back() == ')') {
    style += "()";
    text = text.substr(1, text.size() - 2);
  }
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  static constexpr std::string_view kMoney[] = {"$", "€",   "£",   "¥",   "₩",
                                                "₹", "US$", "USD", "EUR", "KRW"};
  for (const auto sign : kMoney) {
    if (text.substr(0, sign.size()) != sign) continue;
    style += std::string(sign);
    text = base::trim(text.substr(sign.size()));
    break;
  }
  std::size_t end = 0;
  while (end < text.size() &&
         (digit(text[end]) || text[end] == '.' || text[end] == ',' || text[end] == '\''))
    ++end;
  const std::string_view number = text.substr(0, end), unit = base::trim(text.substr(end));
  if (number.empty() || !digit(number.back())) return false;
  if (unit.size() > 12 || std::any_of(unit.begin(), unit.end(), digit)) return false;
  const auto commas = std::count(number.begin(), number.end(), ',');
  const auto points = std::count(number.begin(), number.end(), '.');
  if (commas > 0 && points == 0) {
    const std::size_t last = number.rfind(',');
    style += commas == 1 && number.size() - last - 1 != 3 ? "decimal comma" : ",";
  } else if (commas > 0 && points == 1 && number.rfind(',') < number.find('.')) {
    style += ",";
  } else if (points > 1 && commas <= 1) {
    style += "point thousands";
  } else if (commas > 0) {
    return false;
  }
  style += std::string(unit);
  return true;
}

struct WordPair {
  const char *yes, *no;
};
constexpr WordPair kPairs[] = {{"yes", "no"}, {"y", "n"},    {"true", "false"},
                               {"t", "f"},    {"on", "off"}, {"예", "아니오"},
                               {"o", "x"},    {"1", "0"},    {"set", "clear"}};

bool boolean_words(const std::vector<TopValue>& values) {
  std::set<std::string> seen;
  for (const auto& value : values) {
    seen.insert(folded(value.value));
    if (seen.size() > 2) return false;
  }
  return std::any_of(std::begin(kPairs), std::end(kPairs), [&](const WordPair& pair) {
    return std::all_of(seen.begin(), seen.end(),
                       [&](const std::string& s) { return s == pair.yes || s == pair.no; });
  });
}

class Judge {
 public:
  Judge(ColumnProfile& p, const std::vector<TopValue>& values, bool complete)
      : p_(p), values_(values), complete_(complete), words_(name_words(p.name)) {
    present_ = static_cast<double>(p.count - p.missing);
    unique_ = complete ? static_cast<double>(p.distinct) == present_
                       : static_cast<double>(p.distinct) > (1 - 3 * p.distinct_error) * present_;
  }

  void run() {
    if (present_ == 0) return say("empty", 1, "no row has a value");
    if (static_cast<double>(p_.missing) >= 0.95 * static_cast<double>(p_.count))
      return say("almost_empty", 1,
                 base::format_fixed(100 * (1 - present_ / static_cast<double>(p_.count)), 1) +
                     " % of the rows are missing");
    if (p_.distinct == 1 && p_.nan + p_.infinite == 0)
      return say("constant", 1, "one value in every row that has any");
    switch (p_.type) {
      case ColumnType::kBool:
        return say("boolean", 1, "true and false");
      case ColumnType::kTimestamp:
        return times();
      case ColumnType::kInteger:
        return integers();
      case ColumnType::kFloat:
        return reals();
      default:
        return texts();
    }
  }

 private:
  void say(const char* meaning, double confidence, std::string reason) {
    p_.meaning = meaning;
    p_.confidence = confidence;
    p_.meaning_reason = std::move(reason);
  }

  void times() {
    const bool days =
        std::all_of(p_.top.begin(), p_.top.end(),
                    [](const TopValue& v) {
                      return v.value.size() < 12 ||
                             v.value.substr(10).find_first_of("123456789") == std::string::npos;
                    }) &&
        whole_days();
    say(days ? "date" : "timestamp", 1,
        days ? "ISO dates without a time" : "ISO dates with a time");
  }
  // Also of the values that are not in `top`.
  bool whole_days() const {
    return std::all_of(values_.begin(), values_.end(), [](const TopValue& v) {
      return v.value.size() < 12 ||
             v.value.substr(10).find_first_of("123456789") == std::string::npos;
    });
  }

  bool code_name() const {
    return any_word(words_, {"code", "zip", "zipcode", "postal", "postcode", "area", "tract",
                             "district", "fips", "ward", "코드", "우편번호"});
  }
  bool key_name() const {
    return any_word(words_, {"id", "key", "uuid", "guid", "serial", "번호", "아이디"});
  }

  bool epoch() {
    struct Unit {
      double scale;
      const char* meaning;
    };
    static constexpr Unit kUnits[] = {{1, "timestamp_epoch_seconds"},
                                      {1e3, "timestamp_epoch_milliseconds"},
                                      {1e6, "timestamp_epoch_microseconds"},
                                      {1e9, "timestamp_epoch_nanoseconds"}};
    const bool named = any_word(words_, {"time", "timestamp", "date", "epoch", "ts", "ms",
                                         "created", "updated", "datetime", "at"});
    for (const auto& unit : kUnits) {
      // 1990 to 2100
      if (p_.min < 631'152'000 * unit.scale || p_.max > 4'102'444'800 * unit.scale) continue;
      // Seconds of our time are ten digits long, as many a number is: the name has to say so too.
      if (unit.scale == 1 && !named) return false;
      if (p_.distinct < 10) return false;
      say(unit.meaning, named ? 0.99 : 0.9, "whole numbers that are times between 1990 and 2100");
      return true;
    }
    return false;
  }

  bool sentinel() {
    if (values_.size() < 3 || !complete_) return false;
    const auto number = [](const TopValue& v) { return std::strtod(v.value.c_str(), nullptr); };
    std::vector<std::pair<double, std::uint64_t>> sorted;
    for (const auto& v : values_) sorted.emplace_back(number(v), v.count);
    std::sort(sorted.begin(), sorted.end());
    const auto known = [](double v) {
      const double a = std::fabs(v);
      for (const double s : {9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 8888.0})
        if (a == s) return true;
      return v == -1 || v == -9998;
    };
    const auto test = [&](double value, std::uint64_t count, double near, double far) {
      const double range = std::fabs(far - near);
      return known(value) && std::fabs(value - near) > 2 * range && range > 0 && count >= 3 &&
             static_cast<double>(count) >= 0.005 * present_ &&
             // a code repeats more than any of its neighbours on average
             static_cast<double>(count) * static_cast<double>(sorted.size()) > 2 * present_;
    };
    const auto& low = sorted.front();
    const auto& high = sorted.back();
    double found = 0;
    if (test(low.first, low.second, sorted[1].first, high.first))
      found = low.first;
    else if (test(high.first, high.second, sorted[sorted.size() - 2].first, low.first))
      found = high.first;
    else
      return false;
    p_.markers = {base::format_double(found)};
    say("numeric_with_sentinel", 0.95,
        p_.markers.front() +
            " lies far outside of all others and repeats: it stands for a missing value");
    return true;
  }

  void integers() {
    const double range = p_.max - p_.min + 1;
    if (p_.distinct == 2 && p_.min == 0 && p_.max == 1) return say("boolean", 0.99, "0 and 1");
    if (epoch() || sentinel()) return;
    if (unique_ && present_ >= 20 && (range <= 1.5 * present_ || key_name()))
      return say("id", 0.95, "a different whole number in every row");
    if (unique_ && std::max(std::fabs(p_.min), std::fabs(p_.max)) > 9007199254740992.0)
      return say("id", 0.9, "whole numbers of more digits than a double holds, none twice");
    if (code_name() && p_.distinct * 2 < static_cast<std::uint64_t>(present_) + 2)
      return say("categorical_code", 0.9, "the name says that the numbers are codes");
    if (key_name() && p_.distinct > 50) return say("id", 0.8, "the name says that it is a key");
    if (p_.min >= 0 && p_.max <= 31 && range <= 32 &&
        static_cast<double>(p_.distinct) >= range / 2 &&
        present_ >= 3 * static_cast<double>(p_.distinct))
      return say("ordinal", 0.8, "few small whole numbers");
    say("numeric", 0.95, "whole numbers");
  }

  void reals() {
    const auto in = [&](double low, double high) { return p_.min >= low && p_.max <= high; };
    if (any_word(words_, {"lat", "latitude", "위도"}) && in(-90, 90))
      return say("latitude", 0.95, "named so, and between -90 and 90");
    if (any_word(words_, {"lon", "lng", "long", "longitude", "경도"}) && in(-180, 180))
      return say("longitude", 0.95, "named so, and between -180 and 180");
    const bool whole = std::all_of(values_.begin(), values_.end(), [](const TopValue& v) {
      return v.value.find_first_of(".eE") == std::string::npos ||
             (v.value.size() > 2 && v.value.substr(v.value.size() - 2) == ".0");
    });
    if (sentinel()) return;
    if (code_name() && whole && p_.distinct * 2 < static_cast<std::uint64_t>(present_) + 2)
      return say("categorical_code", 0.9, "whole numbers, and the name says that they are codes");
    say("numeric", 0.98, "decimal numbers");
  }

  // Share of the rows whose value passes, of those that were looked at.
  template <class Test>
  double share(Test test) const {
    double passed = 0, all = 0;
    for (std::size_t i = 0; i < std::min(values_.size(), kLooked); ++i) {
      const auto n = static_cast<double>(values_[i].count);
      all += n;
      passed += test(values_[i].value) ? n : 0;
    }
    return all == 0 ? 0 : passed / all;
  }

  bool named_kind(const char* meaning, bool (*test)(std::string_view), const char* reason) {
    const double part = share(test);
    if (part < kMost) return false;
    say(meaning, part, reason);
    return true;
  }

  // Numbers with something else among them.
  bool mixed_numbers() {
    double numbers = 0, markers = 0, bad = 0;
    std::vector<std::string> marked;
    for (const auto& value : values_) {
      const auto n = static_cast<double>(value.count);
      const Shape shape = shape_of(base::trim(value.value)).shape;
      if (shape == Shape::kInteger || shape == Shape::kReal)
        numbers += n;
      else if (is_marker(value.value) || shape == Shape::kSpecial) {
        markers += n;
        marked.push_back(value.value);
      } else {
        bad += n;
      }
    }
    if (numbers == 0) return false;
    if (bad == 0 && markers > 0) {
      p_.markers = marked;
      say("numeric_with_missing_markers", numbers > markers ? 0.99 : 0.9,
          "numbers, and words for a missing one: " + base::join(marked, ", ").substr(0, 80));
      return true;
    }
    if (bad == 0 || bad > 0.05 * numbers) return false;
    p_.markers = marked;
    say(bad == 1 ? "numeric_with_one_bad_value" : "numeric_with_bad_values",
        numbers / (numbers + bad),
        "numbers but for " + base::format_fixed(bad, 0) + (bad == 1 ? " row" : " rows"));
    return true;
  }

  bool dates() {
    double good = 0, all = 0, timed = 0;
    int first_max = 0, second_max = 0;
    for (std::size_t i = 0; i < std::min(values_.size(), kLooked); ++i) {
      const auto n = static_cast<double>(values_[i].count);
      const DateText date = date_of(values_[i].value);
      all += n;
      if (!date.good) continue;
      good += n;
      timed += date.time ? n : 0;
      first_max = std::max(first_max, date.first);
      second_max = std::max(second_max, date.second);
    }
    if (all == 0 || good / all < kMost) return false;
    if (first_max > 12 && second_max > 12) return false;
    const char* order = first_max > 12    ? "day first"
                        : second_max > 12 ? "month first"
                        : first_max == 0  ? "year first"
                                          : "day and month cannot be told apart";
    say(timed > 0.5 * good ? "timestamp" : "date",
        first_max > 0 && first_max <= 12 && second_max <= 12 ? 0.7 : good / all, order);
    return true;
  }

  bool numbers_as_text() {
    std::string style, first;
    double good = 0, all = 0;
    std::set<std::string> styles;
    for (std::size_t i = 0; i < std::min(values_.size(), kLooked); ++i) {
      const auto n = static_cast<double>(values_[i].count);
      all += n;
      if (!dressed_number(values_[i].value, style)) continue;
      good += n;
      styles.insert(style);
    }
    styles.erase("");  // 999 among 1,000
    if (all == 0 || good / all < kMost || styles.empty()) return false;
    // "1,000" reads as thousands and "1,0" as a decimal comma: one of them has to be the rule.
    std::set<std::string> kinds(styles);
    if (kinds.count("decimal comma") != 0) kinds.erase(",");
    if (kinds.size() > 2) return false;
    say("numeric_as_text", good / all, "numbers written as " + values_.front().value);
    return true;
  }

  bool digit_codes() {
    std::set<std::size_t> widths;
    bool zeros = false;
    for (std::size_t i = 0; i < std::min(values_.size(), kLooked); ++i) {
      const std::string& v = values_[i].value;
      if (!std::all_of(v.begin(), v.end(), digit)) return false;
      zeros = zeros || (v.size() > 1 && v.front() == '0');
      widths.insert(v.size());
    }
    if (unique_ && present_ >= 20) {
      say("id", 0.95, "digits, none twice");
    } else if (zeros || widths.size() == 1) {
      say("categorical_code", 0.97, "digits with leading zeros: numbers would lose them");
    } else {
      say("id", 0.8, "whole numbers beyond 64 bits");
    }
    return true;
  }

  void texts() {
    if (boolean_words(values_)) return say("boolean", 0.97, "two words for yes and no");
    if (named_kind("uuid", is_uuid, "the form of a UUID") ||
        named_kind("email", is_email, "the form of an e-mail address") ||
        named_kind("url", is_url, "web addresses") || named_kind("ip", is_ip, "IPv4 addresses"))
      return;
    if (digit_codes() || mixed_numbers() || dates()) return;
    if (named_kind("phone", is_phone, "telephone numbers") ||
        named_kind("json", is_json, "JSON documents"))
      return;
    if (numbers_as_text()) return;
    words();
  }

  void words() {
    const double spread = static_cast<double>(p_.distinct) / present_;
    const double spaced =
        share([](std::string_view v) { return std::count(v.begin(), v.end(), ' ') >= 3; });
    if (p_.length_mean > 40 || (spaced > 0.5 && spread > 0.5))
      return say("text", 0.9, "long texts that hardly repeat");
    if (present_ >= 20 && spread > 0.9) return say("id", 0.85, "short texts, hardly one twice");
    for (const auto& value : values_) {
      if (is_marker(value.value)) p_.markers.push_back(value.value);
    }
    say("categorical", spread < 0.2 ? 0.97 : 0.7, "texts that repeat");
  }

  ColumnProfile& p_;
  const std::vector<TopValue>& values_;
  bool complete_;
  std::set<std::string> words_;
  double present_ = 0;
  bool unique_ = false;
};

}  // namespace

void find_meaning(ColumnProfile& profile, const std::vector<TopValue>& values, bool complete) {
  Judge(profile, values, complete).run();
}

}  // namespace maru::stats
