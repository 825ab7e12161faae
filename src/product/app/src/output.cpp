#include "output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "maru/base/clock.h"
#include "maru/base/number_text.h"
#include "maru/base/text.h"

namespace maru::app {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 6;

// Cuts at a code point so that the text needs at most `width` columns, with an ellipsis.
std::string cut(const std::string& text, std::size_t width) {
  if (base::display_width(text) <= width) return text;
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t next = i + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
    std::string longer = out + text.substr(i, next - i);
    if (base::display_width(longer) + 1 > width) break;
    out = std::move(longer);
    i = next;
  }
  return out + "…";
}

std::string pad(const std::string& text, std::size_t width, TextTable::Align align) {
  const std::string space(width - std::min(width, base::display_width(text)), ' ');
  return align == TextTable::Align::kRight ? space + text : text + space;
}

std::string painted(const char* code, const std::string& text) {
  return color_wanted() ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

}  // namespace

void TextTable::column(std::string title, Align align) {
  titles_.push_back(std::move(title));
  aligns_.push_back(align);
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(titles_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < titles_.size(); ++c) {
    std::size_t width = base::display_width(titles_[c]);
    for (const auto& row : rows_) width = std::max(width, base::display_width(row[c]));
    widths.push_back(width);
  }
  const auto total = [&] {
    std::size_t sum = kGap * (widths.empty() ? 0 : widths.size() - 1);
    for (const auto width : widths) sum += width;
    return sum;
  };
  while (total() > terminal_width()) {
    auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kNarrowest) break;
    --*widest;
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells, bool head) {
    std::string one;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) one += std::string(kGap, ' ');
      one += pad(cut(cells[c], widths[c]), widths[c], aligns_[c]);
    }
    one.erase(one.find_last_not_of(' ') + 1);
    out += (head ? dim(one) : one) + "\n";
  };
  line(titles_, true);
  for (const auto& row : rows_) line(row, false);
  return out;
}

bool color_wanted() {
  const char* off = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (off == nullptr || *off == '\0');
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 80;
}

std::string bold(const std::string& text) { return painted("1", text); }
std::string dim(const std::string& text) { return painted("2", text); }
std::string green(const std::string& text) { return painted("32", text); }
std::string red(const std::string& text) { return painted("31", text); }

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void note(const std::string& text) {
  if (::isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "%s\n", text.c_str());
}

int report(const base::Error& error) {
  std::fprintf(stderr, "maru: %s\n", error.text().c_str());
  return base::exit_code(error.code);
}

void ProgressLine::show(const std::string& text, double fraction) {
  if (::isatty(STDERR_FILENO) != 1) return;
  constexpr int kCells = 20;
  std::string bar;
  if (fraction >= 0) {
    const int full = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * kCells);
    for (int i = 0; i < kCells; ++i) bar += i < full ? "█" : "░";
    bar += " ";
  }
  const std::size_t room = terminal_width() - (bar.empty() ? 1 : kCells + 2);
  std::fprintf(stderr, "\r\x1b[K%s%s", bar.c_str(), cut(text, room).c_str());
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::clear() {
  if (shown_) std::fprintf(stderr, "\r\x1b[K");
  shown_ = false;
}

std::string number_text(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  return base::format_fixed(value, digits);
}

std::string interval_text(const base::Json& value) {
  if (value.is_null()) return "–";
  return number_text(value["value"].as_double()) + " [" + number_text(value["low"].as_double()) +
         ", " + number_text(value["high"].as_double()) + "]";
}

std::string age_text(std::int64_t time_us) {
  if (time_us <= 0) return "–";
  const std::int64_t seconds =
      std::max<std::int64_t>(0, (base::system_clock().now_us() - time_us) / 1'000'000);
  if (seconds < 60) return std::to_string(seconds) + " s ago";
  if (seconds < 3600) return std::to_string(seconds / 60) + " m ago";
  if (seconds < 86'400) return std::to_string(seconds / 3600) + " h ago";
  return std::to_string(seconds / 86'400) + " d ago";
}

}  // namespace maru::app
