// What other tracking servers wrote: YAML of meta.yaml, TFRecord framing, Event messages. Read or refused, and read the same way however
// the bytes are cut; what is written as YAML reads back as it was.
#include "driver.h"
#include "maru/base/check.h"
#include "maru/tracking/foreign_formats.h"

using namespace maru::tracking;
using maru::base::Code;
using std::string_literals::operator""s;

namespace {

std::string record(std::string_view data) {
  const auto number = [](auto value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const std::string length = number(std::uint64_t{data.size()});
  return length + number(masked_crc32c(length)) + std::string(data) + number(masked_crc32c(data));
}

void fuzz_records(std::string_view input) {
  std::string whole, pieces;
  RecordReader one, other;
  one.feed(input, [&](std::string_view found) { whole += found; });
  for (std::size_t at = 0; at < input.size(); at += 5)
    other.feed(input.substr(at, 5), [&](std::string_view found) { pieces += found; });
  MARU_CHECK(whole == pieces);
  MARU_CHECK(one.broken() == other.broken() && one.damaged() == other.damaged());
  std::string back;
  RecordReader own;
  own.feed(record(input) + record(""), [&](std::string_view found) { back += found; });
  MARU_CHECK(back == input && !own.partial() && !own.broken());
}

}  // namespace

void fuzz_one(std::string_view input) {
  const auto yaml = parse_yaml(input);
  if (!yaml)
    MARU_CHECK(yaml.error().code == Code::kInvalidArgument || yaml.error().code == Code::kTooLarge);
  fuzz_records(input);
  std::size_t inside = 0;
  const auto event = read_event(input, [&](const EventScalar& scalar) {
    MARU_CHECK(scalar.tag.size() <= input.size());
    inside += scalar.tag.size() + scalar.plugin.size();
  });
  MARU_CHECK(event.has_value() || event.error().code == Code::kInvalidArgument);
  const auto value = maru::base::Json::object(
      {{"a", maru::base::Json(maru::base::Json(input).dump())}, {"b", maru::base::Json::array()}});
  const auto back = parse_yaml(write_yaml(value));
  MARU_CHECK(back.has_value() && *back == value);
}

std::vector<std::string> fuzz_seeds() {
  return {"artifact_uri: file:///x\nend_time: null\nname: 'it''s'\ntags: []\n",
          "a:\n  b: \"x\\u00e9\\\n    y\"\n- c\n",
          "list:\n- one\n- two: 2\n  three: .nan\nlong: first\n  second\n",
          record("some bytes") + record(""),
          "\x09\x00\x00\x00\x00\x00\x00\xf0?\x10\x05*\x10\n\x0e\n\x04loss\x15\x00\x00\x80?"s,
          "*\x1c\n\x1a\n\x01"
          "aB\x0e\x08\x01\x12\x00\"\x04\x00\x00\x80?J\x05\n\x03\n\x01s"s};
}
