#include "maru/stats/sensitive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>

#include "maru/base/hash.h"
#include "maru/base/pool.h"
#include "maru/base/text.h"
#include "name_words.h"
#include "sensitive_text.h"

namespace maru::stats {
namespace {

using base::Json;

constexpr std::array<std::string_view, kSensitiveKinds> kWords = {
    "email",     "phone",       "resident_registration_number",
    "card",      "iban",        "ip",
    "mac",       "passport",    "driver_licence",
    "us_ssn",    "person_name", "address",
    "birth_date"};

struct Detector {
  Sensitive kind;
  Match (*match)(std::string_view);
  double shape, checked;  // how much a column of such values says, without and with check digits
  const char* action;
  const char* name_words;  // of the column's name, beside which less is asked of the values
};
// What a column of values of that shape alone is worth: an address with @ is hardly anything else, a date of life is any date.
const std::array<Detector, kSensitiveKinds> kDetectors = {{
    {Sensitive::kEmail, is_email_address, 0.99, 0.99, "hash", "email mail 이메일 메일 전자우편"},
    {Sensitive::kPhone, is_phone_number, 0.70, 0.95, "mask",
     "phone tel telephone mobile cell fax 전화 전화번호 휴대폰 휴대전화 핸드폰 연락처 팩스"},
    {Sensitive::kResidentNumber, is_resident_number, 0.90, 0.99, "drop",
     "rrn jumin resident 주민 주민번호 주민등록번호 외국인등록번호"},
    {Sensitive::kCard, is_card_number, 0.45, 0.97, "drop",
     "card cc pan creditcard 카드 카드번호 신용카드"},
    {Sensitive::kIban, is_iban, 0.45, 0.99, "drop", "iban account 계좌 계좌번호"},
    {Sensitive::kIp, is_ip_address, 0.80, 0.95, "generalise", "ip ipaddr address host 아이피"},
    {Sensitive::kMac, is_mac_address, 0.90, 0.90, "hash", "mac device 맥주소"},
    {Sensitive::kPassport, is_passport_number, 0.35, 0.35, "drop", "passport 여권 여권번호"},
    {Sensitive::kDriverLicence, is_driver_licence, 0.85, 0.85, "drop",
     "licence license driver 면허 운전면허 면허번호"},
    {Sensitive::kUsSsn, is_us_ssn, 0.80, 0.80, "drop", "ssn social"},
    {Sensitive::kPersonName, is_person_name, 0.40, 0.80, "drop",
     "name firstname lastname fullname surname 이름 성명 성함 고객명 담당자 보호자 환자명"},
    {Sensitive::kAddress, is_postal_address, 0.75, 0.92, "generalise",
     "address addr street 주소 거주지 배송지 도로명"},
    {Sensitive::kBirthDate, is_date_of_life, 0.15, 0.15, "generalise",
     "birth birthday birthdate dob born 생년월일 생일 출생"},
}};

constexpr double kReported = 0.5;        // findings below are not told
constexpr double kNamed = 0.65;          // of the doubt that a telling name takes away
constexpr double kNamedShare = 0.3;      // of the values have to look like it even then
constexpr std::uint64_t kFewInside = 3;  // cells of free text that are worth telling
constexpr std::size_t kExamples = 3;
constexpr std::size_t kNamesApart =
    8;                              // different names before a column of words may be one of names
constexpr std::size_t kMemo = 512;  // values remembered a column and thread

struct Seen {
  std::uint16_t shape = 0, checked = 0, inside = 0;  // bits by kind; checked within shape
  bool card_like = false;                            // a number as long as a card's
};

std::uint16_t bit(Sensitive kind) {
  return static_cast<std::uint16_t>(1u << static_cast<unsigned>(kind));
}

struct Look {
  bool digit = false, letter = false, high = false, at = false, colon = false;
};

Look look_at(std::string_view text) {
  Look out;
  for (const char c : text) {
    out.digit = out.digit || (c >= '0' && c <= '9');
    out.letter = out.letter || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    out.high = out.high || (c & '\x80') != 0;
    out.at = out.at || c == '@';
    out.colon = out.colon || c == ':';
  }
  return out;
}

// Which detectors can say yes at all: most cells are settled here.
bool worth(Sensitive kind, const Look& look, std::size_t size) {
  switch (kind) {
    case Sensitive::kEmail:
      return look.at;
    case Sensitive::kIp:
      return look.digit ? !look.high : look.colon;
    case Sensitive::kMac:
      return size == 17 && !look.high;
    case Sensitive::kPersonName:
      return !look.digit && (look.letter || look.high);
    case Sensitive::kAddress:
      return look.digit && (look.letter || look.high);
    case Sensitive::kIban:
    case Sensitive::kPassport:
      return look.digit && look.letter && !look.high;
    default:
      return look.digit && !look.letter && !look.high;
  }
}

Seen see(std::string_view text) {
  Seen out;
  if (text.size() < 6 || text.size() > 4096) return out;
  const Look look = look_at(text);
  for (const Detector& at : kDetectors) {
    if (!worth(at.kind, look, text.size())) continue;
    const Match match = at.match(text);
    if (match == Match::kNo) continue;
    out.shape |= bit(at.kind);
    if (match == Match::kChecked) out.checked |= bit(at.kind);
  }
  if (out.shape == 0 && (look.at || look.digit)) {
    const Inside inside = found_inside(text);
    out.card_like = inside.card_like;
    if (inside.email) out.inside |= bit(Sensitive::kEmail);
    if (inside.phone) out.inside |= bit(Sensitive::kPhone);
    if (inside.resident) out.inside |= bit(Sensitive::kResidentNumber);
    if (inside.card) out.inside |= bit(Sensitive::kCard);
  }
  return out;
}

struct KindSums {
  std::uint64_t matched = 0, checked = 0, inside = 0;
  std::vector<std::string> examples;  // masked
  std::set<std::uint64_t> apart;      // hashes of different values, up to kNamesApart
};

// What one thread saw of one column.
class ColumnLook {
 public:
  void add(std::string_view cell) {
    const std::string_view text = base::trim(cell);
    if (text.empty()) return;
    ++looked_;
    const std::uint64_t hash = base::hash64(text);
    Memo& memo = memo_[hash % kMemo];
    if (memo.hash != hash || memo.text != text) memo = {hash, std::string(text), see(text)};
    if (memo.seen.card_like) ++card_like_;
    if ((memo.seen.shape | memo.seen.inside) != 0) count(memo.seen, text, hash);
  }
  void skip() { ++looked_; }
  void merge(const ColumnLook& other) {
    looked_ += other.looked_;
    card_like_ += other.card_like_;
    for (std::size_t k = 0; k < kSensitiveKinds; ++k) {
      kinds_[k].matched += other.kinds_[k].matched;
      kinds_[k].checked += other.kinds_[k].checked;
      kinds_[k].inside += other.kinds_[k].inside;
      for (const auto& example : other.kinds_[k].examples) keep(kinds_[k], example);
      kinds_[k].apart.insert(other.kinds_[k].apart.begin(), other.kinds_[k].apart.end());
    }
  }
  std::uint64_t looked() const { return looked_; }
  std::uint64_t card_like() const { return card_like_; }
  const KindSums& of(Sensitive kind) const { return kinds_[static_cast<std::size_t>(kind)]; }

