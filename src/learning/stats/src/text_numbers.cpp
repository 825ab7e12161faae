#include "text_numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace maru::stats {
namespace {

constexpr std::size_t kNamedWords = 5;

std::string_view stripped(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool parse_number(std::string_view text, double& out) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, out);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(out);
}

}  // namespace

TextNumbers numbers_in_text(const data::Column& column) {
  TextNumbers out;
  std::vector<double> counts(column.dictionary.size(), 0);
  for (const std::int32_t code : column.codes)
    if (code >= 0) ++counts[static_cast<std::size_t>(code)];
  std::vector<std::pair<double, std::string_view>> words;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string_view text = stripped(column.dictionary[i]);
    if (counts[i] == 0 || text.empty()) continue;
    out.present += counts[i];
    double value = 0;
    if (parse_number(text, value)) {
      out.values.insert(out.values.end(), static_cast<std::size_t>(counts[i]), value);
    } else {
      out.unparsable += counts[i];
      words.emplace_back(-counts[i], text);
    }
  }
  std::sort(words.begin(), words.end());
  for (std::size_t i = 0; i < std::min(kNamedWords, words.size()); ++i)
    out.words.emplace_back(words[i].second);
  return out;
}

}  // namespace maru::stats
