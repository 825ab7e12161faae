#include <algorithm>
#include <set>

#include "delimited.h"
#include "maru/base/text.h"

namespace maru::data {

// SQL takes names that differ by case only for the same one.
void repair_names(std::vector<std::string>& names, std::vector<std::string>& notes) {
  std::set<std::string> taken;
  for (const auto& name : names) taken.insert(base::to_lower_ascii(name));
  std::set<std::string> used;
  const auto is_free = [&](const std::string& name) {
    const std::string lower = base::to_lower_ascii(name);
    return taken.count(lower) == 0 && used.count(lower) == 0;
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name(base::trim(names[i]).empty() ? "c" + std::to_string(i + 1) : names[i]);
    if (used.count(base::to_lower_ascii(name)) != 0) {
      int k = 2;
      while (!is_free(name + "_" + std::to_string(k))) ++k;
      notes.push_back("column name twice: " + name + ", the second is read as " + name + "_" +
                      std::to_string(k));
      name += "_" + std::to_string(k);
    }
    used.insert(base::to_lower_ascii(name));
    names[i] = std::move(name);
  }
}

base::Status same_names(const std::vector<std::string>& first,
                        const std::vector<std::string>& other, const std::string& path) {
  const auto beyond = [](const std::vector<std::string>& names, std::vector<std::string> known) {
    std::sort(known.begin(), known.end());
    std::vector<std::string> out;
    for (const auto& name : names)
      if (!std::binary_search(known.begin(), known.end(), name)) out.push_back(name);
    return out;
  };
  const std::vector<std::string> lacks = beyond(first, other), has = beyond(other, first);
  if (lacks.empty() && has.empty()) return {};
  std::string message = "columns differ from the first file's: " + path;
  if (!lacks.empty()) message += " lacks " + base::join(lacks, ", ");
  if (!has.empty())
    message += std::string(lacks.empty() ? "" : " and") + " has " + base::join(has, ", ");
  return base::fail(base::Code::kInvalidArgument, message, "import files of one kind together");
}

base::Status append_raw(const std::string& name, std::vector<std::string> names,
                        std::vector<Cells> columns, std::vector<bool> as_text, RawTable& out) {
  if (out.names.empty()) {
    out.names = std::move(names);
    out.columns = std::move(columns);
    out.as_text = std::move(as_text);
    return {};
  }
  TRY(same_names(out.names, names, name));
  for (std::size_t c = 0; c < names.size(); ++c) {
    const auto at = static_cast<std::size_t>(
        std::find(out.names.begin(), out.names.end(), names[c]) - out.names.begin());
    out.columns[at].insert(out.columns[at].end(), columns[c].begin(), columns[c].end());
    out.as_text[at] = out.as_text[at] || as_text[c];
  }
  return {};
}

}  // namespace maru::data
