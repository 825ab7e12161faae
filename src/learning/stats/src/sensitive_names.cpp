// Names and addresses: no check digit tells them, so these are dictionaries and heuristics; sensitive.cpp asks for many of them in a column.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "maru/base/text.h"
#include "sensitive_text.h"

namespace maru::stats {
namespace {

using Words = std::unordered_set<std::string_view>;

// The 60 commonest surnames hold 97 % of Koreans (Statistics Korea, census of 2015), and those of two syllables.
const Words& korean_surnames() {
  static const Words kWords = {
      "김", "이", "박", "최", "정",   "강",   "조",   "윤",   "장",   "임",  "한", "오", "서", "신",
      "권", "황", "안", "송", "전",   "홍",   "유",   "고",   "문",   "양",  "손", "배", "백", "허",
      "남", "심", "노", "하", "곽",   "성",   "차",   "주",   "우",   "구",  "민", "진", "지", "엄",
      "채", "원", "천", "방", "공",   "현",   "함",   "변",   "염",   "여",  "추", "도", "소", "석",
      "선", "설", "마", "길", "남궁", "황보", "제갈", "사공", "선우", "독고"};
  return kWords;
}

// Syllables that given names are made of.
const Words& korean_given() {
  static const Words kWords = {
      "가", "건", "결", "겸", "경", "계", "관", "광", "교", "국", "권", "규", "균", "근", "기",
      "나", "남", "다", "단", "담", "대", "덕", "도", "동", "라", "람", "래", "려", "령", "로",
      "록", "린", "림", "만", "명", "모", "무", "문", "미", "민", "배", "범", "병", "보", "복",
      "봄", "봉", "비", "빈", "빛", "산", "상", "새", "서", "석", "선", "설", "섭", "성", "세",
      "소", "솔", "송", "수", "숙", "순", "슬", "승", "시", "식", "신", "아", "안", "애", "양",
      "언", "엄", "연", "열", "엽", "영", "예", "오", "옥", "온", "용", "우", "욱", "운", "웅",
      "원", "월", "유", "윤", "율", "은", "을", "의", "이", "익", "인", "일", "임", "자", "재",
      "정", "제", "조", "종", "주", "준", "중", "지", "진", "찬", "창", "채", "천", "철", "초",
      "춘", "충", "치", "태", "택", "표", "하", "학", "한", "해", "혁", "현", "형", "혜", "호",
      "홍", "화", "환", "훈", "휘", "희", "후", "훤", "리"};
  return kWords;
}

const Words& english_given() {
  static const Words kWords = {
      "aaron",     "abigail",   "adam",      "alan",      "albert",      "alex",      "alexander",
      "alexis",    "alice",     "amanda",    "amber",     "amy",         "andrea",    "andrew",
      "angela",    "ann",       "anna",      "anne",      "anthony",     "arthur",    "ashley",
      "austin",    "barbara",   "benjamin",  "betty",     "beverly",     "billy",     "bobby",
      "bradley",   "brandon",   "brenda",    "brian",     "brittany",    "bruce",     "bryan",
      "carl",      "carol",     "caroline",  "carolyn",   "catherine",   "charles",   "charlotte",
      "cheryl",    "christian", "christina", "christine", "christopher", "cynthia",   "daniel",
      "danielle",  "david",     "deborah",   "debra",     "dennis",      "diana",     "diane",
      "donald",    "donna",     "doris",     "dorothy",   "douglas",     "dylan",     "edward",
      "elizabeth", "ella",      "emily",     "emma",      "eric",        "ethan",     "eugene",
      "evelyn",    "frances",   "francis",   "frank",     "gabriel",     "gary",      "george",
      "gerald",    "gloria",    "grace",     "gregory",   "hannah",      "harold",    "harry",
      "heather",   "helen",     "henry",     "isabella",  "jack",        "jacob",     "jacqueline",
      "james",     "jane",      "janet",     "janice",    "jason",       "jean",      "jeffrey",
      "jennifer",  "jeremy",    "jerry",     "jesse",     "jessica",     "joan",      "joe",
      "john",      "johnny",    "jonathan",  "jordan",    "jose",        "joseph",    "joshua",
      "joyce",     "juan",      "judith",    "judy",      "julia",       "julie",     "justin",
      "karen",     "katherine", "kathleen",  "kathryn",   "kayla",       "keith",     "kelly",
      "kenneth",   "kevin",     "kimberly",  "kyle",      "larry",       "laura",     "lauren",
      "lawrence",  "liam",      "linda",     "lisa",      "logan",       "lori",      "louis",
      "lucas",     "madison",   "margaret",  "maria",     "marie",       "marilyn",   "mark",
      "martha",    "mary",      "mason",     "matthew",   "megan",       "melissa",   "mia",
      "michael",   "michelle",  "mildred",   "nancy",     "natalie",     "nathan",    "nicholas",
      "nicole",    "noah",      "olivia",    "pamela",    "patricia",    "patrick",   "paul",
      "peter",     "philip",    "rachel",    "ralph",     "randy",       "raymond",   "rebecca",
      "richard",   "robert",    "roger",     "ronald",    "rose",        "roy",       "russell",
      "ruth",      "ryan",      "samantha",  "samuel",    "sandra",      "sara",      "sarah",
      "scott",     "sean",      "sharon",    "shirley",   "sophia",      "stephanie", "stephen",
      "steven",    "susan",     "tammy",     "teresa",    "terry",       "theodore",  "theresa",
      "thomas",    "timothy",   "tyler",     "vera",      "victoria",    "vincent",   "virginia",
      "walter",    "wayne",     "william",   "willie",    "zachary"};
  return kWords;
}

const Words& english_surnames() {
  static const Words kWords = {
      "adams",    "allen",     "anderson", "bailey",    "baker",      "barnes",  "bell",
      "bennett",  "brooks",    "brown",    "butler",    "campbell",   "carter",  "clark",
      "collins",  "cook",      "cooper",   "cox",       "cruz",       "davis",   "diaz",
      "edwards",  "evans",     "fisher",   "flores",    "foster",     "garcia",  "gomez",
      "gonzalez", "gray",      "green",    "gutierrez", "hall",       "harris",  "hernandez",
      "hill",     "howard",    "hughes",   "jackson",   "jenkins",    "johnson", "jones",
      "kelly",    "kim",       "king",     "lee",       "lewis",      "long",    "lopez",
      "martin",   "martinez",  "miller",   "mitchell",  "moore",      "morales", "morgan",
      "morris",   "murphy",    "myers",    "nelson",    "nguyen",     "ortiz",   "parker",
      "patel",    "perez",     "perry",    "peterson",  "phillips",   "powell",  "price",
      "ramirez",  "reed",      "reyes",    "reynolds",  "richardson", "rivera",  "roberts",
      "robinson", "rodriguez", "rogers",   "ross",      "russell",    "sanchez", "sanders",
      "scott",    "smith",     "stewart",  "sullivan",  "taylor",     "thomas",  "thompson",
      "torres",   "turner",    "walker",   "ward",      "watson",     "white",   "williams",
      "wilson",   "wood",      "wright",   "young",     "park",       "choi",    "jung",
      "kang",     "cho",       "yoon",     "jang",      "lim"};
  return kWords;
}

// The syllables of a text of Hangul alone; empty for any other.
std::vector<std::string_view> syllables(std::string_view text) {
  std::vector<std::string_view> out;
  if (text.size() % 3 != 0 || text.size() > 15) return out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const auto a = static_cast<unsigned char>(text[i]), b = static_cast<unsigned char>(text[i + 1]),
               c = static_cast<unsigned char>(text[i + 2]);
    const unsigned code = (a & 0x0fu) << 12u | (b & 0x3fu) << 6u | (c & 0x3fu);
    if ((a & 0xf0u) != 0xe0u || code < 0xac00 || code > 0xd7a3) return {};
    out.push_back(text.substr(i, 3));
  }
  return out;
}

Match korean_name(std::string_view text) {
  const auto parts = syllables(text);
  if (parts.size() < 2 || parts.size() > 4) return Match::kNo;
  for (const std::size_t family : {2u, 1u}) {
    const std::size_t given = parts.size() - std::min<std::size_t>(family, parts.size());
    if (given < 1 || given > 2 || !korean_surnames().contains(text.substr(0, family * 3))) continue;
    const bool known =
        std::all_of(parts.begin() + static_cast<std::ptrdiff_t>(family), parts.end(),
                    [](std::string_view part) { return korean_given().contains(part); });
    // Two syllables are words as often as names.
    if (known) return given == 2 || family == 2 ? Match::kChecked : Match::kShape;
  }
  return Match::kNo;
}

Match english_name(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) {
      word += c;
    } else if (c == ' ' || c == ',' || c == '.') {
      if (!word.empty()) words.push_back(base::to_lower_ascii(word));
      word.clear();
    } else if (c != '\'' && c != '-') {
      return Match::kNo;
    }
  }
  static const Words kTitles = {"mr", "mrs", "ms", "miss", "dr", "jr", "sr"};
  std::erase_if(words, [](const std::string& w) { return kTitles.contains(w) || w.size() == 1; });
  if (words.empty() || words.size() > 4) return Match::kNo;
  const auto in = [](const Words& list) {
    return [&list](const std::string& w) { return list.contains(w); };
  };
  const bool given = std::any_of(words.begin(), words.end(), in(english_given()));
  const bool family = std::any_of(words.begin(), words.end(), in(english_surnames()));
  if (words.size() == 1) return given ? Match::kShape : Match::kNo;
  if (given && family) return Match::kChecked;
  return given ? Match::kShape : Match::kNo;
}

