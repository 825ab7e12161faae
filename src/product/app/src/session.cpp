#include "session.h"

#include <cstdlib>

#include "maru/base/file.h"
#include "settings.h"

namespace maru::app {
namespace {

using base::Code;
using base::Json;

constexpr std::int64_t kCallTimeoutMs = 24ll * 3600 * 1000;

base::Error error_of(const Json& body, int status) {
  base::Error error;
  error.message = body["message"].as_string_or("server answered " + std::to_string(status));
  error.hint = body["hint"].as_string();
  const std::string name = body["error_code"].as_string();
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    if (base::code_name(static_cast<Code>(code)) == name) error.code = static_cast<Code>(code);
  }
  return error;
}

base::Result<Json> read_answer(int status, const std::string& body) {
  if (status == 204 || body.empty()) return Json::object();
  auto json = base::parse_json(body);
  if (status < 400)
    return json ? std::move(json)
                : base::Result<Json>(base::wrap(json.error(), "server's answer is not JSON"));
  return tl::unexpected<base::Error>(error_of(json ? *json : Json(), status));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

http::EgressPolicy local_policy() {
  http::EgressPolicy policy;
  policy.allow_private = true;  // the user named the server; it is usually this machine
  return policy;
}

}  // namespace

std::string home_folder(const std::string& flag) {
  if (!flag.empty()) return flag;
  const std::string from_environment = environment("MARU_HOME");
  if (!from_environment.empty()) return from_environment;
  return base::join_path(environment("HOME"), ".maru");
}

std::string server_file(const std::string& home) { return base::join_path(home, "server.json"); }

base::Result<std::unique_ptr<Session>> Session::open(const std::string& home,
                                                     const std::string& server_url) {
  auto session = std::make_unique<Session>(Key{});
  session->token_ = environment("MARU_TOKEN");
  session->url_ = server_url;
  if (server_url.empty()) {
    TRY_ASSIGN(const auto settings, load_settings(home));
    auto opened = Home::open(home_options(home, settings));
    if (opened) {
      session->home_ = std::move(*opened);
      session->home_->start(Home::Background::kVerb);
      return session;
    }
    if (opened.error().code != Code::kUnavailable)
      return tl::unexpected<base::Error>(opened.error());
    // Somebody has the folder: a server says where it listens, another verb does not.
    auto found = base::read_file(server_file(home));
    if (!found) return tl::unexpected<base::Error>(opened.error());
    TRY_ASSIGN(const Json where, base::parse_json(*found));
    session->url_ = where["url"].as_string();
  }
  session->client_ = std::make_unique<http::Client>(local_policy());
  return session;
}

Session::~Session() = default;

base::Result<Json> Session::call(http::Method method, const std::string& path, const Json& body) {
  const std::string text = body.is_null() ? std::string() : body.dump();
  return remote() ? call_server(method, path, text) : call_here(method, path, text);
}

base::Result<Json> Session::call_server(http::Method method, const std::string& path,
                                        const std::string& body) {
  http::ClientRequest request;
  request.method = method;
  request.url = url_ + path;
  request.body = body;
  request.timeout_ms = kCallTimeoutMs;
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  if (!token_.empty()) request.headers.set("Authorization", "Bearer " + token_);
  auto response = client_->send(request);
  if (!response)
    return base::wrap(response.error(), "server cannot be reached: " + url_,
                      "is `maru up` running?");
  return read_answer(response->status, response->body);
}

base::Result<Json> Session::call_here(http::Method method, const std::string& path,
                                      const std::string& body) {
  http::Request request;
  request.method = method;
  request.target = path;
  const std::size_t question = path.find('?');
  request.path = http::percent_decode(path.substr(0, question));
  if (question != std::string::npos) {
    std::string_view rest = std::string_view(path).substr(question + 1);
    while (!rest.empty()) {
      const std::size_t end = rest.find('&');
      const std::string_view pair = rest.substr(0, end);
      const std::size_t equals = pair.find('=');
      request.query.emplace_back(http::percent_decode(pair.substr(0, equals)),
                                 equals == std::string_view::npos
                                     ? std::string()
                                     : http::percent_decode(pair.substr(equals + 1)));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
  }
  request.body = body;
  base::Context context;
  context.principal = {"local", base::Role::kAdmin};
  const http::Response response = home_->router().handle(request, context);
  return read_answer(response.status, response.shared_body ? *response.shared_body : response.body);
}

}  // namespace maru::app
