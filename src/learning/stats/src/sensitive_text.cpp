#include "sensitive_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "maru/stats/sensitive.h"

namespace maru::stats {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool hex_digit(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// "nn-aan" against the value: n a digit, a a letter, all else itself.
bool shaped(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool fits = shape[i] == 'n'   ? digit(text[i])
                      : shape[i] == 'a' ? letter(text[i])
                                        : text[i] == shape[i];
    if (!fits) return false;
  }
  return true;
}

// The digits of a value that has nothing else but the given separators, one at a time; empty when it has.
std::string digits_of(std::string_view text, std::string_view separators) {
  std::string out;
  bool separated = true;  // none at the front
  for (const char c : text) {
    if (digit(c)) {
      out += c;
      separated = false;
      continue;
    }
    if (separators.find(c) == std::string_view::npos || separated) return {};
    separated = true;
  }
  return separated ? std::string() : out;
}

int number(std::string_view digits) {
  int out = 0;
  for (const char c : digits) out = out * 10 + (c - '0');
  return out;
}

bool is_day(int year, int month, int day) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool luhn(std::string_view digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int value = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) value = value > 4 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0;
}

// The numbers that issuers begin theirs with (ISO/IEC 7812), and how long those are.
bool known_issuer(std::string_view digits) {
  const int two = number(digits.substr(0, 2)), four = number(digits.substr(0, 4));
  const std::size_t size = digits.size();
  if (digits[0] == '4') return size == 13 || size == 16 || size == 19;
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return size == 16;
  if (two == 34 || two == 37) return size == 15;
  if (two == 36 || two == 38 || two == 39 || (four >= 3000 && four <= 3059)) return size >= 14;
  if (four >= 3528 && four <= 3589) return size >= 16;
  if (two == 62 || two == 65 || two == 94 || four == 6011) return size >= 16;
  return false;
}

// Korea's numbers by their first digits: how many there are in all.
bool korean_phone(std::string_view digits) {
  const std::size_t size = digits.size();
  const std::string_view three = digits.substr(0, 3);
  if (three == "010" || three == "070") return size == 11;
  if (three == "011" || three == "016" || three == "017" || three == "018" || three == "019")
    return size == 10 || size == 11;
  if (digits.rfind("02", 0) == 0) return size == 9 || size == 10;
  if (digits[0] == '0' && digits[1] >= '3' && digits[1] <= '6' && digits[2] >= '1' &&
      digits[2] <= '5')
    return size == 10 || size == 11;
  if (digits.rfind("050", 0) == 0) return size == 11 || size == 12;
  return false;
}

struct IbanLength {
  const char* country;
  std::size_t size;
};
constexpr std::array<IbanLength, 40> kIbans = {
    {{"AD", 24}, {"AE", 23}, {"AT", 20}, {"BE", 16}, {"BG", 22}, {"CH", 21}, {"CY", 28},
     {"CZ", 24}, {"DE", 22}, {"DK", 18}, {"EE", 20}, {"ES", 24}, {"FI", 18}, {"FR", 27},
     {"GB", 22}, {"GI", 23}, {"GR", 27}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23},
     {"IS", 26}, {"IT", 27}, {"KW", 30}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21},
     {"MC", 27}, {"MT", 31}, {"NL", 18}, {"NO", 15}, {"PL", 28}, {"PT", 25}, {"QA", 29},
     {"RO", 24}, {"SA", 24}, {"SE", 24}, {"SI", 19}, {"TR", 26}}};

bool ipv4(std::string_view text) {
  int parts = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && digit(text[end])) ++end;
    const std::string_view part = text.substr(at, end - at);
    if (part.empty() || part.size() > 3 || number(part) > 255 ||
        (part.size() > 1 && part[0] == '0'))
      return false;
    ++parts;
    if (end == text.size()) break;
    if (text[end] != '.' || end + 1 == text.size()) return false;
    at = end + 1;
  }
  return parts == 4;
}