bool ends_with_any(std::string_view text, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) {
    return text.size() > ending.size() && text.ends_with(ending);
  });
}

bool starts_with_number(std::string_view word) {
  return !word.empty() && word[0] >= '0' && word[0] <= '9';
}

// Whether the words before `end` but the first begin with large letters or numbers: "1600 Pennsylvania Ave", not "3 items on the way".
bool titled(const std::vector<std::string>& words, std::size_t end) {
  return std::all_of(words.begin() + 1, words.begin() + static_cast<std::ptrdiff_t>(end),
                     [](const std::string& word) {
                       return word.empty() || (word[0] >= 'A' && word[0] <= 'Z') ||
                              starts_with_number(word);
                     });
}

}  // namespace

Match is_person_name(std::string_view text) {
  if (text.size() < 3 || text.size() > 60) return Match::kNo;
  return (text[0] & '\x80') != 0 ? korean_name(text) : english_name(text);
}

// Korea's: a road (…로, …길) or a quarter (…동, …리, …가) followed by a number. English: a number, words, a word for a street.
Match is_postal_address(std::string_view text) {
  if (text.size() < 8 || text.size() > 300) return Match::kNo;
  const auto words = base::split(text, ' ');
  static const Words kStreets = {"street",    "st",    "avenue",  "ave",   "road",  "rd",
                                 "boulevard", "blvd",  "lane",    "ln",    "drive", "dr",
                                 "way",       "court", "ct",      "place", "pl",    "terrace",
                                 "parkway",   "pkwy",  "highway", "hwy",   "square"};
  bool place = false, road = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    while (!word.empty() && (word.back() == ',' || word.back() == '.')) word.pop_back();
    if (ends_with_any(word, {"시", "도", "군", "구", "읍", "면"})) place = true;
    const bool numbered = i + 1 < words.size() && starts_with_number(words[i + 1]);
    if (numbered && ends_with_any(word, {"로", "길", "동", "리", "가", "번길"})) road = true;
    if (i >= 2 && starts_with_number(words[0]) && titled(words, i) &&
        kStreets.contains(base::to_lower_ascii(word)))
      return Match::kShape;
  }
  if (road) return place ? Match::kChecked : Match::kShape;
  return Match::kNo;
}

}  // namespace maru::stats
