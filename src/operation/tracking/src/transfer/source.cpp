#include "transfer/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <limits>

#include "maru/base/file.h"
#include "maru/base/text.h"
#include "maru/store/foreign.h"
#include "names.h"

namespace maru::tracking {
namespace {

using base::Code;
using base::Result;

constexpr int kMostFolders = 64;  // one in the other

void scan(const std::string& folder, const std::string& prefix, int depth, Damage& damage,
          std::vector<ForeignFile>& out) {
  if (depth > kMostFolders) return damage.add(folder, "folders are nested too deep");
  const auto names = base::list_folder(folder);
  if (!names) return damage.add(folder, names.error().text());
  for (const auto& name : *names) {
    const std::string local = base::join_path(folder, name), path = prefix + name;
    struct stat facts {};
    if (::lstat(local.c_str(), &facts) != 0) {
      damage.add(local, "is gone");
    } else if (S_ISDIR(facts.st_mode)) {
      scan(local, path + "/", depth + 1, damage, out);
    } else if (!S_ISREG(facts.st_mode)) {
      damage.add(local, "is a link or a device");
    } else if (const auto good = check_path(path); !good) {
      damage.add(local, good.error().message);
    } else {
      out.push_back({path, local, static_cast<std::uint64_t>(facts.st_size),
                     facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec});
    }
  }
}

std::string scheme_of(const std::string& uri) {
  const std::size_t colon = uri.find(':');
  if (colon == std::string::npos || colon < 2) return {};
  const auto word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
  };
  const bool good =
      std::all_of(uri.begin(), uri.begin() + static_cast<std::ptrdiff_t>(colon), word);
  return good ? base::to_lower_ascii(uri.substr(0, colon)) : std::string();
}

std::string percent_decoded(const std::string& text) {
  std::string out;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
        digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool has_event_files(const std::string& folder, int depth) {
  const auto names = base::list_folder(folder);
  if (!names) return false;
  for (const auto& name : *names)
    if (name.find("tfevents") != std::string::npos) return true;
  if (depth > 8) return false;
  return std::any_of(names->begin(), names->end(), [&](const std::string& name) {
    const std::string path = base::join_path(folder, name);
    return base::is_folder(path) && has_event_files(path, depth + 1);
  });
}

}  // namespace

void Damage::add(std::string what, std::string why) {
  ++count_;
  if (named_.size() < Transfer::kMaxSkips)
    named_.push_back({base::replace_invalid_utf8(what), base::replace_invalid_utf8(why)});
}

std::vector<ForeignFile> files_below(const std::string& folder, Damage& damage) {
  std::vector<ForeignFile> out;
  if (base::is_folder(folder)) scan(folder, "", 0, damage, out);
  std::sort(out.begin(), out.end(),
            [](const ForeignFile& a, const ForeignFile& b) { return a.path < b.path; });
  return out;
}

bool is_remote(const std::string& uri) {
  const std::string scheme = scheme_of(uri);
  return !scheme.empty() && scheme != "file" && scheme != "mlflow-artifacts" && scheme != "http" &&
         scheme != "https";
}

std::string ArtifactRoots::find(const std::string& uri, const std::string& tail) const {
  const std::string scheme = scheme_of(uri);
  for (const auto& folder : folders) {
    const std::string path = base::join_path(folder, tail);
    if (base::is_folder(path)) return path;
  }
  if (scheme.empty() || scheme == "file") {
    std::string path = uri;
    if (scheme == "file") {
      path = percent_decoded(uri.substr(5));
      if (path.rfind("//", 0) == 0) path.erase(0, 2);
    }
    if (!path.empty() && path.front() != '/') path = base::join_path(base, path);
    if (base::is_folder(path)) return path;
  }
  return {};
}

Result<std::string> read_whole(const std::string& path, std::size_t max_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return base::fail(errno == ENOENT ? Code::kNotFound : Code::kPermissionDenied,
                      "cannot open " + path + ": " + std::strerror(errno));
  struct stat facts {};
  std::string out;
  std::size_t got = 0;
  ssize_t piece = ::fstat(fd, &facts);
  const bool plain = piece == 0 && S_ISREG(facts.st_mode);
  const bool fits = plain && static_cast<std::uint64_t>(facts.st_size) <= max_bytes;
  if (fits) {
    out.resize(static_cast<std::size_t>(facts.st_size));
    while (got < out.size() && (piece = ::read(fd, out.data() + got, out.size() - got)) > 0)
      got += static_cast<std::size_t>(piece);
  }
  ::close(fd);
  if (!plain) return base::fail(Code::kInvalidArgument, "not a plain file: " + path);
  if (!fits) return base::fail(Code::kTooLarge, "too large to be read: " + path);
  if (piece < 0) return base::fail(Code::kDataLoss, "cannot be read to its end: " + path);
  out.resize(got);
  return out;
}

std::int64_t us_from_ms(std::int64_t ms) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 1000;
  return std::clamp(ms, -kMost, kMost) * 1000;
}

Result<std::string> kind_of(const std::string& path) {
  if (store::is_server_url(path)) return "postgresql";
  if (!base::path_exists(path)) return base::fail(Code::kNotFound, "nothing is here: " + path);
  if (!base::is_folder(path)) {
    if (base::file_name(path).find("tfevents") != std::string::npos) return "tensorboard";
    return "sqlite";
  }
  TRY_ASSIGN(const auto names, base::list_folder(path));
  for (const auto& name : names) {
    const std::string inside = base::join_path(path, name);
    if (base::path_exists(base::join_path(inside, "meta.yaml"))) return "mlruns";
  }
  if (base::path_exists(base::join_path(path, ".trash")) ||
      base::is_folder(base::join_path(path, "mlruns")))
    return "mlruns";
  if (has_event_files(path, 0)) return "tensorboard";
  return base::fail(
      Code::kInvalidArgument, "nothing that can be imported is here: " + path,
      "an mlruns folder, an MLflow SQLite file, a postgresql:// URL, or a folder with "
      "TensorBoard event files");
}

}  // namespace maru::tracking