bool ipv6(std::string_view text) {
  if (text.size() < 3 || text.size() > 39) return false;
  int groups = 0, width = 0;
  bool gap = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':') {
      if (i + 1 < text.size() && text[i + 1] == ':') {
        if (gap) return false;
        gap = true;
        ++i;
      } else if (i == 0 || i + 1 == text.size()) {
        return false;
      }
      width = 0;
      continue;
    }
    if (!hex_digit(text[i]) || ++width > 4) return false;
    if (width == 1) ++groups;
  }
  return gap ? groups >= 1 && groups < 8 : groups == 8;
}

}  // namespace

Match is_email_address(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || text.size() > 254) return Match::kNo;
  const std::string_view domain = text.substr(at + 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || domain.size() - dot < 3) return Match::kNo;
  static constexpr std::string_view kLocal = "!#$%&'*+-/=?^_`{|}~.";
  const bool local =
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), [](char c) {
        return digit(c) || letter(c) || (c & '\x80') != 0 ||
               kLocal.find(c) != std::string_view::npos;
      });
  const bool rest = std::all_of(domain.begin(), domain.end(), [](char c) {
    return digit(c) || letter(c) || (c & '\x80') != 0 || c == '-' || c == '.';
  });
  const bool top = std::none_of(domain.begin() + static_cast<std::ptrdiff_t>(dot) + 1, domain.end(),
                                [](char c) { return digit(c); });
  const bool clean = domain.find("..") == std::string_view::npos;
  return local && rest && top && clean ? Match::kShape : Match::kNo;
}

Match is_phone_number(std::string_view text) {
  if (text.size() < 8 || text.size() > 24) return Match::kNo;
  if (text[0] == '+') {
    std::string rest(text.substr(1));
    std::erase_if(rest, [](char c) { return c == '(' || c == ')'; });
    const std::string digits = digits_of(rest, "- .");
    if (digits.size() < 8 || digits.size() > 15) return Match::kNo;
    if (digits.rfind("82", 0) == 0 && !korean_phone("0" + digits.substr(digits[2] == '0' ? 3 : 2)))
      return Match::kNo;
    return Match::kChecked;
  }
  const bool round = text[0] == '(';
  std::string plain(text);
  if (round) std::erase_if(plain, [](char c) { return c == '(' || c == ')'; });
  const std::string digits = digits_of(plain, "- .");
  if (digits.size() < 8) return Match::kNo;
  const bool parted = digits.size() != plain.size() || round;
  // Three pieces with dots are dates and versions as well.
  if (std::count(plain.begin(), plain.end(), '.') > 0 && digits[0] != '0') return Match::kNo;
  if (digits[0] == '0')
    return korean_phone(digits) && (parted || digits.rfind("010", 0) == 0) ? Match::kChecked
                                                                           : Match::kNo;
  if (shaped(text, "nnnn-nnnn"))  // Korea's numbers of companies
    return number(digits.substr(0, 2)) >= 15 && number(digits.substr(0, 2)) <= 18 ? Match::kShape
                                                                                  : Match::kNo;
  const std::string_view home = digits.size() == 11 && digits[0] == '1' && parted
                                    ? std::string_view(digits).substr(1)
                                    : digits;
  const bool american = home.size() == 10 && parted && home[0] >= '2' && home[3] >= '2' &&
                        (round || shaped(plain, "nnn-nnn-nnnn") ||
                         shaped(plain, "n-nnn-nnn-nnnn") || shaped(plain, "nnn nnn nnnn"));
  return american ? Match::kShape : Match::kNo;
}

Match is_resident_number(std::string_view text) {
  std::string digits;
  if (shaped(text, "nnnnnn-nnnnnnn") || shaped(text, "nnnnnn nnnnnnn"))
    digits = digits_of(text, "- ");
  else if (shaped(text, "nnnnnnnnnnnnn"))
    digits = text;
  if (digits.empty()) return Match::kNo;
  const char born = digits[6];
  const int century = born == '9' || born == '0'                                 ? 1800
                      : born == '1' || born == '2' || born == '5' || born == '6' ? 1900
                                                                                 : 2000;
  const std::string_view all(digits);
  if (!is_day(century + number(all.substr(0, 2)), number(all.substr(2, 2)),
              number(all.substr(4, 2))))
    return Match::kNo;
  static constexpr std::array<int, 12> kWeights = {2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5};
  int sum = 0;
  for (std::size_t i = 0; i < kWeights.size(); ++i) sum += kWeights[i] * (digits[i] - '0');
  const bool foreigner = born >= '5' && born <= '8';
  const int expected = ((foreigner ? 13 : 11) - sum % 11) % 10;
  if (digits[12] - '0' == expected) return Match::kChecked;
  return text.size() == 14 ? Match::kShape : Match::kNo;  // bare digits are a number like any other
}

