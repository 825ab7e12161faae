#include <doctest/doctest.h>

#include <map>

#include "maru/base/context.h"
#include "maru/stats/sensitive.h"
#include "sensitive_text.h"

namespace maru::stats {
namespace {

data::Column texts(const std::string& name, const std::vector<std::string>& values) {
  data::Column out;
  out.name = name;
  out.type = data::ColumnType::kText;
  std::map<std::string, std::int32_t> codes;
  for (const auto& value : values) {
    const auto [at, fresh] = codes.emplace(value, static_cast<std::int32_t>(out.dictionary.size()));
    if (fresh) out.dictionary.push_back(value);
    out.codes.push_back(at->second);
  }
  return out;
}

SensitiveReport found(std::vector<data::Column> columns) {
  data::Table table;
  table.columns = std::move(columns);
  const auto stream = data::CellStream::of(table);
  base::Context context;
  return std::move(*find_sensitive(*stream, 2, context));
}

// The kinds that were found of one column of these values.
std::vector<Sensitive> kinds(const std::string& name, const std::vector<std::string>& values) {
  std::vector<Sensitive> out;
  for (const auto& finding : found({texts(name, values)}).findings) out.push_back(finding.kind);
  return out;
}

std::vector<std::string> repeated(const std::vector<std::string>& some, std::size_t count) {
  std::vector<std::string> out;
  while (out.size() < count) out.insert(out.end(), some.begin(), some.end());
  return out;
}

}  // namespace

TEST_CASE("one value: its shape and its check digit") {
  CHECK(is_email_address("a.b+c@mail.example.co.kr") != Match::kNo);
  for (const char* no : {"a@b", "@b.com", "a b@c.com", "a@b..com", "a@b.c1", "a@", "twitter @name"})
    CHECK(is_email_address(no) == Match::kNo);
  for (const char* yes : {"010-1234-5678", "01012345678", "+82-10-1234-5678", "+82 2 123 4567",
                          "02-123-4567", "031-1234-5678", "(312) 555-0123", "312-555-0123",
                          "+1 312 555 0123", "070-1234-5678", "1588-1234"})
    CHECK_MESSAGE(is_phone_number(yes) != Match::kNo, yes);
  for (const char* no : {"2024-01-05", "123456789", "1.2.3.4", "192.168.10.20", "010-12-5678",
                         "20240105", "9999-1234", "3125550123", "12-345-678", "010-1234-567a"})
    CHECK_MESSAGE(is_phone_number(no) == Match::kNo, no);
  CHECK(is_resident_number("900101-1234568") == Match::kChecked);
  CHECK(is_resident_number("9001011234568") == Match::kChecked);
  CHECK(is_resident_number("900101-1234567") == Match::kShape);  // as those given out since 2020
  CHECK(is_resident_number("9001011234567") == Match::kNo);
  CHECK(is_resident_number("901301-1234568") == Match::kNo);
  CHECK(is_resident_number("000230-3234568") == Match::kNo);
  CHECK(is_card_number("4111 1111 1111 1111") == Match::kChecked);
  CHECK(is_card_number("378282246310005") == Match::kChecked);
  CHECK(is_card_number("4111-1111-1111-1112") == Match::kShape);
  for (const char* no :
       {"4111111111111112", "1234567812345670", "4444444444444444", "411111111111"})
    CHECK_MESSAGE(is_card_number(no) == Match::kNo, no);
  CHECK(is_iban("GB82 WEST 1234 5698 7654 32") == Match::kChecked);
  CHECK(is_iban("DE89370400440532013000") == Match::kChecked);
  CHECK(is_iban("DE89370400440532013001") == Match::kShape);
  CHECK(is_iban("XX89370400440532013000") == Match::kNo);
  CHECK(is_ip_address("192.0.2.1") == Match::kShape);
  CHECK(is_ip_address("2001:db8::1") == Match::kChecked);
  for (const char* no : {"192.0.2.256", "1.2.3", "01.2.3.4", "12:30:59", "::", "1::2::3"})
    CHECK_MESSAGE(is_ip_address(no) == Match::kNo, no);
  CHECK(is_mac_address("00:1A:2b:3c:4d:5e") != Match::kNo);
  CHECK(is_driver_licence("11-12-345678-90") != Match::kNo);
  CHECK(is_us_ssn("078-05-1120") != Match::kNo);
  CHECK(is_us_ssn("000-05-1120") == Match::kNo);
  CHECK(is_person_name("김민수") == Match::kChecked);
  CHECK(is_person_name("남궁민") != Match::kNo);
  CHECK(is_person_name("Smith, Mary J.") == Match::kChecked);
  for (const char* no : {"서울특별시", "배송완료", "Visa Credit", "결제", "blue"})
    CHECK_MESSAGE(is_person_name(no) == Match::kNo, no);
  CHECK(is_postal_address("서울특별시 강남구 테헤란로 152") == Match::kChecked);
  CHECK(is_postal_address("1600 Pennsylvania Ave, Washington") != Match::kNo);
  CHECK(is_postal_address("3 items on the way home") == Match::kNo);
}

TEST_CASE("columns: what they are, how sure, and what is proposed") {
  std::vector<std::string> residents, cards, numbers, dates;
  for (int i = 0; i < 200; ++i) {
    std::string digits = std::to_string(800101 + i % 9) + "1" +
                         std::to_string(100000 + i * 37 % 899999).substr(0, 5);
    static constexpr int kWeights[] = {2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5};
    int sum = 0;
    for (std::size_t k = 0; k < 12; ++k) sum += kWeights[k] * (digits[k] - '0');
    digits += static_cast<char>('0' + (11 - sum % 11) % 10);
    residents.push_back(digits.substr(0, 6) + "-" + digits.substr(6));
    std::string card = "4" + std::to_string(10000000000000ll + i * 7919ll);
    int luhn = 0;
    for (std::size_t k = 0; k < card.size(); ++k) {
      int value = card[card.size() - 1 - k] - '0';
      if (k % 2 == 0) value = value > 4 ? value * 2 - 9 : value * 2;
      luhn += value;
    }
    cards.push_back(card + static_cast<char>('0' + (10 - luhn % 10) % 10));
    numbers.push_back("4" + std::to_string(100000000000000ll + i * 104729ll));
    dates.push_back("19" + std::to_string(50 + i % 50) + "-03-1" + std::to_string(i % 10));
  }
  const auto report = found({texts("a", residents), texts("b", cards)});
  REQUIRE(report.findings.size() == 2);
  CHECK(report.rows == 200);
  for (const auto& finding : report.findings) {
    CHECK(finding.confidence > 0.9);
    CHECK(finding.matched == 200);
    CHECK(finding.checked == 200);
    CHECK(finding.action == "drop");
    REQUIRE(!finding.examples.empty());
    for (const auto& example : finding.examples) {
      CHECK(example.find("**") != std::string::npos);
      CHECK(std::find(residents.begin(), residents.end(), example) == residents.end());
    }
  }
  CHECK(kinds("order", numbers).empty());  // one in ten passes Luhn's test by chance
  CHECK(kinds("shipped", dates).empty());
  CHECK(kinds("생년월일", dates) == std::vector{Sensitive::kBirthDate});
  CHECK(kinds("dateOfBirth", dates) == std::vector{Sensitive::kBirthDate});
}

TEST_CASE("names: enough different ones of the dictionaries, or a column that says so") {
  const std::vector<std::string> people = {"김민수", "이영희", "박지훈", "최서연", "정하준",
                                           "강지우", "조은서", "윤도현", "장예은", "임시우"};
  CHECK(kinds("who", repeated(people, 200)) == std::vector{Sensitive::kPersonName});
  CHECK(kinds("고객명", repeated({people[0], people[1]}, 200)) ==
        std::vector{Sensitive::kPersonName});
  CHECK(kinds("status",
              repeated({"이상", "정상", "주문", "배송", "반품", "취소", "대기", "완료"}, 200))
            .empty());
  CHECK(kinds("city",
              repeated({"Austin", "Charlotte", "Jackson", "Chicago", "Boston", "Denver"}, 200))
            .empty());
  CHECK(kinds("team",
              repeated({"Mary Smith", "John Miller", "Linda Davis", "James Brown", "Susan Clark",
                        "Paul Young", "Karen Hall", "Mark Allen", "Nancy King"},
                       200)) == std::vector{Sensitive::kPersonName});
}

TEST_CASE("free text: what stands within it is told, and how often") {
  std::vector<std::string> notes(
      997, "late again, refund of 12,500 won on 2024-03-01 for order 20240301-1234567");
  notes.push_back("call 010-1234-5678 please");
  notes.push_back("write to jane.doe@example.com, thanks");
  notes.push_back("mail x@example.org or 010-9999-8888");
  notes.push_back("his number is 010 2222 3333.");
  const auto report = found({texts("memo", notes)});
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].kind == Sensitive::kPhone);
  CHECK(report.findings[0].inside == 3);
  CHECK(report.findings[0].matched == 0);
  const auto same = SensitiveReport::from_json(report.to_json());
  REQUIRE(same.has_value());
  CHECK(same->to_json() == report.to_json());
}

TEST_CASE("masked values keep their shape and hide the rest") {
  CHECK(masked("jane.doe@example.com", Sensitive::kEmail) == "j***.***@*******.com");
  CHECK(masked("010-1234-5678", Sensitive::kPhone) == "010-****-****");
  CHECK(masked("김민수", Sensitive::kPersonName) == "김**");
  CHECK(masked(std::string(500, '1'), Sensitive::kCard).size() < 60);
}

}  // namespace maru::stats