 private:
  struct Memo {
    std::uint64_t hash = 0;
    std::string text;
    Seen seen;
  };
  static void keep(KindSums& sums, const std::string& example) {
    const bool known =
        std::find(sums.examples.begin(), sums.examples.end(), example) != sums.examples.end();
    if (!known && sums.examples.size() < kExamples) sums.examples.push_back(example);
  }
  void count(const Seen& seen, std::string_view text, std::uint64_t hash) {
    for (std::size_t k = 0; k < kSensitiveKinds; ++k) {
      const auto kind = static_cast<Sensitive>(k);
      KindSums& sums = kinds_[k];
      if ((seen.shape & bit(kind)) != 0) {
        ++sums.matched;
        if (sums.examples.size() < kExamples) keep(sums, masked(text, kind));
        if (sums.apart.size() < kNamesApart) sums.apart.insert(hash);
      }
      if ((seen.checked & bit(kind)) != 0) ++sums.checked;
      if ((seen.inside & bit(kind)) != 0) ++sums.inside;
    }
  }
  std::uint64_t looked_ = 0, card_like_ = 0;
  std::array<KindSums, kSensitiveKinds> kinds_;
  std::vector<Memo> memo_ = std::vector<Memo>(kMemo);
};

bool is_named(const std::string& column, const Detector& detector) {
  const auto words = name_words(column);
  for (const auto& wanted : base::split(detector.name_words, ' ')) {
    if (words.count(wanted) != 0) return true;
    // Korean words are written together: 고객전화번호.
    const bool korean = (wanted[0] & '\x80') != 0;
    if (korean && wanted.size() >= 6 && column.find(wanted) != std::string::npos) return true;
  }
  return false;
}

// Wilson's lower bound of a share at 95 %.
double lower_bound(std::uint64_t matched, std::uint64_t looked) {
  if (looked == 0) return 0;
  constexpr double z = 1.959963984540054;
  const double n = static_cast<double>(looked), p = static_cast<double>(matched) / n;
  return std::max(0.0,
                  (p + z * z / (2 * n) - z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n))) /
                      (1 + z * z / n));
}

