#include "output.h"

#include <doctest/doctest.h>

#include <sstream>

#include "maru/base/text.h"

using namespace maru;
using app::TextTable;

TEST_CASE("a table is as wide as the terminal at most, in columns of the display") {
  TextTable table;
  table.column("name");
  table.column("what it is");
  table.column("rows", TextTable::Align::kRight);
  table.row({"flights", std::string(200, 'x'), "166,158"});
  table.row(
      {"항공편",
       "한국어로 된 아주 긴 설명이 여기에 있고 여든 칸을 훌쩍 넘어갑니다, 그래서 잘라야 합니다",
       "12"});
  std::istringstream lines(table.text());
  std::string line;
  std::size_t count = 0;
  while (std::getline(lines, line)) {
    ++count;
    CHECK(base::display_width(line) <= app::terminal_width());
  }
  CHECK(count == 3);
  CHECK(table.text().find("…") != std::string::npos);
}

TEST_CASE("numbers stand at the right, and a short row is filled") {
  TextTable table;
  table.column("a");
  table.column("n", TextTable::Align::kRight);
  table.row({"x", "1"});
  table.row({"yy", "100"});
  table.row({"only"});
  CHECK(table.text() == "a       n\nx       1\nyy    100\nonly\n");
}

TEST_CASE("numbers for people") {
  CHECK(app::number_text(0.67084) == "0.6708");
  CHECK(app::number_text(12.5, 0) == "12");
  CHECK(app::number_text(0.0 / 0.0) == "–");
  CHECK(app::interval_text(base::Json()) == "–");
  CHECK(app::interval_text(base::Json::object({{"value", 0.5}, {"low", 0.25}, {"high", 0.75}})) ==
        "0.5000 [0.2500, 0.7500]");
}