Match is_card_number(std::string_view text) {
  const std::string digits = digits_of(text, "- ");
  if (digits.size() < 13 || digits.size() > 19 || !known_issuer(digits)) return Match::kNo;
  if (digits.find_first_not_of(digits[0]) == std::string::npos) return Match::kNo;
  if (luhn(digits)) return Match::kChecked;
  return digits.size() != text.size() ? Match::kShape : Match::kNo;
}

Match is_iban(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (c == ' ') continue;
    if (!digit(c) && !letter(c)) return Match::kNo;
    plain += upper(c);
  }
  if (plain.size() < 15 || !shaped(std::string_view(plain).substr(0, 4), "aann")) return Match::kNo;
  const auto* const known = std::find_if(kIbans.begin(), kIbans.end(), [&](const IbanLength& at) {
    return plain.compare(0, 2, at.country) == 0;
  });
  if (known == kIbans.end() || known->size != plain.size()) return Match::kNo;
  int rest = 0;
  for (const char c : plain.substr(4) + plain.substr(0, 4)) {
    if (digit(c))
      rest = (rest * 10 + (c - '0')) % 97;
    else
      rest = (rest * 100 + (c - 'A' + 10)) % 97;
  }
  return rest == 1 ? Match::kChecked : Match::kShape;
}

Match is_ip_address(std::string_view text) {
  if (ipv4(text)) return Match::kShape;
  return text.find(':') != std::string_view::npos && ipv6(text) ? Match::kChecked : Match::kNo;
}

Match is_mac_address(std::string_view text) {
  if (text.size() != 17 || (text[2] != ':' && text[2] != '-')) return Match::kNo;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2 ? text[i] != text[2] : !hex_digit(text[i])) return Match::kNo;
  }
  return Match::kShape;
}

Match is_passport_number(std::string_view text) {
  if (text.size() < 7 || text.size() > 10) return Match::kNo;
  static constexpr std::string_view kKorean = "MSRODG";
  const bool korean = (shaped(text, "annnnnnnn") || shaped(text, "annnannnn")) &&
                      kKorean.find(upper(text[0])) != std::string_view::npos;
  if (korean) return Match::kShape;
  for (const std::string_view shape : {"annnnnnn", "annnnnnnn", "aannnnnn", "aannnnnnn"}) {
    if (shaped(text, shape)) return Match::kShape;
  }
  return Match::kNo;
}

Match is_driver_licence(std::string_view text) {
  if (!shaped(text, "nn-nn-nnnnnn-nn")) return Match::kNo;
  const int region = number(text.substr(0, 2));
  return region >= 11 && region <= 28 ? Match::kShape : Match::kNo;
}

Match is_us_ssn(std::string_view text) {
  if (!shaped(text, "nnn-nn-nnnn")) return Match::kNo;
  const int area = number(text.substr(0, 3));
  const bool given = area != 0 && area != 666 && area < 900 && number(text.substr(4, 2)) != 0 &&
                     number(text.substr(7)) != 0;
  return given ? Match::kShape : Match::kNo;
}