std::string of_cells(std::uint64_t part, std::uint64_t all, const char* what) {
  return std::to_string(part) + " of " + std::to_string(all) + " cells " + what;
}

std::optional<SensitiveFinding> judge(const std::string& column, const ColumnLook& look,
                                      const Detector& at) {
  const KindSums& sums = look.of(at.kind);
  if (sums.matched + sums.inside == 0) return std::nullopt;
  SensitiveFinding out;
  out.column = column;
  out.kind = at.kind;
  out.looked = look.looked();
  out.matched = sums.matched;
  out.checked = sums.checked;
  out.inside = sums.inside;
  out.named = is_named(column, at);
  out.examples = sums.examples;
  out.action = at.action;
  const double share = lower_bound(sums.matched, look.looked());
  const double right =
      sums.matched == 0 ? 0 : static_cast<double>(sums.checked) / static_cast<double>(sums.matched);
  out.confidence = share * (at.shape + (at.checked - at.shape) * right);
  const bool words_alone =
      at.kind == Sensitive::kPersonName && !out.named && sums.apart.size() < kNamesApart;
  if (words_alone) out.confidence = 0;
  if (out.named && share >= kNamedShare) {
    out.confidence = 1 - (1 - out.confidence) * (1 - kNamed);
    out.reasons.push_back("the column's name says so");
  }
  if (sums.matched > 0) out.reasons.push_back(of_cells(sums.matched, look.looked(), "are one"));
  if (sums.checked > 0 && at.checked > at.shape && at.kind != Sensitive::kPersonName &&
      at.kind != Sensitive::kAddress)
    out.reasons.push_back(
        of_cells(sums.checked, sums.matched, "have the right check digit or country"));
  const bool tells = at.kind == Sensitive::kEmail || at.kind == Sensitive::kResidentNumber ||
                     at.kind == Sensitive::kCard || at.kind == Sensitive::kPhone;
  const std::uint64_t few = sums.inside + (at.shape == at.checked ? sums.matched : sums.checked);
  const bool by_chance = at.kind == Sensitive::kCard && few < look.card_like();
  if (tells && few >= kFewInside && !by_chance) {
    const double part = static_cast<double>(few) / static_cast<double>(look.looked());
    out.confidence = std::max(out.confidence, 0.6 + 0.3 * part);
    if (sums.inside > 0)
      out.reasons.push_back(of_cells(sums.inside, look.looked(), "have one in their text"));
  }
  if (out.confidence < kReported) return std::nullopt;
  return out;
}

using Looks = std::vector<ColumnLook>;

bool looked_at(data::ColumnType type) {
  return type == data::ColumnType::kText || type == data::ColumnType::kInteger;
}

void add_block(const data::CellBlock& block, Looks& looks) {
  for (std::size_t c = 0; c < block.columns.size(); ++c) {
    const data::CellColumn& column = block.columns[c];
    for (std::size_t r = 0; r < block.rows; ++r) {
      if (!column.is_valid(r)) continue;
      if (column.texts != nullptr)
        looks[c].add(column.texts[r]);
      else if (column.integers != nullptr && column.integers[r] >= 1'000'000'000)
        looks[c].add(std::to_string(column.integers[r]));
      else
        looks[c].skip();
    }
  }
}

base::Status look_through(data::CellStream& stream, Looks& looks, std::uint64_t& rows,
                          base::Context& context) {
  data::CellBlock block;
  for (;;) {
    TRY(context.alive());
    TRY_ASSIGN(const bool more, stream.next(block));
    if (!more) return {};
    rows += block.rows;
    add_block(block, looks);
  }
}

}  // namespace

std::string_view sensitive_word(Sensitive kind) { return kWords[static_cast<std::size_t>(kind)]; }

base::Result<Sensitive> sensitive_kind(std::string_view word) {
  const auto* const at = std::find(kWords.begin(), kWords.end(), word);
  if (at != kWords.end()) return static_cast<Sensitive>(at - kWords.begin());
  return base::fail(
      base::Code::kInvalidArgument, "unknown kind of sensitive value: " + std::string(word),
      base::did_you_mean(word, std::vector<std::string>(kWords.begin(), kWords.end())));
}

