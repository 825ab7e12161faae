#include "mlflow/artifact_files.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "maru/base/text.h"

namespace maru::api::mlflow {
namespace {

using base::Code;
using base::Result;
using tracking::ArtifactPlace;

constexpr std::string_view kScheme = "mlflow-artifacts:";
constexpr std::string_view kProxyRoute = "/api/2.0/mlflow-artifacts/artifacts/";

tl::unexpected<base::Error> invalid_path() {
  return base::fail(Code::kInvalidArgument, "Invalid path");
}

bool is_safe(std::string_view path) {
  if (path.starts_with('/') || path.find_first_of(std::string_view("#\\\0", 3)) != path.npos)
    return false;
  const bool drive = path.size() > 2 && path[1] == ':' && path[2] == '/' &&
                     ((path[0] | 0x20) >= 'a' && (path[0] | 0x20) <= 'z');
  if (drive || path.starts_with("file:")) return false;
  const auto parts = base::split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

struct MimeType {
  std::string_view ending, type;
};
constexpr std::array<MimeType, 27> kTypes = {{{"png", "image/png"},
                                              {"jpg", "image/jpeg"},
                                              {"jpeg", "image/jpeg"},
                                              {"gif", "image/gif"},
                                              {"svg", "image/svg+xml"},
                                              {"webp", "image/webp"},
                                              {"bmp", "image/bmp"},
                                              {"html", "text/html"},
                                              {"htm", "text/html"},
                                              {"css", "text/css"},
                                              {"pdf", "application/pdf"},
                                              {"zip", "application/zip"},
                                              {"gz", "application/gzip"},
                                              {"tar", "application/x-tar"},
                                              {"mp3", "audio/mpeg"},
                                              {"wav", "audio/x-wav"},
                                              {"mp4", "video/mp4"},
                                              {"webm", "video/webm"},
                                              {"ico", "image/vnd.microsoft.icon"},
                                              {"ipynb", "text/plain"},
                                              {"tif", "image/tiff"},
                                              {"tiff", "image/tiff"},
                                              {"parquet", "application/octet-stream"},
                                              {"sh", "application/x-sh"},
                                              {"wasm", "application/wasm"},
                                              {"woff2", "font/woff2"},
                                              {"xhtml", "application/xhtml+xml"}}};
// What MLflow shows as text.
constexpr std::array<std::string_view, 26> kTexts = {
    "txt",  "log",   "err",  "cfg",  "conf", "cnf",     "cf",        "ini",      "properties",
    "prop", "hocon", "toml", "yaml", "yml",  "xml",     "json",      "js",       "py",
    "py3",  "csv",   "tsv",  "md",   "rst",  "MLmodel", "MLproject", "mlproject"};

std::string_view type_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view ending = dot == name.npos || dot == 0 ? name : name.substr(dot + 1);
  if (std::find(kTexts.begin(), kTexts.end(), ending) != kTexts.end()) return "text/plain";
  for (const auto& [known, type] : kTypes) {
    if (known == ending) return type;
  }
  return "application/octet-stream";
}

std::string attachment(std::string_view name) {
  // The characters of a token (RFC 9110), but no % that somebody may decode.
  const bool plain = name.find_first_not_of(
                         "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                         "!#$&'*+-.^_`|~") == name.npos;
  if (plain) return "attachment; filename=" + std::string(name);
  return "attachment; filename*=UTF-8''" + http::percent_encode(name);
}

struct Range {
  std::uint64_t begin = 0, length = 0;
};
enum class Asked { kAll, kPart, kImpossible };

std::optional<std::uint64_t> digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One range of bytes (RFC 9110 §14.1.2); several, or what cannot be read, mean the whole.
Asked read_range(std::string_view text, std::uint64_t size, Range& out) {
  constexpr std::string_view kUnit = "bytes=";
  const std::size_t dash = text.find('-');
  if (!text.starts_with(kUnit) || dash == text.npos || text.find(',') != text.npos)
    return Asked::kAll;
  const std::string_view first = text.substr(kUnit.size(), dash - kUnit.size());
  const std::string_view last = text.substr(dash + 1);
  const auto from = digits(first), to = digits(last);
  if ((!first.empty() && !from) || (!last.empty() && !to) || (!from && !to)) return Asked::kAll;
  if (!from) {  // the last bytes
    if (*to == 0 || size == 0) return Asked::kImpossible;
    out = {size - std::min(*to, size), std::min(*to, size)};
    return Asked::kPart;
  }
  if (to && *to < *from) return Asked::kAll;
  if (*from >= size) return Asked::kImpossible;
  out = {*from, (to ? std::min(*to, size - 1) : size - 1) - *from + 1};
  return Asked::kPart;
}

}  // namespace

Result<std::string> safe_path(std::string_view path) {
  constexpr int kMostDecodings = 16;
  std::string seen(path);
  for (int i = 0;; ++i) {
    if (!is_safe(seen) || i > kMostDecodings) return invalid_path();
    std::string decoded = http::percent_decode(seen);
    if (decoded == seen) break;
    seen = std::move(decoded);
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

Result<std::string> run_root(const Services& s, const std::string& run_id) {
  TRY_ASSIGN(const auto run, s.tracking->runs().get_run(run_id));
  return run.artifact_uri;
}

std::optional<std::string> proxy_path(const std::string& uri) {
  std::string_view rest = uri;
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
    if (rest.starts_with("//")) {  // with a host
      const std::size_t slash = rest.find('/', 2);
      rest = slash == rest.npos ? std::string_view() : rest.substr(slash);
    }
  } else if (rest.starts_with("http://") || rest.starts_with("https://")) {
    const std::size_t route = rest.find(kProxyRoute);
    if (route == rest.npos) return std::nullopt;
    rest.remove_prefix(route + kProxyRoute.size());
  } else {
    return std::nullopt;
  }
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  return std::string(rest);
}

Result<ArtifactPlace> place_of(const Services& s, const std::string& uri) {
  constexpr std::string_view kRuns = "runs:/";
  if (uri.starts_with(kRuns)) {
    std::string_view rest = std::string_view(uri).substr(kRuns.size());
    while (rest.starts_with('/')) rest.remove_prefix(1);
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string run(rest.substr(0, slash));
    TRY_ASSIGN(std::string path,
               safe_path(slash == rest.size() ? std::string_view() : rest.substr(slash + 1)));
    return ArtifactPlace{run, std::move(path)};
  }
  const auto path = proxy_path(uri);
  if (!path)
    return base::fail(Code::kNotFound, "the server does not keep the files at: " + uri,
                      "ask the storage that the URI names");
  TRY_ASSIGN(const std::string safe, safe_path(*path));
  return s.tracking->artifacts().place(safe);
}

std::vector<tracking::Artifact> files_at(const Services& s, const std::string& uri) {
  std::vector<tracking::Artifact> out;
  const auto place = place_of(s, uri);
  if (!place || (place->owner == tracking::Artifacts::kFreeOwner && place->path.empty()))
    return out;
  auto files = s.tracking->artifacts().list_artifacts(place->owner);
  if (!files) return out;
  const std::string prefix = place->path.empty() ? "" : place->path + "/";
  for (auto& file : *files) {
    if (!file.path.starts_with(prefix)) continue;
    file.path.erase(0, prefix.size());
    out.push_back(std::move(file));
  }
  return out;
}

Result<Json> list_json(const Services& s, const ArtifactPlace& place, const std::string& prefix) {
  TRY_ASSIGN(const auto entries, s.tracking->artifacts().list(place.owner, place.path));
  Json out = Json::array();
  for (const auto& entry : entries) {
    Json row = Json::object({{"path", prefix.empty() ? entry.name : prefix + "/" + entry.name},
                             {"is_dir", entry.folder}});
    if (!entry.folder) row.set("file_size", count(entry.bytes));
    out.push(std::move(row));
  }
  return out;
}

Result<Response> send_artifact(const Services& s, const Request& request,
                               const ArtifactPlace& place) {
  if (place.path.empty())
    return base::fail(Code::kInvalidArgument,
                      "Artifact path refers to a directory, not a file: ''");
  TRY_ASSIGN(const auto file, s.tracking->artifacts().open(place.owner, place.path));
  const std::string name = place.path.substr(place.path.rfind('/') + 1);
  const std::string tag = "\"" + file.artifact.sha256 + "\"";
  Response out;
  out.headers.set("ETag", tag);
  out.headers.set("Accept-Ranges", "bytes");
  if (request.headers.get("If-None-Match") == tag) {
    out.status = 304;
    return out;
  }
  out.headers.set("Content-Type", type_of(name));
  out.headers.set("Content-Disposition", attachment(name));
  const std::string_view condition = request.headers.get("If-Range");
  const std::uint64_t size = file.artifact.bytes;
  Range range;
  const Asked asked = condition.empty() || condition == tag
                          ? read_range(request.headers.get("Range"), size, range)
                          : Asked::kAll;
  if (asked == Asked::kImpossible) {
    out.status = 416;
    out.headers.set("Content-Range", "bytes */" + std::to_string(size));
    return out;
  }
  out.file_path = file.local_path;
  if (asked == Asked::kPart) {
    out.status = 206;
    out.file_offset = range.begin;
    out.file_length = range.length;
    out.headers.set("Content-Range", "bytes " + std::to_string(range.begin) + "-" +
                                         std::to_string(range.begin + range.length - 1) + "/" +
                                         std::to_string(size));
  }
  return out;
}

Result<tracking::Artifact> receive_body(const Request& request, tracking::ArtifactWriter& writer) {
  if (!request.body_stream) {
    TRY(writer.write(request.body));
    return writer.commit();
  }
  for (;;) {
    TRY_ASSIGN(auto piece, request.body_stream->next());
    if (piece.bytes.empty()) return writer.commit();
    TRY(writer.write_owned(piece.bytes, std::move(piece.owner)));
  }
}

}  // namespace maru::api::mlflow
