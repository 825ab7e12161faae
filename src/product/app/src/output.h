#pragma once
#include <string>
#include <vector>

#include "maru/base/json.h"
#include "maru/base/result.h"

namespace maru::app {

// A table for people: columns padded by display width, cut so that a line fits the terminal (80 columns when there is none).
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  void column(std::string title, Align align = Align::kLeft);
  void row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::string> titles_;
  std::vector<Align> aligns_;
  std::vector<std::vector<std::string>> rows_;
};

bool color_wanted();  // a terminal, and NO_COLOR is not set
std::size_t terminal_width();
std::string bold(const std::string& text);
std::string dim(const std::string& text);
std::string green(const std::string& text);
std::string red(const std::string& text);
void print(const std::string& text);   // standard output
void note(const std::string& text);    // standard error, only on a terminal
int report(const base::Error& error);  // one line on standard error; returns the exit code

// One line on standard error that rewrites itself; nothing when it is no terminal.
class ProgressLine {
 public:
  void show(const std::string& text, double fraction);
  void clear();

 private:
  bool shown_ = false;
};

std::string interval_text(const base::Json& value);  // "0.7123 [0.7050, 0.7191]"
std::string number_text(double value, int digits = 4);
std::string age_text(std::int64_t time_us);  // "3 m ago"

}  // namespace maru::app