base::Result<SensitiveReport> find_sensitive(data::CellStream& stream, std::size_t threads,
                                             base::Context& context) {
  const auto& columns = stream.columns();
  const std::size_t count = std::max<std::size_t>(1, threads);
  std::vector<Looks> looks(count, Looks(columns.size()));
  std::vector<std::uint64_t> rows(count, 0);
  std::vector<base::Status> ends(count);
  const auto work = [&](std::size_t t) {
    ends[t] = look_through(stream, looks[t], rows[t], context);
  };
  if (count == 1) {
    work(0);
  } else {
    base::Pool pool({"sensitive", count - 1, count});
    pool.parallel_for(count, work);
  }
  SensitiveReport out;
  for (std::size_t t = 0; t < count; ++t) {
    TRY(ends[t]);
    out.rows += rows[t];
    for (std::size_t c = 0; t > 0 && c < columns.size(); ++c) looks[0][c].merge(looks[t][c]);
  }
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!looked_at(columns[c].type)) continue;
    for (const Detector& at : kDetectors) {
      if (auto finding = judge(columns[c].name, looks[0][c], at))
        out.findings.push_back(std::move(*finding));
    }
  }
  std::stable_sort(out.findings.begin(), out.findings.end(),
                   [](const auto& a, const auto& b) { return a.confidence > b.confidence; });
  return out;
}

base::Result<SensitiveReport> sensitive_of(data::Datasets& datasets, data::Engine& engine,
                                           const data::Snapshot& snapshot, base::Context& context) {
  constexpr const char* kKind = "sensitive";
  if (const auto kept = datasets.attachment(snapshot.id, kKind))
    return SensitiveReport::from_json(*kept);
  TRY_ASSIGN(const std::string relation, datasets.relation(snapshot));
  TRY_ASSIGN(const auto stream, data::CellStream::open_relation(engine, relation));
  TRY_ASSIGN(auto found, find_sensitive(*stream, 2, context));
  TRY(datasets.attach(snapshot.id, kKind, found.to_json()));
  return found;
}

std::string masked(std::string_view value, Sensitive kind) {
  std::string out;
  std::size_t at = 0, seen = 0;
  const std::size_t domain = kind == Sensitive::kEmail ? value.find('@') : std::string_view::npos;
  const std::size_t shown = kind == Sensitive::kPersonName || kind == Sensitive::kEmail ? 1 : 3;
  while (at < value.size()) {
    std::size_t size = 1;
    while (at + size < value.size() && (value[at + size] & '\xc0') == '\x80') ++size;
    const std::string_view letter = value.substr(at, size);
    const bool sign = size == 1 && !std::isalnum(static_cast<unsigned char>(letter[0]));
    const bool top = domain != std::string_view::npos && at > value.rfind('.');
    out += sign || top || seen < shown ? letter : std::string_view("*");
    if (!sign) ++seen;
    at += size;
    if (seen > 40) return out + "*";
  }
  return out;
}

Json SensitiveFinding::to_json() const {
  Json examples_json = Json::array(), reasons_json = Json::array();
  for (const auto& example : examples) examples_json.push(example);
  for (const auto& reason : reasons) reasons_json.push(reason);
  return Json::object({{"column", column},
                       {"kind", std::string(sensitive_word(kind))},
                       {"confidence", confidence},
                       {"looked", looked},
                       {"matched", matched},
                       {"inside", inside},
                       {"checked", checked},
                       {"named", named},
                       {"examples", std::move(examples_json)},
                       {"reasons", std::move(reasons_json)},
                       {"action", action}});
}

Json SensitiveReport::to_json() const {
  Json list = Json::array();
  for (const auto& finding : findings) list.push(finding.to_json());
  return Json::object({{"rows", rows}, {"findings", std::move(list)}});
}

base::Result<SensitiveReport> SensitiveReport::from_json(const Json& json) {
  SensitiveReport out;
  out.rows = static_cast<std::uint64_t>(json["rows"].as_int());
  for (const Json& item : json["findings"].items()) {
    SensitiveFinding finding;
    finding.column = item["column"].as_string();
    TRY_ASSIGN(finding.kind, sensitive_kind(item["kind"].as_string()));
    finding.confidence = item["confidence"].as_double();
    finding.looked = static_cast<std::uint64_t>(item["looked"].as_int());
    finding.matched = static_cast<std::uint64_t>(item["matched"].as_int());
    finding.inside = static_cast<std::uint64_t>(item["inside"].as_int());
    finding.checked = static_cast<std::uint64_t>(item["checked"].as_int());
    finding.named = item["named"].as_bool();
    for (const Json& example : item["examples"].items())
      finding.examples.push_back(example.as_string());
    for (const Json& reason : item["reasons"].items())
      finding.reasons.push_back(reason.as_string());
    finding.action = item["action"].as_string();
    out.findings.push_back(std::move(finding));
  }
  return out;
}

}  // namespace maru::stats
