// Text files of tables: CSV, TSV and ARFF in any encoding are read into columns of one length with names of their own, or refused.
#include "../../src/learning/data/src/delimited.h"
#include "../../src/learning/data/src/encoding.h"

#include <set>

#include "driver.h"
#include "maru/base/check.h"
#include "maru/base/text.h"

using namespace maru::data;
using maru::base::Code;

namespace {

void check_table(RawTable raw) {
  const std::size_t rows = raw.columns.empty() ? 0 : raw.columns.front().size();
  MARU_CHECK(raw.names.size() == raw.columns.size());
  for (const auto& column : raw.columns) MARU_CHECK(column.size() == rows);
  const Table table = infer_table(std::move(raw));
  std::set<std::string> names;
  for (const auto& column : table.columns) {
    MARU_CHECK(column.rows() == rows && !column.name.empty());
    MARU_CHECK(names.insert(column.name).second);
    for (std::size_t row = 0; row < rows; ++row) static_cast<void>(column.display(row));
  }
}

void expect_refusal(const maru::base::Error& error) {
  MARU_CHECK(error.code == Code::kInvalidArgument || error.code == Code::kTooLarge ||
             error.code == Code::kUnimplemented);
  MARU_CHECK(maru::base::is_valid_utf8(error.message));
}

}  // namespace

void fuzz_one(std::string_view input) {
  std::string note;
  auto text = to_utf8(std::string(input), "in.csv", note);
  if (!text) {
    expect_refusal(text.error());
    return;
  }
  MARU_CHECK(maru::base::is_valid_utf8(*text));
  for (const bool strict : {true, false}) {
    ImportSpec spec;
    spec.reject_ragged = strict;
    spec.detect_header = strict;
    RawTable raw;
    const auto read = read_delimited(*text, "in.csv", spec, 0, raw);
    if (read)
      check_table(std::move(raw));
    else
      expect_refusal(read.error());
  }
  RawTable arff;
  const auto read = read_arff(*text, "in.arff", 0, arff);
  if (read)
    check_table(std::move(arff));
  else
    expect_refusal(read.error());
}

std::vector<std::string> fuzz_seeds() {
  return {"a,b,c\n1,2.5,x\n3,,\"y \"\"z\"\"\nq\"\n",
          "a;b\r\n1;2024-01-01\r\n2;2024-02-30T25:00\r\n",
          "x\ty\n00123\t-0\nNA\t1e5\n",
          "\xff\xfe"
          "a\0,\0b\0\n\0001\0,\0002\0\n\0",
          "\xc0\xcc\xb8\xa7,\xb3\xaa\xc0\xcc\n\xc8\xab\xb1\xe6\xb5\xbf,30\n",
          "@relation r\n@attribute 'a b' numeric\n@attribute c {x, 'y z'}\n@attribute d date "
          "'yyyy-MM-dd'\n@data\n1,x,2020-01-01\n{0 5, 1 'y z'}\n?,?,?\n",
          "a,a,,b\ntrue,9223372036854775807,9223372036854775808,\n"};
}
