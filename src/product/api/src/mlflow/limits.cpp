#include "mlflow/limits.h"

#include <algorithm>

#include "maru/base/text.h"

namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Status;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Characters beyond ASCII are taken as letters.
bool key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view("/_-. :").find(c) != std::string_view::npos;
}

bool plain_id(const std::string& id, std::size_t most, bool empty_allowed) {
  if (id.empty()) return empty_allowed;
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return id.size() <= most && word(id.front()) &&
         std::all_of(id.begin(), id.end(), [&](char c) { return word(c) || c == '_' || c == '-'; });
}

}  // namespace

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (continues(text[i])) continue;
    if (seen++ == most) {
      text.resize(i);
      break;
    }
  }
  return text;
}

Status check_length(const char* what, const std::string& text, std::size_t most) {
  if (text.size() <= most || characters(text) <= most) return {};
  return base::fail(Code::kInvalidArgument, "'" + std::string(what) +
                                                "' exceeds the maximum length of " +
                                                std::to_string(most) + " characters");
}

Status check_wire_key(const char* what, const std::string& key) {
  const std::string shown = base::replace_invalid_utf8(key.substr(0, 300));
  if (key.empty())
    return base::fail(Code::kInvalidArgument,
                      "Missing value for required parameter '" + std::string(what) +
                          "'. See the API docs for more information about request parameters.");
  if (!base::is_valid_utf8(key) || !std::all_of(key.begin(), key.end(), key_character))
    return base::fail(Code::kInvalidArgument,
                      "Invalid value \"" + shown + "\" for parameter '" + what +
                          "' supplied: Names may only contain alphanumerics, underscores (_), "
                          "dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).");
  TRY(check_length(what, key, kMaxKey));
  bool good = true;
  for (const auto& part : base::split(key, '/'))
    good = good && !part.empty() && part != "." && part != "..";
  if (!good)
    return base::fail(
        Code::kInvalidArgument,
        "Invalid value \"" + shown + "\" for parameter '" + what +
            "' supplied: Names may be treated as files in certain cases, and must not "
            "resolve to other names when treated as such.");
  return {};
}

Status check_run_id(const std::string& id) {
  if (plain_id(id, 256, false)) return {};
  return base::fail(Code::kInvalidArgument,
                    "Invalid run ID: '" + base::replace_invalid_utf8(id.substr(0, 300)) + "'");
}

Status check_experiment_id(const std::string& id) {
  if (plain_id(id, 64, true)) return {};
  return base::fail(
      Code::kInvalidArgument,
      "Invalid experiment ID: '" + base::replace_invalid_utf8(id.substr(0, 300)) + "'");
}

}  // namespace maru::api::mlflow
