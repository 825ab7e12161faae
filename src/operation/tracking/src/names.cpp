#include "names.h"

#include <algorithm>

#include "maru/base/text.h"

namespace maru::tracking {

using base::Code;

base::Status check_name(const char* what, const std::string& name) {
  const std::string shown = base::replace_invalid_utf8(name.substr(0, 60));
  const auto wrong = [&](const char* why) {
    return base::fail(Code::kInvalidArgument, std::string(what) + " " + why + ": " + shown);
  };
  if (name.empty()) return base::fail(Code::kInvalidArgument, std::string(what) + " is empty");
  if (name.size() > kMaxNameBytes) return wrong("is longer than 250 bytes");
  if (!base::is_valid_utf8(name)) return wrong("is not valid UTF-8");
  if (name.front() == ' ' || name.back() == ' ') return wrong("begins or ends with a space");
  const bool bad = std::any_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (bad) return wrong("has a slash or a control character");
  return {};
}

base::Status check_key(const char* what, const std::string& key) {
  std::string name = key;
  std::replace(name.begin(), name.end(), '/', '.');
  return check_name(what, name);
}

base::Status check_path(const std::string& path) {
  bool good = !path.empty() && path.size() <= kMaxPathBytes && base::is_valid_utf8(path);
  for (const auto& part : base::split(path, '/'))
    good = good && !part.empty() && part != "." && part != "..";
  good = good && std::none_of(path.begin(), path.end(), [](char c) {
           return c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
         });
  if (!good)
    return base::fail(Code::kInvalidArgument,
                      "not an artifact path: " + base::replace_invalid_utf8(path.substr(0, 80)),
                      "use a relative path such as model/MLmodel");
  return {};
}

}  // namespace maru::tracking
