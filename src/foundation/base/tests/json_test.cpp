#include "maru/base/json.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "maru/base/rng.h"

using namespace maru::base;

namespace {
std::string again(std::string_view text) {
  const auto value = parse_json(text);
  return value ? value->dump() : std::string("error: ") + value.error().message;
}
Code code_of(std::string_view text, const JsonLimits& limits = {}) {
  const auto value = parse_json(text, limits);
  REQUIRE_FALSE(value);
  return value.error().code;
}
}  // namespace

TEST_CASE("round trips keep order, integers and doubles") {
  CHECK(again(R"( {"b" : 1, "a":[true,false,null,"x"], "c":{}} )") ==
        R"({"b":1,"a":[true,false,null,"x"],"c":{}})");
  CHECK(again("9223372036854775807") == "9223372036854775807");
  CHECK(again("9223372036854775808") == "9223372036854775808");
  CHECK(again("18446744073709551615") == "18446744073709551615");
  CHECK(again("-9223372036854775808") == "-9223372036854775808");
  CHECK(again("1.0") == "1.0");
  CHECK(again("-0.0") == "-0.0");
  CHECK(again("0.1") == "0.1");
  CHECK(again("1e2") == "100.0");
  CHECK(again("1e23") == "1e+23");
  CHECK(again("5e-324") == "5e-324");
  CHECK(again("1.7976931348623157e308") == "1.7976931348623157e+308");
  CHECK(again("-0") == "0");
}

TEST_CASE("kinds of numbers") {
  CHECK(parse_json("9223372036854775807")->is_int());
  CHECK(parse_json("9223372036854775808")->is_uint());
  CHECK(Json(std::uint64_t{5}).is_int());
  CHECK(Json(~std::uint64_t{0}).is_uint());
  CHECK(parse_json("1.0")->is_double());
  CHECK(parse_json("1.0")->as_int() == 1);
  CHECK(parse_json("1.5")->as_int(-7) == -7);
  CHECK(parse_json("9.3e18")->as_int(-7) == -7);
  CHECK(Json(-0x1p63).as_int() == std::numeric_limits<std::int64_t>::min());
  CHECK(Json(0x1p63).as_int(3) == 3);
  CHECK(parse_json("18446744073709551615")->as_double() == 0x1p64);
  CHECK(std::isnan(Json("NaN").as_double()));
  CHECK(Json("-Infinity").as_double() < -1e308);
  CHECK(Json("7").as_double(1) == 1);
}

TEST_CASE("many random doubles read back equal") {
  Rng rng(7);
  for (int i = 0; i < 100'000; ++i) {
    const double value = std::bit_cast<double>(rng.next());
    if (!std::isfinite(value)) continue;
    const auto back = parse_json(format_double(value));
    REQUIRE(back);
    REQUIRE(std::bit_cast<std::uint64_t>(back->as_double()) == std::bit_cast<std::uint64_t>(value));
  }
}

TEST_CASE("values that JSON has no word for") {
  CHECK(Json(std::nan("")).dump() == "\"NaN\"");
  CHECK(Json(std::numeric_limits<double>::infinity()).dump() == "\"Infinity\"");
  CHECK(Json(-std::numeric_limits<double>::infinity()).dump() == "\"-Infinity\"");
  CHECK(code_of("NaN") == Code::kInvalidArgument);
  CHECK(code_of("Infinity") == Code::kInvalidArgument);
}

TEST_CASE("refused texts, with the byte where they stop making sense") {
  for (const char* bad : {"",
                          " ",
                          "{",
                          "[1,]",
                          "[,1]",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{\"a\":1,}",
                          "{a:1}",
                          "01",
                          "+1",
                          "1.",
                          ".5",
                          "1e",
                          "1e400",
                          "-1e400",
                          "0x1",
                          "tru",
                          "nul",
                          "'a'",
                          "\"a",
                          "\"\\x\"",
                          "\"\\ud800\"",
                          "\"\\udc00\"",
                          "\"\\ud800\\u0041\"",
                          "\"\t\"",
                          "[1] 2",
                          "1 2",
                          "\xff",
                          "\"\xff\"",
                          "\"\xc0\xaf\"",
                          "\"\xed\xa0\x80\"",
                          "//x\n1",
                          "[1}",
                          "18446744073709551616x"}) {
    CAPTURE(bad);
    CHECK(code_of(bad) == Code::kInvalidArgument);
  }
  CHECK(parse_json("{\"a\": 1, \"b\": oops}").error().message.ends_with("at byte 14"));
  CHECK(parse_json("[1, 2").error().message.ends_with("at byte 5"));
}

TEST_CASE("strings") {
  CHECK(parse_json(R"("\ud83d\ude00\u0000\/")")->as_string() ==
        std::string("\xf0\x9f\x98\x80\0/", 6));
  CHECK(Json(std::string("a\"\\\n\r\t\b\f\x01\x7f한", 13)).dump() ==
        "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\x7f한\"");
  CHECK(Json(std::string("a\xff"
                         "b\xe4\xb8"))
            .dump() ==
        "\"a\xef\xbf\xbd"
        "b\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("a duplicate key keeps the last value, at the place of the first") {
  CHECK(again(R"({"a":1,"b":2,"a":3})") == R"({"a":3,"b":2})");
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  many += "\"k50\":-1}";
  const auto value = parse_json(many);
  REQUIRE(value);
  CHECK(value->size() == 100);
  CHECK(value->members()[50].second.as_int() == -1);
}

TEST_CASE("limits at -1, 0, +1") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_json(nested(63)));
  CHECK(parse_json(nested(64)));
  CHECK(code_of(nested(65)) == Code::kTooLarge);
  CHECK(code_of(std::string(10'000'000, '[')) == Code::kTooLarge);
  JsonLimits limits;
  limits.max_bytes = 10;
  CHECK(parse_json("[1,2,3,45]", limits));
  CHECK(code_of("[1,2,3,456]", limits) == Code::kTooLarge);
  limits = {};
  limits.max_string_bytes = 5;
  CHECK(parse_json("[\"1234\",\"12345\"]", limits));
  CHECK(code_of("[\"123456\"]", limits) == Code::kTooLarge);
  limits = {};
  limits.max_tokens = 4;
  CHECK(parse_json("[1,2,3,4]", limits));
  CHECK(code_of("[1,2,3,4,5]", limits) == Code::kTooLarge);
}

TEST_CASE("reading never fails") {
  const Json value = *parse_json(R"({"a":[1,{"b":"c"}]})");
  CHECK(value["a"].at(1)["b"].as_string() == "c");
  CHECK(value["x"]["y"].at(7).is_null());
  CHECK(value["a"].as_string().empty());
  CHECK(value["a"].at(0).as_string_or("other") == "other");
  CHECK(value.find("x") == nullptr);
  CHECK(Json().size() == 0);
}

TEST_CASE("building and comparing") {
  Json value;
  value.set("a", 1).set("b", Json::array({1, "x", nullptr})).set("a", 2);
  CHECK(value.dump() == R"({"a":2,"b":[1,"x",null]})");
  CHECK(value == *parse_json(value.dump()));
  CHECK_FALSE(value == *parse_json(R"({"b":[1,"x",null],"a":2})"));
  CHECK(Json::object({{"k", true}}).dump_pretty() == "{\n  \"k\": true\n}");
  CHECK(Json::array().dump_pretty() == "[]");
  Json list;
  list.push(1.0);
  CHECK(list.dump() == "[1.0]");
}
