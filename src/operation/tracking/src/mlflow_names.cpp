#include "mlflow_names.h"

#include <algorithm>

#include "maru/base/text.h"
#include "maru/tracking/registry.h"

namespace maru::tracking {

using base::Code;
using base::Status;

namespace {

constexpr std::size_t kMaxModelNameChars = 256;
constexpr std::size_t kMaxTagKeyChars = 250;
constexpr std::size_t kMaxTagValueChars = 100'000;
constexpr std::size_t kMaxAliasChars = 255;

// \w of a text of characters: every letter of every script counts.
bool is_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') ||
         u == '_';
}

tl::unexpected<base::Error> too_long(const std::string& what, std::size_t limit) {
  return base::fail(Code::kInvalidArgument, "'" + what + "' exceeds the maximum length of " +
                                                std::to_string(limit) + " characters");
}

}  // namespace

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

Status check_model_name(const std::string& name, const char* field) {
  if (base::trim(name).empty())
    return base::fail(Code::kInvalidArgument,
                      "Missing value for required parameter '" + std::string(field) + "'.");
  if (name.find_first_of("/:") != std::string::npos)
    return base::fail(Code::kInvalidArgument, "Invalid model name '" +
                                                  base::replace_invalid_utf8(name) +
                                                  "'. Names cannot contain '/' or ':'.");
  if (!base::is_valid_utf8(name) || name == "." || name == ".." ||
      name.find('\0') != std::string::npos)
    return base::fail(Code::kInvalidArgument, "Invalid value for parameter '" + std::string(field) +
                                                  "' supplied: a name must not be a path: " +
                                                  base::replace_invalid_utf8(name));
  if (count_characters(name) > kMaxModelNameChars) return too_long(field, kMaxModelNameChars);
  return {};
}

Status check_tag_key(const std::string& key) {
  const std::string shown = base::replace_invalid_utf8(key.substr(0, 300));
  const bool good = base::is_valid_utf8(key) && std::all_of(key.begin(), key.end(), [](char c) {
                      return is_word(c) || c == '/' || c == '.' || c == '-' || c == ' ' || c == ':';
                    });
  if (!good)
    return base::fail(Code::kInvalidArgument,
                      "Invalid value \"" + shown +
                          "\" for parameter 'key' supplied: Names may only contain alphanumerics, "
                          "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and "
                          "slashes (/).");
  bool path = !key.empty() && key.front() != '/' && key.back() != '/' && key != ".";
  const auto parts = base::split(key, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    path = path && !parts[i].empty() && parts[i] != ".." && (parts[i] != "." || parts.size() == 1);
  }
  // MLflow looks at the first characters of the whole name only, hence also "..x".
  if (!path || key.rfind("..", 0) == 0)
    return base::fail(Code::kInvalidArgument,
                      "Invalid value \"" + shown +
                          "\" for parameter 'key' supplied: Names may be treated as files in "
                          "certain cases, and must not resolve to other names when treated as "
                          "such.");
  return {};
}

Status check_tag(const std::string& key, const std::string& value) {
  TRY(check_tag_key(key));
  if (count_characters(key) > kMaxTagKeyChars) return too_long("key", kMaxTagKeyChars);
  if (count_characters(value) > kMaxTagValueChars) return too_long("value", kMaxTagValueChars);
  return {};
}

Status check_alias(const std::string& alias) {
  if (alias.empty())
    return base::fail(Code::kInvalidArgument, "Registered model alias name cannot be empty.");
  const bool good =
      std::all_of(alias.begin(), alias.end(), [](char c) { return is_word(c) || c == '-'; });
  if (!good || !base::is_valid_utf8(alias))
    return base::fail(Code::kInvalidArgument,
                      "Invalid alias name: '" + base::replace_invalid_utf8(alias) +
                          "'. Names may only contain alphanumerics, underscores (_), and dashes "
                          "(-).");
  if (count_characters(alias) > kMaxAliasChars)
    return too_long("Registered model alias name", kMaxAliasChars);
  return {};
}

Status check_new_alias(const std::string& alias) {
  TRY(check_alias(alias));
  const std::string lower = base::to_lower_ascii(alias);
  if (lower == "latest")
    return base::fail(Code::kInvalidArgument,
                      "'latest' alias name (case insensitive) is reserved.");
  const bool version =
      lower.size() > 1 && lower[0] == 'v' &&
      std::all_of(lower.begin() + 1, lower.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (version)
    return base::fail(Code::kInvalidArgument, "Version alias name '" + alias + "' is reserved.");
  return {};
}

Status check_logged_model_name(const std::string& name) {
  if (!name.empty() && name.find_first_of("/:.%\"'") == std::string::npos &&
      base::is_valid_utf8(name))
    return {};
  return base::fail(Code::kInvalidArgument,
                    "Invalid model name ('" + base::replace_invalid_utf8(name) +
                        "') provided. Model name must be a non-empty string and cannot contain the "
                        "following characters: ('/', ':', '.', '%', '\"', \"'\")");
}

}  // namespace maru::tracking