Match is_date_of_life(std::string_view text) {
  if (text.size() < 8 || text.size() > 10) return Match::kNo;
  std::string digits;
  if (shaped(text, "nnnnnnnn"))
    digits = text;
  else if (shaped(text, "nnnn-nn-nn") || shaped(text, "nnnn/nn/nn") || shaped(text, "nnnn.nn.nn"))
    digits = digits_of(text, "-/.");
  else if (shaped(text, "nn/nn/nnnn") || shaped(text, "nn.nn.nnnn") || shaped(text, "nn-nn-nnnn"))
    digits = std::string(text.substr(6)) + std::string(text.substr(3, 2)) +
             std::string(text.substr(0, 2));
  if (digits.empty()) return Match::kNo;
  const std::string_view all(digits);
  const int year = number(all.substr(0, 4)), a = number(all.substr(4, 2)),
            b = number(all.substr(6));
  return year >= 1900 && year <= 2100 && (is_day(year, a, b) || is_day(year, b, a)) ? Match::kShape
                                                                                    : Match::kNo;
}

namespace {

bool in_address(char c) {
  return digit(c) || letter(c) || (c & '\x80') != 0 || c == '.' || c == '_' || c == '-' ||
         c == '+' || c == '%';
}

struct Span {
  std::size_t begin = 0, end = 0;
  Sensitive kind = Sensitive::kEmail;
};

std::optional<Span> email_around(std::string_view text, std::size_t at) {
  std::size_t begin = at, end = at + 1;
  while (begin > 0 && in_address(text[begin - 1]) && (text[begin - 1] & '\x80') == 0) --begin;
  while (end < text.size() && in_address(text[end]) && (text[end] & '\x80') == 0) ++end;
  while (end > at && (text[end - 1] == '.' || text[end - 1] == '-')) --end;
  if (is_email_address(text.substr(begin, end - begin)) == Match::kNo) return std::nullopt;
  return Span{begin, end, Sensitive::kEmail};
}

// A run of digits and what may stand between them, with nothing of the kind on either side.
std::optional<Sensitive> kind_of_run(std::string_view run) {
  if (run.size() < 9) return std::nullopt;
  if (run.size() == 14 && is_resident_number(run) != Match::kNo) return Sensitive::kResidentNumber;
  if (is_card_number(run) == Match::kChecked) return Sensitive::kCard;
  if (is_phone_number(run) == Match::kChecked) return Sensitive::kPhone;
  return std::nullopt;
}

std::size_t end_of_run(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (digit(text[end]) || text[end] == '-' || text[end] == ')' ||
                               (text[end] == ' ' && end + 1 < text.size() && digit(text[end + 1]))))
    ++end;
  return end;
}

// Calls `found` for each span in order, and `number` for each run of as many digits as a card has.
template <class Found, class Number>
void look_inside(std::string_view text, Found found, Number number) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '@') {
      if (const auto span = email_around(text, i)) {
        found(*span);
        i = span->end - 1;
        continue;
      }
    }
    const bool begins =
        digit(c) || ((c == '+' || c == '(') && i + 1 < text.size() && digit(text[i + 1]));
    if (!begins) continue;
    const bool in_word = i > 0 && (letter(text[i - 1]) || text[i - 1] == '_');
    const std::size_t end = end_of_run(text, i);
    std::string_view run = text.substr(i, end - i);
    while (!run.empty() && !digit(run.back())) run.remove_suffix(1);
    if (const auto kind = in_word ? std::nullopt : kind_of_run(run))
      found(Span{i, i + run.size(), *kind});
    const std::size_t digits = digits_of(run, "- ").size();
    if (digits >= 13 && digits <= 19) number();
    i = end - 1;
  }
}

}  // namespace

Inside found_inside(std::string_view text) {
  Inside out;
  look_inside(
      text,
      [&](const Span& span) {
        out.email = out.email || span.kind == Sensitive::kEmail;
        out.phone = out.phone || span.kind == Sensitive::kPhone;
        out.resident = out.resident || span.kind == Sensitive::kResidentNumber;
        out.card = out.card || span.kind == Sensitive::kCard;
      },
      [&] { out.card_like = true; });
  return out;
}

std::string hide_inside(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  look_inside(
      text,
      [&](const Span& span) {
        if (span.begin < at) return;
        out += text.substr(at, span.begin - at);
        out += masked(text.substr(span.begin, span.end - span.begin), span.kind);
        at = span.end;
      },
      [] {});
  return out += text.substr(at);
}

}  // namespace maru::stats
