#include "maru/base/file.h"
#include "maru/base/text.h"
#include "output.h"
#include "place.h"
#include "up.h"
#include "verbs.h"

namespace maru::app {
namespace {

using base::Json;
using base::Result;
using http::Method;

// How to call it, ready to paste.
Result<std::string> example_call(Session& session, const std::string& path,
                                 const std::string& name) {
  const std::string escaped = http::percent_encode(name),
                    logged = base::join_path(path, "serving_input_example.json");
  if (base::path_exists(logged))  // what MLflow keeps beside a model
    return "curl -s '" + session.url() + "/invocations?endpoint=" + escaped +
           "' -H 'Content-Type: application/json' -d @" + logged;
  auto signature = session.call(Method::kGet, "/api/v1/models/" + escaped + "/signature");
  if (!signature || (*signature)["inputs"].size() == 0)
    return "curl -s " + session.url() + "/v2/models/" + escaped;
  Json row = Json::object();
  for (const Json& input : (*signature)["inputs"].items())
    row.set(input["name"].as_string(), input["example"]);
  return "curl -s " + session.url() + "/api/v1/endpoints/" + escaped + "/predict -d '" +
         Json::object({{"instances", Json::array({row})}}).dump() + "'";
}

Result<std::string> serve_file(Session& session, const std::string& file,
                               const std::string& given) {
  TRY_ASSIGN(const std::string path, absolute_path(file));
  const std::string name = given.empty() ? model_name_of(path) : given;
  TRY(import_champion(session, path, name));
  TRY(session.call(Method::kPut, "/api/v1/endpoints/" + http::percent_encode(name),
                   Json::object({{"model", name}})));
  TRY_ASSIGN(const std::string call, example_call(session, path, name));
  return bold(name) + "  from " + file + "\n  " + call + "\n";
}

}  // namespace

int serve_files(const Invocation& invocation, const ServeOptions& options) {
  if (!options.name.empty() && options.files.size() > 1)
    return report(base::Error{base::Code::kInvalidArgument, "one name for several files",
                              "leave --name out: each has its file's name", nullptr});
  block_signals();
  const auto place = Place::find(invocation.home);
  if (!place) return report(place.error());
  auto running = RunningServer::start(place->folder(), options.up);
  if (!running) return report(running.error());
  auto session = Session::open(place->folder(), "");
  if (!session) return report(session.error());
  for (const std::string& file : options.files) {
    const auto served = serve_file(**session, file, options.name);
    if (!served) return report(served.error());
    print(*served);
  }
  print("ready " + (*running)->url() + "\n");
  wait_for_signal();
  (*running)->stop();
  return 0;
}

}  // namespace maru::app
