#include "place.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "maru/base/file.h"

namespace maru::app {

using base::Json;
using base::Result;

namespace {

constexpr const char* kPrefix = "maru-serve-";

// What a process that was killed left behind: its lock is free. One that is being made has none yet.
void remove_forsaken(const std::string& temporary) {
  const auto names = base::list_folder(temporary);
  if (!names) return;
  for (const std::string& name : *names) {
    const std::string folder = base::join_path(temporary, name),
                      lock = base::join_path(folder, "lock");
    if (!name.starts_with(kPrefix) || !base::path_exists(lock)) continue;
    if (const auto held = base::FileLock::acquire(lock)) (void)base::remove_tree(folder);
  }
}

}  // namespace

std::string temporary_folder() {
  const char* given = std::getenv("TMPDIR");
  return given == nullptr ? "/tmp" : given;
}

Result<Place> Place::find(const std::string& named) {
  Place out;
  if (!named.empty()) {
    out.folder_ = named;
    return out;
  }
  const std::string temporary = temporary_folder();
  remove_forsaken(temporary);
  std::string pattern = base::join_path(temporary, kPrefix + std::string("XXXXXX"));
  if (::mkdtemp(pattern.data()) == nullptr)
    return base::fail(base::Code::kNoSpace, "no temporary folder can be made: " + pattern,
                      "name one with --home");
  out.folder_ = out.remove_ = pattern;
  return out;
}

Place::Place(Place&& other) noexcept
    : folder_(std::move(other.folder_)), remove_(std::exchange(other.remove_, "")) {}

Place::~Place() {
  if (!remove_.empty()) (void)base::remove_tree(remove_);
}

std::string model_name_of(const std::string& path) {
  std::string out = path;
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  if (const auto slash = out.rfind('/'); slash != std::string::npos) out = out.substr(slash + 1);
  if (const auto dot = out.rfind('.'); dot != std::string::npos && dot > 0)
    out = out.substr(0, dot);
  return out;
}

base::Status import_champion(Session& session, const std::string& path, const std::string& name) {
  TRY(session.call(http::Method::kPost, "/api/v1/model-imports",
                   Json::object({{"path", path}, {"name", name}, {"alias", "champion"}})));
  return {};
}

}  // namespace maru::app
