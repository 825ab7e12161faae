#include "mlflow/model_source.h"

#include <algorithm>
#include <charconv>

#include "maru/base/text.h"

namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr const char* kProject = "default";

// "" for a path; one letter is a drive of Windows.
std::string_view scheme_of(std::string_view uri) {
  const std::size_t colon = uri.find(':');
  if (colon == uri.npos || colon < 2) return {};
  const bool good =
      std::all_of(uri.begin(), uri.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '-' || c == '.';
      });
  return good ? uri.substr(0, colon) : std::string_view();
}

bool is_local(std::string_view uri) {
  const std::string scheme = base::to_lower_ascii(scheme_of(uri));
  return scheme.empty() || scheme == "file";
}

std::string local_path(std::string_view uri) {
  if (base::to_lower_ascii(scheme_of(uri)) == "file") uri.remove_prefix(5);
  const bool other_host = uri.starts_with("//") && !uri.starts_with("///");
  if (other_host) return {};
  while (uri.starts_with("//")) uri.remove_prefix(1);
  return std::string(uri);
}

std::string decoded(std::string text) {
  constexpr int kMostDecodings = 16;
  for (int i = 0; i < kMostDecodings; ++i) {
    std::string next = text;
    std::replace(next.begin(), next.end(), '+', ' ');
    next = http::percent_decode(next);
    if (next == text) break;
    text = std::move(next);
  }
  return text;
}

bool leads_upwards(const std::string& text) {
  const auto parts = base::split(text, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end() ||
         text.find('\0') != std::string::npos || text.find("\\..") != std::string::npos;
}

// Without "." and "..", as the path would be read; "" when it leads above its root.
std::string normal_path(const std::string& path) {
  std::vector<std::string> parts;
  for (const std::string& part : base::split(path, '/')) {
    if (part == "..") {
      if (parts.empty()) return {};
      parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string& part : parts) out += "/" + part;
  return out;
}

Status check_local(const std::string& source, const std::string& root, const char* owner) {
  const std::string told = decoded(local_path(source));
  const std::string path = told.starts_with('/') ? normal_path(told) : "";
  const std::string folder = local_path(root);
  const bool plain = told.find('\0') == std::string::npos && told.find('\\') == std::string::npos;
  if (is_local(root) && folder.size() > 1 && folder.front() == '/' && plain &&
      (path == folder || path.starts_with(folder + "/")))
    return {};
  return base::fail(Code::kInvalidArgument,
                    "Invalid model version source: '" + source +
                        "'. To use a local path as a model version source, the " +
                        std::string(owner) +
                        " request parameter has to be specified and the local path has to be "
                        "contained within the artifact directory of the run specified by the " +
                        owner + ".");
}

Status check_source(const Services& s, const ModelSource& told) {
  if (is_local(told.source)) {
    std::string root = "none:";
    if (!told.model_id.empty()) {
      if (const auto model = s.tracking->logged_models().get(told.model_id))
        root = model->artifact_uri;
    } else if (!told.run_id.empty()) {
      if (const auto run = s.tracking->runs().get_run(told.run_id)) root = run->artifact_uri;
    }
    return check_local(told.source, root, told.model_id.empty() ? "run_id" : "model_id");
  }
  const std::string plain = decoded(told.source);
  const std::size_t path = plain.find(':') + 1;
  if (leads_upwards(plain) || plain.find("/./", path) != std::string::npos)
    return base::fail(
        Code::kInvalidArgument,
        "Invalid model version source: '" + told.source +
            "'. If supplying a source as an http, https, local file path, ftp, objectstore, or "
            "mlflow-artifacts uri, an absolute path must be provided without relative path "
            "references present. Please provide an absolute path.");
  return {};
}

std::string storage_of(const tracking::ModelVersion& version) {
  return version.storage.empty() ? version.source : version.storage;
}

// "name/3", "name/Production", "name/latest", "name@alias".
Result<tracking::ModelVersion> version_of(const Services& s, const std::string& text) {
  auto& registry = s.tracking->registry();
  const std::size_t at = text.find('@'), slash = text.find('/');
  if (at != std::string::npos && slash == std::string::npos)
    return registry.version_of_alias(kProject, text.substr(0, at), text.substr(at + 1));
  if (slash == std::string::npos || text.find('/', slash + 1) != std::string::npos)
    return base::fail(Code::kInvalidArgument, "Not a model URI: models:/" + text);
  const std::string name = text.substr(0, slash), word = text.substr(slash + 1);
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && end == word.data() + word.size())
    return registry.get_version(kProject, name, number);
  if (base::to_lower_ascii(word) == "latest")
    return registry.version_of_alias(kProject, name, "latest");
  TRY_ASSIGN(const auto head, registry.get_head(kProject, name));
  for (const auto& version : head.versions) {
    if (base::to_lower_ascii(version.stage) == base::to_lower_ascii(word)) return version;
  }
  return base::fail(Code::kNotFound,
                    "No version of the model '" + name + "' has the stage " + word);
}

}  // namespace

Result<ModelSource> resolve_source(const Services& s, ModelSource told, bool is_prompt) {
  if (is_prompt) return told;  // its text is in the tags
  constexpr std::string_view kModels = "models:/";
  if (!told.source.starts_with(kModels)) {
    TRY(check_source(s, told));
    told.storage = told.source;
    if (told.run_id.empty() && !told.model_id.empty()) {
      TRY_ASSIGN(const auto model, s.tracking->logged_models().get(told.model_id));
      told.run_id = model.source_run_id;
    }
    return told;
  }
  TRY(check_source(s, told));
  std::string rest = told.source.substr(kModels.size());
  while (rest.starts_with('/')) rest.erase(0, 1);
  if (rest.starts_with("m-") && rest.find_first_of("/@") == std::string::npos) {
    TRY_ASSIGN(const auto model, s.tracking->logged_models().get(rest));
    told.storage = model.artifact_uri;
    if (told.run_id.empty()) told.run_id = model.source_run_id;
    return told;
  }
  TRY_ASSIGN(const auto version, version_of(s, rest));
  told.source = std::string(kModels) + version.model + "/" + std::to_string(version.version);
  told.storage = storage_of(version);
  if (told.storage.empty()) told.storage = version_uri(version);
  if (told.run_id.empty()) told.run_id = version.run_id;
  if (told.model_id.empty()) told.model_id = version.model_id;
  return told;
}

}  // namespace maru::api::mlflow
