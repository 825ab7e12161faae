#include "maru/stats/protect.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "maru/base/file.h"

namespace maru::stats {
namespace {

base::SealKey key_of(const std::string& name) {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("maru_protect_" + name + std::to_string(::getpid())))
                               .string();
  auto key = base::SealKey::open(path);
  REQUIRE(key.has_value());
  std::filesystem::remove(path);
  return *key;
}

std::string after(std::string_view value, Sensitive kind, Protection how) {
  static const base::SealKey key = key_of("a");
  return protected_value(value, {"c", kind, how, false}, key);
}

}  // namespace

TEST_CASE(
    "protected values: hashes join, tokens come back to who has the key, the rest is coarse") {
  const base::SealKey key = key_of("b"), other = key_of("c");
  const ProtectedColumn hash{"c", Sensitive::kEmail, Protection::kHash, false};
  const std::string once = protected_value("jane@example.com", hash, key);
  CHECK(once.size() == 34);
  CHECK(once == protected_value(" jane@example.com ", hash, key));
  CHECK(once != protected_value("jane@example.org", hash, key));
  CHECK(once != protected_value("jane@example.com", hash, other));
  const ProtectedColumn token{"c", Sensitive::kPhone, Protection::kToken, false};
  const std::string sealed = protected_value("010-1234-5678", token, key);
  CHECK(sealed == protected_value("010-1234-5678", token, key));
  CHECK(sealed != protected_value("010-1234-5679", token, key));
  CHECK(*reveal(sealed, key) == "010-1234-5678");
  CHECK(reveal(sealed, other).error().code == base::Code::kDataLoss);
  CHECK(reveal(once, key).error().code == base::Code::kInvalidArgument);
  std::string broken = sealed;
  broken[10] = broken[10] == 'A' ? 'B' : 'A';
  CHECK_FALSE(reveal(broken, key).has_value());
  CHECK_FALSE(reveal("t_" + key.seal("010-1234-5678", "a webhook"), key).has_value());
  CHECK(protected_value("  ", token, key).empty());
}

TEST_CASE("protected values: generalised by what they are") {
  const auto coarse = [](std::string_view value, Sensitive kind) {
    return after(value, kind, Protection::kGeneralise);
  };
  CHECK(coarse("jane@mail.example.com", Sensitive::kEmail) == "mail.example.com");
  CHECK(coarse("192.0.2.77", Sensitive::kIp) == "192.0.2.0/24");
  CHECK(coarse("2001:db8:1:2::9", Sensitive::kIp) == "2001:db8:1::/48");
  CHECK(coarse("1984-03-01", Sensitive::kBirthDate) == "1984");
  CHECK(coarse("01/03/1984", Sensitive::kBirthDate) == "1984");
  CHECK(coarse("서울특별시 강남구 테헤란로 152", Sensitive::kAddress) == "서울특별시 강남구");
  CHECK(coarse("010-1234-5678", Sensitive::kPhone) == "010");
  CHECK(after("김민수", Sensitive::kPersonName, Protection::kMask) == "김**");
  static const base::SealKey key = key_of("d");
  CHECK(protected_value("call 010-1234-5678 or jane@example.com, room 12",
                        {"memo", Sensitive::kPhone, Protection::kMask, true},
                        key) == "call 010-****-**** or j***@*******.com, room 12");
}

TEST_CASE(
    "a table after it: dropped columns are gone, equal values stay equal, missing ones missing") {
  data::Table table;
  data::Column mail, age, name;
  mail.name = "mail";
  mail.type = data::ColumnType::kText;
  mail.dictionary = {"a@x.org", "b@x.org", ""};
  mail.codes = {0, 1, 0, 2};
  age.name = "age";
  age.type = data::ColumnType::kInteger;
  age.integers = {30, 31, 30, 0};
  age.valid = {1, 1, 1, 0};
  name.name = "name";
  name.type = data::ColumnType::kText;
  name.dictionary = {"x"};
  name.codes = {0, 0, 0, 0};
  table.columns = {mail, age, name};
  const base::SealKey key = key_of("e");
  const auto out = protect(table,
                           {{"mail", Sensitive::kEmail, Protection::kGeneralise, false},
                            {"age", Sensitive::kPersonName, Protection::kHash, false},
                            {"name", Sensitive::kPersonName, Protection::kDrop, false}},
                           key);
  REQUIRE(out.columns.size() == 2);
  CHECK(out.columns[0].dictionary == std::vector<std::string>{"x.org", ""});
  CHECK(out.columns[0].codes == std::vector<std::int32_t>{0, 0, 0, 1});
  CHECK(out.columns[1].text(0) == out.columns[1].text(2));
  CHECK(out.columns[1].text(0) != out.columns[1].text(1));
  CHECK_FALSE(out.columns[1].is_valid(3));
}

TEST_CASE(
    "what is asked for a column: words and names are checked, the proposal stands in for nothing") {
  data::Snapshot snapshot;
  snapshot.dataset = "people";
  snapshot.columns = {{"mail", data::ColumnType::kText}, {"memo", data::ColumnType::kText}};
  SensitiveReport report;
  report.findings.push_back({"mail", Sensitive::kEmail, 0.9, 10, 10, 0, 10, true, {}, {}, "hash"});
  report.findings.push_back({"memo", Sensitive::kPhone, 0.7, 10, 0, 4, 0, false, {}, {}, "mask"});
  const auto proposed = protections(base::Json(), report, snapshot);
  REQUIRE(proposed.has_value());
  REQUIRE(proposed->size() == 2);
  CHECK((*proposed)[0].how == Protection::kHash);
  CHECK((*proposed)[1].within);
  const auto asked = [&](const char* text) {
    return protections(*base::parse_json(text), report, snapshot);
  };
  CHECK((*asked(R"({"mail": "token"})"))[0].how == Protection::kToken);
  CHECK(asked(R"({"mial": "hash"})").error().hint.find("mail") != std::string::npos);
  CHECK(asked(R"({"mail": "hsh"})").error().hint.find("hash") != std::string::npos);
  CHECK(protections(base::Json(), {}, snapshot).error().code == base::Code::kFailedPrecondition);
}

}  // namespace maru::stats
