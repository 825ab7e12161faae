#include "verbs.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "maru/base/file.h"
#include "output.h"

namespace maru::app {

int with_session(const Invocation& invocation,
                 const std::function<base::Result<int>(Session&)>& body) {
  auto session = Session::open(home_folder(invocation.home), invocation.server);
  if (!session) return report(session.error());
  auto result = body(**session);
  return result ? *result : report(result.error());
}

std::pair<std::string, std::string> split_model(const std::string& text) {
  const std::size_t at = text.find_last_of("@/");
  if (at == std::string::npos || at == 0) return {text, ""};
  return {text.substr(0, at), text.substr(at + 1)};
}

base::Result<std::string> absolute_path(const std::string& path) {
  if (!path.empty() && path.front() == '/') return path;
  char folder[PATH_MAX];
  if (::getcwd(folder, sizeof folder) == nullptr)
    return base::fail(base::Code::kInternal, "the working folder is gone");
  return base::join_path(folder, path);
}

int show_answer(const Invocation& invocation, http::Method method, const std::string& path,
                const std::function<void(const base::Json&)>& show, const base::Json& body) {
  return with_session(invocation, [&](Session& session) -> base::Result<int> {
    TRY_ASSIGN(const base::Json result, session.call(method, path, body));
    if (invocation.json)
      print(result.dump() + "\n");
    else
      show(result);
    return 0;
  });
}

}  // namespace maru::app
