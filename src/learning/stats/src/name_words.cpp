#include "name_words.h"

#include "maru/base/text.h"

namespace maru::stats {

std::set<std::string> name_words(std::string_view name) {
  std::set<std::string> out;
  std::string word;
  const auto close = [&] {
    if (!word.empty()) out.insert(base::to_lower_ascii(word));
    word.clear();
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
    if (upper && i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z') close();
    if (upper || lower || (c & '\x80') != 0)
      word += c;
    else
      close();
  }
  close();
  return out;
}

}  // namespace maru::stats
