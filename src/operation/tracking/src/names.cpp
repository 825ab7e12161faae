#include "names.h"

#include <algorithm>

#include "maru/base/text.h"

namespace maru::tracking {

using base::Code;

base::Status check_name(const char* what, const std::string& name, std::size_t most_bytes) {
  const std::string shown = base::replace_invalid_utf8(name.substr(0, 60));
  const auto wrong = [&](const std::string& why) {
    return base::fail(Code::kInvalidArgument, std::string(what) + " " + why + ": " + shown);
  };
  if (name.empty()) return base::fail(Code::kInvalidArgument, std::string(what) + " is empty");
  if (name.size() > most_bytes)
    return wrong("is longer than " + std::to_string(most_bytes) + " bytes");
  if (!base::is_valid_utf8(name)) return wrong("is not valid UTF-8");
  if (name.front() == ' ' || name.back() == ' ') return wrong("begins or ends with a space");
  const bool bad = std::any_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (bad) return wrong("has a slash or a control character");
  return {};
}

namespace {

bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

base::Status check_text(const char* what, const std::string& text, std::size_t most) {
  const std::string shown = base::replace_invalid_utf8(text.substr(0, 60));
  const auto wrong = [&](const std::string& why) {
    return base::fail(Code::kInvalidArgument, std::string(what) + " " + why + ": " + shown);
  };
  if (text.empty()) return base::fail(Code::kInvalidArgument, std::string(what) + " is empty");
  if (!base::is_valid_utf8(text)) return wrong("is not valid UTF-8");
  if (characters(text) > most)
    return wrong("is longer than " + std::to_string(most) + " characters");
  if (has_control(text)) return wrong("has a control character");
  return {};
}

}  // namespace

base::Status check_key(const char* what, const std::string& key) {
  TRY(check_text(what, key, kMaxKeyCharacters));
  bool good = key.front() != ' ' && key.back() != ' ';
  for (const auto& part : base::split(key, '/'))
    good = good && !part.empty() && part != "." && part != "..";
  if (good) return {};
  return base::fail(Code::kInvalidArgument,
                    std::string(what) + " is not a plain name: " + key.substr(0, 60),
                    "no leading or double '/', no '.' or '..' part, no space at the ends");
}

base::Status check_experiment_name(const std::string& name) {
  return check_text("experiment name", name, kMaxExperimentNameCharacters);
}

base::Status check_label(const char* what, const std::string& text) {
  return check_text(what, text, kMaxLabelBytes);
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

std::string below_uri(const std::string& uri, const std::string& path) {
  const std::size_t query = uri.find("://") == uri.npos ? uri.npos : uri.find('?');
  std::string out = uri.substr(0, query);
  if (!out.ends_with('/')) out += '/';
  out += path;
  if (query != uri.npos) out += uri.substr(query);
  return out;
}

}  // namespace maru::tracking
