#include "segments.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "maru/base/clock.h"
#include "maru/base/file.h"
#include "maru/base/log.h"
#include "maru/base/text.h"

namespace maru::monitor {
namespace {

constexpr std::string_view kInputPrefix = "input.";

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

template <class T>
bool number(std::string_view text, T& out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

std::string Segment::name() const {
  return std::to_string(first) + "-" + std::to_string(last) + "-" + std::to_string(rows) + "-" +
         std::to_string(min_us) + "-" + std::to_string(max_us) + ".parquet";
}

bool Segment::parse(const std::string& name, Segment& out) {
  if (!name.ends_with(".parquet")) return false;
  const std::vector<std::string> parts =
      base::split(std::string_view(name).substr(0, name.size() - 8), '-');
  return parts.size() == 5 && number(parts[0], out.first) && number(parts[1], out.last) &&
         number(parts[2], out.rows) && number(parts[3], out.min_us) &&
         number(parts[4], out.max_us) && out.first <= out.last;
}

std::string escape_folder(std::string_view endpoint) {
  std::string out;
  for (const char c : endpoint) {
    if (plain(c))
      out += c;
    else
      out += "%" + base::hex(std::string_view(&c, 1));
  }
  return out;
}

std::string unescape_folder(std::string_view folder) {
  std::string out;
  for (std::size_t i = 0; i < folder.size(); ++i) {
    int code = 0;
    if (folder[i] == '%' && i + 2 < folder.size() &&
        std::from_chars(folder.data() + i + 1, folder.data() + i + 3, code, 16).ptr ==
            folder.data() + i + 3) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += folder[i];
    }
  }
  return out;
}

std::string hour_folder(std::int64_t time_us) {
  return base::format_time_us(time_us).substr(0, 13);
}

base::Result<std::vector<Segment>> recover_segments(const std::string& endpoint_folder) {
  std::vector<Segment> found;
  TRY_ASSIGN(const auto hours, base::list_folder(endpoint_folder));
  for (const std::string& hour : hours) {
    const std::string folder = base::join_path(endpoint_folder, hour);
    if (!base::is_folder(folder)) continue;
    TRY_ASSIGN(const auto names, base::list_folder(folder));
    for (const std::string& name : names) {
      Segment segment;
      segment.path = base::join_path(folder, name);
      if (name.starts_with(".tmp-") || name.find(".parquet.tmp-") != std::string::npos)
        TRY(base::remove_tree(segment.path));
      else if (Segment::parse(name, segment))
        found.push_back(std::move(segment));
      else
        base::log_warn("file in the prediction log is not one of ours", {{"path", segment.path}});
    }
  }
  std::sort(found.begin(), found.end(), [](const Segment& a, const Segment& b) {
    return a.first != b.first ? a.first < b.first : a.last > b.last;
  });
  std::vector<Segment> kept;
  for (Segment& segment : found) {
    if (!kept.empty() && segment.last <= kept.back().last)
      TRY(base::remove_tree(segment.path));
    else
      kept.push_back(std::move(segment));
  }
  return kept;
}

std::vector<std::string> stored_names(const LogSchema& schema) {
  std::set<std::string> used(std::begin(kLogColumns), std::end(kLogColumns));
  std::vector<std::string> out;
  for (const auto& [name, type] : schema.inputs) {
    std::string stored = name;
    while (!used.insert(base::to_lower_ascii(stored)).second)
      stored = std::string(kInputPrefix) + stored;
    out.push_back(std::move(stored));
  }
  return out;
}

std::string input_name(const std::string& stored) {
  std::string_view name = stored;
  while (name.starts_with(kInputPrefix)) name.remove_prefix(kInputPrefix.size());
  return std::string(name);
}

}  // namespace maru::monitor
